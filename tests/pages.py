"""Pages in a real browser: what their tests share."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser():
    """A chromium without a screen; skipped where there is none, or no playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium on PATH")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


USUAL = {"viewport": {"width": 1280, "height": 720}, "color_scheme": "light", "reduced_motion": "no-preference"}


@pytest.fixture(scope="module")
def at_rest():
    """Tabs at about:blank for the next test: a document costs a third of a new tab with a document."""
    return []


def tab(browser, at_rest, own, viewport, **media):
    """One that looks like this: at rest till now, or new and with options of its own."""
    page = at_rest.pop() if at_rest and own is None else browser.new_context(offline=True, **own or {}).new_page()
    page.set_default_timeout(5_000)
    page.set_viewport_size(viewport)
    page.emulate_media(media="null", **media)
    return page


@pytest.fixture
def goto(browser, at_rest, request):
    """Open an address without a network; after the test, nothing may have gone wrong and nothing but files been asked for.

    A tab is used again, by a new document, unless the test failed, or asks for a tab that is `alone` or has options of its own.
    """
    opened, wrong, asked, failed = [], [], [], request.session.testsfailed
    heard = {
        "pageerror": lambda error: wrong.append(str(error)),
        "console": lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None,
        "request": lambda request: asked.append(request.url)}

    def to(address, alone=False, **options):
        own = {name: options.pop(name) for name in set(options) - set(USUAL)}
        own = own if own or alone else None
        opened.append((tab(browser, at_rest, own, **USUAL | options), own))
        page = opened[-1][0]
        for event, hear in heard.items():
            page.on(event, hear)
        page.goto(address)
        return page

    yield to
    for page, own in opened:
        if own is None and request.session.testsfailed == failed:
            page.goto("about:blank")
            page.mouse.move(-9, -9)
            for event, hear in heard.items():
                page.remove_listener(event, hear)
            at_rest.append(page)
        else:
            page.context.close()
    assert wrong == []
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert sum(url.startswith("file:") for url in asked) == len(opened)


def paused(page):
    """The page, opened `alone`: its timers stand still but for `page.clock.run_for(milliseconds)`, however busy the machine is."""
    page.clock.install(time=0)
    page.clock.pause_at(3_600_000)
    return page


def by_day_and_by_night(page):
    """The page in light and in dark colours, each when it is settled."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        settled(page)
        yield scheme


def settled(page):
    """Wait until no colour is on its way, and nothing else that CSS moves."""
    page.evaluate("Promise.allSettled(document.getAnimations().map((one) => one.finished)).then(() => null)")


def violations(page):
    """What axe, a checker of accessibility, finds on the page as it is now: (impact, rule, where); skipped without it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    if page.evaluate("typeof axe") != "object":
        page.evaluate(axe.axe_script)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] }).then((results) => results.violations)")
    return [(one["impact"], one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found]

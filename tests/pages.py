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


@pytest.fixture
def goto(browser):
    """Open an address without a network; after the test, nothing may have gone wrong and nothing but files been asked for."""
    contexts, wrong, asked = [], [], []

    def opened(address, **options):
        contexts.append(browser.new_context(offline=True, **{"viewport": {"width": 1280, "height": 720}} | options))
        page = contexts[-1].new_page()
        page.set_default_timeout(5_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert sum(url.startswith("file:") for url in asked) == len(contexts)

"""The page of the claims in a real browser, from a file, without a network: it can be read, filtered and walked through by anyone."""

import io

import numpy as np
import pytest
from matplotlib import image
from pages import by_day_and_by_night, violations

from tinygrad_vg import claims
from tinygrad_vg.claims.claim import CLAIMS, Found, Outcome

SOME = ("P3", "P4", "P7", "P22", "C3", "P26")
SHOWN = "[...document.querySelectorAll('article')].filter((one) => !one.hidden).map((one) => one.id)"
# every text with less contrast than 4.5 : 1 (WCAG 2) or type below 14 pixels
ILLEGIBLE = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (c) => c.slice(0, 3).map((x) => x / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
    .reduce((sum, x, k) => sum + x * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = (at) => { const c = parts(getComputedStyle(at).backgroundColor); return c[3] === 0 && at.parentElement ? ground(at.parentElement) : c; };
  const own = (at) => at.checkVisibility() && [...at.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.body.querySelectorAll('*')].filter(own).map((at) => {
    const [a, b] = [light(parts(getComputedStyle(at).color)), light(ground(at))].sort((x, y) => y - x);
    return [at.textContent.slice(0, 40), (a + 0.05) / (b + 0.05), parseFloat(getComputedStyle(at).fontSize), at.localName];
  }).filter(([, contrast, size, tag]) => contrast < 4.5 || (size < 14 && tag !== 'sup')); }"""


@pytest.fixture(scope="module")
def some():
    """The page of a few claims, measured, of which one has moved."""
    return claims.page([*claims.run(CLAIMS[id] for id in SOME), Outcome(CLAIMS["P5"], Found({}, lines="nothing was found"), 0.0)])


@pytest.fixture
def visit(goto, some, tmp_path):
    """Open the page."""

    def opened(hash="", text=some, **options):
        file = tmp_path / f"page{len(list(tmp_path.iterdir()))}.html"
        file.write_text(text, encoding="utf-8")
        return goto(file.as_uri() + hash, **options)

    return opened


def test_the_filter_works_by_keyboard_and_says_how_many_are_left(visit):
    page = visit()
    assert page.locator("output").inner_text() == "7 of 7 claims" and page.locator("output").get_attribute("aria-live") == "polite"
    page.keyboard.press("/")
    page.keyboard.type("Sigmoid TAILS")
    assert page.evaluate(SHOWN) == ["P4"] and page.locator("output").inner_text() == "1 of 7 claims"
    assert page.locator("nav a:visible").all_inner_texts() == ["P4"]
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.press("Tab")  # true
    page.keyboard.press("Tab")  # half
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true" and page.evaluate(SHOWN) == ["P3", "P4"]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(SHOWN) == ["P3", "P4", "C3"]
    page.get_by_role("button", name="Show all").press("Enter")
    assert page.evaluate(SHOWN) == [*SOME, "P5"] and not page.locator("#all").is_visible()


def test_the_filter_stands_in_the_address_and_a_link_to_a_claim_shows_it(visit):
    page = visit("#words=gradient&verdicts=half,MOVED")
    assert page.locator("#words").input_value() == "gradient" and page.evaluate(SHOWN) == ["P3", "P4"]
    page.locator("#words").fill("")
    assert page.evaluate("location.hash") == "#verdicts=half%2CMOVED" and page.evaluate(SHOWN) == ["P3", "P4", "P5"]
    page.evaluate("location.hash = '#P4'")
    assert page.evaluate(SHOWN) == ["P3", "P4", "P5"]
    page.evaluate("location.hash = '#C3'")
    page.locator("#C3").wait_for()
    assert page.evaluate(SHOWN) == [*SOME, "P5"] and page.evaluate("document.querySelector(':target').id") == "C3"
    assert 0 <= page.locator("#C3 h2").bounding_box()["y"] < 720
    assert visit("#words=%&verdicts=").locator("output").inner_text().endswith("of 7 claims")


def test_a_reader_by_ear_or_keyboard_finds_landmarks_names_and_what_scrolls(visit):
    page = visit()
    assert [page.get_by_role(role).count() for role in ("banner", "navigation", "search", "main", "contentinfo")] == [1] * 5
    assert page.get_by_role("heading", level=1).count() == 1 and page.get_by_role("heading", level=2).count() == 7
    assert page.locator("img:not([alt]), img[alt='']").count() == 0
    assert page.get_by_role("link", name="P4, half").count() == 1 and page.get_by_role("table").count() == 6
    assert page.get_by_role("region", name="What P22 prints").get_attribute("tabindex") == "0"
    outside = "[...document.body.querySelectorAll('p, h1, h2, table, pre, img, input')].filter((at) => !at.closest('header, nav, form, main, footer'))"
    assert page.evaluate(f"{outside}.length") == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "claims"


def test_by_day_and_by_night_every_word_is_legible(visit):
    page = visit()
    for pressed in page.locator("[aria-pressed]").all():
        pressed.click()
        for scheme in by_day_and_by_night(page):
            assert page.evaluate(ILLEGIBLE) == [], scheme


@pytest.mark.parametrize("hash", ["", "#words=sigmoid&verdicts=half,MOVED"], ids=["all", "filtered"])
def test_a_checker_of_accessibility_finds_nothing(visit, hash):
    page = visit(hash)
    for wide in (1280, 390):
        page.set_viewport_size({"width": wide, "height": 720})
        for scheme in by_day_and_by_night(page):
            assert violations(page) == [], (wide, scheme)


def test_a_picture_is_light_or_dark_with_the_page_and_light_on_paper(visit):
    def seen(**media):
        page.emulate_media(**media)
        return image.imread(io.BytesIO(page.locator("#P4 img").screenshot()))[..., :3]

    page = visit("#P4")
    night, day, paper = seen(color_scheme="dark"), seen(color_scheme="light"), seen(color_scheme="dark", media="print")
    assert np.median(night) < 0.2 and np.max(np.min(night, axis=2)) > 0.6  # words in pale grey
    for light in (day, paper):
        assert np.median(light) > 0.9 and np.min(np.max(light, axis=2)) < 0.45


def test_the_page_never_scrolls_sideways(visit):
    page = visit()
    for wide in (320, 390, 640, 1000, 1280):
        page.set_viewport_size({"width": wide, "height": 720})
        assert page.evaluate("innerWidth") == wide and page.evaluate("document.documentElement.scrollWidth") <= wide
        for at in page.locator("img").all():
            box = at.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= wide


def test_without_javascript_every_claim_shows_and_no_filter(visit):
    page = visit(java_script_enabled=False)
    assert all(page.locator(f"#{id}").is_visible() for id in SOME) and not page.locator("form").is_visible()


def test_on_paper_the_claims_stand_alone(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator("form").is_visible() and not page.locator("footer").is_visible()


def test_hostile_words_are_shown_as_they_are_and_run_nothing(visit):
    evil = "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\"> {{script}} &lt;"
    curves = {evil[:50]: ([0, 1, 2], [1, 2, 3])}
    claim = CLAIMS["P4"]._replace(sentence=evil, answer=evil)
    page = visit(text=claims.page([Outcome(claim, Found({evil: 1.0}, curves, (evil[50:], evil[:50]), lines=evil), 0.0)]))
    page.locator("#words").fill(evil)
    assert page.evaluate(SHOWN) == ["P4"] and page.title() != "pwned"
    assert evil in page.locator("h2").inner_text() and evil in page.locator("pre").inner_text()
    assert page.locator("script").count() == 1 and page.locator("img").count() == 1

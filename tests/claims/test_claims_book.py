"""The laws of the book of claims: it is complete, it breaks loudly, and it can be read as a ledger, in full, as JSON and as a page."""

import base64
import hashlib
import html
import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from tinygrad_vg import claims
from tinygrad_vg.claims.claim import CLAIMS, VERDICTS, Found, Outcome
from tinygrad_vg.cli.main import main
from tinygrad_vg.text.lines import width

IDS = {f"P{k}" for k in range(1, 27)} | {f"C{k}" for k in range(1, 23)} | {f"E{k}" for k in range(1, 10)}
IDS |= {f"{id}b" for id in "P5 P8 P12 P13 P19 C11 C13 C15 C18 C19".split()}  # said between two others
SOURCES = {"P8b", "P26", "C12", "C13", "C13b"}
ORDER = sorted(CLAIMS, key=lambda id: ("PCE".index(id[0]), int(re.sub(r"\D", "", id)), id))  # the post's, its comments', and later
FIGURES = [pytest.param(id, name, id=f"{id}-{name}") for id, one in CLAIMS.items() for name in one.expected]


@pytest.fixture
def replayed(outcomes, monkeypatch):
    """The claims as registered, but each gives back what was found before; one that is slow, or has moved, figures amid their ranges."""
    for id, one in CLAIMS.items():
        if one.measure:
            held = id in outcomes and not outcomes[id].moved
            found = outcomes[id].found if held else Found({name: amid(range) for name, range in one.expected.items()})
            monkeypatch.setitem(CLAIMS, id, one._replace(measure=lambda found=found: found))
    return CLAIMS


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = main(["claims", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def amid(range):
    low, high = (bound if math.isfinite(bound) else None for bound in (range.low, range.high))
    return high - 1 if low is None else low + 1 if high is None else (low + high) / 2


def outside(range):
    """The first numbers outside a range, then what is no figure at all."""
    if math.isfinite(range.high):
        yield math.nextafter(range.high, math.inf)
    if math.isfinite(range.low):
        yield math.nextafter(range.low, -math.inf)
    yield math.nan


def too_wide(text):
    return [line for line in text.splitlines() if width(line) > 80]


# complete


def test_the_book_has_67_rows_of_which_5_are_notes_on_sources():
    listed = subprocess.run([sys.executable, "-m", "tinygrad_vg", "claims", "--list"], capture_output=True, text=True, check=True, encoding="utf-8")
    heads = re.findall(r"^([PCE]\d+b?) +(\w+)( +slow)?$", listed.stdout, re.MULTILINE)
    ids = [id for id, *_ in heads]
    assert sorted(IDS - set(ids)) == [], "rows that are missing"
    assert sorted(ids) == sorted(IDS)  # each once, and no others
    assert {id for id, verdict, _ in heads if verdict == "source"} == SOURCES
    assert len(ids) == 67 and len(IDS - SOURCES) == 62


@pytest.mark.parametrize("id", CLAIMS)
def test_a_row_is_a_sentence_a_verdict_an_answer_and_the_figures_that_decide(id):
    one = CLAIMS[id]
    assert one.verdict in VERDICTS and (one.verdict == "source") == (id in SOURCES)
    assert one.sentence[0].isupper() or not one.sentence[0].isalpha()
    assert one.sentence.endswith((".", "?", "!", "”")) and one.answer.rstrip(")”").endswith((".", "!"))
    assert bool(one.measure) == bool(one.expected) == (id not in SOURCES)
    for range in one.expected.values():
        assert range.low <= range.high and (math.isfinite(range.low) or math.isfinite(range.high))


def test_no_sentence_is_claimed_twice():
    assert len({one.sentence for one in CLAIMS.values()}) == len({one.answer for one in CLAIMS.values()}) == len(CLAIMS)


@pytest.mark.parametrize("id", [id for id, one in CLAIMS.items() if not one.slow])
def test_every_figure_is_where_it_must_be_and_there_is_something_to_see(outcomes, id):
    one = outcomes[id]
    assert one.moved == [], one.found.lines
    if id not in SOURCES:
        figure = claims.picture(one.found)
        assert figure is not None and any(ax.has_data() or ax.patches or ax.texts for ax in figure.axes)
        assert one.found.curves or one.found.chain is not None or one.found.picture
        assert all(len(x) == len(y) > 2 and all(one.found.axes) for x, y in one.found.curves.values())


def test_the_fast_claims_take_less_than_a_minute(outcomes):
    assert sum(one.seconds for one in outcomes.values()) < 180  # a minute, on a machine that has others to serve


@pytest.mark.slow
@pytest.mark.parametrize("id", [id for id, one in CLAIMS.items() if one.slow])
def test_the_slow_claims_hold_too(id):
    one = claims.outcome(CLAIMS[id])
    assert one.moved == [], one.found.lines
    assert claims.picture(one.found) is not None


@pytest.mark.slow
def test_measured_again_every_figure_is_the_same(outcomes):
    again = {one.claim.id: one.found.figures for one in claims.run(claims.chosen())}
    np.testing.assert_equal(again, {id: one.found.figures for id, one in outcomes.items()})


# breaking loudly


@pytest.mark.parametrize("id, name", FIGURES)
def test_a_figure_that_leaves_its_range_moves_the_claim(replayed, run, monkeypatch, id, name):
    one = replayed[id]
    found, range = one.measure(), one.expected[name]
    assert one.run().moved == []
    others = {key: x for key, x in found.figures.items() if key != name}
    for figures in (*({**found.figures, name: x} for x in outside(range)), others):
        shifted = one._replace(measure=lambda figures=figures: found._replace(figures=figures))
        outcome = claims.outcome(shifted)
        assert [sentence.startswith(f"{name} is ") for sentence in outcome.moved] == [True]
        assert outcome.verdict == "MOVED" != one.verdict
        book = claims.ledger([outcome])
        assert book.split()[:2] == [id, "MOVED"] and f"MOVED: {id}" in book and f"! {outcome.moved[0]}" in " ".join(book.split())
    monkeypatch.setitem(CLAIMS, id, shifted)  # once to the end: the figure left out
    assert_loud(run(id), id, name)


@pytest.mark.parametrize("id", [id for id in CLAIMS if id not in SOURCES])
def test_the_command_ends_with_1_if_the_deciding_figure_moves_by_a_hair_or_is_nan(replayed, run, monkeypatch, id):
    one = replayed[id]
    name, range = next(iter(one.expected.items()))
    for x in outside(range):
        found = one.measure()._replace(figures={**one.measure().figures, name: x})
        monkeypatch.setitem(CLAIMS, id, one._replace(measure=lambda found=found: found))
        assert_loud(run(id), id, name)


def assert_loud(result, id, name):
    code, out, err = result
    assert code == 1
    assert err == f"tinygrad_vg: the figures of {id} have moved\n"
    said = f"{id}: MOVED (a figure left its range; was {CLAIMS[id].verdict}: {VERDICTS[CLAIMS[id].verdict]})"
    assert said in " ".join(out.split()) and f"!! {name} = " in " ".join(out.split())


@pytest.mark.parametrize("id, name", FIGURES)
def test_the_ends_of_a_range_belong_to_it_and_its_text_tells_them(id, name):
    range = CLAIMS[id].expected[name]
    for bound in (range.low, range.high):
        assert bound in range
    assert all(x not in range for x in outside(range))
    assert float(math.isfinite(range.low)) + math.isfinite(range.high) == (1 if range.text.startswith("at ") else 2)


def test_a_measurement_that_raises_counts_as_moved_and_stops_no_other(replayed, run, monkeypatch):
    broken = next(iter(replayed))

    def measure():
        raise ZeroDivisionError("a broken measurement")

    monkeypatch.setitem(CLAIMS, broken, CLAIMS[broken]._replace(measure=measure))
    code, out, err = run()
    assert code == 1 and err == f"tinygrad_vg: the figures of {broken} have moved\n"
    heads = re.findall(r"^([PCE]\d+b?) +(\w+)", out, re.MULTILINE)
    assert heads == [(id, "MOVED" if id == broken else CLAIMS[id].verdict) for id in ORDER if not CLAIMS[id].slow]
    assert f"MOVED: {broken}" in out
    assert "ZeroDivisionError: a broken measurement" in run(broken)[1]


def test_ctrl_c_ends_the_run(replayed, run, monkeypatch):
    def measure():
        raise KeyboardInterrupt

    monkeypatch.setitem(CLAIMS, "P4", CLAIMS["P4"]._replace(measure=measure))
    assert run()[::2] == (130, "tinygrad_vg: interrupted\n")


# reading


@pytest.fixture
def untouched(monkeypatch):
    """Claims that note when one of them is measured."""
    measured = []
    for id, one in CLAIMS.items():
        if one.measure:
            monkeypatch.setitem(CLAIMS, id, one._replace(measure=lambda id=id: measured.append(id) or Found({})))
    return measured


def test_the_list_runs_nothing(untouched, run):
    code, out, err = run("--list", "--slow")
    assert (code, err, untouched, too_wide(out)) == (0, "", [], [])
    assert re.findall(r"^([PCE]\d+b?) ", out, re.MULTILINE) == ORDER
    assert run("--list", "p4")[1] == claims.listed([CLAIMS["P4"]]) + "\n"


@pytest.mark.parametrize("option", ["--list", "--show"])
def test_without_running_any_json_has_the_words_and_ranges_of_each(untouched, run, option):
    code, out, err = run(option, "--json")
    assert (code, err, untouched) == (0, "", [])
    rows = json.loads(out)
    assert [row["id"] for row in rows] == ORDER and rows == [CLAIMS[row["id"]].to_dict() for row in rows]
    (one,) = json.loads(run(option, "p4", "--json")[1])
    assert {name: tuple(bounds) for name, bounds in one["expected"].items()} == {name: range[:2] for name, range in CLAIMS["P4"].expected.items()}


def test_shown_a_claim_has_its_words_its_ranges_and_what_was_changed_and_nothing_is_run(untouched, run):
    code, out, err = run("--show", *CLAIMS)
    assert (code, err, untouched, too_wide(out)) == (0, "", [], [])
    said = " ".join(out.split())
    for one in CLAIMS.values():
        assert f"{one.id}: {one.verdict} ({VERDICTS[one.verdict]}) {one.sentence}" in said and one.answer in said
        assert f"Changed: {one.history}" in said if one.history else True
        assert all(f"{name}: must be {range.text}" in said for name, range in one.expected.items())


@pytest.mark.parametrize("id", ["C4", "C14", "C15", "C17", "C21", "P8", "P9", "P17"])
def test_what_was_changed_is_told_in_full_in_json_and_on_the_page(replayed, run, id):
    changed = CLAIMS[id].history
    assert changed and f"Changed: {changed}" in " ".join(run(id)[1].split())
    assert json.loads(run(id, "--json")[1])[0]["history"] == changed
    assert html.escape(changed) in claims.page([claims.outcome(replayed[id])])


def test_a_legend_says_what_the_verdicts_mean_that_are_there(replayed, run):
    for out in (run()[1], run("--list")[1]):
        assert [f"{word}: {meaning}" for word, meaning in VERDICTS.items() if f"\n{word}: {meaning}\n" not in f"\n{out}\n"] == []
    assert claims.listed([CLAIMS["P4"]]).endswith(f"\n\nhalf: {VERDICTS['half']}")


@pytest.mark.parametrize("arguments, told", [
    (["P4", "Q7"], "there is no claim Q7; the claims are "), (["--html", "page.txt"], ".html"),
])  # fmt: skip
def test_what_cannot_be_done_is_one_line_and_nothing_is_run(untouched, run, arguments, told):
    code, out, err = run(*arguments)
    assert (code, out, untouched) == (1, "", [])
    assert told in err and err.count("\n") == 1 and err.endswith("\n")


@pytest.mark.parametrize("arguments", [["--list"], ["--show", "P4"]])
def test_a_page_shows_what_was_measured_and_so_goes_with_no_list(untouched, arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["claims", *arguments, "--html", "page.html"])
    assert "--html/--out: not allowed with" in capsys.readouterr().err and not untouched


def test_ids_are_taken_in_any_case_and_slow_ones_run_only_if_named_or_asked_for():
    assert [one.id for one in claims.chosen(["p4"])] == ["P4"]
    with pytest.raises(ValueError, match="no claim P17b; the claims are P1,"):
        claims.chosen(["p17", "P17b"])
    assert claims.chosen(list(map(str.swapcase, CLAIMS))) == claims.chosen(slow=True) == [CLAIMS[id] for id in ORDER]
    assert claims.chosen() == [CLAIMS[id] for id in ORDER if not CLAIMS[id].slow]


def test_the_ledger_keeps_to_80_columns_and_ends_with_a_count(replayed, run):
    code, out, err = run()
    assert (code, err, too_wide(out)) == (0, "", [])
    measured = sum(one.measure is not None for one in claims.chosen())
    end = out.split("\n\n")[-1]
    assert f"{measured} claims measured in" in end and f"{len(SOURCES)} notes on sources" in end
    assert "every figure is where it must be" in " ".join(end.split())


@pytest.mark.parametrize("id", [id for id, one in CLAIMS.items() if not one.slow])
def test_in_full_and_with_every_figure_moved_a_claim_keeps_to_80_columns(outcomes, id):
    one = outcomes[id]
    assert too_wide(claims.full(one)) == []
    assert too_wide(claims.ledger([one._replace(found=Found(dict.fromkeys(one.claim.expected, -math.pi * 1e-100)))])) == []


def test_one_claim_is_counted_as_one(outcomes):
    assert "1 claim measured in" in claims.ledger([outcomes["C16"]]) and "0 notes on sources" in claims.ledger([outcomes["C16"]])


def test_limits_of_a_curve_are_a_band_around_it():
    pytest.importorskip("matplotlib")
    x, curves = (5, 10), {"RNN": [0.5, 0.4], "LSTM": [1, 1], "RNN, 95 % from": [0.3, 0.2], "RNN, 95 % to": [0.7, 0.6]}
    ax = claims.picture(Found({}, {name: (x, y) for name, y in curves.items()})).axes[0]
    assert [line.get_label() for line in ax.lines] == ["RNN", "LSTM"]
    corners = ax.collections[0].get_paths()[0].vertices.tolist()
    assert [5, 0.3] in corners and [10, 0.6] in corners and [5, 1] not in corners


def test_json_is_one_valid_document_with_every_digit(replayed, run):
    code, out, err = run("--json")
    assert (code, err) == (0, "")
    document = json.loads(out, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert [row["id"] for row in document] == [one.id for one in claims.chosen()]
    for row in document:
        one = claims.outcome(CLAIMS[row["id"]])
        assert {name: float(x) for name, x in row["figures"].items()} == pytest.approx(dict(one.found.figures), rel=0, abs=0, nan_ok=True)
        assert {name: tuple(map(float, bounds)) for name, bounds in row["expected"].items()} == {name: range[:2] for name, range in one.claim.expected.items()}
        assert (row["verdict"], row["sentence"], row["answer"], row["moved"]) == (one.claim.verdict, one.claim.sentence, one.claim.answer, [])


def test_json_and_the_page_come_from_one_run(replayed, run, tmp_path):
    code, out, err = run("P4", "C17", "--json", "--html", str(tmp_path / "two.html"))
    assert (code, err, [row["id"] for row in json.loads(out)]) == (0, "", ["P4", "C17"])
    assert Page((tmp_path / "two.html").read_text(encoding="utf-8")).ids == ["P4", "C17"]


def test_json_is_valid_if_figures_are_nan_or_infinite_too(replayed, run, monkeypatch):
    monkeypatch.setitem(CLAIMS, "P4", CLAIMS["P4"]._replace(measure=lambda: Found({"0.25^10": math.nan, "slope at 0": math.inf})))
    code, out, err = run("P4", "--json")
    (row,) = json.loads(out, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert code == 1 and row["verdict"] == "MOVED" and len(row["moved"]) == 3
    assert row["figures"] == {"0.25^10": "nan", "slope at 0": "inf"}


class Page(HTMLParser):
    """Checks that every element that is opened is closed, that no script runs but the page's own, and keeps what could make a request."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.links, self.images, self.ids, self.scripts, self.printed = [], [], [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []
        (policy,) = re.findall('Content-Security-Policy" content="([^"]+)"', text)
        assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
        assert re.findall("script-src 'sha256-([^']+)'", policy) == [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in self.scripts]

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)
        if self.open[-1:] == ["pre"]:
            self.printed += data

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert tag not in ("link", "iframe", "object", "embed") and not any(name.startswith("on") or name == "style" for name in attributes)
        self.links += [value for name, value in attributes.items() if name in ("src", "href", "srcset", "data", "action", "poster")]
        self.ids += [attributes["id"]] if tag == "article" else []
        self.images += [attributes["src"] if tag == "img" else attributes["srcset"]] if tag in ("img", "source") else []
        if tag not in ("meta", "img", "br", "source", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def svg_of(source):
    head, coded = source.split(",", 1)
    assert head == "data:image/svg+xml;base64"
    return ElementTree.fromstring(base64.b64decode(coded))


def test_the_page_is_well_formed_makes_no_request_and_has_a_picture_of_each_claim(replayed, outcomes, run, tmp_path):
    assert run("--html", str(tmp_path / "book.html"))[::2] == (0, "")
    text = (tmp_path / "book.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.ids == list(outcomes)
    assert not re.search(r"url\(|@import", text)
    assert len(page.images) == 2 * sum(one.measure is not None for one in claims.chosen())  # for a phone, and for a wider page
    assert [link for link in page.links if link not in page.images] == ["#claims", *(f"#{id}" for id in page.ids * 2)]  # places on the page itself
    for image in map(svg_of, page.images):
        named = [value for node in image.iter() for name, value in node.attrib.items() if name.endswith(("href", "src"))]
        assert all(value.startswith(("#", "data:")) for value in named)


def test_without_matplotlib_the_page_comes_without_pictures(outcomes, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = Page(claims.page([outcomes["P4"]]))
    assert (page.ids, page.images) == (["P4"], []) and "|gradient| at the input against layers" in page.printed


def test_what_a_claim_prints_cannot_break_the_page():
    hostile = CLAIMS["P4"]._replace(sentence="</h2><script>a & b</script>", answer='<img src="http://x">')
    page = Page(claims.page([Outcome(hostile, Found({"<b>": 1.0}, lines="</pre><iframe>"), 0.0)]))
    assert page.links == ["#claims", "#P4", "#P4"] and page.printed == "</pre><iframe>"


def test_the_headline_counts_what_became_of_the_sentences(replayed):
    def headline(outcomes):
        (found,) = re.findall("<h1>(.*)</h1>", claims.page(outcomes))
        return re.sub("<[^>]+>", "", found)

    three = {id: CLAIMS[id].run() for id in ("P2", "P3", "P4", "P6", "P26")}
    assert headline(three.values()) == "Of 3 sentences of the debate, 1 holds, 2 hold in part and 0 do not."
    three["P3"] = three["P3"]._replace(found=Found({}))
    assert headline(three.values()) == "Of 3 sentences of the debate, 1 holds, 1 holds in part, 0 do not and 1 has moved."
    assert headline([]) == "Of 0 sentences of the debate, 0 hold, 0 hold in part and 0 do not."


def test_progress_goes_to_stderr_and_is_wiped(replayed, capsys):
    list(claims.run(claims.chosen(["P4"]), progress=True))
    printed = capsys.readouterr()
    assert printed.out == "" and "1 of 1: P4" in printed.err and printed.err.endswith(" \r") and "\n" not in printed.err

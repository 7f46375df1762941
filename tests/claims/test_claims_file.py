"""The laws of claims.toml: it is in the order of the debate, it can be read by people, and what does not fit is told at import."""

import math
import re
import subprocess
import sys
from importlib.resources import files

import pytest

from tinygrad_vg import claims
from tinygrad_vg.claims.claim import CLAIMS, FIELDS, FORMS, MEASURES, NAMES, VERDICTS, Found, book, measures, ranged
from tinygrad_vg.text.lines import width

TEXT = files(claims).joinpath("claims.toml").read_text(encoding="utf-8")
HEAD = TEXT.partition("\n\n")[0]
P1 = 'verdict = "true"\nsentence = "A sentence."\nanswer = "An answer."\n'
FIGURES = '[P1.expected]\n"a figure" = "9"\n'


def measured():
    return Found({"a figure": 9.0})


def told(text, functions):
    with pytest.raises(ValueError) as caught:
        book(text, functions)
    return str(caught.value)


# the file


def place(id):
    """The post's claims (P) first, then those of the comments (C) and of what came later (E), each in their order: P13, P13b, P14."""
    return "PCE".index(id[0]), int(re.findall(r"\d+", id)[0]), id


def test_the_file_is_in_the_order_of_the_debate():
    assert list(CLAIMS) == [one.id for one in claims.chosen(slow=True)] == re.findall(r"^\[(\w+)\]$", TEXT, re.M)
    assert list(CLAIMS) == sorted(CLAIMS, key=place)


def test_every_claim_but_the_sources_has_a_function_of_its_own():
    assert {id: one.measure for id, one in CLAIMS.items() if one.measure} == MEASURES
    assert len(set(MEASURES.values())) == len(MEASURES)


def test_its_head_explains_every_field_verdict_and_name():
    words = set(re.findall(r"\w+", HEAD))
    assert {*FIELDS, *VERDICTS, *NAMES} <= words
    assert [form for form in re.findall('"([^"]+)"', FORMS) if f'"{form}"' not in HEAD and not form.startswith("at least")] == []


def test_its_lines_are_short_and_its_tables_aligned():
    assert [line for line in TEXT.splitlines() if width(line) > 120 or line != line.rstrip()] == []
    for table in re.findall(r"^\[\w+\.expected\]\n((?:.+\n)+)", TEXT, re.M):
        names = [line.rpartition(' = "')[0] for line in table.splitlines()]
        assert len({width(name) for name in names}) == 1
        assert any(name.endswith('"') for name in names)  # no wider than the widest name


def test_a_text_of_several_lines_is_one_paragraph():
    entry = P1.replace('"An answer."', '"""\nAn answer\nin lines.\n"""')
    assert book(entry.join(["[P1]\n", FIGURES]), {"P1": measured})["P1"].answer == "An answer in lines."


# ranges


@pytest.mark.parametrize("text, low, high, printed", [
    ("0.98 ± 0.02", 0.96, 1.0, "0.98 ± 0.02"),
    ("-2 ± 0.1 rel", -2.2, -1.8, "-2 ± 0.2"),
    ("at least 3", 3, math.inf, "at least 3"),
    ("at most -10 * ln(4)", -math.inf, -10 * math.log(4), "at most -13.86"),
    ("1 … 1 + 1e-12", 1, 1 + 1e-12, "1 … 1"),
    ("9", 9, 9, "9 ± 0"),
    ("2^-25 ± 1e-9 rel", 2**-25 * (1 - 1e-9), 2**-25 * (1 + 1e-9), "2.98e-08 ± 3e-17"),
    ("-(γ + ln(2)) / 2 * 50 ± 0.15", -31.90907113653695, -31.609071136536954, "-31.76 ± 0.15"),
    ("sqrt(1 + 50^2) … exp(4) * π", math.sqrt(2501), math.exp(4) * math.pi, "50.01 … 171.5"),
])  # fmt: skip
def test_a_range_is_what_its_text_says(text, low, high, printed):
    assert ranged(text) == (pytest.approx(low, rel=1e-15), pytest.approx(high, rel=1e-15), printed)


@pytest.mark.parametrize("text", ["", "about 3", ">= 3", "0.5 +/- 0.1", "0.5 ±", "± 0.1", "0.5 ± 0.1 ± 0.1", "0.5 ± 1 %", "0.5 ± -0.1", "2 … 1",
                                  "1 …", "at least", "at most nan", "log(2)", "1 / 0", "10^10^10^10.", "[1][0].__class__", "__import__('os')", 9, True, [1, 2]])  # fmt: skip
def test_what_is_no_range_is_refused_with_the_forms_there_are(text):
    figure = f'"a figure" = {repr(text) if isinstance(text, str) else str(text).lower()}\n'
    why = told(f"[P1]\n{P1}[P1.expected]\n{figure}", {"P1": measured})
    assert why.startswith(f"claims.toml, P1, 'a figure': {text!r} is no range: ") and why.endswith(FORMS)


# entries


@pytest.mark.parametrize("text, functions, why", [
    (f"[P1]\n{P1}{FIGURES}", {}, 'claims.toml, P1: no function measures it; write one in claims/rows/ below @measures("P1"), or call it a source'),
    ("", {"P1": measured}, "claims.toml has no P1, which measured measures; write an entry [P1], or correct the id"),
    (f"[P1]\n{P1}", {"P1": measured}, "a claim has figures with their ranges, a source has none; mend [P1.expected]"),
    (f"[P1]\n{P1}{FIGURES}".replace("true", "source"), {}, "a source has none; mend [P1.expected]"),
    (f"[P1]\n{P1}{FIGURES}".replace("true", "source"), {"P1": measured}, "a source is not measured, but measured does that; take another verdict"),
    (f"[P1]\n{P1}{FIGURES}".replace("true", "maybe"), {"P1": measured}, "there is no verdict 'maybe'; it is one of true, half, false, open, remedy, source"),
    (f"[P1]\n{P1}{FIGURES}".replace("verdict", "#"), {"P1": measured}, "verdict is missing; an entry has a verdict, a sentence and an answer"),
    (f"[P1]\n{P1}{FIGURES}".replace("An answer.", ""), {"P1": measured}, "answer is missing"),
    (f"[P1]\n{P1}{FIGURES}".replace("answer", "anwser"), {"P1": measured}, "there is no field 'anwser'; an entry has verdict, sentence, answer, history, slow, expected"),
    (f"[P1]\n{P1}slow = 1\n{FIGURES}", {"P1": measured}, "slow must be true or false, not 1"),
    (f"[P1]\n{P1}expected = 9\n", {"P1": measured}, "expected must be a table of figures and ranges, not 9"),
    (f"[P1]\n{P1}{FIGURES}".replace('"A sentence."', "3"), {"P1": measured}, "sentence must be text in quotes, not 3"),
    (P1, {}, "claims.toml, verdict: a field that belongs to no entry; an entry begins with its id, as [P1]"),
    (f"[P1]\n{P1}[P1]\n{P1}", {}, "claims.toml is no TOML: Cannot declare ('P1',) twice (at line 5"),
    (f"[P1]\n{P1}{FIGURES}{FIGURES[14:]}", {"P1": measured}, "claims.toml is no TOML: Cannot overwrite a value (at line 7"),
], ids=lambda x: x[-40:].strip() if isinstance(x, str) else "")  # fmt: skip
def test_an_entry_that_does_not_fit_is_refused_with_what_to_do(text, functions, why):
    assert why in told(text, functions)


def test_a_claim_is_measured_by_one_function():
    with pytest.raises(ValueError, match="flat_tails and measured both measure P4; one of them needs another id"):
        measures("P4")(measured)
    assert MEASURES["P4"] is not measured


def test_it_is_told_at_import():
    broken = "import tomllib; read = tomllib.loads; tomllib.loads = lambda text: read(text.replace('[P4.expected]', '[P4.expcted]'))"
    done = subprocess.run([sys.executable, "-c", f"{broken}; import tinygrad_vg.claims"], capture_output=True, encoding="utf-8")
    assert done.returncode == 1
    assert done.stderr.endswith("claims.toml, P4: there is no field 'expcted'; an entry has verdict, sentence, answer, history, slow, expected\n")

"""What the README and the book mention is there: files, functions, commands, claims, demos, chapters, links."""

import argparse
import ast
import importlib
import itertools
import pathlib
import re
import shlex

import pytest

from tinygrad_vg import claims
from tinygrad_vg.cli.main import COMMANDS
from tinygrad_vg.cli.options import parser

ROOT = pathlib.Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]
GUIDE, BOOK = (ROOT / "docs" / name for name in ("reading_guide.md", "book.md"))
ROOMS = sorted(path.parent for path in (ROOT / "tinygrad_vg").glob("*/__init__.py"))
STANDS_FOR = {"MODEL": "rnn", "NAME": "narma", "FILE": "file.html"}  # words in capitals that a reader replaces

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
PATH = re.compile(r"(?<![\w/.])(?:tinygrad_vg|docs|demos|tests|benchmarks)/[\w./-]*\w/?")
COMMAND = re.compile(r"-m tinygrad_vg(?= |`|$)([^`\n;]*)", re.M)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")

page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text(path):
    return path.read_text(encoding="utf-8")


def prose(path):
    return FENCE.sub("", text(path))


def links(path):
    """The files a page links to; not pages of the web, not places within itself."""
    found = (target.partition("#")[0] for target in LINK.findall(prose(path)) if "://" not in target)
    return [(path.parent / target).resolve() for target in found if target]


def parsed(arguments):
    """The options of a command of ours as the command line would read them; SystemExit if it would not."""
    named = bool(arguments) and arguments[0] in COMMANDS
    options = parser(arguments[0] if named else "").parse_args(arguments[named:])
    assert isinstance(options, argparse.Namespace)
    claims.chosen(getattr(options, "ids", []), False)
    return options


def commands(path):
    """The arguments of every command mentioned: after `-m tinygrad_vg`, or a span of code that begins with a command's name."""
    spans = [span for span in CODE.findall(prose(path)) if span.split()[0] in COMMANDS and " " in span and "=" not in span]
    for line in [*COMMAND.findall(text(path)), *spans]:
        yield [STANDS_FOR.get(word, word) for word in shlex.split(line, comments=True)]


def rows(path):
    """The cells of every row of every table, heads among them."""
    for line in prose(path).splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@page
def test_every_file_mentioned_is_there(page):
    missing = [name for name in PATH.findall(text(page)) if not (ROOT / name).exists()]
    assert not missing


@page
def test_every_relative_link_resolves(page):
    missing = [target for target in links(page) if not target.exists()]
    assert not missing


@page
def test_every_command_mentioned_is_understood(page):
    for arguments in commands(page):
        parsed(arguments)


def test_commands_are_mentioned_at_all():
    assert sum(len(list(commands(path))) for path in PAGES) > 15
    assert {arguments[0] for path in PAGES for arguments in commands(path) if arguments} >= set(COMMANDS) - {""}


@pytest.mark.parametrize("wrong", [["chain", "nothing"], ["verdict", "mlp", "--stepz", "3"], ["--radius", "-1"]], ids=" ".join)
def test_a_command_that_is_wrong_is_noticed(wrong, capsys):
    with pytest.raises(SystemExit):
        parsed(wrong)


def test_a_claim_that_does_not_exist_is_noticed():
    with pytest.raises(ValueError):
        parsed(["claims", "P99"])


@page
def test_every_module_run_by_name_is_there(page):
    for name in re.findall(r"-m (tinygrad_vg(?:\.\w+)+)", text(page)):
        module = importlib.import_module(name)
        assert hasattr(module, "main") or importlib.util.find_spec(f"{name}.__main__")


@page
def test_every_block_of_python_is_a_doctest_and_ends_with_a_blank_line(page):
    for language, block in FENCE.findall(text(page)):
        assert language in ("pycon", "sh", "text"), block
        assert (">>>" in block) == (language == "pycon"), block
        assert language != "pycon" or block.endswith("\n\n"), block


@page
def test_every_formula_that_begins_ends_in_its_paragraph(page):
    for paragraph in re.split(r"\n\n|\n(?=\|)", CODE.sub("", prose(page))):
        assert len(re.findall(r"(?<!\\)\$", paragraph)) % 2 == 0, paragraph


def test_every_chapter_is_reachable_from_the_readme_or_the_book():
    reached, ahead = set(), [ROOT / "README.md", BOOK]
    while ahead:
        here = ahead.pop()
        reached.add(here)
        ahead += [target for target in links(here) if target.suffix == ".md" and target not in reached and target.exists()]
    assert set(PAGES) <= reached


def test_every_chapter_stands_in_the_contents():
    assert set(DOCS) - {BOOK} <= set(links(BOOK))


def contents(column):
    """A column of the table of contents, as one list of its entries."""
    cells = [row[column] for row in rows(BOOK) if len(row) == 4]
    return [entry for cell in cells[1:] for entry in re.split(r",\s*", cell) if re.match(r"\w", entry)]


def test_every_demo_stands_in_the_contents():
    numbers = {path.name[:2] for path in (ROOT / "demos").glob("[0-9]*.py")}
    assert set(contents(2)) == numbers


def test_every_claim_stands_in_the_contents_or_among_the_sources():
    sources = {id for id, claim in claims.CLAIMS.items() if claim.verdict == "source"}
    assert set(contents(3)) == set(claims.CLAIMS) - sources
    assert all(id in prose(BOOK).partition("## Sources")[2] for id in sources)


def test_every_demo_and_claim_of_the_sources_exists():
    cells = [row[2] for row in rows(BOOK) if len(row) == 3 and row[0] != "source"]
    demos = {number for cell in cells for number in re.findall(r"(?<![PC\d])\d\d\b", cell)}
    assert demos <= set(contents(2))
    assert set(re.findall(r"\b[PCE]\d+b?\b", " ".join(cells))) <= set(claims.CLAIMS)


def test_the_claims_book_tells_each_row_once_with_its_verdict():
    told = [(id, cells[-1]) for cells in rows(ROOT / "docs" / "claims.md") for id in re.findall(r"\b[PCE]\d+b?\b", cells[len(cells) == 3])]
    assert told == [(id, claim.verdict) for id, claim in claims.CLAIMS.items()]


def defined(path):
    """Every name that a module defines: functions, methods, classes, what is assigned, and ops of the table."""
    names = set()
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def guide():
    """Each row of the reading guide: its files, and what to look for in them."""
    room = ROOT / "tinygrad_vg" / "autodiff"
    for row in rows(GUIDE):
        spans = CODE.findall(" ".join(row))
        room = next((ROOT / span for span in spans if (ROOT / span) in ROOMS), room)
        files = [room / span for span in spans if re.fullmatch(r"\w+\.py", span)]
        yield room, row, files, [span for span in CODE.findall(row[-1]) if span.isidentifier()]


def test_every_file_of_the_reading_guide_is_in_its_room():
    found = [path for _, _, files, _ in guide() for path in files]
    assert len(found) > 30
    assert not [path for path in found if not path.exists()]


def test_what_the_reading_guide_says_to_look_for_is_in_its_room():
    for room, _, files, names in guide():
        places = files if room.name == "autodiff" else [*room.glob("*.py")]
        assert set(names) <= set(itertools.chain(*map(defined, places))), names


def test_the_reading_guide_names_every_module_of_the_engine():
    files = {path.name for _, _, files, _ in guide() for path in files if path.parent.name == "autodiff"}
    assert {path.name for path in (ROOT / "tinygrad_vg" / "autodiff").glob("*.py")} - files == {"__init__.py"}


def test_the_reading_guide_asks_the_question_of_every_room():
    asked = {room: row[1] for room, row, _, _ in guide() if len(row) == 4}
    for room in ROOMS:
        question = ast.get_docstring(ast.parse(text(room / "__init__.py"))).splitlines()[0]
        assert room.name == "autodiff" or asked[room] == question


def test_the_guide_begins_with_the_whole_idea_in_ten_minutes():
    first = [path for _, _, files, _ in guide() for path in files][:3]
    assert [path.name for path in first] == ["core.py", "table.py", "scalar.py"]
    assert sum(len(text(path).split()) for path in first) < 11 * 250  # words a minute

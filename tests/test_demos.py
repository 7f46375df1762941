"""Every demo runs on its own, ends with a printed chain, fits a terminal, and stays short."""

import importlib.util
import io
import pathlib
import tokenize

import pytest

DEMOS = sorted((pathlib.Path(__file__).parent.parent / "demos").glob("[0-9]*.py"))


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_demos_are_numbered_without_gaps():
    assert [int(path.name[:2]) for path in DEMOS] == list(range(1, len(DEMOS) + 1))
    assert len(DEMOS) >= 19


@pytest.mark.parametrize("path", DEMOS, ids=lambda path: path.stem)
def test_a_demo_prints_a_chain_in_eighty_columns(path, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert loaded(path).main(fast=True) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "multiplied by" in printed.out or "links" in printed.out.splitlines()[-1] or "  gain  product" in printed.out
    assert max(map(len, printed.out.splitlines())) <= 80
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", DEMOS, ids=lambda path: path.stem)
def test_a_demo_has_one_idea_and_about_sixty_lines(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f'"""{path.name[:2]}  ')
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in skipped]
    docstring_lines = tokens[0].end[0]
    assert len({line for token in tokens[1:] for line in range(token.start[0], token.end[0] + 1) if line > docstring_lines}) <= 60


def test_a_part_of_a_derivative_is_not_printed_as_the_whole(capsys):
    assert loaded(DEMOS[1]).main() == 0
    printed = capsys.readouterr().out
    assert printed.count("∂a/∂x            += x          = 0.8000") == 2 and "∂a/∂x = x" not in printed
    assert "two edges to x, together ∂a/∂x = 2x = 1.6000" in printed

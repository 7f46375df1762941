"""The main job: a text in, the gradient chain and its picture out; anything unusable is one clear line and nothing written."""

import io
import json
import math
import os
import pathlib
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from packed import packed

from tinygrad_vg.cli.main import main


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    def call(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        try:
            code = main([*arguments, *(() if "--out" in arguments else ("--out", str(tmp_path / "out")))])
        except SystemExit as stop:
            code = stop.code
        printed = capsys.readouterr()
        return SimpleNamespace(code=code, out=printed.out, err=printed.err, folder=tmp_path / "out")

    return call


def test_the_default_prints_the_chain_of_the_zen_of_python_and_writes_the_picture(run):
    result = run()
    assert result.code == 0
    assert result.err == ""
    assert "the Zen of Python" in result.out
    assert result.out.count("→") == 21
    assert "the tanh's slopes cost" in " ".join(result.out.split())
    assert max(len(line) for line in result.out.splitlines() if "wrote " not in line) <= 80
    assert (result.folder / "rnn.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")
    assert (result.folder / "rnn.html").read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_the_printed_gains_multiply_to_the_gradient(run):
    document = json.loads(run("--json", "--steps", "12").out)
    gains = [link["gain"] for link in document["chain"]["links"]]
    assert math.log(math.prod(gains)) == pytest.approx(document["chain"]["log_product"][0], rel=1e-12)
    norm = math.sqrt(sum(x * x for x in document["chain"]["gradients"][0]))
    assert math.log(norm) == pytest.approx(document["chain"]["log_product"][0], rel=1e-12)
    blame = document["blame"]
    assert sum(blame["parts"].values()) == pytest.approx(blame["total"], rel=1e-12) and blame["sentence"] in document["sentence"]


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "linear"])
@pytest.mark.parametrize("radius", ["0.2", "1", "3"])
def test_every_activation_and_scale_tells_its_story(run, activation, radius):
    result = run("--activation", activation, "--radius", radius, "--steps", "7", "--width", "6", "--seed", "3")
    assert result.code == 0
    assert "From h[7] back to h[0] " in result.out


def test_an_exactly_linear_rnn_blames_its_weight_alone(run):
    assert "\nthe weights cost 14.5 of 14.5 nats.\n" in run("--activation", "linear", "--radius", "0.5").out


@pytest.mark.parametrize("more", [("--radius", "3", "--steps", "700"), ("--radius", "1e300"), ("--radius", "1e308", "--seed", "2")])
def test_an_overflow_is_named_and_warns_nobody(run, more):
    result = run("--activation", "linear", "--width", "6", *more)
    assert (result.code, result.err) == (0, "")
    assert re.search(r"nothing arrives: the gradient ends at h\[\d+\] \((nan|inf)", " ".join(result.out.split()))
    assert json.loads(run("--json", "--activation", "linear", "--width", "6", *more).out)


def test_a_single_step_of_one_unit_never_fails(run):
    for seed in range(12):
        result = run("--activation", "relu", "--width", "1", "--steps", "1", "--seed", str(seed))
        assert (result.code, result.err) == (0, "")


def test_weights_too_small_to_carry_anything_are_not_blamed_on_slopes(run):
    assert "W_hh sends it to 0" in " ".join(run("--activation", "linear", "--radius", "5e-324").out.split())


def test_a_gradient_that_is_zero_from_the_start_is_blamed_on_the_loss(run):
    result = run("--text", "-", "--activation", "linear", "--radius", "8", "--seed", "2", stdin=b"aab" * 20)
    assert "nothing arrives: the gradient ends at h[20] (the seed is zero)" in " ".join(result.out.split())
    assert "\nloss 0 nats" in result.out


def test_a_loss_of_many_digits_is_printed_short(run):
    result = run("--text", "-", "--activation", "linear", "--radius", "8", "--seed", "1", stdin=b"aab" * 20)
    assert re.search(r"\nloss 3\.\d{3}e\+16 nats", result.out)


def test_a_gradient_that_dies_is_called_exactly_zero(run):
    result = run("--activation", "relu", "--radius", "0.1", "--width", "1", "--seed", "1", "--steps", "9")
    assert "dead: the slope of relu is 0" in " ".join(result.out.split())
    assert json.loads(run("--json", "--activation", "relu", "--radius", "0.1", "--width", "1", "--seed", "1", "--steps", "9").out)


def test_the_same_seed_prints_the_same_and_another_does_not(run):
    assert run("--json").out == run("--json").out
    assert run("--json").out != run("--json", "--seed", "1").out


@pytest.mark.parametrize("text", ["Ελληνικά, не только латиница: 你好，世界！" * 3, "ab" * 30, "🙂🙃" * 20, "\ufeffwith a byte order mark, and long enough"])
def test_text_of_any_script_is_read(run, tmp_path, text):
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    document = json.loads(run("--json", "--text", str(path)).out)
    assert document["text"] + document["next"] == text[-21:]


def test_a_text_comes_from_standard_input(run):
    assert json.loads(run("--json", "--text", "-", "--steps", "3", stdin=b"hello").out)["text"] == "ell"


def test_thousands_of_steps_are_folded_and_drawn_from_late_on(run):
    result = run("--text", "-", "--steps", "3000", "--width", "4", stdin=b"to be or not to be, " * 200)
    assert result.code == 0
    assert "links, together 10^" in result.out
    drawn = (result.folder / "rnn.svg").read_text(encoding="utf-8")
    assert "h₃₀₀₀" in drawn and "reading “…" in drawn and drawn.count("data-station") == 3001
    page = packed((result.folder / "rnn.html").read_text(encoding="utf-8"))
    assert "t = 2971" in page["graph"] and "t = 0 … 2970" in page["graph"] and len(page["models"]) == 1
    assert "send the gradient back, ask what if" in result.out


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (("--text", "-"), b"", "standard input is empty"),
        (("--text", "-"), b"\xff\xfe\x00binary", "standard input is not UTF-8 text (byte 0 is 0xff)"),
        (("--text", "-"), b"a\0b" * 30, "looks like a binary file"),
        (("--text", "-"), b"short", "the text has 5 characters, but 20 steps and the next one need 21; use --steps 4"),
        (("--text", "-"), b"a" * 50, "the text repeats one character, 'a'"),
        (("--text", "no/such/file.txt"), b"", "no/such/file.txt"),
        (("--text", "."), b"", "Is a directory"),
        (("--text", ""), b"", "No such file"),
        (("--text", "bad\x1b[31m"), b"", "bad"),
    ],
)
def test_an_unusable_text_is_one_line_on_stderr_and_nothing_is_written(run, arguments, stdin, message):
    result = run(*arguments, stdin=stdin)
    assert result.code == 1
    assert result.out == ""
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not result.folder.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--steps", "0"), "needs a whole number from 1 to 100000, got '0'"),
        (("--steps", "many"), "needs a whole number"),
        (("--width", "-3"), "needs a whole number"),
        (("--width", "²"), "needs a whole number"),
        (("--steps", "++5"), "needs a whole number"),
        (("--radius", "nan"), "needs a number above 0, got 'nan'"),
        (("--radius", "0"), "needs a number above 0"),
        (("--radius", "inf"), "needs a number above 0"),
        (("--activation", "sin"), "invalid choice"),
        (("--nonsense",), "unrecognized arguments"),
    ],
)
def test_nonsense_options_are_refused(run, arguments, message):
    result = run(*arguments)
    assert result.code == 2
    assert message in result.err
    assert not result.folder.exists()


def test_a_folder_that_cannot_be_written_is_named(run, tmp_path):
    (tmp_path / "file").write_text("kept")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        result = run("--out", str(folder))
        assert result.code == 1
        assert result.out == ""
        assert str(tmp_path / "file") in result.err
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(run, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    result = run("--out", str(folder))
    assert result.code == 1
    assert str(folder) in result.err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_terminal_can_print_the_page(tmp_path, encoding):
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_vg", "--steps", "3", "--width", "3", "--out", str(tmp_path)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert b"h[2] -> h[3]" in done.stdout or "h[2] → h[3]" in done.stdout.decode(encoding)


def test_json_keeps_every_character_on_a_terminal_that_knows_only_ascii(tmp_path):
    (tmp_path / "text.txt").write_text("Käse und Brötchen mit Übergrößen, äöü", encoding="utf-8")
    command = [sys.executable, "-m", "tinygrad_vg", "--json", "--text", str(tmp_path / "text.txt"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, timeout=60)
    assert json.loads(done.stdout)["text"].endswith("Übergrößen, äö")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("shell", [">/dev/full", ">&-", "--text - <&-"])
def test_output_that_cannot_be_written_and_input_that_is_closed_are_one_line(tmp_path, shell):
    command = f'"{sys.executable}" -m tinygrad_vg --steps 3 --width 3 --out "{tmp_path}" {shell}'
    done = subprocess.run(command, shell=True, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1
    assert b"Traceback" not in done.stderr


def test_ctrl_c_is_one_line(monkeypatch, run):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_vg.cli.reading.run", interrupted)
    result = run()
    assert (result.code, result.out, result.err) == (130, "", "tinygrad_vg: interrupted\n")


def test_a_reader_that_closes_early_is_no_error(tmp_path):
    command = f'"{sys.executable}" -m tinygrad_vg --steps 3 --width 3 --out "{tmp_path}" | true'
    done = subprocess.run(command, shell=True, capture_output=True, timeout=60)
    assert b"Traceback" not in done.stderr


def test_learn_runs_an_experiment_and_prints_its_table(capsys, monkeypatch):
    from tinygrad_vg.training import learning

    monkeypatch.setattr(learning.narma, "__defaults__", (20, 0.9, 2, 400))
    assert main(["learn", "narma"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[:5] == ["units", "radius", "steps", "of", "NRMSE"]
    assert 0.2 < float(row.split()[4]) < 0.9


def test_learn_reads_a_text_and_beats_its_unigram_entropy(capsys, monkeypatch, tmp_path):
    from tinygrad_vg.training import learning

    monkeypatch.setattr(learning.letters, "__defaults__", (120, 16, 0))
    (tmp_path / "text.txt").write_text("the cat sat on the mat and the dog sat on the log. " * 40, encoding="utf-8")
    assert main(["learn", "letters", "--text", str(tmp_path / "text.txt")]) == 0
    _, tanh, lstm = capsys.readouterr().out.splitlines()
    for row in (tanh, lstm):
        assert float(row.split()[3]) < float(row.split()[2])


def test_learn_refuses_what_it_does_not_know(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["learn", "nothing"])
    assert "invalid choice: 'nothing'" in capsys.readouterr().err
    assert main(["learn", "letters", "--text", "no/such/file"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


MODELS = ["mlp", "residual", "rnn", "linear-rnn", "leaky", "skip", "lstm", "gru", "lru", "mingru", "selective", "esn"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("question", ["chain", "uses", "verdict", "explain"])
def test_every_question_about_every_model_is_answered_in_80_columns_and_in_json(capsys, question, model):
    code = main([question, model, "--steps", "6", "--width", "6"])
    printed = capsys.readouterr()
    if model == "esn" and question in ("uses", "explain"):
        assert code == 1
        assert "no weight that is learned" in printed.err
        return
    assert (code, printed.err) == (0, "")
    assert max(map(len, printed.out.splitlines())) <= 80
    assert main([question, model, "--steps", "6", "--width", "6", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_the_chain_command_prints_the_gains_that_multiply_to_the_gradient(capsys):
    assert main(["chain", "rnn", "--steps", "9", "--json"]) == 0
    chain = json.loads(capsys.readouterr().out)["models"][0]["chain"]
    assert math.log(math.prod(link["gain"] for link in chain["links"])) == pytest.approx(chain["log_product"][0], rel=1e-9)


def test_several_models_stand_side_by_side(capsys):
    assert main(["chain", "rnn", "--vs", "lstm", "--vs", "gru", "--steps", "6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    head = lines[0].split()
    assert head == ["links", "rnn", "lstm", "gru"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chain", "lstm", "--radius", "2"], "--radius belongs to rnn, linear-rnn, leaky, skip, esn; lstm takes --init, --forget-bias, --text"),
        (["chain", "rnn", "--norm", "batch"], "--norm belongs to mlp, residual; rnn takes"),
        (["chain", "rnn", "--tau", "3"], "--tau belongs to leaky, esn; rnn takes"),
        (["uses", "rnn", "--delay", "3"], "--delay belongs to skip; rnn takes"),
        (["verdict", "rnn", "--forget-bias", "3"], "--forget-bias belongs to lstm; rnn takes"),
        (["chain", "esn", "--init", "he"], "--init belongs to"),
        (["draw", "linear-rnn", "--activation", "tanh"], "--activation belongs to"),
        (["chain", "mlp", "--radius", "2"], "--radius belongs to"),
        (["chain", "skip", "--delay", "21"], "--delay 21 reaches further back than --steps 20"),
        (["chain", "leaky", "--tau", "0.5"], "tau is a time constant"),
        (["learn", "order", "--text", "no/such/file"], "--text belongs to letters; order reads no text"),
        (["verdict", "rnn", "--text", "no/such/file"], "no/such/file"),
    ],
)
def test_questions_that_make_no_sense_are_one_line(capsys, arguments, message):
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert printed.err.count("\n") == 1


GIVEN = {
    "activation": "relu", "init": "orthogonal", "radius": 0.7, "norm": "layer", "tau": 3.0, "delay": 2, "forget_bias": 2.0, "text": "abcabd",
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("option", GIVEN)
def test_an_option_changes_the_gradient_of_the_models_that_take_it_and_is_refused_by_the_others(model, option):
    from tinygrad_vg.claims.models import OPTIONS, build

    asked = {option: GIVEN[option]}
    if option in OPTIONS[model].split():
        changed, usual = (build(model, steps=5, width=6, **given).chain().log_product[0] for given in (asked, {option: None}))
        assert changed != usual
    else:
        with pytest.raises(ValueError, match=f"--{option.replace('_', '-')} belongs to"):
            build(model, steps=5, width=6, **asked)


@pytest.mark.parametrize("bias", ["nan", "inf", "much"])
def test_a_forget_bias_is_a_number(bias, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["chain", "lstm", "--forget-bias", bias])
    assert f"needs a number, got '{bias}'" in capsys.readouterr().err


def test_only_the_laboratory_has_a_full_size(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["factorial", "--full"])
    assert "unrecognized arguments: --full" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        main(["laboratory", "--help"])
    assert "--full" in capsys.readouterr().out


def test_an_unknown_claim_is_answered_with_the_claims_in_their_order(capsys):
    assert main(["claims", "--list", "--slow"]) == 0
    order = re.findall(r"^([A-Z]\w+) ", capsys.readouterr().out, re.MULTILINE)
    assert main(["claims", "Z9"]) == 1
    assert capsys.readouterr().err == f"tinygrad_vg: there is no claim Z9; the claims are {', '.join(order)}\n"


def test_what_the_readme_shows_is_what_is_printed(run):
    readme = (pathlib.Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("```text\n")[2].partition("```")[0].splitlines()
    printed = run("--activation", "sigmoid").out.splitlines()
    assert "-m tinygrad_vg --activation sigmoid" in readme and len(shown) > 4
    assert [line for line in shown if line != "…" and line not in printed] == []


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_drawn_and_the_file_named(model, capsys, tmp_path):
    place = tmp_path / "x.svg"
    assert main(["draw", model, "--steps", "4", "--width", "4", "--out", str(place)]) == 0
    assert f"wrote {place}: " in capsys.readouterr().out
    assert place.read_text(encoding="utf-8").endswith("</svg>\n")


@pytest.mark.parametrize("model", MODELS)
def test_the_page_of_every_model_opens_on_its_river(model, capsys, tmp_path):
    place = tmp_path / "x.html"
    assert main(["draw", model, "--steps", "4", "--width", "4", "--out", str(place)]) == 0
    page = packed(place.read_text(encoding="utf-8"))
    assert page["models"][0]["carried"] and "gradient" in place.read_text(encoding="utf-8").partition("<title>")[2].partition("</title>")[0]


@pytest.mark.parametrize("options, shown", [(["--fold", "rolled"], "× 30 steps:"), (["--window", "29", "30"], "t = 0 … 28"), (["--fold", "layer"], "t = 17")])
def test_draw_folds_as_it_is_told(options, shown, tmp_path, capsys):
    place = tmp_path / "x.dot"
    assert main(["draw", "rnn", "--steps", "30", "--width", "4", "--out", str(place), *options]) == 0
    assert shown in place.read_text(encoding="utf-8")


def test_draw_writes_a_page_unless_told_otherwise_and_opens_it(tmp_path, capsys, monkeypatch):
    opened = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    assert main(["draw", "rnn", "--steps", "3", "--width", "4", "--open"]) == 0
    assert opened == [(tmp_path / "rnn.html").as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    assert main(["draw", "rnn", "--steps", "3", "--width", "4", "--open"]) == 1
    assert "there is no browser to open rnn.html with" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, words",
    [(["--out", "x.gif"], "the suffix says what to save"), (["--window", "5", "3"], "5 is behind 3"), (["--fold", "none", "--steps", "3000"], "more than 5,000 boxes")],
)
def test_what_draw_cannot_do_is_one_line_and_nothing_is_written(options, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["draw", "rnn", "--width", "4", *options]) == 1
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("model", MODELS)
def test_the_program_behind_a_model_is_printed_saved_and_stepped_through(capsys, tmp_path, model):
    place = tmp_path / "backprop.py"
    assert main(["by_hand", model, "--steps", "6", "--width", "6", "--out", str(place)]) == 0
    printed = capsys.readouterr().out
    assert "def forward_and_backward(" in printed and printed.endswith(f"wrote {place}\n")
    assert place.read_text(encoding="utf-8").startswith('"""loss and its gradient')
    assert main(["by_hand", model, "--steps", "6", "--width", "6", "--steps-of", "loss"]) == 0
    assert "|loss| = " in capsys.readouterr().out
    assert main(["by_hand", model, "--steps", "6", "--width", "6", "--straight"]) == 0
    assert " in range(" not in capsys.readouterr().out
    assert main(["by_hand", model, "--steps", "6", "--width", "6", "--stack"]) == 0
    assert " in range(1, " in capsys.readouterr().out
    assert main(["by_hand", model, "--steps-of", "nothing"]) == 1
    assert "no line of the program makes nothing" in capsys.readouterr().err

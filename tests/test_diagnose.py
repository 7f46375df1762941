"""`diagnose` opens a model from a file, and says what became of the gradient and at which line of the source."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from tinygrad_vg import Chain, Tensor, linear, load_model, nn, verdict
from tinygrad_vg.cli.diagnosing import by_step, in_short, tried, way_of
from tinygrad_vg.cli.main import main
from tinygrad_vg.cli.patient import Patient, check_finite, exported
from tinygrad_vg.drawing.page_data import BUDGET, Store
from tinygrad_vg.drawing.river import river
from tinygrad_vg.drawing.river_data import river_data

EXPORTED = Path(__file__).parent / "data" / "exported"


@pytest.mark.parametrize("name", ["lstm2", "mlp_bn_eval", "encoder_post", "gpt", "cnn"])
def test_an_exported_model_has_a_verdict_and_lines_of_its_source(name, capsys):
    assert main(["diagnose", str(EXPORTED / f"{name}.pt2"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"]["kind"] and len(found["verdict"]["parts"]) > 3 and "noise" in found["title"]
    assert all(line.startswith("make_exported.py:") for line in found["lines"])


def test_its_nats_are_those_of_the_chain_and_the_river_is_a_page(capsys, tmp_path):
    page = tmp_path / "river.html"
    assert main(["diagnose", str(EXPORTED / "cnn.pt2"), "--html", str(page)]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.partition("wrote ")[0].splitlines())) <= 80
    assert "line of the source" in printed and printed.endswith(f"wrote {page}\n") and "<html" in page.read_text(encoding="utf-8")
    assert main(["diagnose", str(EXPORTED / "cnn.pt2"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "make_exported.py:83" in min(found["lines"], key=found["lines"].get)


def test_data_are_taken_by_name_and_labels_ask_for_cross_entropy(capsys, tmp_path):
    np.savez(tmp_path / "data.npz", labels=np.zeros(99, int))
    assert main(["diagnose", str(EXPORTED / "mlp_bn_eval.pt2"), "--data", str(tmp_path / "data.npz")]) == 1
    assert "99" in capsys.readouterr().err
    assert main(["diagnose", str(EXPORTED / "mlp_bn_eval.pt2"), "--loss", "cross_entropy"]) == 0


@pytest.mark.parametrize("gates, kind", [(1, "tanh RNN"), (3, "GRU"), (4, "LSTM")])
def test_weights_alone_make_recurrent_cells(gates, kind, capsys, tmp_path):
    rng, n = np.random.default_rng(0), 4
    w = {f"rnn.{what}_l{k}": 0.3 * rng.normal(size=(gates * n, *width))
         for k in range(2) for what, width in (("weight_ih", (n,)), ("weight_hh", (n,)), ("bias_ih", ()), ("bias_hh", ()))}
    np.savez(tmp_path / "w.npz", **w, **{"out.weight": np.ones((2, n))})
    assert main(["diagnose", str(tmp_path / "w.npz")]) == 0
    assert f"2 × {kind} over 50 steps of noise" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "LRU", "MinGRU", "Selective"])
def test_a_cell_that_was_saved_is_made_again_from_its_own_names(kind, capsys, tmp_path):
    cell = getattr(nn, f"{kind}Cell")(3, 4, rng=7)
    np.savez(tmp_path / "w.npz", **{f"cell.{name}": w for name, w in cell.state_dict().items()}, **{"out.W": np.ones((2, 4))})
    assert main(["diagnose", str(tmp_path / "w.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert f"1 × {'tanh ' * (kind == 'RNN')}{kind} over 50 steps of noise" in found["title"]
    assert [part["source"] for part in found["verdict"]["parts"]] == [*cell.parameters()]
    assert found["blame"]["parts"]["other"] == 0


def test_weights_of_no_cell_are_refused(capsys, tmp_path):
    n = 4
    np.savez(tmp_path / "none.npz", **{"out.weight": np.ones((2, n))})
    assert main(["diagnose", str(tmp_path / "none.npz")]) == 1
    assert "holds no weights of a recurrent cell" in capsys.readouterr().err
    for shapes in ({"hh": (10, n)}, {"hh": (2 * n, n), "ih": (2 * n, 3)}, {"hh": (0, 0), "ih": (0, 3)}, {"hh": (n, n), "ih": (n,)}):
        np.savez(tmp_path / "none.npz", **{f"weight_{name}_l0": np.ones(shape) for name, shape in shapes.items()})
        assert main(["diagnose", str(tmp_path / "none.npz")]) == 1
        assert "g = 1, 3 or 4 gates; got" in capsys.readouterr().err


@pytest.mark.parametrize(("write", "words"), [
    (lambda place: np.savez(place, x=np.ones((5, 2))), "has shape (5, 2); these cells read (T, 3) or (T, batch, 3)"),
    (lambda place: np.savez(place, x=np.ones((0, 3))), "has shape (0, 3)"),
    (lambda place: place.write_bytes(b"junk"), "is no .npz of arrays"),
])  # fmt: skip
def test_data_that_do_not_fit_are_refused_in_words(write, words, capsys, tmp_path):
    np.savez(tmp_path / "w.npz", **nn.RNNCell(3, 4).state_dict())
    write(tmp_path / "data.npz")
    assert main(["diagnose", str(tmp_path / "w.npz"), "--data", str(tmp_path / "data.npz")]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("name", "x", "said"), [
    ("rnn", 1.0, ("make_exported.py:46 `out, state = self.rnn(x)` costs", "near their bounds", "further back than 2 steps. Try: smaller weights or inputs")),
    ("mlp_raw", 1e-6, ("make_exported.py:33 `x = self.activation(layer(x))`: what the weights multiply is small. Try: standardise",)),
    ("rnn_relu", 0.0, ()), ("mlp_tanh", 300.0, ("make_exported.py:33 `x = self.activation(layer(x))` is where the gradient ends: ", "flat. Try: "))])
def test_line_cause_and_remedy_stand_in_the_first_sentence(name, x, said, capsys, tmp_path):
    file = str(EXPORTED / f"{name}.pt2")
    shapes = {key: shape for key, (shape, _) in load_model(file).inputs.items()}
    np.savez(tmp_path / "data.npz", **{key: np.full(shape, x) for key, shape in shapes.items()})
    assert main(["diagnose", file, "--data", str(tmp_path / "data.npz")]) == 0
    printed = capsys.readouterr().out
    short = " ".join(printed.split("\n\n")[1].split())
    assert short.startswith("In short: ") and all(words in short for words in said), short
    assert max(map(len, printed.splitlines())) <= 80


def test_the_blame_is_that_of_the_use_which_decided(capsys):
    for name in ("rnn", "lstm2", "mlp_tanh"):
        assert main(["diagnose", str(EXPORTED / f"{name}.pt2"), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["blame"]["total"] == pytest.approx(found["verdict"]["numbers"]["log_gain"]) == pytest.approx(sum(found["lines"].values()))


def test_of_a_sound_net_the_blame_and_the_lines_are_those_of_its_longest_way(capsys):
    for name in ("cnn", "encoder_post"):
        assert main(["diagnose", str(EXPORTED / f"{name}.pt2"), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        longest = max((part["numbers"] for part in found["verdict"]["parts"]), key=lambda numbers: numbers["factors"])
        assert found["verdict"]["kind"] == "healthy"
        assert longest["log_gain"] == pytest.approx(found["blame"]["total"]) == pytest.approx(sum(found["lines"].values()))


def test_a_net_that_nothing_ails_is_told_to_look_elsewhere(capsys):
    assert main(["diagnose", str(EXPORTED / "encoder_post.pt2")]) == 0
    printed = capsys.readouterr().out
    assert "In short: the gradient arrives" in printed and "Try" not in printed


def test_a_nan_in_the_data_is_named_before_anything_runs(capsys, tmp_path):
    np.savez(tmp_path / "data.npz", x=np.array([1.0, np.nan]))
    assert main(["diagnose", str(EXPORTED / "rnn.pt2"), "--data", str(tmp_path / "data.npz")]) == 1
    assert "x holds 1 nan of 2 numbers" in capsys.readouterr().err


def test_a_nan_or_inf_in_a_weight_or_an_input_is_named_before_anything_runs(monkeypatch, capsys, tmp_path):
    x = np.zeros((3, 5, 2))
    x[1, 2] = np.inf, -np.inf
    np.savez(tmp_path / "data.npz", x=x)
    assert main(["diagnose", str(EXPORTED / "rnn.pt2"), "--data", str(tmp_path / "data.npz")]) == 1
    assert "x holds 2 inf of 30 numbers" in capsys.readouterr().err
    model = load_model(EXPORTED / "rnn.pt2")
    model.parameters()["head.weight"].data = [[0.0, np.nan, 0.0], [0.0, 0.0, np.inf]]
    monkeypatch.setattr("tinygrad_vg.cli.patient.load_model", lambda path: model)
    assert main(["diagnose", "rnn.pt2"]) == 1
    assert "head.weight holds 1 nan and 1 inf of 6 numbers; a step before the export left it there" in capsys.readouterr().err


def test_a_mask_of_0_and_minus_inf_is_no_missing_number():
    check_finite({"mask": np.triu(np.full((3, 3), -np.inf), 1)}, "")


@pytest.mark.parametrize(("name", "given", "said"), [
    ("gpt", {"tokens": np.full((2, 5), 0.5)}, "the input tokens must be int64; got float64"),
    ("rnn", {"x": np.ones((3, 5, 2), complex)}, "the input x must be float64; got complex128"),
    ("gpt", {"tokens": np.ones((2, 5), int), "labels": np.ones((2, 5))}, "the float64 target (2, 5): mse compares entry with entry; save labels as whole numbers"),
])  # fmt: skip
def test_what_the_model_would_not_take_is_not_cast(name, given, said, capsys, tmp_path):
    np.savez(tmp_path / "data.npz", **given)
    assert main(["diagnose", str(EXPORTED / f"{name}.pt2"), "--data", str(tmp_path / "data.npz")]) == 1
    assert said in capsys.readouterr().err


def test_a_model_that_returns_its_loss_is_asked_for_no_other(monkeypatch, capsys, tmp_path):
    class Tagger(nn.Module):
        """As Hugging Face writes it: the labels come with the input, the loss and the logits go out."""

        inputs, cuts = {"x": ((3, 4), "float64"), "labels": ((3,), "int64")}, {"tagger.py:8  y = x.detach()": 2}
        where, frozen = staticmethod(lambda node: "tagger.py:9  return loss, logits"), {"head.b"}

        def __init__(self):
            self.head = nn.Linear(4, 2)

        def __call__(self, x, labels):
            logits = self.head(x)
            return nn.cross_entropy(logits, labels), logits

    monkeypatch.setattr("tinygrad_vg.cli.patient.load_model", lambda path: Tagger())
    np.savez(tmp_path / "data.npz", x=np.ones((3, 4)), labels=np.array([0, 1, 1]))
    assert main(["diagnose", "tagger.pt2", "--data", str(tmp_path / "data.npz"), "--json", "--html", str(tmp_path / "one.html")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["title"] == "tagger.pt2 on its data; the model returns its loss; 1 of 2 parameters are frozen, and not judged"
    assert [part["source"] for part in said["verdict"]["parts"]] == ["head.W"]
    assert "What lies before a detach() gets nothing through it" in said["short"] and "y = x.detach() (×2)" in said["short"]


def test_the_title_counts_labels_that_do_not_count_and_names_what_is_not_used(capsys, tmp_path):
    np.savez(tmp_path / "data.npz", tokens=np.ones((2, 5), int), labels=np.array([[1, 2, 3, -100, -100]] * 2), mask=np.ones(2))
    assert main(["diagnose", str(EXPORTED / "gpt.pt2"), "--data", str(tmp_path / "data.npz"), "--json"]) == 0
    title = json.loads(capsys.readouterr().out)["title"]
    assert title == "gpt.pt2 on its data; 4 of 10 labels are -100 and do not count; mask of the file is not used"


def patient(name):
    return exported(argparse.Namespace(file=str(EXPORTED / f"{name}.pt2"), data=None, loss=None))


def test_the_page_goes_through_the_states_though_every_step_has_a_loss():
    found = patient("lstm2")
    chain = by_step(verdict(found.loss, found.parameters).chain())
    assert chain.names == ["h2[0]", *(f"{{c2[{t}], h2[{t}]}}" for t in range(1, 5)), "h2[5]", "head"]
    drawn = river(chain)
    assert (drawn.names[0], drawn.names[-1]) == ("h2₀", "h2₅") and river_data(drawn, "", Store(BUDGET))["carried"]


def test_the_page_of_a_net_goes_through_its_layers():
    found = patient("mlp_bn_eval")
    chain = by_step(Chain(found.loss, found.source))
    assert chain.names[:5] == ["input", "layer[0]", "layer[1]", "layer[2]", "layer[4]"]
    assert chain.log_product[0] == pytest.approx(Chain(found.loss, found.source).log_product[0])


def test_a_weight_that_every_layer_has_besides_the_layers_leaves_the_chain_as_it_is():
    found = patient("gpt")  # its embedding is its readout, too
    chain = Chain(found.loss, found.source)
    assert by_step(chain) is chain


def test_data_under_other_names_are_taken_if_it_is_clear_what_they_are_and_refused_if_not(capsys, tmp_path):
    file, data = str(EXPORTED / "rnn.pt2"), tmp_path / "data.npz"
    for arrays, said in (({"tokens": np.ones((3, 5, 2))}, "on its data (tokens as x) and a random target"),
                         ({"x": np.ones((3, 5, 2))}, "on its data and a random target (the file has no target"),
                         ({"x": np.ones((3, 5, 2)), "y": np.ones((3, 2))}, "on its data\n")):
        np.savez(data, **arrays)
        assert main(["diagnose", file, "--data", str(data)]) == 0
        assert said in capsys.readouterr().out
    np.savez(data, tokens=np.ones((3, 9, 2)))
    assert main(["diagnose", file, "--data", str(data)]) == 1
    assert "the input x must have shape (3, 5, 2)" in capsys.readouterr().err
    for wrong in ({"a": np.ones((3, 5, 2)), "b": np.ones(1)}, {}):
        np.savez(data, **wrong)
        assert main(["diagnose", file, "--data", str(data)]) == 1
        told = capsys.readouterr().err
        assert all(f"{name} {x.shape}" in told for name, x in wrong.items()) and "the model takes x: give each by its name" in told


def test_the_remedy_is_tried_where_it_can_be_and_what_it_leaves_is_said_and_the_weights_stay(capsys, tmp_path):
    cell = nn.RNNCell(3, 8, rng=0)
    cell.W_hh.data = 0.5 * np.eye(8)
    nn.save_weights(cell, tmp_path / "w.npz")
    assert main(["diagnose", str(tmp_path / "w.npz"), "--json", "--html", str(tmp_path / "river.html")]) == 0, "the page is of the net as it is"
    short = json.loads(capsys.readouterr().out)["short"].replace("\n  ", " ")
    gain = float(short.partition("W_hh orthogonal: ")[2].split()[0])
    left = float(short.partition("→ ")[2].split()[0])
    assert gain < -30 and gain < left - 15, "0.5 in place of 1 costs fifty steps ln 2 each"
    assert "Tried here, W_hh orthogonal" in short


def test_only_weights_that_a_state_meets_again_are_tried_as_recurrent():
    a, b = (nn.RNNCell(4, 4, rng=k, name=name) for k, name in enumerate("ab"))
    for cell in (a, b):
        cell.W_hh.data, cell.W_xh.data = 0.5 * cell.W_hh.data, 0.3 * cell.W_xh.data
    x = np.random.default_rng(0).normal(size=(30, 4))

    def again():
        state = nn.unroll(a, x)[-1]
        return nn.mse(nn.unroll(b, [state] * 5)[-1], np.ones(4))  # b.W_xh is met five times, by no state of b

    loss, leaves = again(), {f"{k}.{path}": leaf for k, cell in enumerate((a, b)) for path, leaf in cell.parameters().items()}
    found = verdict(loss, leaves)
    said = " ".join(tried(found, found.chain(), Patient("", loss, a.W_hh, leaves, lambda node: None, again)).split())
    assert said.startswith("Tried here, W_hha and W_hhb orthogonal: ")


def test_what_is_cut_off_before_the_first_layer_has_a_chain_all_the_same():
    x, W = Tensor(np.ones(3), name="x"), Tensor(np.ones((2, 3)), name="W")
    loss = nn.mse(linear(x.data, W), np.zeros(2))  # the input is cut off, as by a detach() on the only path
    leaves = {"a": x, "W": W}
    chain = way_of(Patient("", loss, x, leaves, lambda node: None, lambda: loss), verdict(loss, leaves))
    assert chain.source is W


def test_what_changes_nothing_is_said_of_a_sound_net_too():
    x, b, out = Tensor(np.arange(6.0).reshape(3, 2), name="x"), Tensor(np.ones(2), name="b"), nn.Linear(2, 1, rng=0)
    h = x * 2.0 + b
    loss = nn.mse(out(h - h.mean(axis=0)), np.ones((3, 1)))
    found = verdict(loss, {"out": out.W, "b": b})
    assert in_short(found, found.chain() or Chain(loss, out.W), {}, lambda node: None).endswith("But b changes nothing.")


def test_a_file_that_is_no_npz_of_arrays_is_refused_as_data(capsys):
    model = str(EXPORTED / "rnn.pt2")
    assert main(["diagnose", model, "--data", model]) == 1
    assert "is no .npz of arrays" in capsys.readouterr().err


def test_the_page_of_a_lone_lstm_goes_through_both_parts_of_its_state(capsys, tmp_path):
    nn.save_weights(nn.LSTMCell(3, 8, rng=0), tmp_path / "w.npz")
    assert main(["diagnose", str(tmp_path / "w.npz"), "--html", str(tmp_path / "river.html")]) == 0, capsys.readouterr().err
    assert "arrives at h₀" in (tmp_path / "river.html").read_text(encoding="utf-8")

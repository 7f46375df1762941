"""A verdict is on the mathematics: a program written another way, with the same values and gradients, gets the same one."""

import numpy as np
import pytest

from tinygrad_vg import Tensor, linear, nn, relu, sigmoid, tanh, verdict

ORDER = np.array([2, 0, 3, 1, 5, 4])
REWRITTEN = {
    "two transposes": lambda h: h.T.T,
    "reshaped": lambda h: h.reshape(-1).reshape(h.shape),
    "cut and joined": lambda h: np.concatenate([h[..., :2], h[..., 2:]], axis=-1),
    "one of a stack": lambda h: np.stack([h, h * 2.0])[0],
    "one of copies": lambda h: np.broadcast_to(h, (2, *h.shape))[1],
    "padded": lambda h: np.concatenate([h, np.zeros(h.shape)], axis=-1)[..., : h.shape[-1]],
    "masked": lambda h: h * np.ones(h.shape),
    "selected": lambda h: np.where(np.ones(h.shape, bool), h, 0.0),
    "above what it never falls to": lambda h: np.maximum(h, -100.0),
    "sorted and sorted back": lambda h: h[..., ORDER][..., np.argsort(ORDER)],
    "times I": lambda h: linear(h, np.eye(h.shape[-1])),
    "halved and doubled": lambda h: h * 0.5 * 2.0,
    "minus minus": lambda h: -1.0 * -h,
    "up and down": lambda h: (h + 5.0) - 5.0,
    "a mean of two": lambda h: h * 0.25 + h * 0.75,
}  # fmt: skip


def recurrent(cell, batch, rewritten):
    """Twenty steps, each state rewritten; from the last, the cell."""
    h, rng = cell.initial_state(batch), np.random.default_rng(0)
    for t in range(20):
        h = cell(rng.normal(size=(3,) if batch is None else (batch, 3)), h)
        h = rewritten(h) if not isinstance(h, tuple) else tuple(map(rewritten, h))
        for name, x in zip("hc", h if isinstance(h, tuple) else (h,)):
            x.named(name, t + 1)
    return nn.mse(h[0] if isinstance(h, tuple) else h, 0.5 * np.ones((h[0] if isinstance(h, tuple) else h).shape)), cell


def deep(activation, scale, rewritten):
    """Twelve layers, each of them rewritten."""
    rng, weights = np.random.default_rng(0), {}
    h = rng.normal(size=(9, 6))
    for k in range(12):
        weights[f"W{k}"] = Tensor(scale * rng.normal(size=(6, 6)) / np.sqrt(6), f"W{k}")
        h = rewritten(activation(linear(h, weights[f"W{k}"])))
    return nn.mse(h, rng.normal(size=(9, 6))), weights


def scaled(cell, by):
    for name, leaf in cell.parameters().items():
        leaf.data = leaf.data * (by if name.startswith("W_h") else 1.0)
    return cell


PROGRAMS = {
    **{f"{name} RNN, {by}, batch {batch}": lambda re, name=name, by=by, batch=batch: recurrent(scaled(nn.RNNCell(3, 6, name, rng=0), by), batch, re)
       for name in ("tanh", "sigmoid", "relu") for by, batch in ((0.3, None), (1.0, 4), (3.0, None))},
    **{f"{make.__name__}, {by}": lambda re, make=make, by=by: recurrent(scaled(make(3, 6, rng=0), by), None, re)
       for make in (nn.LSTMCell, nn.GRUCell) for by in (0.5, 2.0)},
    **{f"deep {f.__name__}, {scale}": lambda re, f=f, scale=scale: deep(f, scale, re) for f in (tanh, sigmoid, relu) for scale in (0.5, 1.0, 1.5, 5.0)},
}  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_another_way_of_writing_it_changes_no_verdict(program):
    as_it_was = verdict(*PROGRAMS[program](lambda h: h))
    for how, rewritten in REWRITTEN.items():
        found = verdict(*PROGRAMS[program](rewritten))
        assert (how, found.kind, found.source, found.op) == (how, as_it_was.kind, as_it_was.source, as_it_was.op)
        assert found.numbers["log_gain"] == pytest.approx(as_it_was.numbers["log_gain"], abs=1e-6)

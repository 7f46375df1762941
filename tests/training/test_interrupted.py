"""Ctrl-C while a step is taken, gradients are clipped, weights or a run are loaded: everything is as before, or as after."""

import signal
import time

import numpy as np
import pytest
from interrupts import at_every_line
from tally import count

from tinygrad_vg import Scalar, Tensor, nn, scalars, training
from tinygrad_vg.training import SGD, Adam, AdamW, Optimiser, RMSProp, clip_norm, clip_value
from tinygrad_vg.training.checkpoint import load_run, save_run
from tinygrad_vg.training.leaves import gradient, value


class Heavy(Optimiser):
    """A rule of one's own."""

    remembers = ("v", "n")

    def update(self, w, g, s, lr):
        s.v = s.v * 0.9 + g
        s.n = s.n + 1
        return w - lr * s.v


RULES = {
    "SGD": lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True),
    "RMSProp": lambda p: RMSProp(p, momentum=0.5),
    "Adam": Adam,
    "AdamW": AdamW,
    "one's own": lambda p: Heavy(p, 0.1),
}


def parameters(leaf=Tensor):
    """Three leaves with gradients, one without."""
    model = {"W": leaf([[1.0, 2.0], [3.0, 4.0]]), "b": leaf([0.5, -0.5]), "s": Scalar(2.0), "unused": leaf([1.0])}
    set_gradients(model)
    return model


def set_gradients(model):
    for k, name in enumerate(("W", "b", "s")):
        leaf = model[name]
        for x, entry in zip([leaf] if not isinstance(leaf, np.ndarray) else leaf.flat, range(9)):
            x.grad = np.full(x.shape, 3.0 + k + entry) if x.shape else 3.0 + k + entry


def state(model, optimiser=None):
    """All that a step changes, as something that == compares."""
    of_model = {name: (np.array(value(leaf)).tolist(), None if gradient(leaf) is None else np.array(gradient(leaf)).tolist()) for name, leaf in model.items()}
    return of_model, {key: x.tolist() for key, x in optimiser.state_dict().items()} if optimiser else None


def test_a_rule_that_changes_its_memory_in_place_is_stopped_before_anything_has_changed():
    class InPlace(Optimiser):
        remembers = ("v",)

        def update(self, w, g, s, lr):
            s.v += g
            return w - lr * s.v

    model = {"a": Tensor([1.0]), "b": Tensor([2.0])}
    optimiser = InPlace(model, 0.1)
    for leaf in model.values():
        leaf.grad = [1.0]
    before = state(model, optimiser)
    with pytest.raises(ValueError, match="read-only"):
        optimiser.step()
    assert state(model, optimiser) == before


def is_out_of_date(graph):
    try:
        graph.backward()
    except RuntimeError as error:
        assert "was given new data" in str(error)
        return True
    return False


@pytest.mark.parametrize("leaf", [Tensor, scalars])
@pytest.mark.parametrize("rule", RULES)
def test_a_step_that_is_stopped_at_any_line_was_taken_whole_or_not_at_all(rule, leaf):
    def make():
        model = parameters(leaf)
        optimiser = RULES[rule](model)
        optimiser.step()  # once, so that there is a memory to spoil
        set_gradients(model)
        return optimiser.step, (model, optimiser, [np.sum(model[name] * model[name]) for name in ("W", "b", "s")])

    action, (model, optimiser, _) = make()
    before = state(model, optimiser)
    action()
    after = state(model, optimiser)
    for model, optimiser, graphs in at_every_line(make):
        found = state(model, optimiser)
        assert found in (before, after)
        moved = found == after
        assert {is_out_of_date(graph) for graph in graphs} == {moved}
        if not moved:
            set_gradients(model)
            optimiser.step()
            assert state(model, optimiser) == after
        count("interrupts of steps")
    assert moved and before != after


@pytest.mark.parametrize("leaf", [Tensor, scalars])
@pytest.mark.parametrize(
    "act", [lambda p: clip_norm(p, 1.0), lambda p: clip_value(p, 1.0), lambda p: SGD(p, 0.1).zero_grad()], ids=["clip_norm", "clip_value", "zero_grad"]
)
def test_gradients_that_are_clipped_or_forgotten_are_so_all_of_them_or_none(act, leaf):
    def make():
        model = parameters(leaf)
        return lambda: act(model), model

    action, model = make()
    before = state(model)
    action()
    after = state(model)
    for model in at_every_line(make):
        assert state(model) in (before, after)
        count("interrupts of clipping")
    assert state(model) == after != before


def net():
    """A linear layer and a norm, with running statistics."""
    class Net(nn.Module):
        def __init__(self):
            self.layer, self.norm = nn.Linear(2, 2, rng=0), nn.BatchNorm(2)

        def __call__(self, x):
            return self.norm(self.layer(x))

    model = Net()
    nn.mse(model(np.array([[1.0, 2.0], [3.0, -1.0]])), np.zeros((2, 2))).backward()
    return model


def whole(model):
    return {name: x.tolist() for name, x in model.state_dict().items()}


def test_weights_that_are_loaded_are_loaded_all_of_them_or_none():
    given = {name: x + 1.0 for name, x in net().state_dict().items()}

    def make():
        model = net()
        return lambda: nn.load_weights(model, given), model

    before, after = whole(net()), {name: x.tolist() for name, x in given.items()}
    assert before.keys() == after.keys() and "norm.running_mean" in before
    for model in at_every_line(make):
        assert whole(model) in (before, after)
        count("interrupts of loading")
    assert whole(model) == after


def test_a_run_that_is_taken_up_again_is_so_whole_or_not_at_all(tmp_path):
    def new():
        model, rng = net(), np.random.default_rng(1)
        return model, Adam(model), rng

    def seen(run):
        model, optimiser, rng = run
        return whole(model), {key: x.tolist() for key, x in optimiser.state_dict().items()}, rng.bit_generator.state

    def make():
        run = new()
        return lambda: load_run(tmp_path / "run.npz", *run[:2], [run[2]]), run

    saved = new()
    saved[1].step()
    saved[2].normal(size=3)
    saved[0](np.ones((3, 2)))  # moves the running statistics
    save_run(tmp_path / "run.npz", *saved[:2], [saved[2]], training.History())
    before, after = seen(new()), seen(saved)
    assert all(b != a for b, a in zip(before, after))
    for run in at_every_line(make):
        assert seen(run) in (before, after)
        count("interrupts of loading")
    assert seen(run) == after


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals by the clock need POSIX")
def test_ctrl_c_in_earnest_splits_no_step():
    """Three hundred at random moments of steps over a hundred leaves, each of which counts how often it was moved."""
    class Count(Optimiser):
        remembers = ("n",)

        def update(self, w, g, s, lr):
            s.n = s.n + 1
            return w + 1

    model = {str(k): Tensor([0.0]) for k in range(100)}
    for leaf in model.values():
        leaf.grad = [1.0]
    optimiser, rng, split = Count(model, 0.1), np.random.default_rng(0), 0
    start = time.perf_counter()
    optimiser.step()
    takes = time.perf_counter() - start

    def pressed(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, pressed)
    try:
        for _ in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 4 * takes))
                while True:
                    optimiser.step()
            except KeyboardInterrupt:
                pass
            moved = {leaf.data.item() for leaf in model.values()} | {s.n.item() for s in optimiser.memory.values()}
            moved |= {s.t for s in optimiser.memory.values()} | {optimiser.t}
            split += len(moved) > 1
            count("interrupts of steps")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert split == 0 and optimiser.t > 10

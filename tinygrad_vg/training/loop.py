"""Can it learn?  Draw a batch, compute the loss, sweep back, take a step, and remember what happened to the gradient."""

import math
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from ..autodiff.core import Node, describe
from ..autodiff.guards import detect_anomaly
from ..chain.factors import norm
from ..nn.layers import Module
from ..text.files import checked_path
from .checkpoint import load_run, save_run
from .clipping import clip_norm
from .film import Every, between, frame_of
from .history import History, measured, radii, state_norms
from .leaves import gradients_of, length, values
from .optimisers import Optimiser

INTERVAL = 0.1  # seconds between two lines of progress
LossFunction = Callable[[Any, Any], Any]  # (model, batch) → loss, or (loss, states)


class Diverged(FloatingPointError):
    """A value stopped being finite. .step says when (1: the first), .history holds the steps before."""

    def __init__(self, step: int, what: str, history: History):
        super().__init__(f"step {step}: {what}")
        self.step, self.what, self.history = step, what, history

    def __reduce__(self) -> Any:
        """So that it comes back whole from a worker process."""
        return Diverged, (self.step, self.what, self.history)


def fit(model: Any, loss_fn: LossFunction, batches: Iterable[Any], optimiser: Optimiser, steps: int, *,
        clip: float | Callable[[dict[str, Any]], Any] | None = None, record: int = 1, radius: bool | Sequence[str] = False,
        watch: Every | None = None, rng: Any = None, checkpoint: Any = None, every: int | None = None, resume: bool = False,
        after: Callable[[History], Any] | None = None) -> History:
    """Train until `steps` steps have been taken, and return what happened, a History.

    model       anything with parameters(), or {name: leaf}
    loss_fn     (model, batch) → the loss, one number; or (loss, states), to record |∂loss/∂state| too
    batches     an iterable of batches, one for each step, such as a task of this room; one batch for all: [batch] * steps.
                When they run out the run ends early; history.steps tells
    clip        a threshold for clip_norm, or a function of the parameters such as lambda p: clip_value(p, 0.1)
    record      1: norms and ratios of every step; 10: of steps 1, 11, 21 …      radius  True, or names: their spectral radii
    watch       Every(50): at steps 1, 51, 101 … the blame of every link of a chain, kept as history.film
    after       called with the history after each step; the run ends early when it returns True

    checkpoint  a path: the run is saved there after each `every` steps and at its end; resume=True takes it up again from there
    rng         the Generator, or several, that batches and model draw from; found by itself in tasks and in modules' attributes.
                Resumed, a run ends with the very bits of one that was not interrupted, if its batches depend on rng alone;
                batches that come without one are wound forward to where the run left off. Of a model that is no Module only
                the parameters are kept: pass its generators as rng; running statistics are not saved

    Raises Diverged, which names the step and the first node or parameter, when a value stops being finite; TypeError for a loss that
    is not one node, one batch in place of several, or another optimiser; ValueError for options that do not fit together; resuming,
    FileNotFoundError without the file and ValueError for one that does not fit (load_run).

    >>> from tinygrad_vg import Tensor, training
    >>> model = {"w": Tensor([1.0], name="w")}
    >>> history = fit(model, lambda model, x: ((model["w"] - x) ** 2).sum(), [3.0] * 4, training.SGD(model, lr=0.25), 4)
    >>> history.losses, model["w"].data
    ([4.0, 1.0, 0.25, 0.0625], array([2.875]))
    """
    check_batches(batches, steps)
    run = Run(model, loss_fn, optimiser, clip, record, radius, rngs_of(rng, batches, model), watch)
    if checkpoint is None and (resume or every):
        raise ValueError("resume and every need a checkpoint, the path of the file")
    if checkpoint is not None:
        checked_path(checkpoint, [".npz"])
    if resume:
        run.history = load_run(checkpoint, model, optimiser, run.rngs)
    replayed = isinstance(batches, Sequence) or rng is None and not isinstance(getattr(batches, "rng", None), np.random.Generator)
    left = islice(batches, run.history.steps if replayed else 0, None)
    with progress_line(steps) as show:
        for batch in islice(left, max(steps - run.history.steps, 0)):
            run.step(batch)
            show(run.history)
            if after is not None and after(run.history):
                break
            if every and run.history.steps % every == 0:
                save_run(checkpoint, model, optimiser, run.rngs, run.history)
    if checkpoint is not None:
        save_run(checkpoint, model, optimiser, run.rngs, run.history)
    return run.history


class Run:
    """What one step needs, and the history so far."""

    def __init__(self, model: Any, loss_fn: Any, optimiser: Optimiser, clip: Any, record: int, radius: Any, rngs: list, watch: Any):
        if not isinstance(optimiser, Optimiser):
            raise TypeError(f"the optimiser must be one of this room, as in SGD(model, lr=0.1); got {optimiser!r}")
        if record < 1:
            raise ValueError(f"record says every how many steps to write down, 1 or more; got {record}")
        if watch is not None and not (isinstance(watch, Every) and isinstance(watch.steps, (int, np.integer)) and watch.steps >= 1):
            raise ValueError(f"watch says every how many steps to look at the chain, as in watch=Every(50); got {watch!r}")
        radius = [radius] if isinstance(radius, str) else radius
        radii(optimiser.parameters, radius or [])  # a name that is not there shows now
        self.model, self.loss_fn, self.optimiser, self.rngs = model, loss_fn, optimiser, rngs
        self.clip = clip if callable(clip) or clip is None else lambda parameters: clip_norm(parameters, clip)
        self.record, self.radius, self.watch, self.history = record, radius, watch, History()

    def step(self, batch: Any) -> None:
        """One step: forward, backward, clip, update, and an entry in the history."""
        parameters, drawn = self.optimiser.parameters, [rng.bit_generator.state for rng in self.rngs]
        before = values(parameters)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # looked for here, and better explained
            loss, states = self.forward(batch)
            if not math.isfinite(loss.item()):
                raise self.diverged(f"the loss is {loss.item()}{self.first_at_fault(batch, drawn, before)}")
            self.optimiser.zero_grad()
            loss.backward(keep=states is not None)
            gradients = gradients_of(parameters)
            if bad := first_not_finite(gradients):
                raise self.diverged(f"the gradient of {bad} is not finite{self.first_at_fault(batch, drawn, before)}")
            clipped, lr = self.clip and self.clip(parameters), self.optimiser.rate
            if self.watch and self.history.steps % self.watch.steps == 0:
                chain = (self.watch.chain or between)(loss, states)
                self.history.film.append(frame_of(chain, self.history.steps + 1, loss.item(), clipped))
            self.optimiser.step()
            if bad := first_not_finite(values(parameters)):
                step = f"a step along its gradient, of length {norm(gradients[bad]):.3g}, with learning rate {lr:.3g}"
                raise self.diverged(f"{bad} is not finite after {step}")
        if self.history.steps % self.record == 0:
            entry = {"step": self.history.steps + 1, "loss": loss.item(), "lr": lr, "norm": length(gradients.values())}
            entry |= measured(parameters, before, gradients)
            entry |= {"factor": float(np.min(clipped[2]))} if clipped else {}
            entry |= {"states": state_norms(states)} if states is not None else {}
            entry |= {"radii": radii(parameters, self.radius)} if self.radius else {}
            self.history.records.append(entry)
        self.history.losses.append(loss.item())

    def forward(self, batch: Any) -> tuple[Any, Any]:
        """(loss, states); states is None if the loss function hands out none."""
        result = self.loss_fn(self.model, batch)
        loss, states = result if isinstance(result, tuple) else (result, None)
        if not isinstance(loss, Node) or loss.size != 1:
            given = f"{describe(loss)}, shape {loss.shape}" if isinstance(loss, Node) else type(loss).__name__
            raise TypeError(f"loss_fn must return one number that remembers its history, or (loss, states); got {given}")
        return loss, states

    def diverged(self, what: str) -> Diverged:
        """A Diverged, for raising, with the step, what happened, advice, and the History so far."""
        advice = ". Before, all was finite: try clip=1.0 or smaller steps" if self.history.steps else ""
        return Diverged(self.history.steps + 1, what + advice, self.history)

    def first_at_fault(self, batch: Any, drawn: Sequence[Any], before: dict[str, Any]) -> str:
        """The parameter that was not finite before the step, or the first node that is not when the batch is gone through again."""
        for rng, state in zip(self.rngs, drawn):
            rng.bit_generator.state = state
        if bad := first_not_finite(before):
            return f"; {bad} was not finite before the step"
        try:
            with detect_anomaly():
                self.forward(batch)[0].backward(keep=False)
        except FloatingPointError as error:
            return f": {error}"
        return ""


@contextmanager
def progress_line(steps: int) -> Iterator[Callable[[History], None]]:
    """Gives a function that shows where a run of `steps` steps is: one line on stderr, rewritten in place; none if it is no terminal."""
    start, shown, terminal = time.monotonic(), [0.0], sys.stderr is not None and sys.stderr.isatty()

    def show(history: History) -> None:
        now = time.monotonic()
        if terminal and (now - shown[0] > INTERVAL or history.steps == steps):
            shown[0] = now
            text = f"step {history.steps}/{steps}  loss {history.losses[-1]:.4g}  {now - start:.0f} s"
            width = shutil.get_terminal_size().columns - 1
            print("\r" + f"{text:{width}}"[:width], end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if shown[0]:
            print(file=sys.stderr)


def check_batches(batches: Any, steps: int) -> None:
    """TypeError for one batch in place of an iterable of them, ValueError for a list of one that should do for several steps."""
    if isinstance(batches, tuple) and batches and all(isinstance(part, (np.ndarray, Node)) for part in batches):
        shapes = ", ".join(str(part.shape) for part in batches)
        raise TypeError(f"batches must be an iterable of batches; got a tuple of arrays {shapes}, one batch: pass [batch] * {steps}")
    if isinstance(batches, (list, tuple)) and len(batches) == 1 < steps:
        raise ValueError(f"batches holds one batch, which is one step, not {steps}; for the same batch each time pass [batch] * {steps}")


def first_not_finite(arrays: dict[str, Any]) -> str | None:
    """The name of the first array with a nan or an inf."""
    return next((name for name, x in arrays.items() if not np.all(np.isfinite(x))), None)


def rngs_of(rng: Any, batches: Any, model: Any) -> list["np.random.Generator"]:
    """Every random generator of the run, once: the one given, else the batches' own, and those of the model's modules."""
    given = [getattr(batches, "rng", None)] if rng is None else list(rng) if isinstance(rng, (list, tuple)) else [rng]
    held = [part for _, module in model.modules() for _, part in module.parts()] if isinstance(model, Module) else []
    return list({id(g): g for g in [*given, *held] if isinstance(g, np.random.Generator)}.values())

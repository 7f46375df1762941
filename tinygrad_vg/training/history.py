"""What happened to the gradient, step by step?  A History remembers a run; a table shows it, of any model.

    w  parameter      g  gradient, before any clipping      h  state
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..chain.factors import norm
from ..nn.models import parameters_of
from ..text.lines import Printed
from ..text.numbers import number
from ..text.tables import evenly, folded, table
from .film import COLUMNS, film_table, minus
from .leaves import gradient, leaves_of, length, value, values

MOST = 16  # rows shown of each kind


class History(Printed):
    """One run of fit.

    steps    how many steps were taken         losses   the loss at each of them
    records  one dictionary for each recorded step, with
        step, loss, lr
        norm        |g|, all parameters together       gradients   {name: |g|}
        ratios      {name: |Δw| / |w|}, of one step    factor      what clipping did: the factor, or the share cut (1, 0: nothing)
        states      [|∂loss/∂h[t]| for t = 0, 1, …]    radii       {name: spectral radius}, each if it was asked for
    film     one for each step that was watched, with step, loss, and the exact blame of a chain
        stations, logs  names, source first, and ln |gradient| there, beside the seed's      links, nats  {kind: nats} of each, and of all
        gates  {name: how far open, 0 to 1}      clipped  nats that clipping took    ended  "", or where and why it is 0 or not finite

    a - b has a film only: what a has more, at the steps that both have. ValueError if there are none, or their chains differ in length.

    str() is a table of 80 columns; to_dict() and from_dict() go to JSON and back without loss.
    """

    def __init__(self, losses: Iterable[float] = (), records: Iterable[dict[str, Any]] = (), film: Iterable[dict[str, Any]] = ()):
        self.losses, self.records, self.film = list(losses), list(records), list(film)

    @property
    def steps(self) -> int:
        """How many updates were made: one loss each."""
        return len(self.losses)

    def column(self, quantity: str, name: str | None = None) -> np.ndarray:
        """One quantity over the recorded steps: column("loss"), column("gradients", "W_hh"), column("states") (steps, T + 1).

        KeyError for a quantity that was not recorded, or has no names; nan where a name has none.
        """
        for record in self.records:
            if quantity not in record or name is not None and not isinstance(record[quantity], dict):
                known = ", ".join(f"{key} (by name)" if isinstance(x, dict) else key for key, x in record.items())
                raise KeyError(f"no column {quantity!r}{'' if name is None else f' of {name!r}'}; recorded: {known}")
        return np.array([record[quantity] if name is None else record[quantity].get(name, math.nan) for record in self.records])

    def to_dict(self) -> dict[str, Any]:
        """{"losses", "records", "film"}, ready for JSON."""
        return {"losses": self.losses, "records": self.records, "film": self.film}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "History":
        """The History that to_dict() wrote; one without "film" has none. ValueError for anything else."""
        if not isinstance(saved, Mapping) or not {"losses", "records"} <= saved.keys():
            raise ValueError(f'a History is made of what to_dict() gave, {{"losses", "records", "film"}}; got {saved!r:.80}')
        return cls(saved["losses"], saved["records"], saved.get("film", ()))

    def __sub__(self, other: "History") -> "History":
        if not isinstance(other, History):
            return NotImplemented
        pairs = [(a, b) for a in self.film for b in other.film if a["step"] == b["step"]]
        if not pairs:
            raise ValueError("the two have no watched step in common; fit both with watch=Every(50)")
        return History(film=[minus(a, b) for a, b in pairs])

    def __str__(self) -> str:
        if not self.records:
            return film_table(self.film) if self.film else f"{self.steps} steps, none recorded"
        shown = evenly(self.records, COLUMNS)
        rows: list[Any] = [[title, *(number(r[key]) for r in shown)] for title, key in SINGLE.items() if key in shown[-1]]
        rows += [row for title, key in SEVERAL.items() for row in block(title, [r.get(key, {}) for r in shown])]
        return table(rows, ["step", *(f"{r['step']}" for r in shown)]) + ("\n\n" + film_table(self.film) if self.film else "")

    def __repr__(self) -> str:
        return f"History({self.steps} steps{f', last loss {self.losses[-1]:.6g}' if self.losses else ''})"


SINGLE = {"loss": "loss", "learning rate": "lr", "|gradient|": "norm", "clipping": "factor"}
SEVERAL = {"|gradient| of": "gradients", "|∂loss/∂state|": "states", "|Δw| / |w| of": "ratios", "spectral radius of": "radii"}


def block(title: str, columns: list[Any]) -> list[Any]:
    """A heading and a row for each name (of states: each time step); of many, the first and the last."""
    named = [{f"[{t}]": g for t, g in enumerate(c)} if isinstance(c, list) else c for c in columns]
    names = list(dict.fromkeys(name for column in named for name in column))
    rows = [(f"  {name}", *(number(column[name]) if name in column else "" for column in named)) for name in names]
    return [title, *folded(rows, most=MOST)] if rows else []


def gradient_table(model: Any) -> str:
    """After backward(): for each parameter of any model its shape, |w|, |g|, |g| / |w| and log10 |g|, as text of 80 columns.

    model  one with parameters(), {name: leaf}, leaves in a list or a tuple, or one leaf
    """
    rows: list[Any] = []
    for name, leaf in parameters_of(model).items():
        w, g = norm(value(leaf)), gradient(leaf)
        n = 0.0 if g is None else norm(g)
        told = ["none"] if g is None else [number(n), number(n / w) if w else "", f"{math.log10(n):.2f}" if n else "-inf"]
        rows.append((name, "×".join(map(str, np.shape(value(leaf)))) or "1", number(w), *told))
    return table(rows, ("parameter", "shape", "|w|", "|g|", "|g|/|w|", "log10|g|"))


def measured(parameters: dict[str, Any], before: dict[str, Any], gradients: dict[str, Any]) -> dict[str, Any]:
    """The norms and update ratios of one step; a parameter that was all 0 is compared with what it became."""
    after = {name: value(parameters[name]) for name in gradients}
    sizes = {name: norm(before[name]) or norm(after[name]) for name in gradients}
    ratios = {name: norm(after[name] - before[name]) / size if size else 0.0 for name, size in sizes.items()}
    return {"gradients": {name: norm(g) for name, g in gradients.items()}, "ratios": ratios}


def state_norms(states: Any) -> list[float]:
    """|∂loss/∂h[t]| of each state after backward(); of a pair (h, c), or of Scalars, all parts together; 0 where nothing arrived."""
    return [length([g for leaf in leaves_of(state) if (g := gradient(leaf)) is not None]) for state in states]


def radii(parameters: dict[str, Any], names: Any) -> dict[str, float]:
    """Spectral radius, the largest |eigenvalue| (of several seeds, the largest), of the named parameters.

    names  True: every square parameter called W_h…, W_hh of an RNN or W_hi, W_hf, … of an LSTM. ValueError for a name that no
           square parameter has.
    """
    square = {name: W for name, W in values(parameters).items() if np.ndim(W) >= 2 and np.shape(W)[-1] == np.shape(W)[-2]}
    names = [name for name in square if name.rpartition(".")[2].startswith("W_h")] if names is True else names
    if unknown := [name for name in names if name not in square]:
        raise ValueError(f"radius: no square parameter is called {', '.join(unknown)}; there are {', '.join(parameters)}")
    return {name: float(np.max(np.abs(np.linalg.eigvals(square[name])))) for name in names}

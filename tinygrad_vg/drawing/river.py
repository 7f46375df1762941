"""Where did the gradient go?  A chain as a finding: how much of the gradient arrives, station by station, and which factors did it.

A river begins at the last state (at the output, where no states are given) and flows back to the source. Beside each station
stands what was read there; each link has the nats of its slopes, weights, gates, norms and of the rest, from blame.

    nats  natural logarithm of a gain      keep  what is left of the gradient, relative to where the river begins
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node
from ..chain import Chain
from ..chain.blame import runs
from ..chain.factors import norm
from ..chain.links import Link
from ..chain.reach import losses_of
from ..chain.stations import behind
from ..text.lines import clean, cut
from ..training.film import frame_of
from .canvas import Run
from .typography import power, pretty

PARTS = {"slopes": "slopes", "weights": "weights", "gates": "gates", "norms": "norms"}  # what a river is made of, and its ink
PARTS |= dict.fromkeys(("merging branches", "attention", "constant factors", "rest"), "rest")
KINDS = dict(zip(("activation", "weight", "gate", "norm", "merge", "attention", "scale", "other"), PARTS))  # blame's kinds, as parts
LONGEST = 24  # characters of a name
CANCEL = 0.25  # what takes and what gives cancel, if they differ by less than this share

SURVIVES = "The gradient survives: ", "flow", " of that at {start} arrives at {source}. "
FINDINGS = (  # below so many nats: the words around what is left, its ink, what a culprit did; may two cancel?
    (-1e308, "Nothing of the gradient at {start} arrives at {source}: it is exactly ", "flow", ".", "", False),
    (math.log(0.2), "Of the gradient at {start}, only ", "flow", " arrives at {source}. ", " did it.", False),
    (0.0, *SURVIVES, " took the rest.", True),
    (math.log(1.4), *SURVIVES, " added to it.", True),
    (1e308, "At {source} the gradient is ", "growth", " times what it was at {start}. ", " did it.", False),
    (math.inf, "The gradient at {start} does not arrive at {source}: it is ", "growth", ".", "", False))  # nan, too


class River(NamedTuple):
    """A chain, or a frame of a film, ready to be drawn: stations, source first, the last being where the river begins; links between them.

    names  of the stations, h₁₂       read  what was read there, or ""      logs  nats, relative to the beginning
    at     their numbers in the chain; those within one factor, such as a softmax, are left out         sizes  |gradient| there
    nats   {part: nats} of each link, from station k to k + 1         ended  "", or where the gradient became 0, and why
    seeds  at each station the gradient of its own step's loss; None if only the last has one
    """

    chain: Any
    at: list[int]
    names: list[str]
    read: list[str]
    sizes: list[float]
    logs: list[float]
    nats: list[dict[str, float]]
    ended: str
    about: str
    seeds: list[np.ndarray] | None = None

    @property
    def sums(self) -> dict[str, float]:
        """{part: nats} over all links."""
        return {part: math.fsum(row[part] for row in self.nats) for part in PARTS}

    @property
    def title(self) -> list[Run]:
        """The finding: how much arrives, and who did it; the words of a kind in its ink."""
        _, *words, _, _ = ending(self.logs[0])
        before, ink, after = (one.format(start=self.names[-1], source=self.names[0]) for one in words)
        return [(before, "ink"), (power(self.logs[0]), ink), (after, "ink"), *self.culprit]

    @property
    def culprit(self) -> list[Run]:
        """Who did it, as a sentence; none where nothing arrives that is finite."""
        *_, did, cancel = ending(self.logs[0])
        return culprit(self, self.logs[0], did, cancel) if did else []

    @property
    def parts(self) -> list[Run]:
        """The parts in nats; of a loss that is larger than all of it, what gave the difference back."""
        runs: list[Run] = []
        for part, nats in self.sums.items():
            if abs(nats) >= 0.05:
                size = f"{abs(nats):.1f}{' nats' * (not runs)}"
                back = part == "merging branches" and nats > 0 > math.fsum(self.sums.values())
                runs += [(f"{part} gave {size} back" if back else f"{part} {'−' if nats < 0 else '+'}{size}", PARTS[part]), (", ", "soft")]
        return runs[:-1]

    @property
    def below(self) -> list[Run]:
        """What was run, and the parts in nats; if the gradient ended, where and why."""
        runs = [(f"{self.about}. " if self.about else "", "soft"), *self.parts]
        return [*runs, (f". {self.ended}" if self.ended else ".", "soft")] if len(runs) > 1 else [*runs, (self.ended, "soft")]

    @property
    def shown(self) -> list[str]:
        """The inks that matter: with a part that is, in any link, at least a hundredth of the largest."""
        most = max((abs(x) for row in self.nats for x in row.values()), default=0.0)
        return list(dict.fromkeys(ink for part, ink in PARTS.items() if any(abs(row[part]) > 0.01 * most for row in self.nats)))


def ending(keep: float) -> tuple[Any, ...]:
    """The row of FINDINGS for what is left."""
    return next((row for row in FINDINGS if keep < row[0]), FINDINGS[-1])


def culprit(river: River, keep: float, did: str, cancel: bool) -> list[Run]:
    """Who did it: the part that pulled furthest the way it went; or what took and what gave back, where the gradient survives."""
    sums = river.sums
    if max(map(abs, sums.values())) < 0.05:
        return [("No factor changed it.", "ink")]
    took, gave = -math.fsum(min(x, 0.0) for x in sums.values()), math.fsum(max(x, 0.0) for x in sums.values())
    if cancel and abs(gave - took) < CANCEL * max(gave, took):
        return [("What the ", "ink"), *movers(sums, -1), (" took, the ", "ink"), *movers(sums, 1), (" gave back.", "ink")]
    return [("The ", "ink"), movers(sums, keep)[0], (did, "ink")]


def movers(sums: dict[str, float], way: float) -> list[Run]:
    """The part that pulled furthest one way, below 0 that which cost most, and the next if it pulled half as far that way or more."""
    first, second = sorted(sums, key=lambda part: sums[part] * -math.copysign(1, way))[:2]
    two = sums[second] / sums[first] >= 0.5
    return [(first, PARTS[first]), *([(" and ", "ink"), (second, PARTS[second])] if two else [])]


def river(chain: Chain, read: Iterable[Any] | None = None, about: str = "", losses: Iterable[Any] = ()) -> River:
    """The river of a chain.

    read    what was read on the way to each station but the first, oldest first: a text, or a list of anything with a short str
    about   what was run, in a few words
    losses  the loss at each of these steps, one number each: the river can begin at any of them

    ValueError if `read` or `losses` has another length.
    """
    found = river_of(frame_of(chain), about)
    names, steps = found.names, len(found.nats)
    at = [0, *(run.stop for run in runs(chain)[::-1])][: steps + 1]
    heard = [cut(clean(str(one)), 12) for one in read] if read is not None else [""] * steps
    if len(heard) != steps:
        raise ValueError(f"read has {len(heard)} entries, but {steps} steps lead from {names[0]} to {names[-1]}; give one for each")
    seeds = seeds_of(chain, at, losses_of(every)) if (every := list(losses)) else None
    return found._replace(chain=chain, at=at, read=["", *heard], sizes=[norm(chain.gradients[k]) for k in at], seeds=seeds)


def river_of(frame: dict[str, Any], about: str = "") -> River:
    """The river of a frame of a film; its sizes are relative to the seed."""
    last = beginning(frame["stations"])
    names, logs, links = [called(name) for name in frame["stations"][: last + 1]], frame["logs"][: last + 1], frame["links"][:last]
    first, about = logs[-1] if math.isfinite(logs[-1]) else 0.0, about or f"{names[-1]} back to {names[0]}"
    sizes = [math.exp(min(log, 709.0)) for log in logs]  # what a float holds
    ended = f"It ends at {pretty(clean(frame['ended']))}." if frame["ended"] else ""
    nats = [grouped(link) for link in links]
    return River(None, [], names, [""] * len(names), sizes, [log - first for log in logs], nats, ended, about)


def seeds_of(chain: Chain, at: list[int], losses: list[Node]) -> list[np.ndarray]:
    """The gradient of each step's loss at its own station, the station's other members held fixed."""
    if len(losses) != len(at) - 1:
        raise ValueError(f"losses has {len(losses)} entries, but there are {len(at) - 1} steps; give one for each")
    return [np.zeros(0)] + [seed_of(loss, chain.stations[k]) for loss, k in zip(losses, at[1:])]


def seed_of(loss: Node, group: tuple[Node, ...]) -> np.ndarray:
    """The gradient of a loss at a station, the members of which are varied each by itself."""
    first = min(node.birth for node in group)
    after = {node for node in behind([loss], set(group)) if node.birth >= first}
    return Link(group, (loss,), after).pull(np.ones(loss.shape))


def called(name: str) -> str:
    """A station's name as it is read, h₁₂ or {h₁₂, c₁₂}; of more members the first and the last."""
    group = name[1:-1].split(", ") if name[:1] == "{" and ", " in name else [name]
    words = [pretty(cut(clean(one), LONGEST, middle=True)) for one in (group if len(group) < 3 else (group[0], "…", group[-1]))]
    return words[0] if len(group) == 1 else f"{{{', '.join(words)}}}"


def beginning(names: list[str]) -> int:
    """Where, among stations of these names, the river begins: at the last state, where states of one name lead to an output of another."""
    bases = [{name.partition("[")[0] for name in group.strip("{}").split(", ")} for group in names[-3:]]
    states = len(bases) == 3 and not bases[1].isdisjoint(bases[0]) and bases[2].isdisjoint(bases[1])
    return len(names) - 1 - states


def grouped(link: dict[str, float]) -> dict[str, float]:
    """Blame's kinds as the river's parts."""
    return {part: math.fsum(nats for kind, nats in link.items() if part_of(kind) == part) for part in PARTS}


def part_of(kind: str) -> str:
    """The part that a kind of blame belongs to."""
    return KINDS[kind.partition(" ")[0]]


def told(runs: list[Run]) -> str:
    """Runs as plain words."""
    return "".join(words for words, _ in runs)

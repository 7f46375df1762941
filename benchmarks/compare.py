"""How fast is it, beside its peers and beside what is possible?  One interleaved run, gradients checked first.

Run it:  python benchmarks/compare.py [--workloads T1,T4] [--systems ours,torch] [--rounds 7] [--json] [--picture FILE]

Each system has a process of its own for the whole run, so that neither the garbage nor the threads of one slow another; the rounds
go around: A B C A B C. A time is the CPU seconds of that process (not the clock's: other work on the machine counts less) for
forward, backward and freeing, in float64, with one thread for BLAS. Freed memory stays with the process: whether it goes back to
the system, to be fetched again page by page, hangs on what ran before, and can cost more than the engine.

× limit is taken within each round, then its median over the rounds; quiet is the least time of all. The limit is hand-written NumPy
(limit.py, limit_scalars.py) and always runs; "hand" is the same as one would write it first (by_hand.py). A system that is not
installed, or whose gradients are not the limit's, is named and left out.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import platform
import sys
import textwrap
import time
from importlib.metadata import version
from statistics import median
from typing import Any

ENVIRONMENT = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"], "1")
ENVIRONMENT |= {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
ENVIRONMENT |= {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "33554432"}  # glibc: keep what is freed
os.environ.update(ENVIRONMENT)  # before NumPy is imported, and for the processes

import numpy as np  # noqa: E402
from engine import Engine  # noqa: E402
from systems import PACKAGES, SYSTEMS  # noqa: E402
from workloads import WORKLOADS, make  # noqa: E402

BURST, TOLERANCE = 0.1, 1e-8  # seconds that a round gives each system; how far gradients may differ, of the largest


def checked(program: Any) -> tuple[float, dict[str, np.ndarray]]:
    """The loss and the gradients of one step, as plain numbers."""
    loss, gradients = program()
    return float(loss), {name: np.array(Engine.plain(g)) for name, g in gradients.items()}


def disagreement(found: tuple[float, dict], right: tuple[float, dict]) -> float:
    """The largest difference of any gradient, or of the loss, relative to the largest entry."""
    pairs = [(found[0], right[0]), *((found[1][name], right[1][name]) for name in right[1])]
    return float(np.max([np.max(np.abs(np.subtract(a, b))) / (np.max(np.abs(b)) or 1.0) for a, b in pairs]))  # nan, if any is


def timed(program: Any, repeats: int, collect: bool = True) -> list[float]:
    """CPU seconds of each of so many steps; without the collector, garbage is seen to between them."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        program()
        seconds.append(time.process_time() - start)
        if not collect:
            gc.collect()
    return seconds


def serve(connection: Any, system: str, collect: bool) -> None:
    """A system's process: answers (question, argument) until it is closed; an exception is an answer, too."""
    program, answers = None, {"check": lambda _: checked(program), "time": lambda repeats: timed(program, repeats, collect)}
    try:
        chosen: Any = SYSTEMS[system]()
    except ImportError:
        return connection.send("not installed")
    connection.send(None)
    if not collect:
        gc.disable()
    while (message := connection.recv()) is not None:
        question, argument = message
        try:
            if question == "load":
                program = None
                gc.collect()
                program = chosen.program(make(*argument))
            connection.send(answers.get(question, lambda _: None)(argument))
        except Exception as error:
            connection.send(f"{type(error).__name__}: {error}")


class Process:
    """One system, ready to be asked; .missing says why it is not."""

    def __init__(self, system: str, collect: bool = True) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, system, collect), daemon=True)
        self.process.start()
        theirs.close()
        self.system, self.missing = system, self.answer()

    def answer(self) -> Any:
        try:
            return self.connection.recv()
        except EOFError:
            return "its process died"

    def ask(self, question: str, argument: Any = None) -> Any:
        """The answer; RuntimeError if it is a complaint."""
        try:
            self.connection.send((question, argument))
        except OSError:
            raise RuntimeError("its process died") from None
        if isinstance(found := self.answer(), str):
            raise RuntimeError(found)
        return found

    def close(self) -> None:
        self.process.terminate()
        self.process.join()


def compare(name: str, processes: list[Process], rounds: int, small: bool = False) -> tuple[dict[str, dict], dict[str, str]]:
    """Of one workload: each system's figures, the limit's first, and why others have none."""
    repeats, figures, left_out, right = {}, {}, {}, None
    for process in processes:
        if make(name, small=True).kind not in SYSTEMS[process.system].kinds:
            continue
        try:
            process.ask("load", (name, small))
            found = process.ask("check")
            right = right or found
            if not (wrong := disagreement(found, right)) <= TOLERANCE:
                raise RuntimeError(f"its gradients differ from the limit's by {wrong:.0e}: not timed")
            repeats[process] = max(1, min(300, int(BURST / max(*process.ask("time", 3)[1:], 1e-6)))) if not small else 1
            figures[process.system] = {"disagreement": wrong, "rounds": [], "quiet": float("inf")}
        except RuntimeError as error:
            left_out[process.system] = str(error)
    for _ in range(rounds):
        for process, n in repeats.items():
            seconds, mine = process.ask("time", n), figures[process.system]
            mine["rounds"].append(median(seconds))
            mine["quiet"] = min(mine["quiet"], *seconds)
    for mine in figures.values():
        mine["median"] = median(mine["rounds"])
        mine["times limit"] = median(a / b for a, b in zip(mine["rounds"], figures["limit"]["rounds"]))
    return figures, left_out


def table(results: dict[str, dict[str, dict]], systems: list[str]) -> str:
    """Two tables in 80 columns, × limit and the quiet times; of many systems ours first, then the peers."""
    shown = [s for s in systems if any(s in figures for figures in results.values())]
    halves = [shown] if len(shown) <= 8 else [[s for s in shown if s not in PACKAGES], [s for s in shown if s in PACKAGES]]
    lines: list[str] = []
    for some in halves:
        lines += ["", "times the limit, median of the rounds (of the limit itself: ms)", row("", {s: s for s in some}, some)]
        for name, figures in results.items():
            lines.append(row(name, {s: digits(1e3 * f["median"] if s == "limit" else f["times limit"]) for s, f in figures.items()}, some))
    for some in halves:
        lines += ["", "ms, quiet: the least of all", row("", {s: s for s in some}, some)]
        for name, figures in results.items():
            lines.append(row(name, {s: digits(1e3 * f["quiet"]) for s, f in figures.items()}, some))
    return "\n".join(lines[1:])


def row(name: str, cells: dict[str, str], systems: list[str]) -> str:
    return f"{name:4}" + "".join(f"{cells.get(s, ''):>{max(5, len(s) + 1)}}" for s in systems)


def digits(x: float) -> str:
    """Three digits, or more before the point."""
    return f"{x:.0f}" if x >= 99.5 else f"{x:.1f}" if x >= 9.95 else f"{x:.2f}"


def picture(results: dict[str, dict[str, dict]], path: str) -> None:
    """Bars of × limit, a group for each workload, on a logarithmic axis."""
    from tinygrad_vg.drawing.axes import new_axes
    from tinygrad_vg.drawing.colours import GREY

    reds, blues, others = ["#b2182b", "#e08214", "#b2182b"], ["#2166ac", "#6baed6"], ["#1b7837", "#7f63b8", GREY, "#8c6d31"]
    shades = dict(zip(list(SYSTEMS)[1:], ["#c2a5cf", *reds, *blues, *others]))
    [ax] = new_axes()
    for place, figures in enumerate(results.values()):
        others = [s for s in figures if s != "limit"]
        for k, system in enumerate(others):
            left = place + 0.8 * ((k + 0.5) / len(others) - 0.5)
            ax.bar(left, figures[system]["times limit"] - 1, 0.8 / len(others), bottom=1, color=shades[system], label=system)
    ax.set_yscale("log")
    ax.set_xticks(range(len(results)), list(results))
    ax.set_ylabel("× the limit")
    named = dict(zip(*reversed(ax.get_legend_handles_labels())))
    ax.legend(named.values(), named, frameon=False, labelcolor=GREY, ncols=2)
    ax.figure.savefig(path, dpi=150)


def versions() -> dict[str, str]:
    """What ran: Python, NumPy, and the packages of the peers that are here."""
    found = {"python": platform.python_version(), "numpy": np.__version__}
    for package in ["tinygrad_vg", *dict.fromkeys(PACKAGES.values())]:
        try:
            found[package] = version(package)
        except ImportError:
            continue
    return found


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="\n".join(f"{n} {w[2]}" for n, w in WORKLOADS.items()),
                                      formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    options.add_argument("--workloads", default=",".join(WORKLOADS), help="of %(default)s")
    options.add_argument("--systems", default=",".join(SYSTEMS), help="of %(default)s")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--json", action="store_true", help="print the figures as JSON instead of the tables")
    options.add_argument("--picture", metavar="FILE", help="bars of × limit: .png, .svg or .pdf; needs matplotlib")
    options.add_argument("--no-gc", action="store_true", help="without Python's garbage collector while it is timed")
    options.add_argument("--small", action="store_true", help="tiny sizes: does it run?")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    names, systems = options.workloads.split(","), list(dict.fromkeys(["limit", *options.systems.split(",")]))
    if unknown := [x for x in names if x not in WORKLOADS] + [x for x in systems if x not in SYSTEMS]:
        parser().error(f"there is no {', '.join(unknown)}; workloads: {', '.join(WORKLOADS)}; systems: {', '.join(SYSTEMS)}")
    if options.rounds < 1:
        parser().error(f"rounds is a whole number from 1 on, got {options.rounds}")
    processes = [Process(system, not options.no_gc) for system in systems]
    results, left_out = {}, {p.system: {"": p.missing} for p in processes if p.missing}
    try:
        for name in names:
            results[name], without = compare(name, [p for p in processes if not p.missing], options.rounds, options.small)
            for system, why in without.items():
                left_out.setdefault(system, {})[name] = why
    finally:
        for process in processes:
            process.close()
    if options.json:
        print(json.dumps({"versions": versions(), "results": results, "left out": left_out}, indent=1))
    else:
        ran = ", ".join(f"{package} {number}" for package, number in versions().items())
        print(textwrap.fill(ran, 80), table(results, systems), sep="\n\n")
        for system, why in left_out.items():
            print("\n".join(f"left out: {system}{name and ' on '}{name}: {reason}"[:80] for name, reason in why.items()))
    if options.picture:
        picture(results, options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())

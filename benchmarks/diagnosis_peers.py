"""Do PyTorch's diagnosers name the cause?  torchmortem and TorchLens, asked about the networks of diagnosis.py, rebuilt in PyTorch.

Run it with a Python that has torch, torchmortem and torchlens (and NumPy; tinygrad_vg by PYTHONPATH):
    python benchmarks/diagnosis_peers.py [--half unseen] [--labels dead,healthy] [--peers torchmortem,torchlens] [--json FILE]

Each recorded graph is built again as an nn.Module (diagnosis_replay.py) and counts as expressed if its loss is ours. Networks of Scalars
are left out: there are no layers in them that a diagnoser could name.

torchmortem 0.1.1 (Autopsy around six steps of SGD with a rate of 1e-9, so that what is planted stays) and TorchLens 2.36.1
(gradient_flow_audit, nan_report, dtype_range_audit after one backward pass) install from PyPI. Neither has words for
most of the causes; WORDS says, generously, for which labels each of theirs is taken. *any*: one of its words stands for the cause, whatever
else it says. *first*: the first of them does, in its own order (torchmortem's report; TorchLens' severity). For healthy both are: no word
at all. *none*: it has no word for this network.

Of the unseen half 189 of 196 networks could be expressed: 139 planted, 50 healthy. torchmortem: any 74 and first 53 of the planted, 22
false alarms; TorchLens: any 94 and first 83, 15 false alarms (-inf masks among them). One word of each, vanishing, counts here for
shallow slopes, for contracting weights and for more, which neither can tell apart. torchmortem fails (IndexError: no word) where no
nn.Module has a parameter, as in the small hand-written models. Times: one minute and six.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diagnosis
import numpy as np
import torch
from diagnosis import HALVES, LABELS, Case
from diagnosis_replay import Replay

WORDS: dict[str, dict[str, set[str]]] = {
    "torchmortem": {
        "Activation saturation": {"saturated"},
        "Dead units": {"dead"},
        "Vanishing gradients": {"shallow slopes", "contracting weights", "short reach", "underflowed"},
        "Exploding gradients": {"exploding"},
        "Gradient stalling": {"converged", "cancelled", "disconnected", "underflowed"},
        "Training divergence": {"overflowed", "nan in the data", "infinite slope"},
        "Gradient starvation": {"dead"},
        "Instability feedback loop": {"exploding"},
    },
    "torchlens": {
        "vanishing": {"shallow slopes", "contracting weights", "saturated", "short reach", "underflowed", "converged"},
        "dead": {"dead", "cancelled", "disconnected", "underflowed"},
        "exploding": {"exploding"},
        "nan or inf, from an input": {"nan in the data"},
        "nan or inf, from an op": {"overflowed"},
        "nan or inf, backward": {"infinite slope", "overflowed"},
        "range of the dtype": {"overflowed", "underflowed"},
    },
}


def one() -> torch.Tensor:
    """What every module is given."""
    return torch.tensor(1.0, requires_grad=True)


def rebuilt(case: Case) -> Replay | None:
    """The network in PyTorch; None if it cannot be expressed, or its loss is not ours."""
    try:
        replay = Replay(case.network.loss)
        ours, theirs = float(case.network.loss.data), replay(one()).item()
    except ValueError:
        return None
    near = abs(ours - theirs) <= 1e-4 * abs(ours)  # gelu has two formulas
    return replay if near or not np.isfinite(ours) and not np.isfinite(theirs) else None


@contextmanager
def quiet() -> Iterator[None]:
    """What C libraries print goes nowhere (oneMKL complains of every nan in torchmortem's singular values)."""
    kept, nowhere = [os.dup(1), os.dup(2)], os.open(os.devnull, os.O_WRONLY)
    try:
        for fd in (1, 2):
            os.dup2(nowhere, fd)
        yield
    finally:
        for fd, old in zip((1, 2), kept):
            os.dup2(old, fd)
            os.close(old)
        os.close(nowhere)


def torchmortem(module: Replay) -> list[str]:
    """The findings of an Autopsy and what it concludes from them, by the first words of their titles."""
    from torchmortem import Autopsy

    optimiser = torch.optim.SGD(module.parameters(), lr=1e-9)
    with Autopsy(module, optimizer=optimiser, sampling="thorough") as autopsy:
        for _ in range(6):
            optimiser.zero_grad()
            loss = module(one())
            loss.backward()
            optimiser.step()
            autopsy.step(loss=loss.item())
    report = autopsy.get_report()
    titles = [finding.title for finding in report.findings] + [insight.title for insight in report.insights]
    return list(dict.fromkeys(word for title in titles for word in WORDS["torchmortem"] if title.startswith(word)))


def torchlens(module: Replay) -> list[str]:
    """Where a nan or inf comes from, and the verdicts of the audit of gradients, the most severe first."""
    import torchlens as tl

    trace = tl.trace(module, one(), capture=tl.options.CaptureOptions(save_grads=True))
    trace.log_backward(trace[trace.output_layers[0]].out)
    verdicts = {row["verdict"] for row in tl.debug.gradient_flow_audit_rows(trace, grad_scale=1.0)[0]}
    report = tl.debug.nan_report(trace)
    born = "from an input" if report.found and str(report.origin_label).startswith(("input", "buffer")) else "from an op"
    found = [f"nan or inf, {born}"] * report.found or ["nan or inf, backward"] * ("nonfinite" in verdicts)
    ranges = ["range of the dtype"] * bool(tl.debug.dtype_range_audit(trace).findings)
    return found + ranges + [word for word in ("exploding", "dead", "vanishing") if word in verdicts]


ASK: dict[str, Callable[[Replay], list[str]]] = {"torchmortem": torchmortem, "torchlens": torchlens}


def named(peer: str, label: str, words: list[str]) -> bool:
    """Whether one of the words stands for the label; for healthy, whether there is none."""
    return not words if label == "healthy" else any(label in WORDS[peer][word] for word in words)


def asked(case: Case, peers: list[str]) -> dict[str, Any]:
    """What the peers say of one network; an error is told, and names nothing."""
    row: dict[str, Any] = {"recipe": case.recipe, "label": case.label, "seed": case.seed}
    for peer in peers:
        if (module := rebuilt(case)) is not None:
            try:
                with quiet():
                    row[peer] = ASK[peer](module)
            except Exception as error:
                row[peer], row[f"{peer} failed"] = [], f"{type(error).__name__}: {error}"
    return row


def table(rows: list[dict], peers: list[str]) -> str:
    """For each label: networks, those expressed, and how many of these each peer named, named first, and had no word for."""
    lines = [f"{'':32}" + "".join(f"{peer:>24}" for peer in peers)]
    lines += [f"{'':20}{'nets':>6}{'here':>6}" + f"{'any':>10}{'first':>7}{'none':>7}" * len(peers)]
    for label in [*LABELS, "all"]:
        mine = [row for row in rows if label in (row["label"], "all")]
        expressed = [row for row in mine if peers[0] in row]
        cells = ""
        for peer in peers:
            right, first = (sum(named(peer, row["label"], row[peer][:n]) for row in expressed) for n in (None, 1))
            cells += f"{right:10}{first:7}{sum(not row[peer] for row in expressed):7}"
        lines.append(f"{label:20}{len(mine):6}{len(expressed):6}{cells}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=[*HALVES], default="seen")
    parser.add_argument("--labels", type=lambda text: text.split(","), default=LABELS, help="only these, with commas between them")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=[*ASK], help="torchmortem, torchlens, or both")
    parser.add_argument("--json", metavar="FILE", help="also write there what was said of each network")
    options, start = parser.parse_args(arguments), time.perf_counter()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with np.errstate(all="ignore"):
        rows = [asked(case, options.peers) for case in diagnosis.gathered([options.half], options.labels)[0]]
    print(table(rows, options.peers), f"{time.perf_counter() - start:.0f} s", sep="\n")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

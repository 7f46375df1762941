"""How is a run interrupted and taken up again, exactly?  All that the next step depends on goes into one file.

Parameters and running statistics of the model, the optimiser's memory, the state of every random generator, the history.
A .npz, never pickle. It is written beside and then moved into place: the file is complete, or it is the one before.
"""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..nn.models import parameters_of, state_of
from ..nn.weight_files import as_npz, from_npz
from ..nn.weights import assign, new_buffers
from ..text.files import save_whole
from .history import History
from .optimisers import Optimiser, check_fits

FORMAT, LIMIT = 1, 1 << 34  # bytes


def save_run(path: Any, model: Any, optimiser: Optimiser, rngs: Sequence["np.random.Generator"], history: History) -> None:
    """Write the run to `path`, a .npz. OSError if that cannot be done; a file that was there is then untouched."""
    about = {"format": FORMAT, "rngs": [rng.bit_generator.state for rng in rngs], "history": history.to_dict()}
    arrays: dict[str, Any] = {"about": np.array(json.dumps(about, default=np.ndarray.tolist))}
    arrays |= {f"model/{name}": x for name, x in state_of(model).items()}
    arrays |= {f"optimiser/{name}": x for name, x in optimiser.state_dict().items()}
    save_whole(Path(path), as_npz(arrays))


def load_run(path: Any, model: Any, optimiser: Optimiser, rngs: Sequence["np.random.Generator"]) -> History:
    """Bring model, optimiser and generators to where save_run left them, and return the history.

    FileNotFoundError if there is no such file. ValueError if it is damaged, or fits another model, optimiser or number of
    generators, with every name that does not fit; nothing has changed then.
    """
    arrays, about = read(path)
    if about["format"] != FORMAT:
        raise ValueError(f"{path} has format {about['format']!r}; this version reads {FORMAT}")
    weights, memory = ({k.removeprefix(p): x for k, x in arrays.items() if k.startswith(p)} for p in ("model/", "optimiser/"))
    check_fits(weights, state_of(model), f"the model, {path}")
    check_fits(memory, optimiser.state_dict(), f"{type(optimiser).__name__}, {path}")
    kinds = [state["bit_generator"] for state in about["rngs"]]
    if kinds != [rng.bit_generator.state["bit_generator"] for rng in rngs]:
        raise ValueError(f"{path} holds the random generators [{', '.join(kinds)}], this run has {len(rngs)}; pass fit the same rng")
    history = History.from_dict(about["history"])
    for rng, state in zip(map(copy.deepcopy, rngs), about["rngs"]):  # on copies first, so that it cannot fail halfway
        rng.bit_generator.state = state
    leaves, also = parameters_of(model), optimiser.new_state(memory)
    also += [(rng.bit_generator, "state", state) for rng, state in zip(rngs, about["rngs"])]
    assign(leaves, {name: weights[name] for name in leaves}, also + new_buffers(model, weights))
    return history


def read(path: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays of the file and what it says about them; ValueError if it is not whole."""
    content = Path(path).read_bytes()
    try:
        arrays = from_npz(content, LIMIT)
        about = json.loads(arrays.pop("about").item())
        return arrays, {key: about[key] for key in ("format", "rngs", "history")}
    except Exception as error:  # a damaged file can fail anywhere in its reader, with whatever error
        raise ValueError(f"{path} is damaged, or not a run saved by fit: {type(error).__name__}: {error}") from error

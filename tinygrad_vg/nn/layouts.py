"""Where are a module's weights, in somebody else's names?  PyTorch's and Keras' layouts, and which module is which.

    own names      layer1.W, cells.0.b_h, norm1.running_mean …, as in model.state_dict()
    PyTorch's      layer1.weight, rnn.bias_ih_l0 …: its tensors, in which gates lie stacked, are cut up, its two biases added
    Keras'         dense/kernel, lstm/recurrent_kernel …: turned into PyTorch's
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .layers import Module, is_buffer, is_leaf
from .models import parameters_of

Source = tuple[str, int, int]  # the name of an array; which part of its rows, of how many
Layout = dict[str, list[Source]]  # own name: the sources that add up to it
Row = tuple[str, Any, list[Source]]  # own name, leaf or buffer, where its values are
Arrays = Mapping[str, Any]  # what is given: {name: array}


class Place(NamedTuple):
    """Where a module's tensors are: names between before and after, in a layout."""

    before: str
    after: str
    layout: Layout


def itself(names: Any) -> Layout:
    """The layout in which every tensor has its own name."""
    return {name: [(name, 0, 1)] for name in names}


def gates(letters: str) -> Layout:
    """Where a cell's weights are in PyTorch. letters: its gates, in the order in which their rows are stacked."""
    layout: Layout = {}
    for k, gate in enumerate(letters):
        rows = (k, len(letters))
        layout |= {f"W_x{gate}": [("weight_ih", *rows)], f"W_h{gate}": [("weight_hh", *rows)]}
        layout |= {f"b_{gate}": [("bias_ih", *rows), ("bias_hh", *rows)]}
    return layout


LINEAR: Layout = {"W": [("weight", 0, 1)], "b": [("bias", 0, 1)]}
LAYER_NORM: Layout = {"gamma": [("weight", 0, 1)], "beta": [("bias", 0, 1)]}
BATCH_NORM: Layout = LAYER_NORM | itself(("running_mean", "running_var"))
GRU: Layout = gates("rzn") | {"b_n": [("bias_ih", 2, 3)], "b_hn": [("bias_hh", 2, 3)]}  # b_hn stays inside the reset product
LAYOUTS = [LINEAR, LAYER_NORM, BATCH_NORM, gates("h"), gates("ifgo"), GRU]
COUNTER = "num_batches_tracked"  # PyTorch counts the batches of a BatchNorm1d; nothing here depends on it


def pytorchs(own: Any) -> Layout:
    """PyTorch's layout of a module that holds these names, all of its layer's or all but the biases; {} if none has."""
    fits = (layout for layout in LAYOUTS if {name for name in layout if name[0] != "b"} <= set(own) <= set(layout))
    return {name: sources for name, sources in next(fits, {}).items() if name in own}


def wanted(model: Any, given: Arrays, renamed: Mapping[str, Place] | None = None) -> Iterator[Row]:
    """All that the model holds, and where it is. A module's sources are PyTorch's if any of them is given, or where `renamed` says."""
    for path, own in holdings(model):
        place = (renamed or {}).get(path) or place_of(path, own, given)
        for name, target in own.items():
            yield path + name, target, [(place.before + tensor + place.after, k, n) for tensor, k, n in place.layout[name]]


def holdings(model: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, {name: leaf or buffer}) of every module that holds any; of what is no Module, each leaf by itself."""
    if not isinstance(model, Module):
        yield from ((name, {"": leaf}) for name, leaf in parameters_of(model).items())
        return
    held = model.parameters() | model.buffers()
    for path, module in model.modules():
        own = {name: held[path + name] for name, part in module.parts() if path + name in held and (is_leaf(part) or is_buffer(part))}
        if own:
            yield path, own


def place_of(path: str, own: Mapping[str, Any], given: Arrays) -> Place:
    """Where the module at `path` is: PyTorch's spelling of it if any tensor of that is given, else its own names."""
    layout = pytorchs(own)
    foreign = {tensor for sources in layout.values() for tensor, _, _ in sources} - set(own)
    spelling = next((s for s in spellings(path) if any(s[0] + tensor + s[1] in given for tensor in foreign)), None)
    return Place(*spelling, layout) if spelling else Place(path, "", itself(own))


def without_biases(rows: list[Row], given: Arrays) -> list[Row]:
    """The rows, biases without a source, so that they are 0, if PyTorch's weights are given and not one bias: layers with bias=False."""
    none = any("weight" in name for name in given) and not any(map(is_bias, given))
    return [(name, target, [] if none and all(is_bias(tensor) for tensor, _, _ in sources) else sources) for name, target, sources in rows]


def is_bias(name: str) -> bool:
    """Whether a tensor is a bias by its name."""
    return "bias" in name.rpartition(".")[2]


def spellings(path: str) -> list[tuple[str, str]]:
    """What PyTorch puts before and after `weight_ih`: nothing in an RNNCell, _l0 in an RNN, _l1 in the second cell of a stack,
    _reverse in the cell of a bidirectional one that reads from the end."""
    stacked = re.fullmatch(r"(.*)cells\.(\d+)\.", path)
    both = re.fullmatch(r"(.*?)(?:\w+\.(\d+)\.)?(forward|reverse)\.", path)
    found = [(path, ""), (path, "_l0")] + ([(stacked[1], f"_l{stacked[2]}")] if stacked else [])
    end = "_reverse" if both and both[3] == "reverse" else ""
    return found + ([(path.removesuffix(f"{both[3]}."), f"_l0{end}"), (both[1], f"_l{both[2] or 0}{end}")] if both else [])


def matched(model: Module, given: Arrays) -> dict[str, Place]:
    """{path: place} of the modules whose names are not given, each where tensors of its kind and shapes are given under another name.

    Of several alike on both sides the numbers in their names decide: layer1, layer2 and 0., 2. of a Sequential.
    Empty unless each has its own: where names say nothing, nothing is guessed.
    """
    groups, there, wants = groups_of(given), dict[Any, list[Any]](), dict[Any, list[Any]]()
    left = [(path, own) for path, own in holdings(model) if groups.pop(place_of(path, own, given)[:2], None) is None]
    for ends, tensors in groups.items():
        there.setdefault((frozenset(tensors), ends[1].endswith("_reverse")), []).append(ends)
    for path, own in left:
        kind, layout = next((pair for pair in kinds(path, own) if pair[0] in there), (None, None))
        wants.setdefault(kind, []).append((path, layout))
    found: dict[str, Place] = {}
    for kind, modules in wants.items():
        places = sorted(there.pop(kind, []), key=natural)
        if len(places) != len(modules) or not (numbered_alike(map("".join, places)) and numbered_alike(path for path, _ in modules)):
            return {}
        found |= {path: Place(before, after, layout) for (path, layout), (before, after) in zip(sorted(modules, key=natural), places)}
    return {} if there else dict(sorted(found.items(), key=lambda item: natural(item[1])))


def groups_of(given: Arrays) -> dict[tuple[str, str], set[Any]]:
    """{(before, after): {(tensor, shape)}}: the names that agree but for the tensor belong to one module; biases tell nothing more."""
    groups: dict[tuple[str, str], set[Any]] = {}
    for name, array in given.items():
        before, tensor, after = re.fullmatch(r"((?:.*\.)?)(.*?)((?:_l\d+(?:_reverse)?)?)", name, re.S).groups()  # type: ignore[union-attr]
        if tensor != COUNTER and not is_bias(tensor):
            groups.setdefault((before, after), set()).add((tensor, np.shape(array)))
    return groups


def kinds(path: str, own: Mapping[str, Any]) -> Iterator[tuple[Any, Layout]]:
    """(names and shapes of the tensors that a module needs and its direction, layout) for each layout that it can have."""
    for layout in (pytorchs(own), itself(own)):
        shapes = {(tensor, whole(np.shape(own[name]), n)) for name in layout for tensor, _, n in layout[name] if not is_bias(tensor)}
        yield (frozenset(shapes), path.endswith("reverse.")), layout


def whole(shape: tuple[int, ...], n: int) -> tuple[int, ...]:
    """The shape of an array of which this is one of n parts."""
    return (n * shape[0], *shape[1:]) if shape else ()


def numbered_alike(names: Any) -> bool:
    """Whether names differ in their numbers only."""
    return len({re.sub(r"\d+", "#", name) for name in names}) <= 1


def natural(name: Any) -> list[Any]:
    """The key by which names sort as one counts: 2. before 10."""
    text = name if isinstance(name, str) else "".join(part for part in name if isinstance(part, str))
    return [int(part) if k % 2 else part for k, part in enumerate(re.split(r"(\d+)", text))]


def from_keras(given: Arrays) -> dict[str, Any]:
    """Keras' arrays under PyTorch's names and in its layout; anything else as it is.

    kernel (…, in, out) → weight (out, in, …); gates of a GRU z r h → r z n; the one bias of a cell is bias_ih, bias_hh is 0.
    ValueError for a GRU with reset_after=False, whose formula is another.
    """
    names = {name: re.sub(r":\d+$", "", name).replace("/", ".") for name in given}
    if not any(re.search(r"(^|\.)(kernel|embeddings)$", name) for name in names.values()):
        return dict(given)
    arrays, found = {names[name]: array for name, array in given.items()}, dict[str, Any]()
    for name, array in arrays.items():
        path, tensor = name[: name.rfind(".") + 1], name.rpartition(".")[2]
        recurrent = arrays.get(path + "recurrent_kernel")
        if recurrent is None or tensor not in ("kernel", "recurrent_kernel", "bias"):
            new = {"kernel": "weight", "embeddings": "weight", "moving_mean": "running_mean", "moving_variance": "running_var"}
            found[path + new.get(tensor, tensor)] = np.moveaxis(array, (-1, -2), (0, 1)) if tensor == "kernel" else array
            continue
        units = len(recurrent)
        blocks = np.arange(np.shape(recurrent)[-1]).reshape(-1, units)
        order = (blocks[[1, 0, 2]] if len(blocks) == 3 else blocks).ravel()
        if tensor != "bias":
            found[path + ("weight_ih" if tensor == "kernel" else "weight_hh")] = np.asarray(array).T[order]
        elif len(order) == 3 * units and np.ndim(array) != 2:
            raise ValueError(f"{name} is of a GRU with reset_after=False, whose reset gate comes before the product; GRUCell's comes after")
        else:
            b, c = array if np.ndim(array) == 2 else (array, np.zeros(len(order)))
            found |= {path + "bias_ih": np.asarray(b)[order], path + "bias_hh": np.asarray(c)[order]}
    return found

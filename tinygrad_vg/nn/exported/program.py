"""What does a torch.export program say?  Its inputs, its ops one after the other, its outputs, and where each stood in the source."""

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...text.lines import clean
from .archive import MODEL, MOST, Meta, Part, as_json, check_size, checked_members, meta_of, stored_arrays

HELD = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}
PLAIN = {"as_int": int, "as_bool": bool, "as_float": float, "as_string": str, "as_scalar_type": int}
LISTS = {"as_ints": int, "as_bools": bool, "as_floats": float, "as_strings": str}
IGNORED = {"as_none", "as_layout", "as_device", "as_memory_format"}  # where and how torch keeps an array does not matter here
ALIAS = "torch.ops.aten.alias.default"  # so run_decompositions() writes detach(), and x[...], through which a gradient goes:
ALIASED = {"detach": "torch.ops.aten.detach.default", "__getitem__": "torch.ops.aten.clone.default"}  # which, torch_fn says


class Ref(str):
    """The name of a value of the graph."""


class Step(NamedTuple):
    """One op of the graph. outputs: names, of one result, or if `several` of a sequence of them; line: where it stands in the
    user's source; calls: the modules it lies in, outermost first: (path, class, how often it was called before)."""

    target: str
    positional: list[Any]
    keywords: dict[str, Any]
    outputs: list[str | None]
    several: bool
    line: str | None
    calls: list[tuple[str, str, int]]


@dataclass
class Program:
    """The file as read. inputs and outputs: (kind, name in the graph or value, path of a parameter or buffer); metas: of every array;
    arrays: {path: array}, one array where two paths share their numbers."""

    inputs: list[tuple[str, Any, str]]
    steps: list[Step]
    outputs: list[tuple[str, Any, str]]
    metas: dict[str, Meta]
    arrays: dict[str, np.ndarray]


def read_export(path: str | os.PathLike[str], limit: int = 1 << 28) -> Program:
    """The program and the arrays in a file of torch.export.save.

    limit  how many bytes the file, unpacked or not, and each value of its graph may have; its JSON a sixteenth of that
    ValueError, naming the key or the member of the archive, if anything is missing, damaged, too large, or a pickle.
    """
    import zipfile  # waits until a file is read

    with open(path, "rb") as file:
        try:
            check_size(file, limit)
            with zipfile.ZipFile(file) as archive:
                return program_of(checked_members(archive, limit), limit)
        except Exception as error:  # a damaged file fails anywhere in its reader, with any error
            reason = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            raise ValueError(f"cannot read a model from {os.fspath(path)!r}: {reason}{clean(str(error))[:500]}") from error


def program_of(read: Callable[[str], bytes], limit: int) -> Program:
    """The members of the archive as a program."""
    model = as_json(read, MODEL)
    if (version := model["schema_version"]["major"]).of(int) != 8:
        raise version.error("must be 8, the schema of torch.export that is read here")
    graph, signature = model["graph_module"]["graph"], model["graph_module"]["signature"]
    metas = {name: meta_of(entry) for name, entry in graph["tensor_values"].items()}
    for name, meta in metas.items():
        if math.prod(n or 1 for n in meta.sizes) * 8 > limit:
            raise ValueError(f"{graph.place}.tensor_values.{name} has more than {limit} bytes; if that is right, pass a larger limit=")
    inputs = [input_of(entry, metas) for entry in signature["input_specs"].each()]
    stored = stored_arrays(read, limit, {path: metas[name] for kind, name, path in inputs if kind in HELD})
    known = {name for kind, name, _ in inputs if kind != "constant"}
    if len(known) < sum(kind != "constant" for kind, _, _ in inputs):
        raise ValueError(f"{signature.place}.input_specs has a name twice")
    if len(graph["nodes"].of(list)) > MOST:
        raise ValueError(f"{graph['nodes'].place} has more than {MOST} ops")
    steps = [step_of(node, known, metas) for node in graph["nodes"].each()]
    buffers = {path for kind, _, path in inputs if kind == "buffer"}
    outputs = [output_of(entry, known, buffers) for entry in signature["output_specs"].each()]
    for key, specs in {"inputs": inputs, "outputs": outputs}.items():
        listed = [argument(entry, None) for entry in graph[key].each()]
        if [x for x in listed if isinstance(x, Ref)] != [x for _, x, _ in specs if isinstance(x, Ref)]:
            raise ValueError(f"{graph.place}.{key} and the signature must name the same values, in one order")
    return Program(inputs, steps, outputs, metas, stored)


def input_of(entry: Part, metas: dict[str, Meta]) -> tuple[str, Any, str]:
    """(kind, name in the graph, path) of a parameter, a buffer, a constant array or an input of the user's; a number fixed at the
    export is a ("constant", None, "")."""
    kind, spec = entry.union()
    if kind == "constant_input" or kind == "user_input" and spec["arg"].union()[0] not in ("as_tensor", "as_sym_int"):
        return "constant", None, ""
    if kind not in HELD and kind != "user_input":
        raise entry.error(f"is a {kind}, which is not read")
    name = argument(spec["arg"], None) if kind == "user_input" else reference(spec["arg"]["name"], None)
    if name not in metas and not (kind == "user_input" and "as_sym_int" in spec["arg"].value):
        raise spec["arg"].error("must be the name of an array in tensor_values")
    return kind, name, spec[HELD[kind]].of(str) if kind in HELD else ""


def output_of(entry: Part, known: set[str], buffers: set[str]) -> tuple[str, Any, str]:
    """(kind, name or value, path): what the model returns, or the new value of a buffer."""
    kind, spec = entry.union()
    if kind == "user_output":
        return kind, argument(spec["arg"], known), ""
    if kind != "buffer_mutation":
        raise entry.error(f"is a {kind}, which is not read")
    if spec["buffer_name"].of(str) not in buffers:
        raise spec["buffer_name"].error("must be a buffer of input_specs")
    return kind, reference(spec["arg"]["name"], known), spec["buffer_name"].value


def step_of(node: Part, known: set[str], metas: dict[str, Meta]) -> Step:
    """One op; its results are known from then on."""
    target, positional, keywords = node["target"].of(str), list[Any](), dict[str, Any]()
    for entry in node["inputs"].each():
        name, value, kind = entry["name"].of(str), argument(entry["arg"], known), entry["kind"].of(int)
        if kind not in (1, 2) or kind == 1 and keywords:
            raise entry["kind"].error("must be 1, by place, or 2, by name, and those come last")
        keywords.update({name: value}) if kind == 2 else positional.append(value)
    results = node["outputs"].each()
    listed = len(results) == 1 and "as_tensors" in results[0].of(dict)
    names = [reference(x["name"], None) for x in results[0]["as_tensors"].each()] if listed else [argument(x, None) for x in results]
    for k, name in enumerate(names):
        array = listed or "as_tensor" in results[k].value
        if name is not None and (not isinstance(name, Ref) or name in known or array and name not in metas):
            raise node["outputs"].error(f"must be names that nothing has yet, of arrays in tensor_values, but not {str(name)[:60]!r}")
        known.add(name or "")
    metadata = {key: value.of(str) for key, value in node["metadata"].items()}
    line, calls = line_of(metadata.get("stack_trace", "")), calls_of(metadata.get("nn_module_stack", ""))
    if target == ALIAS:
        target = ALIASED.get(metadata.get("torch_fn", "").rpartition(".")[2], ALIAS)
    return Step(target, positional, keywords, names, listed or len(names) != 1, line, calls)


def argument(part: Part, known: set[str] | None) -> Any:
    """An argument: a Ref to a value that is known by then (None: to any), a number, text, a list of them, or None."""
    key, value = part.union()
    if key in PLAIN:
        return value.of(PLAIN[key])
    if key in LISTS:
        return [x.of(LISTS[key]) for x in value.each()]
    if key == "as_tensor":
        return reference(value["name"], known)
    if key == "as_tensors":
        return [reference(x["name"], known) for x in value.each()]
    if key in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        return reference(value["as_name"], known) if "as_name" in value.of(dict) else argument(value, known)
    if key == "as_sym_ints":
        return [argument(Part({"as_sym_int": x.value}, x, ""), known) for x in value.each()]
    if key in ("as_optional_tensor", "as_optional_tensors"):
        return argument(value, known) if key == "as_optional_tensor" else [argument(x, known) for x in value.each()]
    if key not in IGNORED:
        raise part.error(f"is of a kind that is not read, {key[:40]}")
    return None


def reference(name: Part, known: set[str] | None) -> Ref:
    """The Ref to a result; ValueError if nothing before has computed it."""
    if known is not None and name.of(str) not in known:
        raise name.error("is used before anything has computed it")
    return Ref(name.of(str))


def line_of(trace: str) -> str | None:
    """The innermost line of the user's own in a stack trace: `model.py:41  h = torch.tanh(z)`."""
    found = None
    rows = trace.split("\n")
    for row, code in zip(rows, rows[1:]):
        head, comma, rest = row.strip().partition('", line ')
        if comma and head.startswith('File "') and not re.search(r"[/\\]site-packages[/\\]torch[/\\]", head):
            file, number = re.split(r"[/\\]", head[6:])[-1], rest.partition(",")[0]
            found = f"{file}:{number}  {code.strip()}"
    return found and clean(found)


def calls_of(stack: str) -> list[tuple[str, str, int]]:
    """The modules that an op lies in: `L__self___cell@2,cell,torch.nn.modules.rnn.LSTMCell` is the third call of cell."""
    calls = []
    for key, path, kind in (entry.split(",", 2) for entry in stack.split(";") if entry.count(",") >= 2):
        number = key.rpartition("@")[2]
        calls.append((path, kind.rpartition(".")[2], int(number) if re.fullmatch("[0-9]{1,9}", number) else 0))
    return calls

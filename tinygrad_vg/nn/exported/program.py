"""What does a torch.export program say?  Its inputs, its ops one after the other, its outputs, and where each stood in the source."""

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any, NamedTuple

import numpy as np

from ...text.lines import clean
from .archive import MODEL, MOST, Meta, Part, as_json, check_size, checked_members, meta_of, stored_arrays

STORED = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}
HELD = STORED | {"buffer_mutation": "buffer_name"}  # kinds of input and output that have a path, and under which key
PLAIN = {"as_int": int, "as_bool": bool, "as_float": float, "as_string": str, "as_scalar_type": int}
IGNORED = {"as_none", "as_layout", "as_device", "as_memory_format"}  # where and how torch keeps an array does not matter here
KEPT_AS = {"dtype", "layout", "device", "memory_format", "pin_memory"}  # keywords: of a result they say no more than its tensor_values
ALIAS = "torch.ops.aten.alias.default"  # so run_decompositions() writes detach(), and x[...], through which a gradient goes:
ALIASED = {"detach": "torch.ops.aten.detach.default", "__getitem__": "torch.ops.aten.clone.default"}  # which, torch_fn says


class Ref(str):
    """The name of a value of the graph."""


class Step(NamedTuple):
    """One op of the graph. outputs: names of its results; line: where it stands in the user's source; calls: the modules it lies in,
    outermost first: (path, class, how often it was called before)."""

    target: str
    positional: list[Any]
    keywords: dict[str, Any]
    outputs: list[str | None]
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
    """The program and the arrays in a file of torch.export.save. ValueError, naming the key or the member of the archive, if anything
    is missing, damaged, larger than `limit` allows (see load_model), or a pickle."""
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
    if len(graph["nodes"].of(list)) > MOST:
        raise ValueError(f"{graph['nodes'].place} has more than {MOST} ops")
    values = Values(metas)
    entries = [entry for entry in signature["input_specs"].each() if entry.union()[0] != "constant_input"]  # a number fixed at the export
    inputs = [values.spec_of(entry, {"user_input", *STORED}, new=True) for entry in entries]
    arrays = stored_arrays(read, limit, {path: metas[name] for kind, name, path in inputs if kind in STORED})
    steps = [values.step_of(node) for node in graph["nodes"].each()]
    outputs = [values.spec_of(entry, {"user_output", "buffer_mutation"}) for entry in signature["output_specs"].each()]
    if strange := {path for kind, _, path in outputs if kind in HELD} - {path for kind, _, path in inputs if kind == "buffer"}:
        raise ValueError(f"{signature.place}.output_specs must name buffers of input_specs, but not {', '.join(sorted(strange))}")
    for key, specs in {"inputs": inputs, "outputs": outputs}.items():
        listed = [values.argument(entry) for entry in graph[key].each()]
        if [x for x in listed if isinstance(x, Ref)] != [x for _, x, _ in specs if isinstance(x, Ref)]:
            raise ValueError(f"{graph.place}.{key} and the signature must name the same values, in one order")
    return Program(inputs, steps, outputs, metas, arrays)


class Values:
    """The names of a graph's values: of which arrays tensor_values tells dtype and sizes, and what has been computed so far."""

    def __init__(self, metas: dict[str, Meta]):
        self.metas, self.known = metas, set[str]()

    def spec_of(self, entry: Part, kinds: set[str], new: bool = False) -> tuple[str, Any, str]:
        """(kind, name in the graph or value, path of a parameter or buffer) of an input or output of one of these kinds."""
        kind, spec = entry.union()
        if kind not in kinds:
            raise entry.error(f"is a {kind}, which is not read")
        if kind in HELD:
            return kind, self.array(spec["arg"], new), spec[HELD[kind]].of(str)
        return kind, self.argument(spec["arg"], new), ""

    def step_of(self, node: Part) -> Step:
        """One op; its results are known from then on."""
        target, positional, keywords = node["target"].of(str), list[Any](), dict[str, Any]()
        for entry in node["inputs"].each():
            name, value, kind = entry["name"].of(str), self.argument(entry["arg"]), entry["kind"].of(int)
            if kind not in (1, 2) or kind == 1 and keywords:
                raise entry["kind"].error("must be 1, by place, or 2, by name, and those come last")
            keywords.update({name: value}) if kind == 2 else positional.append(value)
        results = [self.argument(x, new=True) for x in node["outputs"].each()]
        names = results[0] if len(results) == 1 and isinstance(results[0], list) else results
        if not all(name is None or isinstance(name, Ref) for name in names):
            raise node["outputs"].error("must be names of values")
        metadata = {key: value.of(str) for key, value in node["metadata"].items()}
        line, calls = line_of(metadata.get("stack_trace", "")), calls_of(metadata.get("nn_module_stack", ""))
        if target == ALIAS:
            target = ALIASED.get(metadata.get("torch_fn", "").rpartition(".")[2], ALIAS)
        keywords = {name: value for name, value in keywords.items() if name not in KEPT_AS}
        return Step(target, positional, keywords, names, line, calls)

    def argument(self, part: Part, new: bool = False) -> Any:
        """An argument: a Ref to a value, a number, text, a list of them, or None. new: to a value that nothing has computed before."""
        return self.read(*part.union(), new)

    def read(self, key: str, value: Part, new: bool) -> Any:
        """What stands under as_int, as_tensor, …; under as_ints, as_tensors, … a list of such."""
        if key in PLAIN:
            return value.of(PLAIN[key])
        if key == "as_tensor":
            return self.array(value, new)
        if key == "as_optional_tensor":
            return self.argument(value, new)
        if key in ("as_sym_int", "as_sym_bool", "as_sym_float"):
            return self.reference(value["as_name"], new) if "as_name" in value.of(dict) else self.argument(value, new)
        if key.endswith("s"):
            return [self.read(key[:-1], x, new) for x in value.each()]
        if key not in IGNORED:
            raise value.error("is of a kind that is not read")
        return None

    def array(self, part: Part, new: bool = False) -> Ref:
        """The Ref to an array."""
        if part["name"].of(str) not in self.metas:
            raise part["name"].error("must be the name of an array in tensor_values")
        return self.reference(part["name"], new)

    def reference(self, name: Part, new: bool = False) -> Ref:
        """The Ref to a value. ValueError if nothing before has computed it, or, of a new one, if something has."""
        if (name.of(str) in self.known) == new:
            raise name.error("is the name of two values" if new else "is used before anything has computed it")
        self.known.add(name.value)
        return Ref(name.value)


def line_of(trace: str) -> str | None:
    """The innermost line of the user's own in a stack trace: `model.py:41  h = torch.tanh(z)`."""
    rows = re.findall(r'^ *File "([^"\n]*)", line ([0-9]+).*\n(.*)', trace, re.M)
    own = [row for row in rows if not re.search(r"[/\\]site-packages[/\\]torch[/\\]", row[0])]
    if not own:
        return None
    path, number, code = own[-1]
    return clean(f"{PureWindowsPath(path).name}:{number}  {code.strip()}")


def calls_of(stack: str) -> list[tuple[str, str, int]]:
    """The modules that an op lies in: `L__self___cell@2,cell,torch.nn.modules.rnn.LSTMCell` is the third call of cell."""
    calls = []
    for key, path, kind in (entry.split(",", 2) for entry in stack.split(";") if entry.count(",") >= 2):
        number = key.rpartition("@")[2]
        calls.append((path, kind.rpartition(".")[2], int(number) if re.fullmatch("[0-9]{1,9}", number) else 0))
    return calls

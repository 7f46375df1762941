"""A damaged or hostile file is refused, whole, in seconds and in little memory: an error that names what is wrong, never half a model.

Every file here is made from a stored one by tests/data/make_exported.py.
"""

import copy
import functools
import io
import json
import pathlib
import pickle
import random
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile

import numpy as np
import pytest
from tally import count

from tinygrad_vg import load_model
from tinygrad_vg.nn.exported.program import read_export

DATA = pathlib.Path(__file__).parents[1] / "data" / "exported"
SMALL = ("rnn", "mlp_bn_train", "gru_time_first", "any_batch", "words", "mlp_raw", "compared_raw", "lstm2")
MODEL, CONFIG = "models/model.json", "data/weights/model_weights_config.json"
WRONG = {str: 7, int: "x", float: [], bool: "yes", list: {}, dict: [], type(None): {"x": []}}  # a value of another kind
FEW, MANY = 25, 130  # files of each kind, in a quick run and in a long one


@functools.cache
def members(name):
    """{member: bytes}, without the folder in front, of a stored file."""
    with zipfile.ZipFile(DATA / f"{name}.pt2") as archive:
        return {member.partition("/")[2]: archive.read(member) for member in archive.namelist()}


def packed(files, root="m/"):
    """These members as the bytes of an archive; a list of pairs where a name comes twice."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items() if isinstance(files, dict) else files:
            archive.writestr(zipfile.ZipInfo(root + name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def with_json(name, member, change):
    """The stored file, its JSON changed."""
    value = json.loads(members(name)[member])
    change(value)
    return packed(members(name) | {member: json.dumps(value).encode()})


def keys_in(value, found=None, parent=None):
    """Every (dict, key) in a piece of JSON."""
    found = [] if found is None else found
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(value, dict):
            found.append((value, key))
        keys_in(part, found)
    return found


def said(program):
    """What a program says, without the lines and modules of its ops, which only name nodes."""
    steps = [step._replace(line=None, calls=[]) for step in program.steps]
    arrays = {path: (x.dtype, x.shape, x.tobytes()) for path, x in program.arrays.items()}
    return program.inputs, steps, program.outputs, program.metas, arrays


def outcome(content, name, tmp_path):
    """ "refused", with a message, or "same": what was damaged says nothing (a date in the archive, a key that nobody reads)."""
    path = tmp_path / "m.pt2"
    path.write_bytes(content)
    start = time.process_time()
    try:
        load_model(path)
    except (ValueError, NotImplementedError) as error:
        assert len(str(error)) > 20
        return "refused"
    finally:
        assert time.process_time() - start < 5
    assert said(read_export(path)) == said(read_export(DATA / f"{name}.pt2")), "another model came out"
    return "same"


# ---------------------------------------------------------------- kinds of damage: damage(name, chance) -> the file's bytes


def truncated(name, chance):
    content = (DATA / f"{name}.pt2").read_bytes()
    return content[: chance.randrange(len(content))]


def flipped(name, chance):
    content = bytearray((DATA / f"{name}.pt2").read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


def zeroed(name, chance):
    content = bytearray((DATA / f"{name}.pt2").read_bytes())
    start = chance.randrange(len(content) - 64)
    content[start : start + 64] = bytes(64)
    return bytes(content)


def changed_key(change):
    """Damage at a random key of the model's JSON or of its weights'."""
    def damage(name, chance):
        member = chance.choice([MODEL, CONFIG])
        return with_json(name, member, lambda value: change(*chance.choice(keys_in(value))))
    return damage


def removed(place, key): del place[key]
def renamed(place, key): place[key + "x"] = place.pop(key)
def of_another_kind(place, key): place[key] = WRONG[type(place[key])]


def without_member(name, chance):
    files = dict(members(name))
    del files[chance.choice([member for member in files if not member.startswith(".data") and "sample_inputs" not in member])]
    return packed(files)


def wrong_numbers(name, chance):
    """Sizes, strides, offset or dtype of a weight that are not those of the graph, or not those of its file."""
    key, value = chance.choice([("storage_offset", {"as_int": 1}), ("storage_offset", {"as_int": -1}), ("dtype", 7), ("dtype", 13), ("dtype", 99),
                                ("sizes", [{"as_int": 1 << 40}]), ("sizes", [{"as_int": -3}]), ("strides", [{"as_int": 1 << 50}]), ("layout", 2),
                                ("sizes", []), ("sizes", [{"as_int": 2}] * 70)])

    def change(value_of):
        metas = [entry["tensor_meta"] for entry in value_of["config"].values()]
        chance.choice([meta for meta in metas if meta[key] != value])[key] = value
    return with_json(name, CONFIG, change)


def wrong_everywhere(name, chance):
    """The same, but written into the graph as well, so that only the file of numbers disagrees."""
    config, model = (json.loads(members(name)[member]) for member in (CONFIG, MODEL))
    spec = chance.choice([spec["parameter"] for spec in model["graph_module"]["signature"]["input_specs"] if "parameter" in spec])
    for meta in (config["config"][spec["parameter_name"]]["tensor_meta"], model["graph_module"]["graph"]["tensor_values"][spec["arg"]["name"]]):
        meta |= chance_of(chance.randrange(4), meta)
    return packed(members(name) | {CONFIG: json.dumps(config).encode(), MODEL: json.dumps(model).encode()})


def chance_of(k, meta):
    sizes = [{"as_int": n["as_int"] + 1} for n in meta["sizes"]]
    return [{"storage_offset": {"as_int": 1}}, {"sizes": sizes}, {"strides": [{"as_int": 1000}] * len(sizes)}, {"sizes": [{"as_int": 1 << 34}] * len(sizes)}][k]


def short_weight(name, chance):
    member = chance.choice([member for member in members(name) if "/weight_" in member and len(members(name)[member]) > 8])
    return packed(members(name) | {member: members(name)[member][: -chance.choice([1, 8])]})


def tricky_name(name, chance):
    """A member, or a path in the JSON, that leads out of the archive."""
    trick = chance.choice(["../evil", "/etc/passwd", "a/../../b", "C:\\evil", "..\\evil", "./x", "a//b", MODEL])
    if chance.random() < 0.5:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a name that comes twice
            return packed([(f"m/{member}", content) for member, content in members(name).items()] + [(chance.choice(["", "m/"]) + trick, b"x")], "")

    def change(value):
        chance.choice(list(value["config"].values()))["path_name"] = trick
    return with_json(name, CONFIG, change)


class Evil:
    """A pickle that would write a file."""

    def __reduce__(self): return (EVIL.write_text, ("x",))


def pickled(name, chance):
    """Pickled weights, or a pickle in the place of the file, of the JSON or of the numbers."""
    evil, files, kind = pickle.dumps(Evil()), members(name), chance.randrange(4)
    if kind == 0:
        return evil
    if kind == 1:
        return packed({"data.pkl": evil, "version": b"3"})
    if kind == 2:
        return packed(files | {chance.choice([MODEL, CONFIG]): evil})

    def change(value):
        for entry in value["config"].values():
            entry["use_pickle"] = True
    return with_json(name, CONFIG, change)


def twisted_graph(name, chance):
    """A graph that names what is not there, twice, too early, too large, or an op that nobody has."""
    def change(value):
        graph = value["graph_module"]["graph"]
        node = chance.choice([node for node in graph["nodes"] if "_assert" not in node["target"] and "to.dtype" not in node["target"]])
        tensors = [part["arg"]["as_tensor"] for part in node["inputs"] if "as_tensor" in part["arg"]] or [{}]
        chance.choice([
            lambda: graph["nodes"].reverse() if len(graph["nodes"]) > 2 else graph["nodes"].clear(), lambda: graph["nodes"].append(copy.deepcopy(node)),
            lambda: node.update(target="os.system"), lambda: node.update(target="torch.ops.aten.unknown.default"),
            lambda: tensors[0].update(name="nothing") if tensors[0] else node.clear(), lambda: graph["outputs"].clear(),
            lambda: node["inputs"].extend([{"name": "x", "arg": {"as_int": 1}, "kind": 1}] * 30), lambda: node["inputs"].clear(),
            lambda: next(iter(graph["tensor_values"].values())).update(sizes=[{"as_int": 1 << 60}], strides=[{"as_int": 1}]),
            lambda: value["graph_module"]["signature"]["input_specs"].pop(0), lambda: value["graph_module"]["signature"]["output_specs"].clear(),
            lambda: value["schema_version"].update(major=chance.choice([7, 9, "8", None]))])()
    return with_json(name, MODEL, change)


ALWAYS = {"truncated": truncated, "without a member": without_member, "wrong numbers": wrong_numbers, "wrong everywhere": wrong_everywhere,
          "short weight": short_weight, "tricky name": tricky_name, "pickled": pickled, "twisted graph": twisted_graph}
MOSTLY = {"flipped": flipped, "zeroed": zeroed, "key removed": changed_key(removed), "key renamed": changed_key(renamed),
          "of another kind": changed_key(of_another_kind)}  # some of what is damaged says nothing
EVIL = pathlib.Path(tempfile.gettempdir()) / "evil_was_here"


def tried(kind, number, tmp_path):
    damage, outcomes = (ALWAYS | MOSTLY)[kind], []
    for k in range(number):
        chance, name = random.Random(f"{kind} {k}"), SMALL[k % len(SMALL)]
        outcomes.append(outcome(damage(name, chance), name, tmp_path))
    count("damaged models refused", outcomes.count("refused"))
    assert not EVIL.exists()
    return outcomes.count("refused") / number


@pytest.mark.parametrize("kind", ALWAYS | MOSTLY)
def test_a_damaged_file_is_refused(kind, tmp_path):
    share = tried(kind, FEW, tmp_path)
    assert share == 1 if kind in ALWAYS else share > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALWAYS | MOSTLY)
def test_many_damaged_files_are_refused(kind, tmp_path):
    share = tried(kind, MANY, tmp_path)
    assert share == 1 if kind in ALWAYS else share > 0.3


# ---------------------------------------------------------------- each key is named


@pytest.mark.parametrize("path", [
    "schema_version.major", "graph_module.graph.nodes", "graph_module.graph.tensor_values", "graph_module.graph.inputs", "graph_module.graph.outputs",
    "graph_module.signature.input_specs", "graph_module.signature.output_specs", "graph_module.signature", "graph_module"])
def test_a_missing_key_is_named_with_its_place(path, tmp_path):
    *way, key = path.split(".")
    file = tmp_path / "m.pt2"
    file.write_bytes(with_json("rnn", MODEL, lambda value: functools.reduce(dict.get, way, value).pop(key)))
    with pytest.raises(ValueError, match=f"cannot read a model from .*m.pt2': {'.'.join([MODEL, *way])} has no '{key}'"):
        load_model(file)


@pytest.mark.parametrize("key", ["target", "inputs", "outputs", "metadata"])
def test_a_missing_key_of_an_op_is_named_with_its_number(key, tmp_path):
    file = tmp_path / "m.pt2"
    file.write_bytes(with_json("rnn", MODEL, lambda value: value["graph_module"]["graph"]["nodes"][2].pop(key)))
    with pytest.raises(ValueError, match=rf"graph.nodes\[2\] has no '{key}'"):
        load_model(file)


def test_all_ops_that_are_missing_are_named_at_once_with_their_lines(tmp_path):
    def change(value):
        for k, node in enumerate(value["graph_module"]["graph"]["nodes"][:2]):
            node["target"] = f"torch.ops.aten.strange_{k}.default"

    (tmp_path / "m.pt2").write_bytes(with_json("rnn", MODEL, change))
    with pytest.raises(NotImplementedError, match=r"(?s)uses 2 ops .*strange_0.*make_exported.py:\d+.*strange_1.*run_decompositions\(\)"):
        load_model(tmp_path / "m.pt2")


# ---------------------------------------------------------------- bombs, in a process whose memory is counted


def zeros(n): return bytes(n)


BOMBS = {
    "a member of 300 million zeros": lambda: packed(members("rnn") | {"data/x": zeros(300 << 20)}),
    "JSON of brackets": lambda: packed(members("rnn") | {MODEL: b"[" * 10_000_000}),
    "JSON of empty lists": lambda: packed(members("rnn") | {MODEL: b"[" + b"[]," * 5_000_000 + b"[]]"}),
    "JSON of empty dicts, too long": lambda: packed(members("rnn") | {MODEL: b"[" + b"{}," * 9_000_000 + b"{}]"}),
    "a number of a million digits": lambda: packed(members("rnn") | {MODEL: b'{"schema_version": ' + b"9" * 1_000_000 + b"}"}),
    "a hundred thousand members": lambda: packed(list(members("rnn").items()) + [(f"x{k}", b"") for k in range(100_001)]),
    "a stack trace of many files": lambda: with_json("rnn", MODEL, lambda value: value["graph_module"]["graph"]["nodes"][0]["metadata"].update(
        stack_trace='File "' * 1_000_000, nn_module_stack="a," * 1_000_000 + ";")) + b"",
    "a graph of a hundred thousand ops": lambda: with_json("rnn", MODEL, lambda value: value["graph_module"]["graph"].update(
        nodes=[{"target": "x", "inputs": [], "outputs": [], "metadata": {}}] * 100_000))}
WATCHED = """
import pathlib, resource, sys, time
from tinygrad_vg import load_model
start = time.process_time()
try:
    load_model(sys.argv[1])
    print("loaded", end=" ")
except (ValueError, NotImplementedError) as error:
    print("refused", end=" ")
seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if pathlib.Path("/proc/self/status").exists():  # where ru_maxrss counts what the process that started this one held
    peak = int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
print(seconds, peak / 1024)
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_little_time_and_memory(bomb, tmp_path):
    (tmp_path / "m.pt2").write_bytes(BOMBS[bomb]())
    done = subprocess.run([sys.executable, "-c", WATCHED, str(tmp_path / "m.pt2")], capture_output=True, text=True, timeout=60)
    word, seconds, megabytes = done.stdout.split()
    assert word == ("loaded" if bomb == "a stack trace of many files" else "refused"), done.stderr
    assert float(seconds) < 5 and float(megabytes) < 1000


def test_sizes_that_an_op_is_given_make_no_large_array(tmp_path):
    """The file says (3, 5, 2) of the result and asks for 10¹² entries."""
    def change(value):
        node = next(node for node in value["graph_module"]["graph"]["nodes"] if node["target"].endswith("zeros.default"))
        node["inputs"][0]["arg"] = {"as_ints": [1 << 20, 1 << 20]}

    (tmp_path / "m.pt2").write_bytes(with_json("rnn", MODEL, change))
    with pytest.raises(ValueError, match=r"zeros.default .*it gives a result of shape \(1048576, 1048576\), where the file says"):
        load_model(tmp_path / "m.pt2")(np.ones((3, 5, 2)))


def test_what_an_op_cannot_compute_is_told_with_op_and_line(tmp_path):
    def change(value):
        node = next(node for node in value["graph_module"]["graph"]["nodes"] if node["target"].endswith("select.int"))
        node["inputs"][1]["arg"]["as_int"] = 7

    (tmp_path / "m.pt2").write_bytes(with_json("rnn", MODEL, change))
    with pytest.raises(ValueError, match=r"torch.ops.aten.select.int \(make_exported.py:\d+  return self.head"):
        load_model(tmp_path / "m.pt2")(np.ones((3, 5, 2)))


def test_a_larger_limit_lets_a_large_file_in(tmp_path):
    with pytest.raises(ValueError, match="more than 1000 bytes; if that is right, pass a larger limit="):
        load_model(DATA / "rnn.pt2", limit=1000)

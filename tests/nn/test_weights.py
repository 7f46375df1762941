"""Weights come in whole or not at all: every file that does not fit is refused in words, and then nothing has changed."""

import io
import os
import pathlib
import sys
import warnings
import zipfile

import numpy as np
import pytest

from tinygrad_vg import Tensor, nn, scalars
from tinygrad_vg.nn.layers import Linear
from tinygrad_vg.nn.mlp import MLP
from tinygrad_vg.nn.norms import BatchNorm
from tinygrad_vg.nn.weights import load_weights, read_weights, save_weights


def model(seed=0, leaf=Tensor):
    net = MLP([3, 4, 2], norm="batch", leaf=leaf, rng=seed)
    net.norm1.running_mean = np.random.default_rng(seed).normal(size=4)
    return net


def same(a, b):
    return list(a) == list(b) and all(np.array_equal(a[name], b[name], equal_nan=True) for name in a)


FORMATS = ["npz", "safetensors"]


@pytest.fixture(params=FORMATS)
def suffix(request):
    if request.param == "safetensors":
        pytest.importorskip("safetensors")
    return request.param


@pytest.mark.parametrize("leaf", [Tensor, scalars])
def test_what_is_saved_comes_back(tmp_path, suffix, leaf):
    path = tmp_path / f"net.{suffix}"
    save_weights(model(1), path)
    other = model(2, leaf)
    assert load_weights(other, path) is other
    assert same(other.state_dict(), model(1).state_dict())
    assert os.listdir(tmp_path) == [path.name]
    before = path.read_bytes()
    save_weights(other, path)
    assert path.read_bytes() == before


def test_numpy_reads_what_is_saved_and_the_other_way_round(tmp_path):
    save_weights(model(1), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        assert same(dict(arrays), model(1).state_dict())
        np.savez_compressed(tmp_path / "b.npz", **arrays)
    assert same(load_weights(model(2), tmp_path / "b.npz").state_dict(), model(1).state_dict())


def test_a_name_that_numpy_uses_itself_is_no_trouble(tmp_path):
    class Odd(nn.Module):
        def __init__(self):
            self.file, self.kwds = Tensor(1.5), Tensor([2.0])

    save_weights(Odd(), tmp_path / "odd.npz")
    assert read_weights(tmp_path / "odd.npz")["file"] == 1.5


def test_weights_that_do_not_lie_in_c_order_are_stored_right(tmp_path, suffix):
    norm = BatchNorm(3)
    norm.running_mean, norm.running_var = np.arange(6.0)[::2], np.arange(3.0)[::-1]
    norm.table = np.arange(6.0).reshape(2, 3).T
    save_weights(norm, tmp_path / f"norm.{suffix}")
    back = read_weights(tmp_path / f"norm.{suffix}")
    assert np.array_equal(back["table"], norm.table) and np.array_equal(back["running_var"], norm.running_var)


def test_a_saved_file_is_complete_or_untouched(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"net.{suffix}"
    save_weights(model(1), path)
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        save_weights(model(2), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]
    with pytest.raises(FileNotFoundError, match="there is no folder .*create it"):
        save_weights(model(1), tmp_path / "none" / "net.npz")


def test_a_model_trains_on_after_loading_and_an_old_graph_says_that_it_is_old():
    net = model(1)
    y = net(np.ones((2, 3)))
    load_weights(net, model(2).state_dict())
    with pytest.raises(RuntimeError, match="layer1.* was given new data"):
        y.backward(np.ones(y.shape))


@pytest.mark.parametrize("prefix", ["encoder.", ""])
def test_pytorchs_names_are_taken_module_by_module(prefix):
    rng = np.random.default_rng(3)
    state = {"layer1.weight": rng.normal(size=(4, 3)), "layer1.bias": rng.normal(size=4), "layer2.W": rng.normal(size=(2, 4)),
             "layer2.b": rng.normal(size=2), "norm1.weight": rng.normal(size=4), "norm1.bias": rng.normal(size=4),
             "norm1.running_mean": rng.normal(size=4), "norm1.running_var": rng.random(4),
             "norm1.num_batches_tracked": np.int64(7)}  # fmt: skip
    others = {"decoder.weight": np.ones(3)} if prefix else {}
    net = load_weights(model(), {prefix + name: array for name, array in state.items()} | others, prefix)
    assert np.array_equal(net.layer1.W.data, state["layer1.weight"]) and np.array_equal(net.norm1.gamma.data, state["norm1.weight"])
    assert np.array_equal(net.layer2.W.data, state["layer2.W"]) and np.array_equal(net.norm1.running_var, state["norm1.running_var"])


@pytest.mark.parametrize("suffix", ["", "_l0"])
def test_the_two_biases_of_an_rnn_add_up(suffix):
    rng = np.random.default_rng(4)
    state = {"weight_ih": rng.normal(size=(4, 3)), "weight_hh": rng.normal(size=(4, 4)), "bias_ih": rng.normal(size=4), "bias_hh": rng.normal(size=4)}
    cell = load_weights(nn.RNNCell(3, 4, "relu"), {name + suffix: array for name, array in state.items()})
    assert np.array_equal(cell.b_h.data, state["bias_ih"] + state["bias_hh"]) and np.array_equal(cell.W_xh.data, state["weight_ih"])


def test_everything_that_does_not_fit_is_named_in_one_message_and_nothing_is_changed():
    net, state = model(), model(1).state_dict()
    before = net.state_dict()
    del state["layer1.b"]
    state |= {"layer2.W": np.ones((4, 2)), "norm1.gamma": np.ones(4, complex), "norm1.beta": ["a"] * 4, "extra": np.ones(1),
              "norm1.running_mean": [[1.0], [2.0, 3.0]]}  # fmt: skip
    with pytest.raises(ValueError) as caught:
        load_weights(net, state)
    lines = str(caught.value).split("\n  ")
    assert lines[0] == "these weights do not fit the model; nothing was loaded"
    assert lines[1] == "missing: layer1.b (4,)"
    assert lines[2] == "norm1.gamma holds complex128, the model needs float64"
    assert lines[3] == "norm1.beta holds <U1, the model needs float64"
    assert lines[4].startswith("norm1.running_mean is no array of numbers")
    assert lines[5] == "layer2.W has shape (4, 2), the model needs (2, 4)"
    assert lines[6] == "unexpected: extra" and len(lines) == 7
    assert same(net.state_dict(), before)


def test_the_names_of_an_lstm_that_is_missing_half_are_pytorchs():
    gated = pytest.importorskip("tinygrad_vg.nn.gated")
    with pytest.raises(ValueError) as caught:
        load_weights(gated.LSTMCell(3, 4), {"weight_ih_l0": np.ones((16, 3)), "weight_hh_l0": np.ones((4, 4)), "bias_ih_l0": np.ones(16),
                                            "weight_ih_l0_reverse": np.ones((16, 3))})  # fmt: skip
    assert str(caught.value).split("\n  ")[1:] == [
        "weight_hh_l0 has shape (4, 4), the model needs (16, 4)", "missing: bias_hh_l0 (16,)", "unexpected: weight_ih_l0_reverse"]  # fmt: skip


def test_numbers_too_large_for_a_float32_model_are_refused_and_others_rounded():
    class Small(nn.Module):
        def __init__(self):
            self.w = Tensor(np.ones(2, np.float32))

    assert load_weights(Small(), {"w": [0.1, np.inf]}, finite=False).w.dtype == np.float32
    with pytest.raises(ValueError, match="w has numbers too large for the model's float32"):
        load_weights(Small(), {"w": [1.0, 1e300]})


def test_half_precision_and_whole_numbers_are_taken():
    linear = load_weights(Linear(1, 1), {"W": np.array([[1]], np.int8), "b": np.array([0.5], np.float16)})
    assert linear.W.data == 1.0 and linear.b.data == 0.5 and linear.b.dtype == float


@pytest.mark.parametrize("name", ["net.pt", "net.PTH", "net.bin", "net.ckpt", "net.pkl"])
def test_a_pickle_is_never_opened(tmp_path, name):
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    for use in (lambda path: load_weights(model(), path), lambda path: save_weights(model(), path)):
        with pytest.raises(ValueError, match=r"is a pickle, which can run code .* safetensors.torch.save_file"):
            use(tmp_path / name)


def test_other_suffixes_folders_and_missing_files_are_told_apart(tmp_path):
    with pytest.raises(ValueError, match=r"\.npz or \.safetensors files; got 'net.h5'"):
        load_weights(model(), "net.h5")
    with pytest.raises(FileNotFoundError):
        load_weights(model(), tmp_path / "none.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(IsADirectoryError):
        load_weights(model(), tmp_path / "folder.npz")


def test_a_pickle_inside_an_npz_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", W=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match=r"cannot read weights from .*allow_pickle=False"):
        load_weights(model(), tmp_path / "a.npz")


def test_a_file_that_is_too_large_packed_or_unpacked_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", W=np.zeros(10_000))
    with pytest.raises(ValueError, match="more than 1000 bytes; if that is right, pass a larger limit="):
        load_weights(model(), tmp_path / "a.npz", limit=1000)
    np.savez_compressed(tmp_path / "bomb.npz", W=np.zeros(10_000_000))
    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        load_weights(model(), tmp_path / "bomb.npz", limit=1_000_000)
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            archive.writestr("W.npy", b"")
    with pytest.raises(ValueError, match="two of its arrays have one name"):
        load_weights(model(), tmp_path / "twice.npz")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 55,)})
    with zipfile.ZipFile(tmp_path / "liar.npz", "w") as archive:
        archive.writestr("W.npy", header.getvalue())
    with pytest.raises(ValueError, match="cannot read weights"):
        load_weights(model(), tmp_path / "liar.npz")


def test_without_the_extra_a_safetensors_file_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    (tmp_path / "a.safetensors").write_bytes(b"")
    with pytest.raises(ImportError, match=r'pip install -e "\.\[weights\]"'):
        load_weights(model(), tmp_path / "a.safetensors")
    with pytest.raises(ImportError, match=r'pip install -e "\.\[weights\]"'):
        save_weights(model(), tmp_path / "b.safetensors")
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_bfloat16_says_what_to_do(tmp_path):
    pytest.importorskip("safetensors")
    header = b'{"W":{"dtype":"BF16","shape":[1,1],"data_offsets":[0,2]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}'
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(6))
    with pytest.raises(ValueError, match=r"NumPy has no such numbers: W \(BF16\); convert them first, in PyTorch with tensor.float\(\)"):
        load_weights(Linear(1, 1), tmp_path / "a.safetensors")


def test_a_safetensors_file_of_others_has_no_sum_and_loads(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file({"weight": np.ones((1, 2), np.float32), "bias": np.zeros(1, np.float32)}, tmp_path / "a.safetensors")
    assert np.array_equal(load_weights(Linear(2, 1), tmp_path / "a.safetensors").W.data, np.ones((1, 2)))


def spoiled(content, state, rng):
    """A damaged copy of a weight file: cut short, bits flipped, bytes overwritten, something put in."""
    kind, bytes_, place = rng.integers(5), bytearray(content), int(rng.integers(len(content)))
    if kind == 0:
        return bytes(bytes_[:place])
    if kind == 1:
        bytes_[place] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        for at in rng.integers(len(bytes_), size=5):
            bytes_[at] ^= 1 << int(rng.integers(8))
    elif kind == 3:
        bytes_[place : place + 8] = rng.bytes(8)
    else:
        bytes_[place:place] = rng.bytes(int(rng.integers(1, 20)))
    return bytes(bytes_)


def reordered(state, rng):
    """The state with one name or one shape or one kind of number wrong; the name of what is wrong."""
    state, name = dict(state), list(state)[rng.integers(len(state))]
    array, kind = state.pop(name), rng.integers(5)
    if kind == 1:
        name = name[:-1] + "?"
        state[name] = array
    elif kind == 2:
        state[name] = array[..., :-1]
    elif kind == 3:
        state[name] = array[None]
    elif kind == 4:
        state[name] = array.astype(complex)
    return state, name


def refused_or_right(net, path, right, before):
    """Load the file: the right data, or a ValueError and an untouched model. Returns the message, if there is one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_weights(net, path)
    except ValueError as error:
        assert same(net.state_dict(), before), "a partial load"
        assert str(path) in str(error)
        return str(error)
    assert same(net.state_dict(), right), "the wrong data"
    load_weights(net, before)
    return None


def test_six_hundred_damaged_files_are_refused_or_give_the_right_data(tmp_path, suffix):
    rng, net, right = np.random.default_rng(10), model(1), model(2).state_dict()
    before, path = net.state_dict(), tmp_path / f"net.{suffix}"
    save_weights(model(2), path)
    content = path.read_bytes()
    refusals = 0
    for _ in range(600):
        path.write_bytes(spoiled(content, right, rng))
        refusals += refused_or_right(net, path, right, before) is not None
    assert refusals > 400


def test_four_hundred_files_with_a_wrong_name_shape_or_kind_are_refused_by_name(tmp_path):
    rng, net, right = np.random.default_rng(11), model(1), model(2).state_dict()
    before, path = net.state_dict(), tmp_path / "net.npz"
    for _ in range(400):
        state, name = reordered(right, rng)
        np.savez(path, **state)
        message = refused_or_right(net, path, right, before)
        assert name in message and "nothing was loaded" in message


def test_a_dict_of_torch_tensors_needs_no_torch_here():
    class TorchTensor:
        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            if self.array is None:
                raise TypeError("Got unsupported ScalarType BFloat16")
            return self.array

    net = load_weights(Linear(2, 1), {"weight": TorchTensor(np.ones((1, 2), np.float32)), "bias": TorchTensor(np.zeros(1))})
    assert np.array_equal(net.W.data, np.ones((1, 2)))
    with pytest.raises(ValueError, match="weight is no array of numbers: Got unsupported ScalarType BFloat16"):
        load_weights(net, {"weight": TorchTensor(None), "bias": TorchTensor(np.zeros(1))})


def test_the_answers_of_pytorch_are_readable_as_weights_themselves():
    path = pathlib.Path(__file__).parents[1] / "data" / "torch_answers.npz"
    assert set(read_weights(path)) >= {"linear/state/weight", "lstm/grad/bias_hh_l0"}
    net = load_weights(Linear(3, 4), path, prefix="linear/state/")
    assert np.array_equal(net.W.data, read_weights(path)["linear/state/weight"])

"""What a newcomer is likely to write, and what the answer says: the words that tell them what to write in its place."""

import copy
import inspect
import math
import pickle
import pydoc
import re
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_vg as tg
from tinygrad_vg import Scalar, Tensor, hints, nn, no_grad, scalars, square, training
from tinygrad_vg.cli.main import COMMANDS, main


def fresh():
    """A little of everything, new for each mistake."""
    t, s = Tensor([[1.0, 2.0], [3.0, 4.0]], name="t"), Scalar(2.0, name="s")
    cell, lstm, layer = nn.RNNCell(2, 2), nn.LSTMCell(2, 2), nn.Linear(2, 1)
    return SimpleNamespace(t=t, s=s, cell=cell, lstm=lstm, layer=layer, x=np.ones(2))


def decay(m):
    m.t.data -= 0.1


def step_of_a_computed_weight(m):
    m.layer.W = m.layer.W - 0.1


def step_of_computed_scalars(m):
    layer = nn.Linear(2, 1, leaf=scalars)
    layer.b = layer.b - 0.1


def with_no_parentheses(m):
    with no_grad:
        pass


def with_no_parentheses_either(m):
    with tg.detect_anomaly:
        pass


class Forward(nn.Module):
    def forward(self, x):
        return x


def fitted(m, batches, steps=3):
    return training.fit(m.layer, lambda net, batch: square(net(batch[0])).sum(), batches, training.SGD(m.layer, 0.1), steps)


MISTAKES = [
    # numbers and arrays
    (lambda m: tg.grad(np.sum(np.round(m.t)), m.t), TypeError, "got float", "np.round"),
    (lambda m: float(m.t), TypeError, "t would lose its gradient", ".item()"),
    (lambda m: int(m.s), TypeError, "s would lose its gradient", ".item()"),
    (lambda m: math.tanh(m.s), TypeError, "x.tanh()", "tanh(x) from tinygrad_vg"),
    (lambda m: math.exp(m.s), TypeError, "math.exp(x)", "x.exp()"),
    (lambda m: np.array([m.t, m.t]), TypeError, ".data", "stack([…])"),
    (lambda m: Tensor([m.t, m.t]), TypeError, "a Tensor was given a list that holds t, t", "stack([…])"),
    (lambda m: tg.stack(m.t, m.t), TypeError, "stack([a, b])"),
    (lambda m: tg.concatenate(m.t, m.t), TypeError, "concatenate([a, b])"),
    (decay, ValueError, "read-only"),
    (lambda m: np.linalg.pinv(m.t), TypeError, "np.linalg.pinv", "try np.linalg.solve(A.T @ A, A.T)"),
    (lambda m: np.linalg.svd(m.t), TypeError, "np.linalg.svd", "compute_uv=False"),
    (lambda m: np.corrcoef(m.t), TypeError, "np.corrcoef", "np.cov(x)"),
    (lambda m: np.heaviside(m.s, 0.5), TypeError, "np.heaviside has no derivative here", "try where(x == 0, h,"),
    # habits of PyTorch: tensors
    (lambda m: m.t.numpy(), AttributeError, "a Tensor has no .numpy", "x.data"),
    (lambda m: m.t.requires_grad, AttributeError, "every Tensor and Scalar is differentiable"),
    (lambda m: m.t.requires_grad_(), AttributeError, "every Tensor and Scalar is differentiable"),
    (lambda m: m.t.view(4), AttributeError, "x.reshape"),
    (lambda m: m.t.clamp(0, 1), AttributeError, "x.clip(lo, hi)"),
    (lambda m: m.t.cpu(), AttributeError, "nothing to move"),
    (lambda m: m.t.to("cuda"), AttributeError, "nothing to move"),
    (lambda m: m.t.t(), AttributeError, "x.T"),
    (lambda m: m.t.unsqueeze(0), AttributeError, "expand_dims(x, axis)"),
    (lambda m: m.t.norm(), AttributeError, "np.linalg.norm(x)"),
    (lambda m: m.t.zero_(), AttributeError, "x.zero_grad()"),
    (lambda m: m.s.numpy(), AttributeError, "a Scalar has no .numpy"),
    (lambda m: Tensor([1.0], requires_grad=True), TypeError, "Tensor() got an unexpected keyword argument 'requires_grad'", "every Tensor and Scalar is differentiable"),
    (lambda m: Tensor([1.0], dtype=np.float32), TypeError, "Tensor(np.asarray(x, np.float32))"),
    (lambda m: Scalar(1.0, nmae="w"), TypeError, "Scalar() got an unexpected keyword argument 'nmae'", "did you mean name?"),
    (lambda m: m.t.sum(dim=0), TypeError, "axis="),
    (lambda m: tg.softmax(m.t, dim=0), TypeError, "softmax() got an unexpected keyword argument 'dim'", "axis="),
    (lambda m: tg.mean(m.t, axis=0, keepdim=True), TypeError, "keepdims="),
    (lambda m: m.t.sum().backward(retain_graph=True), TypeError, "unexpected keyword argument 'retain_graph'"),
    # names
    (lambda m: tg.sigmiod, AttributeError, "module 'tinygrad_vg' has no attribute 'sigmiod'; did you mean sigmoid?"),
    (lambda m: tg.tensor([1.0]), AttributeError, "Tensor(array)"),
    (lambda m: tg.cat, AttributeError, "concatenate([a, b], axis)"),
    (lambda m: tg.optim, AttributeError, "training.SGD"),
    (lambda m: nn.Lstm, AttributeError, "did you mean LSTMCell?"),
    (lambda m: nn.RNN, AttributeError, "nn.RNNCell", "time"),
    (lambda m: nn.LSTM, AttributeError, "nn.LSTMCell"),
    (lambda m: nn.Parameter, AttributeError, "self.W = Tensor("),
    (lambda m: nn.Sequential, AttributeError, "nn.MLP(sizes)"),
    (with_no_parentheses, TypeError, "with no_grad():"),
    (with_no_parentheses_either, TypeError, "with detect_anomaly():"),
    (lambda m: no_grad(square), TypeError, "@no_grad()"),
    # networks
    (lambda m: nn.MLP(3, 4, 2), TypeError, "MLP([3, 4, 2])"),
    (lambda m: nn.MLP(3), TypeError, "sizes is one list"),
    (lambda m: nn.RNNCell(2, 2, inti="he"), TypeError, "RNNCell() got an unexpected keyword argument 'inti'; did you mean init?"),
    (lambda m: nn.LSTMCell(2, 2, forget_bais=1.0), TypeError, "LSTMCell", "did you mean forget_bias?"),
    (lambda m: nn.Reservoir(2, 2, raduis=1.0), TypeError, "Reservoir", "did you mean radius?"),
    (lambda m: nn.Linear(2, 2, inti="he"), TypeError, "Linear", "did you mean init?"),
    (lambda m: nn.MLP([2, 2], activaton="relu"), TypeError, "MLP", "did you mean activation?"),
    (lambda m: nn.BatchNorm(2, momentun=0.1), TypeError, "BatchNorm", "did you mean momentum?"),
    (lambda m: nn.RNNCell(2, 2, nonlinearity="relu"), TypeError, "activation="),
    (lambda m: nn.MLP([2, 2], hidden_size=3), TypeError, "MLP() got an unexpected keyword argument 'hidden_size'; it takes sizes, activation"),
    (lambda m: nn.Linear(2, out_features=3), TypeError, "Linear() got an unexpected keyword argument 'out_features'; the word is n_out="),
    (lambda m: nn.LayerNorm(2, bias=False), TypeError, "LayerNorm() got an unexpected keyword argument 'bias'", "there always is one"),
    (lambda m: nn.Dropout(0.1, inplace=True), TypeError, "Dropout() got an unexpected keyword argument 'inplace'; it takes p, rng, seeds"),
    (lambda m: m.layer(nn.unroll(m.lstm, np.ones((3, 2)))[-1]), TypeError, "holds h[3], c[3]", "cell.output(state)"),
    (lambda m: m.cell(m.x, None), TypeError, "cell.initial_state()"),
    (lambda m: m.lstm(m.x, None), ValueError, "initial_state()"),
    (lambda m: m.cell.zero_grad(), AttributeError, "optimiser.zero_grad()"),
    (lambda m: m.cell.load_state_dict({}), AttributeError, "nn.load_weights(net, state)"),
    (lambda m: m.cell.named_parameters(), AttributeError, "{name: leaf}"),
    (lambda m: m.layer.weight, AttributeError, "net.W"),
    (lambda m: m.cell.weight_hh_l0, AttributeError, "net.W_hh"),
    (lambda m: Forward()(m.x), TypeError, "__call__"),
    (step_of_a_computed_weight, TypeError, "W is a leaf", "net.W.data = net.W.data"),
    (step_of_computed_scalars, TypeError, "b is a leaf"),
    # training and questions
    (lambda m: fitted(m, (np.ones((4, 2)), np.ones((4, 1)))), TypeError, "an iterable of batches", "(4, 2), (4, 1)", "[batch] * 3"),
    (lambda m: fitted(m, [(np.ones((4, 2)), 0)]), ValueError, "one batch", "[batch] * 3"),
    (lambda m: training.SGD(m.layer, 0.1).step(), RuntimeError, "W, b have none", "loss.backward()"),
    (lambda m: tg.grad(lambda x: x, 3.0), TypeError, "got function", "call it first"),
    (lambda m: tg.grad(m.t.sum().item(), m.t), TypeError, "got float", "leave out .data and .item()"),
    (lambda m: tg.jacobian(np.tanh, m.t), TypeError, "jacobian needs a node", "call it first"),
    (lambda m: tg.hessian(lambda x: x, m.t), TypeError, "call it first"),
]  # fmt: skip


@pytest.mark.parametrize("mistake, kind, said", [(call, kind, words) for call, kind, *words in MISTAKES])
def test_a_mistake_is_answered_with_what_to_write(mistake, kind, said):
    with pytest.raises(kind) as caught:
        mistake(fresh())
    assert not [words for words in said if words not in str(caught.value)], str(caught.value)


def test_a_command_that_is_not_there_is_answered_with_those_that_are(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["chian", "rnn"])
    said = capsys.readouterr().err
    assert "did you mean chain?" in said
    assert all(command in said for command in COMMANDS)


# --- and nothing else has changed


@pytest.mark.parametrize("name", [*hints.NODES])
def test_an_attribute_that_is_not_here_is_not_here(name):
    for x in (Tensor([1.0]), Scalar(1.0)):
        assert not hasattr(x, name)
        assert getattr(x, name, None) is None
        assert name not in dir(x)


def test_signatures_are_those_of_the_source():
    """No **unknown, and no wrapper to be seen."""
    shown = {thing: str(inspect.signature(thing)) for thing in (Scalar, Tensor, nn.Linear, nn.Dropout, tg.sum, Tensor.softmax)}
    assert not [thing for thing, text in shown.items() if "unknown" in text or "args" in text]
    assert list(inspect.signature(Tensor).parameters) == ["data", "name"]
    assert list(inspect.signature(tg.var).parameters) == ["x", "axis", "ddof", "keepdims"]
    assert "def softmax" in inspect.getsource(tg.softmax) and pickle.loads(pickle.dumps(tg.softmax)) is tg.softmax


def test_nothing_stands_between_a_user_and_backward():
    assert all("autodiff" in kind.backward.__code__.co_filename for kind in (Tensor, Scalar))
    assert not [name for name in tg.OPS if hasattr(tg.OPS[name], "__wrapped__")]  # and inside the package the ops are called


def test_detect_anomaly_names_the_line_of_the_user():
    with tg.detect_anomaly(), pytest.raises(FloatingPointError, match=re.escape("test_likely_mistakes.py")):
        tg.sum(Tensor([1.0, 2.0]) - [np.nan, 0.0])
    with tg.detect_anomaly(), np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=r"sum made inf .*test_likely_mistakes.py"):
        Tensor([1e308, 1e308]).sum()


def test_a_misspelt_argument_inside_a_class_of_your_own_goes_by_its_name():
    class Mine(Tensor):
        __slots__ = ()

        def __init__(self, data, unit="m", **options):
            super().__init__(data, **options)

    class Net(nn.Module):
        def __init__(self, n):
            self.n = n

    assert str(Mine([1.0], name="x").name) == "x"
    with pytest.raises(TypeError, match=re.escape("Mine() got an unexpected keyword argument 'unot'; did you mean unit?")):
        Mine([1.0], unot="s")
    with pytest.raises(TypeError, match=re.escape("Mine() got an unexpected keyword argument 'label'; it takes data, unit, name")):
        Mine([1.0], label="x")
    with pytest.raises(TypeError, match="unexpected keyword argument 'bias'"):
        Net(2, bias=True)


def test_an_attribute_of_your_own_is_found_in_dir():
    class Mine(Tensor):
        __slots__ = ()

        def clone(self):
            return "mine"

    assert Mine([1.0]).clone() == "mine" and "clone" in dir(Mine([1.0])) and "numpy" not in dir(Mine([1.0]))


def test_what_is_there_is_found_in_dir():
    assert {"data", "grad", "backward", "reshape", "T", "tanh"} <= set(dir(Tensor([1.0])))
    assert {"W", "b", "parameters", "__call__"} <= set(dir(nn.Linear(1, 1)))


@pytest.mark.parametrize("name", ["__array_interface__", "__array_struct__", "__deepcopy__", "__copy__", "__getstate_of_nothing__", "_repr_html_"])
def test_a_protocol_that_looks_for_an_attribute_is_told_no_plainly(name):
    for x in (Tensor([1.0]), Scalar(1.0), nn.Linear(1, 1), tg, nn):
        if not hasattr(type(x), name):
            with pytest.raises(AttributeError) as caught:
                getattr(x, name)
            assert "did you mean" not in str(caught.value)


def test_leaves_and_models_copy_and_pickle_as_before():
    for x in (Tensor([1.0, 2.0], name="x"), Scalar(2.0, name="x")):
        for again in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
            assert type(again) is type(x) and again is not x
            assert str(again.name) == "x" and np.array_equal(again.data, x.data)
    net = nn.MLP([2, 3, 1], norm="layer")
    for again in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(again.parameters()) == list(net.parameters())
        assert np.array_equal(again(np.ones(2)).data, net(np.ones(2)).data)


def test_numpy_finds_what_it_looks_for():
    t, s = Tensor([1.0, 2.0]), Scalar(2.0)
    assert type(np.tanh(t)) is Tensor and type(np.sum(t)) is Tensor and type(np.float64(2) * t) is Tensor
    assert type(np.tanh(s)) is Scalar and type(np.float64(2) * s) is Scalar
    assert np.array([s, s]).dtype == object
    assert np.shape(t) == (2,) and np.ndim(s) == 0 and bool(np.all(np.isfinite(t)))
    assert f"{s:.1f}" == "2.0"


def test_a_name_of_pytorch_is_free_for_a_model_of_your_own():
    class Net(nn.Module):
        def __init__(self):
            self.weight, self.to = Tensor([1.0]), 3
            self.h = np.zeros(2)

        def zero_grad(self):
            return "mine"

    net = Net()
    net.weight = Tensor([2.0])  # a leaf for a leaf
    net.weight.data = [3.0]
    net.h = net.h + 1
    assert (net.to, net.zero_grad(), list(net.parameters()), list(net.buffers())) == (3, "mine", ["weight"], ["h"])
    net.weight = net.weight.data  # a constant from now on
    assert not net.parameters()
    net.made = net.h * Tensor([1.0])  # computed, but nothing is lost
    net.made = net.made * 2


def test_batches_that_are_right_are_let_through():
    batch = (np.ones((4, 2)), 0)
    for batches, steps in (([batch], 1), ([batch] * 3, 3), (iter([batch]), 3), ((batch, batch), 2), ([batch] * 2, 5)):
        assert fitted(fresh(), batches, steps).steps in (1, 2, 3)


def test_one_gradient_is_enough_for_a_step():
    m = fresh()
    square(m.layer.b).sum().backward()
    training.SGD(m.layer, 0.1).step()
    assert m.layer.W.grad is None


# --- the hints


TABLES = {name: getattr(hints, name) for name in ("NODES", "PACKAGE", "NN", "MODULES", "KEYWORDS", "NUMPY")}
PLACES = {"x": (Tensor([[1.0]]),), "np": (np,), "nn": (nn,), "training": (training,), "net": (nn.Linear(1, 1), nn.RNNCell(1, 1), nn.LSTMCell(1, 1))}
PLAIN = re.compile(r"(?<![\w.])([a-z_]\w*)\(")
DOTTED = re.compile(rf"(?<![\w.])({'|'.join(PLACES)})\.(\w+)")


@pytest.mark.parametrize("table", TABLES)
def test_a_hint_names_only_what_exists(table):
    named = 0
    for word, hint in TABLES[table].items():
        for name in set(PLAIN.findall(hint)) - {"net"}:
            named += 1
            assert hasattr(tg, name) or hasattr(training.SGD, name), (word, name)
        for place, name in DOTTED.findall(hint):
            named += 1
            assert any(hasattr(one, name) for one in PLACES[place]), (word, place, name)
    assert named > 2


def test_a_hint_is_for_what_is_not_here():
    assert not [name for name in hints.NN if hasattr(nn, name)]
    assert not [name for name in hints.PACKAGE if name in tg.__all__ and name not in hints.NODES]
    assert not [name for name in hints.NODES if name in vars(Tensor) or name in vars(Scalar)]
    assert not [name for name in hints.NUMPY if getattr(np, name, None) in tg.autodiff.protocols.NUMPY]
    for kind, table in ((tg.Node, hints.NODES), (nn.Module, hints.MODULES)):
        assert not [name for name in table if not isinstance(vars(kind)[name], hints.NotHere)]


def test_help_shows_no_lambda_and_no_note_to_a_formatter():
    for thing in (Tensor, Scalar, nn.Linear, nn.RNNCell):
        shown = pydoc.plain(pydoc.render_doc(thing))
        assert "lambda" not in shown and "fmt:" not in shown
    assert all(getattr(Tensor, name).__doc__ for name in ("shape", "ndim", "size", "dtype", "T", "data", "grad"))
    assert "time comes first" in nn.unroll.__doc__
    for switch in (no_grad, tg.detect_anomaly):
        assert "Inside `with " in pydoc.plain(pydoc.render_doc(switch))


# --- cases from bug reports of other libraries: what an error recommends is right, to the letter


def test_public_norm_hint_at_zero():
    """np.linalg.norm records, so that nothing has to be recommended; it is flat at 0."""
    x = Tensor(np.zeros((2, 1)), name="x")
    assert np.array_equal(tg.grad(np.exp(-(np.linalg.norm(x) ** 2)), x), [[0.0], [0.0]])


def test_public_norm_hint_axis():
    x = Tensor([[3.0, 4.0], [0.0, 5.0]], name="x")
    assert np.array_equal(np.linalg.norm(x, axis=1).data, [5.0, 5.0]) and np.array_equal(np.linalg.norm(x, 1, axis=1).data, [7.0, 5.0])


def test_public_sort_2d_hint():
    x = Tensor([[3.0, 1.0, 2.0], [9.0, 7.0, 8.0]], name="x")
    w = np.array([[1.0, 10.0, 100.0], [1.0, 10.0, 100.0]])
    assert np.array_equal(np.sort(x).data, [[1, 2, 3], [7, 8, 9]])
    assert np.array_equal(tg.grad((np.sort(x) * w).sum(), x), [[100, 1, 10], [100, 1, 10]])


def test_public_log10_did_you_mean():
    said = {}
    for name in ("pad", "sort", "convolve", "pi", "lgamma", "linalg", "cumsum"):
        with pytest.raises(AttributeError) as caught:
            getattr(tg, name)
        said[name] = str(caught.value)
    assert "write np.pad, which records" in said["pad"] and "write np.sort(x)" in said["sort"] and tg.log10 is tg.OPS["log10"]
    assert "np.pi is for plain values" in said["pi"]
    assert not [text for text in said.values() if "did you mean" in text]


def test_no_name_of_numpy_is_answered_with_another_function():
    for name in [name for name in {*dir(np), *dir(np.linalg), *dir(math)} - {*dir(tg)} if name[0] != "_"]:
        with pytest.raises(AttributeError) as caught:
            getattr(tg, name)
        assert "did you mean" not in str(caught.value), name


@pytest.mark.parametrize("leaf", [Tensor, Scalar])
def test_a_training_step_in_place_warns_that_the_leaf_stays_what_it_was(leaf):
    w = first = leaf(1.0, name="w")
    first -= 1.0  # before a backward pass it is a computation like any other
    square(first - w).backward()
    step = w
    with pytest.warns(UserWarning, match=r"the leaf w keeps its value; .* w\.data = w\.data - lr \* w\.grad"):
        step -= 0.5 * w.grad
    assert step is not w and w.item() == 1.0
    step -= w.grad  # a computed node is no leaf
    w -= step  # and a step is a plain value


def test_a_function_of_scipy_says_that_it_takes_plain_arrays():
    linalg = pytest.importorskip("scipy.linalg", reason="needs scipy")
    with pytest.raises(TypeError, match="A would lose its gradient .* SciPy's functions take plain arrays"):
        linalg.solve_triangular(Tensor(np.eye(2), name="A"), np.ones(2))
    with pytest.raises(TypeError) as caught:
        np.asarray(Tensor(1.0))
    assert "SciPy" not in str(caught.value)


def test_public_mt_hint():
    q = Tensor(np.arange(12.0).reshape(2, 3, 2), name="q")
    assert (q @ q.mT).shape == (2, 3, 3)
    for way in (lambda: q @ q.T, lambda: q @ q.transpose(1, 0)):
        with pytest.raises(ValueError) as caught:
            way()
        assert "swapaxes(x, -1, -2)" in str(caught.value)
    with pytest.raises(ValueError, match="^matmul: Input operand 1"):  # NumPy says its name, too: once is enough
        q @ q
    assert (q @ tg.swapaxes(q, -1, -2)).shape == (2, 3, 3)

"""What did a reader of PyTorch or NumPy mean by that name?  Habits of other libraries, and what to write here.

No other room knows of this one: at the end of the import attach() adds the words from outside. Only what fails comes here;
what works is not slowed down (a `__getattr__` would make every method of a node slower).
In the hints x is a node, net a model, n a number of entries; functions are those of the package.
"""

import functools
import inspect
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import numpy as np

from . import nn
from .autodiff import arrays, protocols
from .autodiff.core import Node, describe
from .autodiff.scalar import Scalar
from .autodiff.tensor import Tensor


def words(table: dict[str, str]) -> dict[str, str]:
    """A row with several words as one row for each."""
    return {word: hint for several, hint in table.items() for word in several.split()}


NUMPY = words({  # NumPy's functions that do not record
    "linalg.pinv":                         "np.linalg.solve(A.T @ A, A.T), for a matrix whose columns are independent",
    "linalg.lstsq":                        "np.linalg.solve(A.T @ A, A.T @ b), for a matrix whose columns are independent",
    "linalg.cond":                         "np.linalg.svdvals(A)[0] / np.linalg.svdvals(A)[-1]",
    "linalg.qr":                           "np.linalg.cholesky(A.T @ A).T, which is R with a positive diagonal",
    "linalg.eigvals":                      "np.linalg.eigvalsh(A), for a symmetric matrix",
    "linalg.eig":                          "np.linalg.eigh(A), for a symmetric matrix",
    "vander":                              "x[:, None] ** np.arange(n)[::-1]",
    "logspace":                            "10.0 ** np.linspace(a, b, n)",
    "geomspace":                           "np.exp(np.linspace(np.log(a), np.log(b), n))",
    "correlate":                           "np.convolve(a, v[::-1], 'valid')",
    "corrcoef":                            "np.cov(x) / np.outer(np.std(x, axis=1, ddof=1), np.std(x, axis=1, ddof=1))",
    "ediff1d":                             "np.diff(x.reshape(-1))",
    "nanmax":                              "np.max(x, axis, where=~np.isnan(x), initial=-np.inf)",
    "nanmin":                              "np.min(x, axis, where=~np.isnan(x), initial=np.inf)",
    "insert":                              "concatenate([x[:i], values, x[i:]])",
    "put put_along_axis copyto putmask place fill_diagonal": "where(mask, values, x), which makes a new node",
    "angle":                               "where(x < 0, np.pi, 0.0)",
    "heaviside":                           "where(x == 0, h, where(x > 0, 1.0, 0.0))",
    "choose":                              "np.select([i == 0, i == 1], [a, b])"})
METHODS = {".outer": "; give one a new axis, a[:, None] and b", ".accumulate": "; use np.cumsum or np.cumprod"}  # of ufuncs
LIKE_NUMPY = "sort flip roll tile tril triu diag median partition diff argpartition nonzero ptp".split()  # as methods of other libraries
NODES = {name: f"write np.{name}(x)" for name in LIKE_NUMPY} | words({  # of a tensor
    "norm":                                "write np.linalg.norm(x)",
    "numpy":                               "x.data is the plain array",
    "tolist":                              "write x.data.tolist()",
    "requires_grad requires_grad_":        "every Tensor and Scalar is differentiable; what is not to be is a plain array",
    "grad_fn is_leaf":                     "x.op says what made x ('leaf' if nothing did), x.parents what it was made from",
    "retain_grad":                         "every node keeps its .grad, unless you say x.backward(keep=False)",
    "clone copy":                          "a node is never changed in place and needs no copy; Tensor(x.data) starts a new graph",
    "zero_ fill_ copy_ add_ sub_ mul_ div_ clamp_ detach_":
                                           "nothing is changed in place: x.data = … gives a leaf new values, x.zero_grad() drops its .grad",
    "view flatten":                        "write x.reshape(2, 3) or x.reshape(-1)",
    "t permute":                           "write x.T or x.transpose(1, 0), for a batch of matrices swapaxes(x, -1, -2)",
    "unsqueeze":                           "write expand_dims(x, axis)",
    "expand expand_as":                    "write broadcast_to(x, shape)",
    "clamp":                               "write x.clip(lo, hi)",
    "mm bmm mv matmul":                    "write a @ b",
    "add sub mul div pow":                 "write a + b, a - b, a * b, a / b, a ** b",
    "masked_fill":                         "write where(mask, value, x)",
    "index_select":                        "write x[indices] or take(x, indices, axis)",
    "gather take_along_axis":              "write np.take_along_axis(x, indices, axis)",
    "cpu cuda to device":                  "there is nothing to move, all is NumPy; x.astype(np.float32) changes the dtype",
    "float double half":                   "write x.astype(np.float32) or x.astype(np.float64)",
    "dim numel":                           "write x.ndim or x.size",
    "argmax argmin argsort any all":       "there is no gradient in it: x.data has this method",
    "round floor ceil":                    "its derivative is 0 everywhere: x.data has plain values"})
PACKAGE = NODES | words({  # names of the package
    "tensor as_tensor from_numpy array":   "write Tensor(array)",
    "zeros ones empty full eye arange linspace rand randn": "arrays come from NumPy, as in Tensor(np.zeros(3))",
    "cat vstack hstack":                   "write concatenate([a, b], axis)",
    "dot":                                 "write a @ b",
    "expit":                               "write sigmoid(x)",
    "logsigmoid":                          "write -softplus(-x)",
    "rsqrt":                               "write 1 / sqrt(x)",
    "logit":                               "write log(x) - log1p(-x)",
    "selu celu hardtanh softsign":         "give it a row with elementwise(), or write it in other ops",
    "vjp":                                 "write grad(output, inputs, seed)",
    "stop_gradient":                       "x.data is a constant wherever it is used",
    "Module Linear MLP":                   "it is in nn",
    "optim":                               "the optimisers are training.SGD, training.Adam …",
    "functional F":                        "functions such as relu(x) are here, losses are nn.mse and nn.cross_entropy",
    "autograd":                            "write grad(output, inputs), or output.backward()",
    "set_grad_enabled inference_mode enable_grad": "write `with no_grad():` where nothing is to be recorded; elsewhere all is",
    "manual_seed random":                  "whatever is random takes rng=, a seed or a Generator",
    "save load":                           "write nn.save_weights(net, path) and nn.load_weights(net, path)"})
NN = words({  # names of nn
    "RNN":                                 "write nn.unroll(nn.RNNCell(n_in, n_hidden), inputs), with time as the first axis",
    "LSTM":                                "write nn.unroll(nn.LSTMCell(n_in, n_hidden), inputs), with time as the first axis",
    "GRU":                                 "write nn.unroll(nn.GRUCell(n_in, n_hidden), inputs), with time as the first axis",
    "Parameter":                           "a leaf is a parameter wherever it is an attribute: self.W = Tensor(array, name='W')",
    "Sequential ModuleList ModuleDict":    "write nn.MLP(sizes), or a subclass of nn.Module: it finds the layers in lists and dicts",
    "ReLU LeakyReLU Tanh Sigmoid ELU GELU Softplus Softmax LogSoftmax":
                                           "a function does it, as relu(x); in a cell or an MLP it is activation='relu'",
    "CrossEntropyLoss NLLLoss":            "write nn.cross_entropy(logits, labels)",
    "MSELoss":                             "write nn.mse(output, target)",
    "BatchNorm1d BatchNorm2d":             "write nn.BatchNorm(n)",
    "MultiheadAttention":                  "write nn.Attention(d, heads), with the batch as the first axis",
    "TransformerEncoderLayer":             "write nn.TransformerBlock(d, heads, 'post'), or 'pre', with the batch as the first axis",
    "BCELoss BCEWithLogitsLoss":           "write nn.binary_cross_entropy(logits, target), without a sigmoid before it",
    "HuberLoss SmoothL1Loss":              "write nn.huber(output, target)",
    "KLDivLoss":                           "write nn.kl(log_softmax(logits), p)",
    "functional":                          "functions such as relu(x) are in the package itself, losses are nn.mse and nn.cross_entropy",
    "utils":                               "write training.clip_norm(net, threshold)"})
MODULES = words({  # attributes of a model
    "forward":                             "a model's formula is its __call__: write net(x)",
    "zero_grad":                           "write optimiser.zero_grad(), or zero_grad() of each of net.parameters().values()",
    "load_state_dict":                     "write nn.load_weights(net, state)",
    "named_parameters":                    "net.parameters() is {name: leaf}",
    "named_buffers":                       "net.buffers() is {name: array}",
    "children named_children named_modules": "net.modules() gives each (path, module)",
    "register_parameter register_buffer add_module register_module":
                                           "assign it: a leaf is a parameter, a plain array a buffer, a Module a part",
    "requires_grad_":                      "the optimiser moves what it is given: training.SGD({'W': net.W}, lr)",
    "weight":                              "a layer's is net.W, (out, in)",
    "bias":                                "a layer's is net.b",
    "weight_ih weight_ih_l0":              "a cell's are net.W_xh, or by gate net.W_xi …",
    "weight_hh weight_hh_l0":              "a cell's are net.W_hh, or by gate net.W_hi …",
    "bias_ih bias_ih_l0 bias_hh bias_hh_l0": "a cell has one bias, net.b_h, or one for each gate, net.b_i …",
    "to cpu cuda float double half":       "there is nothing to move, all is NumPy in float64",
    "apply":                               "go through net.parameters().values()"})
KINDS = {  # arrays that are not of real numbers, by the letter of their dtype
    "b":                                   "a condition belongs in where(), a mask of numbers is array.astype(float)",
    "c":                                   "take .real and .imag as two arrays",
    "O":                                   "Scalars go through NumPy's operators on the object array itself, without a Tensor"}
KEYWORDS = words({  # arguments by name
    "dim dims":                            "NumPy's word is axis=",
    "keepdim":                             "NumPy's word is keepdims=",
    "unbiased correction":                 "NumPy's word is ddof=",
    "requires_grad":                       "every Tensor and Scalar is differentiable; what is not to be is a plain array",
    "dtype":                               "a Tensor has that of its array: Tensor(np.asarray(x, np.float32)), or x.astype(np.float32)",
    "device":                              "all is NumPy: leave it out",
    "nonlinearity":                        "the word is activation=",
    "batch_first":                         "time is the first axis: inputs are (T, batch, n_in)",
    "num_layers":                          "put cells on top of each other with nn.Stacked",
    "bias":                                "here there always is one, and it starts at 0",
    "input_size in_features":              "the word is n_in=",
    "hidden_size":                         "the word is n_hidden=",
    "out_features":                        "the word is n_out="})
AXES = "sum mean max min var prod logsumexp softmax log_softmax expand_dims squeeze concatenate stack".split()  # ops with axis=
ELSEWHERE = {"np": np, "np.linalg": np.linalg, "math": math}  # a name spelt right is no misspelling of ours


def attach(package: dict[str, Any]) -> None:
    """Add the words from outside, once: `package` holds the names a user imports. Inside, the undecorated functions are called."""
    absent(Node, NODES)
    absent(nn.Module, MODULES)
    kind: Any
    for kind in (Scalar, Tensor):
        kind.__init__, kind.__isub__ = worded_leaf(kind.__init__), minus
    for kind in {base for layer in vars(nn).values() if isinstance(layer, type) for base in layer.__mro__}:
        # a layer that takes **options hands them on to one that does not
        if issubclass(kind, nn.Module) and "__init__" in vars(kind) and not inspect.getfullargspec(vars(kind)["__init__"]).varkw:
            kind.__init__ = worded(vars(kind)["__init__"])
    for name in AXES:
        package[name] = worded(protocols.OPS[name])
        package[name].__module__ = package["__name__"]  # it is pickled by the name it has there
        if name in vars(Tensor):
            setattr(Tensor, name, package[name])
    for name in ("no_grad", "detect_anomaly"):
        package[name] = Switch(package[name])
    vars(nn)["__getattr__"] = missing_from_nn
    protocols.ADVICE.update({name: f"; try {hint}" for name, hint in NUMPY.items()} | METHODS)
    arrays.HINTS.update(KINDS)


def minus(x: Any, other: Any) -> Any:
    """x -= other: x - other, with a warning where that looks like a training step, for the leaf has not moved."""
    if x.rule is None and x.grad is not None and not isinstance(other, Node):
        way = "a training step is written w.data = w.data - lr * w.grad"
        warnings.warn(f"-= makes a new node, and the leaf {describe(x)} keeps its value; {way}", stacklevel=2)
    return x - other


class NotHere:
    """An attribute that is not there: asking for it raises AttributeError, as for any other, and says what to write."""

    def __init__(self, name: str, hint: str):
        self.name, self.hint, self.__doc__ = name, hint, f"Not here; {hint}."

    def __get__(self, x: Any, kind: Any) -> NoReturn:
        raise AttributeError(f"a {kind.__name__} has no .{self.name}; {self.hint}", name=self.name)


def absent(kind: Any, table: Mapping[str, str]) -> None:
    """Make NotHere of every name that a class does not have; dir() leaves them out. An attribute of a subclass wins."""
    for name, hint in table.items():
        if not hasattr(kind, name):
            setattr(kind, name, NotHere(name, hint))

    def __dir__(self: Any) -> list[str]:
        return [name for name in object.__dir__(self) if name not in table or hasattr(self, name)]

    kind.__dir__ = __dir__


def meant(name: str, known: Iterable[str]) -> str:
    """'; did you mean tanh?', if one of the known names is near."""
    import difflib  # seldom needed

    spelled = {word.lower(): word for word in known}
    near = difflib.get_close_matches(name.lower(), spelled, n=1)
    return f"; did you mean {spelled[near[0]]}?" if near else ""


def missing(module: str, name: str, table: Mapping[str, str], known: Iterable[str]) -> AttributeError:
    """The error for a name that a module does not have."""
    where, theirs = next(((place, getattr(library, name)) for place, library in ELSEWHERE.items() if name in dir(library)), ("", None))
    advice = f"in place of it write {NUMPY[name]}" if name in NUMPY else "where a gradient is wanted, write it in other ops"
    plain = where and f"{where}.{name} is for plain values, as x.data; {advice}"
    hint = table.get(name, f"write {where}.{name}, which records" if callable(theirs) and protocols.ours(theirs) else plain)
    why = "" if name.startswith("_") else f"; {hint}" if hint else meant(name, known)
    return AttributeError(f"module {module!r} has no attribute {name!r}{why}", name=name)  # with a name Python makes no guess of its own


def missing_from_nn(name: str) -> NoReturn:
    """A name that nn does not have: what to write, or what may have been meant."""
    raise missing(nn.__name__, name, NN, nn.__all__)


def worded(function: Callable[..., Any]) -> Any:
    """The function itself, but where it does not know the name of an argument, TypeError says what to write. One line to step over."""
    spec = inspect.getfullargspec(function)
    known = {*spec.args, *spec.kwonlyargs}

    @functools.wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        return function(*args, **options) if known.issuperset(options) else refuse(function, args, options)

    return called


def worded_leaf(function: Callable[..., None]) -> Any:
    """The same for the constructor of a leaf, of which many are made: handing arguments on one by one is faster."""

    @functools.wraps(function)
    def called(self: Any, data: Any, name: Any = None, **unknown: Any) -> None:
        return refuse(function, (self,), unknown) if unknown else function(self, data, name)

    return called


def refuse(function: Callable[..., Any], args: tuple, options: Iterable[str]) -> NoReturn:
    """TypeError for an argument by a name that a function does not know; a constructor goes by the name of the class that was called."""
    called, calls = function, [function]
    if function.__name__ == "__init__":
        called = type(args[0])
        calls = [inspect.unwrap(vars(kind)["__init__"]) for kind in called.__mro__ if "__init__" in vars(kind)]
    known: list[str] = []
    for call in calls[: calls.index(function) + 1]:  # each hands its **options on to the next
        spec = inspect.getfullargspec(call)
        known += [word for word in spec.args + spec.kwonlyargs if word != "self"]
    name = next(word for word in options if word not in spec.args + spec.kwonlyargs)
    hint = KEYWORDS.get(name, "")
    fits = hint and ("the word is" not in hint or hint[12:-1] in known)
    why = f"; {hint}" if fits else meant(name, known) or f"; it takes {', '.join(dict.fromkeys(known))}"
    raise TypeError(f"{called.__name__}() got an unexpected keyword argument {name!r}{why}")


class Switch:
    """A function whose result is entered, `with no_grad():`; without the parentheses TypeError says so."""

    def __init__(self, function: Callable[[], Any]):
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, *forgotten: Any) -> Any:
        if forgotten:
            raise TypeError(f"{self} needs its parentheses: `@{self}()`")
        return self.function()

    def __enter__(self) -> NoReturn:
        raise TypeError(f"{self} needs its parentheses: `with {self}():`")

    def __exit__(self, *error: Any) -> None:
        """Never reached."""

    def __repr__(self) -> str:
        return self.function.__name__

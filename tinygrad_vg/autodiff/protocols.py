"""Why does np.tanh(t) record?  NumPy asks its arguments first, and Tensors and Scalars answer with our ops.

`__array_ufunc__` is asked for ufuncs (np.exp, np.add, array * t), `__array_function__` for the rest (np.sum, np.where …).
What is not here raises TypeError and says what to do: nothing loses its gradient without a word.
"""

import re
import sys
from typing import Any

import numpy as np

from . import products, reductions, structure
from .core import Node, plain
from .rows import BUILT_IN, OPS, any_objects, as_object
from .scalar import Scalar
from .tensor import Tensor

_defined = vars(structure) | vars(products) | vars(reductions)
OPS |= {name: _defined[name] for name in """matmul linear einsum reshape transpose swapaxes expand_dims squeeze broadcast_to getitem take
    diagonal split concatenate stack sum mean astype max min var prod logsumexp softmax log_softmax""".split()}
BUILT_IN.update(OPS)
SCIPY: dict[str, Any] = {}  # functions of scipy.special that are called otherwise here; filled by more_rows.py
ADVICE: dict[str, str] = {}  # '; try …' in place of a NumPy function that does not record; filled by hints.py


def dot(x: Any, b: Any) -> Any:
    """np.dot: a product with a number, or matmul, which it equals unless b is a stack of matrices."""
    if np.ndim(b) > 2:
        raise TypeError("np.dot of a stack of matrices pairs every stack with every other; say what you mean with matmul or einsum")
    return OPS["matmul"](x, b) if np.ndim(x) and np.ndim(b) else OPS["multiply"](x, b)


def full_like(a: Any, fill_value: Any, shape: Any = None) -> Any:
    """np.full_like: the value, repeated; of a Tensor each copy has a gradient."""
    shape = np.shape(a) if shape is None else shape
    return structure.broadcast_to(fill_value, shape) if isinstance(fill_value, Tensor) else np.full(shape, fill_value, plain(a).dtype)


# NumPy's function → ours: all ops that NumPy has, too, by the same name; then those whose arguments or names differ
NUMPY: dict[Any, Any] = {**{getattr(np, name): op for name, op in OPS.items() if hasattr(np, name)},
    np.dot: dot, np.full_like: full_like, np.float_power: OPS["power"], np.fabs: OPS["abs"], np.positive: lambda x: x,
    np.clip: lambda x, a_min=None, a_max=None: OPS["clip"](x, a_min, a_max), np.ravel: lambda x: structure.reshape(x, -1),
    np.vstack: lambda tup: structure.concatenate([structure.reshape(x, (1, -1)) if np.ndim(x) < 2 else x for x in tup]),
    np.hstack: lambda tup: structure.concatenate([x if np.ndim(x) else structure.reshape(x, 1) for x in tup], int(np.ndim(tup[0]) > 1)),
    np.outer: lambda x, b: structure.reshape(x, (-1, 1)) * structure.reshape(b, (1, -1)),
    np.reshape: lambda x, shape: structure.reshape(x, shape), np.transpose: lambda x, axes=None: structure.transpose(x, axes),
    np.split: lambda x, indices_or_sections, axis=0: structure.split(x, indices_or_sections, axis),
    np.trace: lambda x, offset=0, axis1=0, axis2=1: structure.sum(structure.diagonal(x, offset, axis1, axis2), -1)}

# How NumPy calls an argument → how we do
NAMES = dict(a="x", arrays="xs", ary="x", array="x", min="a_min", max="a_max", newshape="shape")

# Functions that look at values or shapes only, or whose slope is 0 wherever there is one: there is no gradient to lose
LOOK = {getattr(np, name) for name in """equal not_equal less less_equal greater greater_equal isfinite isnan isinf signbit shape ndim size
    allclose isclose array_equal argmax argmin argsort all any count_nonzero nonzero zeros_like ones_like empty_like array_repr array_str
    array2string isrealobj iscomplexobj result_type may_share_memory shares_memory floor ceil rint trunc fix round argwhere flatnonzero
    unique searchsorted digitize histogram bincount argpartition lexsort isin nanargmax nanargmin array_equiv isneginf isposinf isreal
    iscomplex imag logical_and logical_or logical_not save savetxt""".split()}


def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """A ufunc with a node among its inputs: np.tanh(t), array @ t, np.float64(2) * t.

    With a Scalar and an object array of them, one op for each entry. TypeError unless the ufunc is called plainly and has an op.
    """
    name, kind, op = ufunc.__name__, type(self).__name__, ours(ufunc)
    if method != "__call__":
        way = ADVICE.get(f".{method}", "; use np.sum, np.prod, np.max or np.min")
        raise TypeError(f"np.{name}.{method} does not record on a {kind}{way}")
    if kwargs.get("out") is not None:
        raise TypeError(f"np.{name} with out= would put a {kind} into a plain array; write `a = a + b`, which makes a new node")
    if kwargs:
        raise TypeError(f"np.{name} on a {kind} takes no {', '.join(kwargs)}; use where() or astype() around it")
    if not op and isinstance(self, Scalar) and any_objects(inputs):
        return ufunc(*map(as_object, inputs))
    if ufunc in LOOK:
        return ufunc(*map(plain, inputs))
    if not op:
        way = f"write it in other ops, give it a row with elementwise(), or use .data{ADVICE.get(name, '')}"
        raise TypeError(f"{'np.' * (getattr(np, name, None) is ufunc)}{name} has no derivative here; {way}")
    return op(*inputs)


def array_function(self: Any, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
    """Any other NumPy function with a Tensor somewhere in its arguments."""
    if function in LOOK:
        return function(*deeply_plain(args), **{key: deeply_plain(value) for key, value in kwargs.items()})
    if not (op := ours(function)):
        fn = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
        raise TypeError(f"np.{fn} does not record on a Tensor; write it in other ops, or use .data for plain values{ADVICE.get(fn, '')}")
    given = {NAMES.get(key, key): value for key, value in kwargs.items() if value is not None or key == "axis"}
    try:
        return op(*args, **given)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        name = function.__name__
        raise TypeError(f"np.{name} on a Tensor: {re.sub(r'[^ ]+[(][)]', f'{name}()', str(error), count=1)}") from None


def ours(function: Any) -> Any:
    """The op for a function of NumPy's or SciPy's: one of the package, or one of your own that has its name; None if there is none."""
    name = getattr(function, "__name__", "")
    own = OPS.get(name) or SCIPY.get(name)
    homes = (np, sys.modules.get("scipy.special"), getattr(own, "rule", None))
    theirs = own and any(getattr(home, name, None) is function or getattr(home, "function", None) is function for home in homes)
    return NUMPY.get(function) or (own if theirs else None)


def deeply_plain(x: Any) -> Any:
    """x with the value of each node in place of it, in lists and tuples, too."""
    return type(x)(map(deeply_plain, x)) if isinstance(x, (list, tuple)) else plain(x)


# The methods of Tensors that come from the ops above, and the answers of all nodes to NumPy
for _name in "reshape transpose swapaxes squeeze sum mean take diagonal astype max min var prod logsumexp softmax log_softmax".split():
    setattr(Tensor, _name, OPS[_name])
Tensor.__getitem__, Tensor.dot, Tensor.T = structure.getitem, dot, property(structure.transpose)  # type: ignore[attr-defined]
Tensor.__matmul__, Tensor.__rmatmul__ = products.matmul_of_tensors, products.matmul_from_right  # type: ignore[attr-defined,operator]
Node.__array_ufunc__, Node.__array_function__ = array_ufunc, array_function  # type: ignore[attr-defined]

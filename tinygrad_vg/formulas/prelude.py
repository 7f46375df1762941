"""What stands above the program?  The few functions that its lines call and NumPy has not, each only if it is called.

Each is written as safely as the engine's own: no overflow in sigmoid, softplus, logsumexp and softmax, 0 ** 0 without nan.
"""

import ast
from functools import cache
from typing import Any

TEXT = '''
def check(kind, **given):
    for name, (x, *shape) in given.items():
        if (shape or type(x) is not float) and (getattr(x, "dtype", None) != kind or x.shape != tuple(shape)):
            raise ValueError(f"{name} must be {kind} {tuple(shape)}, as it was recorded; got {np.asarray(x).dtype} {np.shape(x)}")

def sigmoid(a):
    return 1 / (1 + np.exp(-a))

def softplus(a):
    return np.maximum(a, 0) + np.log1p(np.exp(np.minimum(a, -a)))

def erf(a):
    return np.vectorize(math.erf, otypes=[getattr(a, "dtype", float)])(a)[()]

def erfc(a):
    return np.vectorize(math.erfc, otypes=[getattr(a, "dtype", float)])(a)[()]

def gelu_gate(a):  # the share of a standard normal below a
    return 0.5 * erfc(-0.7071067811865476 * a)

def gelu_slope(a):
    near = np.clip(a, -99, 99)
    return gelu_gate(a) + near * np.exp(-0.5 * near * near) * 0.3989422804014327

def tanh_gate(a):  # about the same
    a = np.clip(a, -99, 99)
    return sigmoid(a * (1.5957691216057308 + 0.07135481627260025 * a * a))

def tanh_gate_slope(a):
    gate, a = tanh_gate(a), np.clip(a, -99, 99)
    return gate * (1 + a * (1 - gate) * (1.5957691216057308 + 0.21406444881780073 * a * a))

def sinc_slope(a):  # its series near 0
    near = np.abs(a) < 0.5
    x, series = np.pi * np.where(near, np.ones_like(a), a), np.zeros_like(a)
    for k in range(12, 0, -1):
        series = series * a * a + (-1) ** k * 2 * k * math.pi ** (2 * k) / math.factorial(2 * k + 1)
    return np.where(near, series * a, (np.cos(x) - np.sin(x) / x) / x * np.pi)

def below(a):
    return np.expm1(np.minimum(a, 0))

def exp_or_inf(a):
    return np.exp(a)

def base(a, b):  # so that b * base(a, b) ** (b - 1) is 0 at b = 0
    return np.where(b == 0, np.ones_like(a), a)

def positive(a, b):  # so that a ** b * log(positive(a, b)) is 0 at a = 0
    return np.where((a == 0) & (b >= 0), np.ones_like(a), a)

def largest(x, axis):
    top = x.max(axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(top), top, np.zeros_like(top))

def softmax(x, axis):
    e = np.exp(x - largest(x, axis))
    return e / e.sum(axis=axis, keepdims=True)

def one_hot(labels, z):  # rows as wide as z
    return np.eye(z.shape[-1], dtype=z.dtype)[labels]

def logsumexp(x, axis=None, keepdims=False):
    top = largest(x, axis)
    y = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return y if keepdims else y.sum(axis=axis)

def cholesky_back(g, L):  # what the symmetric matrix L Lᵀ receives
    half = np.tri(len(L)) - 0.5 * np.eye(len(L))
    x = np.linalg.solve(L.T, np.linalg.solve(L.T, ((L.T @ g) * half).T).T)
    return (x + x.T) / 2

def shares(x, top, axis):  # 1 at the entry that is chosen, 1/k where k tie
    chosen = (x == top) | np.isnan(x)
    return chosen / chosen.sum(axis=axis, keepdims=True, dtype=x.dtype)

def put_back(g, shape, index):
    x = np.zeros(shape, getattr(g, "dtype", float))
    x[index] = g
    return x

def add_back(g, shape, index):  # an entry that was taken twice gets both
    x = np.zeros(shape, getattr(g, "dtype", float))
    np.add.at(x, index, g)
    return x
'''
ALONE = {"sigmoid": """def sigmoid(a):
    return 1 / (1 + math.exp(-a)) if a > 0 else math.exp(a) / (1 + math.exp(a))"""}  # of a float
WITH_MATH = {"erf", "erfc", "sinc_slope"}  # helpers that need Python's math
HELPERS = {text.partition("(")[0]: f"def {text.strip()}" for text in TEXT.split("\ndef ")[1:]}


def called(code: ast.AST) -> list[str]:
    """The functions that some code calls, the outermost first."""
    return [getattr(part.func, "attr", getattr(part.func, "id", "")) for part in ast.walk(code) if isinstance(part, ast.Call)]


called_by = cache(lambda helper: HELPERS.keys() & called(ast.parse(HELPERS[helper])))  # the helpers that a helper calls


def helpers(codes: Any) -> list[str]:
    """Every helper that is called, and those that they call, in the order they are written here."""
    names, ahead = set[str](), {"check"}.union(*map(called, codes)) & HELPERS.keys()
    while ahead:
        names |= ahead
        ahead = set[str]().union(*map(called_by, ahead)) - names
    return [name for name in HELPERS if name in names]

"""How large can a product of slopes and weights be, and how wide do its singular values spread?

    J = Π W_t D_t    D slopes φ′    W weights    σ_max largest singular value    L, T factors    q variance of the pre-activations
"""

from .gaussian import activation, in_floats, require, sigmoid, slope_moment

LARGEST_SLOPE = {"linear": 1.0, "relu": 1.0, "tanh": 1.0, "sigmoid": 0.25}


@in_floats
def product_bound(norm: float, name: str, T: int) -> float:
    """‖Π W_t D_t‖ ≤ (σ_max(W) · max φ′)^T for every input (Pascanu, Mikolov & Bengio 2013, eq. 6–7; norm is σ_max, not the radius).

    Below 1 it is sufficient for vanishing; above 1 it is only necessary for exploding. (1/4)^T of a sigmoid is norm = 1.
    """
    activation(name)
    require(norm >= 0 and T >= 0, f"a norm and a number of factors are not negative; got {norm}, {T}")
    return (norm * LARGEST_SLOPE[name]) ** T


@in_floats
def sigmoid_chain(w: float, b: float, x: float, n: int) -> dict[str, float]:
    """n steps x ← σ(w x + b): the last x, gradient dx_n/dx_0 = slopes · weights, and the two products. Exact for any w, b, x.

    ValueError if w^n is beyond the largest float.
    """
    require(n >= 0, f"a number of steps is not negative; got {n}")
    slopes = 1.0
    for _ in range(n):
        x = float(sigmoid(w * x + b))
        slopes *= x * (1 - x)
    weights = float(w) ** n
    return dict(x=x, gradient=slopes * weights, slopes=slopes, weights=weights)


def singular_value_variance(name: str, L: int, q: float, orthogonal: bool) -> float:
    """Var / mean² of the squared singular values of J: L (μ₂/μ₁² − 1 − s₁), μ_k = E φ′(√q z)^2k, s₁ = 0 orthogonal, −1 Gaussian W.

    Pennington, Schoenholz & Ganguli 2017. 0 would be an isometry: tanh tends to it with orthogonal W as q → 0, relu never does.
    For wide nets at their fixed point q > 0; L² ≪ N, or a finite N shows.
    """
    require(q >= 0 and L >= 1, f"q ≥ 0 and L ≥ 1; got {q}, {L}")
    return L * (slope_moment(name, 4, q) / slope_moment(name, 2, q) ** 2 - (1 if orthogonal else 0))

"""What if the new state is linear in the old one?  No slope lies on the way back, and no gate that looks at h: all factors are known
from the inputs alone, before the first step (and a parallel scan could compute them at once).

    x  input      h  state      n, u  what is taken in      t  time      W  weights (out, in)      b  bias
    λ  eigenvalue      r = |λ|      z  update gate      f, a  what is kept      Δ, dt  step size
"""

import math
from typing import Any

import numpy as np

from ..autodiff.products import linear
from ..autodiff.structure import concatenate, expand_dims
from ..autodiff.table import cos, exp, sigmoid, sin, softplus, sqrt
from .layers import each, named
from .norms import per_unit
from .recurrent import Cell, time_of


class LRUCell(Cell):
    """h[t] = Λ h[t−1] + γ W_xh x[t],  λ = r exp(iθ),  r = exp(−exp ν),  γ = √(1 − r²): the linear recurrent unit.

    h is complex: its real parts, then its imaginary ones, so that λ is a rotation of unit k and unit k + n_hidden/2 by θ, times r.
    r_min, r_max  the ring in which the eigenvalues are drawn, uniformly by area: 0 ≤ r_min ≤ r_max ≤ 1, not 0 or 1 alone, else ValueError
    max_phase     θ ~ U(0, max_phase), finite; 0 makes all λ real
    x (n_in,) or (batch, n_in), h (n_hidden,) or (batch, n_hidden).  ν, θ (n_hidden/2,): nu, theta.  init, leaf, rng, seeds, name: see Cell.

        ∂h[t]/∂h[t−1] = Λ = [[r cos θ, −r sin θ], [r sin θ, r cos θ]], four diagonals:  over T steps its singular values are r^T

    Orvieto et al. 2023. γ, a parameter of its own there, follows r here: E(∂h/∂ν)² stays level as r → 1, where it would explode.
    """

    def __init__(self, n_in: int, n_hidden: int, init: Any = "xavier",
                 *, r_min: float = 0.9, r_max: float = 0.999, max_phase: float = 2 * math.pi, **options: Any):
        super().__init__(n_in, n_hidden, init, **options)
        if n_hidden % 2:
            raise ValueError(f"the units of an LRU come in pairs, parts of complex numbers; n_hidden must be even, got {n_hidden}")
        if not 0 <= r_min <= r_max <= 1 or r_min == 1 or r_max == 0:
            raise ValueError(f"|λ| is drawn from 0 ≤ r_min to r_max ≤ 1, r_min below 1 and r_max above 0; got {r_min} and {r_max}")
        if not math.isfinite(max_phase):
            raise ValueError(f"θ is drawn from 0 to max_phase, in radians, a finite number; got {max_phase}")
        u, phase = (each(self.rng, lambda rng: 1 - rng.uniform(size=n_hidden // 2)) for _ in range(2))
        self.nu = self.leaf(np.log(-0.5 * np.log(r_max**2 - u * (r_max**2 - r_min**2))), name="nu" + self.name)
        self.theta = self.leaf(max_phase * phase, name="theta" + self.name)
        self.W_xh = self.weight("W_xh")

    def __call__(self, x: Any, h: Any) -> Any:
        t, n = time_of(h), self.n_hidden // 2
        I, J = np.eye(2 * n), np.kron([[0.0, -1.0], [1.0, 0.0]], np.eye(n))  # noqa: E741
        r = exp(-exp(self.nu))
        c, s, γ = (expand_dims(concatenate([a, a], -1), -1) for a in (r * cos(self.theta), r * sin(self.theta), sqrt(1 - r * r)))
        W_hh = c * I + s * J
        W_in = γ * self.W_xh
        for base, W in {"W_hh": W_hh, "W_in": W_in}.items():  # also without a time: by these names blame knows that it is a weight
            named(W, base + self.name, *(() if t is None else (t,)))
        h = linear(h, W_hh) + linear(x, W_in)
        return self.label(t, h=h, r=r)


class MinGRUCell(Cell):
    """h[t] = f h[t−1] + z n,  z = σ(W_xz x[t] + b_z),  f = 1 − z,  n = W_xn x[t] + b_n: a GRU whose gates see the input alone.

    x (n_in,) or (batch, n_in), h (n_hidden,) or (batch, n_hidden).  init, leaf, rng, seeds, name: see Cell.

        (∂h[t]/∂h[t−1])_ij = f_i δ_ij:  from T to 0 the gradient is multiplied by the product of the f, unit by unit

    Feng et al. 2024.
    """

    def __init__(self, n_in: int, n_hidden: int, init: Any = "xavier", **options: Any):
        super().__init__(n_in, n_hidden, init, **options)
        self.W_xz, self.b_z = self.weight("W_xz"), self.bias("b_z")
        self.W_xn, self.b_n = self.weight("W_xn"), self.bias("b_n")

    def __call__(self, x: Any, h: Any) -> Any:
        t = time_of(h)
        z = sigmoid(linear(x, self.W_xz, self.b_z))
        n = linear(x, self.W_xn, self.b_n)
        f = 1 - z
        h = f * h + z * n
        return self.label(t, h=h, z=z, n=n, f=f)


class SelectiveCell(Cell):
    """h[t] = a h[t−1] + Δ B u,  Δ = softplus(W_xdt x[t] + b_dt),  a = exp(−Δ exp A),  B = W_xB x[t],  u = W_xu x[t]: a selective SSM.

    S6, the state space model of Mamba, with one state for each of its n_hidden channels u: B is then one number for all of them. The
    output C(x) h and the convolution before are no part of the recurrence.
    dt_min, dt_max  b_dt starts where softplus(b_dt) is between them, uniformly in its log: 0 < dt_min ≤ dt_max < 700, else ValueError
    x (n_in,) or (batch, n_in), h (n_hidden,) or (batch, n_hidden).  A (n_hidden,), A_log, starts at 0.  The rest: see Cell.

        (∂h[t]/∂h[t−1])_ij = a_i δ_ij:  a large Δ takes the input in and forgets, a small one passes it by

    Gu & Dao 2023, algorithm 2; its zero-order hold of B simplified to Δ B, as in their code.
    """

    def __init__(self, n_in: int, n_hidden: int, init: Any = "xavier", *, dt_min: float = 0.001, dt_max: float = 0.1, **options: Any):
        super().__init__(n_in, n_hidden, init, **options)
        if not 0 < dt_min <= dt_max < 700:  # expm1 overflows at 710
            raise ValueError(f"step sizes lie between dt_min and dt_max, 0 < dt_min ≤ dt_max < 700; got {dt_min} and {dt_max}")
        dt = each(self.rng, lambda rng: np.exp(rng.uniform(math.log(dt_min), math.log(dt_max), n_hidden)))
        self.W_xdt, self.b_dt = self.weight("W_xdt"), self.bias("b_dt", np.log(np.expm1(dt)))
        self.W_xu, self.W_xB = self.weight("W_xu"), self.weight("W_xB", 1)
        self.A_log = self.leaf(np.zeros((*self.lead, n_hidden)), name="A_log" + self.name)

    def __call__(self, x: Any, h: Any) -> Any:
        t = time_of(h)
        dt = softplus(linear(x, self.W_xdt, self.b_dt))
        B = linear(x, self.W_xB)
        u = linear(x, self.W_xu)
        a = exp(-dt * per_unit(exp(self.A_log), dt))
        h = a * h + dt * B * u
        return self.label(t, h=h, dt=dt, B=B, u=u, a=a)

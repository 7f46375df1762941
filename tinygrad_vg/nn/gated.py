"""What do gates add?  A factor near 1 that is learned: what the state keeps is decided anew at every step.

    x  input      h  state      c  cell (memory)      t  time      W  weights (out, in)      b  bias
    i  input gate      f  forget gate      g  candidate      o  output gate      r  reset gate      z  update gate      n  new state
"""

from typing import Any

from ..autodiff.products import linear
from ..autodiff.table import sigmoid, tanh
from .recurrent import Cell, members, time_of


class LSTMCell(Cell):
    """c[t] = f c[t−1] + i g,  h[t] = o tanh(c[t]): the state is (h, c).

    x (n_in,) or (batch, n_in), h and c (n_hidden,) or (batch, n_hidden).  forget_bias: where b_f starts, a number or
    (n_hidden,); at 1 the gate begins at σ(1) = 0.73, at 0 half of the memory would go at each step.  init, leaf, rng,
    seeds, name: see Cell.  The stations of its chain are both parts: Chain(loss, states[0][1], through=states[1:]).

        (∂c[t]/∂c[t−1])_ij = f_i δ_ij                              h[t−1] held fixed
        (∂c[t]/∂h[t−1])_ij = c_i[t−1] f_i (1 − f_i) W_hf,ij + g_i i_i (1 − i_i) W_hi,ij + i_i (1 − g_i²) W_hg,ij

    Hochreiter & Schmidhuber 1997; the forget gate: Gers, Schmidhuber & Cummins 2000.
    """

    def __init__(self, n_in: int, n_hidden: int, init: Any = "xavier", *, forget_bias: Any = 1.0, **options: Any):
        super().__init__(n_in, n_hidden, init, **options)
        self.W_xi, self.W_hi, self.b_i = self.weights("i")
        self.W_xf, self.W_hf, self.b_f = self.weights("f", bias=forget_bias)
        self.W_xg, self.W_hg, self.b_g = self.weights("g")
        self.W_xo, self.W_ho, self.b_o = self.weights("o")

    def __call__(self, x: Any, state: Any) -> Any:
        h, c = members(state, 2)
        t = time_of(h)
        i = sigmoid(linear(x, self.W_xi) + linear(h, self.W_hi, self.b_i))
        f = sigmoid(linear(x, self.W_xf) + linear(h, self.W_hf, self.b_f))
        g = tanh(linear(x, self.W_xg) + linear(h, self.W_hg, self.b_g))
        o = sigmoid(linear(x, self.W_xo) + linear(h, self.W_ho, self.b_o))
        c = f * c + i * g
        h = o * tanh(c)
        self.label(t, i=i, f=f, g=g, o=o, c=c, h=h)
        return h, c

    def initial_state(self, batch: int | None = None) -> Any:
        """(h[0], c[0]), zeros: two leaves."""
        return self.first("h", batch), self.first("c", batch)


class GRUCell(Cell):
    """h[t] = (1 − z) n + z h[t−1]: what is not kept is replaced. The reset gate comes after the recurrent product, as in PyTorch.

    x (n_in,) or (batch, n_in), h (n_hidden,) or (batch, n_hidden).  init, leaf, rng, seeds, name: see Cell.

        (∂h[t]/∂h[t−1])_ij = z_i δ_ij + (h_i[t−1] − n_i) z_i (1 − z_i) W_hz,ij
                             + (1 − z_i) (1 − n_i²) (r_i W_hn,ij + s_i r_i (1 − r_i) W_hr,ij),      s = W_hn h[t−1] + b_hn

    Cho et al. 2014; the form of torch.nn.GRUCell.
    """

    def __init__(self, n_in: int, n_hidden: int, init: Any = "xavier", **options: Any):
        super().__init__(n_in, n_hidden, init, **options)
        self.W_xr, self.W_hr, self.b_r = self.weights("r")
        self.W_xz, self.W_hz, self.b_z = self.weights("z")
        self.W_xn, self.W_hn, self.b_n = self.weights("n")
        self.b_hn = self.bias("b_hn")

    def __call__(self, x: Any, h: Any) -> Any:
        t = time_of(h)
        r = sigmoid(linear(x, self.W_xr) + linear(h, self.W_hr, self.b_r))
        z = sigmoid(linear(x, self.W_xz) + linear(h, self.W_hz, self.b_z))
        n = tanh(linear(x, self.W_xn, self.b_n) + r * linear(h, self.W_hn, self.b_hn))
        h = (1 - z) * n + z * h
        self.label(t, r=r, z=z, n=n, h=h)
        return h

"""What does a right answer look like, of layers of today and of nets that do not learn?  Look here last.

    x input   h state   y output   g gradient with respect to y or h   W weight (out, in)   A attention   T steps
"""
# mypy: allow-untyped-defs, disable-error-code=var-annotated

import numpy as np

from .. import Chain, history

# By hand, on layers of today


def attention_back(A, V, g):
    """∂L/∂S and ∂L/∂V of y = A V, where A = softmax(S) row by row, as a pair,
    given A (T, T), V (T, d) and g = ∂L/∂y (T, d)."""
    to_A = g @ V.T
    return A * (to_A - np.sum(to_A * A, axis=1, keepdims=True)), A.T @ g


def lstm_back(f, i, n, c, g):
    """One step of an LSTM's cell, c_t = f c + i n, where f = σ(z_f), i =
    σ(z_i) and n = tanh(z_n).

    Given the values f, i, n, the cell c before the step and g = ∂L/∂c_t, all
    of shape (n,): ∂L/∂z_f, ∂L/∂z_i, ∂L/∂z_n and ∂L/∂c, as a list.
    """
    to_f, to_i, to_n = g * c, g * n, g * i
    return [to_f * f * (1 - f), to_i * i * (1 - i), to_n * (1 - n * n), g * f]


def layer_norm_back(x, g):
    """∂L/∂x of y = (x − mean x) / sd x, given x and g = ∂L/∂y, both (n,); sd
    is np.std(x)."""
    y = (x - np.mean(x)) / np.std(x)
    return (g - np.mean(g) - y * np.mean(g * y)) / np.std(x)


def tangents(output, source):
    """Forward mode: a dictionary {node: ∂node/∂source} of every node that
    output was computed from, itself included, in one walk from the oldest on.

    history(output), from tinygrad_vg import history, is the list of these
    nodes, parents before children; each edge of node.edges leads to a parent
    and carries float(edge.local). The derivative of a node that does not depend
    on source is 0.
    """
    found = {}
    for node in history(output):
        parts = [found[edge.parent] * float(edge.local) for edge in node.edges]
        found[node] = 1.0 if node is source else sum(parts)
    return found


def blame_rnn(W, h, g):
    """Who shrank the gradient of h[t] = tanh(W h[t−1]), t = 1 … T? The nats
    that the slopes took and those that the weights took, as a pair.

    Given all states h (T + 1, n) and g = ∂L/∂h[T]. At each step the slopes
    turn g into v, then the weights turn v into the next g; each takes the log
    of a ratio of lengths: ln(|v|/|g|), and ln(|next g|/|v|).
    """
    slopes = weights = 0.0
    for t in range(len(h) - 1, 0, -1):
        v = (1 - h[t] ** 2) * g
        slopes += np.log(np.linalg.norm(v) / np.linalg.norm(g))
        g = W.T @ v
        weights += np.log(np.linalg.norm(g) / np.linalg.norm(v))
    return slopes, weights


# Nets that do not learn: find the cause, break one, mend three


def find_cause(loss, states):
    """Something is planted in this RNN: at one step a weight is nearly 0, or a
    bias drives the units into saturation. Where, and which?

    Return the pair (t, cause): t, the index of the state that the step makes,
    and "slopes" or "weights". loss and states are nodes; states[0] is the
    initial one. Chain(loss, states[0], through=states).blame().by_link (from
    tinygrad_vg import Chain) is a list of dictionaries {"link": its name,
    "parts": {kind: nats}, …}, states[0] → states[1] first.
    """
    links = Chain(loss, states[0], through=states).blame().by_link
    t = min(range(len(states) - 1), key=lambda k: links[k]["total"]) + 1
    parts = links[t - 1]["parts"]
    slopes = parts["activation size"] + parts["activation alignment"]
    weights = parts["weight size"] + parts["weight alignment"]
    return t, "slopes" if slopes < weights else "weights"


def explode(n):
    """Break it: a W (n, n) whose eigenvalues are all at most 0.9 in size, and
    whose linear RNN h[t] = W h[t−1] yet makes some gradient 100 times as long
    in 8 steps."""
    return 0.9 * np.eye(n) + 100 * np.eye(n, k=1)


def mend_rnn(W):
    """Mend it: a tanh RNN reads 20 inputs, of which only the first says what
    to answer. With this recurrent weight W (n, n) it does not learn. Return
    another W."""
    Q, R = np.linalg.qr(W)
    return Q


def mend_lstm(b):
    """Mend it: an LSTM on the same 20 inputs does not learn either. b (n,) is
    the bias of its forget gate; return another one."""
    return b + 4


def mend_mlp(W, b):
    """Mend it: a deep net of sigmoids, h ← σ(W h + b), does not learn, and the
    sigmoid must stay. W (layers, n, n) and b (layers, n) are those of its
    hidden layers; return the pair with which it learns. σ(z) = (1 +
    tanh(z/2))/2, and a tanh net would learn: which W and b make the one the
    other in disguise?"""
    return 4 * W, b - 2 * W.sum(axis=-1)

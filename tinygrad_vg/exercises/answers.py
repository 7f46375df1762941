"""What does a right answer look like?  One function for each exercise; its docstring is the question.

Look here last. The functions of 11 to 15, one after the other, are a small engine.

    x input   h state   z pre-activation   y output   g gradient with respect to y, z or h   W weight (out, in)   A attention   T steps
"""
# mypy: allow-untyped-defs, disable-error-code=var-annotated

import numpy as np

from .. import Chain, history


def tanh_slope(y):
    """The derivative of y = tanh(z) with respect to z, as a function of y, its
    value."""
    return 1 - y * y


def neuron(w, x, b):
    """The three derivatives of y = σ(w x + b) with respect to w, x and b, as a
    list."""
    y = 1 / (1 + np.exp(-(w * x + b)))
    slope = y * (1 - y)
    return [slope * x, slope * w, slope]


def gain(w, h0, T):
    """∂h_T/∂h_0 of the recurrence h_t = σ(w h_{t−1}), T steps from h_0."""
    h, product = h0, 1.0
    for _ in range(T):
        h = 1 / (1 + np.exp(-w * h))
        product *= w * h * (1 - h)
    return product


def back_to_h(g, W, h):
    """∂L/∂h for z = W h, given g = ∂L/∂z. In indices, ∂L/∂h_j = Σ_i g_i
    W_ij."""
    return W.T @ g


def back_to_W(g, W, h):
    """∂L/∂W for z = W h, given g = ∂L/∂z: an array of W's shape."""
    return np.outer(g, h)


def softmax_back(y, g):
    """∂L/∂z for y = softmax(z), given y and g = ∂L/∂y, without building a
    matrix."""
    return y * (g - g @ y)


def rnn_gradient(W, h, g):
    """∂L/∂W of h[t] = tanh(W h[t−1]), t = 1 … T, given all states h (T + 1, n)
    and g = ∂L/∂h[T]."""
    G = np.zeros_like(W)
    for t in range(len(h) - 1, 0, -1):
        δ = (1 - h[t] ** 2) * g
        G += np.outer(δ, h[t - 1])
        g = W.T @ δ
    return G


def worst_gain(W, slope, T):
    """The most that |gradient| can grow over T steps h_t = φ(W h_{t−1}), if
    |φ′| ≤ slope everywhere."""
    return (slope * np.linalg.norm(W, 2)) ** T


def relu_scale(n):
    """The standard deviation of the weights with which a wide ReLU layer of n
    units keeps the length of a gradient. (Graded within 5 %.)"""
    return np.sqrt(2 / n)


def forget_bias(T, kept):
    """The bias of an LSTM's forget gate (other inputs 0) with which the cell
    keeps this share over T steps."""
    return -np.log(kept ** (-1 / T) - 1)


# An engine, step by step


def order(output):
    """Every node that output was computed from, itself included, as a list in
    which every child stands before its parents: the order of a backward pass.

    Nodes are Scalars. node.edges holds one edge for each parent that is a node
    (a constant has none), and edge.parent is that parent. Graphs may be
    thousands of nodes deep. Keep nodes in a set or as the keys of a dictionary:
    `in` on a list compares their values.
    """
    found, stack = {output}, [output]
    while stack:
        for edge in stack.pop().edges:
            if edge.parent not in found:
                found.add(edge.parent)
                stack.append(edge.parent)
    return sorted(found, key=lambda node: node.birth, reverse=True)


def accumulate(gradients, child):
    """One step of the backward pass: the chain rule at one node, child.

    gradients is a dictionary {node: gradient so far}; child's is complete. Each
    edge of child.edges leads to a parent and carries the local derivative
    ∂child/∂parent: float(edge.local). Add child's gradient times the local
    derivative to the gradient of edge.parent, which is 0 if it is not there
    yet. Return the dictionary. If child = a * a, both of its edges lead to a.
    """
    for edge in child.edges:
        part = gradients[child] * float(edge.local)
        gradients[edge.parent] = gradients.get(edge.parent, 0.0) + part
    return gradients


def sweep(output):
    """The whole backward pass: a dictionary {node: ∂output/∂node} of every node
    that output was computed from, itself included.

    Keep order and accumulate, exercises 11 and 12, in the same file and call
    them.
    """
    gradients = {output: 1.0}
    for child in order(output):
        gradients = accumulate(gradients, child)
    return gradients


def softsign(a):
    """An op of your own: y = a / (1 + |a|), entry by entry, and its pull, which
    takes a gradient back through it.

    Return the pair (y, pull); pull is a function, and pull(g) is ∂L/∂a, given
    g = ∂L/∂y. a, y and g are arrays of shape (n,), at 0 and far out, too.
    """
    slope = 1 / (1 + np.abs(a)) ** 2

    def pull(g):
        return g * slope

    return a / (1 + np.abs(a)), pull


def times(a, b):
    """An op on arrays: y = a * b, whose shapes broadcast as (2, 3) and (3,) do,
    and its pull.

    Return the pair (y, pull); pull(g) is the pair (∂L/∂a, ∂L/∂b), given
    g = ∂L/∂y. Each has the shape of its operand, () and (2, 1) among them.
    """

    def fitted(part, shape):
        part = part.sum(axis=tuple(range(part.ndim - len(shape))))
        ones = tuple(i for i, n in enumerate(shape) if n == 1)
        return part.sum(axis=ones, keepdims=True)

    def pull(g):
        return fitted(g * b, a.shape), fitted(g * a, b.shape)

    return a * b, pull


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

    history(output) is the list of these nodes, parents before children; each
    edge of node.edges leads to a parent and carries float(edge.local). The
    derivative of a node that does not depend on source is 0.
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
    initial one. Chain(loss, states[0], through=states).blame().by_link is a
    list of dictionaries {"link": its name, "parts": {kind: nats}, …},
    states[0] → states[1] first.
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

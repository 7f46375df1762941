"""What does a right answer look like?  One function for each exercise, and a class for the last; its docstring is the question.

Look here last. The functions of 11 to 15, one after the other, are a small engine; the class is a whole one.

    x input   h state   z pre-activation   y output   g gradient with respect to y, z or h   W weight (out, in)   T steps
"""
# mypy: allow-untyped-defs, disable-error-code=var-annotated

import numpy as np


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
    """∂h[T]/∂h[0] of the recurrence h[t] = σ(w h[t−1]), T steps from h[0]."""
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
    """The most that |gradient| can grow over T steps h[t] = φ(W h[t−1]), if
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


class Value:
    """An engine, all of it: numbers that remember what they were made of.

    Value(2.0).data is 2.0. a + b, a * b and a.tanh() of Values a and b are
    Values again, and y.backward(), called once, fills .grad of every Value that
    y was computed from, y itself included: ∂y/∂ that Value, as a number. One
    may be used many times, and graphs may be thousands of Values deep. The rest
    is up to you; exercises 11 to 13 are the parts of it.
    """

    def __init__(self, data, edges=()):
        self.data, self.edges, self.grad = data, edges, 0.0

    def __add__(self, other):
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        edges = [(self, other.data), (other, self.data)]
        return Value(self.data * other.data, edges)

    def tanh(self):
        y = np.tanh(self.data)
        return Value(y, [(self, 1 - y * y)])

    def backward(self):
        order, stack = {}, [self]  # parents before children
        while stack:
            ahead = [x for x, _ in stack[-1].edges if x not in order]
            if ahead:
                stack += ahead
            else:
                order[stack.pop()] = True
        self.grad = 1.0
        for child in reversed(order):
            for parent, local in child.edges:
                parent.grad += child.grad * local

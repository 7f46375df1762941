"""What should we see?

Closed forms and mean-field predictions for the gradient's fate, in plain NumPy. This room imports none of the others, so
that it can contradict them. Each function names its source and the range in which it holds, and raises ValueError outside.

docs/theory.md lists them; each file opens with the question that it answers.

>>> from tinygrad_vg import theory
>>> round(theory.meanfield.slope("sigmoid", 1.0), 3), round(theory.meanfield.slope("tanh", 1.0, 0.05), 3)
(-1.444, -0.138)
"""

from . import jacobians, landscape, meanfield, memory, powers, products, rates

__all__ = ["jacobians", "landscape", "meanfield", "memory", "powers", "products", "rates"]

"""What is its formula?

explain writes out the derivative of an op in matrix and in index notation, with the shapes and names of this graph. Read notation
(letters, indices), rules (the derivative of each op in words) and explain.
"""

from .explain import Explanation, explain

__all__ = ["Explanation", "explain"]

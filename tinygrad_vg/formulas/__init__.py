"""What is its formula?

explain writes out the derivative of an op in matrix and in index notation, with the shapes and names of this graph; by_hand the whole
graph, as the NumPy program that one would have written. Read notation (letters, indices), rules (the derivative of each op in words)
and explain; then statements, lines, prelude and words (the same ops in NumPy), loops, program with named (which lines), backward with
stack, naming, numbers and whole (the text), steps (a run, watched), exercise and grading (lines left open, and filled in), and by_hand.
"""

from .by_hand import ByHand, by_hand
from .explain import Explanation, explain

__all__ = ["ByHand", "Explanation", "by_hand", "explain"]

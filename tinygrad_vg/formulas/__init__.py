"""What is its formula?

explain writes out the derivative of an op in matrix and in index notation, with the shapes and names of this graph; by_hand the whole
graph, as the NumPy program that one would have written. Read notation (letters, indices), rules (the derivative of each op in words)
and explain. Then by_hand: statements; lines, prelude and words (the same ops in NumPy); loops, what repeats, and turns, how often; program
with named, the forward pass; backward with stack; naming; numbers and whole, the text; steps (a run, watched), exercise (lines left open,
and graded); by_hand, which has them all.

    recorded graph → Search, Turns: loops → Program: a statement for each line, and each node's pulls → Backward: statements
    → Names: what each symbol is called → Whole: the text → ByHand: runs it, watches it, leaves lines open, grades them
"""

from .by_hand import ByHand, by_hand
from .explain import Explanation, explain

__all__ = ["ByHand", "Explanation", "by_hand", "explain"]

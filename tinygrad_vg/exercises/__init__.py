"""Can you do it yourself?

Ten in matrix calculus; then an autodiff engine, step by step. Each asks for one function; an answer is graded on random
inputs, and of the first that is wrong it is said what is wrong, and at which line. Hints and right answers wait until asked for.

Reading order: grading (is it right, and if not, where?) · cases · answers (look there last)
"""

import runpy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from . import answers, cases
from .grading import CASES, Case, Exercise, Grade, judged, numbers, told

__all__ = ["CASES", "EXERCISES", "Exercise", "Grade", "grade", "numbered"]


def grade(number: int, answer: str | Path | Mapping[str, Any]) -> Grade:
    """Grade an answer, a Python file (which is run) or a namespace that holds the function. ValueError for no such exercise,
    OSError for a file that cannot be read."""
    exercise = numbered(number)
    try:
        space = answer if isinstance(answer, Mapping) else runpy.run_path(str(answer))
    except OSError:
        raise
    except (Exception, SystemExit) as error:
        return Grade(False, f"{Path(str(answer)).name} does not run: {told(error, str(answer))}")
    return judged(exercise, space.get(exercise.name))


def numbered(number: int) -> Exercise:
    if number not in EXERCISES:
        raise ValueError(f"there is no exercise {number}; they are numbered 1 to {len(EXERCISES)}")
    return EXERCISES[number]


def endless(case: Callable[..., Case], *of: Any) -> Callable[[Any], Iterator[Case]]:
    """Case after case, each drawn from the same rng."""
    return lambda rng: (case(rng, *of) for _ in count())


EXERCISES: dict[int, Exercise] = {
    1: Exercise(answers.tanh_slope, endless(cases.tanh_slope), "d tanh/dz = 1/cosh², and cosh² − sinh² = 1."),
    2: Exercise(answers.neuron, endless(cases.neuron), "∂y/∂z = y (1 − y) with z = w x + b; then ∂z/∂w = x."),
    3: Exercise(answers.gain, endless(cases.scalar_rnn), "It is a product of T factors w h_t (1 − h_t), each at its own h_t."),
    4: Exercise(answers.back_to_h, endless(cases.linear_layer, 0), "The sum runs over the first index of W, so W is transposed."),
    5: Exercise(answers.back_to_W, endless(cases.linear_layer, 1), "∂z_k/∂W_ij = δ_ki h_j, so ∂L/∂W_ij = g_i h_j."),
    6: Exercise(answers.softmax_back, endless(cases.softmax_back), "∂y_i/∂z_j = y_i (δ_ij − y_j): multiply by g_i and sum over i."),
    7: Exercise(answers.rnn_gradient, endless(cases.rnn_gradient),
        "At each step δ = (1 − h[t]²) g; it adds δ h[t−1]ᵀ to the gradient, and g becomes Wᵀ δ."),
    8: Exercise(answers.worst_gain, endless(cases.worst_gain),
        "One step multiplies by at most slope · σ_max(W), the largest singular value, not the largest eigenvalue."),
    9: Exercise(answers.relu_scale, endless(cases.relu_scale), "Half of the gates are closed, so E|Wᵀ D g|² = n σ² |g|² / 2.",
        partial(numbers, within=0.05)),
    10: Exercise(answers.forget_bias, endless(cases.forget_bias), "σ(b)^T = kept; solve for b."),
    11: Exercise(answers.order, cases.graphs,
        "Collect the nodes with a stack, without recursion. A node is born after its parents: sort by node.birth, the youngest first.",
        cases.misplaced, cases.listed),
    12: Exercise(answers.accumulate, cases.single_steps,
        "gradients.get(parent, 0.0) is the gradient so far. Add to it; an assignment would lose what came by another edge.",
        cases.astray),
    13: Exercise(answers.sweep, cases.graphs,
        "∂output/∂output = 1. Then accumulate at every node of order(output): when its turn comes, all its children have had theirs.",
        cases.astray, uses=(answers.order, answers.accumulate)),
    14: Exercise(answers.softsign, cases.softsigns,
        "dy/da = 1/(1 + |a|)², also at 0. In terms of y it is (1 − |y|)², but far out 1 − |y| loses its digits.",
        cases.pulled_wrong, cases.pulled),
    15: Exercise(answers.times, cases.products,
        "∂y/∂a = b, so a receives g * b; where a was repeated, sum over the copies: over axes that a lacks, and over those where its "
        "length is 1 (keepdims).",
        cases.pulled_wrong, cases.pulled)}

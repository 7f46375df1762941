"""Can you do it yourself?

Ten in matrix calculus; an autodiff engine, step by step; then layers of today by hand, and nets that do not learn. Each asks for one
function, the last for a class, a whole engine. An answer is graded on random inputs, the small ones first; of the first that is wrong it
is said what is wrong, at which line, and which slip it is, if many have made it. Hints and right answers wait until asked for.

Reading order: grading (is it right, and if not, where?) · cases · cases_nets · cases_value · answers, answers_nets (look there last)
"""

import runpy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from . import answers, answers_nets, cases, cases_nets, cases_value
from .grading import CASES, Case, Exercise, Grade, judged, numbers, told

__all__ = ["CASES", "EXERCISES", "Exercise", "Grade", "contents", "grade", "numbered"]


def grade(number: int, answer: str | Path | Mapping[str, Any]) -> Grade:
    """Grade an answer, a Python file (which is run) or a namespace that holds the function. ValueError for no such exercise,
    OSError for a file that cannot be read."""
    exercise = numbered(number)
    if not isinstance(answer, Mapping) and not Path(answer).exists():
        raise FileNotFoundError(f"there is no file {answer}; give the Python file that you wrote `{exercise.head}:` into")
    try:
        space = answer if isinstance(answer, Mapping) else runpy.run_path(str(answer))
    except OSError:
        raise
    except (Exception, SystemExit) as error:
        return Grade(False, f"{Path(str(answer)).name} does not run: {told(error, str(answer))}")
    return judged(exercise, space.get(exercise.name))


def numbered(number: int) -> Exercise:
    """The exercise of this number; ValueError if there is none."""
    if number not in EXERCISES:
        raise ValueError(f"there is no exercise {number}; they are numbered 1 to {len(EXERCISES)}")
    return EXERCISES[number]


def contents() -> list[Any]:
    """(number, what to write) of each exercise, as the rows of a table, with the names of the parts between them."""
    rows: list[Any] = []
    for number, exercise in EXERCISES.items():
        rows += [PARTS[number]] if number in PARTS else []
        rows.append((str(number), f"{exercise.name}({exercise.arguments})"))
    return rows


def endless(case: Callable[..., Case], *of: Any) -> Callable[[Any], Iterator[Case]]:
    """Case after case, each drawn from the same rng."""
    return lambda rng: (case(rng, *of) for _ in count())


PARTS = {1: "Matrix calculus", 11: "An engine of your own", 16: "By hand, on layers of today", 21: "Find the cause, break it, mend it",
    26: "All of the engine"}
EXERCISES: dict[int, Exercise] = {
    1: Exercise(answers.tanh_slope, endless(cases.tanh_slope), "d tanh/dz = 1/cosh², and cosh² − sinh² = 1."),
    2: Exercise(answers.neuron, endless(cases.neuron), "∂y/∂z = y (1 − y) with z = w x + b; then ∂z/∂w = x."),
    3: Exercise(answers.gain, cases.scalar_rnns, "It is a product of T factors w h[t] (1 − h[t]), each at its own h[t].",
        slips=cases.SLIPS["gain"]),
    4: Exercise(answers.back_to_h, cases.linear_layers(0), "The sum runs over the first index of W, so W is transposed.",
        slips=cases.SLIPS["back_to_h"]),
    5: Exercise(answers.back_to_W, cases.linear_layers(1), "∂z_k/∂W_ij = δ_ki h_j, so ∂L/∂W_ij = g_i h_j."),
    6: Exercise(answers.softmax_back, endless(cases.softmax_back), "∂y_i/∂z_j = y_i (δ_ij − y_j): multiply by g_i and sum over i.",
        slips=cases.SLIPS["softmax_back"]),
    7: Exercise(answers.rnn_gradient, cases.rnn_gradients,
        "At each step δ = (1 − h[t]²) g; it adds δ h[t−1]ᵀ to the gradient, and g becomes Wᵀ δ.", slips=cases.SLIPS["rnn_gradient"]),
    8: Exercise(answers.worst_gain, endless(cases.worst_gain),
        "One step multiplies by at most slope · σ_max(W), the largest singular value, not the largest eigenvalue."),
    9: Exercise(answers.relu_scale, endless(cases.relu_scale), "Half of the gates are closed, so E|Wᵀ D g|² = n σ² |g|² / 2.",
        partial(numbers, within=0.05)),
    10: Exercise(answers.forget_bias, endless(cases.forget_bias), "σ(b)^T = kept; solve for b."),
    11: Exercise(answers.order, cases.graphs,
        "Collect the nodes with a stack, without recursion. A node is born after its parents: sort by node.birth, the youngest first.",
        cases.misplaced),
    12: Exercise(answers.accumulate, cases.single_steps,
        "gradients.get(parent, 0.0) is the gradient so far. Add to it; an assignment would lose what came by another edge.",
        cases.astray),
    13: Exercise(answers.sweep, cases.graphs,
        "∂output/∂output = 1. Then accumulate at every node of order(output): when its turn comes, all its children have had theirs.",
        cases.astray, uses=(answers.order, answers.accumulate)),
    14: Exercise(answers.softsign, cases.softsigns,
        "dy/da = 1/(1 + |a|)², also at 0. In terms of y it is (1 − |y|)², but far out 1 − |y| loses its digits.",
        cases.pulled_wrong),
    15: Exercise(answers.times, cases.products,
        "∂y/∂a = b, so a receives g * b; where a was repeated, sum over the copies: over axes that a lacks, and over those where its "
        "length is 1 (keepdims).",
        cases.pulled_wrong),
    16: Exercise(answers_nets.attention_back, endless(cases_nets.attention),
        "∂L/∂V = Aᵀ g and ∂L/∂A = g Vᵀ; then the softmax of each row, as in exercise 6.",
        partial(cases_nets.several_wrong, names="∂L/∂S, ∂L/∂V")),
    17: Exercise(answers_nets.lstm_back, endless(cases_nets.lstm_step),
        "c_t is a sum of two products: f receives g c, i receives g n. Then the slope of each gate, f (1 − f), and of the tanh.",
        partial(cases_nets.several_wrong, names="∂L/∂z_f, ∂L/∂z_i, ∂L/∂z_n, ∂L/∂c")),
    18: Exercise(answers_nets.layer_norm_back, endless(cases_nets.layer_norm),
        "x acts in three ways: directly, through the mean, through the sd. The last two take from g its mean and its part along y."),
    19: Exercise(answers_nets.tangents, cases_nets.forward_walks,
        "The chain rule the other way round: a node's derivative is the sum over its edges of the parent's derivative × local.",
        cases.tangent_wrong),
    20: Exercise(answers_nets.blame_rnn, endless(cases_nets.recurrence),
        "As in exercise 7, one step at a time from the last; take the norm before and after each factor.",
        partial(cases_nets.several_wrong, names="slopes, weights")),
    21: Exercise(answers_nets.find_cause, endless(cases_nets.planted),
        "The link with the smallest total. Of its parts, activation size + alignment come from the slopes, weight size + "
        "alignment from the weights.",
        cases_nets.cause_wrong, times=8, right="{name} finds what was planted"),
    22: Exercise(answers_nets.explode, endless(cases_nets.sizes),
        "A matrix that hands on from one unit to the next: eigenvalues on its diagonal, something large beside it.",
        cases_nets.not_exploding, right="small eigenvalues, and yet it explodes"),
    23: Exercise(answers_nets.mend_rnn, endless(cases_nets.rnns),
        "A W that keeps all lengths will do. Which matrices keep them?",
        cases_nets.not_mended, times=1, right="the verdict is healthy, and it learns"),
    24: Exercise(answers_nets.mend_lstm, endless(cases_nets.lstms),
        "The cell keeps σ(b) of itself at each step. Exercise 10 says which b keeps enough over 20.",
        cases_nets.not_mended, times=1, right="the verdict is healthy, and it learns"),
    25: Exercise(answers_nets.mend_mlp, endless(cases_nets.mlps),
        "In terms of t = tanh(z/2) a layer reads z = W (1 + t)/2 + b = (W/2) t + (b + W 1/2), and the tanh halves z once more.",
        cases_nets.not_mended, times=1, right="the verdict is healthy, and it learns"),
    26: Exercise(answers.Value, cases_value.programs,
        "Give each Value a list of (parent, local derivative). backward first finds an order, as in 11: but parents first: put a Value "
        "into it once all its parents are there. Then the sweep, as in 12 and 13, backwards through it: parent.grad += child.grad * local.",
        cases_value.value_wrong, right="{name} is a whole engine, and agrees with ours")}

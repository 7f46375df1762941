"""Is every derivative right?  Six laws, each over the whole registry: every op × sample × memory layout × dtype.

a  the reverse gradient is the complex step's, and belongs to its leaf alone       b  ⟨J t, g⟩ = ⟨t, Jᵀ g⟩
c  what the sweep multiplies by is edge.local                                      d  the second derivative is right
e  a derivative that is wrong by 1 % is caught by (a)                              f  memory layout changes nothing

g  gradient (here: the seed)      t  tangent      h  step
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from samples import CENTRAL, LAYOUTS, SAMPLES, STRIDES, Case, cases
from tally import count

import tinygrad_vg as vg
from tinygrad_vg.autodiff.core import contributions
from tinygrad_vg.autodiff.rows import Elementwise

OPS = sorted(vg.OPS)
DTYPES = [np.float64, np.float32]
EXACT = {np.float64: 1e-12, np.float32: 1e-5}  # allowed error in units of max(1, |what is right|)
CHECKS = {
    "a": "gradients against the complex step", "b": "maps pushed and pulled", "c": "edges against the sweep", "d": "second derivatives",
    "e": "spoiled derivatives", "f": "gradients in other layouts",
}  # fmt: skip
MADE: Counter = Counter()  # checks made: (law, op, dtype, layout)


def every_case(op: str, law: str, dtype: Any, chosen: Any = None) -> Any:
    """The cases of an op, each counted and with what a failure is called."""
    for case in all_cases(op) if chosen is None else chosen:
        MADE[law, op, np.dtype(dtype).name, case.layout] += 1
        count(CHECKS[law])
        yield case, f"law {law}: {case}, {np.dtype(dtype).name}"


@cache
def all_cases(op: str) -> list[Case]:
    return cases(op)


def dyadic(shape: tuple, start: int = 0) -> np.ndarray:
    """Numbers of both signs and different sizes, exact in float32."""
    n = int(np.prod(shape))
    return np.array([((7 * k) % 13 - 5.5) / 8 for k in range(start, start + n)]).reshape(shape)


def error(got: Any, want: Any) -> float:
    """The largest difference in units of max(1, |want|); a nan counts as infinite."""
    difference = np.abs(np.asarray(got, dtype=float) - want) / np.maximum(1.0, np.abs(want))
    return float(np.max(np.where(np.isnan(difference), np.inf, difference), initial=0.0))


def leaves_and_output(case: Case, dtype: Any) -> tuple[list, Any]:
    leaves = [vg.Tensor(x, name=f"x{i}") for i, x in enumerate(case.starts(dtype))]
    return leaves, case.function(*leaves)


reference_memo: dict[int, tuple] = {}


def reference(case: Case) -> tuple[np.ndarray, list[np.ndarray]]:
    """Value, and gradient of ⟨g, value⟩ for each leaf, from plain NumPy: no graph, no rule of the engine."""
    if id(case) not in reference_memo:
        reference_memo[id(case)] = case, (central_differences if case.sample.op in CENTRAL else complex_step)(case)
    return reference_memo[id(case)][1]


def complex_step(case: Case, h: float = 1e-30) -> tuple[np.ndarray, list[np.ndarray]]:
    starts = case.starts()
    value = case.plain(*starts)
    g, gradients = dyadic(value.shape), []
    for k, x in enumerate(starts):
        slopes = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            z = np.array(x, complex)
            z[index] += 1j * h
            slopes[index] = np.sum(g * np.imag(case.plain(*starts[:k], z, *starts[k + 1 :]))) / h
        gradients.append(slopes)
    return value, gradients


def central_differences(case: Case, h: float = 2.0**-6) -> tuple[np.ndarray, list[np.ndarray]]:
    """Exact here: sign is constant, and a cast of numbers that fit linear, within a step of 1/64."""
    (x,) = case.starts()
    value = case.plain(x)
    slopes = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[index] = h
        slopes[index] = np.sum(dyadic(value.shape) * (case.plain(x + e) - case.plain(x - e)).astype(float)) / (2 * h)
    return value, [slopes]


def law_a(op: str, dtype: Any, chosen: Any = None, law: str = "a") -> list[str]:
    """What is wrong with the op's values and gradients: one line for each case that fails."""
    wrong = []
    for case, where in every_case(op, law, dtype, chosen):
        value, gradients = reference(case)
        leaves, output = leaves_and_output(case, dtype)
        output.backward(dyadic(output.shape).astype(output.dtype))
        if output.shape != value.shape or error(output.data, value) > EXACT[dtype]:
            wrong.append(f"{where}: value {output.data} for {value}")
        if op != "astype" and output.dtype != dtype:
            wrong.append(f"{where}: value of dtype {output.dtype}")
        for leaf, want in zip(leaves, gradients):
            got = leaf.grad if leaf.grad is not None else np.zeros(leaf.shape, leaf.dtype)  # an op need not use every entry
            if got.shape != leaf.shape or got.dtype != dtype or not got.flags.writeable or not got.flags.owndata:
                wrong.append(
                    f"{where}: {leaf.name}.grad is {got.dtype} {got.shape}, writeable {got.flags.writeable}, owned {got.flags.owndata}"
                )
            elif error(got, want) > EXACT[dtype]:
                wrong.append(f"{where}: {leaf.name}.grad off by {error(got, want):.2g}: {got.tolist()} for {want.tolist()}")
        wrong += [f"{where}: {leaf.name}.grad shares memory" for leaf in leaves if shares_memory(leaf, output)]
    return wrong


def shares_memory(leaf: Any, output: Any) -> bool:
    """Whether the gradient of a leaf lies in memory that any other value or gradient of the graph uses."""
    others = [node for node in vg.history(output) if node is not leaf]
    arrays = [leaf.data, *(node.data for node in others), *(node.grad for node in others)]
    return leaf.grad is not None and any(x is not None and np.may_share_memory(leaf.grad, x) for x in arrays)


def test_every_op_has_samples_in_every_layout():
    """The registry is walked: an op without samples, or never tried as 0-d, transposed …, fails here."""
    assert set(SAMPLES) >= set(OPS), f"no samples for {set(OPS) - set(SAMPLES)}"
    for op in OPS:
        met = Counter(case.layout for case in all_cases(op))
        assert set(met) == set(LAYOUTS), f"{op} is never tried as {set(LAYOUTS) - set(met)}"
        assert len({case.sample.label for case in all_cases(op)}) >= 8
        assert all(met[layout] >= 8 for layout in STRIDES), f"{op}: {met}"


def test_the_layouts_are_what_they_are_called():
    x = dyadic((2, 3))
    for layout, strides in zip(STRIDES, [(24, 8), (8, 16), (-24, -8), (8, 0)]):
        case = next(case for case in all_cases("tanh") if case.layout == layout and case.sample.arrays[0].shape == x.shape)
        seen = case.operands([vg.Tensor(case.leaves[0])], float)[0]
        assert (seen.shape, seen._value.strides) == (x.shape, strides), layout


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OPS)
def test_a_the_gradient_is_the_complex_step_and_belongs_to_its_leaf(op, dtype):
    wrong = law_a(op, dtype)
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong[:12])
    assert all(MADE["a", op, np.dtype(dtype).name, layout] for layout in LAYOUTS)


@pytest.mark.parametrize("op", [op for op in OPS if any(len(sample.nodes) > 1 for sample in SAMPLES.get(op, []))])
def test_a_each_leaf_has_a_gradient_of_its_own_dtype_where_dtypes_are_mixed(op):
    wrong = []
    for case in [case for case in all_cases(op) if len(case.sample.nodes) > 1]:
        for single in range(len(case.sample.nodes)):
            leaves = [vg.Tensor(x.astype(np.float32 if k == single else float)) for k, x in enumerate(case.starts())]
            output = case.sample.function(*case.operands(leaves, float))
            output = output.T if case.layout == "Fortran" and output.ndim > 1 else output
            seed = dyadic(output.shape)
            output.backward(seed)
            moved = vg.jvp(output, leaves, [dyadic(x.shape, 5) for x in leaves])
            if moved.dtype != output.dtype:
                wrong.append(f"{case}: jvp is {moved.dtype}, the output {output.dtype}")
            for k, (leaf, want) in enumerate(zip(leaves, reference(case)[1])):
                if leaf.grad is not None and (leaf.grad.dtype != leaf.dtype or error(leaf.grad, want) > EXACT[np.float32]):
                    wrong.append(f"{case}: leaf {k} is {leaf.dtype}, its gradient {leaf.grad.dtype} {leaf.grad} for {want}")
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong[:12])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OPS)
def test_b_pull_is_the_transpose_of_push_on_every_edge_and_for_the_whole_function(op, dtype):
    wrong = []
    for case, where in every_case(op, "b", dtype):
        leaves, output = leaves_and_output(case, dtype)
        for edge in [edge for node in vg.history(output) for edge in node.edges]:
            t, g = (dyadic(shape, 3).astype(dtype) for shape in (edge.parent.shape, edge.child.shape))
            wrong += transposes(edge.local.push(t), g, [t], [edge.local.pull(g)], dtype, f"{where}: {edge}")
        tangents, g = [dyadic(x.shape, 5).astype(dtype) for x in leaves], dyadic(output.shape).astype(dtype)
        wrong += transposes(vg.jvp(output, leaves, tangents), g, tangents, vg.grad(output, leaves, seed=g), dtype, f"{where}: jvp")
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong[:12])


def transposes(pushed: Any, g: Any, tangents: list, pulled: list, dtype: Any, where: str) -> list[str]:
    """⟨J t, g⟩ = ⟨t, Jᵀ g⟩, in units of the sum of the absolute terms."""
    if np.shape(pushed) != np.shape(g) or [np.shape(p) for p in pulled] != [t.shape for t in tangents]:
        return [f"{where}: J t has shape {np.shape(pushed)}, Jᵀ g {[np.shape(p) for p in pulled]}"]
    left, size = (np.sum(f(np.asarray(pushed, float) * g)) for f in (np.asarray, np.abs))
    right = np.sum([np.sum(np.asarray(p, float) * t) for p, t in zip(pulled, tangents)])
    close = abs(left - right) <= EXACT[dtype] * max(1.0, size)
    return [] if close else [f"{where}: ⟨J t, g⟩ = {left!r}, ⟨t, Jᵀ g⟩ = {right!r}"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OPS)
def test_c_what_the_sweep_multiplies_by_is_the_local_derivative_on_the_edge(op, dtype):
    wrong = []
    for case, where in every_case(op, "c", dtype):
        leaves, output = leaves_and_output(case, dtype)
        for node in vg.history(output):
            if node.rule is None:
                continue
            g, handed = dyadic(node.shape, 2).astype(node.dtype), {}
            for _, parent, part in contributions([node], {node: g}):
                handed[parent] = handed[parent] + part if parent in handed else part
            assert set(handed) == {edge.parent for edge in node.edges}, where
            for edge in node.edges:
                parent, twins = edge.parent, [other for other in node.edges if other.parent is edge.parent]
                pulled = parent.finalise(sum(twin.local.pull(g) for twin in twins))
                swept = parent.finalise(handed[parent])
                if swept.shape != parent.shape or error(swept, pulled) > (1e-15 if dtype is np.float64 else 1e-6):
                    wrong.append(f"{where}: {edge}: the sweep says {swept}, the map {pulled}")
                if dtype is np.float64 and case.layout in ("C", "0-d", "size 1", "size 0"):
                    wrong += dense_is_pushes(edge, where)
        seed = dyadic(output.shape).astype(output.dtype)
        for swept, node in zip(vg.grad(output, leaves, seed=seed), vg.grad(output, leaves, seed=seed, create_graph=True)):
            if node.dtype != dtype or error(node.data, swept) > (1e-14 if dtype is np.float64 else 1e-6):
                wrong.append(f"{where}: with create_graph {node!r}, without {swept!r}")
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong[:12])


def dense_is_pushes(edge: Any, where: str) -> list[str]:
    """local.dense() has a push of each unit tangent as its columns, and a pull of each unit gradient as its rows."""
    n, m = edge.parent.size, edge.child.size
    columns = np.reshape([edge.local.push(e.reshape(edge.parent.shape)).ravel() for e in np.eye(n)], (n, m)).T
    rows = np.reshape([edge.local.pull(e.reshape(edge.child.shape)).ravel() for e in np.eye(m)], (m, n))
    dense = edge.local.dense()
    right = dense.shape == (m, n) and error(dense, columns) < 1e-14 and error(dense, rows) < 1e-14
    return [] if right else [f"{where}: {edge}: dense {dense.tolist()}, pushes {columns.tolist()}, pulls {rows.tolist()}"]


@pytest.mark.parametrize("op", OPS)
def test_d_the_second_derivative_is_right(op):
    """gradcheck at order 2, for every op: none is without a second derivative (that of sign, relu, max … is zero)."""
    several = [case for case in all_cases(op) if case.layout in ("C", *LAYOUTS[4:])]
    for case, where in every_case(op, "d", np.float64, several[:: max(1, len(several) // 24)]):
        try:
            assert vg.gradcheck(case.function, *case.starts(), order=2)
        except Exception as failure:
            raise AssertionError(f"{where}: {type(failure).__name__}: {failure}") from failure


# ---------------------------------------------------------------- e: the checker is checked


# No test can see these: what is made wrong is zero in every gradient
INVISIBLE = {("var", "subtract", 1): "the deviations from a mean add up to zero, so nothing flows through the mean"}


def slots(op: str) -> list[tuple[Any, int]]:
    """Every rule (a row, or a class of maps) that the op's samples record, with every operand it is differentiated by."""
    found = {}
    for case in [case for case in all_cases(op) if any(x.size for x in case.starts())]:  # where there is nothing, nothing can be wrong
        for node in vg.history(case.sample.function(*operands_without_layout(case))):
            for edge in [edge for edge in node.edges if edge.parent.size]:
                rule = node.rule if isinstance(node.rule, Elementwise) else type(node.rule)
                found[getattr(rule, "name", rule), rule, edge.index] = rule, edge.index
    return list(found.values())


def operands_without_layout(case: Case) -> list:
    xs = [view(leaf) for leaf, view in zip(case.leaves, case.views)]
    return [vg.Tensor(x) if i in case.sample.nodes else float(x) if x.ndim == 0 else x for i, x in enumerate(xs)]


def off_by_one_percent(part: Any, g: Any) -> Any:
    """1.01 · part, or where the part is zero all over (sign), part + 0.01 · g."""
    part = part.total() if hasattr(part, "total") else part
    return part * 1.01 if np.any(part) else part + 0.01 * np.sum(g)


def spoil(monkeypatch: Any, rule: Any, i: int) -> None:
    """Make ∂y/∂x_i of a rule wrong by 1 % in the sweep."""
    right = rule.parts

    def wrong(*given: Any) -> Any:  # (node, g, inside), and before them the rule, if it is a class
        parts, g = right(*given), given[-2]
        return [off_by_one_percent(part, g) if j == i and part is not None else part for j, part in enumerate(parts)]

    monkeypatch.setattr(rule, "parts", wrong, raising=False)


@pytest.mark.parametrize("op", OPS)
def test_e_a_derivative_wrong_by_one_percent_is_caught(op, monkeypatch):
    mutants = slots(op)
    assert mutants, f"{op} records nothing"
    for rule, i in mutants:
        if (op, getattr(rule, "name", None), i) in INVISIBLE:
            continue
        few = [case for case in all_cases(op) if case.layout in ("C", *LAYOUTS[4:])]
        with monkeypatch.context() as patch:
            spoil(patch, rule, i)
            assert any(law_a(op, np.float64, [case], law="e") for case in few), f"{op}: operand {i} of {rule} wrong by 1 % goes unnoticed"
        assert not law_a(op, np.float64, few[:1], law="e"), "the rule was not put right again"


def test_e_every_row_and_every_kind_of_map_was_spoiled():
    """No row of the table, no slot of it that has a slope, and no class of maps is out of the mutants' reach."""
    reached = {(rule, i) for op in OPS for rule, i in slots(op)}
    rows = {f.rule for f in [*vars(vg.autodiff.table).values(), *vars(vg.autodiff.more_rows).values()] if isinstance(getattr(f, "rule", None), Elementwise)}
    assert len(rows) >= 27
    missing = [(row.name, i) for row in rows for i, slope in enumerate(row.slopes) if slope and (row, i) not in reached]
    assert not missing
    kinds = {(rule if isinstance(rule, type) else type(rule)).__name__ for rule, _ in reached}
    assert kinds >= set("Reshape Transpose Select Sum Broadcast Cast Join Matmul Linear Einsum Extreme LogSumExp".split())


# ---------------------------------------------------------------- f: memory layout


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OPS)
def test_f_results_do_not_depend_on_the_memory_layout(op, dtype):
    """Three ways to the same numbers: a leaf made of an array in the layout; an interior node in it; a leaf in C order."""
    wrong, allowed = [], 4e-16 if dtype is np.float64 else 2.4e-7
    for case, where in every_case(op, "f", dtype, [case for case in all_cases(op) if case.layout in STRIDES[1:]]):
        nodes = case.sample.nodes
        strided = [view(leaf.astype(dtype)) for leaf, view in zip(case.leaves, case.views)]
        plain = [np.array(x, order="C") for x in strided]
        value, gradients = run(case, [plain[i] for i in nodes], plain)
        same_value, same = run(case, [strided[i] for i in nodes], strided)
        if not np.array_equal(value, same_value) and error(same_value, value) > allowed:
            wrong.append(f"{where}: a leaf given in this layout has value {same_value}, else {value}")
        wrong += [
            f"{where}: a leaf given in this layout has gradient {a}, else {b}" for a, b in zip(same, gradients) if larger(a, b) > allowed
        ]
        leaves, output = leaves_and_output(case, dtype)
        seen = output.T if case.layout == "Fortran" and output.ndim > 1 else output
        if error(seen.data, value) > allowed:
            wrong.append(f"{where}: as an interior node value {seen.data}, else {value}")
        pulled = vg.grad(seen, leaves, seed=dyadic(seen.shape).astype(seen.dtype))
        for i, got, g in zip(nodes, pulled, gradients):
            leaf = vg.Tensor(case.leaves[i].astype(dtype))
            want = vg.grad(case.views[i](leaf), leaf, seed=g) if case.views[i](leaf) is not leaf else g
            if larger(got, want) > allowed * (4 if case.layout == "zero stride" else 1):
                wrong.append(f"{where}: as an interior node gradient {got}, else {want}")
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong[:12])


def larger(got: Any, want: Any) -> float:
    """The largest difference in units of the largest entry (or 1)."""
    return float(np.max(np.abs(got - want), initial=0.0)) / max(1.0, float(np.max(np.abs(want), initial=0.0)))


def run(case: Case, starts: list, arrays: list) -> tuple[np.ndarray, list]:
    leaves = [vg.Tensor(x) for x in starts]
    given = iter(leaves)
    output = case.sample.function(
        *[next(given) if i in case.sample.nodes else float(x) if x.ndim == 0 else x for i, x in enumerate(arrays)]
    )
    return output.data, vg.grad(output, leaves, seed=dyadic(output.shape).astype(output.dtype))


def test_z_no_combination_of_op_dtype_and_layout_was_left_out(request):
    """Counted as the laws ran; runs last. A partial run (-k, -x, several workers) has not seen all of it."""
    ran = {item.name for item in request.session.items if getattr(item, "module", None) is request.module}
    if len(ran) < 5 * len(OPS):
        pytest.skip("only part of this file was run")
    for law, layouts in [("a", LAYOUTS), ("b", LAYOUTS), ("c", LAYOUTS), ("f", STRIDES[1:])]:
        missing = [
            (op, dtype, layout) for op in OPS for dtype in ("float64", "float32") for layout in layouts if not MADE[law, op, dtype, layout]
        ]
        assert not missing, f"law {law} never saw {missing}"
    assert sum(n for key, n in MADE.items() if key[0] == "a") >= 15_000

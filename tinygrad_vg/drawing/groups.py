"""Which nodes did one call of a function make?  `with group("conv"):` says so, and draw puts them in one box.

Every node knows when it was born, so a group is a name and two moments; the engine knows nothing of it.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from ..autodiff.core import Node, births

MOST = 10_000  # groups that are remembered, the newest
calls: deque[tuple[int, int, str]] = deque(maxlen=MOST)  # first and last moment, name; one after the other, none within another


@contextmanager
def group(name: str) -> Iterator[None]:
    """What is computed inside is drawn as one box of this name: `with group("conv"): y = conv(x)`.

    It costs nothing but two ticks of a clock. Of groups in groups the outer one is drawn. draw(output, fold=None) draws every node.
    The newest 10,000 groups are remembered. TypeError if the name is no text.
    """
    if not isinstance(name, str):
        raise TypeError(f"group needs a name, such as group('conv'); got {type(name).__name__}")
    first = next(births)
    try:
        yield
    finally:
        while calls and calls[-1][0] > first:  # within this one
            calls.pop()
        calls.append((first, next(births), name))


def called(order: list[Node]) -> dict[Node, tuple[str, int]]:
    """Of each computed node that was made in a group: the name of the outermost one, and the moment at which it began."""
    outer, found = list(calls), {}
    for node in order:
        k = bisect_right(outer, node.birth, key=lambda call: call[0]) - 1
        if k >= 0 and node.rule is not None and node.birth < outer[k][1]:
            found[node] = (outer[k][2], outer[k][0])
    return found

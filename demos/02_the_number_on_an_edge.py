"""02  The number on an edge: every arrow of the graph carries its local derivative, and that is all there is.

A gradient is a sum over paths of products of these numbers. Here it is added up by hand, path by path.
"""

import math
import sys

from tinygrad_vg import Chain, Scalar, draw, history, paths


def main(fast: bool = False) -> int:
    x = Scalar(0.8, name="x")
    a, b = (x * x).named("a"), x.tanh().named("b")
    y = (a * b + b).named("y")
    y.backward()

    # %% what stands on each edge
    for node in history(y):
        for edge in node.edges:
            ratio = f"∂{node.name or node.op}/∂{edge.parent.name or edge.parent.op}"
            equals = "+=" if sum(x is edge.parent for x in node.parents) > 1 else " ="
            print(f"{ratio:<17}{equals} {edge.formula_here:<10} = {float(edge.local):.4f}")
    print(f"a = x · x has two edges to x, together ∂a/∂x = 2x = {2 * x.data:.4f}")

    # %% every path from y back to x, and the sum
    print()
    found = paths(y, x)
    print(found)
    print(f"\nsum over paths {math.fsum(path.product for path in found.top):.6f}, the engine's gradient {x.grad:.6f}")
    print(f"drawn: {draw(y)}; draw(y).save('graph.svg') makes the picture\n")
    print(Chain(y, x))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))

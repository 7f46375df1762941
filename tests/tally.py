"""How much was tried?  Tests count what they did; a run ends with the counts."""

from collections import Counter

TALLY: Counter = Counter()


def count(what: str, n: int = 1) -> None:
    """So many more of `what` were tried."""
    TALLY[what] += n

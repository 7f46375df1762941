"""Is it so?

The claims book: every sentence of the vanishing-gradient debate, measured and judged. Read claim (what a claim is), ledger (how the book
is read) and rows (what each measures). Then what they build on: models (the networks of the debate) · recurrences, counterexamples,
factorial (sigmoids or shared weights?) · remedies, gains, laboratory (what helps, and at what price) · headlines (the field's results,
small). factorial_shown and laboratory_shown hold tables and pictures.
"""

from .claim import CLAIMS, Claim, Found, Outcome, above, below, between, near
from .ledger import chosen, full, ledger, listed, outcome, page, picture, run
from .rows import comments, factors, minima, products, quotes, recurrence, remedies, sharing, size, walls, ways_past

ROWS = (size, factors, recurrence, walls, sharing, remedies, ways_past, comments, minima, quotes, products)

__all__ = [
    "CLAIMS", "ROWS", "Claim", "Found", "Outcome", "above", "below", "between", "chosen", "full", "ledger", "listed", "near", "outcome",
    "page", "picture", "run",
]  # fmt: skip

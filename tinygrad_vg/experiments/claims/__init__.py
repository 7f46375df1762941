"""Does it hold?  The claims book: every sentence of the vanishing-gradient debate, measured and judged.

Read claim (what a claim is) and ledger (how the book is read); then the rows. Of the post: size and factors (P1 to P8), recurrence,
walls and sharing (P9 to P17), remedies and ways_past (P18 to P26). Of its comments: comments, index, deep and minima (C1 to C11),
quotes and products (C12 to C22).
"""

from . import comments, factors, minima, products, quotes, recurrence, remedies, sharing, size, walls, ways_past
from .claim import CLAIMS, Claim, Found, Outcome, above, below, between, near
from .ledger import chosen, full, ledger, listed, outcome, page, picture, run

ROWS = (size, factors, recurrence, walls, sharing, remedies, ways_past, comments, minima, quotes, products)

__all__ = [
    "CLAIMS", "ROWS", "Claim", "Found", "Outcome", "above", "below", "between", "chosen", "full", "ledger", "listed", "near", "outcome",
    "page", "picture", "run",
]  # fmt: skip

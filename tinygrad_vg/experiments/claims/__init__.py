"""Does it hold?  The claims book: every sentence of the vanishing-gradient debate, measured and judged.

Read claim (what a claim is), then the rows: size (P1 to P8), recurrence (P9 to P17), remedies (P18 to P26), comments (C1 to C13),
products (C14 to C22); and ledger (how the book is read).
"""

from . import size  # noqa: F401  (each module enters its claims)
from .claim import CLAIMS, Claim, Found, Outcome, above, below, between, near
from .ledger import chosen, full, ledger, listed, outcome, page, picture, run

__all__ = [
    "CLAIMS", "Claim", "Found", "Outcome", "above", "below", "between", "chosen", "full", "ledger", "listed", "near", "outcome", "page",
    "picture", "run",
]  # fmt: skip

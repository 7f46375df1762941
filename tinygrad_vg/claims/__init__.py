"""Is it so?

The claims book: every sentence of the vanishing-gradient debate, measured and judged. Read claims.toml (the book itself), claim (what a
claim is), ledger and pages (how the book is printed, and shown in a browser) and rows (what measures each). Then what they build on:
models (the networks of the debate) · recurrences, factorial (sigmoids or shared weights?) · remedies, laboratory (what helps, and at
what price) · headlines (the field's results, small). factorial_shown and laboratory_shown hold tables and pictures.
"""

from importlib.resources import files

from . import rows  # noqa: F401  (it enters what measures each claim)
from .claim import CLAIMS, MEASURES, Claim, Found, Outcome, book
from .ledger import chosen, full, ledger, listed, outcome, picture, run, shown
from .pages import page

CLAIMS.update(book(files(__package__).joinpath("claims.toml").read_text(encoding="utf-8"), MEASURES))

__all__ = ["CLAIMS", "Claim", "Found", "Outcome", "chosen", "full", "ledger", "listed", "outcome", "page", "picture", "run", "shown"]

"""Do the field's headline results show at small size?

Read headline (what one is, and how it is printed), then the results: deep (initialisation, norms, skips), dynamics (how long
learning takes), over_time (latches, order, sums, echo states). What two headlines share is trained once.
"""

from . import after_2019, deep, dynamics, over_time  # noqa: F401  (each module enters its headlines)
from .headline import HEADLINES, Headline, Result, chosen, listed, table

__all__ = ["HEADLINES", "Headline", "Result", "chosen", "listed", "table"]

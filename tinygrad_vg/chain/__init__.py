"""Where did the gradient go?

A gradient is a product of local derivatives, one for each link between two stations that every path must pass. A Chain is
that product as an object: its links, how much each shrinks or grows the gradient, and the product so far.

Read stations (where the chain is cut), links, factors, chain and table; then what one asks of it: blame (with account, blocks, columns,
reasons), horizon, spectrum (product, eigen), reach (carried, window), uses, paths, verdict (kinds, judging, flow, loss, sites, idle).
"""

from .blame import Blame, blame
from .chain import Chain
from .eigen import EigenView, eigen_view
from .horizon import Horizon, horizon
from .links import Link
from .paths import Path, Paths, paths
from .reach import Reach, reach
from .spectrum import Spectrum, spectrum
from .table import side_by_side
from .uses import Use, Uses, uses
from .verdict import Verdict, verdict

Chain.blame, Chain.spectrum, Chain.horizon = blame, spectrum, horizon  # a chain knows nothing of what is asked of it

__all__ = [
    "Blame", "Chain", "EigenView", "Horizon", "Link", "Path", "Paths", "Reach", "Spectrum", "Use", "Uses", "Verdict", "eigen_view",
    "paths", "reach", "side_by_side", "uses", "verdict"]

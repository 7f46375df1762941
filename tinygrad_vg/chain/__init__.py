"""Where did the gradient go?

A gradient is a product of local derivatives, one for each link between two stations that every path must pass. A Chain is
that product as an object: its links, how much each shrinks or grows the gradient, and the product so far.
"""

from .chain import Chain
from .links import Link

__all__ = ["Chain", "Link"]

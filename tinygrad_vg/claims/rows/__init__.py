"""What is measured for each claim?

Of the post: size (P1 to P8), recurrence and sharing (P9 to P17), remedies and ways_past (P18 to P26). Of its comments: comments,
index, deep and minima (C1 to C11), quotes and products (C12 to C22). Of what came after: later and attention (E1 to E9).
"""

from . import attention, comments, later, minima, products, quotes, recurrence, remedies, sharing, size, ways_past  # noqa: F401  (each enters its measures)

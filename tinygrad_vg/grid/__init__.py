"""How does it scale?

A run for each point of a grid, here, in processes or on a cluster, each finished cell kept in a file. Read store, runs, and phase for
an example: depth × variance of the weights.
"""

from .runs import Grid, cluster, processes, run

__all__ = ["Grid", "cluster", "processes", "run"]

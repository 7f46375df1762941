"""Can it learn?

Optimisers, clipping, tasks and a loop that remembers what happened to the gradient at every step.
"""

"""How does it scale?

Claims with the function that measures them, and grids of runs over any concurrent.futures.Executor.
"""

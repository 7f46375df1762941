"""What is a gradient made of?

Read core (a node, its history, the sweep with the chain rule in its loop), table (a row for each derivative) and scalar (the same for one
number): that is the whole idea. Then, in passing, rows, numerics, maps, variable and guards; then arrays, tensor, structure, products,
reductions and protocols (the same with arrays); last calculus and check. Further functions: more_rows, rearranging, along, linear_algebra.
"""

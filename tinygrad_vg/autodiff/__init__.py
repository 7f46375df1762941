"""What is a gradient made of?

Read in this order: node (a value and its parents), maps (a derivative on an edge), derivatives (the table: one row per op; what
it is made of in passing: arrays, written), operators and anomaly (in passing), sweep and scalar (the chain rule), and only then
waiting, tensor, structure, products, reductions, protocols (the same with arrays), calculus and check (what follows, and whether
it is right). hints is for error messages only: what to write in place of what other libraries have.
"""

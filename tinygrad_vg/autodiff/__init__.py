"""What is a gradient made of?

Read in this order: node (a value and its parents), maps (a derivative on an edge), arrays and written (in passing), derivatives
(the table: one row per op), operators (in passing), sweep and scalar (the chain rule), and only then waiting, tensor, structure,
products, reductions, protocols (the same with arrays), calculus, check and anomaly (what follows, whether it is right, and where
a nan came from).
"""

"""How does it scale, and does it hold?

Experiments whose figures settle a question: reading (what happens to the gradient of an RNN that reads a text along).
"""

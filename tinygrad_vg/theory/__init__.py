"""What should we see?

Closed forms and mean-field predictions for the gradient's fate, in plain NumPy. This room imports none of the others, so
that it can contradict them.
"""

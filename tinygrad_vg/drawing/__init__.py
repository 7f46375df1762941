"""What does it look like?

A graph as plain boxes and arrows, then as DOT, then as a picture: values and gradients in the boxes, the local derivative
on every arrow.
"""

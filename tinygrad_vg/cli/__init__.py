"""How is it asked from a shell?

The command line, which `python -m tinygrad_vg` calls. Read options, main and commands (one function for each); reading does the main
job, texts is where text comes from and goes to.
"""

"""How is it asked from a shell?

The command line, which `python -m tinygrad_vg` calls. Read options, main, and commands (one function for each); texts, reading and
asking do what is asked, printing brings it to the reader.
"""

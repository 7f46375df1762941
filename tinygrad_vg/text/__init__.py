"""How is it printed?

Names and formulas as lines that any terminal can show (lines), derivatives written short (formulas), figures (numbers), one kind of
table (tables), files written whole or not at all (files), and the line of yours that runs (source). Nothing here computes a gradient.
"""

"""How is it printed?

Names and formulas as lines that any terminal can show (lines), derivatives written short (formulas), figures (numbers), one kind of
table (tables), and files that are written whole or not at all (files). Nothing here computes a gradient.
"""

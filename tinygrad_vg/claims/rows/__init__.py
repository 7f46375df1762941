"""What is measured for each claim?

Of the post: size and factors (P1 to P8), recurrence, walls and sharing (P9 to P17), remedies and ways_past (P18 to P26). Of its
comments: comments, index, deep and minima (C1 to C11), quotes and products (C12 to C22).
"""

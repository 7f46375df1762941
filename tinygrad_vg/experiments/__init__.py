"""How does it scale, and does it hold?

Experiments whose figures settle a question.  Reading order:

    reading (an RNN reads a text along) · models (the networks of the debate) · asking (questions about them)
    recurrences (random ones, followed back) · counterexamples, factorial (sigmoids or shared weights?)
    remedies, reach, laboratory (what helps, and at what price)
    store, grid (a run for each point, and where it is kept) · phase (depth × variance)
    claims (the book of claims) · headlines (the field's results, small) · exercises (do it yourself)

What the command line needs: options, texts, commands, printing; factorial_shown and laboratory_shown hold tables and pictures.
"""

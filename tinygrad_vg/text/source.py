"""Which line of yours was it?  The innermost one outside this package and outside NumPy."""

import linecache
import sys

PASSED_OVER = ("tinygrad_vg.autodiff", "tinygrad_vg.hints", "tinygrad_vg.text", "numpy")  # a line of these modules is not the user's


def calling_line() -> str:
    """The line of the user's code that runs, as 'file.py:12: code'."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "numpy").startswith(PASSED_OVER):
        frame = frame.f_back
    name, line = frame.f_code.co_filename, frame.f_lineno
    return f"{name}:{line}: {linecache.getline(name, line).strip()}"

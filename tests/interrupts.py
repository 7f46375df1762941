"""What if Ctrl-C is pressed just there?  At the k-th line of the package that an action runs; at_every_line(), for every k."""

import sys


def lines_of(action, stop=None):
    """How many lines of the package the action runs; at line `stop` Ctrl-C is pressed."""
    ran = 0

    def trace(frame, event, _):
        nonlocal ran
        if not frame.f_globals.get("__name__", "").startswith("tinygrad_vg") and "_rule" not in frame.f_globals:  # compiled makers have one
            return None
        if event == "line":
            ran += 1
            if ran == stop:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return ran


def at_every_line(make):
    """make() → (action, what), both new. Stops the action at line k, for every k, and yields `what` as it was left; at last undisturbed."""
    lines = lines_of(make()[0])
    for k in range(1, lines + 2):
        action, what = make()
        try:
            lines_of(action, k)
        except KeyboardInterrupt:
            pass
        else:
            assert k > lines, f"line {k} was not reached"
        yield what

"""How many digits does a number get?  Enough to say something: only zero prints as 0; for JSON, nan and infinities are text."""

import math
from typing import Any

import numpy as np

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def figure(x: float) -> str:
    """Three significant digits; nothing that is not zero prints as 0."""
    return f"{x:.3g}" if x == 0 or not math.isfinite(x) or 1e-3 <= abs(x) < 1e4 else f"{x:.2e}"


def signed(log: float) -> str:
    """A logarithm with two decimals and its sign; more decimals where two would show nothing."""
    return f"{log:+.2f}" if abs(log) >= 0.005 or log == 0 else f"{log:+.0e}"


def number(x: Any, digits: int = 4) -> str:
    """Significant digits, so that nothing but zero prints as 0."""
    return "0" if x == 0 else format(float(x), f".{digits}g")


def around(mean: float, sd: float) -> str:
    """mean ± sd, both to the second digit of the sd; without one (nan) the mean alone.

    >>> around(0.70123, 0.0213), around(-31.25, 4.0), around(1e-9, 2e-10), around(2.0, float("nan"))
    ('0.701 ± 0.021', '-31.2 ± 4.0', '1e-09 ± 2e-10', '2')
    """
    places = max(0, 1 - math.floor(math.log10(sd))) if 1e-6 < sd < 1e6 else 0
    fixed = f"{mean:.{places}f} ± {sd:.{places}f}" if places or sd >= 1 and abs(mean) < 1e6 else f"{number(mean)} ± {number(sd, 2)}"
    return number(mean) if math.isnan(sd) else fixed


def percent(share: float) -> str:
    """A share with one decimal, or with as many as it takes to show something."""
    return f"{100 * share:.1f} %" if abs(share) >= 5e-4 or share == 0 or share != share else f"{100 * share:.0e} %"


def from_log(nats: float, digits: int = 2) -> str:
    """exp(nats) in so many digits, also where a float would under- or overflow."""
    if not math.isfinite(nats):
        return "0" if nats < 0 else f"{nats}"
    decades = nats / math.log(10)
    exponent = math.floor(decades)
    if -3 <= exponent < 3:
        return f"{math.exp(nats):.{digits}g}"
    exponent += float(f"{10 ** (decades - exponent):.{digits - 1}f}") == 10  # 9.996 is 1.0e+01 in two digits, not 10.0
    return f"{10 ** (decades - exponent):.{digits - 1}f}e{exponent:+03d}"


def shown(x: Any) -> str:
    """A figure, text as it is, or several of them; None, where there is none, as a dash."""
    if isinstance(x, (list, np.ndarray)):
        return " ".join(map(shown, x))
    return "-" if x is None else figure(x) if isinstance(x, float) else str(x)


def jsonable(x: float) -> Any:
    """x, or "nan", "inf", "-inf": what JSON has no numbers for."""
    return x if math.isfinite(x) else str(x)


def numbers(x: Any) -> Any:
    """x, an array, a number, or lists, dictionaries or NamedTuples of them, for JSON: nan and infinities become text, a complex
    number [real, imaginary]."""
    if isinstance(x, np.ndarray):
        return numbers((np.stack([x.real, x.imag], -1) if np.iscomplexobj(x) else x).tolist())
    if isinstance(x, dict) or hasattr(x, "_asdict"):
        return {name: numbers(part) for name, part in (x if isinstance(x, dict) else x._asdict()).items()}
    if isinstance(x, (list, tuple)):
        return [numbers(part) for part in x]
    return jsonable(float(x)) if isinstance(x, (float, np.floating)) else x


def brief(x: Any) -> str:
    """A number or an array in at most a line, a long one shortened."""
    return np.array2string(np.asarray(x, dtype=float), threshold=6, edgeitems=2, precision=4).replace("\n", "")

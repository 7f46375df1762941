"""How are names and numbers set?  h₄ for h[4], 10⁻⁵ for 1e-05, − and · for - and *; two digits on pictures, all of them on hover."""

import math
import re
from typing import Any

from ..text.numbers import number

LOWERED = dict(zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ"))
RAISED, DIGITS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"), str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
NAME = re.compile(r"(?:layer(\d+)\.)?([A-Za-zα-ωΑ-Ω])(?:_([a-z]+))?(?:\[([\w+-]+)\])?")
GATES = re.compile(r"[Wb]_[xh]?[ifgozrn](\[|$)")  # no lower f, g or z: so none of a cell's gates is lowered
INSIDE = re.compile(r"(?<![\w.\]])(?:layer\d+\.)?[A-Za-zα-ω](?:_[a-z]+)?(?:\[[\w+-]+\])?(?![\w\[(.])")


def named(name: str) -> str:
    """h₄ for h[4], Wₕₕ for W_hh, W₂ for layer2.W; as it is where a character has no lower form, or it is no such name."""
    found = None if GATES.match(name) else NAME.fullmatch(name)
    low = "".join(part or "" for part in found.groups()[:1] + found.groups()[2:]) if found else ""
    return found[2] + "".join(map(LOWERED.__getitem__, low)) if found and set(low) <= LOWERED.keys() else name


def titled(name: str, op: str) -> str:
    """The words on top of a box: h₃ = tanh; without a name the op alone."""
    return named(name) if op in ("", "leaf", name) else f"{named(name)} = {op}"


def formula(text: str) -> str:
    """1 − h₃·h₃ for 1 - h[3] * h[3]."""
    lowered = INSIDE.sub(lambda found: named(found[0]), text)
    return lowered.replace(" ** 2", "²").replace(" * ", "·").replace(" - ", " − ").replace("-", "−")


def small(x: Any, digits: int = 2) -> str:
    """0.24, −1.2·10⁻⁵, 1024: two digits, and of a whole part all up to four; nothing but zero reads 0."""
    x = float(x)
    if x == 0 or not math.isfinite(x):
        return number(x).replace("-", "−")
    mantissa, _, power = f"{x:.{digits - 1}e}".partition("e")
    if -4 < int(power) < 4:
        return (f"{x:.{digits}g}" if int(power) < digits else f"{x:.0f}").replace("-", "−")
    return powered(mantissa, int(power))


def powered(mantissa: str, power: int) -> str:
    """1.2·10⁻⁵; a mantissa of 1 is left out."""
    short = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    head = {"1": "", "-1": "−"}.get(short, short.replace("-", "−") + "·")
    return f"{head}10{str(power).translate(RAISED)}"


def decade(k: int) -> str:
    """1, 10⁻⁴: a power of ten as it is read."""
    return f"10{str(k).translate(RAISED)}" if k else "1"


def from_nats(nats: float, digits: int = 2) -> str:
    """exp(nats), also where a float would under- or overflow."""
    if not math.isfinite(nats):
        return "0" if nats < 0 else f"{nats}"
    if -4 < nats / math.log(10) < 4:
        return small(math.exp(nats), digits)
    return powered(*scientific(nats, digits))


def pretty(name: str) -> str:
    """h[12] as h₁₂; more than one index stays as it is."""
    return re.sub(r"(?<=\w)\[(\d+)\](?!\[)", lambda found: found[1].translate(DIGITS), name)


def power(nats: float, digits: int = 2) -> str:
    """exp(nats) as 2.1 × 10⁻¹³; between 1/100 and 10^digits as a plain number."""
    if not math.isfinite(nats):
        return "0" if nats == -math.inf else "not finite"
    if math.log(0.01) <= nats < math.log(10) * digits:
        return f"{math.exp(nats):.{digits}g}"
    mantissa, exponent = scientific(nats, digits)
    return f"{mantissa} × 10{str(exponent).translate(RAISED)}"


def scientific(nats: float, digits: int) -> tuple[str, int]:
    """The mantissa of exp(nats), in so many digits, and its power of ten."""
    decades = nats / math.log(10)
    mantissa, _, more = f"{10 ** (decades - math.floor(decades)):.{digits - 1}e}".partition("e")
    return mantissa, math.floor(decades) + int(more)

"""How does the book of claims become a page?  One HTML file that needs nothing else; its words stand in page.html and claim.html.

It makes no request: its policy allows the one script and the one style sheet in it, known by their hashes, and pictures that it
holds. Without JavaScript every claim shows, without matplotlib every curve as text.
"""

import base64
import io
import re
from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import Any

from ..drawing.colours import FALL, GREY, INKS, RISE
from ..drawing.page import INKED, asset, document, filled
from ..text.lines import cut
from ..text.numbers import number
from .claim import Found, Outcome
from .ledger import COLOURS, MEANINGS, picture, printed

ROLES = dict(zip(COLOURS, ("flow", "slopes", "weights", "gates", "now", "soft"))) | {FALL: "flow", RISE: "growth", GREY: "soft"}
TYPE = 11  # points, 14 pixels and a little
WIDE, PHONE = 5.9, 3.6  # how wide a picture is, in inches


def page(outcomes: Iterable[Outcome]) -> str:
    """The ledger as one HTML page that needs no network: a section for each claim, with its picture where matplotlib is installed."""
    outcomes = list(outcomes)
    n = Counter(one.verdict for one in outcomes)
    style, script, headline = INKED + asset("page.css", __package__), asset("page.js", __package__), finding(n)
    moved, measured = sum(len(one.moved) for one in outcomes), sum(len(one.claim.expected) for one in outcomes)
    fields = {
        "headline": headline, "script": script,
        "state": f"{moved} of {measured} do not" if moved else f"all {measured} do",
        "remedies": str(n["remedy"]), "questions": str(n["open"]), "sources": str(n["source"]),
        "index": "\n".join(map(entry, outcomes)), "sections": "\n".join(map(section, outcomes)),
        "toggles": "\n".join(toggle(key, n[key]) for key in MEANINGS if n[key])}
    title = f"The claims book: {re.sub('<.*?>', '', headline)}"
    return document(title, filled("page.html", fields, __package__).rstrip(), [script], [style], "img-src data:; ")


def finding(n: Counter[str]) -> str:
    """What became of the sentences, each number in the colour of its verdict."""
    told = {
        "true": ("holds", "hold"), "half": ("holds in part", "hold in part"),
        "false": ("does not", "do not"), "MOVED": ("has moved", "have moved")}
    parts = [f'<b class="{key}">{n[key]} {words[n[key] != 1]}</b>' for key, words in told.items() if n[key] or key != "MOVED"]
    total = sum(n[key] for key in told)
    return f"Of {total} sentence{'s' * (total != 1)} of the debate, {', '.join(parts[:-1])} and {parts[-1]}."


def entry(one: Outcome) -> str:
    """A claim in the list of all."""
    id, verdict = escape(one.claim.id), one.verdict
    return f'<a class="{verdict}" href="#{id}" aria-label="{id}, {verdict}" title="{escape(one.claim.sentence)}">{id}</a>'


def toggle(verdict: str, n: int) -> str:
    """A button of the filter."""
    look = f'class="pill {verdict}" value="{verdict}" title="{MEANINGS[verdict]}"'
    return f'<button type="button" aria-pressed="false" {look}>{verdict} {n}</button>'


def section(one: Outcome) -> str:
    """A claim as a piece of HTML: sentence, verdict, answer, figures and picture."""
    claim, id, drawn = one.claim, escape(one.claim.id), image(one.found)
    told = "\n".join(printed(one.found, bool(drawn))).strip("\n")
    pre = f'<pre tabindex="0" role="region" aria-label="What {id} prints">{escape(told)}</pre>' if told else ""
    fields = {
        "id": id, "verdict": one.verdict, "meaning": MEANINGS[one.verdict].capitalize(),
        "sentence": escape(claim.sentence), "answer": typeset(escape(claim.answer)),
        "history": claim.history and f'<p class="soft">Changed: {escape(claim.history)}</p>',
        "figures": figure_table(one), "picture": drawn, "printed": pre}
    return filled("claim.html", fields, __package__)


def figure_table(one: Outcome) -> str:
    """Every figure, with the range it must lie in; all its digits where it is pointed at."""
    rows = "\n".join(
        f'<tr class="{"held" if held else "moved"}"><th scope="row">{escape(name)}</th><td title="{float(x)}">{typeset(number(x))}</td>'
        f"<td>{typeset(range.removesuffix(' ± 0'))}{'' if held else ': moved'}</td></tr>"
        for name, x, range, held in one.figures())
    heads = '<tr><th scope="col">figure</th><th scope="col">measured</th><th scope="col">must be</th></tr>'
    return f"<table><thead>{heads}</thead><tbody>\n{rows}\n</tbody></table>" if rows else ""


def typeset(text: str) -> str:
    """Numbers as they are written by hand.

    >>> typeset("1e-12 … -3.5e+07")
    '10<sup>−12</sup> … −3.5\u202f×\u202f10<sup>7</sup>'
    """
    return re.sub(r"(?<!\w)-(?=\d)", "−", re.sub(r"\b([\d.]+)e([+-]?)0*(\d+)\b", power, text)).replace("± ", "±\xa0")


def power(e: re.Match[str]) -> str:
    """A number with an exponent as one with a power of ten."""
    front = "" if e[1] == "1" else f"{e[1]}\u202f×\u202f"
    return f"{front}10<sup>{'−' * (e[2] == '-')}{e[3]}</sup>"


def image(found: Found) -> str:
    """The picture, drawn for a phone and for a wider page; nothing without matplotlib, or where there is nothing to see."""
    try:
        from matplotlib import rc_context

        with rc_context({"font.size": TYPE, "svg.fonttype": "none"}):
            if (figure := picture(found)) is None:
                return ""
            told, wide, small = described(figure), source(figure), source(narrowed(figure))
    except ImportError:
        return ""
    phone = f'<source media="(max-width: 620px)" srcset="{small}">'
    return f'<figure><picture>{phone}<img alt="{escape(told)}" src="{wide}"></picture></figure>'


def source(figure: Any) -> str:
    """The figure as SVG in an address: no type too small, in the inks of the page by day and by night."""
    for text in figure.findobj(lambda one: hasattr(one, "set_fontsize")):
        text.set_fontsize(max(text.get_fontsize(), TYPE))
    figure.set_figwidth(min(figure.get_figwidth(), WIDE))
    figure.savefig(buffer := io.StringIO(), format="svg", metadata={"Date": None})
    svg, night = buffer.getvalue(), ""
    for shade, role in ROLES.items():
        svg = svg.replace(shade, INKS[role][0])
    for day, dark in (INKS[role] for role in dict.fromkeys(ROLES.values())):
        night += "".join(f'[style*="{what}: {day}"]{{{what}:{dark}!important}}' for what in ("fill", "stroke"))
    svg = svg.replace("</style>", f"@media(prefers-color-scheme:dark){{{night}}}</style>", 1)
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def narrowed(figure: Any) -> Any:
    """The figure for a phone: few ticks, and the legend below."""
    from matplotlib.ticker import MaxNLocator

    figure.set_figwidth(PHONE)
    for ax in figure.axes:
        if isinstance(locator := ax.xaxis.get_major_locator(), MaxNLocator):
            locator.set_params(nbins=3)
        if legend := ax.get_legend():
            names = [cut(text.get_text(), 32) for text in legend.get_texts()]
            legend.remove()
            figure.legend(legend.legend_handles, names, loc="outside lower left", frameon=False, labelcolor=GREY)
            figure.set_figheight(figure.get_figheight() + 0.2 * len(names))
    return figure


def described(figure: Any) -> str:
    """What a picture shows, in words."""
    ax = figure.axes[0]
    names = ", ".join(text.get_text() for text in ax.get_legend().get_texts()) if ax.get_legend() else ""
    return f"{ax.get_title(loc='left') or 'Plot'}: {ax.get_ylabel()} against {ax.get_xlabel()}{names and '; '}{names}"

"""How does a drawing become a picture?  Shapes and words, each in a named ink; as SVG that is light or dark with its reader, or as
PNG and PDF, which are light.

    role  the name of an ink: flow, slopes, weights, gates, rest, growth, now, ink, soft, line, faint, card, page
"""

from html import escape
from io import BytesIO
from typing import Any

from ..text.lines import width
from .colours import INKS

FAMILY = 'system-ui,"Segoe UI",Roboto,"DejaVu Sans","Liberation Sans",Arial,sans-serif'
MONO = 'ui-monospace,"DejaVu Sans Mono","Liberation Mono",monospace'
MISSING = 'PNG and PDF need matplotlib: pip install "tinygrad_vg[plot]"'
Points = list[tuple[float, float]]
Run = tuple[str, str]  # words, and their ink


class Canvas:
    """A drawing of a width and height in pixels; what is drawn later lies above.

    .svg  as one <svg> element       .rendered("png" or "pdf")  as bytes, by matplotlib
    """

    def __init__(self, wide: float, high: float, title: str):
        self.wide, self.high, self.title = wide, high, title
        self.shapes: list[tuple[str, dict[str, Any]]] = []

    def rectangle(self, x: float, y: float, wide: float, high: float, fill: str = "", stroke: str = "", r: float = 0, **more: Any) -> None:
        """more: hover, a text shown when pointed at; data, {name: value}, for who reads the picture; line, the stroke's width."""
        self.shapes.append(("rect", dict(x=x, y=y, wide=wide, high=high, fill=fill, stroke=stroke, r=r, **more)))

    def path(self, points: Points, stroke: str = "", fill: str = "", line: float = 1.0, dash: bool = False, **more: Any) -> None:
        """Straight from point to point; filled if there is a fill."""
        self.shapes.append(("path", dict(points=points, stroke=stroke, fill=fill, line=line, dash=dash, **more)))

    def dot(self, x: float, y: float, r: float, fill: str, **more: Any) -> None:
        self.shapes.append(("dot", dict(x=x, y=y, r=r, fill=fill, **more)))

    def words(
        self, x: float, y: float, words: str | list[Run], role: str = "ink", size: float = 18, anchor: str = "start", *,
        bold: bool = False, italic: bool = False, mono: bool = False, opacity: float = 1.0,
    ) -> None:
        """One line of words whose baseline starts, has its middle, or ends at (x, y); in one ink, or run by run."""
        runs = [(words, role)] if isinstance(words, str) else words
        look = dict(runs=runs, size=size, anchor=anchor, bold=bold, italic=italic, mono=mono, opacity=opacity)
        self.shapes.append(("words", dict(x=x, y=y, **look)))

    @property
    def svg(self) -> str:
        """As a picture of its own: with its inks, and a page behind it."""
        ground = rectangle_svg(dict(x=0, y=0, wide=self.wide, high=self.high, fill="page", stroke="", r=0))
        return self.element(f"<style>{sheet()}</style>", ground)

    def element(self, *first: str) -> str:
        """As an <svg> element, for a page that has the inks, and says itself what is pointed at."""
        size = f'width="{self.wide:g}" height="{self.high:g}" viewBox="0 0 {self.wide:g} {self.high:g}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family=\'{FAMILY}\'><title>{escape(self.title)}</title>'
        shapes = self.shapes if first else [(kind, {**shape, "hover": ""}) for kind, shape in self.shapes]
        return "\n".join([head, *first, *(SVG[kind](shape) for kind, shape in shapes), "</svg>"])

    def rendered(self, format: str, dpi: int = 144) -> bytes:
        """The picture as a PNG or a PDF. ImportError without matplotlib."""
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError(MISSING) from error
        figure = Figure(figsize=(self.wide / 72, self.high / 72), dpi=dpi, facecolor=INKS["page"][0])
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, self.wide), ylim=(self.high, 0))
        ax.axis("off")
        for z, (kind, shape) in enumerate(self.shapes):
            PLOTTED[kind](ax, shape, z)
        figure.savefig(buffer := BytesIO(), format=format, metadata={"CreationDate": None} if format == "pdf" else None)
        return buffer.getvalue()


def sheet() -> str:
    """The inks, on a light page and on a dark one."""
    light, dark = ("".join(f".f-{role}{{fill:{pair[k]}}}.s-{role}{{stroke:{pair[k]}}}" for role, pair in INKS.items()) for k in (0, 1))
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"


def inked(fill: str, stroke: str, line: float = 1.0, dash: bool = False) -> str:
    """The attributes of a shape: the classes of its inks, and its line."""
    roles = " ".join([f"f-{fill}"] * bool(fill) + [f"s-{stroke}"] * bool(stroke))
    edge = f' stroke-width="{line:g}"' + ' stroke-dasharray="6 5"' * dash if stroke else ""
    return f'class="{roles}"' + ' fill="none"' * (not fill) + edge


def element(name: str, attributes: str, shape: dict[str, Any]) -> str:
    """One element, with its data and what it says when it is pointed at."""
    data = "".join(f' data-{key}="{escape(str(value))}"' for key, value in shape.get("data", {}).items())
    hover = shape.get("hover")
    return f"<{name} {attributes}{data}>" + (f"<title>{escape(hover)}</title>" if hover else "") + f"</{name}>"


def rectangle_svg(s: dict[str, Any]) -> str:
    place = f'x="{s["x"]:.1f}" y="{s["y"]:.1f}" width="{s["wide"]:.1f}" height="{s["high"]:.1f}" rx="{s["r"]:g}"'
    return element("rect", f"{place} {inked(s['fill'], s['stroke'], s.get('line', 1))}", s)


def path_svg(s: dict[str, Any]) -> str:
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in s["points"])
    look = inked(s["fill"], s["stroke"], s["line"], s["dash"])
    return element("polygon" if s["fill"] else "polyline", f'points="{way}" stroke-linejoin="round" {look}', s)


def dot_svg(s: dict[str, Any]) -> str:
    return element("circle", f'cx="{s["x"]:.1f}" cy="{s["y"]:.1f}" r="{s["r"]:g}" {inked(s["fill"], "")}', s)


def words_svg(s: dict[str, Any]) -> str:
    look = f' font-family=\'{MONO}\'' * s["mono"] + ' font-weight="600"' * s["bold"] + ' font-style="italic"' * s["italic"]
    look += f' opacity="{s["opacity"]:.2f}"' if s["opacity"] < 1 else ""
    anchor = f' text-anchor="{s["anchor"]}"' if s["anchor"] != "start" else ""
    if len(s["runs"]) == 1:
        look, runs = f"{look} {inked(s['runs'][0][1], '')}", escape(s["runs"][0][0])
    else:
        runs = "".join(f"<tspan {inked(role, '')}>{escape(words)}</tspan>" for words, role in s["runs"])
    return f'<text x="{s["x"]:.1f}" y="{s["y"]:.1f}" font-size="{s["size"]:g}"{anchor}{look} xml:space="preserve">{runs}</text>'


def rectangle_plotted(ax: Any, s: dict[str, Any], z: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = f"round,pad=0,rounding_size={min(s['r'], s['wide'] / 2, s['high'] / 2):g}"
    ax.add_patch(FancyBboxPatch((s["x"], s["y"]), s["wide"], s["high"], style, zorder=z, **plotted(s)))


def path_plotted(ax: Any, s: dict[str, Any], z: int) -> None:
    if s["fill"]:
        ax.fill(*zip(*s["points"]), zorder=z, **plotted(s))
    else:
        ax.plot(*zip(*s["points"]), color=INKS[s["stroke"]][0], lw=s["line"], ls=(0, (6, 5)) if s["dash"] else "-", zorder=z)


def dot_plotted(ax: Any, s: dict[str, Any], z: int) -> None:
    from matplotlib.patches import Circle

    ax.add_patch(Circle((s["x"], s["y"]), s["r"], fc=INKS[s["fill"]][0], zorder=z))


def plotted(s: dict[str, Any]) -> dict[str, Any]:
    ink = {role: INKS[s[role]][0] if s[role] else "none" for role in ("fill", "stroke")}
    return {"fc": ink["fill"], "ec": ink["stroke"], "lw": s.get("line", 1.0) if s["stroke"] else 0}


def words_plotted(ax: Any, s: dict[str, Any], z: int) -> None:
    """Run after run, each where the one before it ends."""
    pen = ax.figure.canvas.get_renderer() if hasattr(ax.figure.canvas, "get_renderer") else None
    look = {"fontsize": s["size"] * 0.96, "alpha": s["opacity"], "zorder": z, "parse_math": False}
    look |= {"family": "DejaVu Sans Mono" if s["mono"] else "DejaVu Sans"}
    look |= {"weight": "bold" if s["bold"] else "normal", "style": "italic" if s["italic"] else "normal"}
    drawn = [ax.text(0, s["y"], words, color=INKS[role][0], **look) for words, role in s["runs"]]
    scale = 72 / ax.figure.dpi
    wide = [one.get_window_extent(pen).width * scale for one in drawn]
    x = s["x"] - {"start": 0, "middle": sum(wide) / 2, "end": sum(wide)}[s["anchor"]]
    for one, step in zip(drawn, wide):
        one.set_x(x)
        x += step


def room(words: str, size: float, bold: bool = False) -> float:
    """About how wide these words are."""
    return width(words) * size * (0.62 if bold else 0.56)


SVG = {"rect": rectangle_svg, "path": path_svg, "dot": dot_svg, "words": words_svg}
PLOTTED = {"rect": rectangle_plotted, "path": path_plotted, "dot": dot_plotted, "words": words_plotted}

"""How does a drawing become a picture?  Shapes and words, each in a named ink; as SVG that is light or dark with its reader, or as
PNG and PDF, which are light.

    role  the name of an ink: flow, slopes, weights, gates, rest, growth, now, ink, soft, line, faint, card, page; or a colour, "#2166ac",
          which is the same on light and dark pages
"""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from io import BytesIO
from typing import Any

from ..text.lines import width
from .colours import INKS

FAMILY = 'system-ui,"Segoe UI",Roboto,"DejaVu Sans","Liberation Sans",Arial,sans-serif'
MONO = 'ui-monospace,"DejaVu Sans Mono","Liberation Mono",monospace'
MISSING = 'PNG and PDF need matplotlib: pip install "tinygrad_vg[draw]"'
Points = list[tuple[float, float]]
Run = tuple[str, str]  # words, and their ink


class Canvas:
    """A drawing of a width and height in pixels; what is drawn later lies above.

    .svg  as one <svg> element       .rendered("png" or "pdf")  as bytes, by matplotlib
    """

    def __init__(self, wide: float, high: float, title: str):
        self.wide, self.high, self.title = wide, high, title
        self.shapes: list[tuple[str, dict[str, Any]]] = []

    @contextmanager
    def group(self, id: str, kind: str, x: float = 0.0, y: float = 0.0, hover: str = "") -> Iterator[None]:
        """What is drawn in it belongs together, has its corner at (x, y), and says so when pointed at."""
        self.shapes.append(("group", dict(id=id, kind=kind, x=x, y=y, hover=hover)))
        yield
        self.shapes.append(("end", {}))

    def rectangle(self, x: float, y: float, wide: float, high: float, fill: str = "", stroke: str = "", r: float = 0, **more: Any) -> None:
        """more: hover, a text shown when pointed at; data, {name: value}, for who reads the picture; line, the stroke's width."""
        self.shapes.append(("rect", dict(x=x, y=y, wide=wide, high=high, fill=fill, stroke=stroke, r=r, **more)))

    def path(self, points: Points, stroke: str = "", fill: str = "", line: float = 1.0, dash: str = "", **more: Any) -> None:
        """Straight from point to point; filled if there is a fill. dash: lengths of line and gap, "2 4"."""
        self.shapes.append(("path", dict(points=points, stroke=stroke, fill=fill, line=line, dash=dash, **more)))

    def curve(self, path: list[tuple[str, Points]], stroke: str, line: float = 1.0, dash: str = "") -> None:
        """As in SVG: M moves, L is straight, Q and C bend. dash as of a path."""
        self.shapes.append(("curve", dict(path=path, stroke=stroke, line=line, dash=dash)))

    def dot(self, x: float, y: float, r: float, fill: str, **more: Any) -> None:
        self.shapes.append(("dot", dict(x=x, y=y, r=r, fill=fill, **more)))

    def words(
        self, x: float, y: float, words: str | list[Run], role: str = "ink", size: float = 18, anchor: str = "start", *,
        bold: bool = False, italic: bool = False, mono: bool = False, opacity: float = 1.0, halo: bool = False,
    ) -> None:
        """One line of words whose baseline starts, has its middle, or ends at (x, y); in one ink, or run by run. halo: clear of lines."""
        runs = [(words, role)] if isinstance(words, str) else words
        look = dict(runs=runs, size=size, anchor=anchor, bold=bold, italic=italic, mono=mono, opacity=opacity, halo=halo)
        self.shapes.append(("words", dict(x=x, y=y, **look)))

    @property
    def svg(self) -> str:
        """As a picture of its own: with its inks, and a page behind it."""
        ground = rectangle_svg(dict(x=0, y=0, wide=self.wide, high=self.high, fill="page", stroke="", r=0))
        return self.element(f"<style>{sheet()}</style>", ground)

    def element(self, *first: str) -> str:
        """As an <svg> element, for a page that has the inks; without anything first it leaves to the page to say what is pointed at."""
        size = f'width="{self.wide:g}" height="{self.high:g}" viewBox="0 0 {self.wide:g} {self.high:g}"'
        look = f'role="img" xml:space="preserve" font-family=\'{FAMILY}\''
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}><title>{escape(self.title)}</title>'
        shapes = self.shapes if first else [(kind, {**shape, "hover": ""}) for kind, shape in self.shapes]
        return "\n".join([head, *first, *(SVG[kind](shape) for kind, shape in shapes), "</svg>"])

    def rendered(self, format: str, dpi: int = 144) -> bytes:
        """The picture as a PNG or a PDF. ImportError without matplotlib."""
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
            from matplotlib.transforms import Affine2D
        except ImportError as error:
            raise ImportError(MISSING) from error
        figure = Figure(figsize=(self.wide / 72, self.high / 72), dpi=dpi, facecolor=INKS["page"][0])
        FigureCanvasAgg(figure)  # one renderer measures all words; without it each word has one of its own, as large as the picture
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, self.wide), ylim=(self.high, 0))
        ax.axis("off")
        within = [ax.transData]  # the groups that are open: where their corners are
        for z, (kind, shape) in enumerate(self.shapes):
            if kind == "group":
                within.append(Affine2D().translate(shape["x"], shape["y"]) + within[-1])
            elif kind == "end":
                within.pop()
            else:
                PLOTTED[kind](ax, shape, zorder=z, transform=within[-1])
        figure.savefig(buffer := BytesIO(), format=format, dpi=dpi, metadata={"CreationDate": None} if format == "pdf" else None)
        return buffer.getvalue()


def sheet() -> str:
    """The inks, on a light page and on a dark one."""
    light, dark = ("".join(f".f-{role}{{fill:{pair[k]}}}.s-{role}{{stroke:{pair[k]}}}" for role, pair in INKS.items()) for k in (0, 1))
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"


def rgb(role: str) -> str:
    """The colour of an ink on a light page, or the colour itself."""
    return role if role.startswith("#") else INKS[role][0]


def inked(fill: str, stroke: str, line: float = 1.0, dash: str = "") -> str:
    """The attributes of a shape: the classes of its inks, its colours if they are no inks, and its line."""
    roles = [f"{kind}-{role}" for kind, role in (("f", fill), ("s", stroke)) if role and not role.startswith("#")]
    parts = [f'class="{" ".join(roles)}"'] * bool(roles) + [f'fill="{fill or "none"}"'] * (not fill or fill.startswith("#"))
    if stroke:
        parts += [f'stroke="{stroke}"'] * stroke.startswith("#") + [f'stroke-width="{line:g}"']
        parts += [f'stroke-dasharray="{dash}"'] * bool(dash)
    return " ".join(parts)


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


def curve_svg(s: dict[str, Any]) -> str:
    way = " ".join(letter + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) for letter, points in s["path"])
    return f'<path d="{way}" {inked("", s["stroke"], s["line"], s["dash"])}/>'


def group_svg(s: dict[str, Any]) -> str:
    """The start of a group; it ends with </g>."""
    corner = f' transform="translate({s["x"]:.1f},{s["y"]:.1f})"' if s["x"] or s["y"] or not s["kind"] else ""
    named = f' id="{s["id"]}"' * bool(s["id"]) + f' class="{s["kind"]}"' * bool(s["kind"])
    return f"<g{named}{corner}>" + (f"<title>{escape(s['hover'])}</title>" if s["hover"] else "")


def dot_svg(s: dict[str, Any]) -> str:
    return element("circle", f'cx="{s["x"]:.1f}" cy="{s["y"]:.1f}" r="{s["r"]:g}" {inked(s["fill"], "")}', s)


def words_svg(s: dict[str, Any]) -> str:
    look = f' font-family=\'{MONO}\'' * s["mono"] + ' font-weight="600"' * s["bold"] + ' font-style="italic"' * s["italic"]
    look += f' opacity="{s["opacity"]:.2f}"' if s["opacity"] < 1 else ""
    anchor = f' text-anchor="{s["anchor"]}"' if s["anchor"] != "start" else ""
    (text, role), runs = s["runs"][0], ""
    if len(s["runs"]) > 1:
        runs = "".join(f"<tspan {inked(role, '')}>{escape(words)}</tspan>" for words, role in s["runs"])
    else:
        look += " " + inked(role, "page" if s["halo"] else "", 4) + ' paint-order="stroke"' * s["halo"]
    place = f'x="{s["x"]:.1f}" y="{s["y"]:.1f}" font-size="{s["size"]:g}"'
    return f"<text {place}{anchor}{look}>{runs or escape(text)}</text>"


def rectangle_plotted(ax: Any, s: dict[str, Any], **at: Any) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = f"round,pad=0,rounding_size={min(s['r'], s['wide'] / 2, s['high'] / 2):g}"
    ax.add_patch(FancyBboxPatch((s["x"], s["y"]), s["wide"], s["high"], style, **plotted(s), **at))


def path_plotted(ax: Any, s: dict[str, Any], **at: Any) -> None:
    if s["fill"]:
        ax.fill(*zip(*s["points"]), **plotted(s), **at)
    else:
        ax.plot(*zip(*s["points"]), color=rgb(s["stroke"]), lw=s["line"], ls=dashes(s["dash"]), **at)


def curve_plotted(ax: Any, s: dict[str, Any], **at: Any) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    codes = {"M": Path.MOVETO, "L": Path.LINETO, "Q": Path.CURVE3, "C": Path.CURVE4}
    path = Path([point for _, points in s["path"] for point in points], [codes[letter] for letter, points in s["path"] for _ in points])
    ax.add_patch(PathPatch(path, fc="none", ec=rgb(s["stroke"]), lw=s["line"], ls=dashes(s["dash"]), **at))


def dashes(dash: str) -> Any:
    return (0, tuple(map(float, dash.split()))) if dash else "-"


def dot_plotted(ax: Any, s: dict[str, Any], **at: Any) -> None:
    from matplotlib.patches import Circle

    ax.add_patch(Circle((s["x"], s["y"]), s["r"], fc=rgb(s["fill"]), **at))


def plotted(s: dict[str, Any]) -> dict[str, Any]:
    ink = {role: rgb(s[role]) if s[role] else "none" for role in ("fill", "stroke")}
    return {"fc": ink["fill"], "ec": ink["stroke"], "lw": s.get("line", 1.0) if s["stroke"] else 0}


def words_plotted(ax: Any, s: dict[str, Any], **at: Any) -> None:
    """Run after run, each where the one before it ends."""
    look = at | {"fontsize": s["size"] * 0.96, "alpha": s["opacity"], "parse_math": False}
    look |= {"family": "DejaVu Sans Mono" if s["mono"] else "DejaVu Sans"}
    look |= {"weight": "bold" if s["bold"] else "normal", "style": "italic" if s["italic"] else "normal"}
    if s["halo"]:
        from matplotlib.patheffects import withStroke

        look["path_effects"] = [withStroke(linewidth=4, foreground=rgb("page"))]
    drawn = [ax.text(0, s["y"], words, color=rgb(role), **look) for words, role in s["runs"]]
    wide = [one.get_window_extent(ax.figure.canvas.get_renderer()).width * 72 / ax.figure.dpi for one in drawn]
    x = s["x"] - {"start": 0, "middle": sum(wide) / 2, "end": sum(wide)}[s["anchor"]]
    for one, step in zip(drawn, wide):
        one.set_x(x)
        x += step


def room(words: str, size: float, bold: bool = False) -> float:
    """About how wide these words are."""
    return width(words) * size * (0.62 if bold else 0.56)


SVG = {"rect": rectangle_svg, "path": path_svg, "dot": dot_svg, "words": words_svg, "curve": curve_svg, "group": group_svg,
       "end": lambda s: "</g>"}
PLOTTED = {"rect": rectangle_plotted, "path": path_plotted, "dot": dot_plotted, "words": words_plotted, "curve": curve_plotted}

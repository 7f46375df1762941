"""How does a drawing become a picture?  Shapes and words, each in a named ink; as SVG that is light or dark with its reader, or as
PNG and PDF, which are the one or the other.

    role  the name of an ink: flow, slopes, weights, gates, norms, rest, growth, now, ink, soft, line, faint, card, page; or a colour,
          "#2166ac", which is the same on light and dark pages
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from html import escape
from io import BytesIO
from typing import Any, NamedTuple

from ..text.lines import width
from .colours import INKS

FAMILY = 'system-ui,"Segoe UI",Roboto,"DejaVu Sans","Liberation Sans",Arial,sans-serif'
MONO = 'ui-monospace,"DejaVu Sans Mono","Liberation Mono",monospace'
MISSING = 'PNG and PDF need matplotlib: pip install -e ".[draw]"'
CODES = {"M": 1, "L": 2, "Q": 3, "C": 4}  # matplotlib's for the letters of a path
Points = list[tuple[float, float]]
Run = tuple[str, str]  # words, and their ink


class Shape(NamedTuple):
    """One element of a picture: how it starts and ends as SVG, and how matplotlib draws it, by plot(ax=, zorder=, transform=).

    hover   what it says when it is pointed at
    corner  of a group, which ends with a shape that has neither corner nor plot
    """

    start: str
    end: str
    hover: str = ""
    plot: Callable[..., Any] | None = None
    corner: tuple[float, float] | None = None


class Canvas:
    """A drawing of a width and height in pixels; what is drawn later lies above.

    .svg  as one <svg> element       .rendered("png" or "pdf")  as bytes, by matplotlib
    """

    def __init__(self, wide: float, high: float, title: str):
        self.wide, self.high, self.title = wide, high, title
        self.shapes: list[Shape] = []

    @contextmanager
    def group(self, id: str, kind: str, x: float = 0.0, y: float = 0.0, hover: str = "") -> Iterator[None]:
        """What is drawn in it belongs together, has its corner at (x, y), and says so when pointed at."""
        corner = f' transform="translate({x:.1f},{y:.1f})"' if x or y or not kind else ""
        named = f' id="{id}"' * bool(id) + f' class="{kind}"' * bool(kind)
        self.shapes.append(Shape(f"<g{named}{corner}>", "", hover, corner=(x, y)))
        yield
        self.shapes.append(Shape("", "</g>"))

    def rectangle(
        self, x: float, y: float, wide: float, high: float, fill: str = "", stroke: str = "", r: float = 0, line: float = 1.0,
        hover: str = "",
    ) -> None:
        """With round corners of radius r; line is the width of its stroke."""
        corners = f"round,pad=0,rounding_size={min(r, wide / 2, high / 2):g}"
        plot = partial(patched, "FancyBboxPatch", (x, y), wide, high, corners, **plotted(fill, stroke, line))
        place = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="{r:g}"'
        self.shapes.append(Shape(f"<rect {place} {inked(fill, stroke, line)}>", "</rect>", hover, plot))

    def path(self, points: Points, stroke: str = "", fill: str = "", line: float = 1.0, dash: str = "") -> None:
        """Straight from point to point; filled if there is a fill. dash: lengths of line and gap, "2 4"."""
        plot = partial(patched, "Polygon", points, closed=bool(fill), **plotted(fill, stroke, line, dash))
        name, way = "polygon" if fill else "polyline", " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        look = f'stroke-linejoin="round" {inked(fill, stroke, line, dash)}'
        self.shapes.append(Shape(f'<{name} points="{way}" {look}>', f"</{name}>", plot=plot))

    def curve(self, path: list[tuple[str, Points]], stroke: str, line: float = 1.0, dash: str = "") -> None:
        """As in SVG: M moves, L is straight, Q and C bend. dash as of a path."""
        codes = [CODES[letter] for letter, points in path for _ in points]
        plot = partial(patched, "PathPatch", [point for _, points in path for point in points], codes, **plotted("", stroke, line, dash))
        way = " ".join(letter + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) for letter, points in path)
        self.shapes.append(Shape(f'<path d="{way}" {inked("", stroke, line, dash)}/>', "", plot=plot))

    def dot(self, x: float, y: float, r: float, fill: str, hover: str = "", **data: Any) -> None:
        """data: numbers and words for who reads the picture, by name."""
        plot = partial(patched, "Circle", (x, y), r, **plotted(fill, "", 1))
        told = "".join(f' data-{key}="{escape(str(value))}"' for key, value in data.items())
        start = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:g}" {inked(fill, "")}{told}>'
        self.shapes.append(Shape(start, "</circle>", hover, plot))

    def words(
        self, x: float, y: float, words: str | list[Run], role: str = "ink", size: float = 18, anchor: str = "start", *,
        bold: bool = False, italic: bool = False, mono: bool = False, opacity: float = 1.0, halo: float = 0.0,
    ) -> None:
        """One line of words whose baseline starts, has its middle, or ends at (x, y); in one ink, or run by run.

        halo  the width of a stroke in the colour of the page around them, which keeps lines off
        """
        runs = [(words, role)] if isinstance(words, str) else words
        look = f' text-anchor="{anchor}"' * (anchor != "start") + f" font-family='{MONO}'" * mono + ' font-weight="600"' * bold
        look += ' font-style="italic"' * italic + f' opacity="{opacity:.2f}"' * (opacity < 1)
        text = escape(runs[0][0])
        if len(runs) > 1:
            text = "".join(f"<tspan {inked(role, '')}>{escape(words)}</tspan>" for words, role in runs)
        else:
            look += " " + inked(runs[0][1], "page" if halo else "", halo) + ' paint-order="stroke" stroke-linejoin="round"' * bool(halo)
        font: dict[str, Any] = {"family": "DejaVu Sans Mono" if mono else "DejaVu Sans", "fontsize": size * 0.96, "alpha": opacity}
        font |= {"weight": "bold" if bold else "normal", "style": "italic" if italic else "normal"}
        plot = partial(written, x, y, runs, anchor, halo, **font)
        self.shapes.append(Shape(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}"{look}>{text}</text>', "", plot=plot))

    @property
    def svg(self) -> str:
        """As a picture of its own: with its inks, and a page behind it."""
        behind = Canvas(self.wide, self.high, "")
        behind.rectangle(0, 0, self.wide, self.high, "page")
        return self.element(f"<style>{sheet()}</style>", *(shape.start + shape.end for shape in behind.shapes))

    def element(self, *first: str) -> str:
        """As an <svg> element, for a page that has the inks; without anything first it leaves to the page to say what is pointed at."""
        size = f'width="{self.wide:g}" height="{self.high:g}" viewBox="0 0 {self.wide:g} {self.high:g}"'
        look = f'role="img" xml:space="preserve" font-family=\'{FAMILY}\''
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}><title>{escape(self.title)}</title>'
        told = [f"<title>{escape(shape.hover)}</title>" if first and shape.hover else "" for shape in self.shapes]
        return "\n".join([head, *first, *(shape.start + hover + shape.end for shape, hover in zip(self.shapes, told)), "</svg>"])

    def rendered(self, format: str, dpi: int = 144, dark: bool = False) -> bytes:
        """The picture as a PNG or a PDF. ImportError without matplotlib."""
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
            from matplotlib.transforms import Affine2D
        except ImportError as error:
            raise ImportError(MISSING) from error
        figure = Figure(figsize=(self.wide / 72, self.high / 72), dpi=dpi, facecolor=rgb("page", dark))
        FigureCanvasAgg(figure)  # one renderer measures all words; without it each word has one of its own, as large as the picture
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, self.wide), ylim=(self.high, 0))
        ax.axis("off")
        within = [ax.transData]  # of the groups that are open: where they stand
        for z, shape in enumerate(self.shapes):
            if shape.plot is not None:
                shape.plot(ax=ax, dark=dark, zorder=z, transform=within[-1])
            elif shape.corner is not None:
                within.append(Affine2D().translate(*shape.corner) + within[-1])
            else:
                within.pop()
        figure.savefig(buffer := BytesIO(), format=format, dpi=dpi, metadata={"CreationDate": None} if format == "pdf" else None)
        return buffer.getvalue()


def sheet(theme: str = "") -> str:
    """The inks, on a light page and on a dark one; of a theme, "light" or "dark", on that one alone."""
    light, dark = ("".join(f".f-{role}{{fill:{pair[k]}}}.s-{role}{{stroke:{pair[k]}}}" for role, pair in INKS.items()) for k in (0, 1))
    return {"light": light, "dark": dark}.get(theme, f"{light}@media(prefers-color-scheme:dark){{{dark}}}")


def rgb(role: str, dark: bool) -> str:
    """The colour of an ink on a light page or a dark one, or the colour itself; without a role none."""
    return INKS[role][dark] if role in INKS else role or "none"


def inked(fill: str, stroke: str, line: float = 1.0, dash: str = "") -> str:
    """The attributes of a shape: the classes of its inks, its colours if they are no inks, and its line."""
    roles = [f"{kind}-{role}" for kind, role in (("f", fill), ("s", stroke)) if role and not role.startswith("#")]
    parts = [f'class="{" ".join(roles)}"'] * bool(roles) + [f'fill="{fill or "none"}"'] * (not fill or fill.startswith("#"))
    if stroke:
        parts += [f'stroke="{stroke}"'] * stroke.startswith("#") + [f'stroke-width="{line:g}"']
        parts += [f'stroke-dasharray="{dash}"'] * bool(dash)
    return " ".join(parts)


def plotted(fill: str, stroke: str, line: float, dash: str = "") -> dict[str, Any]:
    """The same for matplotlib."""
    style = (0, tuple(float(x) / line for x in dash.split())) if dash else "-"  # matplotlib's are in widths of the line
    return {"fc": fill, "ec": stroke, "lw": line if stroke else 0, "ls": style}


def patched(kind: str, *shape: Any, ax: Any, dark: bool, fc: str, ec: str, **look: Any) -> None:
    """A shape by matplotlib, as a patch of this kind; of a PathPatch, the points and codes of its path."""
    from matplotlib import patches, path

    parts = [path.Path(*shape)] if kind == "PathPatch" else shape
    ax.add_patch(getattr(patches, kind)(*parts, fc=rgb(fc, dark), ec=rgb(ec, dark), **look))


def written(x: float, y: float, runs: list[Run], anchor: str, halo: float, *, ax: Any, dark: bool, **look: Any) -> None:
    """Words by matplotlib: run after run, each where the one before it ends."""
    from matplotlib.patheffects import withStroke

    effects = [withStroke(linewidth=halo, foreground=rgb("page", dark))] if halo else []
    drawn = [ax.text(0, y, words, color=rgb(role, dark), path_effects=effects, parse_math=False, **look) for words, role in runs]
    wide = [one.get_window_extent(ax.figure.canvas.get_renderer()).width * 72 / ax.figure.dpi for one in drawn]
    x -= {"start": 0, "middle": sum(wide) / 2, "end": sum(wide)}[anchor]
    for one, step in zip(drawn, wide):
        one.set_x(x)
        x += step


def room(words: str, size: float, bold: bool = False) -> float:
    """About how wide these words are."""
    return width(words) * size * (0.62 if bold else 0.56)

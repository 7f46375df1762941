"""How does the book become a site?  Settings for Sphinx; `python docs/make_site.py` lays out the pages it reads, see there."""

import re
from pathlib import Path
from typing import Any

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

import tinygrad_vg

project, author, version = "tinygrad_vg", "The tinygrad_vg authors", tinygrad_vg.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"tinygrad_vg {version}"
html_show_sphinx = html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["extra"] if Path("extra").is_dir() else []
html_js_files = [("site.js", {"data-lab": "yes", "defer": ""} if Path("extra", "lab").is_dir() else {"defer": ""})]
html_math_renderer = "mathml"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
suppress_warnings = ["autodoc"]


def inline(self: Any, node: Any) -> None:
    """A formula as MathML, which needs no script."""
    self.body.append(convert(node.astext()))
    raise SkipNode


def block(self: Any, node: Any) -> None:
    self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise SkipNode


def as_written(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """A docstring: its first paragraph as prose, the rest as it is laid out, for its columns are aligned."""
    whole = "\n".join(lines).strip()
    first, _, rest = whole.partition("\n\n")
    prose = re.sub(r"([*_|\\])", r"\\\1", first).replace("`", "``").splitlines()
    lines[:] = [*prose, "", *([".. code-block:: pycon", "", *(f"   {line}" for line in rest.splitlines()), ""] if rest else [])]


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    app.connect("autodoc-process-docstring", as_written)
    return {"parallel_read_safe": True}

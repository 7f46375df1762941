"""How does a picture come into a notebook?  As HTML as wide as its cell, with names of its own, and as a PNG.

Of a notebook that it does not trust, Jupyter shows the HTML, too, but cleansed: of an <svg> only the words are left, of a <style>
nothing. So the picture stands hidden, and a style of its own brings it out and hides the PNG behind it; without the style, the PNG is seen.

    key  what the names of this picture begin with, so that nothing of another picture, or of the notebook's own page, bears them
"""

import re
import warnings
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html import escape
from io import BytesIO

LARGE = 3_000_000  # pixels of a picture that gets no PNG: it would take long, and most of the notebook
COLOURS = 64  # of a PNG in a notebook: a quarter of the bytes
UNSEEN = "; File → Trust Notebook shows the picture"
TAG = re.compile(r"<[a-zA-Z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
SIZE = re.compile(r'width="([\d.]+)" height="([\d.]+)"')
NAMES = re.compile(r'(?<=\s)(id|class)="([^"]*)"')
STYLE = re.compile(r"(?s)(?<=<style>).*?(?=</style>)")
SELECTORS = re.compile(r"[.#](?=[a-zA-Z_][^{};]*\{)")  # not the # of a colour, which stands behind the brace
DARK = re.compile(r"@media\s*\(prefers-color-scheme:\s*dark\)\s*\{((?:[^{}]+\{[^{}]*\})*)\s*\}")
BRIGHT = ':is([data-jp-theme-light="true"],.vscode-light)'  # a page that says it is light, whatever the system is: JupyterLab's, VS Code's
DIM = ':is([data-jp-theme-light="false"],.vscode-dark,.vscode-high-contrast)'


def shown(svg: str, png: Callable[[], bytes], words: str) -> dict[str, str]:
    """What a notebook keeps of a picture: {kind: content}; words stand for it where it cannot be seen."""
    wide, high = map(float, SIZE.findall(svg)[0])
    picture = b64encode(small(png)).decode() if wide * high <= LARGE else ""
    fit = f"width:100%;max-width:{wide:.0f}px;height:auto"
    if not picture:
        return {"text/html": f"{framed(svg, fit)}<p>{escape(words + UNSEEN)}</p>"}
    image = f'<img alt="{escape(words)}" style="{fit}" src="data:image/png;base64,{picture}"/>'
    return {"text/html": framed(svg, fit) + image, "image/png": picture}


def small(png: Callable[[], bytes]) -> bytes:
    """The PNG on white, in few colours; nothing where matplotlib, or what comes with it, is missing, or it cannot be drawn."""
    try:
        from PIL import Image

        with warnings.catch_warnings(action="ignore"):  # of letters that no font has
            ink = Image.open(BytesIO(png())).convert("RGBA")
            page = Image.alpha_composite(Image.new("RGBA", ink.size, "white"), ink).convert("RGB")
        page.quantize(COLOURS, dither=Image.Dither.NONE).save(buffer := BytesIO(), "png", optimize=True)
        return buffer.getvalue()
    except Exception:
        return b""


def framed(svg: str, fit: str) -> str:
    """The <svg> in a frame that only its own style shows; what follows the frame is hidden by it."""
    key = "vg" + sha256(svg.encode(errors="replace")).hexdigest()[:8]
    show = f"<style>.{key}{{display:block!important}}.{key}+*{{display:none!important}}</style>"
    named = STYLE.sub(lambda css: scoped(css[0], key), TAG.sub(lambda tag: own(tag[0], key), svg))
    inside = named.replace("<svg ", f'<svg style="display:block;{fit}" ', 1)
    return f'<div class="{key} mathjax_ignore tex2jax_ignore" style="display:none">{show}{inside}</div>'


def own(tag: str, key: str) -> str:
    """A tag whose ids and classes begin with the key."""
    return NAMES.sub(lambda found: f'{found[1]}="{" ".join(f"{key}-{name}" for name in found[2].split())}"', tag)


def scoped(css: str, key: str) -> str:
    """The rules for this picture alone, each within one of its own: light or dark as the page says it is, or else as the system is."""
    css = SELECTORS.sub(rf"\g<0>{key}-", css)
    light, dark = DARK.sub("", css), "".join(DARK.findall(css))
    system = f"@media(prefers-color-scheme:dark){{{dark}}}"
    return f".{key}{{{light}{system}}}{BRIGHT} .{key}{{{light}}}{DIM} .{key}{{{dark}}}"

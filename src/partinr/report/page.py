"""Self-contained HTML pages: every text escaped, every picture inside, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from partinr.report.pictures import RGB, Picture, at_most

# Pictures with fewer pixels than this along the longer side are shown with hard pixel edges.
_SMALL = 256
# Larger ones are reduced, which keeps pages small; files beside the page have every pixel.
_LARGE = 1024


class Html(str):
    """Markup: what may stand in a page as it is. Any other text is escaped first."""

    __slots__ = ()


@dataclass(frozen=True)
class Section:
    """A part of a page under its own title."""

    title: str
    blocks: Sequence[Html]


def document(title: str, introduction: str, sections: Sequence[Section]) -> str:
    """A whole page.

    Args:
        title: of the page and the window.
        introduction: a sentence or two under the title.
        sections: in their order.
    """
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(title)}</title>",
        f"<style>{_PAGE}{PARTS}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<header><h1>{escape(title)}</h1>",
        f"<p>{escape(introduction)}</p></header>",
    ]
    for section in sections:
        parts += [f"<section><h2>{escape(section.title)}</h2>", *section.blocks, "</section>"]
    return "\n".join([*parts, "</main>", "</body>", "</html>", ""])


def paragraph(text: str) -> Html:
    """A paragraph of plain text."""
    return Html(f"<p>{escape(text)}</p>")


def table(head: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> Html:
    """A table; the first column names its rows, the others are aligned for numbers."""
    caption_html = f"<caption>{escape(caption)}</caption>" if caption else ""
    head_html = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(str(first))}</th>'
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return Html(
        f'<div class="wide"><table>{caption_html}<thead><tr>{head_html}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def facts(rows: Sequence[tuple[str, object]]) -> Html:
    """Names with their values, as many beside each other as there is room for."""
    body = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in rows)
    return Html(f"<dl>{body}</dl>")


def gallery(pictures: Sequence[Picture], *, large: bool = False, quality: int | None = None) -> Html:
    """Pictures beside each other where there is room, each with its caption; `large`: one a line; `quality`:
    see `data_uri`."""
    figures = "".join(_figure(picture, quality) for picture in pictures)
    return Html(f'<div class="{"large" if large else "gallery"}">{figures}</div>')


def plots(drawn: Sequence[tuple[str, str]]) -> Html:
    """Plots as `plots.to_svg` makes them, each with its caption, beside each other where there is room."""
    figures = "".join(
        f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>" for svg, caption in drawn
    )
    return Html(f'<div class="plots">{figures}</div>')


def players(sounds: Sequence[tuple[str, bytes, str]]) -> Html:
    """Sounds to be played, each with its label, its WAV file, and what else there is to say."""
    figures = "".join(
        f"<figure><figcaption><strong>{escape(label)}</strong> {escape(note)}</figcaption>"
        '<audio controls preload="metadata" src="data:audio/wav;base64,'
        f'{base64.b64encode(wav).decode("ascii")}"></audio></figure>'
        for label, wav, note in sounds
    )
    return Html(f'<div class="plots">{figures}</div>')


def clip(webp: bytes, text: str) -> Html:
    """An animated WebP that plays by itself, with what there is to say of it."""
    data = base64.b64encode(webp).decode("ascii")
    return Html(
        f'<figure><img class="clip" src="data:image/webp;base64,{data}" alt="{escape(text)}">'
        f"<figcaption>{escape(text)}</figcaption></figure>"
    )


def live(html: str, label: str) -> Html:
    """A page within the page, such as `report.view` makes; print leaves it out."""
    return Html(f'<iframe class="live" title="{escape(label)}" srcdoc="{escape(html)}"></iframe>')


def colour_bar(stops: Sequence[str], low: str, high: str, what: str) -> Html:
    """A scale of colours for the pictures beside it, with what its ends stand for."""
    return Html(
        f'<figure class="bar"><div class="ends"><span>{escape(low)}</span>'
        f'<div class="ramp" style="background:linear-gradient(to right,{escape(",".join(stops))})"></div>'
        f"<span>{escape(high)}</span></div><figcaption>{escape(what)}</figcaption></figure>"
    )


def data_uri(picture: RGB, quality: int | None = None) -> str:
    """A picture within an address: as a PNG file, or as WebP of this quality, which is smaller."""
    from PIL import Image

    file = io.BytesIO()
    kind = "png" if quality is None else "webp"
    Image.fromarray(picture).save(file, kind, **({} if quality is None else {"quality": quality}))
    return f"data:image/{kind};base64,{base64.b64encode(file.getbuffer()).decode('ascii')}"


def _figure(picture: Picture, quality: int | None) -> str:
    shown = at_most(picture.rgb, _LARGE)
    rows, columns = shown.shape[:2]
    hard = ' class="pixels"' if max(rows, columns) < _SMALL else ""
    note = f" {escape(picture.note)}" if picture.note else ""
    return (
        f'<figure><img{hard} src="{data_uri(shown, quality)}" width="{columns}" height="{rows}" '
        f'alt="{escape(picture.label)}"><figcaption><strong>{escape(picture.label)}</strong>{note}</figcaption>'
        "</figure>"
    )


_PAGE = """
:root{color-scheme:light dark;--text:#1c2126;--back:#fff;--soft:#57606a;--line:#d5dae0;--tint:#f4f6f8}
@media(prefers-color-scheme:dark){
:root{--text:#e4e8ec;--back:#15191d;--soft:#9aa5b1;--line:#333b44;--tint:#1d2328}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:66rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-top:.8rem;border-top:1px solid var(--line)}
p{max-width:46rem;margin:.5rem 0}
header p{color:var(--soft)}
"""
PARTS = """
figcaption,caption{color:var(--soft)}
figure{margin:0}
figcaption,caption{font-size:.85rem;line-height:1.4;text-align:left;margin-top:.35rem}
caption{caption-side:bottom;padding-top:.35rem}
figcaption strong{color:var(--text)}
img{display:block;width:100%;height:auto;border-radius:3px;background:var(--tint)}
audio{display:block;width:100%;margin-top:.35rem}
.pixels{image-rendering:pixelated}
.gallery,.plots,.large{display:grid;gap:1rem;margin:.8rem 0}
.gallery{grid-template-columns:repeat(auto-fit,minmax(min(100%,10rem),1fr))}
.plots{grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr))}
.large img{width:auto;max-width:100%}
.plots svg{display:block;width:100%;height:auto}
.wide{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{padding:.3rem .9rem .3rem 0;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child{text-align:left}
th{font-weight:600}
thead th{color:var(--soft);white-space:normal;vertical-align:bottom}
dl{display:grid;gap:.7rem 1.2rem;margin:.8rem 0 1.2rem}
dl{grid-template-columns:repeat(auto-fill,minmax(min(100%,13rem),1fr))}
dt{font-size:.8rem;color:var(--soft)}
dd{margin:0;font-variant-numeric:tabular-nums}
.bar{max-width:34rem;margin:.8rem 0}
.ends{display:flex;gap:.6rem;align-items:center;font-size:.85rem;white-space:nowrap}
.ramp{flex:1;height:.8rem;border-radius:3px}
.live{width:100%;height:min(38rem,85vh);margin:.8rem 0;border:1px solid var(--line);border-radius:5px}
@media print{.live{display:none}}
"""
"""Styles of what a page is made of, which notebooks have, too."""

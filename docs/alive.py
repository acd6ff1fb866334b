"""A hook of the manual's build: the front page's photograph, alive, and the notebooks, run and shown.

Notebooks take half a minute in all; what they showed, here or in the tests, is kept in `.cache/`, by their
text and the sources'.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import nbformat
import skimage.data
from nbclient import NotebookClient
from PIL import Image

import partinr

ROOT = Path(__file__).parent.parent
EXAMPLES, CACHE = ROOT / "examples", ROOT / ".cache" / "notebooks"
SOURCE = Path(partinr.__file__).parent
GALLERY, PLACE = "gallery.md", "<!-- notebooks -->"
# Pixels of the longer side of a thumbnail.
_SMALL = 320

# Outputs stand for themselves only after Markdown has become HTML.
_outputs: dict[str, str] = {}


def on_files(files: Any, *, config: Any) -> Any:
    """The files of the manual, with what is made here."""
    from mkdocs.structure.files import File

    made = dict(front_page())
    for path in sorted(EXAMPLES.glob("*.ipynb")):
        made |= pages_of(path)
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The gallery, with a card for each notebook."""
    if page.file.src_uri != GALLERY:
        return markdown
    cards = "\n".join(card(path) for path in sorted(EXAMPLES.glob("*.ipynb")))
    return markdown.replace(PLACE, f'<div class="cards">\n{cards}\n</div>')


def on_page_content(html: str, **_: Any) -> str:
    """A page with the outputs of its cells."""
    return re.sub(r"<p>OUTPUT ([0-9a-f]+)</p>", lambda found: _outputs[found[1]], html)


def front_page() -> Iterator[tuple[str, str | bytes]]:
    """The page that is a photograph's function, and its regions."""
    photo = partinr.from_array(skimage.data.astronaut(), kind="image")
    result = partinr.fit(photo)
    with tempfile.TemporaryDirectory() as folder:
        file, html = Path(folder) / "astronaut.inr", Path(folder) / "astronaut.html"
        partinr.save(result.model, file, store="auto", signal=photo)
        partinr.write_view(html, file)
        yield "live/photograph.html", html.read_bytes()
    picture = partinr.overlay(photo, result.model.partition)
    yield "live/regions.webp", webp(Image.fromarray(picture), 768)


def webp(image: Image.Image, side: int) -> bytes:
    """A file of a picture, reduced to this longer side."""
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.convert("RGB").save(file, "WEBP", quality=80)
    return file.getvalue()


def pages_of(path: Path) -> dict[str, str | bytes]:
    """A notebook's page, thumbnail, and the notebook itself."""
    book = executed(path)
    small = Image.open(io.BytesIO(picture_of(book)))
    return {
        f"gallery/{path.stem}.md": markdown_of(book, path.name),
        f"gallery/{path.stem}.webp": webp(small, _SMALL),
        f"gallery/{path.name}": path.read_bytes(),
    }


def executed(path: Path) -> Any:
    """A notebook with its outputs."""
    kept = kept_at(path)
    return nbformat.read(kept, as_version=4) if kept.exists() else run(path)


def run(path: Path) -> Any:
    """A notebook with its outputs, which are kept, whatever was kept before."""
    book = nbformat.read(path, as_version=4)
    paths = os.pathsep.join(filter(None, (str(SOURCE.parent), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(book, timeout=300, resources={"metadata": {"path": folder}}).execute(
            env={**os.environ, "PYTHONPATH": paths}
        )
    CACHE.mkdir(parents=True, exist_ok=True)
    for old in CACHE.glob(f"{path.stem}-*.ipynb"):
        old.unlink()
    nbformat.write(book, kept_at(path))
    return book


def kept_at(path: Path) -> Path:
    """Where the outputs of a notebook are kept, for its text and partinr's."""
    key = hashlib.sha256(path.read_bytes())
    for source in sorted(SOURCE.rglob("*.py")):
        key.update(source.read_bytes())
    return CACHE / f"{path.stem}-{key.hexdigest()[:16]}.ipynb"


def outputs_of(cell: Any) -> Iterator[tuple[str, str]]:
    """The kind and content of what is shown of a cell: the richest of each output."""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            yield "text/plain", output.text
        elif "data" in output:
            data = output.data
            # Axes are text beside the figure that they are in.
            plain = data.get("text/plain", "")
            kinds = [kind for kind in ("text/html", "image/png", "text/plain") if kind in data]
            if kinds[0] != "text/plain" or not re.search(r"<Axes|<matplotlib|\[Text\(", plain):
                yield kinds[0], data[kinds[0]]


def picture_of(book: Any) -> bytes:
    """The picture of the cell that is tagged as the thumbnail."""
    (cell,) = [cell for cell in book.cells if "thumbnail" in cell.metadata.get("tags", [])]
    found = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return base64.b64decode(found[-1])


def markdown_of(book: Any, name: str) -> str:
    """A notebook as a page."""
    parts = []
    for cell in book.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for kind, content in outputs_of(cell):
            html = {
                "text/html": content,
                "image/png": f'<img src="data:image/png;base64,{content}" alt="What the cell drew">',
                "text/plain": f"<pre>{escape(content)}</pre>",
            }[kind]
            key = hashlib.sha256(html.encode()).hexdigest()[:16]
            _outputs[key] = f'<div class="cell">{html}</div>'
            parts.append(f"OUTPUT {key}")
    parts.append(f"*The notebook: [`{name}`]({name}), in `examples/`.*")
    return "\n\n".join(parts)


def card(path: Path) -> str:
    """A notebook in the gallery: its picture, title and first words."""
    first = nbformat.read(path, as_version=4).cells[0].source
    title, _, text = first.partition("\n")
    link = f"gallery/{path.stem}.html"
    name, words = escape(title[2:]), " ".join(text.strip().partition("\n\n")[0].split())
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))
    return (
        f'<figure><a href="{link}"><img src="gallery/{path.stem}.webp" alt="{name}"></a>'
        f'<figcaption><a href="{link}"><strong>{name}</strong></a><br>{shown}</figcaption></figure>'
    )

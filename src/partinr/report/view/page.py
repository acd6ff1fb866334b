"""A page that is the function: the file, and a script with which any browser evaluates its networks."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import os
import zlib
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.file.inr import load_with_header
from partinr.files import atomic_write
from partinr.model.between import details
from partinr.model.networks.network import Network
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import render
from partinr.report import words
from partinr.report.pictures import RGB, checkerboard, to_rgb
from partinr.report.view.script import script
from partinr.shapes import Shaped
from partinr.signals.signal import Signal
from partinr.text import utf8

MOST_SAMPLES = 1 << 24
"""Samples along all axes that a page shows: browsers have room for these on every machine."""
MOST_BYTES = 1 << 26
"""Bytes of a file that a page holds."""
MOST_UNITS = 1024
"""Numbers between two layers that shaders keep."""
DRAWN = ("siren", "finer", "gauss", "relu", "fourier", "wire", "cosine")
"""Names of the networks that have shaders, as `script/networks.mjs` has them."""

# Longest side of the still picture in pixels, its quality, and bytes that it may have.
_SIDE, _QUALITY, _MOST_STILL = 320, 50, 8000
_WAY_OUT = "fit a crop or a smaller size, or render parts of it with `partinr render --crop`"


@dataclass(frozen=True)
class Written:
    """What a page came to.

    Attributes:
        bytes: of the page.
        file: bytes of the .inr file in it.
        script: characters of its script, unpacked.
    """

    bytes: int
    file: int
    script: int


def write_view(
    path: str | os.PathLike[str], source: str | os.PathLike[str], original: Signal | None = None
) -> Written:
    """Write a self-contained HTML page that shows the function of an .inr file at any size.

    Args:
        path: the page; an old one is replaced once the new one is whole.
        source: the .inr file.
        original: what was fitted, for the page to compare with; it makes the page larger. A checkerboard is
            where samples are missing.

    Raises:
        InputError: the file cannot be read, is more than a page can show, or the original has another shape.
        OSError: the disk is full.

    Example:
        >>> import numpy as np, partinr, tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> result = partinr.fit(np.eye(48), goal=partinr.Steps(5))
        >>> _ = partinr.save(result.model, folder / "eye.inr")
        >>> write_view(folder / "eye.html", folder / "eye.inr").bytes < 60_000
        True
    """
    html, written = view(source, original)
    with atomic_write(path) as file:
        file.write(html)
    return written


def view(source: str | os.PathLike[str], original: Signal | None = None) -> tuple[bytes, Written]:
    """The page, and what it came to; see `write_view`."""
    name = Path(source).name
    size = Path(source).stat().st_size if Path(source).is_file() else 0
    if size > MOST_BYTES:
        raise InputError(f"{name} has {size:,} bytes, and a page holds at most {MOST_BYTES:,}; {_WAY_OUT}")
    model, header = load_with_header(Path(source), max_samples=MOST_SAMPLES)
    _check(model, name)
    whole = Path(source).read_bytes()
    spec = model.signal
    text = script(left_out(model))
    psnr = header["summary"].get("psnr")
    facts = [
        f"{words.extent(spec.shape)} samples",
        words.counted(spec.channels, "channel"),
        words.counted(model.regions, "region"),
        f"{len(whole):,} bytes",
        *([words.decibels(psnr)] if isinstance(psnr, (int, float)) else []),
    ]
    folder = files("partinr.report.view")
    html = Template((folder / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(name),
        facts=escape(" · ".join(facts)),
        style=(folder / "page.css").read_text(encoding="utf-8"),
        still=_still(model),
        file=_base64(whole),
        details=_embedded("details", _learned()) if spec.between == "learned" else "",
        original="" if original is None else _original(model, original),
        script=_base64(zlib.compress(text.encode(), 9)),
    )
    found = utf8(html)
    return found, Written(len(found), len(whole), len(text))


def left_out(model: Piecewise) -> frozenset[str]:
    """Modules of the script that a function never reaches."""
    smooth = model.signal.between != "none"
    return frozenset(
        {
            *(("trained", "networks") if model.spectra is not None else ("boxes",)),
            *(("cosines",) if smooth or model.spectra is None else ()),
            *(() if smooth else ("spline", "synthesis")),
            *(() if model.signal.between == "learned" else ("details",)),
            "picture" if model.signal.dims == 1 else "curve",
            *(() if model.signal.shape[:-2] not in ((), (1,)) else ("volume",)),
            *(() if model.signal.kind == "video" else ("film",)),
        }
    )


def _check(model: Piecewise, name: str) -> None:
    """Refuse what a browser has no room for."""
    spec = model.signal
    if spec.samples > MOST_SAMPLES:
        raise InputError(
            f"{name} has {words.extent(spec.shape)} = {spec.samples:,} samples, and a page shows at most "
            f"{MOST_SAMPLES:,}; {_WAY_OUT}"
        )
    others = [network.name for network in model.networks if network.name not in DRAWN]
    if others:
        raise InputError(
            f"{name} has networks {others[0]}, and a page draws {', '.join(DRAWN)} alone; render it with "
            "`partinr render`"
        )
    widest = max(_units(network, spec.dims, spec.channels) for network in model.networks)
    if widest > MOST_UNITS:
        raise InputError(
            f"{name} has networks of {widest:,} units or features, and a page computes at most "
            f"{MOST_UNITS:,}; render it with `partinr render`, or fit it in more regions"
        )


def _units(network: Network, dims: int, channels: int) -> int:
    """Numbers that go into a layer of a network."""
    if network.solved:
        return 0
    return max(layer.fan_in for layer in network.layer_shapes(dims, channels))


def _original(model: Piecewise, original: Signal) -> str:
    """The signal's values in the page: differences along samples, each byte of them apart, deflated."""
    spec = model.signal
    if original.spec.array_shape != spec.array_shape:
        raise InputError(
            f"the original must have the shape {spec.array_shape} of the file, "
            f"got {original.spec.array_shape}"
        )
    low, high = spec.value_range
    wide = 1 if spec.dtype == "uint8" and (low, high) == (0, 255) else 2
    most = 256**wide - 1
    level = np.clip((original.values.astype(np.float64) - low) / (high - low), 0, 1)
    if original.mask is not None:
        if spec.dims == 1:
            raise InputError(
                f"{original.missing:,} samples of the original are missing, and a page has no curve "
                "with gaps; leave the original out"
            )
        level = np.where(original.mask[..., None], level, checkerboard(*spec.shape[-2:])[..., None])
    whole = np.rint(level.reshape(-1, spec.channels) * most).astype(np.int64)
    steps = np.diff(whole, axis=0, prepend=0) % (most + 1)
    parts = [(steps >> (8 * i) & 255).astype(np.uint8).tobytes() for i in range(wide)]
    return _embedded("original", b"".join(parts), size=wide, samples=spec.samples, channels=spec.channels)


def _learned() -> bytes:
    """What was learned of photographs: of each halving and layer the scales, and the integers."""
    stored = details.stored()
    # In the order of their names.
    return b"".join(
        stored[f"{name}.scale"].astype("<f4").tobytes() + stored[name].tobytes()
        for name in sorted(stored)
        if not name.endswith(".scale")
    )


def _embedded(name: str, data: bytes, **told: int) -> str:
    """An element with bytes, deflated, that the page's script finds by its name, and their checksum."""
    packed = zlib.compress(data, 9)
    facts = {"sum": hashlib.sha256(packed).hexdigest()[:16], **told}
    attributes = " ".join(f'data-{key}="{value}"' for key, value in facts.items())
    return f'<script type="text/plain" id="{name}" {attributes}>{_base64(packed)}</script>\n'


def _still(model: Piecewise) -> str:
    """A small picture of the function, for where no script runs and for print."""
    from PIL import Image

    picture = Image.fromarray(_curve(model) if model.signal.dims == 1 else _picture(model))
    quality, data = _QUALITY, b""
    while not data or (len(data) > _MOST_STILL and quality > 0):
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=quality)
        data, quality = file.getvalue(), quality - 10
    return f"data:image/webp;base64,{_base64(data)}"


def _picture(model: Piecewise) -> RGB:
    spec = model.signal
    factor = min(1.0, _SIDE / max(spec.shape[-2:]))
    size = tuple(max(1, round(n * factor)) for n in spec.shape[-2:])
    crop: tuple[tuple[float, float], ...] = tuple((0.0, float(n)) for n in spec.shape[-2:])
    if spec.dims == 3:
        middle = spec.shape[0] // 2
        size, crop = (1, *size), ((middle, middle + 1), *crop)
    values = render(model, size=size, crop=crop).reshape(*size[-2:], spec.channels)
    return to_rgb(values, spec)


def _curve(model: Piecewise) -> RGB:
    """The first channel from its least to its greatest value in each column."""
    spec, (low, high) = model.signal, model.signal.value_range
    rows = _SIDE // 4
    values: Shaped[ndarray, "_ channels"] = render(model).reshape(-1, spec.channels).astype(np.float64)
    level = np.clip((values[:, 0] - low) / (high - low), 0, 1)
    columns = np.array_split(level, min(_SIDE, len(level)))
    picture = np.full((rows, len(columns), 3), 255, np.uint8)
    for x, own in enumerate(columns):
        top, bottom = ((1 - v) * (rows - 1) for v in (own.max(), own.min()))
        picture[math.floor(top) : math.ceil(bottom) + 1, x] = (59, 125, 221)
    return picture


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")

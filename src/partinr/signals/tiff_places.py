"""Where the samples of a TIFF lie, and what else it says: of microscopes, maps, and of partinr's own.

Sources: TIFF 6.0, section 8 (resolution); ImageJ's ij.io.TiffEncoder (spacing, unit); OME-TIFF
(PhysicalSizeX); GeoTIFF 1.1, section B.6 (ModelPixelScale, ModelTiepoint); GDAL, "GTiff" (GDAL_NODATA).
Resolution in inches says how large a picture is to be printed, and not how large what it shows is: it is not
kept.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from partinr.signals.axes import Axis
from partinr.signals.signal import SignalSpec
from partinr.signals.told import told

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

OWN = "partinr"
"""Key of the JSON object in the description for what `told` says."""

_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _CENTIMETRE = 282, 283, 296, 3
_PIXEL_SCALE, _TIEPOINT, _NODATA = 33550, 33922, 42113
_MICRON = ("micron", "um", "µm", "\\u00B5m", "μm")
# Millimetres of the units that become resolutions.
_LENGTHS = {"m": 1e3, "cm": 10.0, "mm": 1.0, "um": 1e-3, "nm": 1e-6}
_AXES = ("z", "y", "x")


def own_words(page: TiffPage) -> dict[str, Any] | None:
    """What `told` said when partinr wrote the file."""
    text = page.description
    if not text.startswith("{") or f'"{OWN}"' not in text:
        return None
    try:
        found = json.loads(text).get(OWN)
    except (ValueError, AttributeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def places(tiff: TiffFile, dims: int) -> tuple[tuple[Axis, ...] | None, dict[str, Any]]:
    """Axes and source of the file of some other program; None and nothing where it says nothing."""
    page = tiff.pages.first
    source: dict[str, Any] = {}
    nodata = _number(_tag(page, _NODATA))
    if nodata is not None:
        source["fill"] = nodata
    found = _of_imagej(tiff, page) or _of_ome(tiff) or _of_map(page) or _of_resolution(page)
    if found is None or dims < 2:
        return None, source
    return tuple([Axis("z"), *found][-dims:] if len(found) == 2 else found[-dims:]), source


def tags(spec: SignalSpec) -> dict[str, Any]:
    """Options of tifffile's writer that say where the samples lie."""
    options: dict[str, Any] = {}
    if spec.axes is not None and spec.dims >= 2:
        down, across = spec.axes[-2:]
        size = _LENGTHS.get(across.unit)
        if size is not None and down.unit == across.unit:
            options["resolution"] = tuple(10 / (abs(a.spacing) * size) for a in (across, down))
            options["resolutionunit"] = _CENTIMETRE
    fill = spec.source.get("fill")
    if isinstance(fill, int | float) and not isinstance(fill, bool):
        options["extratags"] = [(_NODATA, 2, 0, f"{fill:.17g}", True)]
    return options


def description(spec: SignalSpec, shape: tuple[int, ...] | None) -> str | None:
    """The text of the first page; `shape` where tifffile is to take it for that of a stack."""
    words = told(spec)
    fields: dict[str, Any] = {} if shape is None else {"shape": list(shape)}
    fields |= {OWN: words} if words else {}
    return json.dumps(fields) if fields else None


def _tag(page: Any, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value


def _number(value: Any) -> float | None:
    try:
        number = float(str(value).strip().rstrip("\0")) if value is not None else math.nan
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def _steps(page: Any) -> tuple[float, float] | None:
    """Spacing of rows and columns in the unit of the resolution."""
    steps = []
    for code in (_Y_RESOLUTION, _X_RESOLUTION):
        value = _tag(page, code)
        if not isinstance(value, tuple) or len(value) != 2 or 0 in value:
            return None
        steps.append(value[1] / value[0])
    return steps[0], steps[1]


def _of_imagej(tiff: TiffFile, page: Any) -> list[Axis] | None:
    said, steps = tiff.imagej_metadata, _steps(page)
    if said is None or steps is None or said.get("unit") in (None, "", "pixel", "inch"):
        return None
    unit = str(said["unit"])
    unit = "um" if unit in _MICRON else unit
    between = _number(said.get("spacing")) or 1.0
    return [Axis("z", unit, between), Axis("y", unit, steps[0]), Axis("x", unit, steps[1])]


def _of_ome(tiff: TiffFile) -> list[Axis] | None:
    if tiff.ome_metadata is None:
        return None
    from xml.etree.ElementTree import ParseError, fromstring

    try:
        root = fromstring(tiff.ome_metadata)
    except ParseError:
        return None
    pixels = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    sizes = {n: _number(pixels.get(f"PhysicalSize{n.upper()}")) for n in _AXES} if pixels is not None else {}
    if pixels is None or not (sizes["y"] and sizes["x"]):
        return None
    units = {n: pixels.get(f"PhysicalSize{n.upper()}Unit", "um") for n in _AXES}
    return [
        Axis(n, "um" if units[n] in _MICRON else units[n], sizes[n] or 1.0) if sizes[n] else Axis(n)
        for n in _AXES
    ]


def _of_map(page: Any) -> list[Axis] | None:
    scale, tie = _tag(page, _PIXEL_SCALE), _tag(page, _TIEPOINT)
    if not scale or len(scale) < 2 or not (scale[0] and scale[1]):
        return None
    column, row, _, x, y, _ = tie[:6] if tie and len(tie) >= 6 else (0,) * 6
    # Places are those of corners, a sample's is its middle.
    first_x, first_y = x + (0.5 - column) * scale[0], y - (0.5 - row) * scale[1]
    return [Axis("y", "", -scale[1], first_y), Axis("x", "", scale[0], first_x)]


def _of_resolution(page: Any) -> list[Axis] | None:
    steps = _steps(page)
    if steps is None or _tag(page, _RESOLUTION_UNIT) != _CENTIMETRE:
        return None
    return [Axis("y", "mm", 10 * steps[0]), Axis("x", "mm", 10 * steps[1])]

"""What an address of the IIIF Image API 3.0 asks for: parsed, checked, and in its canonical form.

Source: IIIF Image API 3.0, https://iiif.io/api/image/3.0/, sections 4 (parameters) and 4.7 (canonical form).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

from partinr.errors import InputError

FORMATS = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "tif": "image/tiff",
}
"""Formats by the word for them, and what HTTP calls them."""

QUALITIES = ("default", "color", "gray", "bitonal")

# Formats of the specification that nobody makes here.
_OTHER_FORMATS = ("jp2", "pdf")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?|\.[0-9]{1,12}", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,12}", re.ASCII)


class UnservedError(InputError):
    """A request that the specification has, and this server does not serve."""


class Limits(NamedTuple):
    """The largest picture that is made.

    Attributes:
        side: of its width and its height, in pixels.
        area: pixels.
    """

    side: int = 8192
    area: int = 1 << 24

    def fitting(self, width: float, height: float) -> float:
        """The largest factor, not above 1, that takes a picture into the limits."""
        return min(1.0, self.side / width, self.side / height, math.sqrt(self.area / (width * height)))

    def hold(self, width: int, height: int) -> bool:
        """Whether a picture is within them."""
        return max(width, height) <= self.side and width * height <= self.area


@dataclass(frozen=True)
class Asked:
    """A picture that is asked for.

    Attributes:
        region: left, top, width and height, in samples of the whole.
        size: width and height in pixels, before it is turned.
        mirrored: whether left and right are exchanged, before it is turned.
        rotation: 0, 90, 180 or 270 degrees, clockwise.
        quality: one of `QUALITIES`.
        format: one of `FORMATS`.
        canonical: the part of its address after that of the image, in the form that is preferred.
    """

    region: tuple[int, int, int, int]
    size: tuple[int, int]
    mirrored: bool
    rotation: int
    quality: str
    format: str
    canonical: str


def asked(words: tuple[str, str, str, str], whole: tuple[int, int], limits: Limits) -> Asked:
    """What region, size, rotation, and quality with format say.

    Args:
        words: as they stand between the strokes of the address.
        whole: width and height of the image.
        limits: of the picture.

    Raises:
        UnservedError: the request is valid, and not served.
        InputError: it is none.

    Example:
        >>> found = asked(("pct:50,0,50,100", "!50,50", "!90", "gray.png"), (300, 200), Limits())
        >>> found.region, found.size, found.canonical
        ((150, 0, 150, 200), (38, 50), '150,0,150,200/38,50/!90/gray.png')
    """
    region = _region(words[0], whole)
    size, upscaled = _size(words[1], region[2:], limits)
    mirrored = words[2].startswith("!")
    rotation = _rotation(words[2].removeprefix("!"))
    quality, dot, kind = words[3].rpartition(".")
    if not dot or quality not in QUALITIES:
        raise InputError(f"the quality must be one of {', '.join(QUALITIES)}, got {quality or kind!r:.50}")
    if kind in _OTHER_FORMATS:
        raise UnservedError(f"the format {kind} is not served; take one of {', '.join(FORMATS)}")
    if kind not in FORMATS:
        raise InputError(f"the format must be one of {', '.join(FORMATS)}, got {kind!r:.50}")
    part = "full" if region == (0, 0, *whole) else ",".join(map(str, region))
    spelled = f"{'^' * upscaled}{size[0]},{size[1]}"
    if size == _most(region[2:], limits, upscale=upscaled):
        spelled = "^max" if upscaled else "max"
    canonical = f"{part}/{spelled}/{'!' * mirrored}{rotation}/{quality}.{kind}"
    return Asked(region, size, mirrored, rotation, quality, kind, canonical)


def _region(word: str, whole: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = whole
    if word == "full":
        return 0, 0, width, height
    if word == "square":
        side = min(whole)
        return (width - side) // 2, (height - side) // 2, side, side
    if word.startswith("pct:"):
        share = _numbers(word.removeprefix("pct:"), 4, "the region")
        left, top, right, bottom = (
            share[0] / 100 * width,
            share[1] / 100 * height,
            (share[0] + share[2]) / 100 * width,
            (share[1] + share[3]) / 100 * height,
        )
        if min(share[2:]) <= 0:
            raise InputError(f"the region must have a width and a height above 0, got {word!r:.50}")
        x, y = math.floor(left + 0.5), math.floor(top + 0.5)
        # A part of a sample is a sample.
        w, h = max(1, math.floor(right + 0.5) - x), max(1, math.floor(bottom + 0.5) - y)
    else:
        x, y, w, h = _whole_numbers(word, 4, "the region must be full, square, x,y,w,h or pct:x,y,w,h")
        if min(w, h) == 0:
            raise InputError(f"the region must have a width and a height above 0, got {word!r:.50}")
    if x >= width or y >= height:
        raise InputError(f"the region must begin inside of the {width} x {height} samples, got {word!r:.50}")
    return x, y, min(w, width - x), min(h, height - y)


def _size(word: str, region: tuple[int, int], limits: Limits) -> tuple[tuple[int, int], bool]:
    """Width and height, and whether they are more than the region has."""
    upscale, width, height = word.startswith("^"), *region
    wanted = word.removeprefix("^")
    if wanted == "max":
        found = _most(region, limits, upscale=upscale)
    elif wanted.startswith("pct:"):
        (share,) = _numbers(wanted.removeprefix("pct:"), 1, "the size")
        if share > 100 and not upscale:
            raise InputError(f"a size above 100 % needs ^, got {word!r:.50}; write ^{wanted:.50}")
        found = _rounded(width * share / 100, height * share / 100, word)
    elif wanted.startswith("!"):
        w, h = _whole_numbers(wanted[1:], 2, _SIZES)
        factor = min(w / width, h / height) if min(w, h) else 0
        if not upscale:
            factor = min(1.0, factor)
        within = limits.fitting(width * factor, height * factor) if factor else 1
        found = _rounded(width * factor, height * factor, word, factor > 0)
        if within < 1:
            found = _floored(width * factor * within, height * factor * within)
    else:
        across, comma, down = wanted.partition(",")
        if not comma or not (across or down) or not all(_WHOLE.fullmatch(n) for n in (across, down) if n):
            raise InputError(f"{_SIZES}, got {word!r:.50}")
        if across and down:
            found = int(across), int(down)
        else:
            factor = int(across) / width if across else int(down) / height
            found = _rounded(width * factor, height * factor, word, factor > 0)
        if min(found) == 0:
            raise InputError(f"a picture has a width and a height above 0, got {word!r:.50}")
    if not upscale and (found[0] > width or found[1] > height):
        raise InputError(f"a size above {width},{height} of the region needs ^, got {word!r:.50}")
    if not limits.hold(*found):
        raise InputError(
            f"pictures have at most {limits.side:,} pixels a side and {limits.area:,} in all, got "
            f"{found[0]:,} x {found[1]:,}; take a smaller size"
        )
    return found, found[0] > width or found[1] > height


_SIZES = "the size must be max, w,  ,h  w,h  !w,h  or pct:n, with ^ before it to enlarge"


def _most(region: tuple[int, int], limits: Limits, *, upscale: bool) -> tuple[int, int]:
    """The largest picture of a region: its own size, or as large as may be."""
    width, height = region
    factor = min(limits.side / max(region), math.sqrt(limits.area / (width * height)))
    factor = factor if upscale else min(1.0, factor)
    return _floored(width * factor, height * factor)


def _floored(width: float, height: float) -> tuple[int, int]:
    return max(1, math.floor(width + 1e-9)), max(1, math.floor(height + 1e-9))


def _rounded(width: float, height: float, word: str, floor_at_one: bool = False) -> tuple[int, int]:
    found = math.floor(width + 0.5), math.floor(height + 0.5)
    if floor_at_one:
        found = max(1, found[0]), max(1, found[1])
    if min(found) == 0:
        raise InputError(f"a picture has a width and a height above 0, got {word!r:.50}")
    return found


def _rotation(word: str) -> int:
    if not _NUMBER.fullmatch(word) or float(word) > 360:
        raise InputError(f"the rotation must be 0 to 360, with ! before it to mirror, got {word!r:.50}")
    if float(word) % 90:
        raise UnservedError(f"rotations by multiples of 90 degrees are served, got {word:.50}")
    return int(float(word)) % 360


def _numbers(text: str, count: int, what: str) -> list[float]:
    parts = text.split(",")
    if len(parts) != count or not all(_NUMBER.fullmatch(part) for part in parts):
        many = f"{count} numbers" if count > 1 else "a number"
        raise InputError(f"{what} by pct: must be {many}, got {text!r:.50}")
    return [float(part) for part in parts]


def _whole_numbers(text: str, count: int, wanted: str) -> list[int]:
    parts = text.split(",")
    if len(parts) != count or not all(_WHOLE.fullmatch(part) for part in parts):
        raise InputError(f"{wanted}, got {text!r:.50}")
    return [int(part) for part in parts]

"""What the samples of a TIFF mean: colours, alpha, bits.

Source: TIFF 6.0, Adobe, 1992; sections 4 (grey), 5 (palettes), 16 (CMYK), 18 (alpha), 20 and 21 (YCbCr),
23 (CIE L*a*b*).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped, UInt8, UInt16
from partinr.signals.pillow import lab_to_rgb

if TYPE_CHECKING:
    from tifffile import TiffPage

# Values of the tag PhotometricInterpretation.
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _SEPARATED, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_COLOURS = {
    _WHITE_IS_ZERO: 1,
    _BLACK_IS_ZERO: 1,
    _RGB: 3,
    _PALETTE: 1,
    _SEPARATED: 4,
    _YCBCR: 3,
    _LAB: 3,
}

# Values of the tag SampleFormat that bits of no usual number can come with.
_SAMPLE_FORMATS = {1: "unsigned integers", 2: "signed integers", 3: "floating-point numbers"}

# Numbers of the other tags, and values of some.
_PHOTOMETRIC, _ORIENTATION, _INK_SET, _COEFFICIENTS, _REFERENCE = 262, 274, 332, 529, 532
_PREMULTIPLIED = 1
_CMYK = 1
_FACSIMILE = (2, 3, 4)
_JPEG = (6, 7)

_LUMA = (0.299, 0.587, 0.114)
_FULL_SWING = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)


class Meaning(NamedTuple):
    """What the samples of a page mean, but for the colours of a palette."""

    photometric: int
    dtype: str
    bits: int
    samples: int
    extra_samples: tuple[int, ...]
    orientation: int
    ink_set: int
    luma: tuple[float, ...]
    """Shares of red, green and blue in Y."""
    reference: tuple[float, ...]
    """Codes of black and white, of Y, Cb and Cr."""
    decoded: bool
    """Whether the decoder of the compression has turned YCbCr into RGB."""

    @property
    def colours(self) -> int:
        """Samples that make up the colour; the others are extra samples."""
        return _COLOURS[self.photometric]

    @property
    def whole(self) -> float:
        """The value of white and of full opacity."""
        kind = self.dtype[0]
        return 1.0 if kind == "f" else 2.0 ** (self.bits - (kind == "i")) - 1

    @property
    def value_range(self) -> tuple[float, float] | None:
        """What the bits of a sample can hold where its data type holds more."""
        packed = self.photometric != _PALETTE and 1 < self.bits < 8 * np.dtype(self.dtype).itemsize
        return (0.0, self.whole) if packed and self.dtype[0] == "u" else None


def meaning_of(page: TiffPage) -> Meaning:
    """What the samples of a page mean.

    Raises:
        InputError: they mean something that no signal can be made of.
    """
    from tifffile import TIFF

    tags = page.tags
    if not isinstance(page.bitspersample, int) or page.dtype is None:
        kind = _SAMPLE_FORMATS.get(page.sampleformat, f"of format {page.sampleformat}")
        raise _refused(f"samples that are {kind} of {page.bitspersample} bits")
    photometric = int(page.photometric)
    if _PHOTOMETRIC not in tags and photometric == _WHITE_IS_ZERO:
        # As libtiff takes it; tifffile's own guess is white as zero throughout.
        grey = _WHITE_IS_ZERO if page.compression in _FACSIMILE else _BLACK_IS_ZERO
        photometric = _RGB if page.samplesperpixel - len(page.extrasamples) == 3 else grey
    meaning = Meaning(
        photometric,
        page.dtype.name,
        page.bitspersample,
        page.samplesperpixel,
        tuple(int(e) for e in page.extrasamples),
        int(tags.valueof(_ORIENTATION, 1)),
        int(tags.valueof(_INK_SET, _CMYK)),
        _fractions(tags.valueof(_COEFFICIENTS)) or _LUMA,
        _fractions(tags.valueof(_REFERENCE)) or _FULL_SWING,
        photometric == _YCBCR and page.compression in _JPEG,
    )
    name = _name(page.photometric)
    _require_known(meaning, name)
    if page.predictor != 1 and meaning.bits != 8 * page.dtype.itemsize:
        raise _refused(f"{meaning.bits} bits a sample with a predictor")
    if photometric in (_YCBCR, _LAB):
        own_colours = page.compression in TIFF.IMAGE_COMPRESSIONS and not meaning.decoded
        if own_colours or (meaning.decoded and (page.planarconfig != 1 or meaning.extra_samples)):
            raise _refused(f"the colour space {name} in the compression {_name(page.compression)}")
        if page.is_subsampled and not meaning.decoded:
            raise _refused("YCbCr of reduced chroma without JPEG")
    return meaning


def colour_values(
    samples: Shaped[ndarray, "*shape samples"],
    meaning: Meaning,
    palettes: UInt16[ndarray, "#planes 3 entries"] | None,
) -> Shaped[ndarray, "*shape channels"]:
    """Grey or RGB, the higher the brighter, followed by straight alpha and other extra samples.

    Args:
        samples: as they are stored.
        meaning: of all of them.
        palettes: the colours of indices, one palette for all or one for each plane, the first axis.
    """
    colour, extra = samples[..., : meaning.colours], samples[..., meaning.colours :]
    if _PREMULTIPLIED in meaning.extra_samples:
        alpha = extra[..., meaning.extra_samples.index(_PREMULTIPLIED), None]
        colour = _straight(colour, alpha, meaning.whole)
    if meaning.photometric == _PALETTE:
        assert palettes is not None
        colour = _looked_up(colour[..., 0], _of_least_depth(palettes))
    elif meaning.photometric == _WHITE_IS_ZERO:
        # Of signed numbers the lowest is white, which ~ exchanges for the highest.
        dtype = colour.dtype
        colour = colour ^ dtype.type(2**meaning.bits - 1) if dtype.kind == "u" else ~colour
    elif meaning.photometric == _SEPARATED:
        colour = _from_cmyk(colour, meaning.whole)
    elif meaning.photometric == _YCBCR and not meaning.decoded:
        colour = _from_ycbcr(colour, meaning.luma, meaning.reference)
    elif meaning.photometric == _LAB:
        colour = lab_to_rgb(colour.reshape(-1, *colour.shape[-2:])).reshape(colour.shape)
    if extra.shape[-1]:
        if extra.dtype != colour.dtype:
            raise _refused(f"a palette of {colour.dtype} with extra samples of {meaning.bits} bits")
        colour = np.concatenate([colour, extra], axis=-1)
    return colour.astype(np.uint8) * np.uint8(255) if colour.dtype.kind == "b" else colour


def _require_known(meaning: Meaning, name: str) -> None:
    """Refuse by name what `colour_values` has no rule for."""
    photometric, dtype = meaning.photometric, meaning.dtype
    if photometric not in _COLOURS:
        raise _refused(f"the colour space {name}")
    if meaning.samples != meaning.colours + len(meaning.extra_samples) and (
        # Grey and RGB with undeclared samples are common; what they mean is left to the caller.
        meaning.samples < meaning.colours or photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
    ):
        raise _refused(f"the colour space {name} with {meaning.samples} samples")
    if photometric == _WHITE_IS_ZERO and dtype.startswith("float"):
        raise _refused("floating-point numbers of which zero is white and black is not stated")
    if photometric == _SEPARATED and (meaning.ink_set != _CMYK or not dtype.startswith("uint")):
        raise _refused(f"inks other than CMYK or of {dtype}")
    if photometric == _PALETTE and dtype not in ("bool", "uint8", "uint16"):
        raise _refused(f"a palette with indices of {dtype}")
    if photometric in (_YCBCR, _LAB) and (dtype, meaning.bits) != ("uint8", 8):
        raise _refused(f"the colour space {name} of {meaning.bits} bits")
    if _PREMULTIPLIED in meaning.extra_samples and photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        raise _refused(f"the colour space {name} multiplied by alpha")
    if meaning.extra_samples and dtype == "bool":
        raise _refused("extra samples of 1 bit")


def _name(value: int) -> str:
    """The name of a tag's value that tifffile knows, or the value."""
    return str(getattr(value, "name", value))


def _refused(what: str) -> InputError:
    return InputError(f"TIFF of {what} is not read; save it as grey or RGB of 8 or 16 bits")


def _straight(
    colour: Shaped[ndarray, "*shape colours"], alpha: Shaped[ndarray, "*shape 1"], whole: float
) -> Shaped[ndarray, "*shape colours"]:
    """Colours that are no longer multiplied by alpha; 0 where nothing is opaque."""
    straight = colour.astype(np.float64) * whole / np.where(alpha == 0, 1, alpha)
    if colour.dtype.kind != "f":
        straight = np.clip(np.rint(straight), -1 - whole if colour.dtype.kind == "i" else 0, whole)
    straight[np.broadcast_to(alpha == 0, straight.shape)] = 0
    result: Shaped[ndarray, "*shape colours"] = straight.astype(colour.dtype)
    return result


def _of_least_depth(palettes: UInt16[ndarray, "planes 3 entries"]) -> Shaped[ndarray, "planes 3 entries"]:
    """The palettes in 8 bits if they hold no more, in whichever way those were made 16.

    Source: libtiff, `checkcmap` of tif_getimage.c, for palettes whose entries are all below 256.
    """
    if palettes.max() < 256:
        return palettes.astype(np.uint8)
    if not (palettes % 257).any() or not (palettes % 256).any():
        return (palettes >> 8).astype(np.uint8)
    return palettes


def _looked_up(
    indices: Shaped[ndarray, "*shape"], palettes: Shaped[ndarray, "#planes 3 entries"]
) -> Shaped[ndarray, "*shape 3"]:
    whole = indices.astype(np.uint8) if indices.dtype.kind == "b" else indices
    planes = whole[None] if len(palettes) == 1 else whole
    found = np.stack([palette.T[plane] for palette, plane in zip(palettes, planes, strict=True)])
    return found.reshape(*whole.shape, 3)


def _from_cmyk(inks: Shaped[ndarray, "*shape 4"], whole: float) -> Shaped[ndarray, "*shape 3"]:
    """RGB of inks without a profile: what each of C, M, Y and K leaves of white is multiplied."""
    left = whole - inks.astype(np.float64)
    rgb: Shaped[ndarray, "*shape 3"] = np.rint(left[..., :3] * left[..., 3:] / whole).astype(inks.dtype)
    return rgb


def _from_ycbcr(
    ycbcr: UInt8[ndarray, "*shape 3"], luma: tuple[float, ...], reference: tuple[float, ...]
) -> UInt8[ndarray, "*shape 3"]:
    """RGB of YCbCr. Source: TIFF 6.0, section 21."""
    black, white = np.array(reference[0::2]), np.array(reference[1::2])
    y, cb, cr = np.moveaxis((ycbcr - black) * (np.array([255, 127, 127]) / (white - black)), -1, 0)
    red = cr * (2 - 2 * luma[0]) + y
    blue = cb * (2 - 2 * luma[2]) + y
    green = (y - luma[2] * blue - luma[0] * red) / luma[1]
    rgb: UInt8[ndarray, "*shape 3"] = (
        np.stack([red, green, blue], axis=-1).round().clip(0, 255).astype(np.uint8)
    )
    return rgb


def _fractions(value: tuple[int, ...] | None) -> tuple[float, ...]:
    """The numbers of a tag of fractions, numerators before denominators."""
    return () if value is None else tuple(a / b for a, b in zip(value[::2], value[1::2], strict=True))

"""The pixels of a DICOM file, of every transfer syntax that pydicom or imagecodecs decodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped

# Decoders of imagecodecs by the last numbers of a transfer syntax, for grey frames that pydicom has none for.
_CODECS = {
    "1.2.840.10008.1.2.4.50": "jpeg8_decode",
    "1.2.840.10008.1.2.4.51": "jpeg_decode",
    "1.2.840.10008.1.2.4.57": "ljpeg_decode",
    "1.2.840.10008.1.2.4.70": "ljpeg_decode",
    "1.2.840.10008.1.2.4.80": "jpegls_decode",
    "1.2.840.10008.1.2.4.81": "jpegls_decode",
    "1.2.840.10008.1.2.4.90": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.91": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.201": "htj2k_decode",
    "1.2.840.10008.1.2.4.202": "htj2k_decode",
    "1.2.840.10008.1.2.4.203": "htj2k_decode",
    "1.2.840.10008.1.2.4.110": "jpegxl_decode",
    "1.2.840.10008.1.2.4.112": "jpegxl_decode",
}


def check_readable(header: Any) -> None:
    """Refuse by its header what nobody could decode.

    Raises:
        InputError: the file is encrypted, or its transfer syntax has no decoder or is not known.
    """
    path = Path(header.filename)
    if header.get("EncryptedAttributesSequence"):
        raise InputError(f"{path}: is encrypted (it has an EncryptedAttributesSequence); decrypt it first")
    syntax = getattr(header.file_meta, "TransferSyntaxUID", None)
    if syntax is None:
        raise InputError(
            f"{path}: names no transfer syntax, so that its pixels cannot be told; save it again"
        )
    from pydicom.pixels.decoders.base import get_decoder

    if not syntax.is_private and not syntax.is_compressed:
        return
    try:
        able = get_decoder(syntax).is_available
    except NotImplementedError:
        able = False
    if not able and not (syntax in _CODECS and _is_grey(header)):
        raise InputError(
            f"{path}: the transfer syntax {syntax.name} ({syntax}) has no decoder here; install pylibjpeg "
            "with "
            "its plugins, or save it without compression, as with gdcmconv --raw"
        )


def pixels(header: Any) -> Shaped[ndarray, "*frames rows columns *channels"]:
    """The stored values of the file whose header this is; palettes become colours.

    Raises:
        InputError: there are none, or they are truncated or damaged.
    """
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_color_lut

    whole: Any = dcmread(header.filename)
    if "PixelData" not in whole and "FloatPixelData" not in whole and "DoubleFloatPixelData" not in whole:
        raise InputError(f"{header.filename}: has no pixels; copy the file again")
    syntax = whole.file_meta.TransferSyntaxUID
    try:
        values: Shaped[ndarray, "..."] = whole.pixel_array
    except (RuntimeError, NotImplementedError, AttributeError, ValueError) as error:
        if syntax not in _CODECS or not _is_grey(header):
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{header.filename}: its pixels cannot be decoded ({reason})") from error
        values = _by_imagecodecs(whole, _CODECS[syntax])
    if whole.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, whole)
    return values


def _is_grey(header: Any) -> bool:
    return int(header.get("SamplesPerPixel", 1)) == 1


def _by_imagecodecs(whole: Any, name: str) -> Shaped[ndarray, "*frames rows columns"]:
    """Grey frames, decoded one by one, with the sign that the header states."""
    import imagecodecs
    from pydicom.encaps import generate_frames

    decode = getattr(imagecodecs, name)
    count = int(whole.get("NumberOfFrames", 1) or 1)
    frames = [np.asarray(decode(frame)) for frame in generate_frames(whole.PixelData, number_of_frames=count)]
    expected = (int(whole.Rows), int(whole.Columns))
    wrong = next((frame.shape for frame in frames if frame.shape != expected), None)
    if wrong is not None or len(frames) != count:
        raise InputError(
            f"{whole.filename}: expected {count} frames of {expected}, got {wrong or len(frames)}"
        )
    values = np.stack(frames)
    signed = int(whole.PixelRepresentation) == 1
    if signed and values.dtype.kind == "u":
        spare = 8 * values.itemsize - int(whole.BitsStored)
        # The sign is the highest of the stored bits.
        values = (values << spare).view(values.dtype.str.replace("u", "i")) >> spare
    return values if count > 1 else values[0]

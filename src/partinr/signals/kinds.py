"""Kinds of files that are read, in words, for those that are of none."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from partinr.errors import InputError
from partinr.signals.points import READERS


class Kind(NamedTuple):
    """A kind of file, as people know it.

    Attributes:
        name: of several.
        examples: of its formats.
        suffixes: by which people know it, more than are read.
        extra: which of partinr's extras reads some of them; empty if none does.
        packages: of that extra.
    """

    name: str
    examples: str
    suffixes: str
    extra: str = ""
    packages: tuple[str, ...] = ()


_SCANS = ("nibabel", "pydicom", "nrrd", "h5py", "zarr")

KINDS = (
    Kind(
        "pictures",
        "PNG, JPEG, TIFF, WebP, AVIF",
        ".png .jpg .jpeg .tif .tiff .webp .gif .bmp .avif .heic .jp2 .pfm .hdr",
    ),
    Kind(
        "sounds",
        "WAV, FLAC, Ogg, MP3",
        ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .caf .au .w64 .aac .m4a .wma",
        "sound",
        ("soundfile",),
    ),
    Kind(
        "videos",
        "MP4, MKV, WebM, GIF, a folder of frames",
        ".mp4 .m4v .mov .mkv .webm .avi .wmv .mpg .mpeg .ts .m2ts .flv .y4m .ogv",
        "video",
        ("av",),
    ),
    Kind(
        "volumes", "NIfTI, DICOM, NRRD, MetaImage", ".nii .gz .dcm .nrrd .nhdr .mha .mhd", "volumes", _SCANS
    ),
    Kind("arrays", "NumPy, HDF5, NetCDF, Zarr, ENVI", ".npy .npz .h5 .hdf5 .mat .nc", "volumes", _SCANS),
)
"""What is seen from the first bytes of a file, as points are not, which are told by the names of columns."""


def unknown(path: Path) -> InputError:
    """What to say of a file that begins as none does that is read."""
    suffix = path.suffix.lower()
    if suffix in READERS:
        return InputError(
            f"{path}: points are read by the names of their columns; pass --coords X,Y and --values V (in "
            "Python fit(Samples(coords, values)))"
        )
    for kind in KINDS:
        if suffix in kind.suffixes.split():
            lacking = any(find_spec(package) is None for package in kind.packages)
            need = f'; others need pip install "partinr[{kind.extra}]"' if lacking else ""
            return InputError(
                f"{path}: expected {kind.name} ({kind.examples}), by the name, got something else; it is "
                f"damaged or of another kind, convert it to one of these{need}"
            )
    known = "; ".join(f"{kind.name} ({kind.examples})" for kind in KINDS)
    return InputError(
        f"{path}: expected a file of a kind that is read, got something else; convert it to one of these: "
        f"{known}; points ({', '.join(READERS)}, with --coords and --values)"
    )

"""How the commands read a signal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import partinr
from partinr.cli import words
from partinr.cli.options import reading
from partinr.errors import InputError

INPUT = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        show_default=False,
        help="An image, a TIFF, a sound, a video, an animation or a folder of its frames, a NumPy .npy or "
        ".npz array of 1 to 3 axes, a scan (NIfTI, a DICOM file or folder, NRRD, MetaImage), or an array in "
        "HDF5, NetCDF, Zarr or ENVI; FILE:/PATH names one of several.",
    ),
]
CHANNELS_LAST = Annotated[
    bool | None,
    reading(
        "Whether the last axis of a NumPy array holds the channels. Default: it does in an array of "
        "four axes, and of three if it has 1 to 4 entries.",
        None,
        "--channels-last/--no-channels-last",
    ),
]
VALUE_RANGE = Annotated[
    str | None,
    reading(
        "Lowest and highest possible value, whose difference is the peak of PSNR. Default: all that an "
        "8 or 16-bit type or the bits of a TIFF hold, lowest and highest value of other data.",
        "LOW,HIGH",
    ),
]
VOLUME = Annotated[
    int | None,
    reading("Which volume of a file of several over time, from 0.", "N", min=0),
]
MAX_PIXELS = Annotated[
    str | None,
    reading(
        "Refuse images, all frames of a video and label maps of more pixels, sounds of more samples, and "
        "scans and arrays of more values, before they are decoded. Default: 100 million.",
        "N|none",
    ),
]
MASK = Annotated[
    Path | None,
    reading(
        "An image or array of the signal's shape, 0 where a sample is missing. Samples that are NaN are "
        "missing, too: they are neither fitted nor judged, and the function fills them.",
        "FILE",
        "--mask",
    ),
]
WEIGHTS = Annotated[
    Path | None,
    reading(
        "An image or array of the signal's shape: what the squared error of each sample counts beside the "
        "others', in the fit and in its PSNR. 0: the sample is missing.",
        "FILE",
        "--weights",
    ),
]
COORDS = Annotated[
    str | None,
    reading(
        "Fit scattered points, of a CSV, Parquet or LAS file: the columns that are coordinates, 1 to 3 "
        "names or numbers.",
        "X,Y",
        "--coords",
    ),
]
VALUES = Annotated[str | None, reading("The columns that are values at the --coords.", "V,W", "--values")]
START = Annotated[float | None, reading("Where in a sound or video to begin.", "SECONDS")]
STOP = Annotated[float | None, reading("Where in a sound or video to end.", "SECONDS")]
EVERY = Annotated[int | None, reading("Of a video, one of N frames.", "N", min=1)]
FPS = Annotated[
    float | None, reading("Of a folder of frames, how many there are a second. Default: 25.", "RATE")
]
PICTURE = Annotated[
    int | None,
    reading("One frame of a video or animation, or one page of several, from 0, as a picture.", "N", min=0),
]


def pixel_limit(word: str | None) -> int | None:
    """What --max-pixels says; None for no limit.

    Raises:
        InputError: neither a number nor none.
    """
    from partinr.signals import MAX_PIXELS

    return MAX_PIXELS if word is None else words.limit(word)


def read_input(
    path: Path,
    channels_last: bool | None,
    value_range: str | None,
    max_pixels: str | None,
    volume: int | None = None,
    start: float | None = None,
    stop: float | None = None,
    every: int | None = None,
    picture: int | None = None,
    fps: float | None = None,
) -> partinr.Signal:
    """Read a signal as the options say.

    Raises:
        InputError: an option that is not of its form, or a file that cannot be read.
    """
    from partinr.signals import read

    limit, interval = pixel_limit(max_pixels), words.interval(value_range)
    return read(
        path,
        channels_last=channels_last,
        value_range=interval,
        max_pixels=limit,
        volume=volume,
        start=start,
        stop=stop,
        every=every,
        picture=picture,
        fps=fps,
    )


def read_scattered(
    path: Path, coords: str | None, values: str | None, max_pixels: str | None
) -> partinr.Signal:
    """Scattered points as two options say.

    Raises:
        InputError: one of them is missing, or a file that cannot be read.
    """
    from partinr.signals import as_signal
    from partinr.signals.points import read_points

    if coords is None or values is None:
        raise InputError("points need --coords X,Y and --values V, the names of their columns; give both")
    places, channels = (
        [name.strip() for name in word.split(",") if name.strip()] for word in (coords, values)
    )
    return as_signal(read_points(path, places, channels, pixel_limit(max_pixels)))


def with_mask(
    signal: partinr.Signal, mask: Path | None, weights: Path | None, max_pixels: str | None
) -> partinr.Signal:
    """A signal with the samples and weights that two files say, if they are given.

    Raises:
        InputError: a file that cannot be read, or does not fit the signal.
    """
    from partinr.signals.reading import read_beside
    from partinr.signals.weighting import masked, weighted

    for path, use in ((mask, masked), (weights, weighted)):
        if path is None:
            continue
        found = read_beside(path, signal.shape, pixel_limit(max_pixels))
        try:
            signal = use(signal, found)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    return signal

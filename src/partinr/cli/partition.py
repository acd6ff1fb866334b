"""`partinr partition`: the label map that a rule gives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import partinr
from partinr.cli import words
from partinr.cli.console import say
from partinr.cli.files import check_outputs, check_picture
from partinr.cli.inputs import CHANNELS_LAST, INPUT, MAX_PIXELS, PICTURE, VALUE_RANGE, VOLUME, read_input
from partinr.cli.options import option
from partinr.errors import InputError

_SUFFIXES = (".png", ".npy")


def partition(
    source: INPUT,
    rule: Annotated[
        str,
        option(
            "none, grid:RxC (grid:N on one axis, grid:PxRxC on three), hfs:N, slic:N, felzenszwalb:N, "
            "labels:FILE or auto.",
            "RULE",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        option(
            "The label map: a grey .png of 8 bits (16 for more than 256 regions), or an .npy array.",
            "LABELS",
            "-o",
            "--output",
            show_default=False,
        ),
    ],
    overlay: Annotated[
        Path | None, option("Also write a picture of the signal with the regions' borders.", "FILE.png")
    ] = None,
    channels_last: CHANNELS_LAST = None,
    value_range: VALUE_RANGE = None,
    volume: VOLUME = None,
    picture: PICTURE = None,
    max_pixels: MAX_PIXELS = None,
    quiet: Annotated[bool, option("No summary.", None, "--quiet", "-q")] = False,
) -> None:
    """Split a signal into regions and write which region each sample belongs to, 0 to R-1.

    `fit --partition labels:FILE` reads the map again.

    Example: partinr partition photo.png --rule felzenszwalb:9 -o labels.png --overlay regions.png
    """
    chosen = words.rule(rule)
    if output.suffix.lower() not in _SUFFIXES:
        raise InputError(f"-o must end in {' or '.join(_SUFFIXES)}, got {output}; other formats lose labels")
    signal = read_input(source, channels_last, value_range, max_pixels, volume, picture=picture)
    check_outputs({"-o": output, "--overlay": overlay}, [source, words.labels_file(rule)])
    check_picture("--overlay", overlay)
    made = chosen.partition(signal)
    _write_labels(output, made)
    if overlay is not None:
        from partinr.report.overlay import write_overlay

        write_overlay(overlay, signal, made)
    if not quiet:
        counts = made.counts
        rows: list[tuple[str, object]] = [
            ("output", output),
            ("rule", made.rule),
            ("regions", f"{made.regions:,}"),
            ("samples", f"{counts.min():,} to {counts.max():,} a region, {counts.sum():,} in all"),
        ]
        say(rows if overlay is None else [*rows, ("also", overlay)])


def _write_labels(path: Path, partition: partinr.Partition) -> None:
    """Write the label map in the smallest type that the format and the number of regions allow.

    Raises:
        InputError: a picture cannot hold this map.
    """
    from partinr.signals import SignalSpec, write

    fits = [dtype for dtype, most in (("uint8", 1 << 8), ("uint16", 1 << 16)) if partition.regions <= most]
    dtype = fits[0] if fits else "int32"
    picture = path.suffix.lower() == ".png"
    if picture and (not fits or len(partition.shape) != 2):
        raise InputError(
            f"a .png holds label maps of 2 axes and up to 65,536 regions, got {len(partition.shape)} axes "
            f"and {partition.regions:,} regions; write an .npy file"
        )
    top = float(max(1, partition.regions - 1))
    spec = SignalSpec("image" if picture else "array", partition.shape, 1, dtype, (0.0, top), False)
    write(path, partition.label_map.astype(dtype)[..., None], spec)

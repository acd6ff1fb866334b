"""Reconstructions of a signal beside it: pictures, errors on one scale, and the regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from numpy import ndarray

from partinr.model.partition import Partition
from partinr.report import page, words
from partinr.report.overlay import overlay
from partinr.report.pictures import (
    Picture,
    error_map,
    error_rgb,
    error_stops,
    error_top,
    mean_error,
    plane,
    plane_there,
    shown_range,
    to_rgb,
)
from partinr.shapes import Float64, Shaped
from partinr.signals.signal import Signal


class Reconstruction(NamedTuple):
    """What was made of a signal.

    Attributes:
        name: what it is called.
        note: what else there is to say; may be empty.
        values: as the signal has them.
    """

    name: str
    note: str
    values: Shaped[ndarray, "*shape channels"]


def reconstructions(signal: Signal, made: Sequence[Reconstruction]) -> list[page.Html]:
    """A picture or a middle plane, its reconstructions, and their errors with the scale of all of them."""
    shown, there = shown_range(signal), plane_there(signal)
    errors = [error_map(plane(signal.values), plane(one.values), signal.spec, there) for one in made]
    top = error_top(errors)
    pictures = [Picture("Original", to_rgb(plane(signal.values), signal.spec, shown, there))]
    pictures += [Picture(one.name, to_rgb(plane(one.values), signal.spec, shown), one.note) for one in made]
    maps = [
        Picture(f"{one.name}, error", error_rgb(error, top), mean_error(error))
        for one, error in zip(made, errors, strict=True)
    ]
    galleries = [[*pictures, *maps]] if len(made) == 1 else [pictures, maps]
    stretched = f"Shown from black to white: {shown[0]:g} to {shown[1]:g}."
    told = [
        which_plane(signal),
        stretched if shown != signal.spec.value_range else "",
        missing(signal, "checkerboards"),
    ]
    return [
        *(page.gallery(gallery) for gallery in galleries),
        page.colour_bar(
            error_stops(),
            "0",
            f"{top:g} % and more",
            "Error: absolute difference in per cent of the value range.",
        ),
        *(page.paragraph(text) for text in told if text),
    ]


def regions(
    label: str, signal: Signal, partition: Partition, shade: Float64[ndarray, "regions"] | None = None
) -> Picture:
    """The signal with the borders of its regions, and how many samples they have; `shade`: see `overlay`."""
    least, most = partition.counts.min(), partition.counts.max()
    sizes = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    note = f"{partition.rule}: {words.counted(partition.regions, 'region')} of {sizes} samples each."
    return Picture(label, overlay(signal, partition, shade), f"{note} {which_plane(signal)}".strip())


def missing(signal: Signal, shown_as: str) -> str:
    """How many samples are missing, and how that is shown; empty where all are there."""
    if not signal.missing:
        return ""
    return (
        f"{signal.missing:,} of {signal.spec.samples:,} samples are missing: {shown_as} in the original, and "
        "no error. The function fills them."
    )


def in_the_loss(signal: Signal) -> str:
    """What curves of the training loss count where samples are missing (`engines/packing.py`)."""
    half = " Where samples are missing, the loss counts their smooth filling, by half."
    return half if signal.missing else ""


def which_plane(signal: Signal) -> str:
    """Which part of three axes is shown; empty for others, of which all is."""
    if signal.spec.dims != 3:
        return ""
    plane = "Frame" if signal.spec.kind == "video" else "Plane"
    return f"{plane} {signal.shape[0] // 2} of 0 to {signal.shape[0] - 1} is shown."

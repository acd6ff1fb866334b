"""Regions and their groups as bytes, in compact files. `docs/format.md`, "Coded regions", states them."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.file.header import Header, check_samples
from partinr.file.labelmap import compress, decompress
from partinr.file.numbers import read_number, written_number
from partinr.file.range_coder import MOST_TO_A_BYTE, reader, writer
from partinr.model.partition.partition import Partition
from partinr.model.structure import Structure
from partinr.shapes import Int64, UInt8

# Numbers are coded as two of at most so many bits.
_HALF = 16


def write_partition(structure: Structure) -> bytes:
    """Label maps deflated, after their length; and a line of numbers for each region: its group where there
    are several, and its box's first sample and size along each axis less those of the region before."""
    partition = structure.partition
    columns = [structure.group_of] if len(structure.networks) > 1 else []
    labels = b""
    if partition.boxes is None:
        labels = compress(partition.label_map, partition.regions).tobytes()
    else:
        first, size = partition.boxes[:, 0], partition.boxes[:, 1] - partition.boxes[:, 0]
        columns += [*first.T, *size.T]
    head = written_number(len(labels)) + labels
    if not columns:
        return head
    steps = np.diff(np.stack(columns, axis=1), axis=0, prepend=0)
    signs, sizes = np.sign(steps), np.abs(steps)
    halves = np.stack([signs * (sizes >> _HALF), signs * (sizes & (1 << _HALF) - 1)], axis=2)
    sink = writer()
    sink.write(halves.reshape(-1).astype(np.int32), _classes(*steps.shape))
    return head + sink.finish()


def read_partition(
    section: bytes, header: Header, max_samples: int | None
) -> tuple[Partition, Int64[ndarray, "regions"] | None]:
    """The inverse of `write_partition`: regions, and the group of each where there are several.

    Args:
        section: the bytes.
        header: of the file.
        max_samples: see `load`.

    Raises:
        InputError: these are no such bytes.
    """
    length, at = read_number(section, 0)
    if length > len(section) - at:
        raise InputError("damaged: the regions are cut short")
    labels, numbers = section[at : at + length], section[at + length :]
    several, dims = len(header.networks) > 1, header.signal.dims
    columns = several + (0 if labels else 2 * dims)
    lines = _lines(numbers, header.regions, columns) if columns else np.zeros((header.regions, 0), np.int64)
    groups = lines[:, 0] if several else None
    if groups is not None and sorted(set(groups.tolist())) != list(range(len(header.networks))):
        raise InputError("damaged: every group must have regions")
    shape, rule = header.signal.shape, header.rule
    if labels:
        check_samples(header.signal.samples, max_samples, "a label map")
        found = decompress(np.frombuffer(labels, np.uint8), shape, header.regions)
        partition = Partition.from_labels(found, rule)
    else:
        first, size = lines[:, several : several + dims], lines[:, several + dims :]
        partition = Partition.from_boxes(shape, np.stack([first, first + size], axis=1), rule)
    if partition.regions != header.regions:
        raise InputError(f"there must be {header.regions} regions, there are {partition.regions}")
    return partition, groups


def _lines(numbers: bytes, regions: int, columns: int) -> Int64[ndarray, "regions columns"]:
    if 2 * regions * columns > MOST_TO_A_BYTE * (len(numbers) + 1):
        raise InputError("damaged: the regions are cut short")
    halves = np.empty(2 * regions * columns, np.int32)
    source = reader(numbers)
    if not (source.read(_classes(regions, columns), halves) and source.finished()):
        raise InputError("damaged: the regions are no coded numbers")
    steps = halves.astype(np.int64).reshape(regions, columns, 2) @ np.array([1 << _HALF, 1])
    lines: Int64[ndarray, "regions columns"] = steps.cumsum(axis=0)
    return lines


def _classes(regions: int, columns: int) -> UInt8[ndarray, "numbers"]:
    return np.tile(np.arange(2 * columns, dtype=np.uint8), regions)

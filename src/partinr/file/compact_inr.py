"""What a compact file says of a function, and the function again."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from partinr.errors import InputError
from partinr.file.coded_parameters import read as read_parameters
from partinr.file.compact import COMPACT_VERSION, packed, unpacked
from partinr.file.header import describe, describe_signal, interpret, interpret_signal
from partinr.file.labelmap import compress, decompress
from partinr.file.spectra_coding import read_spectra, write_spectra
from partinr.model.partition.partition import Partition
from partinr.model.piecewise import Piecewise
from partinr.model.structure import Structure
from partinr.model.synthesis import synthesised

# Digits of a PSNR in a header, in dB; and a PSNR of as many.
_DIGITS, _SOME_PSNR = 3, 88.888


def compact(model: Piecewise, payload: bytes, summary: Mapping[str, Any]) -> bytes:
    """All bytes of a compact file.

    Args:
        model: the function as the payload gives it back.
        payload: its parameters, coded.
        summary: how it was made; where the parameters are spectra, whose structure says it all, the PSNR
            alone is kept of it.
    """
    psnr = summary.get("psnr")
    told = {} if psnr is None else {"psnr": round(psnr, _DIGITS) if np.isfinite(psnr) else None}
    if model.spectra is not None:
        fields = {"signal": describe_signal(model.signal), "blend": model.blend, "coding": "spectra"}
        return packed({**fields, "summary": told}, [payload])
    fields = {**describe(model.structure, {**summary, **told}), "coding": "parameters"}
    return packed(fields, [_partition_bytes(model.structure), payload])


def compact_size(model: Piecewise) -> int:
    """Bytes of the compact file of a function that spectra are.

    Raises:
        InputError: its parameters are no spectra.
    """
    if model.spectra is None:
        raise InputError("only functions that were made of spectra have a size before they are rounded")
    return len(compact(model, write_spectra(model.spectra), {"psnr": _SOME_PSNR}))


def opened(payload: bytes, max_samples: int | None) -> tuple[Piecewise, dict[str, Any]]:
    """The function of a compact file, and its header.

    Args:
        payload: the whole file.
        max_samples: samples that a coded signal may have, whose memory is allocated; None for no limit.

    Raises:
        InputError: the file is damaged, or too large.
    """
    found = unpacked(payload)
    fields = {"format": COMPACT_VERSION, **found.fields}
    coding = fields.get("coding")
    spec = interpret_signal(fields)
    if max_samples is not None and spec.samples > max_samples:
        raise InputError(
            f"a compact file may have at most {max_samples:,} samples, got {spec.samples:,}; if you trust the "
            f"file, pass max_samples={spec.samples}"
        )
    if coding == "spectra":
        if len(found.sections) != 1 or fields.get("blend") is not True:
            raise InputError("damaged: a file of spectra has one section, and blends")
        spectra = read_spectra(found.sections[0], spec.shape, spec.channels)
        return synthesised(spectra, spec), fields
    if coding != "parameters" or len(found.sections) != 2:
        raise InputError("damaged: the header names no coding that this partinr reads; upgrade partinr")
    header = interpret(fields, tensors=1 << 20)
    groups, partition = _partition(
        found.sections[0], header.rule, header.regions, len(header.networks), spec.shape
    )
    structure = Structure(
        partition, tuple(header.networks), spec, header.frame, groups, header.blend, header.overlap
    )
    return Piecewise(structure, read_parameters(found.sections[1], structure)), fields


def _partition_bytes(structure: Structure) -> bytes:
    """Groups and boxes or labels: numbers in planes, as differences to the region before, deflated."""
    partition = structure.partition
    planes = [structure.group_of.astype("<u2").tobytes()] if len(structure.networks) > 1 else []
    if partition.boxes is None:
        planes.append(compress(partition.label_map, partition.regions).tobytes())
    else:
        first, size = partition.boxes[:, 0], partition.boxes[:, 1] - partition.boxes[:, 0]
        for numbers in (first, size):
            planes += [np.diff(column, prepend=0).astype("<i4").tobytes() for column in numbers.T]
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    kind = bytes([partition.boxes is None])
    return kind + deflater.compress(b"".join(planes)) + deflater.flush()


def _partition(
    section: bytes, rule: str, regions: int, groups: int, shape: tuple[int, ...]
) -> tuple[Any, Partition]:
    labelled = section[:1] == b"\x01"
    inflater = zlib.decompressobj(-15)
    most = 2 * regions + (
        8 * len(shape) * regions if not labelled else len(section) * 2 + (1 << 20) + 8 * int(np.prod(shape))
    )
    try:
        raw = inflater.decompress(section[1:], most + 1)
    except zlib.error as error:
        raise InputError(f"damaged: the partition cannot be read ({error})") from error
    if section[:1] not in (b"\x00", b"\x01") or not inflater.eof or inflater.unused_data or len(raw) > most:
        raise InputError("damaged: the partition is of another size")
    at = 2 * regions if groups > 1 else 0
    if len(raw) < at:
        raise InputError("damaged: the partition is cut short")
    group_of = np.frombuffer(raw, "<u2", regions).astype(np.int64) if groups > 1 else None
    if labelled:
        labels = decompress(np.frombuffer(raw, np.uint8, offset=at), shape, regions)
        partition = Partition.from_labels(labels, rule)
    else:
        dims = len(shape)
        if len(raw) != at + 8 * dims * regions:
            raise InputError("damaged: the partition is of another size")
        numbers = (
            np.frombuffer(raw, "<i4", offset=at).reshape(2, dims, regions).astype(np.int64).cumsum(axis=2)
        )
        first, size = numbers[0].T, numbers[1].T
        partition = Partition.from_boxes(shape, np.stack([first, first + size], axis=1), rule)
    if partition.regions != regions:
        raise InputError(f"the partition must have {regions} regions, it has {partition.regions}")
    if (group_of is not None and np.bincount(group_of, minlength=groups).min() < 1) or (
        group_of is not None and group_of.max() >= groups
    ):
        raise InputError("damaged: every group must have regions")
    return group_of, partition

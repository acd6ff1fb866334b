"""What a compact file says of a function, and the function again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from partinr.errors import InputError
from partinr.file.coded_parameters import read as read_parameters
from partinr.file.compact import COMPACT_VERSION, packed, unpacked
from partinr.file.header import check_samples, describe, describe_signal, interpret, interpret_signal
from partinr.file.partition_coding import read_partition, write_partition
from partinr.file.spectra_coding import read_spectra, write_spectra
from partinr.model.piecewise import Piecewise
from partinr.model.spectra import Spectra
from partinr.model.structure import Structure
from partinr.model.synthesis import synthesised
from partinr.signals.signal import SignalSpec

# Digits of a PSNR in a header, in dB; and a PSNR of as many.
_DIGITS, _SOME_PSNR = 3, 88.888


def compact(model: Piecewise, payload: bytes, summary: Mapping[str, Any]) -> bytes:
    """All bytes of a compact file.

    Args:
        model: the function as the payload gives it back.
        payload: its parameters, coded.
        summary: how it was made; where the parameters are spectra, whose structure says it all, PSNR and SNR
            alone are kept of it.
    """
    if model.spectra is None:
        fields = {**describe(model.structure, summary), "coding": "parameters"}
        return packed(fields, [write_partition(model.structure), payload])
    quality = {name: summary[name] for name in ("psnr", "snr") if summary.get(name) is not None}
    return _spectra_file(model.signal, payload, quality)


def _spectra_file(spec: SignalSpec, payload: bytes, quality: Mapping[str, float]) -> bytes:
    """A file of spectra: how they were made is said by their structure, so only quality is kept of it."""
    told = {name: round(value, _DIGITS) if np.isfinite(value) else None for name, value in quality.items()}
    fields = {"signal": describe_signal(spec), "blend": True, "coding": "spectra", "summary": told}
    return packed(fields, [payload])


def spectra_size(spectra: Spectra, spec: SignalSpec) -> int:
    """Bytes of the compact file of spectra of a signal."""
    quality = {"psnr": _SOME_PSNR} | ({"snr": _SOME_PSNR} if spec.kind == "sound" else {})
    return len(_spectra_file(spec, write_spectra(spectra), quality))


def compact_size(model: Piecewise) -> int:
    """Bytes of the compact file of a function that spectra are.

    Raises:
        InputError: its parameters are no spectra.
    """
    if model.spectra is None:
        raise InputError("only functions that were made of spectra have a size before they are rounded")
    return spectra_size(model.spectra, model.signal)


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
    if coding == "spectra":
        if len(found.sections) != 1 or fields.get("blend") is not True:
            raise InputError("damaged: a file of spectra has one section, and blends")
        # Of many channels, every four count as a sample.
        check_samples(spec.samples * -(-spec.channels // 4), max_samples, "spectra")
        spectra = read_spectra(found.sections[0], spec.shape, spec.channels)
        return synthesised(spectra, spec), fields
    if coding != "parameters" or len(found.sections) != 2:
        raise InputError("damaged: the header names no coding that this partinr reads; upgrade partinr")
    header = interpret(fields, tensors=1 << 20)
    partition, groups = read_partition(found.sections[0], header, max_samples)
    structure = Structure(
        partition, tuple(header.networks), spec, header.frame, groups, header.blend, header.overlap
    )
    return Piecewise(structure, read_parameters(found.sections[1], structure)), fields

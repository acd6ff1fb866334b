"""The .inr file: a safetensors file with a checked header, or a compact one. `docs/format.md` states both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as brief
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy import ndarray

from partinr.engines import select
from partinr.errors import InputError
from partinr.file.compact_inr import compact, opened
from partinr.file.header import Header, check_samples, describe, interpret
from partinr.file.labelmap import compress, decompress
from partinr.file.rounding import RoundingError, rounded
from partinr.file.sealing import (
    Sealed,
    Tensors,
    expect,
    read_compact,
    read_sealed,
    starts_compact,
    stored,
    write_sealed,
)
from partinr.file.spectra_coding import write_spectra
from partinr.files import atomic_write
from partinr.model.networks.network import Parameters
from partinr.model.partition.partition import Partition
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import Quality, quality
from partinr.model.structure import Structure
from partinr.shapes import Float32
from partinr.signals.decoding import MAX_PIXELS
from partinr.signals.signal import Signal
from partinr.signals.snr import snr_at

Precision = Literal["float32", "float16"]
Store = Literal["float32", "float16", "compact", "auto"]

# What float16 may cost where it is taken by itself, in dB.
_HALF_COST = 0.05
# The share of what a fit exceeds its target by that rounding may cost; however near the fit is, as much as
# nobody can see.
_SAFETY, _LEAST_COST = 0.8, 0.002

ROUNDING_COST = 0.05
"""Decibels that rounding parameters may cost."""


@dataclass(frozen=True)
class Saved:
    """What was written.

    Attributes:
        path: the file.
        bytes: its size.
        store: "float32", "float16" or "compact".
        psnr: PSNR in dB of the rendering of the stored parameters; None without a signal to compare with.
        ssim: structural similarity of the same; None too where an axis is shorter than 11 samples.
        snr: signal-to-noise ratio in dB of the same, of sounds; None for other signals, and silence.
    """

    path: Path
    bytes: int
    store: str
    psnr: float | None
    ssim: float | None
    snr: float | None = None


def save(
    model: Piecewise,
    path: str | Path,
    *,
    store: Store | None = None,
    signal: Signal | None = None,
    target: float | None = None,
    summary: dict[str, Any] | None = None,
    measured: Quality | None = None,
) -> Saved:
    """Write a piecewise network to a file, replacing it only once everything is on disk.

    Args:
        model: what to write.
        path: ends in .inr by convention.
        store: precision of the stored parameters. "compact" codes them in few bits: exactly where they are
            whole numbers of a step (see `Compact`); elsewhere they lose less than 0.05 dB, for which what is
            not rounded yet is trained to make up. "auto" does so without training; where that would lose a
            `target`, or cannot be done, it takes float16 if that costs less and else float32. None: "compact"
            where that is exact, else "float32". Files of float32 and float16 say nothing of a step, so jumps
            at borders of boxes stay as the step left them (`docs/between.md`); their PSNR is measured so.
        signal: what was fitted; needed for the PSNR in the header, and to round what is no whole number.
        target: PSNR in dB that must not be lost by storing.
        summary: what to say in the header about how it was made; JSON types.
        measured: the quality of the model as it is, if it is known, which saves a rendering.

    Raises:
        InputError: the folder does not exist or cannot be written, rounding without a signal, a signal of
            another shape, or parameters that are not finite in the stored precision.
        OSError: the file cannot be written; an old file stays as it was.

    Example:
        >>> import os, tempfile, numpy as np, partinr
        >>> model = partinr.fit(np.eye(8), goal=partinr.Steps(5)).model
        >>> path = os.path.join(tempfile.mkdtemp(), "eye.inr")
        >>> partinr.save(model, path, store="float16").store
        'float16'
        >>> partinr.load(path).signal.shape
        (8, 8)
    """
    store = store or ("float32" if model.spectra is None else "compact")
    if store not in get_args(Store):
        raise InputError(f"store must be one of {', '.join(get_args(Store))}, got {brief(store)}")
    if not _finite(model, "float32"):
        raise InputError(
            "the model has parameters that are not finite; fit it again with a lower learning rate"
        )
    if model.rounded and model.spectra is None:
        raise InputError(
            "the model is joined of several, whose spectra are in their own files; save those, or fit a "
            "rendering of it"
        )
    told = summary or {}
    if store == "compact" or store == "auto":
        found = _compact(model, signal, target, told, measured, gently=store == "auto")
        if found is not None:
            with atomic_write(path) as file:
                file.write(found.whole)
            return Saved(Path(path), len(found.whole), "compact", *_quality(found.reached, signal))
    if model.spectra is not None and model.signal.between != "none":
        model, measured = Piecewise(model.structure, model.parameters), None
    others: Literal["float32", "float16", "auto"] = "auto" if store == "compact" else store
    chosen, reached = _choose_store(model, others, signal, target, measured)
    if not _finite(model, chosen):
        raise InputError('the model has parameters beyond what float16 can hold; use store="float32"')
    told = told | _measured(reached, signal)
    size = write_sealed(path, _tensors(model, chosen), describe(model.structure, told))
    return Saved(Path(path), size, chosen, *_quality(reached, signal))


def load(path: str | Path, *, max_samples: int | None = MAX_PIXELS) -> Piecewise:
    """Read a piecewise network; its parameters are float32 whatever the file's precision.

    Nothing in the file is executed, and every size is checked before anything is allocated for it.

    Args:
        path: the file.
        max_samples: samples that a label map may have, against decompression bombs; None for no limit. A
            partition into boxes takes no memory for its samples and has no limit.

    Raises:
        InputError: the file is missing, foreign, damaged, or of a newer version; the message says which.

    Example:
        >>> import os, tempfile, numpy as np, partinr
        >>> path = os.path.join(tempfile.mkdtemp(), "ramp.inr")
        >>> model = partinr.fit(np.linspace(0, 1, 50), partinr.Grid(2), goal=partinr.Steps(5)).model
        >>> _ = partinr.save(model, path)
        >>> partinr.load(path).partition.rule
        'grid:2'
    """
    model, _ = load_with_header(path, max_samples=max_samples)
    return model


def load_with_header(
    path: str | Path, *, max_samples: int | None = MAX_PIXELS
) -> tuple[Piecewise, dict[str, Any]]:
    """The network and the file's header, which has the summary; see `load`."""

    if starts_compact(path):
        return read_compact(path, lambda payload: opened(payload, max_samples))

    def interpreted(sealed: Sealed) -> tuple[Piecewise, dict[str, Any]]:
        header = interpret(sealed.fields, len(sealed.entries))
        _check_tensors(header, sealed.entries)
        return _model(header, sealed.tensors(), max_samples), sealed.fields

    return read_sealed(path, "fit", interpreted)


class _Found(NamedTuple):
    whole: bytes
    reached: Quality | None


def _compact(
    model: Piecewise,
    signal: Signal | None,
    target: float | None,
    summary: dict[str, Any],
    measured: Quality | None,
    *,
    gently: bool,
) -> _Found | None:
    """A compact file; `gently`: without training what makes up for rounding, and none at all where rounding
    is not possible, costs more than was allowed, or loses a target that was reached."""
    if model.spectra is not None:
        reached = measured if measured is not None or signal is None else quality(model, signal)
        payload = write_spectra(model.spectra)
    elif signal is None:
        raise InputError(
            'store="compact" and "auto" need the signal to measure what rounding costs; pass signal='
        )
    else:
        before = measured or quality(model, signal)
        trained = not any(network.solved for network in model.networks)
        engine = select("auto", "cpu", None, model.networks[0]) if trained and not gently else None
        try:
            coded = rounded(model, signal, _allowed_loss(target, before), engine=engine)
        except RoundingError:
            if gently:
                return None
            raise
        model, payload = coded.model, coded.payload
        reached = quality(model, signal)
        lost = before.psnr - reached.psnr > 2 * ROUNDING_COST
        if gently and (lost or (target is not None and reached.psnr < target <= before.psnr)):
            return None
    told = summary | _measured(reached, signal)
    return _Found(compact(model, payload, told), reached)


def _quality(
    reached: Quality | None, signal: Signal | None
) -> tuple[float | None, float | None, float | None]:
    """PSNR, SSIM, and of sounds SNR, as far as they are known."""
    if reached is None:
        return None, None, None
    sound = signal if signal is not None and signal.spec.kind == "sound" else None
    return *reached, None if sound is None else snr_at(sound, reached.psnr)


def _measured(reached: Quality | None, signal: Signal | None) -> dict[str, Any]:
    """What a header says of the quality."""
    psnr, _, snr = _quality(reached, signal)
    return {name: value for name, value in (("psnr", psnr), ("snr", snr)) if value is not None}


def _allowed_loss(target: float | None, measured: Quality) -> float:
    """Decibels that rounding may cost: never what takes the file below a target that was reached."""
    if target is None or measured.psnr < target:
        return ROUNDING_COST
    return min(ROUNDING_COST, max(_SAFETY * (measured.psnr - target), _LEAST_COST))


def _choose_store(
    model: Piecewise,
    store: Literal["float32", "float16", "auto"],
    signal: Signal | None,
    target: float | None,
    measured: Quality | None,
) -> tuple[Precision, Quality | None]:
    if signal is None:
        return "float32" if store == "auto" else store, None
    half = None
    if store != "float32" and _finite(model, "float16"):
        half = quality(_rounded(model), signal)
    if store == "float16":
        return store, half
    full = measured or quality(model, signal)
    if half is None:
        return "float32", full
    cheap = full.psnr - half.psnr < _HALF_COST or full.psnr == half.psnr
    keeps_target = target is None or full.psnr < target or half.psnr >= target
    return ("float16", half) if cheap and keeps_target else ("float32", full)


def _rounded(model: Piecewise) -> Piecewise:
    """The model as it will be when it is loaded from half precision."""
    rounded = [parameters.map(in_half_precision) for parameters in model.parameters]
    return Piecewise(model.structure, tuple(rounded))


def in_half_precision(values: Float32[ndarray, "*shape"]) -> Float32[ndarray, "*shape"]:
    """Numbers as they come back from half precision; infinite beyond its range."""
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def _finite(model: Piecewise, store: Precision) -> bool:
    with np.errstate(over="ignore"):
        arrays = [array.astype(store) for parameters in model.parameters for array in parameters.arrays]
    return all(bool(np.isfinite(array).all()) for array in arrays)


def _tensors(model: Piecewise, store: Precision) -> Tensors:
    tensors: Tensors = {name: array.astype(store) for name, array in model.named_parameters().items()}
    if len(model.networks) > 1:
        tensors["group_of"] = model.structure.group_of.astype(np.uint16)
    if model.partition.boxes is not None:
        tensors["boxes"] = model.partition.boxes.astype(np.uint32)
    else:
        tensors["labels"] = compress(model.partition.label_map, model.regions)
    return tensors


def _check_tensors(header: Header, entries: dict[str, Any]) -> None:
    """Make sure that the file has the tensors that its header calls for, before anything is read of them."""
    claimed = {name: stored(name, entry) for name, entry in entries.items()}
    regions, dims, groups = header.regions, header.signal.dims, len(header.networks)
    # Counted before the names are made: the header may speak of far more layers than the file can hold.
    count = sum(2 * network.depth for network in header.networks) + (groups > 1) + 1
    if len(claimed) != count:
        raise InputError(f"the file must have {count} tensors, it has {len(claimed)}")
    parameters = ("F32", "F16")
    held = 0
    for g, network in enumerate(header.networks):
        _, first = claimed.get(f"groups.{g}.weights.0", ("", (0,)))
        held += first[0]
        for i, layer in enumerate(network.layer_shapes(dims, header.signal.channels)):
            expect(claimed, f"groups.{g}.weights.{i}", parameters, (first[0], layer.fan_in, layer.fan_out))
            expect(claimed, f"groups.{g}.biases.{i}", parameters, (first[0], layer.fan_out))
    if held != regions:
        raise InputError(f"the file must hold parameters of {regions} regions, it holds {held}")
    if groups > 1:
        expect(claimed, "group_of", ("U16",), (regions,))
    if "boxes" in claimed:
        expect(claimed, "boxes", ("U32",), (regions, 2, dims))
    else:
        _, packed = claimed.get("labels", ("", ()))
        expect(claimed, "labels", ("U8",), (packed[0] if packed else 1,))


def _model(header: Header, tensors: Tensors, max_samples: int | None) -> Piecewise:
    for name, value in tensors.items():
        if "." in name and not bool(np.isfinite(value).all()):
            raise InputError(f"the tensor {name} has values that are not finite")
    partition = _partition(header, tensors, max_samples)
    groups = None
    if len(header.networks) > 1:
        groups = tensors["group_of"].astype(np.int64)
        sizes = np.bincount(groups, minlength=len(header.networks))
        held = [len(tensors[f"groups.{g}.biases.0"]) for g in range(len(header.networks))]
        if sizes.tolist() != held:
            raise InputError("group_of must name each group for as many regions as the group has networks")
    structure = Structure(
        partition,
        tuple(header.networks),
        header.signal,
        header.frame,
        groups,
        header.blend,
        header.overlap,
    )
    parameters = [
        Parameters(
            *(
                [tensors[f"groups.{g}.{what}.{i}"].astype(np.float32) for i in range(network.depth)]
                for what in ("weights", "biases")
            )
        )
        for g, network in enumerate(header.networks)
    ]
    return Piecewise(structure, tuple(parameters))


def _partition(header: Header, tensors: Tensors, max_samples: int | None) -> Partition:
    shape, rule = header.signal.shape, header.rule
    if "boxes" in tensors:
        return Partition.from_boxes(shape, tensors["boxes"].astype(np.int64), rule)
    check_samples(header.signal.samples, max_samples, "a label map")
    partition = Partition.from_labels(decompress(tensors["labels"], shape, header.regions), rule)
    if partition.regions != header.regions:
        raise InputError(f"the label map must have {header.regions} regions, it has {partition.regions}")
    return partition

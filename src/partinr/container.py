"""The .inr file: a safetensors file with a checked header. `docs/format.md` states it byte by byte."""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy import ndarray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from partinr.errors import InputError
from partinr.files import atomic_write
from partinr.metrics import psnr as psnr_of
from partinr.networks import from_config
from partinr.networks.network import Network
from partinr.partition.partition import Partition
from partinr.piecewise import PiecewiseINR
from partinr.rendering import render
from partinr.signals.signal import Signal, SignalSpec

FORMAT_VERSION = 1
KEY = "partinr"
"""Name of the header in the safetensors metadata."""

Store = Literal["float32", "float16", "auto"]
Tensors = dict[str, "ndarray[Any, Any]"]

# What float16 may cost with store="auto", in dB.
_HALF_COST = 0.05
_LARGEST_HEADER = 1 << 24


@dataclass(frozen=True)
class Saved:
    """What was written.

    Attributes:
        path: the file.
        bytes: its size.
        store: "float32" or "float16".
        psnr: PSNR in dB of the rendering of the stored parameters; None without a signal to compare with.
    """

    path: Path
    bytes: int
    store: str
    psnr: float | None


def save(
    model: PiecewiseINR,
    path: str | Path,
    *,
    store: Store = "float32",
    signal: Signal | None = None,
    target: float | None = None,
    summary: dict[str, Any] | None = None,
) -> Saved:
    """Write a piecewise network to a file, replacing it only once everything is on disk.

    Args:
        model: what to write.
        path: ends in .inr by convention.
        store: precision of the stored parameters. "auto" takes float16 where that costs less than 0.05 dB of
            the rendered signal and does not fall below `target`.
        signal: what was fitted; needed for "auto", and for the PSNR in the header.
        target: PSNR in dB that must not be lost by storing.
        summary: what to say in the header about how it was made; JSON types.

    Raises:
        InputError: the folder does not exist or cannot be written, or "auto" without a signal.
        OSError: the file cannot be written; an old file stays as it was.
    """
    chosen, psnr = _choose_store(model, store, signal, target)
    tensors = _tensors(model, chosen)
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise InputError(f"the model's parameters must be finite in {chosen}; use another store, or fit again")
    header = {
        "format": FORMAT_VERSION,
        "signal": asdict(model.signal),
        "networks": [group.network.config() for group in model.group_list],
        "frame": model.frame,
        "partition": {"rule": model.partition.rule, "regions": model.regions},
        "summary": {**(summary or {}), **({} if psnr is None else {"psnr": psnr})},
    }
    header["sha256"] = _digest(header, tensors)
    payload = save_tensors(tensors, metadata={KEY: json.dumps(header, sort_keys=True, allow_nan=False)})
    with atomic_write(Path(path)) as file:
        file.write(payload)
    return Saved(Path(path), len(payload), chosen, psnr)


def load(path: str | Path) -> PiecewiseINR:
    """Read a piecewise network; its parameters are float32 whatever the file's precision.

    Nothing in the file is executed, and every size is checked before anything is allocated for it.

    Raises:
        InputError: the file is missing, foreign, damaged, or of a newer version; the message says which.
    """
    model, _ = load_with_header(path)
    return model


def load_with_header(path: str | Path) -> tuple[PiecewiseINR, dict[str, Any]]:
    """The network and the file's header, which has the summary; see `load`."""
    payload = _read(Path(path))
    header = _header(payload, path)
    try:
        tensors = load_tensors(payload)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged ({error})") from error
    if header.get("sha256") != _digest(header, tensors):
        raise InputError(f"{path} is damaged: its checksum does not match; get the file again")
    try:
        return _model(header, tensors), header
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise InputError(f"{path} is not a valid .inr file: {error}") from error


def _choose_store(
    model: PiecewiseINR, store: Store, signal: Signal | None, target: float | None
) -> tuple[Literal["float32", "float16"], float | None]:
    if signal is None:
        if store == "auto":
            raise InputError('store="auto" needs the signal to measure what float16 costs; pass signal=')
        return store, None
    full = _rendered_psnr(model, signal)
    if store == "float32":
        return store, full
    half = _rendered_psnr(_rounded(model), signal)
    cheap = full - half < _HALF_COST or full == half
    keeps_target = target is None or full < target or half >= target
    if store == "float16" or (cheap and keeps_target):
        return "float16", half
    return "float32", full


def _rendered_psnr(model: PiecewiseINR, signal: Signal) -> float:
    low, high = signal.spec.value_range
    return psnr_of(signal.values.reshape(signal.spec.array_shape), render(model), high - low)


def _rounded(model: PiecewiseINR) -> PiecewiseINR:
    networks = [group.network for group in model.group_list]
    copy = PiecewiseINR(model.partition, networks, model.signal, model.frame, model.group_of.numpy())
    copy.load_state_dict({name: value.half().float() for name, value in model.state_dict().items()})
    return copy


def _tensors(model: PiecewiseINR, store: Literal["float32", "float16"]) -> Tensors:
    tensors = {
        name: value.detach().cpu().numpy().astype(store, order="C")
        for name, value in model.state_dict().items()
    }
    if len(model.group_list) > 1:
        tensors["group_of"] = model.group_of.cpu().numpy().astype(np.uint16)
    if model.partition.boxes is not None:
        tensors["boxes"] = model.partition.boxes.astype(np.uint32)
    else:
        tensors["labels"] = _compress(model.partition.label_map, model.regions)
    return tensors


def _compress(labels: ndarray[Any, Any], regions: int) -> ndarray[Any, Any]:
    """Deflate the differences of consecutive labels in raster order, as little-endian unsigned numbers."""
    flat = labels.reshape(-1).astype(_label_type(regions))
    steps = np.diff(flat, prepend=flat.dtype.type(0))
    return np.frombuffer(zlib.compress(steps.tobytes(), 9), np.uint8)


def _decompress(packed: ndarray[Any, Any], shape: tuple[int, ...], regions: int) -> ndarray[Any, Any]:
    dtype = _label_type(regions)
    size = math.prod(shape) * dtype.itemsize
    # Deflate expands at most 1032-fold: a larger claim is false, whatever the stream says.
    if size > 1032 * packed.size + 64:
        raise InputError(f"the label map of {packed.size} bytes cannot hold {math.prod(shape)} samples")
    inflater = zlib.decompressobj()
    raw = inflater.decompress(packed.tobytes(), size + 1)
    if len(raw) != size or not inflater.eof:
        raise InputError(f"the label map must hold {size} bytes, it holds {len(raw)} or more")
    return np.cumsum(np.frombuffer(raw, dtype), dtype=dtype).reshape(shape)


def _label_type(regions: int) -> np.dtype[Any]:
    return np.dtype("<u1" if regions <= 1 << 8 else "<u2" if regions <= 1 << 16 else "<u4")


def _digest(header: dict[str, Any], tensors: Tensors) -> str:
    """SHA-256 over the header without its checksum and over every tensor: name, type, shape, bytes."""
    content = {key: value for key, value in header.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"expected an .inr file, got the folder {path}")
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"no such file: {path}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _header(payload: bytes, path: str | Path) -> dict[str, Any]:
    size = int.from_bytes(payload[:8], "little")
    if len(payload) < 8 or size > min(len(payload) - 8, _LARGEST_HEADER):
        raise InputError(f"{path} is not an .inr file, or is truncated")
    try:
        header = json.loads(json.loads(payload[8 : 8 + size])["__metadata__"][KEY])
        version = header["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is not an .inr file: it has no partinr header") from error
    if not isinstance(version, int) or version < 1:
        raise InputError(f"{path} has the invalid format version {version!r}")
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version}, this partinr reads up to {FORMAT_VERSION}; upgrade partinr"
        )
    return header  # type: ignore[no-any-return]


def _model(header: dict[str, Any], tensors: Tensors) -> PiecewiseINR:
    signal = _spec(header["signal"])
    regions = header["partition"]["regions"]
    rule = header["partition"]["rule"]
    frame = header["frame"]
    if frame not in ("global", "local"):
        raise InputError(f"the frame must be global or local, got {frame!r}")
    if not isinstance(regions, int) or not isinstance(rule, str):
        raise InputError("the partition must have a rule and a number of regions")
    networks = [from_config(config) for config in header["networks"]]
    held = sum(len(tensors[f"groups.{g}.biases.0"]) for g in range(len(networks)))
    if held != regions:
        raise InputError(f"the file must hold parameters of {regions} regions, it holds {held}")
    group_of = np.zeros(regions, np.int64)
    if len(networks) > 1:
        group_of = tensors["group_of"].astype(np.int64)
    _check_parameters(networks, group_of, signal, tensors)
    if "boxes" in tensors:
        partition = Partition.from_boxes(signal.shape, tensors["boxes"].astype(np.int64), rule)
    else:
        labels = _decompress(tensors["labels"], signal.shape, regions)
        partition = Partition.from_labels(labels.astype(np.int32), rule)
    if partition.regions != regions:
        raise InputError(f"the partition must have {regions} regions, it has {partition.regions}")
    model = PiecewiseINR(partition, networks, signal, frame, group_of)
    parameters = {name: torch.from_numpy(value).float() for name, value in tensors.items() if "." in name}
    model.load_state_dict(parameters, assign=True)
    return model


def _spec(config: dict[str, Any]) -> SignalSpec:
    spec = SignalSpec(
        kind=config["kind"],
        shape=tuple(config["shape"]),
        channels=config["channels"],
        dtype=config["dtype"],
        value_range=(float(config["value_range"][0]), float(config["value_range"][1])),
        channel_axis=config["channel_axis"],
    )
    numbers = (*spec.shape, spec.channels)
    if not all(isinstance(n, int) and 0 < n < 1 << 32 for n in numbers) or not 1 <= spec.dims <= 3:
        raise InputError(f"the signal's shape is invalid: {config['shape']} with {config['channels']} channels")
    if np.dtype(spec.dtype).kind not in "biuf" or spec.kind not in ("image", "array"):
        raise InputError(f"the signal's type is invalid: {spec.kind} of {spec.dtype}")
    low, high = spec.value_range
    if not -math.inf < low < high < math.inf or not isinstance(spec.channel_axis, bool):
        raise InputError(f"the signal's value range is invalid: {low}..{high}")
    return spec


def _check_parameters(
    networks: list[Network], group_of: ndarray[Any, Any], signal: SignalSpec, tensors: Tensors
) -> None:
    expected: dict[str, tuple[int, ...]] = {}
    for g, network in enumerate(networks):
        members = int((group_of == g).sum())
        for i, layer in enumerate(network.layer_shapes(signal.dims, signal.channels)):
            expected[f"groups.{g}.weights.{i}"] = (members, layer.fan_in, layer.fan_out)
            expected[f"groups.{g}.biases.{i}"] = (members, layer.fan_out)
    stored = {name: value for name, value in tensors.items() if "." in name}
    for name in sorted({*expected, *stored}):
        if name not in stored or name not in expected:
            raise InputError(f"the parameter {name} is {'missing' if name in expected else 'not expected'}")
        value = stored[name]
        if value.shape != expected[name] or value.dtype not in (np.float16, np.float32):
            raise InputError(
                f"{name} must have shape {expected[name]} of float16 or float32, got {value.shape} of {value.dtype}"
            )
        if not np.isfinite(value).all():
            raise InputError(f"{name} has values that are not finite")

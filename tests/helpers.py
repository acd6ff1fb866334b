"""Small signals and slow, obvious oracles that several tests use."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr import Piecewise, Signal, SignalSpec, from_array
from partinr.model.networks import Parameters


def noise(shape: tuple[int, ...], channels: int = 1, seed: int = 0) -> Signal:
    """A signal of random bytes."""
    values = np.random.default_rng(seed).integers(0, 256, (*shape, channels), dtype=np.uint8)
    return Signal(values, SignalSpec("array", shape, channels, "uint8", (0.0, 255.0), True))


def smooth(shape: tuple[int, ...], channels: int = 1) -> Signal:
    """A smooth signal of floating-point numbers."""
    axes = np.meshgrid(*[np.linspace(0, 3, n) for n in shape], indexing="ij")
    base = sum(np.sin(axis * (1 + i)) for i, axis in enumerate(axes))
    values = np.stack([np.asarray(base) * (c + 1) for c in range(channels)], axis=-1).astype(np.float32)
    spec = SignalSpec("array", shape, channels, "float32", (float(values.min()), float(values.max())), True)
    return Signal(values, spec)


def patchy(shape: tuple[int, ...], channels: int = 1, dtype: str = "uint8") -> Signal:
    """A texture on one half, a constant on the other."""
    texture = np.random.default_rng(0).uniform(0, 1, (*shape, channels))
    for axis, samples in enumerate(shape):
        texture = sum(np.roll(texture, shift, axis) for shift in range(min(5, samples))) / 5
    texture = np.clip(0.5 + 4 * (texture - texture.mean()), 0, 1)
    texture[..., : shape[-1] // 2, :] = 0.3
    if dtype == "uint8":
        texture = np.rint(255 * texture)
    limits = (0, 255 if dtype == "uint8" else 1)
    return from_array(texture.astype(dtype), channels_last=True, value_range=limits)


def one_network(parameters: Parameters, region: int) -> Parameters:
    """The parameters of one region of a group, still stacked, with one region."""
    return parameters.map(lambda array: array[region : region + 1])


def evaluate_by_loop(model: Piecewise, coords: ndarray, regions: ndarray) -> ndarray:
    """Values of a one-group function, point after point: one network, one coordinate at a time."""
    (network,), (parameters,) = model.networks, model.parameters
    scale, shift = model.structure.affine
    out = []
    for x, r in zip(coords, regions, strict=True):
        own = x if model.frame == "global" else x * scale[r] + shift[r]
        out.append(network.forward(own[None, None], one_network(parameters, int(r)))[0, 0])
    return np.stack(out)


def permute_one(i: int, size: int, key: int) -> int:
    """Kensler's listing, one number at a time."""
    word = 0xFFFFFFFF
    mask = size - 1
    for shift in (1, 2, 4, 8, 16):
        mask |= mask >> shift
    while True:
        i = ((i ^ key) * 0xE170893D) & word
        i ^= key >> 16
        i ^= (i & mask) >> 4
        i ^= key >> 8
        i = (i * 0x0929EB3F) & word
        i ^= key >> 23
        i ^= (i & mask) >> 1
        i = (i * (1 | key >> 27)) & word
        i = (i * 0x6935FA69) & word
        i ^= (i & mask) >> 11
        i = (i * 0x74DCB303) & word
        i ^= (i & mask) >> 2
        i = (i * 0x9E501CC3) & word
        i ^= (i & mask) >> 2
        i = (i * 0xC860A3DF) & word
        i &= mask
        i ^= i >> 5
        if i < size:
            return (i + key) % size


def bytes_of(model: Piecewise) -> bytes:
    """Every parameter of a function, and which networks are where."""
    labels = model.partition.label_map.astype(np.int64).tobytes()
    arrays = [array.tobytes() for array in model.named_parameters().values()]
    return b"".join([*arrays, model.structure.group_of.tobytes(), labels])

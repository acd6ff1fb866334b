"""Small signals and slow, obvious oracles that several tests use."""

from __future__ import annotations

import numpy as np
import torch
from numpy import ndarray

from partinr import PiecewiseINR, Signal, SignalSpec
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


def one_network(parameters: Parameters, region: int) -> Parameters:
    """The parameters of one region of a group, still stacked, with one region."""
    pick = slice(region, region + 1)
    return Parameters([w[pick] for w in parameters.weights], [b[pick] for b in parameters.biases])


def evaluate_by_loop(model: PiecewiseINR, coords: ndarray, regions: ndarray) -> ndarray:
    """Values of a one-group model, point after point: one network, one coordinate at a time."""
    group = model.group_list[0]
    out = []
    for x, r in zip(torch.as_tensor(coords), regions, strict=True):
        own = x if model.frame == "global" else x * model.scale[r] + model.shift[r]
        parameters = one_network(group.parameters_by_layer, int(r))
        out.append(group.network.forward(own[None, None], parameters)[0, 0].detach().numpy())
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

"""Functions of every kind of network, small and with random parameters, that several tests use."""

from __future__ import annotations

import numpy as np

from helpers import noise
from partinr import (
    Cosine,
    Finer,
    Fourier,
    FourierNet,
    GaborNet,
    Gauss,
    Grid,
    HashGrid,
    Network,
    Partition,
    Piecewise,
    ReluHarmonic,
    SignalSpec,
    Siren,
    Structure,
    Wire,
)
from partinr.signals.frames import Frame

NETWORKS: list[Network] = [
    Siren(hidden=5, layers=1, omega_0=7.0, omega_hidden=4.0),
    ReluHarmonic(hidden=4, layers=1, frequencies=60),
    Fourier(hidden=4, layers=0, features=5, sigma=2.0, seed=2**53 - 1),
    Finer(hidden=5, layers=1, omega_0=5.0, omega_hidden=4.0),
    Wire(hidden=6, layers=2, omega_0=5.0, omega_hidden=4.0, scale=1.5),
    Gauss(hidden=5, layers=1, sigma=0.7),
    Cosine(frequencies=4),
    FourierNet(hidden=5, layers=2, input_scale=6.0),
    GaborNet(hidden=5, layers=1, input_scale=6.0),
    HashGrid(entries=19, levels=3, features=2, coarsest=2, finest=7, hidden=5),
]
"""One of each."""

NATIVE: list[Network] = [network for network in NETWORKS if network.kernel(2) is not None]
"""Those that the native kernel knows, and pages draw."""

TRAINED: list[Network] = [network for network in NETWORKS if not network.solved]
"""Those with hidden layers that have parameters."""

TINY = Siren(hidden=1, layers=0)
"""The smallest."""


def scattered(shape: tuple[int, ...], regions: int = 3) -> Partition:
    """Labels at random, the last one used once."""
    labels = np.random.default_rng(0).integers(0, max(1, regions - 1), shape)
    labels.reshape(-1)[:regions] = np.arange(regions)[::-1]
    return Partition.from_labels(labels, "labels:scattered.png")


def cells(shape: tuple[int, ...], *divisions: int) -> Partition:
    """A grid; without divisions, three cells along the first axis."""
    return Grid(*(divisions or (3, *[1] * (len(shape) - 1)))).partition(noise(shape))


def made(
    partition: Partition,
    networks: Network | list[Network],
    frame: Frame = "local",
    dtype: str = "float32",
    span: tuple[float, float] = (0.0, 1.0),
    channels: int = 2,
    blend: bool = False,
    overlap: int = 0,
) -> Piecewise:
    """A function with random parameters whose regions take the networks in turn."""
    spec = SignalSpec("array", partition.shape, channels, dtype, span, channels > 1)
    each = tuple(networks) if isinstance(networks, list) else (networks,)
    groups = np.arange(partition.regions) % len(each)
    structure = Structure(partition, each, spec, frame, groups, blend, overlap)
    return Piecewise(structure, tuple(structure.initialise(0)))

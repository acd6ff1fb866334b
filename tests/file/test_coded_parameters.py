"""Coded parameters are what docs/format.md says, and nothing that is damaged is believed."""

from __future__ import annotations

import numpy as np
import pytest

import coded_reader
from compact_reader import feeds
from models import NETWORKS, cells, made, scattered
from partinr import InputError, Network, Piecewise, Siren, Structure
from partinr.file import coded_parameters
from partinr.file.coded_parameters import Part, Settings, assembled, places, read, write
from partinr.file.range_coder import PythonReader, PythonWriter


def parts_of(structure: Structure, seed: int = 0, size: float = 9.0) -> list[list[Part]]:
    """Parts of all kinds: with and without means and a chain, fine and coarse."""
    random = np.random.default_rng(seed)
    found = []
    for group, members in enumerate(structure.members):
        own = []
        for place in places(structure, group):
            mean = int(random.integers(-30, 10)) if random.random() < 0.5 else None
            chain = int(random.integers(0, 20)) if random.random() < 0.5 else None
            settings = Settings(int(random.integers(-60, 20)), int(random.integers(-20, 70)), mean, chain)
            means = random.integers(-40, 40, 0 if mean is None else place.entries).astype(np.int32)
            integers = np.rint(random.normal(0, size, (len(members), place.entries))).astype(np.int32)
            own.append(Part(settings, means, integers))
        found.append(own)
    return found


def mixed(shape: tuple[int, ...] = (9, 7)) -> Structure:
    networks: list[Network] = [NETWORKS[0], NETWORKS[4], Siren(hidden=2, layers=3)]
    return made(scattered(shape, 8), networks, channels=3).structure


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("shape", [(13,), (5, 4), (3, 1, 4)])
def test_the_page_is_enough_to_read_them(network: Network, shape: tuple[int, ...]) -> None:
    structure = made(cells(shape), network, channels=3).structure
    same_as_the_page(structure, seed=len(shape))


@pytest.mark.parametrize("seed", range(4))
def test_several_groups(seed: int) -> None:
    same_as_the_page(mixed(), seed)


def same_as_the_page(structure: Structure, seed: int) -> None:
    payload = write(structure, parts_of(structure, seed))
    counts = structure.partition.counts
    groups = [
        (
            counts[members].tolist(),
            network.layer_shapes(structure.signal.dims, structure.signal.channels),
            feeds(network.config()),
        )
        for network, members in zip(structure.networks, structure.members, strict=True)
    ]
    for own, (weights, biases) in zip(
        read(payload, structure), coded_reader.parameters(payload, groups), strict=True
    ):
        for mine, theirs in zip(own.arrays, [*weights, *biases], strict=True):
            assert np.array_equal(mine, theirs)
            assert mine.dtype == np.float32


def test_what_is_written_is_read() -> None:
    structure = mixed()
    parts = parts_of(structure)
    for own, again in zip(assembled(structure, parts), read(write(structure, parts), structure), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(own.arrays, again.arrays, strict=True))
    Piecewise(structure, assembled(structure, parts))


def test_without_the_kernel_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    structure = mixed()
    parts = parts_of(structure)
    payload = write(structure, parts)
    expected = read(payload, structure)
    monkeypatch.setattr(coded_parameters, "writer", PythonWriter)
    monkeypatch.setattr(coded_parameters, "reader", PythonReader)
    assert write(structure, parts) == payload
    for own, again in zip(expected, read(payload, structure), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(own.arrays, again.arrays, strict=True))


@pytest.mark.parametrize("size", [0.0, 1e5])
def test_extreme_integers(size: float) -> None:
    structure = mixed()
    parts = parts_of(structure, size=size)
    for own in read(write(structure, parts), structure):
        assert all(np.isfinite(array).all() for array in own.arrays)


def test_damaged_payloads_are_refused_or_finite() -> None:
    structure = mixed()
    payload = write(structure, parts_of(structure))
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        broken = bytearray(payload)
        broken[random.integers(len(broken))] ^= 1 << random.integers(8)
        try:
            found = read(bytes(broken), structure)
        except InputError:
            refused += 1
            continue
        for own in found:
            assert all(np.isfinite(array).all() for array in own.arrays)
    assert refused > 50


def test_every_length_but_the_right_one_is_refused() -> None:
    structure = mixed()
    payload = write(structure, parts_of(structure))
    for length in (0, 1, len(payload) // 2, len(payload) - 5):
        with pytest.raises(InputError, match=r"damaged|cannot hold"):
            read(payload[:length], structure)
    with pytest.raises(InputError, match="damaged"):
        read(payload + bytes(5), structure)


def test_a_structure_too_large_for_the_payload_is_refused_before_anything_is_made() -> None:
    structure = made(cells((5, 4)), Siren(hidden=60_000, layers=0), channels=1).structure
    with pytest.raises(InputError, match="cannot hold"):
        read(b"\0" * 30, structure)

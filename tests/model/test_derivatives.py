"""Derivatives of the piecewise function against torch's autograd in double precision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray

from models import NATIVE, NETWORKS, cells, made, scattered
from partinr import InputError, Network, Partition, Piecewise, ReluHarmonic, Wire
from partinr.model import kernel
from partinr.model.derivatives import Derivative
from partinr.signals.frames import Pixels, lattice, raster

# The encoding's highest octaves are a hash of a coordinate, which rounding changes.
SMALL = [replace(n, frequencies=5) if isinstance(n, ReluHarmonic) else n for n in NATIVE]
OTHERS = [network for network in NETWORKS if network not in NATIVE]
BOTH = [Derivative(1, (0, 1)), Derivative(2, (0, 1))]


def points(shape: tuple[int, ...], count: int = 40, edge: float = 1.1) -> ndarray:
    """Random points, also beyond the border, that lie on no sample: weights bend there."""
    found = np.random.default_rng(0).uniform(-edge, edge, (count, len(shape))).astype(np.float32)
    position = (found + 1) * (np.array(shape) - 1) / 2
    return found[((np.abs(position - np.rint(position)) > 2e-3) | (np.array(shape) == 1)).all(axis=1)]


def by_autograd(model: Piecewise, coords: ndarray) -> tuple[ndarray, ndarray]:
    """First and second derivatives (points, channels, dims) in double precision."""
    module = model.torch().double()
    x = torch.tensor(coords, dtype=torch.float64, requires_grad=True)
    first, second = np.zeros((2, len(coords), model.signal.channels, coords.shape[1]))
    for c in range(model.signal.channels):
        (slope,) = torch.autograd.grad(module(x)[:, c].sum(), x, create_graph=True)
        first[:, c] = slope.detach()
        for a in range(coords.shape[1]):
            bend: Any = (None,)
            if slope.requires_grad:
                bend = torch.autograd.grad(slope[:, a].sum(), x, retain_graph=True, allow_unused=True)
            second[:, c, a] = 0 if bend[0] is None else bend[0][:, a]
    return first, second


def check(model: Piecewise, coords: ndarray, tolerance: float = 2e-5) -> None:
    """Jacobian, Laplacian and single derivatives against autograd's, relative to the largest."""
    first, second = by_autograd(model, coords)
    jacobian, laplacian = model.jacobian(coords), model.laplacian(coords)
    assert jacobian.dtype == laplacian.dtype == np.float32
    np.testing.assert_allclose(jacobian, first, rtol=0, atol=tolerance * np.abs(first).max())
    most = 4 * tolerance * np.abs(second).max()
    np.testing.assert_allclose(laplacian, second.sum(axis=-1), rtol=0, atol=most)
    last = coords.shape[1] - 1
    np.testing.assert_allclose(model.derivative(coords, -1), jacobian[..., last], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.derivative(coords, last, 2), second[..., last], rtol=0, atol=most)


@pytest.mark.parametrize("network", [*SMALL, *OTHERS], ids=lambda n: n.name)
@pytest.mark.parametrize("overlap", [None, 0, 1])
@pytest.mark.parametrize("partition", [cells((9, 8), 2, 3), scattered((9, 8), 5)], ids=lambda p: p.rule)
@pytest.mark.usefixtures("way")
def test_equal_autograd(partition: Partition, overlap: int | None, network: Network) -> None:
    model = made(partition, network, blend=overlap is not None, overlap=overlap or 0)
    check(model, points((9, 8)))


@pytest.mark.parametrize("shape", [(17,), (5, 4, 6), (7, 1)])
@pytest.mark.parametrize("frame", ["local", "global", "area"])
@pytest.mark.usefixtures("way")
def test_any_number_of_axes_and_groups(shape: tuple[int, ...], frame: Any) -> None:
    networks = [SMALL[0], SMALL[-1], Wire(hidden=21, layers=1, omega_0=3.0, scale=1.0)]
    model = made(cells(shape), networks, frame, channels=5, blend=True)
    check(model, points(shape))


@pytest.mark.parametrize("network", [n.shaped(37, 3) for n in SMALL[:-1]], ids=lambda n: n.name)
@pytest.mark.usefixtures("way")
def test_of_wide_networks(network: Network) -> None:
    if isinstance(network, ReluHarmonic):
        network = replace(network, frequencies=6)
    check(made(cells((9, 8), 2, 1), network, blend=True), points((9, 8)), 2e-4)


@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize("partition", [cells((9, 8), 3, 3), scattered((9, 8), 5)], ids=lambda p: p.rule)
@pytest.mark.usefixtures("way")
def test_at_samples_the_mean_of_both_sides(partition: Partition, overlap: int) -> None:
    model = made(partition, SMALL[0], blend=True, overlap=overlap)
    inner = raster((9, 8)).reshape(9, 8, 2)[1:-1, 1:-1].reshape(-1, 2)
    first, second = np.zeros((2, len(inner), 2, 2))
    for axis, step in enumerate(6e-4 * np.eye(2)):
        for far, share in ((1, 1.0), (-1, 1.0), (2, -0.5), (-2, -0.5)):  # from both sides, extrapolated
            for total, found in zip((first, second), by_autograd(model, inner + far * step), strict=True):
                total[..., axis] += share * found[..., axis]
    most = 2e-3 * np.abs(first).max()
    np.testing.assert_allclose(model.jacobian(inner), first, rtol=0, atol=most)
    most = 2e-3 * np.abs(second).max()
    np.testing.assert_allclose(model.laplacian(inner), second.sum(axis=-1), rtol=0, atol=most)


@pytest.mark.skipif(kernel.why_missing() is not None, reason=str(kernel.why_missing()))
@pytest.mark.parametrize("network", SMALL, ids=lambda n: n.name)
@pytest.mark.parametrize("overlap", [None, 0, 2])
@pytest.mark.parametrize("what", [*BOTH, Derivative(2, (1,))])
def test_a_lattice_is_its_points(
    monkeypatch: pytest.MonkeyPatch, what: Derivative, overlap: int | None, network: Network
) -> None:
    model = made(cells((9, 14), 3, 4), network, blend=overlap is not None, overlap=overlap or 0)
    random = np.random.default_rng(1)
    axes = [np.sort(np.append(random.uniform(-1.1, 1.1, n), [-1, 0, 1])).astype(np.float32) for n in (70, 75)]
    pixels = [Pixels(axis) for axis in axes]
    expected, found = model.at_points(lattice(axes), what), model.on_lattice(pixels, what)
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6 * np.abs(expected).max())
    monkeypatch.setattr(kernel, "usable_cores", lambda: 3)
    np.testing.assert_array_equal(model.on_lattice(pixels, what), found)
    np.testing.assert_array_equal(model.at_points(lattice(axes), what), expected)


@pytest.mark.skipif(kernel.why_missing() is not None, reason=str(kernel.why_missing()))
def test_means_along_the_other_axis() -> None:
    model = made(cells((9, 14), 3, 4), [SMALL[0], SMALL[-1]], blend=True, overlap=1)
    at = np.array([-0.9, 0.11, 0.37], np.float32)
    pixels = [Pixels(at), Pixels(np.zeros(2, np.float32), np.array([1.3, 5.1, 8.9]))]
    found = model.on_lattice(pixels, Derivative(1, (0,)))
    assert found is not None
    many = ((np.arange(4000) + 0.5) * (7.6 / 4000) + 1.3) * (2 / 13) - 1
    expected = model.at_points(lattice([at, many.astype(np.float32)]), Derivative(1, (0,)))
    np.testing.assert_allclose(found, expected.reshape(6, 2000, 2).mean(axis=1), rtol=0, atol=4e-3)


def test_where_coordinates_are_not_finite_neither_are_derivatives() -> None:
    model = made(cells((9, 8)), SMALL[0])
    found = model.jacobian([[0.1, np.nan], [0.1, 0.2]])
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


@pytest.mark.parametrize(("axis", "order"), [(2, 1), (-3, 1), (0, 3), (0, 0)])
def test_no_such_derivative(axis: int, order: int) -> None:
    with pytest.raises(InputError, match="from 0 to 1, of order 1 or 2"):
        made(cells((9, 8)), SMALL[0]).derivative([[0, 0]], axis, order)

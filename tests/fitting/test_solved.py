"""Networks that are solved, not trained: against the transform and the least-squares solutions of others."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray
from scipy.fft import dctn

from helpers import noise, smooth
from models import scattered
from partinr import (
    FAST,
    PAPER,
    Budget,
    Compute,
    Cosine,
    FitResult,
    Grid,
    InputError,
    Keep,
    Partition,
    Quality,
    Rule,
    Seconds,
    Signal,
    Steps,
    Variant,
    Whole,
    fit,
    from_array,
    load,
    render,
    save,
    write_report,
)
from partinr.engines import CpuEngine, Samples
from partinr.engines.packing import pack_groups
from partinr.engines.torch_engine import TorchEngine
from partinr.fitting.defaults import network_for
from partinr.fitting.starts.start import Start
from partinr.model import kernel
from partinr.model.networks import resized
from partinr.model.structure import Structure
from partinr.signals import frames

APART = FAST.changed(overlap=0)
ENGINES = ["torch", "cpu"] if kernel.why_missing() is None else ["torch"]
every_engine = pytest.mark.parametrize("engine", ENGINES)
SHAPES = [(24,), (12, 20), (6, 5, 8), (1, 9)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def random_signal(shape: tuple[int, ...], channels: int = 2) -> Signal:
    values = np.random.default_rng(0).random((*shape, channels)).astype(np.float32)
    return from_array(values, channels_last=True, value_range=(0, 1))


def solved(signal: Signal, partition: Rule | Partition, m: int, engine: str, overlap: int = 0) -> FitResult:
    recipe = FAST.changed(overlap=overlap)
    return fit(signal, partition, Cosine(m), recipe=recipe, compute=Compute(engine, threads=2))


def coefficients(result: FitResult, region: int = 0) -> ndarray:
    """Weights of a region, (frequencies of each axis, channels), the constant among them."""
    (parameters,), (network,) = result.model.parameters, result.model.networks
    assert isinstance(network, Cosine)
    dims = result.signal.spec.dims
    rows = np.concatenate([parameters.biases[0][region][None], parameters.weights[0][region]])
    return rows.reshape(*[network.frequencies] * dims, -1)


def transform(values: ndarray, m: int) -> ndarray:
    """The DCT-II of values (*shape, channels) whose first m frequencies along each axis add up to them."""
    axes = range(values.ndim - 1)
    found = dctn(values.astype(np.float64), axes=list(axes), norm="forward")
    for axis in axes:
        found *= np.where(np.arange(values.shape[axis]) > 0, 2, 1).reshape(
            -1, *[1] * (values.ndim - 1 - axis)
        )
    out = np.zeros((*[m] * len(axes), values.shape[-1]))
    part = tuple(slice(0, min(m, values.shape[axis])) for axis in axes)
    out[part] = found[part]
    return out


def design(own: ndarray, extents: ndarray, m: int) -> tuple[ndarray, list[tuple[int, ...]]]:
    """Cosines at coordinates (samples, dims) that samples of such a box tell apart, and their frequencies."""
    ks = list(itertools.product(*(range(min(m, n)) for n in extents)))
    columns = [
        np.prod([np.cos(np.pi * k_a * (own[:, a] + 1) / 2) for a, k_a in enumerate(k)], axis=0) for k in ks
    ]
    return np.stack(columns, axis=1), ks


def packed(signal: Signal, partition: Partition, m: int, overlap: int) -> tuple[Structure, Samples]:
    structure = Structure(partition, (Cosine(m),), signal.spec, "area", overlap=overlap)
    return structure, pack_groups(structure, signal, 0)[0]


@every_engine
@every_shape
@pytest.mark.parametrize("m", [2, 5, 24, 27])
def test_on_a_box_it_is_the_transform(engine: str, shape: tuple[int, ...], m: int) -> None:
    if m ** len(shape) > 2000:
        pytest.skip("many more frequencies than samples")
    signal = random_signal(shape)
    result = solved(signal, Whole(), m, engine)
    assert (result.steps, result.stopped, result.model.frame) == (0, "steps", "area")
    np.testing.assert_allclose(coefficients(result), transform(signal.values, m), atol=3e-6)
    if m >= max(shape):
        np.testing.assert_allclose(render(result.model), signal.values, atol=1e-5)


@every_engine
def test_every_box_has_its_own_transform(engine: str) -> None:
    """Boxes that are not square, of several sizes, down to lines."""
    signal = random_signal((11, 13), 3)
    for m in (4, 8):
        result = solved(signal, Grid(3, 4), m, engine)
        for region, (first, last) in enumerate(result.model.partition.bounding_boxes):
            part = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
            np.testing.assert_allclose(
                coefficients(result, region), transform(signal.values[part], m), atol=3e-6
            )
    np.testing.assert_allclose(render(result.model), signal.values, atol=1e-5)
    lines = solved(signal, Grid(11, 2), 7, engine)
    np.testing.assert_allclose(render(lines.model), signal.values, atol=1e-5)


@every_engine
@pytest.mark.parametrize("overlap", [1, 2])
def test_boxes_that_share_samples_are_weighted_least_squares(engine: str, overlap: int) -> None:
    signal = smooth((19, 17), 2)
    result = solved(signal, Grid(3, 2), 5, engine, overlap)
    check_against_lstsq(result, overlap)


@every_engine
@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize("shape", [(40,), (14, 18), (9, 8, 8)], ids=str)
def test_label_maps_are_least_squares(engine: str, overlap: int, shape: tuple[int, ...]) -> None:
    signal = random_signal(shape)
    labels = np.zeros(shape, int)
    middle = np.linalg.norm(np.indices(shape).T - (np.array(shape) - 1) / 2, axis=-1).T
    labels[middle < 0.4 * min(shape)] = 1
    result = solved(signal, Partition.from_labels(labels, "labels:disc.png"), 3, engine, overlap)
    check_against_lstsq(result, overlap)


def check_against_lstsq(result: FitResult, overlap: int) -> None:
    (network,) = result.model.networks
    m = network.width
    structure, samples = packed(result.signal, result.model.partition, m, overlap)
    assert samples.extents is not None
    for r in range(result.regions):
        own = slice(int(samples.offsets[r]), int(samples.offsets[r + 1]))
        matrix, ks = design(samples.coords[own].astype(np.float64), samples.extents[r], m)
        weights = np.ones(len(matrix)) if samples.weights is None else samples.weights[own].astype(np.float64)
        root = np.sqrt(weights)[:, None]
        expected, *_ = np.linalg.lstsq(root * matrix, root * samples.values[own], rcond=None)
        found = coefficients(result, r)
        np.testing.assert_allclose(np.stack([found[k] for k in ks]), expected, rtol=1e-3, atol=5e-4)
        left = found.copy()
        for k in ks:
            left[k] = 0
        assert not left.any()
    assert structure.frame == result.model.frame


@every_engine
@pytest.mark.parametrize("partition", [scattered((9, 8), 4), scattered((9, 8), 60), scattered((11,), 3)])
def test_more_frequencies_than_samples_are_no_harm(engine: str, partition: Partition) -> None:
    """Values go through the samples, and stay near them in between."""
    signal = random_signal(partition.shape)
    result = solved(signal, partition, 12, engine)
    np.testing.assert_allclose(render(result.model), signal.values, atol=2e-3)
    assert all(np.isfinite(array).all() for one in result.model.parameters for array in one.arrays)
    assert np.abs(render(result.model, scale=3)).max() < 5


@pytest.mark.skipif(len(ENGINES) < 2, reason="the native kernel is not compiled")
@pytest.mark.parametrize("partition", [Grid(2, 3), scattered((14, 18), 5)], ids=["boxes", "labels"])
@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize("m", [3, 9])
def test_both_engines_agree(partition: Rule | Partition, overlap: int, m: int) -> None:
    signal = smooth((14, 18), 3)
    by_torch, by_kernel = (solved(signal, partition, m, engine, overlap) for engine in ENGINES)
    np.testing.assert_allclose(render(by_kernel.model), render(by_torch.model), atol=2e-4)
    if m == 3:
        for a, b in zip(
            by_kernel.model.parameters[0].arrays, by_torch.model.parameters[0].arrays, strict=True
        ):
            np.testing.assert_allclose(a, b, atol=2e-3)


@every_engine
def test_weights_of_samples_count(engine: str) -> None:
    """Any weights, which are no product over the axes, and samples that are missing."""
    signal, rng = random_signal((8, 9)), np.random.default_rng(3)
    _, samples = packed(signal, Whole().partition(signal), 4, 0)
    weights = rng.uniform(0.1, 1, len(samples.values)).astype(np.float32)
    weights[5] = 0
    weighted = Samples(
        samples.coords, samples.values, samples.offsets, samples.keys, weights, None, samples.extents
    )
    own = TorchEngine() if engine == "torch" else CpuEngine(2)
    network = Cosine(4)
    drawn = network.initialise(1, 2, 2, rng)
    found = own.solve_readout(network, drawn, weighted, 1e-6)
    matrix, _ = design(samples.coords.astype(np.float64), np.array([8, 9]), 4)
    root = np.sqrt(weights.astype(np.float64))[:, None]
    expected, *_ = np.linalg.lstsq(root * matrix, root * samples.values, rcond=None)
    np.testing.assert_allclose(found.biases[0][0], expected[0], atol=1e-4)
    np.testing.assert_allclose(found.weights[0][0], expected[1:], atol=1e-4)


@pytest.mark.skipif(kernel.why_missing() is not None, reason=str(kernel.why_missing()))
@pytest.mark.parametrize("partition", [Grid(2, 3), scattered((40, 50), 5)], ids=["boxes", "labels"])
def test_threads_change_nothing(partition: Rule | Partition) -> None:
    signal = noise((40, 50), 3)
    one, two = (fit(signal, partition, Cosine(6), compute=Compute("cpu", threads=n)) for n in (1, 2))
    for a, b in zip(one.model.parameters[0].arrays, two.model.parameters[0].arrays, strict=True):
        np.testing.assert_array_equal(a, b)


@every_shape
@pytest.mark.parametrize("overlap", [0, 1])
def test_the_kernel_renders_what_numpy_does(
    shape: tuple[int, ...], overlap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At points and on lattices, enlarged, smaller and in parts; of boxes and label maps."""
    signal, rng = smooth(shape, 3), np.random.default_rng(0)
    for partition in (Grid(*[min(2, n) for n in shape]), scattered(shape, 3)):
        model = solved(signal, partition, 5, "torch", overlap).model
        points = rng.uniform(-1.1, 1.1, (80, len(shape))).astype(np.float32)
        crop = [(0.3, n - 0.2) for n in shape]

        def drawn(model=model, points=points, crop=crop) -> list[ndarray]:  # type: ignore[no-untyped-def]
            ways = [{}, {"scale": 2.3}, {"scale": 0.45}, {"scale": 0.8, "crop": crop}]
            return [model(points), *(render(model, **way) for way in ways)]

        by_kernel = drawn()
        with monkeypatch.context() as patch:
            patch.setattr(kernel, "why_missing", lambda: "the test says so")
            by_numpy = drawn()
        reach = float(np.ptp(signal.values))
        for mine, theirs in zip(by_kernel, by_numpy, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=2e-3 * reach)


def test_values_are_the_formulas() -> None:
    """Of the kernel and of NumPy, in double precision: many frequencies and channels."""
    partition = Grid(2, 2).partition(noise((30, 40)))
    structure = Structure(partition, (Cosine(33),), random_signal((30, 40), 5).spec, "area", blend=False)
    (parameters,) = structure.initialise(0)
    from partinr import Piecewise

    model = Piecewise(structure, (parameters,))
    points = np.random.default_rng(0).uniform(-1, 1, (200, 2)).astype(np.float32)
    regions = structure.region_of(points)
    own = structure.own_coords(points, regions).astype(np.float64)
    matrix, _ = design(own, np.array([33, 33]), 33)
    weights = np.concatenate([parameters.biases[0][:, None], parameters.weights[0]], axis=1).astype(
        np.float64
    )
    expected = np.stack([row @ weights[r] for row, r in zip(matrix, regions, strict=True)])
    np.testing.assert_allclose(model(points), expected, atol=2e-5)
    lattice = render(model)
    at_samples = model(frames.raster((30, 40))).reshape(30, 40, 5)
    np.testing.assert_allclose(lattice, at_samples, atol=2e-5)


def test_gradients_are_those_of_finite_differences() -> None:
    model = solved(smooth((9, 11), 2), Grid(2, 2), 4, "torch", 1).model.torch().double()
    points = torch.from_numpy(np.random.default_rng(0).uniform(-0.9, 0.9, (6, 2))).requires_grad_()
    assert torch.autograd.gradcheck(model, (points,), atol=1e-6)


def test_goals_are_met_at_once_or_not_at_all(tmp_path: Path) -> None:
    signal = smooth((24, 24))
    for goal in (Steps(), Steps(7), Steps(within=Seconds(100)), Steps(5, psnr=20), Quality(20)):
        result = fit(signal, Grid(2, 2), Cosine(6), goal=goal)
        assert (result.steps, result.reached) == (0, True)
    assert not fit(noise((24, 24)), Whole(), Cosine(2), goal=Quality(60)).reached
    keep = Keep(tmp_path / "kept", resume=True)
    first, again = (fit(signal, Grid(2, 2), Cosine(6), keep=keep) for _ in range(2))
    np.testing.assert_array_equal(render(first.model), render(again.model))
    write_report(tmp_path / "page.html", first)
    assert "cosine, 6 frequencies" in (tmp_path / "page.html").read_text()


def test_it_takes_its_frame_whatever_the_recipe_and_the_file_keeps_it(tmp_path: Path) -> None:
    for recipe in (FAST, PAPER):
        result = fit(smooth((24, 24)), Grid(2, 2), Cosine(6), recipe=recipe)
        assert (result.model.frame, result.recipe.frame, result.steps) == ("area", "area", 0)
    save(result.model, tmp_path / "a.inr")
    again = load(tmp_path / "a.inr")
    assert (again.frame, again.networks) == ("area", (Cosine(6),))
    # A fit that starts from it is solved again, so it is the same.
    onwards = fit(smooth((24, 24)), start=again, recipe=PAPER)
    np.testing.assert_array_equal(render(onwards.model), render(result.model))


def test_widths_that_are_chosen_are_of_use() -> None:
    signal = noise((60, 80), 3)
    boxes, labels = Grid(6, 8).partition(signal), scattered((60, 80), 3)
    found = network_for("cosine", FAST, signal.spec, boxes)
    assert isinstance(found, Cosine)
    wider = resized(found, found.width + 1)
    assert 48 * found.params(2, 3) <= 1.2 * 60 * 80 < 48 * wider.params(2, 3)
    assert network_for("cosine", FAST, signal.spec, boxes, frequencies=9) == Cosine(9)
    assert network_for("cosine", PAPER, signal.spec, boxes) == Cosine(10)
    assert network_for("cosine", PAPER, signal.spec, labels) == Cosine(16)
    assert fit(signal, Grid(6, 8), Budget(10**6, Cosine())).model.networks == (Cosine(12),)
    assert fit(signal, Grid(6, 8), Budget(8000, Cosine())).params <= 8000


def test_equations_that_are_too_many_are_refused() -> None:
    signal = noise((80, 90))
    # A box with every sample, whose weights are no product over the axes.
    holed = scattered((80, 90), 2)
    for engine, overlap in itertools.product(ENGINES, (0, 1)):
        with pytest.raises(InputError, match="take at most 64 frequencies, or boxes") as error:
            solved(signal, holed, 70, engine, overlap)
        assert "\n" not in str(error.value)


def test_what_trains_networks_refuses_it() -> None:
    with pytest.raises(InputError, match="starts are learned for networks that are trained"):
        Start.fresh(Cosine(), 2, 3)
    with pytest.raises(InputError, match="comparisons are for networks that are trained"):
        Variant.of(noise((20, 20)), Whole(), "cosine")

"""Training with overlap: weighted samples, and exchange between regions that share them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray

import partinr
from helpers import bytes_of, noise, one_network, smooth
from partinr import (
    FAST,
    PAPER,
    Compute,
    Grid,
    InputError,
    Keep,
    Labels,
    Partition,
    Piecewise,
    Siren,
    Steps,
    Structure,
    Watch,
    fit,
    psnr,
)
from partinr.engines import CpuEngine, Engine, Plan, TrainingState
from partinr.engines.packing import pack_groups
from partinr.engines.torch_engine import TorchEngine
from partinr.fitting.overlap import Overlap
from partinr.model.kernel import why_missing
from partinr.signals.frames import raster

TINY = Siren(6, 1, omega_0=8.0)
ENGINES = [TorchEngine, *([] if why_missing() else [CpuEngine])]


def problem(
    partition: Partition, networks: Siren | list[Siren], overlap: int, seed: int = 0
) -> tuple[Piecewise, partinr.Signal]:
    signal = noise(partition.shape, 2)
    each = tuple(networks) if isinstance(networks, list) else (networks,)
    groups = np.arange(partition.regions) % len(each)
    structure = Structure(partition, each, signal.spec, "local", groups, overlap=overlap)
    return Piecewise(structure, tuple(structure.initialise(seed))), signal


def fresh(model: Piecewise) -> list[TrainingState]:
    return [TrainingState.fresh(parameters) for parameters in model.parameters]


def ragged(shape: tuple[int, ...]) -> Partition:
    labels = np.random.default_rng(0).integers(0, 3, [-(-n // 4) for n in shape])
    for axis, n in enumerate(shape):
        labels = labels.repeat(4, axis).take(range(n), axis)
    return Labels(labels).partition(noise(shape))


PARTITIONS = [
    Grid(4).partition(noise((17,))),
    Grid(2, 3).partition(noise((9, 14))),
    ragged((9, 14)),
    Grid(2, 1, 3).partition(noise((5, 4, 6))),
]


def blended_loss(model: partinr.PiecewiseINR, signal: partinr.Signal) -> torch.Tensor:
    """Sum of squared errors of the blended function at the samples: what training is to make small."""
    error = model(torch.as_tensor(raster(signal.shape))) - torch.as_tensor(signal.normalised().reshape(-1, 2))
    return error.square().sum()


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("networks", [TINY, [TINY, Siren(5, 2)]])
def test_after_an_exchange_the_losses_are_that_of_the_blend(
    partition: Partition, engine: type[Engine], networks: Siren | list[Siren]
) -> None:
    model, signal = problem(partition, networks, overlap=2)
    samples = pack_groups(model.structure, signal, 0)
    Overlap(model.structure, signal, samples, engine()).exchange(fresh(model))
    module = model.torch()
    loss = blended_loss(module, signal)
    loss.backward()
    slopes = {name: parameter.grad for name, parameter in module.named_parameters()}
    total = 0.0
    for g, (network, parameters, packed) in enumerate(
        zip(model.networks, model.parameters, samples, strict=True)
    ):
        total += engine().squared_error(network, parameters, packed).sum()
        stacked = parameters.map(lambda array: torch.tensor(array, requires_grad=True))
        for member, (start, stop) in enumerate(pairwise(packed.offsets)):
            own, part = one_network(stacked, member), slice(start, stop)
            found = network.forward(torch.as_tensor(packed.coords[None, part]), own)[0]
            error = found - torch.as_tensor(packed.values[part])
            (error.square() * torch.as_tensor(packed.weights[part, None])).sum().backward()
        for what, leaves in (("weights", stacked.weights), ("biases", stacked.biases)):
            for layer, mine in enumerate(leaves):
                whole = slopes[f"groups.{g}.{what}.{layer}"]
                torch.testing.assert_close(mine.grad, whole, rtol=1e-3, atol=1e-4)
    assert total == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.skipif(why_missing() is not None, reason="no native kernel")
def test_both_engines_exchange_alike(partition: Partition) -> None:
    networks = [TINY, Siren(5, 2)]
    found = []
    for engine in (TorchEngine(), CpuEngine(threads=1), CpuEngine(threads=3)):
        model, signal = problem(partition, networks, overlap=2)
        samples = pack_groups(model.structure, signal, 0)
        Overlap(model.structure, signal, samples, engine).exchange(fresh(model))
        found.append(np.concatenate([packed.values for packed in samples]))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[2], found[1])


@pytest.mark.skipif(why_missing() is not None, reason="no native kernel")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("points", np.array([0, 1, 2, 5], np.int32), "points must be indices below 2"),
        ("points", np.array([0, 1, 0, -1], np.int32), "points must be indices below 2"),
        ("order", np.array([0, 2, 1, 4], np.int32), "order must be indices below 4"),
        ("offsets", np.array([0, 2, 3]), "offsets must rise from 0 to the number of pairs"),
        ("rows", [np.array([0, 1, 7], np.int32)], "rows must be indices below 7"),
        ("rows", [np.array([0, 1, 2], np.int32)], "rows must name a sample for each pair"),
        ("rows", [], "rows and values must have an array for each group"),
        ("weights", np.ones(3, np.float32), "weights must have shape"),
        ("truth", np.ones((2, 2), np.float32), "truth must have shape"),
    ],
)
def test_the_kernel_refuses_to_exchange_out_of_bounds(name: str, value: object, message: str) -> None:
    from partinr import _native

    good: dict[str, object] = {
        "found": np.ones((4, 3), np.float32),
        "weights": np.full(4, 0.5, np.float32),
        "points": np.array([0, 1, 0, 1], np.int32),
        "offsets": np.array([0, 2, 4]),
        "order": np.array([0, 2, 1, 3], np.int32),
        "truth": np.ones((2, 3), np.float32),
        "rows": [np.array([0, 1, 5, 6], np.int32)],
        "values": [np.zeros((7, 3), np.float32)],
    }
    _native.exchange(**good, threads=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        _native.exchange(**{**good, name: value}, threads=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("partition", PARTITIONS)
def test_between_exchanges_the_losses_bound_that_of_the_blend(partition: Partition) -> None:
    model, signal = problem(partition, TINY, overlap=1)
    samples = pack_groups(model.structure, signal, 0)
    other, _ = problem(partition, TINY, overlap=1, seed=1)
    engine = TorchEngine()
    for exchanged in (False, True):
        if exchanged:
            Overlap(model.structure, signal, samples, engine).exchange(fresh(model))
        bound = engine.squared_error(TINY, other.parameters[0], samples[0]).sum()
        assert bound >= blended_loss(other.torch(), signal).item() * (1 - 1e-5)


def test_every_sample_counts_once() -> None:
    model, signal = problem(ragged((13, 10)), [TINY, Siren(5, 2)], overlap=3)
    total = np.zeros(130)
    for packed in pack_groups(model.structure, signal, 0):
        np.add.at(total, packed.points, packed.weights)
        np.testing.assert_array_equal(packed.values, signal.normalised().reshape(-1, 2)[packed.points])
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("batch", [None, 11])
@pytest.mark.skipif(why_missing() is not None, reason="no native kernel")
def test_both_engines_weigh_samples(batch: int | None) -> None:
    model, signal = problem(Grid(2, 3).partition(noise((9, 14))), TINY, overlap=2)
    (samples,) = pack_groups(model.structure, signal, 0)
    plan = Plan(np.arange(6), np.full(8, 1e-3), 0, batch, False, 126, FAST.adam)
    found: list[ndarray] = []
    for engine in (TorchEngine(), CpuEngine()):
        (state,) = fresh(model)
        found.append(engine.advance(TINY, state, samples, plan, lambda _: False))
        found.append(engine.squared_error(TINY, state.parameters, samples))
    np.testing.assert_allclose(found[2], found[0], rtol=1e-4)
    np.testing.assert_allclose(found[3], found[1], rtol=1e-3)
    plain = TorchEngine().squared_error(TINY, state.parameters, replace(samples, weights=None))
    assert (plain > found[3]).any()


@pytest.mark.parametrize("recipe", [FAST, PAPER])
@pytest.mark.parametrize("engine", ["torch", *([] if why_missing() else ["cpu"])])
def test_fits_with_overlap(recipe: partinr.Recipe, engine: str) -> None:
    signal = smooth((30, 26), 3)
    results = [
        fit(
            signal,
            Grid(3, 3),
            TINY,
            recipe=recipe.changed(steps=43, overlap=2),
            compute=Compute(engine, threads=threads),
        )
        for threads in (1, 2)
    ]
    assert bytes_of(results[0].model) == bytes_of(results[1].model)
    result = results[0]
    assert result.model.overlap == result.recipe.overlap == 2
    low, high = signal.spec.value_range
    rendered = partinr.render(result.model)
    assert result.psnr == pytest.approx(psnr(signal.values, rendered, high - low))
    exact = result.model(raster((30, 26))).reshape(rendered.shape)
    np.testing.assert_allclose(rendered, exact * (high - low) + low, atol=1e-5 * (high - low))
    plain = recipe.changed(steps=43, overlap=0)
    without = fit(signal, Grid(3, 3), TINY, recipe=plain, compute=Compute(engine))
    assert result.psnr > without.psnr - 1.5


def test_exchange_makes_up_for_what_margins_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached() -> float:
        network, recipe = Siren(16, 1).suited_to(10), FAST.changed(steps=200, overlap=2)
        return fit(noise((40, 40), 3), Grid(4, 4), network, recipe=recipe, compute=Compute("torch")).psnr

    exchanged = reached()
    monkeypatch.setattr(Overlap, "exchange", lambda *_: None)
    assert exchanged > reached() + 0.3


def test_resuming_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partinr.fitting.loop, "_CHECKPOINT_SECONDS", 0.0)
    signal = noise((24, 24), 3)

    def fitted(overlap: int = 1, **more: Any) -> partinr.FitResult:
        recipe = FAST.changed(overlap=overlap)
        return fit(signal, Grid(3, 3), TINY, goal=Steps(52), recipe=recipe, **more)

    whole = fitted()
    for stop in (13, 31):
        folder = tmp_path / str(stop)
        stopped = fitted(keep=Keep(folder), watch=Watch(lambda p, stop=stop: p.steps > stop))
        assert stopped.steps < 52
        resumed = fitted(keep=Keep(folder, resume=True))
        assert bytes_of(resumed.model) == bytes_of(whole.model)
    with pytest.raises(InputError, match="other settings: overlap was 1, now 2"):
        fitted(2, keep=Keep(folder, resume=True))


def test_measuring_changes_nothing() -> None:
    signal = noise((24, 24), 3)
    plain = fit(signal, Grid(3, 3), TINY, goal=Steps(40), recipe=FAST.changed(overlap=1))
    measured = fit(
        signal,
        Grid(3, 3),
        TINY,
        goal=Steps(40),
        recipe=FAST.changed(overlap=1),
        watch=Watch(measure_at=(7, 22, 33)),
    )
    assert bytes_of(plain.model) == bytes_of(measured.model)


def test_a_start_has_the_overlap_of_the_fit() -> None:
    signal = smooth((30, 30))
    first = fit(signal, Grid(2, 2), TINY, goal=Steps(30), recipe=FAST.changed(overlap=2))
    assert fit(signal, goal=Steps(1), start=first.model).model.overlap == 2
    with pytest.raises(InputError, match="start must have the fit's overlap: it has 2, the fit 1"):
        fit(signal, goal=Steps(1), recipe=FAST.changed(overlap=1), start=first.model)


def test_one_region_has_no_margin() -> None:
    signal = smooth((12, 12))
    results = [
        fit(signal, Grid(1, 1), TINY, goal=Steps(20), recipe=FAST.changed(frame="global", overlap=n))
        for n in (0, 2)
    ]
    assert bytes_of(results[0].model) == bytes_of(results[1].model)


@pytest.mark.parametrize("shape", [(1,), (2, 3), (1, 9), (2, 2, 2)])
def test_signals_smaller_than_the_margin(shape: tuple[int, ...]) -> None:
    result = fit(noise(shape), Grid(*shape), TINY, goal=Steps(30), recipe=FAST.changed(overlap=4))
    assert result.psnr > 20

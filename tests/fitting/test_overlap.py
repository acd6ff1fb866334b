"""Training with overlap: weighted samples, and exchange between regions that share them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray

import partinr
from helpers import noise, one_network, smooth
from partinr import FAST, PAPER, Grid, InputError, Labels, Partition, PiecewiseINR, Progress, Siren, fit, psnr
from partinr.engines import CpuEngine, Engine, Plan, TorchEngine, TrainingState
from partinr.fitting.loop import pack_groups
from partinr.fitting.overlap import Margins
from partinr.model.kernel import why_missing
from partinr.model.networks import Parameters
from partinr.signals.frames import raster

TINY = Siren(6, 1, omega_0=8.0)
HERE = torch.device("cpu")
ENGINES = [TorchEngine, *([] if why_missing() else [CpuEngine])]


def problem(
    partition: Partition, networks: Siren | list[Siren], overlap: int, seed: int = 0
) -> tuple[PiecewiseINR, partinr.Signal]:
    signal = noise(partition.shape, 2)
    groups = len(networks) if isinstance(networks, list) else 1
    members = np.arange(partition.regions) % groups
    model = PiecewiseINR(partition, networks, signal.spec, "local", members, overlap=overlap)
    model.initialise(seed)
    return model, signal


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


def blended_loss(model: PiecewiseINR, signal: partinr.Signal) -> torch.Tensor:
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
    samples = pack_groups(model, signal, 0, HERE)
    states = [TrainingState.fresh(g.parameters_by_layer, HERE) for g in model.group_list]
    Margins(model, signal, samples, engine()).exchange(states)
    loss = blended_loss(model, signal)
    loss.backward()
    total = 0.0
    for group, packed in zip(model.group_list, samples, strict=True):
        parameters = group.parameters_by_layer
        total += engine().squared_error(group.network, parameters, packed).sum()
        leaves = [t.detach().clone().requires_grad_() for t in (*parameters.weights, *parameters.biases)]
        count = len(parameters.weights)
        stacked = Parameters(leaves[:count], leaves[count:])
        for member, (start, stop) in enumerate(pairwise(packed.offsets)):
            own, part = one_network(stacked, member), slice(start, stop)
            error = group.network.forward(packed.coords[None, part], own)[0] - packed.values[part]
            (error.square() * packed.weights[part, None]).sum().backward()
        for mine, whole in zip(leaves, [*group.weights, *group.biases], strict=True):
            torch.testing.assert_close(mine.grad, whole.grad, rtol=1e-3, atol=1e-4)
    assert total == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.skipif(why_missing() is not None, reason="no native kernel")
def test_both_engines_exchange_alike(partition: Partition) -> None:
    networks = [TINY, Siren(5, 2)]
    found = []
    for engine in (TorchEngine(), CpuEngine(threads=1), CpuEngine(threads=3)):
        model, signal = problem(partition, networks, overlap=2)
        samples = pack_groups(model, signal, 0, HERE)
        states = [TrainingState.fresh(g.parameters_by_layer, HERE) for g in model.group_list]
        Margins(model, signal, samples, engine).exchange(states)
        found.append(np.concatenate([packed.values.numpy() for packed in samples]))
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
    samples = pack_groups(model, signal, 0, HERE)
    other, _ = problem(partition, TINY, overlap=1, seed=1)
    moved = other.group_list[0].parameters_by_layer
    engine = TorchEngine()
    for exchanged in (False, True):
        if exchanged:
            state = TrainingState.fresh(model.group_list[0].parameters_by_layer, HERE)
            Margins(model, signal, samples, engine).exchange([state])
        bound = engine.squared_error(TINY, moved, samples[0]).sum()
        assert bound >= blended_loss(other, signal).item() * (1 - 1e-5)


def test_every_sample_counts_once() -> None:
    model, signal = problem(ragged((13, 10)), [TINY, Siren(5, 2)], overlap=3)
    total = np.zeros(130)
    for packed in pack_groups(model, signal, 0, HERE):
        np.add.at(total, packed.points.numpy(), packed.weights.numpy())
        np.testing.assert_array_equal(
            packed.values.numpy(), signal.normalised().reshape(-1, 2)[packed.points.numpy()]
        )
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("batch", [None, 11])
@pytest.mark.skipif(why_missing() is not None, reason="no native kernel")
def test_both_engines_weigh_samples(batch: int | None) -> None:
    model, signal = problem(Grid(2, 3).partition(noise((9, 14))), TINY, overlap=2)
    (samples,) = pack_groups(model, signal, 0, HERE)
    plan = Plan(np.arange(6), np.full(8, 1e-3), 0, batch, False, 126, FAST.adam)
    found: list[ndarray] = []
    for engine in (TorchEngine(), CpuEngine()):
        state = TrainingState.fresh(model.group_list[0].parameters_by_layer, HERE)
        found.append(engine.advance(TINY, state, samples, plan, lambda _: False))
        found.append(engine.squared_error(TINY, state.parameters, samples))
    np.testing.assert_allclose(found[2], found[0], rtol=1e-4)
    np.testing.assert_allclose(found[3], found[1], rtol=1e-3)
    plain = TorchEngine().squared_error(TINY, state.parameters, replace(samples, weights=None))
    assert (plain > found[3]).any()


def bytes_of(result: partinr.FitResult) -> bytes:
    return b"".join(p.detach().numpy().tobytes() for p in result.model.parameters())


@pytest.mark.parametrize("recipe", [FAST, PAPER])
@pytest.mark.parametrize("engine", ["torch", *([] if why_missing() else ["cpu"])])
def test_fits_with_overlap(recipe: partinr.Recipe, engine: str) -> None:
    signal = smooth((30, 26), 3)
    options = {"recipe": replace(recipe, steps=43), "overlap": 2, "engine": engine}
    results = [fit(signal, Grid(3, 3), TINY, **options, threads=t) for t in (1, 2)]  # type: ignore[arg-type]
    assert bytes_of(results[0]) == bytes_of(results[1])
    result = results[0]
    assert result.model.overlap == result.recipe.overlap == 2
    low, high = signal.spec.value_range
    rendered = partinr.render(result.model)
    assert result.psnr == pytest.approx(psnr(signal.values, rendered, high - low))
    with torch.no_grad():
        exact = result.model(torch.as_tensor(raster((30, 26)))).numpy().reshape(rendered.shape)
    np.testing.assert_allclose(rendered, exact * (high - low) + low, atol=1e-5 * (high - low))
    without = fit(signal, Grid(3, 3), TINY, **{**options, "overlap": 0})  # type: ignore[arg-type]
    assert result.psnr > without.psnr - 1.5


def test_exchange_makes_up_for_what_margins_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = noise((40, 40), 3)
    options = {"steps": 200, "overlap": 2, "engine": "torch"}
    network = Siren(16, 1).suited_to(10)
    exchanged = fit(signal, Grid(4, 4), network, **options).psnr  # type: ignore[arg-type]
    monkeypatch.setattr(Margins, "exchange", lambda *_: None)
    alone = fit(signal, Grid(4, 4), network, **options).psnr  # type: ignore[arg-type]
    assert exchanged > alone + 0.3


def test_resuming_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partinr.fitting.loop, "_CHECKPOINT_SECONDS", 0.0)
    signal = noise((24, 24), 3)
    whole = fit(signal, Grid(3, 3), TINY, steps=52, overlap=1)
    for k, stop in enumerate((13, 31)):
        options = {"steps": 52, "overlap": 1, "checkpoint": tmp_path / str(k)}

        def told(progress: Progress, stop: int = stop) -> bool:
            return progress.steps > stop

        stopped = fit(signal, Grid(3, 3), TINY, **options, callback=told)  # type: ignore[arg-type]
        assert stopped.steps < 52
        resumed = fit(signal, Grid(3, 3), TINY, **options, resume=True)  # type: ignore[arg-type]
        assert bytes_of(resumed) == bytes_of(whole)
    with pytest.raises(InputError, match="other settings: overlap was 1, now 2"):
        fit(signal, Grid(3, 3), TINY, **{**options, "overlap": 2}, resume=True)  # type: ignore[arg-type]


def test_measuring_changes_nothing() -> None:
    signal = noise((24, 24), 3)
    plain = fit(signal, Grid(3, 3), TINY, steps=40, overlap=1)
    measured = fit(signal, Grid(3, 3), TINY, steps=40, overlap=1, measure_at=(7, 22, 33))
    assert bytes_of(plain) == bytes_of(measured)


def test_a_start_has_the_overlap_of_the_fit() -> None:
    signal = smooth((30, 30))
    first = fit(signal, Grid(2, 2), TINY, steps=30, overlap=2)
    assert fit(signal, init=first.model, steps=1).model.overlap == 2
    with pytest.raises(InputError, match="start must have the fit's overlap: it has 2, the fit 1"):
        fit(signal, init=first.model, steps=1, overlap=1)


def test_one_region_has_no_margin() -> None:
    signal = smooth((12, 12))
    results = [fit(signal, Grid(1, 1), TINY, steps=20, overlap=n, frame="global") for n in (0, 2)]
    assert bytes_of(results[0]) == bytes_of(results[1])


@pytest.mark.parametrize("shape", [(1,), (2, 3), (1, 9), (2, 2, 2)])
def test_signals_smaller_than_the_margin(shape: tuple[int, ...]) -> None:
    result = fit(noise(shape), Grid(*shape), TINY, steps=30, overlap=4)
    assert result.psnr > 20

"""Engines against slow, obvious training loops, and against the published runs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray

from helpers import noise, one_network, smooth
from partinr import (
    Adam,
    Grid,
    InputError,
    Partition,
    Piecewise,
    ReluHarmonic,
    Signal,
    SignalSpec,
    Siren,
    Structure,
)
from partinr.engines import (
    CpuEngine,
    Engine,
    Plan,
    Samples,
    TrainingState,
    Work,
    select,
)
from partinr.engines.packing import pack_groups
from partinr.engines.sampling import batch_indices
from partinr.engines.torch_engine import TorchEngine
from partinr.model import packing
from partinr.model.kernel import why_missing
from partinr.model.networks import NETWORKS, Network, Parameters, Perceptron
from partinr.signals.frames import Frame, raster

TRAJECTORIES = Path(__file__).parents[1] / "data" / "trajectories"

# Installed without a compiler, partinr has no native kernel; that engine's tests are then skipped.
ENGINES = [
    TorchEngine,
    pytest.param(CpuEngine, marks=pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))),
]
# A network that is solved alone has tests of its own, tests/engines/test_solved.py.
TRAINED = [name for name, kind in sorted(NETWORKS.items()) if issubclass(kind, Perceptron)]
every_engine = pytest.mark.parametrize("engine", ENGINES)


def never(_: int) -> bool:
    return False


def plan(
    state: TrainingState, steps: int = 5, start: int = 0, batch: int | None = None, **changes: object
) -> Plan:
    fields: dict[str, object] = {
        "regions": np.arange(len(state.parameters.biases[0])),
        "learning_rates": np.linspace(2e-3, 1e-3, steps),
        "start": start,
        "batch": batch,
        "whole_signal": False,
        "signal_samples": 1,
        "adam": Adam(0.9, 0.95),
    }
    return Plan(**(fields | changes))  # type: ignore[arg-type]


def prepared(
    signal: Signal, partition: Partition, network: Network, frame: Frame = "local"
) -> tuple[TrainingState, Samples]:
    structure = Structure(partition, (network,), signal.spec, frame)
    (samples,), (parameters,) = pack_groups(structure, signal, 7), structure.initialise(1)
    return TrainingState.fresh(parameters), samples


def the_same(ours: TrainingState, theirs: TrainingState) -> bool:
    """Whether two states are equal to the last bit."""
    return all(np.array_equal(a, b) for a, b in zip(ours.arrays(), theirs.arrays(), strict=True))


def train_one_by_one(network: Network, state: TrainingState, samples: Samples, plan: Plan) -> ndarray:
    """Every region alone, with torch's own Adam in float64; returns the losses and changes the state."""
    losses = np.zeros((len(plan.regions), len(plan.learning_rates)))
    for row, r in enumerate(plan.regions):
        own = slice(int(samples.offsets[r]), int(samples.offsets[r + 1]))
        x, y = (torch.tensor(a[own], dtype=torch.float64) for a in (samples.coords, samples.values))
        leaves = [
            torch.tensor(array, dtype=torch.float64, requires_grad=True)
            for array in one_network(state.parameters, int(r)).arrays
        ]
        adam = plan.adam
        optimiser = torch.optim.Adam(leaves, betas=(adam.beta1, adam.beta2), eps=adam.eps)
        for step, rate in enumerate(plan.learning_rates):
            pick = np.arange(len(x))
            if plan.batch is not None and len(x) > plan.batch:
                pick = batch_indices(samples.keys[r : r + 1], np.array([len(x)]), step, 1, plan.batch)[0, 0]
            prediction = network.forward(x[pick][None], Parameters.of(leaves))[0]
            squared = (prediction - y[pick]).square()
            loss = squared.sum() / plan.signal_samples / y.shape[1] if plan.whole_signal else squared.mean()
            losses[row, step] = squared.mean().item()
            optimiser.param_groups[0]["lr"] = float(rate)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        for mine, leaf in zip(state.parameters.arrays, leaves, strict=True):
            mine[r] = leaf.detach()[0].numpy()
    return losses


def ragged(shape: tuple[int, ...], regions: int) -> Partition:
    labels = np.random.default_rng(0).integers(1, regions, shape)
    labels.reshape(-1)[:regions] = np.arange(regions)
    return Partition.from_labels(labels, "labels")


@every_engine
@pytest.mark.parametrize("batch", [None, 1, 16, 1000])
@pytest.mark.parametrize("whole_signal", [False, True])
@pytest.mark.parametrize("name", TRAINED)
def test_training_equals_a_loop_over_regions(
    engine: type[TorchEngine | CpuEngine], name: str, batch: int | None, whole_signal: bool
) -> None:
    signal = smooth((14, 11), 2)
    network = NETWORKS[name].shaped(6, 1).suited_to(8)
    state, samples = prepared(signal, ragged((14, 11), 5), network)
    expected, _ = prepared(signal, ragged((14, 11), 5), network)
    todo = plan(state, batch=batch, whole_signal=whole_signal, signal_samples=154)
    losses = engine().advance(network, state, samples, todo, never)
    np.testing.assert_allclose(losses, train_one_by_one(network, expected, samples, todo), rtol=2e-4)
    for mine, theirs in zip(state.parameters.weights, expected.parameters.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=2e-5)


@every_engine
@pytest.mark.parametrize("shape", [(40,), (9, 8), (5, 4, 6)])
def test_any_number_of_axes(engine: type[TorchEngine | CpuEngine], shape: tuple[int, ...]) -> None:
    signal = noise(shape, 3)
    partition = Grid(*[2] * len(shape)).partition(signal)
    state, samples = prepared(signal, partition, Siren(5, 1, omega_0=5))
    expected, _ = prepared(signal, partition, Siren(5, 1, omega_0=5))
    losses = engine().advance(Siren(5, 1, omega_0=5), state, samples, plan(state, batch=4), never)
    oracle = train_one_by_one(Siren(5, 1, omega_0=5), expected, samples, plan(state, batch=4))
    np.testing.assert_allclose(losses, oracle, rtol=1e-4)


def test_chunks_of_a_large_region_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = smooth((30, 20), 3)
    network = Siren(8, 1, omega_0=5)
    states = []
    for values in (1 << 20, 8 * 37):
        monkeypatch.setattr(packing, "IN_CACHE", values)
        state, samples = prepared(signal, ragged((30, 20), 3), network)
        TorchEngine().advance(network, state, samples, plan(state), never)
        states.append(state)
    for a, b in zip(states[0].arrays(), states[1].arrays(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@every_engine
@pytest.mark.parametrize("batch", [None, 8])
def test_two_calls_equal_one(engine: type[TorchEngine | CpuEngine], batch: int | None) -> None:
    signal = noise((12, 12))
    network = Siren(6, 1)
    once, samples = prepared(signal, Grid(2, 2).partition(signal), network)
    twice, _ = prepared(signal, Grid(2, 2).partition(signal), network)
    rates = np.full(6, 1e-3)
    engine().advance(network, once, samples, plan(once, batch=batch, learning_rates=rates), never)
    for start in (0, 2):
        part = plan(twice, start=start, batch=batch, learning_rates=rates[: 2 if start == 0 else 4])
        engine().advance(network, twice, samples, part, never)
    assert the_same(once, twice)


@every_engine
def test_only_the_planned_regions_change(engine: type[TorchEngine | CpuEngine]) -> None:
    signal = noise((12, 12))
    state, samples = prepared(signal, Grid(2, 2).partition(signal), Siren(6, 1))
    before = [array.copy() for array in state.arrays()]
    losses = engine().advance(Siren(6, 1), state, samples, plan(state, regions=np.array([3, 1])), never)
    assert losses.shape == (2, 5)
    for old, new in zip(before, state.arrays(), strict=True):
        np.testing.assert_array_equal(old[[0, 2]], new[[0, 2]])
        assert not np.array_equal(old[[1, 3]], new[[1, 3]])


def test_a_tick_that_returns_true_stops_after_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "IN_CACHE", 1)
    signal = noise((12, 12))
    state, samples = prepared(signal, Grid(2, 2).partition(signal), Siren(6, 1))
    seen: list[int] = []
    losses = TorchEngine().advance(
        Siren(6, 1), state, samples, plan(state), lambda n: bool(seen.append(n)) or len(seen) == 7
    )
    assert seen == [1] * 7
    assert np.isfinite(losses).sum(axis=1).tolist() == [5, 2, 0, 0]


@every_engine
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_change_the_bytes(engine: type[TorchEngine | CpuEngine], threads: int) -> None:
    signal = noise((40, 40), 3)
    results, before = [], torch.get_num_threads()
    for count in (1, threads):
        state, samples = prepared(signal, Grid(3, 3).partition(signal), Siren(16, 2))
        engine(threads=count).advance(Siren(16, 2), state, samples, plan(state, batch=64), never)
        results.append(state)
    assert the_same(*results)
    assert torch.get_num_threads() == before


@every_engine
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_plans_in_one_call_do_what_they_do_alone(engine: type[TorchEngine | CpuEngine], threads: int) -> None:
    # The last is large enough for threads to share its steps.
    tasks = [(Siren(5, 1), (12, 12), 2), (Siren(24, 2), (30, 20), 3), (Siren(40, 2), (90, 60), 1)]

    def work() -> list[Work]:
        made = []
        for network, shape, cells in tasks:
            signal = noise(shape, 3)
            state, samples = prepared(signal, Grid(cells, cells).partition(signal), network)
            made.append(Work(network, state, samples, plan(state, batch=None if cells == 1 else 32)))
        first = made[0]
        halves = [replace(first.plan, regions=np.array(rows), batch=8 + rows[0]) for rows in ([0, 2], [3])]
        return [*(Work(first.network, first.state, first.samples, half) for half in halves), *made[1:]]

    together, alone = work(), work()
    found = engine(threads=threads).advance_all(together, never)
    for one, losses in zip(alone, found, strict=True):
        apart = engine(threads=threads).advance(one.network, one.state, one.samples, one.plan, never)
        np.testing.assert_array_equal(losses, apart)
    for one, both in zip(alone, together, strict=True):
        assert the_same(one.state, both.state)


@every_engine
def test_plans_after_a_stop_are_left_alone(engine: type[TorchEngine | CpuEngine]) -> None:
    signal = noise((12, 12))
    work = []
    for hidden in (4, 6):
        network = Siren(hidden, 1)
        state, samples = prepared(signal, Grid(2, 2).partition(signal), network)
        work.append(Work(network, state, samples, plan(state, learning_rates=np.full(200_000, 1e-5))))
    found = engine(threads=1).advance_all(work, lambda _: True)
    assert all(losses.shape == (4, 200_000) for losses in found)
    assert np.isnan(found[1]).all()


@every_engine
def test_evaluation_is_that_of_the_function(engine: type[TorchEngine | CpuEngine]) -> None:
    signal = smooth((13, 9), 2)
    structure = Structure(ragged((13, 9), 5), (Siren(6, 1),), signal.spec, "local")
    model = Piecewise(structure, tuple(structure.initialise(0)))
    (samples,) = pack_groups(structure, signal, 0)
    values = model.torch()(torch.as_tensor(raster((13, 9)))).detach().numpy()
    where = [model.partition.label_map.reshape(-1) == r for r in range(5)]
    expected = np.concatenate([values[here] for here in where])
    found = engine().evaluate(Siren(6, 1), model.parameters[0], samples)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    errors = [((values - signal.normalised().reshape(-1, 2))[here] ** 2).sum() for here in where]
    found = engine().squared_error(Siren(6, 1), model.parameters[0], samples)
    np.testing.assert_allclose(found, errors, rtol=1e-5)


@every_engine
@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize(
    ("shape", "hidden", "layers", "channels", "weighted"),
    [((12, 10), 6, 1, 2, False), ((23, 31), 18, 0, 5, True), ((9, 40), 35, 2, 1, True)],
)
def test_solved_readout_is_the_ridge_regression_on_the_hidden_features(
    engine: type[TorchEngine | CpuEngine],
    name: str,
    shape: tuple[int, int],
    hidden: int,
    layers: int,
    channels: int,
    weighted: bool,
) -> None:
    signal = smooth(shape, channels)
    network = NETWORKS[name].shaped(hidden, layers).suited_to(6)
    state, samples = prepared(signal, ragged(shape, 4), network)
    if weighted:
        importance = np.random.default_rng(1).random(len(samples.values), np.float32)
        samples = replace(samples, weights=importance)
    solved = engine().solve_readout(network, state.parameters, samples, 1e-3)
    assert all(a is b for a, b in zip(solved.weights[:-1], state.parameters.weights[:-1], strict=True))
    for r in range(4):
        own = slice(int(samples.offsets[r]), int(samples.offsets[r + 1]))
        x, y = samples.coords[own][None], samples.values[own].astype(np.float64)
        features = network.hidden_features(x, one_network(solved, r))[0].astype(np.float64)
        design = np.concatenate([features, np.ones((len(y), 1))], axis=1)
        weights = np.ones(len(y)) if samples.weights is None else samples.weights[own].astype(np.float64)
        gram = design.T @ (weights[:, None] * design)
        penalty = np.diag(gram).mean() * np.array([1e-3] * features.shape[1] + [1e-9])
        right = design.T @ (weights[:, None] * y)
        expected = design @ np.linalg.solve(gram + np.diag(penalty), right)
        found = network.forward(x, one_network(solved, r))[0]
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))
def test_large_regions_are_solved_by_all_threads_alike() -> None:
    signal = smooth((300, 400), 3)
    network = Siren(12, 2).suited_to(300)
    state, samples = prepared(signal, Grid(1, 2).partition(signal), network)
    few, many = (
        CpuEngine(threads).solve_readout(network, state.parameters, samples, 1e-3) for threads in (1, 5)
    )
    np.testing.assert_array_equal(few.weights[-1], many.weights[-1])
    expected = TorchEngine().solve_readout(network, state.parameters, samples, 1e-3)
    np.testing.assert_allclose(many.weights[-1], expected.weights[-1], rtol=1e-3, atol=1e-4)


@every_engine
@pytest.mark.parametrize("run", ["siren_none", "siren_grid9", "siren_hfs4", "relu_grid9"])
def test_follows_the_published_implementation(engine: type[TorchEngine | CpuEngine], run: str) -> None:
    """Sixty losses of the reference code from its own initial weights, each to a relative 1e-4."""
    with np.load(TRAJECTORIES / f"{run}.npz") as data:
        arrays = dict(data)
    meta = json.loads(str(arrays["meta"]))
    labels = arrays.get("labels", np.zeros((64, 64), np.uint8))
    partition = Partition.from_labels(labels.astype(np.int32), "labels")
    prefixes = [f"init/layer_module.{r}.net" for r in range(partition.regions)]
    prefixes = prefixes if "labels" in arrays else ["init/net"]
    layers = (
        ["1", "3", "5", "7", "9"] if run.startswith("relu") else [*(f"{i}.linear" for i in range(4)), "4"]
    )
    weights = [np.stack([arrays[f"{p}.{n}.weight"].T for p in prefixes]) for n in layers]
    biases = [np.stack([arrays[f"{p}.{n}.bias"] for p in prefixes]) for n in layers]
    width = weights[0].shape[2]
    network = ReluHarmonic(width, 3) if run.startswith("relu") else Siren(width, 3, 60.0, 30.0)
    signal = Signal(arrays["image"], SignalSpec("image", (64, 64), 3, "uint8", (0.0, 255.0), True))
    _, samples = prepared(signal, partition, network, "global")
    state = TrainingState.fresh(Parameters(weights, biases))
    todo = plan(
        state,
        learning_rates=np.full(meta["steps"], meta["lr"]),
        whole_signal=True,
        signal_samples=64 * 64,
        adam=Adam(),
    )
    losses = engine().advance(network, state, samples, todo, never)
    whole = (losses * samples.counts[:, None]).sum(axis=0) / (64 * 64)
    np.testing.assert_allclose(whole, arrays["losses"], rtol=1e-4)


def test_unknown_engines_and_devices_are_refused() -> None:
    with pytest.raises(InputError, match="engine must be"):
        select("gpu", "cpu", None)
    for device in ("nonsense", "cuda:99"):
        with pytest.raises(InputError, match="device must be"):
            select("torch", device, None)
    assert isinstance(select("auto", "cpu", 1), Engine)


@pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))
def test_the_kernel_stops_when_told_and_says_what_it_did() -> None:
    signal = noise((90, 90), 3)
    network = Siren(24, 2)
    state, samples = prepared(signal, Grid(3, 3).partition(signal), network)
    todo = plan(state, learning_rates=np.full(200_000, 1e-4))
    told: list[int] = []
    losses = CpuEngine(threads=2).advance(
        network, state, samples, todo, lambda n: bool(told.append(n)) or sum(told) > 50
    )
    done = np.isfinite(losses).sum(axis=1)
    assert 50 < done.sum() < 9 * 200_000
    assert all(np.isfinite(row[:n]).all() for row, n in zip(losses, done, strict=True))
    assert (done == 0).sum() >= 7


@pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))
@pytest.mark.parametrize("name", TRAINED)
def test_both_engines_follow_the_same_path(name: str) -> None:
    signal = smooth((24, 24), 3)
    network = NETWORKS[name].shaped(10, 2).suited_to(12)
    runs = []
    for engine in (TorchEngine(), CpuEngine()):
        state, samples = prepared(signal, Grid(2, 2).partition(signal), network)
        todo = plan(state, learning_rates=np.full(50, 1e-3), batch=40)
        runs.append(engine.advance(network, state, samples, todo, never).mean(axis=0))
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-3)


@pytest.mark.parametrize("name", ["torch", "auto"])
def test_less_than_one_thread_is_refused(name: str) -> None:
    for threads in (0, -2):
        with pytest.raises(InputError, match=f"threads must be at least 1, got {threads}"):
            select(name, "cpu", threads)


def test_a_precision_is_refused_where_it_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="use --engine cpu or --precision fp32"):
        select("torch", "cpu", None, precision="bf16")
    with pytest.raises(InputError, match="precision must be one of fp32, bf16, got fp16"):
        select("auto", "cpu", None, precision="fp16")
    if why_missing() is None:
        monkeypatch.setenv("PARTINR_ISA", "generic")
        with pytest.raises(InputError, match=r"needs a processor with AVX-512 BF16.*; use --precision fp32"):
            select("auto", "cpu", None, precision="bf16")


def test_auto_takes_the_kernel_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    native = why_missing() is None
    assert select("auto", "cpu", 4).name == ("cpu" if native else "torch")

    class Own(Siren):
        """A network of the user's."""

    assert select("auto", "cpu", 4, Siren()).name == ("cpu" if native else "torch")
    assert select("auto", "cpu", 4, Own()).name == "torch"
    monkeypatch.setattr("partinr.engines.why_missing", lambda: "it was not compiled")
    assert select("auto", "cpu", 4).name == "torch"
    monkeypatch.setattr("partinr.model.kernel.why_missing", lambda: "it was not compiled")
    with pytest.raises(InputError, match="not available: it was not compiled"):
        select("cpu", "cpu", 4)
    with pytest.raises(InputError, match="device cpu"):
        select("cpu", "cuda", 4)

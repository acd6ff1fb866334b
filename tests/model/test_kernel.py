from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import ndarray

from helpers import permute_one
from partinr.engines.sampling import batch_indices, region_keys
from partinr.model import kernel
from partinr.model.jets import Jet
from partinr.model.networks import Finer, Fourier, Gauss, Network, Parameters, ReluHarmonic, Siren, Wire

native = pytest.importorskip("partinr._native", reason="the native kernel is not compiled")

PATHS: list[str] = native.isa_paths()
# Gentle constants: steep activations amplify the rounding of single precision, whoever computes.
NETWORKS: dict[str, Network] = {
    "siren": Siren(layers=1, omega_0=15.0),
    "relu": ReluHarmonic(layers=1, frequencies=4),
    "fourier": Fourier(layers=1, features=5, sigma=1.0),
    "finer": Finer(layers=1, omega_0=5.0, omega_hidden=5.0),
    "wire": Wire(layers=1, omega_0=5.0, omega_hidden=5.0, scale=3.0),
    "gauss": Gauss(layers=1, sigma=0.2),
}


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """The oracle's tensors are tiny: threads that wait for one another would take most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each code path that this machine can run, in use."""
    monkeypatch.setenv("PARTINR_ISA", request.param)
    assert native.isa() == request.param
    return str(request.param)


@dataclass
class Case:
    """Regions with random parameters and random samples."""

    network: Network
    parameters: Parameters
    coords: ndarray
    values: ndarray
    offsets: ndarray

    @property
    def regions(self) -> ndarray:
        return np.arange(len(self.offsets) - 1)

    @property
    def channels(self) -> int:
        return int(self.values.shape[1])

    @property
    def net(self) -> native.NetSpec:
        return kernel.spec(self.network, self.coords.shape[1], self.channels)

    def one(self, region: int) -> tuple[Parameters, torch.Tensor, torch.Tensor]:
        """Float64 leaves, coordinates and values of one region."""
        piece = slice(self.offsets[region], self.offsets[region + 1])

        def leaf(array: ndarray) -> torch.Tensor:
            return torch.from_numpy(array[region : region + 1]).double().requires_grad_()

        values = torch.from_numpy(self.values[piece]).double()
        return self.parameters.map(leaf), torch.from_numpy(self.coords[None, piece]).double(), values


def make(network: Network, counts: list[int], dims: int = 2, channels: int = 3, seed: int = 0) -> Case:
    # Values that a fresh network is far from: of a tiny error, single precision has few right digits.
    rng = np.random.default_rng(seed)
    total = sum(counts)
    return Case(
        network,
        network.initialise(len(counts), dims, channels, np.random.default_rng(seed)),
        rng.uniform(-1, 1, (total, dims)).astype(np.float32),
        rng.uniform(2, 3, (total, channels)).astype(np.float32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def flat(parameters: Parameters, region: int = 0) -> ndarray:
    """All numbers of one region."""
    return np.concatenate([array[region].ravel() for array in parameters.arrays])


def native_gradient(case: Case, weights: ndarray | None = None) -> tuple[ndarray, Parameters]:
    grad = case.parameters.map(np.zeros_like)
    counts = np.diff(case.offsets)
    squares = native.gradient(
        case.net,
        *case.parameters,
        case.coords,
        case.values,
        case.offsets,
        case.regions,
        loss_scale=1.0 / (counts * case.channels),
        grad_w=grad.weights,
        grad_b=grad.biases,
        threads=2,
        sample_weights=weights,
    )
    return squares, grad


def check_gradient(case: Case, weights: ndarray | None = None) -> None:
    """Loss and gradient of every region against float64 autograd."""
    squares, grad = native_gradient(case, weights)
    for region in case.regions:
        parameters, coords, values = case.one(region)
        error = (case.network.forward(coords, parameters)[0] - values).square()
        if weights is not None:
            piece = slice(case.offsets[region], case.offsets[region + 1])
            error = error * torch.from_numpy(weights[piece, None]).double()
        (error.sum() / error.numel()).backward()
        leaves = parameters.arrays
        expected = np.concatenate(
            [(torch.zeros_like(t) if t.grad is None else t.grad).numpy().ravel() for t in leaves]
        )
        got = flat(grad, region)
        assert squares[region] == pytest.approx(error.sum().item(), rel=1e-5)
        assert np.linalg.norm(got - expected) <= 1e-5 * np.linalg.norm(expected)


@dataclass
class Run:
    """What `train` left behind."""

    parameters: Parameters
    first: Parameters
    second: Parameters
    losses: ndarray
    done: ndarray

    def bytes(self) -> bytes:
        arrays = [a for p in (self.parameters, self.first, self.second) for a in p.arrays]
        return b"".join(array.tobytes() for array in arrays) + self.losses.tobytes()


def train(
    case: Case,
    steps: int,
    batch: int = 0,
    threads: int = 1,
    regions: ndarray | None = None,
    start: Run | None = None,
    first_step: int = 0,
    rate: float = 5e-3,
    **options: object,
) -> Run:
    regions = case.regions if regions is None else regions
    none = case.parameters.map(np.zeros_like)
    states = (start.parameters, start.first, start.second) if start else (case.parameters, none, none)
    parameters, first, second = (state.map(np.copy) for state in states)
    counts = np.diff(case.offsets)
    used = np.minimum(counts, batch) if batch else counts
    losses = np.full((len(regions), steps), np.nan, np.float32)
    job = native.Job(
        case.net,
        *parameters,
        *first,
        *second,
        case.coords,
        case.values,
        case.offsets,
        regions,
        region_keys(1, len(counts)),
        first_step=first_step,
        learning_rates=np.full(steps, rate, np.float32),
        batch=batch,
        beta1=0.9,
        beta2=0.95,
        eps=1e-8,
        loss_scale=1.0 / (used * case.channels),
        losses=losses,
    )
    (done,) = native.train([job], threads=threads, **options)
    return Run(parameters, first, second, losses, done)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("dims", "channels"), [(1, 1), (2, 3), (3, 4), (2, 6)])
@pytest.mark.usefixtures("path")
def test_gradients_are_those_of_float64_autograd(name: str, dims: int, channels: int) -> None:
    check_gradient(make(replace(NETWORKS[name], hidden=16), [1, 3, 70], dims, channels))


@settings(max_examples=25)
@given(
    name=st.sampled_from(list(NETWORKS)),
    isa=st.sampled_from(PATHS),
    hidden=st.integers(1, 140),
    layers=st.integers(0, 2),
    dims=st.integers(1, 3),
    channels=st.integers(1, 9),
    counts=st.lists(st.integers(1, 150), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_gradients_of_any_shape(
    name: str,
    isa: str,
    hidden: int,
    layers: int,
    dims: int,
    channels: int,
    counts: list[int],
    seed: int,
) -> None:
    network = replace(NETWORKS[name], hidden=hidden, layers=layers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTINR_ISA", isa)
        check_gradient(make(network, counts, dims, channels, seed))


@pytest.mark.parametrize("hidden", [170, 300])
@pytest.mark.usefixtures("path")
def test_gradients_of_wide_networks(hidden: int) -> None:
    check_gradient(make(Siren(hidden, 2, 15.0), [90]))


@pytest.mark.usefixtures("path")
def test_gradients_of_weighted_samples() -> None:
    case = make(Siren(13, 1, 15.0), [5, 1, 40])
    check_gradient(case, np.random.default_rng(3).uniform(0, 2, 46).astype(np.float32))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.usefixtures("path")
def test_values_are_those_of_the_network(name: str) -> None:
    case = make(replace(NETWORKS[name], hidden=21), [1, 200, 33])
    out = np.full_like(case.values, np.nan)
    regions = np.array([2, 0])
    native.evaluate(
        case.net,
        *case.parameters,
        case.coords,
        case.offsets,
        regions,
        threads=2,
        out=out,
    )
    assert np.isnan(out[1:201]).all()  # region 1 was not asked for
    for region in regions:
        parameters, coords, _ = case.one(region)
        expected = case.network.forward(coords, parameters)[0].detach().numpy()
        np.testing.assert_allclose(out[case.offsets[region] : case.offsets[region + 1]], expected, atol=1e-5)


@pytest.mark.usefixtures("path")
def test_values_at_points_are_weighted_sums_over_regions() -> None:
    rng = np.random.default_rng(5)
    case = make(Siren(9, 1, 5.0), [1, 1, 1])
    members = np.array([2, -1, 0, 1, -1])
    scale, shift = (rng.uniform(0.5, 1, (5, 2)).astype(np.float32) for _ in range(2))
    points, regions = np.repeat(np.arange(9000), 2), rng.integers(0, 5, 18_000)
    weights = rng.uniform(0, 1, 18_000).astype(np.float32)
    coords = rng.uniform(-1, 1, (9000, 2)).astype(np.float32)
    results = []
    for threads in (1, 3):
        out = np.ones((9000, 3), np.float32)
        native.evaluate_points(
            case.net,
            *case.parameters,
            coords,
            points,
            regions,
            weights,
            members,
            scale,
            shift,
            threads=threads,
            out=out,
        )
        results.append(out)
    np.testing.assert_array_equal(*results)
    expected = np.ones((9000, 3))
    for region, member in enumerate(members):
        if member >= 0:
            pairs = np.flatnonzero(regions == region)
            own = torch.from_numpy(coords[points[pairs]] * scale[region] + shift[region])
            values = case.network.forward(own[None].double(), case.one(int(member))[0])[0].detach().numpy()
            np.add.at(expected, points[pairs], weights[pairs, None] * values)
    np.testing.assert_allclose(results[0], expected, atol=2e-5)
    with pytest.raises(ValueError, match="indices of points and regions"):
        native.evaluate_points(
            case.net,
            *case.parameters,
            coords,
            points + 1,
            regions,
            weights,
            members,
            scale,
            shift,
            threads=1,
            out=results[0],
        )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("hidden", "layers", "dims"), [(3, 0, 3), (9, 1, 1), (24, 2, 2), (71, 1, 2)])
@pytest.mark.usefixtures("path")
def test_derivatives_equal_jets(name: str, hidden: int, layers: int, dims: int) -> None:
    # More samples than a tile holds, and not a multiple of four.
    case = make(replace(NETWORKS[name], hidden=hidden, layers=layers), [203], dims, channels=5)
    count, points = 203, np.arange(203)
    scale = np.full((1, dims), 0.5, np.float32)
    weights, slopes = np.random.default_rng(1).uniform(-1, 1, (1 + dims, count)).astype(np.float32)[:2]
    axis = dims - 1
    for order in (1, 2):
        out = np.zeros((count, 5), np.float32)
        native.evaluate_points(
            case.net,
            *case.parameters,
            case.coords,
            points,
            0 * points,
            weights,
            np.zeros(1, np.int64),
            scale,
            0 * scale,
            threads=2,
            out=out,
            order=order,
            axes=[axis],
            slopes=slopes[:, None],
        )
        own = case.coords[None].astype(np.float64) / 2
        unit = np.zeros_like(own)[None]
        unit[..., axis] = 0.5
        exact = case.parameters.map(lambda array: array.astype(np.float64))
        jet = case.network.forward(Jet(own, unit, 0 * unit), exact)
        last, before = (jet.first, jet.value[None]) if order == 1 else (jet.second, jet.first)
        expected = weights[:, None] * last[0, 0] + order * slopes[:, None] * before[0, 0]
        np.testing.assert_allclose(out, expected, rtol=0, atol=3e-5 * np.abs(last).max())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"order": 3, "axes": [0]}, "order must be 1 or 2"),
        ({"order": 1, "axes": []}, "order must be 1 or 2"),
        ({"order": 0, "axes": [0]}, "order must be 1 or 2"),
        ({"order": 1, "axes": [2]}, "axes must differ and be below 2"),
        ({"order": 1, "axes": [1, 1]}, "axes must differ and be below 2"),
        ({"order": 1, "axes": [1]}, "out must have shape"),
        ({"order": 1, "axes": [0, 1]}, "slopes"),
        ({"order": 1, "axes": [0, 1], "slopes": np.zeros((4, 2), np.float32)}, "slopes"),
    ],
)
def test_derivatives_that_there_are_not(changed: dict[str, object], said: str) -> None:
    case = make(Siren(4, 1), [5])
    each, scale = np.arange(5), np.ones((1, 2), np.float32)
    arguments = (case.coords, each, 0 * each, np.ones(5, np.float32), np.zeros(1, np.int64), scale, scale)
    with pytest.raises(ValueError, match=said):
        native.evaluate_points(
            case.net, *case.parameters, *arguments, threads=1, out=np.zeros((5, 6), np.float32), **changed
        )


def test_values_of_a_region_larger_than_a_piece_of_work() -> None:
    case = make(Siren(8, 1, 10.0), [40_000], channels=1)
    out = np.full_like(case.values, np.nan)
    native.evaluate(
        case.net,
        *case.parameters,
        case.coords,
        case.offsets,
        case.regions,
        threads=3,
        out=out,
    )
    expected = case.network.forward(case.coords[None], case.parameters)[0]
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [0, 16])
@pytest.mark.usefixtures("path")
def test_fifty_steps_follow_torch_adam(name: str, batch: int) -> None:
    network = replace(NETWORKS[name], hidden=11)
    counts = [1, 10, 45]
    case = make(network, counts)
    steps = 50
    rate = 1e-3
    run = train(case, steps, batch, rate=rate)
    assert run.done.tolist() == [steps] * len(counts)
    picked = {
        r: batch_indices(region_keys(1, 3)[r : r + 1], np.array([n]), 0, steps, batch)[0]
        for r, n in enumerate(counts)
        if 0 < batch < n
    }
    for region, count in enumerate(counts):
        parameters, coords, values = case.one(region)
        leaves = parameters.arrays
        adam = torch.optim.Adam(leaves, lr=rate, betas=(0.9, 0.95), eps=1e-8)
        for step in range(steps):
            rows = picked[region][step] if region in picked else np.arange(count)
            loss = (network.forward(coords[:, rows], parameters)[0] - values[rows]).square().mean()
            assert run.losses[region, step] == pytest.approx(loss.item(), rel=1e-3, abs=1e-9)
            adam.zero_grad()
            loss.backward()
            adam.step()


@pytest.mark.parametrize("batch", [0, 32])
@pytest.mark.usefixtures("path")
def test_same_bytes_for_any_number_of_threads(batch: int) -> None:
    case = make(Siren(24, 1, 15.0), [1, 90, 33, 200, 32, 7, 64])
    one = train(case, 12, batch)
    for threads in (2, 5):
        assert train(case, 12, batch, threads).bytes() == one.bytes()


@pytest.mark.parametrize("name", ["siren", "fourier", "wire"])
@pytest.mark.parametrize("batch", [0, 1100])
@pytest.mark.usefixtures("path")
def test_same_bytes_where_threads_share_a_region(name: str, batch: int) -> None:
    network = replace(NETWORKS[name], hidden=96)
    case = make(network, [1500, 1], seed=4)
    assert native.slices(case.net, 1500) > 2  # else nothing is shared
    one = train(case, 3, batch)
    for threads in (2, 3, 7):
        assert train(case, 3, batch, threads).bytes() == one.bytes()


@pytest.mark.usefixtures("path")
def test_slices_add_up_to_the_gradient() -> None:
    case = make(Siren(128, 1, 15.0), [900])
    assert native.slices(case.net, 900) == 3
    check_gradient(case)


def test_slices_grow_with_the_work_alone() -> None:
    net = make(Siren(64, 2), [1]).net
    counts = [native.slices(net, n) for n in (1, 255, 511, 512, 10_000, 10**9)]
    assert counts[:3] == [1, 1, 1]
    assert counts == sorted(counts)
    assert counts[-1] == 32
    assert native.slices(make(Siren(4, 1), [1]).net, 1000) == 1


@pytest.mark.usefixtures("path")
def test_two_calls_equal_one() -> None:
    case = make(Wire(20, 1), [70, 9])
    whole = train(case, 9, 32)
    half = train(case, 4, 32)
    rest = train(case, 5, 32, start=half, first_step=4)
    np.testing.assert_array_equal(flat(rest.parameters), flat(whole.parameters))
    np.testing.assert_array_equal(flat(rest.second, 1), flat(whole.second, 1))
    np.testing.assert_array_equal(rest.losses, whole.losses[:, 4:])


def test_only_the_named_regions_change() -> None:
    case = make(Gauss(9, 1), [20, 20, 20])
    run = train(case, 3, regions=np.array([2, 0]))
    assert run.losses.shape == (2, 3)
    np.testing.assert_array_equal(flat(run.parameters, 1), flat(case.parameters, 1))
    alone = train(case, 3, regions=np.array([2]))
    np.testing.assert_array_equal(run.losses[0], alone.losses[0])
    assert (flat(run.parameters, 2) == flat(alone.parameters, 2)).all()


def test_no_regions_is_no_work() -> None:
    case = make(Siren(8, 1), [5])
    run = train(case, 3, regions=np.zeros(0, np.int64))
    assert run.done.shape == (0,)
    np.testing.assert_array_equal(flat(run.parameters), flat(case.parameters))


@pytest.mark.usefixtures("path")
def test_one_sample_is_learned() -> None:
    case = make(Siren(16, 1, 15.0), [1])
    run = train(case, 200, 64)
    assert run.losses[0].min() < 1e-4 * run.losses[0, 0]


def test_stops_between_steps_when_told() -> None:
    case = make(Siren(64, 2, 15.0), [2000, 2000])
    asked = itertools.count()
    run = train(case, 200_000, threads=2, rate=1e-5, stop=lambda: next(asked) >= 5)
    for row in range(2):
        assert 0 < run.done[row] < 200_000
        assert np.isfinite(run.losses[row, : run.done[row]]).all()
        assert np.isnan(run.losses[row, run.done[row] :]).all()
    # What was left behind is the state after exactly those steps.
    again = train(case, int(run.done[0]), rate=1e-5, regions=np.array([0]))
    np.testing.assert_array_equal(flat(again.parameters), flat(run.parameters))


def test_a_flag_stops_it() -> None:
    flag = np.zeros(1, np.int32)
    case = make(Siren(64, 2, 15.0), [2000])
    timer = threading.Timer(0.1, flag.fill, [1])
    timer.start()
    run = train(case, 200_000, rate=1e-5, stop=flag)
    timer.join()
    assert 0 < run.done[0] < 200_000


def test_what_stop_raises_comes_through() -> None:
    def stop() -> bool:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        train(make(Siren(8, 1), [5]), 3, stop=stop)


def test_ctrl_c_ends_it() -> None:
    case = make(Siren(64, 2, 15.0), [2000])
    timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        train(case, 200_000, rate=1e-5)
    timer.join()


@settings(max_examples=30)
@given(
    isa=st.sampled_from(PATHS),
    key=st.integers(0, 2**64 - 1),
    count=st.integers(1, 400),
    position=st.integers(0, 2**40),
    length=st.integers(0, 200),
)
def test_stream_is_the_definition(isa: str, key: int, count: int, position: int, length: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTINR_ISA", isa)
        got = native.stream(key, count, position, length)
    assert got.tolist() == [one_position(key, count, p) for p in range(position, position + length)]


def one_position(key: int, count: int, position: int) -> int:
    """Sample at one position of a region's stream, in plain numbers."""
    epoch, within = divmod(position, count)
    word = (1 << 64) - 1
    z = (key + epoch + 0x9E3779B97F4A7C15) & word
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & word
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & word
    return permute_one(within, count, (z ^ (z >> 31)) & 0xFFFFFFFF)


@pytest.mark.usefixtures("path")
def test_stream_equals_the_other_engine() -> None:
    keys, counts = region_keys(7, 3), np.array([700, 5000, 129])
    theirs = batch_indices(keys, counts, 11, 60, 128)
    for key, count, mine in zip(keys, counts, theirs, strict=True):
        np.testing.assert_array_equal(native.stream(int(key), int(count), 11 * 128, 60 * 128), mine.ravel())


def every_float(step: int) -> ndarray:
    """Floats of all magnitudes and both signs, every `step`-th one."""
    x = np.arange(0, 1 << 32, step, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return x[np.isfinite(x)]


@pytest.mark.usefixtures("path")
def test_sine_and_cosine_keep_their_bounds() -> None:
    near = np.linspace(-70, 70, 400_001, dtype=np.float32)
    whole = np.arange(-300, 300, dtype=np.float32) / 2
    for x in (every_float(7919), near, whole):
        sine, cosine = np.empty_like(x), np.empty_like(x)
        native.sincospi(x, sine, cosine)
        wide = x.astype(np.float64)
        r = wide - 2 * np.round(wide / 2)  # exact
        assert abs(sine - np.sin(np.pi * r)).max() < 2e-7
        assert abs(cosine - np.cos(np.pi * r)).max() < 2e-7
        small = abs(r) < 0.25
        exact = np.sin(np.pi * r[small])
        assert (abs(sine[small] - exact) <= 2.5e-7 * abs(exact) + 1e-44).all()


@pytest.mark.usefixtures("path")
def test_sine_and_cosine_of_no_number() -> None:
    x = np.array([np.nan, np.inf, -np.inf], np.float32)
    sine, cosine = np.zeros_like(x), np.zeros_like(x)
    native.sincospi(x, sine, cosine)
    assert np.isnan(sine).all()
    assert np.isnan(cosine).all()


@pytest.mark.usefixtures("path")
def test_harmonics_of_every_float_keep_their_bound() -> None:
    network = ReluHarmonic(1, 0, frequencies=128)
    x = np.concatenate([every_float(1_999_993), np.linspace(-1, 1, 2001), [0.0, -0.0, 1.0, -1.0, 1e-40]])
    x = x[abs(x) < 2.0].astype(np.float32)
    out = np.empty((len(x), 256), np.float32)
    native.encode(kernel.spec(network, 1, 1), x[:, None], out)
    phases = x.astype(np.float64)[:, None] * 2.0 ** np.arange(-1, 127)  # exact
    assert abs(out[:, :128] - np.sin(phases)).max() < 4e-7
    assert abs(out[:, 128:] - np.cos(phases)).max() < 4e-7
    native.encode(kernel.spec(network, 1, 1), np.array([[np.nan], [np.inf]], np.float32), out[:2])
    assert np.isnan(out[:2]).all()


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("network", [ReluHarmonic(frequencies=60), ReluHarmonic(frequencies=5), Fourier()])
@pytest.mark.usefixtures("path")
def test_encoding_is_that_of_the_network(network: Network, dims: int) -> None:
    coords = np.random.default_rng(dims).uniform(-1, 1, (33, dims)).astype(np.float32)
    out = np.empty((33, network.encoded(dims)), np.float32)
    native.encode(kernel.spec(network, dims, 1), coords, out)
    expected = network.encode(coords.astype(np.float64)[None])[0]
    np.testing.assert_allclose(out, expected, rtol=0, atol=4e-7)
    # Single precision's own phases are off by more, where they are sums of products.
    theirs = network.encode(coords[None])[0]
    np.testing.assert_allclose(out, theirs, rtol=0, atol=2e-5 if isinstance(network, Fourier) else 6e-7)


@pytest.mark.usefixtures("path")
def test_power_of_two_keeps_its_bound() -> None:
    x = np.concatenate([np.linspace(-126, 127.99, 400_001), every_float(99991)]).astype(np.float32)
    out = np.empty_like(x)
    native.exp2(x, out)
    inside = (x >= -126) & (x < 128)
    exact = np.exp2(x[inside].astype(np.float64))
    assert (abs(out[inside] - exact) < 2e-7 * exact).all()
    assert (out[x < -126] == 0).all()
    assert np.isinf(out[x >= 128]).all()
    nothing = np.array([np.nan], np.float32)
    native.exp2(nothing, out[:1])
    assert np.isnan(out[0])


def has_bf16() -> bool:
    try:
        return bool(native.bf16())
    except ValueError:
        return False


needs_bf16 = pytest.mark.skipif(not has_bf16(), reason="the processor has no AVX-512 BF16")


def rounded(x: torch.Tensor) -> torch.Tensor:
    """To the nearest bfloat16."""
    return x.float().bfloat16().double()


@needs_bf16
@pytest.mark.parametrize("hidden", [1, 7, 16, 24, 33, 70, 130])
def test_bf16_rounds_what_hidden_layers_multiply_and_nothing_else(hidden: int) -> None:
    network = Siren(hidden, 2, 15.0)
    case = make(network, [1, 3, 71])
    counts = np.diff(case.offsets)
    grad = case.parameters.map(np.zeros_like)
    squares = native.gradient(
        case.net,
        *case.parameters,
        case.coords,
        case.values,
        case.offsets,
        case.regions,
        loss_scale=1.0 / (counts * case.channels),
        grad_w=grad.weights,
        grad_b=grad.biases,
        threads=1,
        precision="bf16",
    )
    for region in case.regions:
        parameters, coords, values = case.one(region)
        leaves = parameters.arrays
        h = torch.sin(15.0 * (coords[0] @ parameters.weights[0][0] + parameters.biases[0][0]))
        with torch.no_grad():
            # The kernel's weights are in units of pi.
            for w, b in zip(parameters.weights[1:-1], parameters.biases[1:-1], strict=True):
                z = rounded(h) @ rounded((w[0].float() * np.float32(30 / np.pi)).double())
                h = torch.sin(np.pi * z + 30.0 * b[0])
            error = h @ parameters.weights[-1][0] + parameters.biases[-1][0] - values
        assert squares[region] == pytest.approx(error.square().sum().item(), rel=2e-5)
        exact = network.forward(coords, parameters)[0] - values
        (exact.square().sum() / exact.numel()).backward()
        expected = np.concatenate([t.grad.numpy().ravel() for t in leaves if t.grad is not None])
        assert np.linalg.norm(flat(grad, region) - expected) <= 0.01 * np.linalg.norm(expected)


@needs_bf16
@pytest.mark.parametrize("name", NETWORKS)
def test_bf16_learns_like_single_precision(name: str) -> None:
    # The loss of a sample alone swings for a while, from some draws more than from this one.
    case = make(replace(NETWORKS[name], hidden=20, layers=2), [400, 90, 1], seed=2)
    exact, fast = (train(case, 40, 64, precision=precision) for precision in ("fp32", "bf16"))
    np.testing.assert_allclose(fast.losses.mean(axis=1), exact.losses.mean(axis=1), rtol=0.05)
    assert not np.array_equal(fast.losses[0], exact.losses[0])


@needs_bf16
@pytest.mark.parametrize("batch", [0, 1100])
def test_bf16_gives_the_same_bytes_for_any_number_of_threads(batch: int) -> None:
    case = make(Siren(96, 2, 15.0), [1500, 90, 33])
    one = train(case, 3, batch, precision="bf16")
    for threads in (2, 3):
        assert train(case, 3, batch, threads, precision="bf16").bytes() == one.bytes()


def test_bf16_is_refused_where_the_path_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTINR_ISA", "generic")
    with pytest.raises(ValueError, match=r"precision bf16 needs .* the code path here is generic"):
        train(make(Siren(8, 1), [5]), 1, precision="bf16")
    with pytest.raises(ValueError, match="precision must be fp32 or bf16, got 'fp16'"):
        train(make(Siren(8, 1), [5]), 1, precision="fp16")


def test_an_unknown_path_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTINR_ISA", "mmx")
    with pytest.raises(ValueError, match=r"PARTINR_ISA must name .*generic.*, got 'mmx'"):
        native.isa()


def test_wrong_arguments_are_refused() -> None:
    case = make(Siren(8, 1), [5, 5])
    with pytest.raises(ValueError, match="regions must be indices below 2, got 2"):
        train(case, 1, regions=np.array([2]))
    with pytest.raises(ValueError, match="regions must differ, got 1 twice"):
        train(case, 1, regions=np.array([1, 1]))
    with pytest.raises(ValueError, match=r"values must have shape \(10, 3\), got \(9, 3\)"):
        train(replace(case, values=case.values[:9]), 1)
    with pytest.raises(ValueError, match="offsets must rise"):
        train(replace(case, offsets=np.array([0, 6, 12])), 1)
    with pytest.raises(ValueError, match="threads must be at least 1"):
        train(case, 1, threads=0)
    with pytest.raises(TypeError):
        train(case, 1, regions=np.array([0.0]))
    with pytest.raises(TypeError, match="stop must be"):
        train(case, 1, stop=3)
    with pytest.raises(ValueError, match="kind must be"):
        native.NetSpec("tanh", dims=2, channels=1, hidden=4, layers=1)
    with pytest.raises(ValueError, match="either octaves or projections"):
        native.NetSpec("relu", dims=1, channels=1, hidden=4, layers=1, octaves=2, projections=np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"projections must have shape \(2, 3\)"):
        native.NetSpec("fourier", dims=2, channels=1, hidden=4, layers=1, projections=np.ones((1, 3)))
    with pytest.raises(ValueError, match="octaves must be 0 to 128"):
        native.NetSpec("relu", dims=1, channels=1, hidden=4, layers=1, octaves=129)
    with pytest.raises(ValueError, match="omega and scale must have one entry for each of the 3"):
        native.NetSpec("siren", dims=2, channels=1, hidden=4, layers=2, omega=[1.0])


def test_peak_is_a_rate() -> None:
    assert native.peak(0.01) > 1e8

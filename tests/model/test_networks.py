"""Networks: against single networks written out in plain torch, one region after another."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import ndarray
from torch import Tensor

from partinr.errors import InputError
from partinr.hashing import GOLDEN, splitmix64
from partinr.model.networks import (
    NETWORKS,
    Cosine,
    Finer,
    Fourier,
    FourierNet,
    GaborNet,
    Gauss,
    HashGrid,
    Network,
    Parameters,
    Perceptron,
    ReluHarmonic,
    Siren,
    Wire,
    fit_width,
    from_config,
    network_from_word,
    resized,
)
from partinr.model.networks.fourier import standard_normals
from partinr.model.networks.multiplicative import Multiplicative
from partinr.signals.frames import raster

ALL = [
    Siren(omega_0=7.0),
    ReluHarmonic(frequencies=5),
    Fourier(features=6, sigma=2.0, seed=3),
    Finer(omega_0=5.0, omega_hidden=4.0),
    Wire(omega_0=5.0, omega_hidden=4.0, scale=1.5),
    Gauss(sigma=0.7),
    Cosine(frequencies=5),
    FourierNet(input_scale=9.0),
    GaborNet(input_scale=9.0),
    HashGrid(levels=3, coarsest=3, finest=20_000, hidden=6, layers=2),
]
each_network = pytest.mark.parametrize("network", ALL, ids=lambda n: n.name)


each_perceptron = pytest.mark.parametrize(
    "network", [network for network in ALL if isinstance(network, Perceptron)], ids=lambda n: n.name
)


def sized(network: Network, width: int, layers: int) -> Network:
    """The same network with another width, and with so many layers if it can have several."""
    changed: Any = {"layers": layers} if hasattr(network, "layers") else {}
    least = int(network.bounds[network.size][0])
    return replace(network, **{network.size: max(width, least)}, **changed)


def test_every_network_is_tested() -> None:
    assert [network.name for network in ALL] == list(NETWORKS)


# The oracle: one network, one region, every formula as its paper writes it.


def splitmix64_oracle(seed: int, count: int) -> list[int]:
    """The generator as published: a state that advances, in integers."""
    state, out = seed, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        out.append(z ^ (z >> 31))
    return out


def fourier_matrix_oracle(network: Fourier, dims: int) -> list[list[float]]:
    """M (dims, features), number by number."""
    raw = iter(splitmix64_oracle(network.seed, 2 * network.features * dims))
    matrix = [[0.0] * network.features for _ in range(dims)]
    for feature in range(network.features):
        for axis in range(dims):
            u = ((next(raw) >> 11) + 1) / 2**53
            v = (next(raw) >> 11) / 2**53
            g = math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)
            matrix[axis][feature] = float(np.float32(math.pi * network.sigma * g))
    return matrix


def encode_oracle(network: Network, x: Tensor) -> Tensor:
    dims = x.shape[1]
    if isinstance(network, ReluHarmonic):
        waves = [
            wave(x[:, axis] * (0.5 * 2**k))
            for wave in (torch.sin, torch.cos)
            for axis in range(dims)
            for k in range(network.frequencies)
        ]
        return torch.stack(waves, dim=1)
    if isinstance(network, Fourier):
        matrix = fourier_matrix_oracle(network, dims)
        phases = list((x @ torch.tensor(matrix, dtype=x.dtype)).T)
        return torch.stack([wave(p) for wave in (torch.sin, torch.cos) for p in phases], dim=1)
    if isinstance(network, Cosine):
        products = []
        for k in itertools.product(range(network.frequencies), repeat=dims):
            wave = torch.ones_like(x[:, 0])
            for axis in range(dims):
                wave = wave * torch.cos(math.pi * k[axis] * (x[:, axis] + 1) / 2)
            products.append(wave)
        return torch.stack(products[1:], dim=1)
    return x


def activation_oracle(network: Network, first: bool) -> Callable[[Tensor], Tensor]:
    if isinstance(network, ReluHarmonic | Fourier):
        return lambda z: torch.where(z > 0, z, 0.0)
    if isinstance(network, Gauss):
        return lambda z: torch.exp(-0.5 * (z / network.sigma) ** 2)
    assert isinstance(network, Siren | Finer | Wire)
    omega = network.omega_0 if first else network.omega_hidden
    if isinstance(network, Siren):
        return lambda z: torch.sin(omega * z)
    if isinstance(network, Finer):
        return lambda z: torch.sin(omega * (z.abs() + 1) * z)
    return lambda z: torch.exp(1j * omega * z - (network.scale * z).abs() ** 2)


def multiplicative_oracle(
    network: Multiplicative, x: Tensor, weights: list[Tensor], biases: list[Tensor]
) -> Tensor:
    """Fathony et al., equation 5, with the filters of 3.1 and 3.2."""
    count = network.layers + 1
    if isinstance(network, FourierNet):
        filters = [torch.sin(x @ weights[i] + biases[i]) for i in range(count)]
    else:
        filters = []
        for w, mu, b, gamma in zip(
            weights[: 2 * count : 2],
            weights[1 : 2 * count : 2],
            biases[: 2 * count : 2],
            biases[1 : 2 * count : 2],
            strict=True,
        ):
            away = ((x[:, :, None] - mu) ** 2).sum(dim=1)  # (samples, hidden)
            filters.append(torch.exp(-gamma / 2 * away) * torch.sin(x @ w + b))
    z, *others = filters
    rest = zip(weights[-count:], biases[-count:], strict=True)
    for g, (w, b) in zip(others, rest, strict=False):
        z = (z @ w + b) * g
    return z @ weights[-1] + biases[-1]


def hash_grid_oracle(network: HashGrid, x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    """Müller et al., section 3: sample by sample, level by level, corner by corner."""
    dims, rows = x.shape[1], []
    for point in x:
        row, first = [], 0
        for level in range(network.levels):
            growth = (network.finest / network.coarsest) ** (level / (network.levels - 1))
            n = math.floor(network.coarsest * growth + 1e-6)
            own = (n + 1) ** dims <= network.entries
            size = (n + 1) ** dims if own else network.entries
            total = biases[0]
            for corner in itertools.product((0, 1), repeat=dims):
                weight, number = torch.ones_like(point[0]), 0
                for axis, far in enumerate(corner):
                    t = (point[axis] + 1) / 2 * n
                    node = min(max(math.floor(t.item()), 0), n - 1)
                    weight = weight * ((t - node) if far else (1 - (t - node)))
                    prime = (1, 2654435761, 805459861)[axis]
                    number = number * (n + 1) + node + far if own else number ^ (node + far) * prime
                total = total + weight * weights[0][first + number % size]
            row.append(total)
            first += size
        rows.append(torch.cat(row))
    h = torch.stack(rows)
    for w, b in zip(weights[1:-1], biases[1:-1], strict=True):
        h = torch.relu(h @ w + b)
    return h @ weights[-1] + biases[-1]


def oracle(network: Network, x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    """Values (samples, channels) of one network at coordinates (samples, dims)."""
    if isinstance(network, HashGrid):
        return hash_grid_oracle(network, x, weights, biases)
    if isinstance(network, Multiplicative):
        return multiplicative_oracle(network, x, weights, biases)
    if isinstance(network, Wire):  # stored [real | imaginary], except in the first layer

        def join(t: Tensor) -> Tensor:
            half = t.shape[-1] // 2
            return torch.complex(t[..., :half], t[..., half:])

        weights = [weights[0].to(torch.complex128), *map(join, weights[1:])]
        biases = [biases[0].to(torch.complex128), *map(join, biases[1:])]
        x = x.to(torch.complex128)
    h = encode_oracle(network, x)
    for layer, (w, b) in enumerate(zip(weights[:-1], biases[:-1], strict=True)):
        h = activation_oracle(network, layer == 0)(h @ w + b)
    h = h @ weights[-1] + biases[-1]
    return h.real if h.is_complex() else h


# Batched networks against the oracle.

cases = st.fixed_dictionaries(
    {
        "regions": st.integers(1, 4),
        "samples": st.integers(1, 5),
        "dims": st.integers(1, 3),
        "channels": st.integers(1, 4),
        "hidden": st.integers(1, 9),
        "layers": st.integers(0, 3),
        "seed": st.integers(0, 1000),
    }
)


def example(
    network: Network, regions: int, samples: int, dims: int, channels: int, seed: int = 0
) -> tuple[Tensor, Parameters]:
    """Coordinates and parameters in double precision that ask for gradients, no bias zero."""
    random = np.random.default_rng(seed)
    drawn = network.initialise(regions, dims, channels, random)
    jittered = [b + 0.1 * random.normal(size=b.shape) for b in drawn.biases]
    coords = random.uniform(-1, 1, (regions, samples, dims))
    parameters = Parameters(drawn.weights, jittered).map(leaf)
    return leaf(coords), parameters


def leaf(array: ndarray) -> Tensor:
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


@each_network
@settings(max_examples=25, derandomize=True)
@given(case=cases)
def test_batched_equals_a_loop_over_single_networks(network: Network, case: dict[str, int]) -> None:
    """Values, and gradients with respect to every parameter and to the coordinates."""
    network = sized(network, case["hidden"], case["layers"])
    coords, parameters = example(
        network, case["regions"], case["samples"], case["dims"], case["channels"], case["seed"]
    )
    batched = network.forward(coords, parameters)
    looped = torch.stack(
        [
            oracle(network, coords[r], [w[r] for w in parameters.weights], [b[r] for b in parameters.biases])
            for r in range(case["regions"])
        ]
    )
    assert batched.shape == (case["regions"], case["samples"], case["channels"])
    torch.testing.assert_close(batched, looped, rtol=1e-10, atol=1e-11)

    direction = torch.randn(batched.shape, generator=torch.Generator().manual_seed(1)).double()
    leaves = [coords, *parameters.weights, *parameters.biases]
    mine, expected = (torch.autograd.grad((v * direction).sum(), leaves) for v in (batched, looped))
    torch.testing.assert_close(mine, expected, rtol=1e-8, atol=1e-10)


@each_network
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_formula_is_one_for_numpy_and_torch(network: Network, dims: int) -> None:
    network = sized(network, 7, 2)
    coords, parameters = example(network, regions=3, samples=5, dims=dims, channels=2)
    by_torch = network.forward(coords, parameters).detach()
    by_numpy = network.forward(coords.detach().numpy(), parameters.map(lambda t: t.detach().numpy()))
    assert isinstance(by_numpy, ndarray)
    assert by_numpy.dtype == np.float64
    np.testing.assert_allclose(by_numpy, by_torch, rtol=1e-11, atol=1e-12)
    for single in (np.float32, np.float16):
        values = network.forward(
            coords.detach().numpy().astype(single),
            parameters.map(lambda t, to=single: t.detach().numpy().astype(to)),
        )
        assert values.dtype == single


@each_network
def test_second_derivatives(network: Network) -> None:
    """Learning to learn differentiates twice; nothing that was overwritten may be needed again."""
    network = sized(network, 3, 1)
    coords, parameters = example(network, regions=2, samples=2, dims=2, channels=1, seed=5)
    n = len(parameters.weights)

    def values(x: Tensor, *flat: Tensor) -> Tensor:
        return network.forward(x, Parameters(list(flat[:n]), list(flat[n:])))

    inputs = (coords, *parameters.weights, *parameters.biases)
    assert torch.autograd.gradcheck(values, inputs)
    assert torch.autograd.gradgradcheck(values, inputs)


@each_perceptron
def test_a_network_leaves_its_arguments_alone(network: Perceptron) -> None:
    coords, parameters = example(network, regions=2, samples=3, dims=2, channels=2)
    z = torch.randn(2, 3, network.layer_shapes(2, 2)[1].fan_out)
    tensors = [coords, *parameters.weights, *parameters.biases, z]
    before = [t.detach().clone() for t in tensors]
    with torch.no_grad():
        network.forward(coords, parameters)
        network.activate(z, 1)
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))
    # The same memory as arrays.
    network.forward(coords.detach().numpy(), parameters.map(lambda t: t.detach().numpy()))
    network.activate(z.numpy(), 1)
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))


@each_network
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_counts(network: Network, dims: int, channels: int) -> None:
    parameters = network.initialise(5, dims, channels, np.random.default_rng(0))
    layers = network.layer_shapes(dims, channels)
    assert [tuple(w.shape) for w in parameters.weights] == [(5, *layer) for layer in layers]
    assert [tuple(b.shape) for b in parameters.biases] == [(5, layer.fan_out) for layer in layers]
    total = sum(array.size for array in parameters.arrays)
    assert total == 5 * network.params(dims, channels)
    assert (len(layers), layers[-1].fan_out % channels) == (network.depth, 0)
    features = network.hidden_features(np.zeros((5, 4, dims)), parameters)
    assert features.shape == (5, 4, network.read_features(dims))


@each_perceptron
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_shapes_of_encodings(network: Perceptron, dims: int) -> None:
    assert network.encode(np.zeros((5, 4, dims))).shape == (5, 4, network.encoded(dims))


@pytest.mark.parametrize(
    ("network", "regions", "params"),
    [
        (Siren(hidden=512, layers=3), 1, 791_043),
        (Siren(hidden=170, layers=3), 9, 794_097),
        (ReluHarmonic(hidden=512, layers=3), 1, 912_899),
        (ReluHarmonic(hidden=148, layers=3), 9, 920_439),
    ],
)
def test_published_parameter_counts(network: Network, regions: int, params: int) -> None:
    assert regions * network.params(dims=2, channels=3) == params


# Initialisation.


@pytest.mark.parametrize(
    ("network", "first", "weight", "bias"),
    [
        # Largest magnitudes: first layer's weights and biases; later weights and biases given fan_in.
        (Siren(), (1 / 2, 1 / math.sqrt(2)), lambda n: math.sqrt(6 / n) / 30, lambda n: 1 / math.sqrt(n)),
        (Finer(bias_range=3.0), (1 / 2, 3.0), lambda n: math.sqrt(6 / n) / 30, lambda n: 1 / math.sqrt(n)),
        (
            Gauss(),
            (1 / math.sqrt(2), 1 / math.sqrt(2)),
            lambda n: 1 / math.sqrt(n),
            lambda n: 1 / math.sqrt(n),
        ),
        (
            Wire(),
            (1 / math.sqrt(2), 1 / math.sqrt(2)),
            lambda n: 1 / math.sqrt(n),
            lambda n: 1 / math.sqrt(n),
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_uniform_initialisation(
    network: Network,
    first: tuple[float, float],
    weight: Callable[[int], float],
    bias: Callable[[int], float],
) -> None:
    network = replace(network, hidden=64, layers=2)
    drawn = network.initialise(200, 2, 3, np.random.default_rng(0))
    for layer, shape in enumerate(network.layer_shapes(2, 3)):
        bounds = first if layer == 0 else (weight(shape.fan_in), bias(shape.fan_in))
        for array, bound in zip((drawn.weights[layer], drawn.biases[layer]), bounds, strict=True):
            assert 0.98 * bound < np.abs(array).max() <= bound * (1 + 1e-6)
            assert abs(array.mean()) < 0.08 * bound
            assert array.std() == pytest.approx(bound / math.sqrt(3), rel=0.06)


def test_relu_initialisation() -> None:
    """Kaiming: normal with variance 2 / fan_in in every layer, no bias."""
    network = ReluHarmonic(hidden=64, layers=2)
    drawn = network.initialise(100, 2, 3, np.random.default_rng(0))
    for layer, (w, b) in enumerate(zip(drawn.weights, drawn.biases, strict=True)):
        fan_in = network.layer_shapes(2, 3)[layer].fan_in
        assert w.std() == pytest.approx(math.sqrt(2 / fan_in), rel=0.02)
        assert (w**4).mean() / w.var() ** 2 == pytest.approx(3, rel=0.1)
        assert not b.any()


def test_fourier_initialisation() -> None:
    """Glorot: normal, cut off at two of its deviations, with variance 2 / (fan_in + fan_out) after that."""
    network = Fourier(hidden=64, layers=2)
    drawn = network.initialise(100, 2, 3, np.random.default_rng(0))
    for layer, (w, b) in enumerate(zip(drawn.weights, drawn.biases, strict=True)):
        deviation = math.sqrt(2 / sum(network.layer_shapes(2, 3)[layer]))
        assert w.std() == pytest.approx(deviation, rel=0.02)
        assert np.abs(w).max() == pytest.approx(2 * deviation / 0.8796, rel=0.01)
        assert b.std() == pytest.approx(0.01, rel=0.15)


@each_network
def test_initialisation_depends_on_the_seed_alone(network: Network) -> None:
    def draw(seed: int) -> list[ndarray]:
        return network.initialise(3, 2, 3, np.random.default_rng(seed)).arrays

    mine = draw(0)
    np.random.seed(99)  # noqa: NPY002
    again = draw(0)
    assert all(a.dtype == np.float32 and np.array_equal(a, b) for a, b in zip(mine, again, strict=True))
    assert not np.array_equal(mine[0], draw(1)[0])
    assert not np.array_equal(mine[0][0], mine[0][1])


# Encodings.


def test_harmonic_encoding_is_exact_up_to_the_highest_frequency() -> None:
    """Single-precision features are the sines of exactly coordinate times frequency."""
    coords = raster((7, 5))
    features = ReluHarmonic().encode(coords[None])[0]
    products = coords.astype(np.float64)[:, :, None] * (0.5 * 2.0 ** np.arange(60))
    phases = products.reshape(35, 120)
    expected = np.concatenate([np.sin(phases), np.cos(phases)], axis=1)
    np.testing.assert_allclose(features, expected, atol=3e-7)


def test_splitmix64_gives_the_published_sequence() -> None:
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    for seed, count in ((1234567, 5), (2**53 - 1, 100)):
        states = np.uint64(seed) + np.arange(count, dtype=np.uint64) * GOLDEN
        assert splitmix64(states).tolist() == splitmix64_oracle(seed, count)
    assert splitmix64_oracle(1234567, 5) == expected


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_fourier_projections_follow_from_the_configuration(dims: int) -> None:
    network = Fourier(features=20, sigma=3.5, seed=11)
    np.testing.assert_allclose(network.projections(dims), fourier_matrix_oracle(network, dims), rtol=2e-7)
    assert (network.projections(dims) == network.projections(dims).astype(np.float32)).all()
    assert not np.allclose(network.projections(dims), replace(network, seed=12).projections(dims))


def test_fourier_projections_are_pinned() -> None:
    """A file written today must read the same for ever."""
    matrix = Fourier(features=2, sigma=10.0, seed=0).projections(2)
    pinned = [[-14.223803520202637, -31.05791473388672], [83.271240234375, 7.931350231170654]]
    np.testing.assert_allclose(matrix, pinned, rtol=2e-7)


def test_standard_normals() -> None:
    g = standard_normals(seed=5, count=200_000)
    assert np.isfinite(g).all()
    moments = [np.mean(g**k) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.05)
    assert abs(np.mean(g[:-1] * g[1:])) < 0.01


def test_standard_normals_survive_an_output_of_zero() -> None:
    seed, zero = 8358290829581065, 986  # the state that gives 0, stepped back to a seed below 2^53
    assert splitmix64_oracle(seed, zero + 1)[zero] == 0
    assert np.isfinite(standard_normals(seed, zero // 2 + 1)).all()


# WIRE's bookkeeping.


@pytest.mark.parametrize("hidden", [1, 2, 3, 16, 181, 256, 300, 512, 65536])
def test_wire_units_are_as_published(hidden: int) -> None:
    assert Wire(hidden=hidden).units == max(1, int(hidden / np.sqrt(2)))


def test_wire_has_about_as_many_parameters_as_a_real_network() -> None:
    real, wire = (network(hidden=256, layers=3).params(2, 3) for network in (Siren, Wire))
    assert wire == pytest.approx(real, rel=0.02)


def test_wire_ignores_the_imaginary_half_of_the_output_bias() -> None:
    network = Wire(hidden=4, layers=1)
    coords, parameters = example(network, regions=2, samples=3, dims=2, channels=3)
    network.forward(coords, parameters).sum().backward()
    grad = parameters.biases[-1].grad
    assert grad is not None
    assert (grad[:, :3] != 0).all()
    assert not grad[:, 3:].any()


# Configuration.


@each_network
def test_configuration_survives_json(network: Network) -> None:
    again = from_config(json.loads(json.dumps(network.config())))
    assert again == network
    assert type(again) is type(network)
    assert again.config() == network.config()


@each_network
def test_every_field_is_bounded_and_checked(network: Network) -> None:
    for field in fields(network):
        least, greatest = network.bounds[field.name]
        for value in (least, greatest):
            replace(network, **{field.name: int(value) if field.type == "int" else float(value)})
        bad = [math.nan, math.inf, -math.inf, least - 1, greatest * 2, True, "1", None, [1], 10**400]
        for value in [*bad, 1.5, 2.0] if field.type == "int" else bad:
            with pytest.raises(InputError, match=field.name) as error:
                from_config({**network.config(), field.name: value})
            assert "\n" not in str(error.value)
            assert len(str(error.value)) < 200


def test_whole_numbers_stand_for_real_ones() -> None:
    network = from_config({**Siren().config(), "omega_0": 60})
    assert network == Siren(omega_0=60.0)
    assert json.dumps(network.config()) == json.dumps(Siren(omega_0=60.0).config())


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("siren", "must be an object"),
        ([], "must be an object"),
        ({}, "must be one of siren, relu"),
        ({"name": "mlp"}, "got 'mlp'"),
        ({"name": ["siren"]}, "must be one of"),
        ({"name": "siren", "hidden": 4}, "lacks layers, omega_0, omega_hidden"),
        ({**Gauss().config(), "colour": 1}, "got 'colour'"),
        ({**Gauss().config(), 7: 1}, "got 7"),
        ({**Gauss().config(), "x" * 10**6 + "\n": 1}, "hidden, layers, sigma"),
        ({**Gauss().config(), "hidden": "9" * 10**6 + "\n"}, "hidden"),
    ],
)
def test_bad_configurations(config: object, says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        from_config(config)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_network_from_word() -> None:
    assert network_from_word("wire") == Wire()
    assert network_from_word("fourier", hidden=7, sigma=2) == Fourier(hidden=7, sigma=2.0)
    for word, overrides, says in [
        (
            "sirens",
            {},
            "one of siren, relu, fourier, finer, wire, gauss, cosine, fouriernet, gabornet, hashgrid",
        ),
        ("siren", {"sigma": 1}, "omega_hidden, got 'sigma'"),
        ("siren", {"hidden": 0}, "from 1 to 65536, got 0"),
    ]:
        with pytest.raises(InputError, match=says):
            network_from_word(word, **overrides)


# Width from a budget.


@each_network
@settings(max_examples=40, derandomize=True)
@given(
    spare=st.integers(0, 20_000),
    regions=st.integers(1, 50),
    dims=st.integers(1, 3),
    channels=st.integers(1, 4),
    layers=st.integers(0, 4),
)
def test_fit_width_is_the_largest_that_fits(
    network: Network, spare: int, regions: int, dims: int, channels: int, layers: int
) -> None:
    network = sized(network, 1, layers)
    budget = regions * network.params(dims, channels) + spare
    fitted = fit_width(resized(network, 77), budget, regions, dims, channels)
    wider = resized(fitted, fitted.width + 1)
    assert fitted == resized(network, fitted.width)
    assert regions * fitted.params(dims, channels) <= budget < regions * wider.params(dims, channels)


def test_fit_width_stops_at_the_greatest_width() -> None:
    assert fit_width(Siren(layers=0), 10**12, 1, 2, 3).hidden == 65536


@each_network
def test_fit_width_names_the_smallest_budget(network: Network) -> None:
    needed = 9 * sized(network, 1, 2).params(2, 3)
    with pytest.raises(InputError, match=f"at least {needed} parameters, got {needed - 1}"):
        fit_width(network, needed - 1, regions=9, dims=2, channels=3)
    assert fit_width(network, needed, regions=9, dims=2, channels=3).width >= 1

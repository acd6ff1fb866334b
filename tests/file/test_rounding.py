"""Rounding loses no more than it may, in few bytes, and what is read back is what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import noise, patchy, smooth
from models import NETWORKS, made, scattered
from partinr import (
    Fourier,
    Grid,
    InputError,
    Network,
    Piecewise,
    ReluHarmonic,
    Signal,
    Siren,
    Steps,
    Wire,
    fit,
    from_array,
)
from partinr.engines import CpuEngine, Engine
from partinr.engines.packing import pack_groups
from partinr.file import rounding
from partinr.file.coded_parameters import Place, read
from partinr.file.retraining import Retraining
from partinr.file.rounding import rounded
from partinr.fitting.goals.growing import Growing
from partinr.model import kernel
from partinr.model.networks.network import Parameters
from partinr.model.rendering import sample_blocks

native = pytest.mark.skipif(kernel.why_missing() is not None, reason="the kernel is not there")


def squared_error(model: Piecewise, signal: Signal) -> float:
    values = np.concatenate([block.reshape(-1, signal.channels) for block in sample_blocks(model)])
    return float(np.square(values.astype(np.float64) - signal.normalised().reshape(values.shape)).sum())


def lost(before: Piecewise, after: Piecewise, signal: Signal) -> float:
    """dB by which the squared error is larger."""
    return float(10 * np.log10(squared_error(after, signal) / squared_error(before, signal)))


def image() -> Signal:
    return patchy((48, 40), channels=3)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("loss", [0.05, 0.5])
def test_it_loses_what_it_may(network: Network, loss: float) -> None:
    signal = image()
    model = fit(signal, Grid(2, 2), network, goal=Steps(60)).model
    found = rounded(model, signal, loss)
    assert found.loss == pytest.approx(lost(model, found.model, signal), abs=1e-6)
    assert 0.3 * loss < found.loss <= loss
    assert len(found.payload) < 2 * model.params
    for own, again in zip(found.model.parameters, read(found.payload, model.structure), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(own.arrays, again.arrays, strict=True))


@native
@pytest.mark.parametrize("network", [Siren(), ReluHarmonic(), Fourier(features=8, hidden=8), Wire(hidden=8)])
def test_retraining_takes_fewer_bytes(network: Network) -> None:
    signal = image()
    model = fit(signal, Grid(3, 2), network, goal=Steps(80)).model
    alone, trained = rounded(model, signal, 0.05), rounded(model, signal, 0.05, engine=CpuEngine())
    assert trained.loss == pytest.approx(lost(model, trained.model, signal), abs=1e-6)
    assert trained.loss <= 0.05
    assert len(trained.payload) < len(alone.payload)


@native
def test_groups_of_several_widths() -> None:
    signal = image()
    model = fit(signal, goal=Growing(30)).model
    found = rounded(model, signal, 0.1, engine=CpuEngine())
    assert len(model.networks) > 1
    assert lost(model, found.model, signal) <= 0.1
    assert 8 * len(found.payload) < 9 * model.params


@native
def test_the_same_bytes_whatever_the_threads() -> None:
    signal = image()
    model = fit(signal, Grid(2, 2), Siren(), goal=Steps(20)).model
    one, two = (rounded(model, signal, 0.1, engine=CpuEngine(threads)) for threads in (1, 2))
    assert one.payload == two.payload


@pytest.mark.parametrize("shape", [(2,), (50,), (1, 2), (4, 5, 6)])
@pytest.mark.parametrize("channels", [1, 5])
def test_all_shapes(shape: tuple[int, ...], channels: int) -> None:
    signal = noise(shape, channels)
    model = fit(signal, network=Siren(hidden=4, layers=1), goal=Steps(5)).model
    found = rounded(model, signal, 0.1)
    assert found.loss <= 0.1
    read(found.payload, model.structure)


def test_label_maps_and_no_hidden_layers() -> None:
    signal = from_array(np.random.default_rng(0).random((11, 6)))
    networks: list[Network] = [Siren(hidden=3, layers=0), Siren(hidden=2, layers=2)]
    model = made(scattered((11, 6), 6), networks, channels=1)
    assert rounded(model, signal, 0.2).loss <= 0.2


def test_a_signal_that_is_fitted_exactly() -> None:
    signal = from_array(np.zeros((8, 8)))
    model = made(scattered((8, 8)), Siren(hidden=3, layers=1), channels=1)
    nothing = [own.map(np.zeros_like) for own in model.parameters]
    found = rounded(Piecewise(model.structure, tuple(nothing)), signal)
    assert not any(array.any() for own in found.model.parameters for array in own.arrays)
    assert len(found.payload) < 20


def test_units_that_matter_less_are_rounded_coarsely() -> None:
    """Half of the units are all but silent: half of the bits of the layers before are of no use."""
    signal = image()
    model = fit(signal, Grid(2, 2), Siren(), goal=Steps(40)).model
    (own,) = model.parameters
    quiet = [array.copy() for array in own.arrays]
    quiet[len(own.weights) - 1][:, ::2] *= 1e-4
    silent = Piecewise(model.structure, (Parameters.of(quiet),))
    assert len(rounded(silent, signal, 0.05).payload) < 0.85 * len(rounded(model, signal, 0.05).payload)


def test_what_cannot_be_done_is_refused() -> None:
    signal = image()
    model = fit(signal, goal=Steps(2)).model
    for loss in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="the loss must be a positive number"):
            rounded(model, signal, loss)
    with pytest.raises(InputError, match="must have the shape"):
        rounded(model, smooth((4, 4)))


@native
def test_held_layers_stay_and_the_error_falls() -> None:
    signal = image()
    for overlap in (0, 2):
        model = made(Grid(2, 2).partition(signal), Siren(), channels=3, blend=True, overlap=overlap)
        start = model.parameters[0]
        held = [Place(0, 1, False, start.weights[1].shape[1:], None, None)]
        held.append(held[0]._replace(biases=True))
        (after,) = Retraining(model, signal, CpuEngine()).without(model.parameters, [held], [0.1])
        assert np.array_equal(after.weights[1], start.weights[1])
        assert np.array_equal(after.biases[1], start.biases[1])
        assert not np.array_equal(after.weights[0], start.weights[0])
        assert lost(model, Piecewise(model.structure, (after,)), signal) < 0


class Harmful(Retraining):
    """Makes everything worse."""

    def without(
        self, parameters: list[Parameters], held: list[list[Place]], coarseness: list[float]
    ) -> list[Parameters]:
        del held, coarseness
        return [own.map(lambda array: array * 3) for own in parameters]


@native
def test_retraining_that_does_harm_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = image()
    model = fit(signal, Grid(2, 2), Siren(), goal=Steps(20)).model
    monkeypatch.setattr(rounding, "Retraining", Harmful)
    engine: Engine = CpuEngine()
    assert rounded(model, signal, 0.1, engine=engine).loss <= 0.1
    assert len(pack_groups(model.structure, signal, 0)) == 1

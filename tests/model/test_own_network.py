"""A network that states itself in one file: the user's own, in every part of the package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnxruntime
import pytest
import torch
from numpy import ndarray

from helpers import smooth
from models import cells, made, scattered
from partinr import (
    Compute,
    Grid,
    InputError,
    Network,
    Perceptron,
    Siren,
    Steps,
    export_onnx,
    fit,
    load,
    render,
    save,
)
from partinr.model import kernel, networks
from partinr.model.arrays import namespace
from partinr.model.networks.network import Parameters, as_torch_linear
from partinr.signals.frames import Pixels, raster


@dataclass(frozen=True)
class Snake(Perceptron):
    """x + sin²(a x) / a, after Ziyin, Hartwig, Ueda, NeurIPS 2020."""

    hidden: int = 8
    layers: int = 1
    a: float = 6.0

    name: ClassVar[str] = "snake"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {**Perceptron.bounds, "a": (1e-3, 1e3)}

    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        return as_torch_linear(self.layer_shapes(dims, channels), regions, random)

    def activate(self, z: Any, layer: int) -> Any:  # noqa: ARG002
        wave = namespace(z).sin(self.a * z)
        return z + wave * wave / self.a


@dataclass(frozen=True)
class Swish(Siren):
    """Another activation in a class derived from one that the kernel knows."""

    name: ClassVar[str] = "swish"

    def activate(self, z: Any, layer: int) -> Any:  # noqa: ARG002
        return z / (1 + namespace(z).exp(-z))


@dataclass(frozen=True)
class Leaky(Snake):
    """With what `where` can do, and powers."""

    name: ClassVar[str] = "leaky"

    def activate(self, z: Any, layer: int) -> Any:  # noqa: ARG002
        return namespace(z).where(z < 0, 0.1 * z, z**2 + z)


OWN = [Snake(8, 1), Swish(8, 1), Leaky(8, 1)]
each = pytest.mark.parametrize("network", OWN, ids=lambda n: n.name)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the line in `NETWORKS` that a new file needs."""
    both = {**networks.NETWORKS, **{network.name: type(network) for network in OWN}}
    monkeypatch.setattr(networks, "NETWORKS", both)


def by_hand(network: Network, parameters: Parameters, x: ndarray) -> ndarray:
    """One network, layer after layer."""
    for layer, (w, b) in enumerate(zip(parameters.weights, parameters.biases, strict=True)):
        z = x @ w[0].astype(np.float64) + b[0]
        if isinstance(network, Swish):
            x = z / (1 + np.exp(-z))
        elif isinstance(network, Leaky):
            x = np.where(z < 0, 0.1 * z, z**2 + z)
        else:
            x = z + np.sin(6.0 * z) ** 2 / 6.0
        if layer == network.layers + 1:
            return z
    raise AssertionError


@each
def test_it_is_not_taken_for_one_of_the_kernels(network: Network) -> None:
    assert not kernel.knows(network)
    model = made(cells((9, 8), 1, 1), network)
    coords = raster((9, 8))
    expected = by_hand(network, model.parameters[0], coords.astype(np.float64))
    np.testing.assert_allclose(model(coords), expected, atol=1e-5)
    assert model.on_lattice([Pixels(np.zeros(3, np.float32))] * 2) is None
    if kernel.why_missing() is None:
        with pytest.raises(
            InputError, match=f"cpu does not know the network {network.name}; use --engine torch"
        ):
            fit(smooth((9, 8)), Grid(1, 1), network, goal=Steps(2), compute=Compute("cpu"))


@each
def test_its_formula_is_differentiated(network: Network) -> None:
    model = made(cells((9, 8), 2, 1), network)
    coords = np.random.default_rng(0).uniform(-1, 1, (30, 2)).astype(np.float32)
    x = torch.tensor(coords, dtype=torch.float64, requires_grad=True)
    values = model.torch().double()(x)
    for c in range(2):
        (slope,) = torch.autograd.grad(values[:, c].sum(), x, retain_graph=True)
        np.testing.assert_allclose(model.jacobian(coords)[:, c], slope, rtol=0, atol=1e-4)


def test_a_formula_beyond_what_is_known_is_refused_where_it_is_derived() -> None:
    class Sinking(Snake):
        name: ClassVar[str] = "sinking"

        def activate(self, z: Any, layer: int) -> Any:  # noqa: ARG002
            return namespace(z).sinh(z)

    model = made(cells((9, 8), 2, 1), Sinking())
    assert np.isfinite(model([[0.1, 0.2]])).all()
    with pytest.raises(InputError, match=r"network sinking has no derivatives: it may use sin, .*got sinh"):
        model.jacobian([[0.1, 0.2]])


@each
def test_it_is_fitted_saved_and_exported(tmp_path: Path, network: Network) -> None:
    signal = smooth((24, 20))
    alone = Compute(threads=1)
    few, result = (fit(signal, Grid(2, 2), network, goal=Steps(n), compute=alone) for n in (1, 60))
    assert result.engine == "torch"
    assert result.psnr > few.psnr + 2
    model = result.model
    save(model, tmp_path / "own.inr")
    loaded = load(tmp_path / "own.inr")
    assert loaded.networks == (network,)
    np.testing.assert_array_equal(render(loaded), render(model))

    coords = np.random.default_rng(0).uniform(-1, 1, (100, 2)).astype(np.float32)
    by_torch = model.torch()(torch.from_numpy(coords)).detach()
    np.testing.assert_allclose(by_torch, model(coords), atol=1e-5)
    export_onnx(model, tmp_path / "own.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "own.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"coords": coords})[0], model(coords), atol=1e-5)


def test_beside_one_that_the_kernel_knows() -> None:
    model = made(scattered((9, 8), 4), [Siren(6, 1, 5.0), *OWN], blend=True, overlap=1)
    coords = np.random.default_rng(0).uniform(-1, 1, (100, 2)).astype(np.float32)
    expected = model.torch().double()(torch.from_numpy(coords)).detach()
    np.testing.assert_allclose(model(coords), expected, atol=1e-5)

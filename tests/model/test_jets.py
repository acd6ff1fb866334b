"""Formulas on jets against torch's autograd on the same formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from partinr.model.arrays import affine, halves, namespace, picked, positive, sines_and_cosines
from partinr.model.jets import Jet

CONSTANT = np.linspace(0.5, 1.5, 4)


def _const(x: Any) -> Any:
    return CONSTANT if not isinstance(x, torch.Tensor) else torch.tensor(CONSTANT)


FORMULAS: dict[str, Callable[[Any], Any]] = {
    "sums": lambda x: 1 - x + 2 * x - (3 + -x) + x * _const(x),
    "products": lambda x: x * x[..., :1] * (2 - x),
    "quotients": lambda x: x / (1 + x * x) + 1 / (x + 9) + x / 3,
    "powers": lambda x: x**3 + x**2 + x**1 + x**0 + (x + 9) ** 0.5 + (x + 9) ** -2,
    "waves": lambda x: namespace(x).sin(3 * x) * namespace(x).cos(x),
    "exponentials": lambda x: namespace(x).exp(-x) + namespace(x).tanh(2 * x),
    "roots": lambda x: namespace(x).sqrt(x + 9),
    "sizes": lambda x: abs(x) * x + namespace(x).abs(x - 0.1),
    "choices": lambda x: namespace(x).where(x < 0.3, 0.1 * x, x * x) + positive(x) + halves(x)[0][..., :1],
    "conditions": lambda x: sum(
        namespace(x).where(held, x * x, 2.0) for held in (x > 0.1, x >= 0.2, x <= 0.3, x < x * x)
    ),
    "columns": lambda x: picked(sines_and_cosines(x), np.array([5, 0, 0, 2])),
    "layers": lambda x: affine(x, 1 + x.shape[-1] * _const(x)[None, :, None], _const(x)[None, :1]) ** 2,
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("order", [1, 2])
def test_equal_autograd(name: str, order: int) -> None:
    formula = FORMULAS[name]
    x = np.random.default_rng(0).normal(size=(1, 6, 4))
    directions = np.stack([np.eye(4)[0], np.array([0.5, -1.0, 0.0, 2.0])])  # not along an axis: any will do
    units = np.broadcast_to(directions[:, None, None], (2, *x.shape))
    found = formula(Jet(x, units, 0 * units if order == 2 else None))
    assert (found.second is None) == (order == 1)
    for k, direction in enumerate(torch.tensor(directions)):
        t = torch.zeros((1, 6, 1), dtype=torch.float64, requires_grad=True)
        values = formula(torch.tensor(x) + t * direction)
        np.testing.assert_allclose(found.value, values.detach(), rtol=1e-12, atol=1e-12)
        for c in range(values.shape[-1]):
            (first,) = torch.autograd.grad(values[..., c].sum(), t, create_graph=True)
            np.testing.assert_allclose(found.first[k, ..., c], first[..., 0].detach(), rtol=1e-10, atol=1e-10)
            if order == 2:
                second = torch.zeros_like(t)
                if first.requires_grad:
                    (second,) = torch.autograd.grad(first.sum(), t, retain_graph=True)
                np.testing.assert_allclose(found.second[k, ..., c], second[..., 0], rtol=1e-9, atol=1e-9)


def test_single_precision_stays() -> None:
    x = np.ones((1, 2, 4), np.float32)
    jet = Jet(x, x[None], 0 * x[None])
    for name in ("sums", "powers", "waves", "sizes", "choices", "columns"):
        if name == "sums":
            continue  # its constant is of double precision
        found = FORMULAS[name](jet)
        assert found.dtype == found.first.dtype == found.second.dtype == np.float32


def test_functions_that_it_does_not_know() -> None:
    jet = Jet(np.ones(3), np.ones((1, 3)), None)
    with pytest.raises(
        AttributeError, match="sin, cos, exp, tanh, sqrt, abs, where, take and concatenate, got"
    ):
        namespace(jet).sinh(jet)
    with pytest.raises(TypeError, match="alone"):
        jet[0]

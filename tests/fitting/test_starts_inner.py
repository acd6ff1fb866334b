"""The inner loop and its derivative, against computations written out by hand in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy import ndarray
from torch import Tensor

from models import TRAINED, cells, scattered
from partinr import Network, Partition, Siren
from partinr.fitting.starts.inner import Method, descend, meta_gradient, on_device
from partinr.fitting.starts.rates import RateKind, Rates
from partinr.fitting.starts.start import Start
from partinr.fitting.starts.tasks import Tasks, pack_tasks

TINY = Siren(5, 1, omega_0=7.0, omega_hidden=4.0)
SHAPE = (7, 6)


def double(network: Network = TINY, kind: RateKind = "parameter-step", steps: int = 3, **more: Any) -> Start:
    """A start in double precision whose rates differ from each other."""
    start = Start.fresh(network, 2, 3, kind=kind, steps=steps, rate=0.02, **more)
    start = on_device(start, "cpu", torch.float64)
    noise = torch.Generator().manual_seed(5)
    rates = [v * (0.5 + torch.rand(v.shape, generator=noise, dtype=v.dtype)) for v in start.rates.values]
    return start.moved(start.parameters.arrays, rates)


def pictures(count: int, shape: tuple[int, ...] = SHAPE, channels: int = 3) -> list[ndarray]:
    noise = np.random.default_rng(3)
    return [noise.random((int(np.prod(shape)), channels), dtype=np.float32) for _ in range(count)]


def packed(start: Start, values: Sequence[ndarray], partitions: Sequence[Partition], **more: Any) -> Tasks:
    return pack_tasks(values, partitions, start.network, start.frame, dtype=torch.float64, **more)


def siren(x: Tensor, parameters: Sequence[Tensor], network: Siren) -> Tensor:
    """The network's function, written out for one network."""
    half = len(parameters) // 2
    h = x
    for layer in range(half - 1):
        omega = network.omega_0 if layer == 0 else network.omega_hidden
        h = torch.sin(omega * (h @ parameters[layer] + parameters[half + layer]))
    return h @ parameters[half - 1] + parameters[2 * half - 1]


def own_coords(partition: Partition, region: int, frame: str) -> Tensor:
    """Coordinates of a region's samples, sample by sample."""
    out = []
    for index in np.ndindex(partition.shape):
        if partition.label_map[index] != region:
            continue
        if frame == "centred":
            out.append([i / n - 0.5 for i, n in zip(index, partition.shape, strict=True)])
        elif frame == "global":
            out.append([-1 + 2 * i / (n - 1) for i, n in zip(index, partition.shape, strict=True)])
        else:
            first, last = partition.bounding_boxes[region, 0], partition.bounding_boxes[region, 1] - 1
            out.append(
                [
                    -1 + 2 * (i - a) / (z - a) if z > a else 0.0
                    for i, a, z in zip(index, first, last, strict=True)
                ]
            )
    return torch.tensor(out, dtype=torch.float64)


def by_hand(
    start: Start, values: Sequence[ndarray], partitions: Sequence[Partition], method: str
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Outer loss and its gradients by the start and the rates, unrolled by autograd, region after region."""
    assert isinstance(start.network, Siren)
    theta = [t[0].clone().requires_grad_() for t in start.parameters.arrays]
    rates = [v.clone().requires_grad_() for v in start.rates.values]
    total = torch.zeros((), dtype=torch.float64)
    ends = [torch.zeros_like(t) for t in theta]
    for picture, partition in zip(values, partitions, strict=True):
        labels = partition.label_map.reshape(-1)
        for region in range(partition.regions):
            x = own_coords(partition, region, start.frame)
            y = torch.as_tensor(picture[labels == region], dtype=torch.float64)
            own: list[Tensor] = list(theta)
            for step in range(start.inner_steps):
                loss = ((siren(x, own, start.network) - y) ** 2).mean()
                slopes = torch.autograd.grad(loss, own, create_graph=True)
                if method != "second-order":
                    slopes = tuple(s.detach() for s in slopes)
                moved = []
                for i, (p, s) in enumerate(zip(own, slopes, strict=True)):
                    if start.rates.kind in ("fixed", "learned"):
                        alpha = rates[0][0]
                    elif start.rates.kind == "step":
                        alpha = rates[0][step]
                    else:
                        alpha = rates[i][step if start.rates.kind == "parameter-step" else 0]
                    moved.append(p - alpha * s)
                own = moved
            share = len(x) / len(labels) / len(values)
            total = total + share * ((siren(x, own, start.network) - y) ** 2).mean()
            for end, p in zip(ends, own, strict=True):
                end += share * p.detach()
    if method == "reptile":
        return (
            total.detach(),
            [t.detach() - end for t, end in zip(theta, ends, strict=True)],
            [0 * r.detach() for r in rates],
        )
    slopes = torch.autograd.grad(total, [*theta, *rates])
    return total.detach(), list(slopes[: len(theta)]), list(slopes[len(theta) :])


def assert_close(ours: Sequence[Tensor], theirs: Sequence[Tensor], tolerance: float) -> None:
    scale = max(float(t.abs().max()) for t in theirs) or 1.0
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert float((a - b).abs().max()) <= tolerance * scale


PARTITIONS = {
    "none": [cells(SHAPE, 1, 1)] * 2,
    "grid": [cells(SHAPE, 2, 2), cells(SHAPE, 3, 1)],
    "labels with a region of one sample": [scattered(SHAPE, 4), scattered(SHAPE, 2)],
}


@pytest.mark.parametrize("partitions", PARTITIONS.values(), ids=PARTITIONS)
@pytest.mark.parametrize("kind", get_args(RateKind))
@pytest.mark.parametrize("method", get_args(Method))
def test_meta_gradients_are_those_of_the_unrolled_loop(
    method: Method, kind: RateKind, partitions: list[Partition]
) -> None:
    start, values = double(kind=kind), pictures(2)
    found = meta_gradient(start, packed(start, values, partitions), method)
    loss, parameters, rates = by_hand(start, values, partitions, method)
    assert float(found.losses[-1]) == pytest.approx(float(loss), rel=1e-6)
    assert_close([p[0] for p in found.parameters], parameters, 1e-6)
    assert_close(found.rates, rates, 1e-6)


@pytest.mark.parametrize("frame", ["global", "local", "centred"])
def test_in_every_frame(frame: Any) -> None:
    start, values = double(frame=frame), pictures(1)
    partitions = [scattered(SHAPE, 3)]
    found = meta_gradient(start, packed(start, values, partitions))
    _, parameters, rates = by_hand(start, values, partitions, "second-order")
    # Coordinates are single precision in the package.
    assert_close([p[0] for p in found.parameters], parameters, 1e-5)
    assert_close(found.rates, rates, 1e-5)


@pytest.mark.parametrize("network", TRAINED, ids=lambda network: network.name)
def test_of_any_network_by_differences(network: Network) -> None:
    """The derivative along a random direction is the difference between two outer losses."""
    start = double(network, frame="local", steps=2)
    tasks = packed(start, pictures(2), [cells(SHAPE, 2, 2), scattered(SHAPE, 3)])
    noise = torch.Generator().manual_seed(1)
    # Biases of 0 would put units that see nothing at the kink of ReLU.
    off = [t + 0.05 * torch.randn(t.shape, generator=noise, dtype=t.dtype) for t in start.parameters.arrays]
    start = start.moved(off, start.rates.values)
    towards = [torch.randn(t.shape, generator=noise, dtype=t.dtype) for t in start.parameters.arrays]
    rates = [v * torch.randn(v.shape, generator=noise, dtype=v.dtype) for v in start.rates.values]

    def outer(way: float) -> float:
        moved = start.moved(
            [t + way * d for t, d in zip(start.parameters.arrays, towards, strict=True)],
            [v + way * d for v, d in zip(start.rates.values, rates, strict=True)],
        )
        return float(meta_gradient(moved, tasks, "first-order").losses[-1])

    found = meta_gradient(start, tasks)
    slope = sum(
        float((g * d).sum())
        for g, d in zip([*found.parameters, *found.rates], [*towards, *rates], strict=True)
    )
    step = 1e-7
    assert (outer(step) - outer(-step)) / (2 * step) == pytest.approx(slope, rel=1e-3)


def test_a_batch_of_regions_is_a_loop_over_single_networks() -> None:
    start, values = double(), pictures(2)
    partitions = [cells(SHAPE, 2, 2), scattered(SHAPE, 4)]
    together = list(descend(start, packed(start, values, partitions)))
    region = 0
    for picture, partition in zip(values, partitions, strict=True):
        labels = partition.label_map.reshape(-1)
        for r in range(partition.regions):
            x = own_coords(partition, r, start.frame)
            y = torch.as_tensor(picture[labels == r], dtype=torch.float64)
            own = [t[0] for t in start.parameters.arrays]
            for step, state in enumerate(together):
                assert isinstance(start.network, Siren)
                leaves = [p.detach().requires_grad_() for p in own]
                loss = ((siren(x, leaves, start.network) - y) ** 2).mean()
                slopes = torch.autograd.grad(loss, leaves)
                assert float(state.losses[region]) == pytest.approx(loss.item(), rel=1e-6)
                assert_close([p[region] for p in state.parameters], own, 1e-6)
                assert_close([s[region] for s in state.slopes], slopes, 1e-6)
                alphas = start.rates.at(step, len(own))
                own = [p - a * s for p, a, s in zip(own, alphas, slopes, strict=True)]
            region += 1
    assert region == len(together[0].losses)


def test_pieces_do_not_change_the_result() -> None:
    start, values = double(), pictures(3)
    partitions = [scattered(SHAPE, 5), cells(SHAPE, 1, 1), cells(SHAPE, 3, 2)]
    whole = packed(start, values, partitions)
    cut = packed(start, values, partitions, at_once=40)
    assert len(cut.pieces) > 2 * len(whole.pieces)
    a, b = meta_gradient(start, whole), meta_gradient(start, cut)
    assert_close(b.parameters, a.parameters, 1e-12)
    assert_close(b.rates, a.rates, 1e-12)


def test_what_is_not_a_regions_own_changes_nothing_for_it() -> None:
    start, values = double(), pictures(1)
    partition = cells(SHAPE, 2, 1)
    before = list(descend(start, packed(start, values, [partition])))[-1]
    changed = values[0].copy()
    changed[partition.label_map.reshape(-1) == 1] = 0.5
    after = list(descend(start, packed(start, [changed], [partition])))[-1]
    for a, b in zip(before.parameters, after.parameters, strict=True):
        assert torch.equal(a[0], b[0])
        assert not torch.equal(a[1], b[1])


def test_signals_of_other_processes_count_in_the_mean() -> None:
    start, values = double(), pictures(2)
    partitions = [cells(SHAPE, 2, 2), scattered(SHAPE, 3)]
    whole = meta_gradient(start, packed(start, values, partitions))
    parts = [
        meta_gradient(start, packed(start, [v], [p], signals=2))
        for v, p in zip(values, partitions, strict=True)
    ]
    assert_close(
        [a + b for a, b in zip(*(p.parameters for p in parts), strict=True)], whole.parameters, 1e-12
    )
    assert torch.allclose(parts[0].losses + parts[1].losses, whole.losses)


@pytest.mark.parametrize(("shape", "divisions"), [((40,), (3,)), ((4, 5, 3), (2, 2, 1))])
def test_signals_of_one_and_three_axes(shape: tuple[int, ...], divisions: tuple[int, ...]) -> None:
    start = on_device(Start.fresh(TINY, len(shape), 2, frame="local", rate=0.05, steps=5), "cpu")
    tasks = pack_tasks(pictures(2, shape, 2), [cells(shape, *divisions)] * 2, TINY, "local")
    losses = meta_gradient(start, tasks).losses
    assert losses[-1] < losses[0]


def test_steps_beyond_those_learned_take_the_last_rates() -> None:
    rates = Rates("step", 2, [torch.tensor([0.1, 0.2])])
    assert [float(rates.at(step, 3)[2]) for step in range(4)] == pytest.approx([0.1, 0.2, 0.2, 0.2])


def test_three_steps_of_the_published_network() -> None:
    """SIREN 128x3, ω 30, sample / samples − 1/2, a rate for each parameter and step; written out again."""
    network = Siren(128, 3, 30.0, 30.0)
    start = on_device(Start.fresh(network, 2, 3, rate=1e-3, seed=2), "cpu")
    shape = (24, 20)
    rows, columns = np.mgrid[:24, :20]
    picture = np.stack([rows / 24, columns / 20, (rows + columns) % 2], axis=-1).astype(np.float32)
    values = picture.reshape(-1, 3)
    tasks = pack_tasks([values], [cells(shape, 1, 1)], network, "centred")
    losses = [float(state.losses[0]) for state in descend(start, tasks)]
    assert sum(t[0].numel() for t in start.parameters.arrays) == network.params(2, 3) == 50_307

    x = torch.as_tensor(np.stack([rows.ravel() / 24 - 0.5, columns.ravel() / 20 - 0.5], axis=1))
    y = torch.as_tensor(values, dtype=torch.float64)
    w = [t[0].double() for t in start.parameters.weights]
    b = [t[0].double() for t in start.parameters.biases]
    expected = []
    for step in range(4):
        inputs, derivatives, h = [], [], x
        for layer in range(5):
            inputs.append(h)
            z = h @ w[layer] + b[layer]
            h = torch.sin(30 * z) if layer < 4 else z
            derivatives.append(30 * torch.cos(30 * z) if layer < 4 else torch.ones_like(z))
        expected.append(float(((h - y) ** 2).mean()))
        back = 2 * (h - y) / y.numel()
        for layer in reversed(range(5)):
            back = back * derivatives[layer]
            slope_w, slope_b = inputs[layer].T @ back, back.sum(dim=0)
            back = back @ w[layer].T
            if step < 3:
                w[layer] = w[layer] - 1e-3 * slope_w
                b[layer] = b[layer] - 1e-3 * slope_b
    assert losses == pytest.approx(expected, rel=1e-4)
    assert losses[3] < losses[0]


def test_half_precision_between_hidden_layers_is_close() -> None:
    start = on_device(Start.fresh(Siren(16, 2, 10.0, 5.0), 2, 3, frame="local", rate=0.01), "cpu")
    tasks = pack_tasks(pictures(2), [cells(SHAPE, 2, 2)] * 2, start.network, "local")
    exact = meta_gradient(start, tasks)
    mixed = meta_gradient(start, tasks, precision="bf16")
    assert not torch.equal(mixed.losses, exact.losses)
    assert torch.allclose(mixed.losses, exact.losses, rtol=0.02)
    for a, b in zip(mixed.parameters, exact.parameters, strict=True):
        cosine = torch.nn.functional.cosine_similarity(a.ravel(), b.ravel(), dim=0)
        assert float(cosine) > 0.98

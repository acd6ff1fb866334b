"""The torch module: the function that arrays give, in every way that torch has of using a module."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from models import NETWORKS, TINY, cells, made, scattered
from partinr import InputError, Network, Partition, Piecewise, PiecewiseINR, ReluHarmonic
from partinr.model import module
from partinr.signals.frames import raster

# Differentiable in double precision: the highest of 60 frequencies is a hash of the coordinate's bits.
SMOOTH = [replace(n, frequencies=4) if isinstance(n, ReluHarmonic) else n for n in NETWORKS]
# Of torch itself, when it differentiates forwards.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
SHAPE = (7, 6)
PARTITIONS = [cells(SHAPE, 2, 5), scattered(SHAPE, 10)]
every_partition = pytest.mark.parametrize("partition", PARTITIONS, ids=lambda p: p.rule)
every_overlap = pytest.mark.parametrize("overlap", [None, 0, 1])
every_network = pytest.mark.parametrize(
    "networks", [*SMOOTH, SMOOTH], ids=lambda n: n.name if isinstance(n, Network) else "groups"
)


def function(
    partition: Partition, networks: Network | list[Network], overlap: int | None = None
) -> Piecewise:
    return made(partition, networks, blend=overlap is not None, overlap=overlap or 0)


def points(count: int, dims: int = 2, seed: int = 0) -> Tensor:
    """In double precision, some beyond the border."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1.1, 1.1, (count, dims)))


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Patches that make the module copy every point's parameters, as inside transformations."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch
    del monkeypatch


@every_network
@every_partition
@every_overlap
def test_it_is_the_function_on_arrays(
    partition: Partition, networks: Network | list[Network], overlap: int | None
) -> None:
    model = function(partition, networks, overlap)
    for coords in (raster(SHAPE), raster((13, 11)), points(200).float().numpy()):
        values = model.torch()(torch.from_numpy(coords))
        assert values.dtype == torch.float32
        np.testing.assert_allclose(values.detach(), model(coords), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("partition", [cells((13,), 3), cells((5, 4, 6), 2, 1, 3), scattered((4, 3, 5), 4)])
def test_in_any_number_of_dimensions(partition: Partition, network: Network) -> None:
    model = function(partition, network, 1)
    coords = raster(partition.shape)
    values = model.torch()(torch.from_numpy(coords)).detach()
    np.testing.assert_allclose(values, model(coords), rtol=1e-4, atol=2e-5)


def test_there_and_back_every_bit_is_the_same() -> None:
    model = function(PARTITIONS[0], NETWORKS, 1)
    model.parameters[0].biases[0][0] = -0.0
    there = model.torch()
    back = there.numpy()
    assert back.structure is model.structure
    assert {name: array.tobytes() for name, array in back.named_parameters().items()} == {
        name: array.tobytes() for name, array in model.named_parameters().items()
    }
    with torch.no_grad():  # all are copies
        for parameter in there.parameters():
            parameter.zero_()
    assert model.parameters[0].weights[0].any()
    assert back.parameters[0].weights[0].any()


def test_the_state_is_the_parameters_by_their_names_in_the_file() -> None:
    model = function(PARTITIONS[0], NETWORKS, 1)
    state = model.torch().state_dict()
    assert list(state)[:3] == ["groups.0.weights.0", "groups.0.weights.1", "groups.0.weights.2"]
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        name: array.shape for name, array in model.named_parameters().items()
    }
    other = PiecewiseINR(model.structure)
    coords = points(30).float()
    other.load_state_dict(state)
    assert torch.equal(other(coords), model.torch()(coords))


def test_it_is_copied_and_written_like_any_module() -> None:
    module = function(PARTITIONS[1], NETWORKS, 1).torch().double()
    coords = points(30)
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    for again in (copy.deepcopy(module), torch.load(buffer, weights_only=False)):
        assert torch.equal(again(coords), module(coords))


@every_overlap
@every_partition
def test_coordinates_have_any_leading_shape(partition: Partition, overlap: int | None) -> None:
    module = function(partition, NETWORKS, overlap).torch()
    coords = points(30).float()
    flat = module(coords)
    for shape in ((5, 3, 2), (30, 1, 1), (1, 30)):
        values = module(coords.reshape(*shape, 2))
        assert values.shape == (*shape, 2)
        assert torch.equal(values.reshape(-1, 2), flat)
    torch.testing.assert_close(module(coords[4]), flat[4], rtol=1e-5, atol=1e-6)
    for empty in ((0, 2), (0, 4, 2), (3, 0, 2)):
        given = torch.zeros(empty, requires_grad=True)
        values = module(given)
        assert values.shape == (*empty[:-1], 2)
        values.sum().backward()
        assert given.grad is not None


@pytest.mark.parametrize(
    "coords", [torch.zeros(3, 3), torch.zeros(3), torch.tensor(0.0), torch.zeros(4, 2, dtype=torch.complex64)]
)
def test_coordinates_of_another_signal_are_refused(coords: Tensor) -> None:
    with pytest.raises(InputError, match=r"real numbers of shape \(..., 2\), got .* of \("):
        function(PARTITIONS[0], TINY).torch()(coords)


# Derivatives


@every_network
@every_partition
@every_overlap
def test_both_ways_to_evaluate_have_the_same_values_and_gradients(
    gathered: pytest.MonkeyPatch, partition: Partition, networks: Network | list[Network], overlap: int | None
) -> None:
    model = function(partition, networks, overlap).torch().double()
    coords = points(40).requires_grad_()
    direction = points(40, seed=1)
    found = []
    for patched in (False, True):
        if patched:
            gathered.setattr(module, "_numbers", lambda _: None)
        values = model(coords)
        leaves = [coords, *model.parameters()]
        found.append([values.detach(), *torch.autograd.grad((values * direction).sum(), leaves)])
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-10)
    assert all(g.abs().sum() > 0 for g in found[0])


@every_network
@pytest.mark.parametrize(
    ("partition", "overlap"), [(PARTITIONS[0], None), (PARTITIONS[0], 1), (PARTITIONS[1], 0)]
)
def test_transformations(
    partition: Partition, networks: Network | list[Network], overlap: int | None
) -> None:
    """Against autograd where nothing is transformed, and differences."""
    model = function(partition, networks, overlap).torch().double()
    coords = points(12)
    values = model(coords).detach()
    torch.testing.assert_close(vmap(model)(coords), values, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(vmap(model)(coords.reshape(3, 4, 2)).reshape(12, 2), values)
    torch.testing.assert_close(vmap(model, in_dims=1)(coords.T.contiguous()), values)
    with torch.no_grad():
        torch.testing.assert_close(vmap(vmap(model))(coords.reshape(3, 4, 2)).reshape(12, 2), values)

    leaf = coords.clone().requires_grad_()
    rows = [torch.autograd.grad(model(leaf)[:, c].sum(), leaf)[0] for c in range(2)]
    expected = torch.stack(rows, dim=1)
    for jacobian in (jacrev, jacfwd):
        torch.testing.assert_close(vmap(jacobian(model))(coords), expected, rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(jacobian(model)(coords[0]), expected[0], rtol=1e-8, atol=1e-9)
    step = 1e-6
    ahead, behind = (
        torch.stack([vmap(jacrev(model))(coords + sign * step * unit) for unit in torch.eye(2).double()], -1)
        for sign in (1, -1)
    )
    bent = vmap(hessian(model))(coords)
    torch.testing.assert_close(
        bent, (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-5 * float(bent.detach().abs().max())
    )


@every_overlap
def test_values_and_gradients_are_those_of_differences(overlap: int | None) -> None:
    model = function(PARTITIONS[1], SMOOTH[:2], overlap).torch().double()
    coords = (points(6) * 0.8).requires_grad_()
    assert torch.autograd.gradcheck(model, (coords,))
    assert torch.autograd.gradcheck(vmap(model), (coords,))


@every_partition
def test_transformations_of_parameters(partition: Partition) -> None:
    model = function(partition, SMOOTH, 1).torch().double()
    coords = points(10)
    parameters = dict(model.named_parameters())

    def loss(own: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(model, own, (x,)).square().sum()

    loss(parameters, coords).backward()
    each = vmap(grad(loss), in_dims=(None, 0))(parameters, coords)  # of every point alone
    for name, slope in grad(loss)(parameters, coords).items():
        torch.testing.assert_close(slope, parameters[name].grad)
        torch.testing.assert_close(each[name].sum(dim=0), slope)
    twice = {name: torch.stack([value, 2 * value]) for name, value in parameters.items()}
    found = vmap(lambda own: functional_call(model, own, (coords,)))(twice)
    torch.testing.assert_close(found[0], model(coords))
    doubled = {name: 2 * value for name, value in parameters.items()}
    torch.testing.assert_close(found[1], functional_call(model, doubled, (coords,)))


# Traces: what is seen at some points must not be taken for what holds at others.


@pytest.mark.filterwarnings("ignore:.*get_attr:UserWarning")  # torch 2.4, of graphs that it makes itself
@pytest.mark.parametrize(
    ("partition", "networks", "overlap"),
    [
        *((PARTITIONS[0], network, 1) for network in NETWORKS),
        (PARTITIONS[0], TINY, None),
        (PARTITIONS[0], TINY, 0),
        (PARTITIONS[1], TINY, None),
        (PARTITIONS[1], TINY, 1),
        (PARTITIONS[0], [TINY, *NETWORKS[1:3]], 0),
    ],
)
def test_an_export_is_the_function_at_other_points(
    partition: Partition, networks: Network | list[Network], overlap: int | None
) -> None:
    model = function(partition, networks, overlap).torch()
    shapes = ({0: torch.export.Dim("points")},)
    exported = torch.export.export(model, (points(9).float(),), dynamic_shapes=shapes, strict=False).module()
    for count in (9, 31, 2):
        coords = points(count, seed=count).float()
        torch.testing.assert_close(exported(coords), model(coords), rtol=1e-4, atol=2e-5)


@every_overlap
@every_partition
def test_so_are_other_traces(partition: Partition, overlap: int | None) -> None:
    model = function(partition, SMOOTH[:2], overlap).torch().double()
    coords, others = points(9), points(9, seed=1)
    torch.testing.assert_close(make_fx(model)(coords)(others), model(others))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InputError, match=r"take torch\.export instead"):
            torch.jit.trace(model, (coords,), check_trace=False)


def test_shapes_alone_on_the_meta_device() -> None:
    model = function(PARTITIONS[0], NETWORKS, 1).torch().to("meta")
    assert model(torch.zeros(4, 5, 2, device="meta")).shape == (4, 5, 2)


# Precision and torch's settings


@every_overlap
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_half_precision_every_sample_belongs_to_its_region(
    dtype: torch.dtype, overlap: int | None
) -> None:
    partition = cells((5000,), 100)
    model = made(partition, TINY, channels=1, blend=overlap is not None, overlap=overlap or 0)
    for array in model.parameters[0].arrays:
        array[...] = 0
    model.parameters[0].biases[-1][:, 0] = np.arange(100) % 2  # the function knows its region
    values = model.torch().to(dtype)(torch.from_numpy(raster((5000,))))
    assert values.dtype == dtype
    found = values[:, 0].detach().float()
    np.testing.assert_allclose(found, model(raster((5000,)))[:, 0], atol=0.01)
    if not overlap:
        np.testing.assert_array_equal(found, partition.label_map % 2)


@every_network
@pytest.mark.parametrize(("dtype", "digits"), [(torch.float16, 2**-9), (torch.bfloat16, 2**-6)])
def test_in_half_precision_it_is_the_function_with_rounding(
    networks: Network | list[Network], dtype: torch.dtype, digits: float
) -> None:
    gentle = [networks] if isinstance(networks, Network) else networks
    model = function(PARTITIONS[0], gentle, 1).torch().to(dtype)
    assert model.scale.dtype == model.shift.dtype == torch.float32
    coords = points(50).float()
    values, exact = model(coords), model.numpy()(coords.numpy())
    assert values.dtype == dtype
    assert np.abs(values.detach().float().numpy() - exact).mean() < 40 * digits * np.abs(exact).mean()
    assert model.float().scale.dtype == torch.float32


def test_double_precision_is_that_of_coordinates_and_of_parameters() -> None:
    function_ = made(cells((100_000,), 1000), SMOOTH[0], blend=True, overlap=1)
    fine = function_.torch().double()
    coords = points(300, dims=1)
    assert fine(coords).dtype == torch.float64
    single = function_.torch()
    assert single(coords).dtype == torch.float32  # looked up in double, computed in single precision
    error = (single(coords) - fine(coords)).abs().max()
    rounded = (single(coords.float()) - fine(coords)).abs().max()
    assert error < 0.1 * rounded
    assert torch.equal(fine(coords.float()), fine(coords.float().double()))


def test_settings_of_torch_change_nothing() -> None:
    model = function(PARTITIONS[0], NETWORKS, 1)
    coords = points(40).float()
    expected = model.torch()(coords)

    def unchanged(own: PiecewiseINR) -> bool:
        values = own(coords)
        return values.dtype == torch.float32 and torch.equal(values, expected)

    before = model.torch()
    try:
        torch.set_default_dtype(torch.float64)
        made_now = model.torch()
        assert all(p.dtype == torch.float32 for p in made_now.parameters())
        assert unchanged(made_now)
        assert unchanged(before)
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        assert unchanged(model.torch())
    with torch.inference_mode():
        assert unchanged(before)
        inside = model.torch()
        assert unchanged(inside)
    with torch.autocast("cpu", torch.bfloat16):
        assert unchanged(before)
        with torch.no_grad():
            assert unchanged(before)
    with torch.device("meta"):
        assert unchanged(before)
        inside = model.torch()
        fresh = PiecewiseINR(model.structure)
        assert inside.numpy()(np.zeros((1, 2))).shape == (1, 2)
    assert unchanged(inside)
    for own in (inside, fresh):
        assert {t.device.type for t in (*own.parameters(), *own.buffers())} == {"cpu"}


def test_it_learns_by_torchs_own_optimiser() -> None:
    model = function(PARTITIONS[1], SMOOTH, 1).torch()
    coords = torch.from_numpy(raster(SHAPE))
    truth = torch.from_numpy(np.random.default_rng(0).random((len(coords), 2), np.float32))
    adam = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        loss = (model(coords) - truth).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    learned = model.numpy()(coords.numpy())
    assert np.square(learned - truth.numpy()).mean() == pytest.approx(losses[-1], rel=0.2)

import numpy as np
import pytest

from helpers import noise, smooth
from partinr import InputError, Signal, Siren, from_array
from partinr.fitting.goals.allocation import (
    _REGION,
    Allocation,
    Allocator,
    _Menu,
    _params,
    _pick,
    structure,
)
from partinr.fitting.goals.difficulty import levels
from partinr.fitting.goals.rounding import before_rounding, most_before_rounding

LIKE = Siren(1, 2)


def half_flat(shape: tuple[int, ...] = (64, 96)) -> Signal:
    """A constant on one side, noise on the other."""
    values = noise(shape, 3).values.copy()
    values[..., : shape[-1] // 2, :] = 90
    return from_array(values, kind="image" if len(shape) == 2 else None, channels_last=True)


def spent(allocation: Allocation) -> int:
    return int(sum(Siren(int(h), 2).params(2, 3) for h in allocation.hidden))


@pytest.mark.parametrize("psnr", [5, 12, 20, 30])
def test_the_allowed_error_is_expected_to_be_kept(psnr: float) -> None:
    signal = half_flat()
    allowed = 10 ** (-psnr / 10) * signal.values.size
    found = Allocator(signal, LIKE).allocate(allowed, 10**6)
    assert found.left.sum() <= allowed
    made = structure(signal.spec, found, LIKE, "global", blend=False)
    assert made.params == spent(found)
    assert {network.hidden for network in made.networks} == set(found.hidden.tolist())
    assert (made.frame, made.blend, made.overlap, made.signal) == ("global", False, 0, signal.spec)


def test_flat_parts_cost_next_to_nothing() -> None:
    signal = half_flat()
    found = Allocator(signal, LIKE).allocate(10**-2.5 * signal.values.size, 10**6)
    params = np.array([Siren(int(h), 2).params(2, 3) for h in found.hidden])
    flat = found.boxes[:, 1, 1] <= 48
    assert params[flat].sum() < 0.05 * params.sum()


def test_more_quality_costs_more() -> None:
    signal = half_flat()
    allowed = [10 ** (-psnr / 10) * signal.values.size for psnr in (10, 15, 20, 25)]
    budgets = [spent(Allocator(signal, LIKE).allocate(error, 10**6)) for error in allowed]
    assert budgets == sorted(set(budgets))


def test_a_bound_is_used_up_and_kept() -> None:
    signal = half_flat()
    for most in (13, 500, 5000):
        found = Allocator(signal, LIKE).allocate(0.0, most)
        assert most / 3 < spent(found) <= most
    with pytest.raises(InputError, match="max_params must be at least 13"):
        Allocator(signal, LIKE).allocate(0.0, 12)


def test_cells_and_widths_are_the_best_at_every_price() -> None:
    signal = half_flat((32, 32))
    params = _params(LIKE, signal.spec)
    menus = [_Menu.of(level, params) for level in levels(signal)]
    assert [menu.level.divisions for menu in menus] == [(2, 2), (1, 1)]
    for price in (1e-6, 1e-4, 1e-3, 1e-2, 1e-1):
        costs = [menu.expected + price * (params + _REGION) for menu in menus]
        whole = min(costs[1][0])
        parts = sum(min(costs[0][cell]) for cell in range(4))
        picked = _pick(menus, price)
        found = sum(p.error + price * (p.params + len(p.place) * _REGION) for p in picked)
        assert found == pytest.approx(min(whole, parts))


def test_what_was_trained_is_never_narrowed_and_reaches_its_goal() -> None:
    signal = half_flat()
    allocator = Allocator(signal, LIKE)
    allowed = 10**-2.0 * signal.values.size
    before = allocator.allocate(allowed, 10**6)
    after = allocator.reallocate(before, 3 * before.left, allowed, 10**6)
    assert after.left.sum() <= allowed
    model = structure(signal.spec, after, LIKE, "local", blend=True).partition
    for box, width in zip(before.boxes, before.hidden, strict=True):
        inside = model.label_map[tuple(slice(*ends) for ends in box.T)]
        parts = np.unique(inside)
        assert len(parts) > 1 or after.hidden[parts[0]] >= width
    bounded = allocator.reallocate(before, 3 * before.left, allowed, spent(before) + 300)
    assert spent(before) <= spent(bounded) <= spent(before) + 300


def test_nothing_changes_where_nothing_is_short() -> None:
    signal = half_flat()
    allocator = Allocator(signal, LIKE)
    before = allocator.allocate(10**-2.0 * signal.values.size, 10**6)
    after = allocator.reallocate(before, 0.5 * before.left, before.left.sum(), 10**6)
    np.testing.assert_array_equal(after.boxes, before.boxes)
    np.testing.assert_array_equal(after.hidden, before.hidden)


@pytest.mark.parametrize("deviation", [0.1, 0.2, 0.4, 1.0, 6.0])
def test_rounding_does_to_errors_what_is_expected(deviation: float) -> None:
    spec = noise((4, 4)).spec
    random = np.random.default_rng(0)
    normal = random.normal(0, deviation, 10**6)
    # The density exp(-sqrt(|x|)) belongs to the square of a number drawn from Gamma(2); its variance is 120.
    heavy = random.gamma(2, size=10**6) ** 2 * random.choice([-1, 1], 10**6) * deviation / np.sqrt(120)
    rounded = np.mean(np.rint(heavy) ** 2) / 255**2
    assert before_rounding(rounded, spec) * 255**2 == pytest.approx(deviation**2, rel=0.1)
    rounded = np.mean(np.rint(normal) ** 2) / 255**2
    if rounded:
        assert most_before_rounding(rounded, spec) * 255**2 >= 0.95 * deviation**2
    assert before_rounding(0.1, smooth((4, 4)).spec) == most_before_rounding(0.1, smooth((4, 4)).spec) == 0.1


def test_the_law_of_errors_hardly_matters_where_steps_are_fine() -> None:
    spec = noise((4, 4)).spec
    mse = 10**-3.5
    step = 1 / 255
    assert before_rounding(mse, spec) == pytest.approx(mse - step**2 / 12, rel=1e-3)
    assert most_before_rounding(mse, spec) == pytest.approx(before_rounding(mse, spec), rel=1e-3)

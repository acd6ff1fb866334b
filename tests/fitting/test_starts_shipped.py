"""The learned start that is part of the package, and fits that begin with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli_helpers import fit as fit_command
from cli_helpers import run, save_picture
from helpers import bytes_of
from partinr import (
    FAST,
    PAPER,
    Compute,
    FitResult,
    Gauss,
    Goal,
    Grid,
    Growing,
    InputError,
    Keep,
    Labels,
    Network,
    Quality,
    Signal,
    Siren,
    Start,
    Steps,
    Watch,
    fit,
    from_array,
    load_start,
    render,
    save_start,
)
from partinr import psnr as psnr_of
from partinr.fitting.starts import shipped as shipped_module
from partinr.fitting.starts.shipped import SHIPPED, narrowed, shipped_start, shipped_units
from partinr.model.kernel import why_missing

ENGINES = ["torch", *(["cpu"] if why_missing() is None else [])]
NETWORK = Siren(12, 2).suited_to(19)


def photograph(rows: int = 76, columns: int = 95, channels: int = 3) -> Signal:
    """A piece of a photograph that had no part in the learning."""
    import skimage.data

    piece = skimage.data.stereo_motorcycle()[0][200 : 200 + rows, 300 : 300 + columns]
    piece = np.concatenate([piece, piece[..., :1]], axis=-1)[..., :channels]
    return from_array(piece if channels > 1 else piece[..., 0], kind="image")


def begun(signal: Signal | None = None, *, goal: Goal = Steps(1), **more: Any) -> FitResult:  # noqa: B008
    given = photograph() if signal is None else signal
    return fit(given, goal=goal, watch=Watch(measure_at=(0,)), **more)


def shipped() -> Start:
    start = shipped_start(NETWORK, 2, "local")
    assert start is not None
    return start


def test_is_small_and_whole() -> None:
    folder = Path(shipped_module.__file__).parent / "data"
    assert {path.stem for path in folder.iterdir()} == set(SHIPPED)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2e6
    for path in folder.iterdir():
        start = load_start(path)
        assert (start.inner_steps, start.summary["name"]) == (0, path.stem)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_better_than_a_random_start_at_once_and_at_the_end(engine: str, channels: int) -> None:
    signal = photograph(38, 57, channels)
    for steps in (1, 12):
        learned, random = (
            begun(signal, goal=Steps(steps), start=start, compute=Compute(engine)) for start in ("auto", None)
        )
        assert learned.history.measured[0].psnr > random.history.measured[0].psnr + 1
        assert learned.psnr > random.psnr + 0.5


@pytest.mark.parametrize("engine", ENGINES)
def test_every_region_has_its_hidden_layers_and_a_solved_output_layer(engine: str) -> None:
    """The output layer is the ridge regression on the hidden features, written out for each region."""
    signal = photograph(38, 57)
    result = fit(
        signal,
        Grid(2, 3),
        NETWORK,
        goal=Steps(1),
        recipe=FAST.changed(blend=False, learning_rate=1e-30),
        compute=Compute(engine=engine),
    )
    start, own = shipped(), result.model.parameters[0]
    for layer in range(3):
        for array, given in (
            (own.weights[layer], start.parameters.weights[layer]),
            (own.biases[layer], start.parameters.biases[layer]),
        ):
            np.testing.assert_array_equal(array, np.broadcast_to(given, array.shape))
    edges = np.linspace(-1, 1, 19)
    x = np.array([[row, column] for row in edges for column in edges])
    for layer, omega in enumerate((NETWORK.omega_0, NETWORK.omega_hidden, NETWORK.omega_hidden)):
        weight, bias = start.parameters.weights[layer][0], start.parameters.biases[layer][0]
        x = np.sin(omega * (x @ weight.astype(np.float64) + bias.astype(np.float64)))
    design = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    gram = design.T @ design
    penalty = 1e-3 * gram.diagonal().mean() * np.ones(13)
    penalty[-1] = 0
    for region in range(6):
        row, column = divmod(region, 3)
        cell = signal.normalised()[19 * row : 19 * row + 19, 19 * column : 19 * column + 19]
        moment = design.T @ cell.reshape(-1, 3).astype(np.float64)
        solved = np.linalg.solve(gram + np.diag(penalty), moment)
        np.testing.assert_allclose(own.weights[-1][region], solved[:-1], rtol=1e-5, atol=2e-3)
        np.testing.assert_allclose(own.biases[-1][region], solved[-1], rtol=1e-5, atol=2e-3)


UNSUITED: dict[str, dict[str, Any]] = {
    "asked for none": {"start": None},
    "another width": {"network": replace(NETWORK, hidden=14)},
    "another depth": {"network": replace(NETWORK, layers=1)},
    "other frequencies": {"network": replace(NETWORK, omega_hidden=30.0)},
    "far larger cells": {"network": replace(NETWORK, omega_0=2 * NETWORK.omega_0)},
    "another network": {"network": Gauss(12, 2)},
    "another frame": {"recipe": FAST.changed(frame="global"), "network": NETWORK},
    "the paper's recipe": {"recipe": replace(PAPER, frame="local"), "network": NETWORK},
    "output layers as drawn": {"recipe": replace(FAST, solve_readout=False)},
    "one axis": {"signal": from_array(np.linspace(0, 1, 300)), "network": NETWORK},
}


@pytest.mark.parametrize("options", UNSUITED.values(), ids=UNSUITED)
def test_only_where_it_fits(options: dict[str, Any]) -> None:
    result = begun(**({"signal": photograph(38, 38)} | options))
    assert (result.start, result.started_from) == (None, "none")
    assert result.recipe.hold == FAST.hold


def test_whatever_the_partition() -> None:
    labels = (np.add.outer(np.arange(57), np.arange(57)) // 20).clip(0, 4)
    result = begun(signal=photograph(57, 57), partition=Labels(labels), network=NETWORK)
    assert result.started_from == "learned start siren-12x2"


def test_a_rate_that_was_asked_for_is_used_as_it_is() -> None:
    asked = begun(recipe=FAST.changed(learning_rate=1e-3))
    assert asked.recipe.learning_rate == 1e-3
    assert begun(goal=Steps(300), recipe=FAST.changed(learning_rate=1e-3)).recipe.learning_rate == 1e-3
    assert begun().recipe == replace(FAST, hold=0.15)
    assert FAST.from_start(299).learning_rate == FAST.learning_rate
    assert FAST.from_start(300).learning_rate < FAST.learning_rate
    assert begun(start=None).recipe == FAST


@pytest.mark.parametrize("steps", [299, 300])
def test_the_rate_follows_the_steps_that_are_planned(steps: int) -> None:
    """Whether the goal says them, or the recipe."""
    signal = photograph(19, 19)
    by_goal = begun(signal, network=NETWORK, goal=Steps(steps))
    by_recipe = begun(signal, network=NETWORK, goal=Steps(), recipe=replace(FAST, steps=steps))
    assert by_goal.recipe.learning_rate == by_recipe.recipe.learning_rate
    assert (by_goal.recipe.learning_rate < FAST.learning_rate) == (steps >= 300)
    assert bytes_of(by_goal.model) == bytes_of(by_recipe.model)
    # Steps to a quality that are found out on the way take the whole rate.
    assert begun(signal, network=NETWORK, goal=Quality(10.0)).recipe == FAST


def test_two_fits_agree_and_seeds_differ_in_the_order_of_samples_only() -> None:
    one, again, other = (begun(goal=Steps(3), seed=seed) for seed in (0, 0, 1))
    assert bytes_of(one.model) == bytes_of(again.model)
    assert one.history.measured[0].psnr == other.history.measured[0].psnr
    assert one.psnr != other.psnr


def test_saved_and_given_by_name_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "start.inr"
    save_start(shipped(), path, store="float16")
    given = begun(start=load_start(path), partition=Grid(4, 5), network=None)
    auto = begun(partition=Grid(4, 5), network=load_start(path).network)
    assert bytes_of(given.model) == bytes_of(auto.model)


def test_resumed_fits_know_it(tmp_path: Path) -> None:
    signal, goal, kept = photograph(38, 57), Steps(12), Keep(tmp_path / "state", resume=True)
    whole = fit(signal, goal=goal)
    fit(signal, goal=goal, keep=Keep(tmp_path / "state"), watch=Watch(lambda p: p.steps >= 5))
    with pytest.raises(InputError, match="other settings"):
        fit(signal, goal=goal, start=None, keep=kept)
    assert bytes_of(fit(signal, goal=goal, keep=kept).model) == bytes_of(whole.model)


def test_it_cannot_be_judged_by_inner_steps_that_it_has_not() -> None:
    start = shipped()
    assert start.inner_steps == 0
    assert psnr_of(photograph().values, render(begun().model), 255) > 15
    with pytest.raises(InputError, match="inner steps must be 1"):
        Start.fresh(NETWORK, 2, 3, steps=start.inner_steps)


def test_on_the_command_line(tmp_path: Path) -> None:
    source, out = save_picture(tmp_path / "p.png", photograph(57, 57).values), tmp_path / "p.inr"
    for more, told in (((), "learned start siren-12x2"), (("--init", "none"), "none")):
        ran = fit_command(source, "-o", out, "--steps", 2, "--json", *more)
        assert json.loads(ran.out)["init"] == told
        assert (f"started from  {told}" in run("info", out).out) == (told != "none")
    start = tmp_path / "start.inr"
    save_start(shipped(), start)
    told = run("info", start).out
    assert "any number of channels" in told
    assert "output layers are solved" in told
    assert fit_command(source, "-o", out, "--steps", 2, "--init", start).code == 0


def networks_and_spans() -> list[tuple[Network, bool]]:
    return [(Siren(12, 2).suited_to(span), 9 <= span <= 42) for span in (5, 9, 19, 21, 42, 50)]


@pytest.mark.parametrize(("network", "fits"), networks_and_spans(), ids=str)
def test_for_cells_of_about_its_size(network: Network, fits: bool) -> None:
    start = shipped_start(network, 2, "local")
    assert (start is not None) == fits
    assert start is None or start.network == network


def units() -> Start:
    start = shipped_units(2, "local")
    assert start is not None
    return start


def test_narrower_networks_take_units_from_the_least_to_the_greatest_frequency() -> None:
    start = units()
    whole, some = narrowed(start, 12), narrowed(start, 5)
    for a, b in zip(whole.arrays, start.parameters.arrays, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [tuple(weight.shape[1:]) for weight in some.weights[:-1]] == [(2, 5), (5, 5), (5, 5)]
    np.testing.assert_array_equal(some.weights[0][..., [0, 4]], start.parameters.weights[0][..., [0, 11]])
    # What reaches a unit is about as large as before.
    before, after = (np.square(each.weights[1]).sum(axis=1).mean() for each in (whole, some))
    assert 0.5 < after / before < 2


def test_a_structure_chosen_for_a_quality_begins_with_its_units() -> None:
    signal, start = photograph(), units()
    watch = Watch(lambda _: True, measure_at=(0,))
    learned = fit(signal, goal=Growing(32.0), watch=watch)
    random = fit(signal, goal=Growing(32.0), start=None, watch=watch)
    assert (learned.started_from, random.started_from) == ("learned start siren-12x2", "none")
    assert learned.history.measured[0].psnr > random.history.measured[0].psnr + 0.3
    seen = set()
    groups = zip(learned.model.networks, learned.model.structure.members, strict=True)
    for g, (own, members) in enumerate(groups):
        group, drawn = learned.model.parameters[g], random.model.parameters[g]
        hidden = own.hidden
        taken = 4 <= hidden <= 12
        seen.add(taken)
        assert np.array_equal(group.weights[1], drawn.weights[1]) != taken
        if taken:
            given = narrowed(start, hidden)
            np.testing.assert_array_equal(
                group.weights[1], np.broadcast_to(given.weights[1], group.weights[1].shape)
            )
            boxes = learned.model.partition.boxes
            assert boxes is not None
            side = int((boxes[:, 1] - boxes[:, 0]).max(axis=1)[members[0]])
            suited = replace(NETWORK, hidden=hidden).suited_to(side)
            assert isinstance(own, Siren)
            seen_frequencies = own.omega_0 * group.weights[0][0]
            np.testing.assert_allclose(seen_frequencies, suited.omega_0 * given.weights[0][0], rtol=1e-5)
            phases = start.network.omega_0 * given.biases[0][0]  # type: ignore[attr-defined]
            np.testing.assert_allclose(own.omega_0 * group.biases[0][0], phases, rtol=1e-5)
    assert True in seen


def test_a_structure_chosen_for_a_quality_needs_fewer_steps_from_it() -> None:
    signal = photograph(152, 190)
    assert fit(signal, goal=Growing(33.0)).steps < fit(signal, goal=Growing(33.0), start=None).steps


def test_other_signals_choose_their_structure_from_random_numbers() -> None:
    line = from_array(np.sin(np.linspace(0, 30, 300)))
    assert fit(line, goal=Growing(20.0)).started_from == "none"
    everywhere = FAST.changed(frame="global")
    assert fit(photograph(38, 38), goal=Growing(20.0), recipe=everywhere).started_from == "none"


def test_a_resumed_choice_of_structure_knows_it(tmp_path: Path) -> None:
    state, signal = tmp_path / "state", photograph(38, 57)
    goal = Growing(33.0)
    whole = fit(signal, goal=goal)
    fit(signal, goal=goal, keep=Keep(state), watch=Watch(lambda p: p.steps >= 20))
    with pytest.raises(InputError, match="other settings"):
        fit(signal, goal=goal, start=None, keep=Keep(state, resume=True))
    rest = fit(signal, goal=goal, keep=Keep(state, resume=True))
    assert rest.steps == whole.steps
    assert bytes_of(rest.model) == bytes_of(whole.model)

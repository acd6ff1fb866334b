import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import partinr
from helpers import bytes_of, noise, smooth
from partinr import (
    FAST,
    PAPER,
    Budget,
    Compute,
    Gauss,
    Grid,
    Growing,
    InputError,
    Keep,
    Piecewise,
    Quality,
    Recipe,
    Siren,
    Start,
    Steps,
    Structure,
    Watch,
    Whole,
    fit,
    render,
)
from partinr.signals.frames import raster

TINY = Siren(6, 1, omega_0=8.0)


@pytest.mark.parametrize("shape", [(300,), (31, 22), (9, 12, 10)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_default_fit_of_a_smooth_signal_is_good(shape: tuple[int, ...], channels: int) -> None:
    result = fit(smooth(shape, channels), goal=Steps(150))
    assert result.psnr > 35
    assert result.history.psnr[-1] > result.history.psnr[0] + 10


def test_the_psnr_is_that_of_the_rendered_signal() -> None:
    signal = noise((20, 16), 3)
    result = fit(signal, Grid(2, 2), TINY, goal=Steps(10))
    mse = np.mean((render(result.model).astype(float) - signal.values) ** 2)
    assert result.psnr == pytest.approx(10 * math.log10(255**2 / mse), abs=1e-9)


def test_the_first_loss_of_a_full_batch_is_that_of_the_initial_function() -> None:
    signal = smooth((12, 10), 2)
    result = fit(signal, Grid(2, 2), TINY, goal=Steps(1), recipe=PAPER, seed=5)
    structure = Structure(result.model.partition, (TINY,), signal.spec, "global")
    model = Piecewise(structure, tuple(structure.initialise(5)))
    error = model(raster((12, 10))) - signal.normalised().reshape(-1, 2)
    assert result.history.loss[0] == pytest.approx(float(np.mean(error**2)), rel=1e-5)


@pytest.mark.parametrize("recipe", [FAST, PAPER])
def test_the_same_seed_gives_the_same_bytes(recipe: partinr.Recipe) -> None:
    signal = noise((24, 30), 3)
    runs = [
        fit(signal, Grid(3, 3), TINY, goal=Steps(12), recipe=recipe, compute=Compute(threads=t), seed=s)
        for s, t in [(1, 1), (1, 2), (2, 1)]
    ]
    assert bytes_of(runs[0].model) == bytes_of(runs[1].model)
    assert bytes_of(runs[0].model) != bytes_of(runs[2].model)


def test_arrays_and_tensors_are_signals_too() -> None:
    values = np.linspace(0, 1, 120).reshape(10, 12)
    a, b = fit(values, goal=Steps(5)), fit(torch.as_tensor(values), goal=Steps(5))
    assert bytes_of(a.model) == bytes_of(b.model)
    assert a.model.signal.shape == (10, 12)


def test_a_target_out_of_reach_is_said_to_be_missed() -> None:
    result = fit(noise((40, 40)), Grid(2, 2), TINY, goal=Steps(30, psnr=60.0))
    assert result.stopped == "steps"
    assert not result.reached
    assert result.psnr < 60


def test_a_fit_can_start_from_another() -> None:
    signal = smooth((30, 30))
    first = fit(signal, Grid(2, 2), TINY, goal=Steps(80))
    further = fit(signal, goal=Steps(1), start=first.model)
    assert further.history.psnr[0] > first.history.psnr[0] + 3
    assert further.model.networks[0] == TINY


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partition": Grid(3, 3)}, "partition"),
        ({"network": Siren(7, 1)}, "networks"),
        ({"recipe": FAST.changed(frame="global")}, "frame"),
    ],
)
def test_a_start_of_another_shape_is_refused(changes: dict[str, Any], message: str) -> None:
    signal = smooth((30, 30))
    first = fit(signal, Grid(2, 2), TINY, goal=Steps(1))
    with pytest.raises(InputError, match=f"start must have the fit's {message}"):
        fit(signal, goal=Steps(1), start=first.model, **changes)


def test_going_on_leaves_the_start_as_it_was() -> None:
    signal = smooth((30, 30))
    first = fit(signal, Grid(2, 2), TINY, goal=Steps(5)).model
    before = bytes_of(first)
    assert bytes_of(fit(signal, goal=Steps(5), start=first).model) != before
    assert bytes_of(first) == before


IMPOSSIBLE: list[Callable[[], dict[str, Any]]] = [
    lambda: {"network": Budget(3)},
    lambda: {"compute": Compute(threads=0)},
    lambda: {"compute": Compute(threads=100_000)},
    lambda: {"compute": Compute(device="meta")},
    lambda: {"compute": Compute(device="nowhere")},
    lambda: {"compute": Compute(engine="warp")},
    lambda: {"seed": -1},
    lambda: {"seed": 10**30},
    lambda: {"recipe": FAST.changed(steps=0)},
    lambda: {"recipe": FAST.changed(batch=0)},
    lambda: {"recipe": FAST.changed(learning_rate=-1.0)},
    lambda: {"recipe": FAST.changed(learning_rate=math.inf)},
    lambda: {"recipe": FAST.changed(overlap=-1)},
    lambda: {"recipe": FAST.changed(overlap=1, blend=False)},
    lambda: {"partition": Grid(100, 100)},
    lambda: {"partition": Grid(3)},
]


@pytest.mark.parametrize("options", IMPOSSIBLE, ids=range(len(IMPOSSIBLE)))
def test_options_that_cannot_be_are_refused(options: Callable[[], dict[str, Any]]) -> None:
    with pytest.raises(InputError) as error:
        fit(noise((10, 10)), **options())
    assert "\n" not in str(error.value)


# Everything that a fit can be asked for, with the structure that goes with it.
MODES: dict[str, dict[str, Any]] = {
    "steps": {"goal": Steps(12)},
    "steps to a quality": {"partition": Grid(2, 2), "goal": Steps(40, psnr=12.0)},
    "the recipe's steps": {"partition": Grid(3, 2)},
    "quality": {"partition": Grid(2, 2), "goal": Quality(11.0)},
    "growing": {"goal": Growing(11.0)},
    "budget": {"network": Budget(3000), "goal": Steps(8)},
    "like": {"network": Budget(3000, Gauss(4, 1)), "goal": Steps(8)},
    "network": {"network": TINY, "goal": Steps(8)},
    "torch": {"network": TINY, "goal": Steps(8), "compute": Compute("torch")},
    "start": {"network": TINY, "goal": Steps(8), "start": "fit"},
    "learned start": {"goal": Steps(8), "start": "start"},
}


@pytest.mark.parametrize("recipe", [FAST, PAPER], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_recipe_may_be_called_anything(recipe: Recipe, mode: dict[str, Any]) -> None:
    signal, words, recipe = noise((24, 30)), dict(mode), replace(recipe, steps=15, like_one=None)
    if mode.get("start") == "fit":
        words["start"] = fit(signal, network=TINY, goal=Steps(2), recipe=recipe).model
    if mode.get("start") == "start":
        words["start"] = Start.fresh(TINY, dims=2, channels=1, frame="local", rate=0.01)
    named, renamed = (
        fit(signal, **words, recipe=replace(recipe, name=name)) for name in (recipe.name, "mine")
    )
    assert bytes_of(named.model) == bytes_of(renamed.model)
    assert (named.steps, named.psnr, named.stopped) == (renamed.steps, renamed.psnr, renamed.stopped)
    assert (named.precision, named.model.overlap) == (renamed.precision, renamed.model.overlap)
    assert renamed.recipe.name == "mine"


def test_the_published_recipe_may_be_called_anything() -> None:
    signal = noise((20, 20))
    named, renamed = (fit(signal, goal=Steps(1), recipe=one) for one in (PAPER, replace(PAPER, name="mine")))
    assert named.params == renamed.params
    assert bytes_of(named.model) == bytes_of(renamed.model)


def test_a_renamed_recipe_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    signal, words = noise((24, 24)), {"partition": Grid(2, 2), "goal": Steps(30)}
    whole = fit(signal, **words)  # type: ignore[arg-type]
    fit(signal, **words, keep=Keep(tmp_path), watch=Watch(lambda p: p.steps >= 5))  # type: ignore[arg-type]
    mine = replace(FAST, name="mine")
    resumed = fit(signal, **words, recipe=mine, keep=Keep(tmp_path, resume=True))  # type: ignore[arg-type]
    assert bytes_of(resumed.model) == bytes_of(whole.model)


@pytest.mark.parametrize("kind", [str, Path])
def test_the_path_of_a_file_is_a_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    values = noise((14, 17), 3).values
    Image.fromarray(values).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    result = fit(kind("photo.png"), goal=Steps(4))
    assert result.model.signal.kind == "image"
    np.testing.assert_array_equal(result.signal.values, values)
    assert bytes_of(result.model) == bytes_of(fit(partinr.read("photo.png"), goal=Steps(4)).model)


def test_a_path_to_nothing_is_named(tmp_path: Path) -> None:
    for missing in (tmp_path / "none.png", str(tmp_path / "none.png")):
        with pytest.raises(InputError, match=r"none\.png") as error:
            fit(missing)
        assert "\n" not in str(error.value)


def test_one_sample_is_enough() -> None:
    for signal in (noise((1, 1), 3), noise((1,)), smooth((1, 9)), np.full((4, 4), 7.0)):
        assert fit(signal, goal=Steps(40)).psnr > 20


def test_the_result_says_in_what_it_was_computed() -> None:
    signal, network = noise((8, 8)), Siren(4, 1)
    result = fit(signal, Whole(), network, goal=Steps(1), compute=Compute("torch"))
    assert (result.precision, result.engine, result.device) == ("fp32", "torch", "cpu")
    with pytest.raises(InputError, match="precision bf16"):
        fit(signal, Whole(), network, goal=Steps(1), compute=Compute("torch", precision="bf16"))


def test_the_rate_is_held_for_a_third_of_the_fit_and_falls_to_a_hundredth() -> None:
    fraction, late = np.linspace(0, 1, 61), np.full(61, 100.0)
    rates = FAST.schedule_at(fraction, late)
    assert (rates[fraction <= 1 / 3] == 1).all()
    assert (np.diff(rates[fraction > 1 / 3]) < 0).all()
    np.testing.assert_allclose(rates[40], 0.01 + 0.99 * (1 - np.sqrt(0.5)))
    np.testing.assert_allclose(rates[-1], 0.01)
    first = FAST.schedule_at(np.zeros(6), np.arange(6.0))
    np.testing.assert_allclose(first, [0.2, 0.4, 0.6, 0.8, 1, 1])
    cosine = replace(FAST, schedule="cosine").schedule_at(fraction, late)
    np.testing.assert_allclose(cosine[[0, 30, 60]], [1, 0.525, 0.05])

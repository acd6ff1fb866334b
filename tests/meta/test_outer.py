"""The outer loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import partinr
from partinr import (
    Crop,
    Grid,
    HeldOut,
    InputError,
    Keep,
    LearnResult,
    MetaCompute,
    MetaProgress,
    MetaRecipe,
    Rule,
    Siren,
    Start,
    Whole,
    learn_start,
    open_collection,
    save_start,
)
from partinr.fitting.starts.inner import meta_gradient, on_device
from partinr.fitting.starts.tasks import pack_tasks
from partinr.meta.collection import split
from partinr.signals.metrics import psnr_from_mse

TINY = Siren(6, 1, omega_0=8.0, omega_hidden=5.0)
RECIPE = MetaRecipe(steps=6, batch=2, learning_rate=1e-2)
CROP = Crop((10, 12))


def waves(folder: Path, count: int = 6) -> Path:
    """Smooth pictures that have something in common."""
    folder.mkdir(exist_ok=True)
    rows, columns = np.mgrid[:14, :16] / 14
    for i in range(count):
        picture = [np.sin(3 * rows + i / 5 + c) * np.cos(2 * columns) for c in range(3)]
        values = (127 + 100 * np.stack(picture, axis=-1)).astype(np.uint8)
        Image.fromarray(values).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return waves(tmp_path / "waves")


def fresh(**more: Any) -> Start:
    return Start.fresh(more.pop("network", TINY), 2, 3, **{"frame": "local", "rate": 0.02, "steps": 2} | more)


def learn(folder: Path, start: Start | None = None, recipe: MetaRecipe = RECIPE, **more: Any) -> LearnResult:
    options: dict[str, Any] = {"crop": CROP, "rule": Grid(2, 2)} | more
    return learn_start(open_collection(folder), start or fresh(), recipe, **options)


def arrays(start: Start) -> list[np.ndarray]:
    return [*start.parameters.arrays, *start.rates.values]


def numbers(result: LearnResult) -> bytes:
    return b"".join(array.tobytes() for array in arrays(result.start))


@pytest.mark.parametrize(
    ("method", "rule"), [("second-order", Whole()), ("first-order", Grid(2, 2)), ("reptile", partinr.SLIC(3))]
)
def test_learning_helps(folder: Path, method: Any, rule: Rule) -> None:
    kind: Any = "fixed" if method == "reptile" else "parameter-step"
    recipe = replace(RECIPE, method=method, steps=25)
    result = learn(folder, fresh(kind=kind), recipe, rule=rule)
    early, late = result.losses[:3, -1].mean(), result.losses[-3:, -1].mean()
    assert late < 0.7 * early
    # Steps of the inner loop go down.
    assert (np.diff(result.losses[-5:].mean(axis=0)) < 0).all()
    assert result.stopped == "steps"


def test_one_step_is_adams_first_step(folder: Path) -> None:
    """Which moves every number by the learning rate, against its gradient's sign."""
    start = fresh()
    result = learn(folder, start, replace(RECIPE, steps=1, batch=6))
    collection = open_collection(folder)
    signals = [CROP.of(collection.read(i)) for i in range(6)]
    tasks = pack_tasks(
        [s.normalised().reshape(-1, 3) for s in signals],
        [Grid(2, 2).partition(s) for s in signals],
        TINY,
        "local",
    )
    found = meta_gradient(on_device(start, "cpu"), tasks)
    gradient = [tensor.numpy() for tensor in (*found.parameters, *found.rates)]
    for after, before, slope in zip(arrays(result.start), arrays(start), gradient, strict=True):
        large = np.abs(slope) > 1e-5
        np.testing.assert_allclose(
            (after - before)[large], -0.01 * np.sign(slope[large]), rtol=1e-5, atol=1e-4
        )
    assert result.losses[0] == pytest.approx(found.losses.numpy(), rel=1e-5)


@pytest.mark.parametrize("kind", ["fixed", "learned", "step"])
def test_only_learned_rates_move(folder: Path, kind: Any) -> None:
    start = fresh(kind=kind)
    (rates,) = learn(folder, start).start.rates.values
    assert np.array_equal(rates, start.rates.values[0]) == (kind == "fixed")


def test_workers_do_not_change_anything(folder: Path) -> None:
    random = Crop((8, 9), where="random")
    runs = [learn(folder, crop=random, compute=MetaCompute(workers=workers)) for workers in (0, 2)]
    assert numbers(runs[0]) == numbers(runs[1])
    assert numbers(runs[0]) != numbers(learn(folder, crop=random, recipe=replace(RECIPE, seed=1)))


def test_a_pass_uses_every_signal_once(folder: Path) -> None:
    result = learn(folder, recipe=replace(RECIPE, steps=None))
    assert len(result.losses) == 3
    assert result.start.summary["steps"] == 3


def test_validation_is_the_quality_of_signals_held_out(folder: Path) -> None:
    kept, out = split(open_collection(folder), 2, seed=0)
    start = fresh()
    result = learn_start(kept, start, RECIPE, crop=CROP, rule=Grid(2, 2), held_out=HeldOut(out, 4))
    assert [look.step for look in result.validation] == [0, 4, 6]
    for look, learned in ((result.validation[0], start), (result.validation[-1], result.start)):
        expected = []
        for i in range(2):
            picture = CROP.of(out.read(i))
            values = [picture.normalised().reshape(-1, 3)]
            tasks = pack_tasks(values, [Grid(2, 2).partition(picture)], TINY, "local")
            expected.append(psnr_from_mse(float(meta_gradient(on_device(learned, "cpu"), tasks).losses[-1])))
        assert look.psnr == pytest.approx(np.mean(expected), abs=1e-3)
    assert result.start.summary["validation_psnr"] == result.validation[-1].psnr


def test_clipping_bounds_what_a_batch_can_do(folder: Path) -> None:
    # Adam does not see a constant factor; with a moment of another batch it does.
    free = learn(folder)
    assert numbers(learn(folder, recipe=replace(RECIPE, clip=1e9))) == numbers(free)
    assert numbers(learn(folder, recipe=replace(RECIPE, clip=1e-3))) != numbers(free)


def test_the_cosine_ends_at_nothing() -> None:
    recipe = MetaRecipe(schedule="cosine", learning_rate=2.0)
    assert [recipe.rate_at(step, 10) for step in (0, 5, 10)] == pytest.approx([2.0, 1.0, 0.0])


def test_the_callback_watches_and_stops(folder: Path) -> None:
    seen: list[MetaProgress] = []

    def watch(progress: MetaProgress) -> bool:
        seen.append(progress)
        return progress.step == 3

    result = learn(folder, callback=watch)
    assert result.stopped == "callback"
    assert len(result.losses) == 3
    assert [p.step for p in seen] == [0, 1, 2, 3]
    assert seen[0].after is None
    assert seen[3].after == pytest.approx(psnr_from_mse(result.losses[2, -1]))


def test_a_loss_that_is_no_number_keeps_the_last_good_start(folder: Path, tmp_path: Path) -> None:
    wild = replace(RECIPE, learning_rate=1e30, steps=20)
    result = learn(folder, recipe=wild, keep=Keep(tmp_path / "state"))
    assert result.stopped == "diverged"
    good = len(result.losses)
    assert good < 20
    assert all(np.isfinite(array).all() for array in result.start.parameters.arrays)
    save_start(result.start, tmp_path / "kept.inr")
    again = learn(folder, recipe=wild, keep=Keep(tmp_path / "state", resume=True))
    assert (again.stopped, len(again.losses)) == ("diverged", good)
    assert numbers(again) == numbers(result)


class TestCheckpoints:
    """Stopped by whatever, learning goes on where it was."""

    def test_resumed_in_another_run(self, folder: Path, tmp_path: Path) -> None:
        whole = learn(folder)
        state = tmp_path / "state"
        first = learn(folder, keep=Keep(state), callback=lambda progress: progress.step == 3)
        assert first.stopped == "callback"
        rest = learn(folder, keep=Keep(state, resume=True))
        assert numbers(rest) == numbers(whole)
        assert np.array_equal(rest.losses, whole.losses)
        # Resumed once more, there is nothing left to do.
        assert numbers(learn(folder, keep=Keep(state, resume=True))) == numbers(whole)

    def test_other_settings_are_refused(self, folder: Path, tmp_path: Path) -> None:
        state = tmp_path / "state"
        learn(folder, keep=Keep(state))
        with pytest.raises(InputError, match="holds a checkpoint; go on"):
            learn(folder, keep=Keep(state))
        for more in (
            {"recipe": replace(RECIPE, batch=3)},
            {"rule": Whole()},
            {"crop": Crop((9, 9))},
            {"start": fresh(seed=1)},
        ):
            with pytest.raises(InputError, match="other settings"):
                learn(folder, keep=Keep(state, resume=True), **more)

    def test_resume_without_a_checkpoint_begins(self, folder: Path, tmp_path: Path) -> None:
        assert numbers(learn(folder, keep=Keep(tmp_path / "new", resume=True))) == numbers(learn(folder))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "crop larger than every image": ({"crop": Crop((64, 64))}, "none of 6 signals can be used.*smaller than"),
    "crop of other axes": ({"crop": Crop((8,))}, "the start's 2 axes"),
    "channels": ({"start": Start.fresh(TINY, 2, 1)}, "expected 1 channels, got 3"),
    "grid": ({"rule": Grid(20, 20)}, "none of 6 signals can be used.*grid:20x20"),
    "rates": ({"recipe": replace(RECIPE, method="reptile")}, "reptile learns no rates"),
}


@pytest.mark.parametrize(("more", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_learned(folder: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        learn(folder, **more)
    assert "\n" not in str(caught.value)


def test_looks_that_make_no_sense(folder: Path) -> None:
    with pytest.raises(InputError, match="must be at least 1, got 0"):
        HeldOut(open_collection(folder), every=0)


def test_memory_does_not_change_what_is_learned(folder: Path) -> None:
    little = learn(folder, compute=MetaCompute(at_once=1))
    for one, other in zip(arrays(little.start), arrays(learn(folder).start), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("wrong", ["batch", "steps", "learning_rate", "clip"])
def test_recipes_that_make_no_sense(wrong: str) -> None:
    with pytest.raises(InputError, match="must be"):
        MetaRecipe(**{wrong: 0})  # type: ignore[arg-type]

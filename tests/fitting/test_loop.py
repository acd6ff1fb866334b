import dataclasses
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import partinr
from helpers import bytes_of, noise, patchy, smooth
from killing import ends_the_same_after_kills
from partinr import (
    FAST,
    PAPER,
    Compute,
    DivergedError,
    Goal,
    Grid,
    Growing,
    InputError,
    Keep,
    Progress,
    Quality,
    ReluHarmonic,
    Seconds,
    Siren,
    Steps,
    Structure,
    Watch,
    Whole,
    fit,
)
from partinr.engines import Engine, select
from partinr.fitting.settings import settings_of
from partinr.model.rendering import Quality as Measured
from partinr.model.rendering import quality

TINY = Siren(6, 1, omega_0=8.0)


def test_history_has_one_entry_a_step() -> None:
    result = fit(smooth((20, 16)), Grid(2, 2), TINY, goal=Steps(37))
    assert len(result.history) == result.steps == 37
    assert result.history.step.tolist() == list(range(37))
    assert (np.diff(result.history.seconds) >= 0).all()
    assert result.stopped == "steps"


def test_seconds_limit_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on by a hundredth of a second whenever it is looked at."""
    looks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(looks) / 100)
    result = fit(noise((60, 60), 3), goal=Steps(within=Seconds(1.0)))
    assert result.stopped == "time"
    assert result.steps == len(result.history) > 5
    assert 0.9 < result.history.seconds[-1] < 1.5


def test_the_callback_sees_progress_and_can_stop_the_fit() -> None:
    seen: list[Progress] = []

    def callback(progress: Progress) -> bool:
        seen.append(progress)
        return progress.steps >= 3

    result = fit(noise((20, 20)), Grid(2, 2), TINY, goal=Steps(50), watch=Watch(callback))
    assert result.stopped == "callback"
    assert result.steps <= 50
    assert [p.steps for p in seen] == sorted(p.steps for p in seen)
    assert seen[0].steps == 0
    assert seen[0].remaining is None
    assert all(0 < p.fraction <= 1 and p.remaining is not None for p in seen if p.steps)
    assert np.isfinite(result.psnr)


def test_quality_is_measured_along_the_way_and_changes_nothing() -> None:
    signal = noise((20, 16), 3)
    undisturbed = fit(signal, Grid(2, 2), TINY, goal=Steps(30))
    watched = fit(signal, Grid(2, 2), TINY, goal=Steps(30), watch=Watch(measure_at=(0, 7, 12, 30, 99)))
    assert bytes_of(watched.model) == bytes_of(undisturbed.model)
    np.testing.assert_array_equal(watched.history.loss, undisturbed.history.loss)
    assert undisturbed.history.measured == []
    assert [m.steps for m in watched.history.measured] == [0, 7, 12, 30]
    last = watched.history.measured[-1]
    assert (last.psnr, last.ssim) == (watched.psnr, watched.ssim)
    # At a constant rate, the first seven steps are those of a fit of seven.
    recipe = dataclasses.replace(FAST, schedule="constant", overlap=0)
    part = fit(signal, Grid(2, 2), TINY, goal=Steps(7), recipe=recipe)
    whole = fit(signal, Grid(2, 2), TINY, goal=Steps(30), recipe=recipe, watch=Watch(measure_at=[7]))
    assert [(m.psnr, m.ssim) for m in whole.history.measured] == [(part.psnr, part.ssim)]


def test_measuring_stops_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=1.0)
    spent = 0.0

    def look_for_hours(*arguments: Any) -> Measured:
        nonlocal spent
        spent += 1e6
        return quality(*arguments)

    monkeypatch.setattr(time, "perf_counter", lambda: next(clock) + spent)
    monkeypatch.setattr(partinr.fitting.loop, "quality", look_for_hours)
    watch = Watch(measure_at=range(9))
    history = fit(smooth((20, 16)), Grid(2, 2), TINY, goal=Steps(9), watch=watch).history
    assert [m.steps for m in history.measured] == list(range(9))
    assert spent == 9e6
    assert history.seconds[-1] < 1e6
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(history.measured))


CHECKPOINTED: dict[str, Any] = {"partition": Grid(3, 3), "network": Siren(8, 1), "goal": Steps(60), "seed": 3}
LOOKS = (4, 60)


def test_resuming_a_stopped_fit_gives_the_same_bytes(tmp_path: Path) -> None:
    signal = noise((40, 40), 3)
    whole = fit(signal, **CHECKPOINTED, watch=Watch(measure_at=LOOKS))

    def stop(progress: Progress) -> bool:
        return progress.steps > 20

    fit(signal, **CHECKPOINTED, keep=Keep(tmp_path / "c"), watch=Watch(stop, LOOKS))
    again: dict[str, Any] = {"keep": Keep(tmp_path / "c", resume=True), "watch": Watch(measure_at=LOOKS)}
    resumed = fit(signal, **CHECKPOINTED, **again)
    assert bytes_of(resumed.model) == bytes_of(whole.model)
    np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)
    finished = fit(signal, **CHECKPOINTED, **again)
    assert bytes_of(finished.model) == bytes_of(whole.model)
    for other in (resumed, finished):
        measured = [(m.steps, m.psnr, m.ssim) for m in other.history.measured]
        assert measured == [(m.steps, m.psnr, m.ssim) for m in whole.history.measured]
    assert len(measured) == 2


# A fit for every goal that there is, each of several rounds and, but for the first, of several looks.
COURSES: dict[str, dict[str, Any]] = {
    "steps": {"partition": Grid(5, 7), "network": TINY, "goal": Steps(45)},
    "steps by torch": {
        "partition": Grid(5, 7),
        "network": TINY,
        "goal": Steps(31),
        "compute": Compute("torch"),
    },
    "steps without blending": {
        "partition": Grid(3, 3),
        "network": TINY,
        "goal": Steps(45),
        "recipe": FAST.changed(blend=False),
    },
    "the recipe's steps": {"network": TINY, "recipe": FAST.changed(steps=45)},
    "published": {"partition": Grid(2, 2), "network": TINY, "goal": Steps(45), "recipe": PAPER},
    "steps to a quality": {"partition": Grid(2, 2), "goal": Steps(300, psnr=19.0)},
    "quality": {
        "partition": Grid(2, 2),
        "network": Siren(10, 1),
        "goal": Quality(18.0),
        "recipe": FAST.changed(steps=200),
    },
    "quality of a blend": {
        "partition": Grid(2, 2),
        "network": Siren(10, 1),
        "goal": Quality(18.0),
        "recipe": FAST.changed(steps=200, overlap=1),
    },
    "quality at one rate": {
        "partition": Grid(2, 2),
        "network": Siren(10, 1),
        "goal": Quality(15.5),
        "recipe": FAST.changed(steps=30, schedule="constant"),
    },
    "growing": {
        "signal": patchy((40, 50), 2),
        "goal": Growing(24.0),
        "recipe": FAST.changed(steps=50),
    },
}


def in_rounds(monkeypatch: pytest.MonkeyPatch, seconds: float, steps: int) -> None:
    """Rounds that take so long, or up to so many steps."""
    monkeypatch.setattr(partinr.fitting.loop, "_ROUND_SECONDS", seconds)
    monkeypatch.setattr(partinr.fitting.loop, "_ROUND_STEPS", steps)


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_every_goal_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, course: dict[str, Any]
) -> None:
    course = {"signal": noise((26, 27)), **course}
    whole = fit(**course)
    assert whole.steps > 30
    monkeypatch.setattr(partinr.fitting.loop, "_CHECKPOINT_SECONDS", 0.0)
    in_rounds(monkeypatch, 0.0, 1)
    for at in (0, 1, whole.steps // 4, whole.steps // 3, whole.steps - 1):
        folder = tmp_path / str(at)
        cut = fit(**course, keep=Keep(folder), watch=Watch(lambda p, at=at: p.steps >= at))
        assert cut.stopped == "callback"
        assert at - 1 <= cut.steps <= at  # a round that is told to stop at its end counts for nothing
        resumed = fit(**course, keep=Keep(folder, resume=True))
        assert bytes_of(resumed.model) == bytes_of(whole.model)
        np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)
        assert (resumed.stopped, resumed.psnr) == (whole.stopped, whole.psnr)


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_the_length_of_rounds_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, course: dict[str, Any]
) -> None:
    rounds: list[int] = []
    engine = type(select(course.get("compute", Compute()).engine, "cpu", None, TINY))
    advance = engine.advance_all

    def counted(self: Engine, work: Any, tick: Any) -> Any:
        rounds[-1] += 1
        return advance(self, work, tick)

    monkeypatch.setattr(engine, "advance_all", counted)
    course, results = {"signal": noise((26, 27)), **course}, []
    for seconds, steps in ((0.0, 1), (0.0, 3), (1e6, 1000)):
        in_rounds(monkeypatch, seconds, steps)
        rounds.append(0)
        results.append(fit(**course))
    assert results[0].steps == rounds[0] > rounds[1] > rounds[2]
    for other in results[1:]:
        assert bytes_of(other.model) == bytes_of(results[0].model)
        np.testing.assert_array_equal(other.history.loss, results[0].history.loss)
        assert (other.stopped, other.psnr) == (results[0].stopped, results[0].psnr)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    signal, kept = noise((40, 40), 3), Keep(tmp_path, resume=True)
    fit(signal, **CHECKPOINTED, keep=Keep(tmp_path))
    changes: list[tuple[dict[str, Any], str]] = [
        ({"seed": 4}, "seed was 3, now 4"),
        ({"goal": Steps(61)}, "goal.steps was 60, now 61"),
        ({"goal": Steps(60, psnr=50.0)}, "goal.psnr was None, now 50.0"),
        ({"goal": Steps(60, within=Seconds(9))}, "goal.within was None, now 9"),
        ({"partition": Grid(2, 2)}, "partition was"),
        ({"network": Siren(9, 1)}, "networks was"),
        ({"recipe": FAST.changed(learning_rate=1e-3)}, "recipe.learning_rate was"),
        ({"recipe": FAST.changed(overlap=0)}, "overlap was 1, now 0"),
        ({"watch": Watch(measure_at=[4])}, "measure_at was"),
    ]
    for change, message in changes:
        with pytest.raises(InputError, match=f"work with other settings: {message}") as error:
            fit(signal, **(CHECKPOINTED | change), keep=kept)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="other settings: signal"):
        fit(noise((40, 40), 3, seed=1), **CHECKPOINTED, keep=kept)
    with pytest.raises(InputError, match="holds the checkpoint"):
        fit(signal, **CHECKPOINTED, keep=Keep(tmp_path))


@pytest.mark.parametrize("ours", [Steps(40), Quality(12.0), Growing(12.0, max_params=900)], ids=repr)
@pytest.mark.parametrize("theirs", [Steps(40), Quality(12.0), Growing(12.0, max_params=900)], ids=repr)
def test_a_checkpoint_of_another_goal_is_refused_by_its_name(
    tmp_path: Path, ours: Goal, theirs: Goal
) -> None:
    signal, recipe = noise((24, 24)), FAST.changed(steps=20)
    fit(signal, goal=theirs, recipe=recipe, keep=Keep(tmp_path))
    kept = (tmp_path / "state.safetensors").read_bytes()
    if type(ours) is type(theirs):
        fit(signal, goal=ours, recipe=recipe, keep=Keep(tmp_path, resume=True))
        return
    names = f"goal.name was {type(theirs).__name__}, now {type(ours).__name__}"
    with pytest.raises(InputError, match=names) as error:
        fit(signal, goal=ours, recipe=recipe, keep=Keep(tmp_path, resume=True))
    assert "\n" not in str(error.value)
    assert (tmp_path / "state.safetensors").read_bytes() == kept


def test_numbers_of_numpy_are_kept_like_others() -> None:
    signal = noise((20, 20))
    structure = Structure(Grid(2, 2).partition(signal), (TINY,), signal.spec, "local")
    ours = settings_of(signal, structure, seed=3, psnr=38.0, measure_at=[0, 4])
    assert ours == settings_of(
        signal, structure, seed=np.int64(3), psnr=np.float32(38), measure_at=list(np.arange(0, 5, 4))
    )
    with pytest.raises(TypeError, match="settings are numbers, words and None, got complex"):
        settings_of(signal, structure, seed=3j)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    signal = noise((40, 40), 3)
    fit(signal, keep=Keep(tmp_path), **CHECKPOINTED)  # type: ignore[arg-type]
    file = tmp_path / "state.safetensors"
    for damaged in (b"", file.read_bytes()[:100], b"nonsense" * 50):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match="not a readable checkpoint"):
            fit(signal, keep=Keep(tmp_path, resume=True), **CHECKPOINTED)  # type: ignore[arg-type]


SCRIPT = """
import sys
import numpy as np
import partinr, partinr.fitting.loop
partinr.fitting.loop._CHECKPOINT_SECONDS = 0.0
partinr.fitting.loop._ROUND_SECONDS = 0.01
values = np.random.default_rng(0).integers(0, 256, ({size}, {size}, 3), dtype=np.uint8)
print("started", flush=True)
result = partinr.fit(
    partinr.from_array(values, kind="image"), {words},
    keep=partinr.Keep(sys.argv[1], resume=True), compute=partinr.Compute(threads=1),
)
partinr.save(result.model, sys.argv[2], summary={{"steps": result.steps, "stopped": result.stopped}})
"""
KILLED = {
    "steps": (120, "partinr.Grid(4, 4), partinr.Siren(16, 2), goal=partinr.Steps(120)"),
    "steps to a quality": (
        100,
        "partinr.Grid(4, 4), partinr.Siren(16, 2), goal=partinr.Steps(400, psnr=11.0)",
    ),
    "quality": (
        100,
        "partinr.Grid(4, 4), partinr.Siren(16, 2), goal=partinr.Quality(11.0), "
        "recipe=partinr.FAST.changed(steps=40)",
    ),
}


@pytest.mark.parametrize(("size", "words"), KILLED.values(), ids=KILLED)
def test_a_fit_killed_at_random_moments_ends_with_the_same_bytes(
    tmp_path: Path, size: int, words: str
) -> None:
    ends_the_same_after_kills(SCRIPT.format(size=size, words=words), tmp_path, attempts=3)


def test_a_diverging_fit_names_the_step() -> None:
    with pytest.raises(DivergedError, match=r"step \d+"):
        fit(
            noise((10, 10)),
            Whole(),
            ReluHarmonic(16, 3, 4),
            goal=Steps(50),
            recipe=FAST.changed(learning_rate=1e30),
        )


def test_a_last_step_that_diverges_is_noticed() -> None:
    with pytest.raises(DivergedError, match="after step 1"):
        fit(noise((10, 10)), Whole(), TINY, goal=Steps(1), recipe=PAPER.changed(learning_rate=1e300))

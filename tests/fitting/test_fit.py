import dataclasses
import itertools
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import partinr
from helpers import noise, smooth
from killing import ends_the_same_after_kills
from partinr import (
    FAST,
    PAPER,
    DivergedError,
    FitResult,
    Grid,
    InputError,
    Network,
    Progress,
    Recipe,
    ReluHarmonic,
    Siren,
    Whole,
    fit,
    render,
)
from partinr.fitting.defaults import precision_for
from partinr.fitting.loop import Training
from partinr.model.rendering import Quality, quality
from partinr.signals.frames import raster

TINY = Siren(6, 1, omega_0=8.0)


def bytes_of(result: FitResult) -> bytes:
    return b"".join(p.detach().numpy().tobytes() for p in result.model.parameters())


@pytest.mark.parametrize("shape", [(300,), (31, 22), (9, 12, 10)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_default_fit_of_a_smooth_signal_is_good(shape: tuple[int, ...], channels: int) -> None:
    result = fit(smooth(shape, channels), steps=150)
    assert result.psnr > 35
    assert result.history.psnr[-1] > result.history.psnr[0] + 10


def test_the_psnr_is_that_of_the_rendered_signal() -> None:
    signal = noise((20, 16), 3)
    result = fit(signal, Grid(2, 2), TINY, steps=10)
    mse = np.mean((render(result.model).astype(float) - signal.values) ** 2)
    assert result.psnr == pytest.approx(10 * math.log10(255**2 / mse), abs=1e-9)


def test_history_has_one_entry_a_step() -> None:
    result = fit(smooth((20, 16)), Grid(2, 2), TINY, steps=37)
    assert len(result.history) == result.steps == 37
    assert result.history.step.tolist() == list(range(37))
    assert (np.diff(result.history.seconds) >= 0).all()
    assert result.stopped == "steps"


def test_the_first_loss_of_a_full_batch_is_that_of_the_initial_function() -> None:
    signal = smooth((12, 10), 2)
    result = fit(signal, Grid(2, 2), TINY, recipe=PAPER, steps=1, seed=5)
    model = partinr.PiecewiseINR(result.model.partition, TINY, signal.spec, "global")
    model.initialise(5)
    error = model(torch.as_tensor(raster((12, 10)))).detach().numpy() - signal.normalised().reshape(-1, 2)
    assert result.history.loss[0] == pytest.approx(float(np.mean(error**2)), rel=1e-5)


@pytest.mark.parametrize("recipe", [FAST, PAPER])
def test_the_same_seed_gives_the_same_bytes(recipe: partinr.Recipe) -> None:
    signal = noise((24, 30), 3)
    runs = [
        fit(signal, Grid(3, 3), TINY, recipe=recipe, steps=12, seed=s, threads=t)
        for s, t in [(1, 1), (1, 2), (2, 1)]
    ]
    assert bytes_of(runs[0]) == bytes_of(runs[1])
    assert bytes_of(runs[0]) != bytes_of(runs[2])


def test_arrays_and_tensors_are_signals_too() -> None:
    values = np.linspace(0, 1, 120).reshape(10, 12)
    a, b = fit(values, steps=5), fit(torch.as_tensor(values), steps=5)
    assert bytes_of(a) == bytes_of(b)
    assert a.model.signal.shape == (10, 12)


def test_defaults_count_parameters_as_published() -> None:
    signal = noise((64, 64), 3)
    for rule, network, params in (
        (Whole(), None, 791_043),
        (Grid(3, 3), None, 794_097),
        (Whole(), "relu", 912_899),
        (Grid(3, 3), "relu", 920_439),
    ):
        made = rule.partition(signal)
        shape = partinr.fitting.defaults.network_for(network or "siren", PAPER, signal.spec, made)
        assert made.regions * shape.params(2, 3) == params


@pytest.mark.parametrize("budget", [400, 5_000, 60_000])
@pytest.mark.parametrize("rule", [None, Grid(2, 2)])
def test_a_budget_is_used_and_kept(budget: int, rule: Grid | None) -> None:
    result = fit(noise((50, 60), 3), rule, params=budget, steps=1)
    assert result.params <= budget
    width = result.model.group_list[0].network.hidden
    wider = dataclasses.replace(result.model.group_list[0].network, hidden=width + 1)
    assert result.regions * wider.params(2, 3) > budget


def test_a_target_stops_the_fit_once_it_is_rendered() -> None:
    result = fit(smooth((40, 40)), Grid(2, 2), psnr=30.0)
    assert result.stopped == "psnr"
    assert result.reached
    assert 30 <= result.psnr < 36
    assert result.steps < FAST.steps


def test_a_target_out_of_reach_is_said_to_be_missed() -> None:
    result = fit(noise((40, 40)), Grid(2, 2), TINY, psnr=60.0, steps=30)
    assert result.stopped == "steps"
    assert not result.reached
    assert result.psnr < 60


def test_a_target_alone_takes_the_steps_that_it_needs() -> None:
    signal = smooth((60, 50), 3)
    low, high = (fit(signal, Grid(2, 2), psnr=psnr) for psnr in (30.0, 45.0))
    for result in (low, high):
        assert result.stopped == "psnr"
        assert result.target is not None
        assert 0 <= result.psnr - result.target < 1
    assert low.steps < high.steps < FAST.steps
    # Cut off at the same step, the schedule of the whole recipe has not come as far.
    assert fit(signal, Grid(2, 2), steps=FAST.steps, measure_at=[high.steps]).history.measured[0].psnr < 45


def test_a_target_is_that_of_the_blend_where_regions_overlap() -> None:
    signal = smooth((60, 50), 3)
    result = fit(signal, Grid(3, 3), psnr=36.0, overlap=2)
    assert result.stopped == "psnr"
    assert 0 <= result.psnr - 36 < 1
    assert result.model.overlap == 2


@pytest.mark.parametrize("hold", [0.0, 0.15, 1 / 3, 0.6])
def test_the_rate_to_a_target_is_that_of_a_fit_of_so_many_steps(
    monkeypatch: pytest.MonkeyPatch, hold: float
) -> None:
    seen: list[float] = []
    planned: list[int | None] = []
    rates = Training._rates

    def recorded(self: Training, group: Any, start: int, stop: int) -> Any:
        found = rates(self, group, start, stop)
        seen[start:stop] = found.tolist()
        return found

    monkeypatch.setattr(Training, "_rates", recorded)
    recipe = dataclasses.replace(FAST, hold=hold)
    signal = smooth((60, 50), 3)
    result = fit(
        signal, Grid(2, 2), TINY, recipe=recipe, psnr=30.0, callback=lambda p: planned.append(p.total_steps)
    )
    assert result.stopped == "psnr"
    assert planned[-1] is not None
    assert result.steps <= planned[-1] <= FAST.steps
    steps = np.arange(result.steps, dtype=np.float64)
    share = recipe.schedule_at((steps + 1) / planned[-1], steps)
    np.testing.assert_allclose(seen, recipe.rate_for(TINY.hidden) * share)


def test_a_target_out_of_reach_takes_cycles_up_to_seven_times_the_steps() -> None:
    short = dataclasses.replace(FAST, steps=10)
    result = fit(noise((20, 20)), Grid(2, 2), TINY, recipe=short, psnr=60.0)
    assert (result.steps, result.stopped) == (70, "steps")
    constant = dataclasses.replace(short, schedule="constant")
    assert fit(noise((20, 20)), Grid(2, 2), TINY, recipe=constant, psnr=60.0).steps == 70
    shortest = dataclasses.replace(short, steps=1)
    assert fit(noise((20, 20)), Grid(2, 2), TINY, recipe=shortest, psnr=60.0).steps == 7


def test_a_second_cycle_reaches_what_the_first_one_missed() -> None:
    short = dataclasses.replace(FAST, steps=30)
    reached = fit(noise((24, 24)), Grid(2, 2), recipe=short, steps=30).psnr
    result = fit(noise((24, 24)), Grid(2, 2), recipe=short, psnr=reached + 1)
    assert result.reached
    assert 30 < result.steps < 7 * 30


def test_a_target_is_reached_at_the_same_step_however_often_one_looks() -> None:
    signal = smooth((40, 40), 3)
    undisturbed = fit(signal, Grid(2, 2), psnr=40.0)
    watched = fit(signal, Grid(2, 2), psnr=40.0, measure_at=(1, 9, 10, 11, 23, 37))
    assert bytes_of(watched) == bytes_of(undisturbed)
    np.testing.assert_array_equal(watched.history.loss, undisturbed.history.loss)


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_fit_to_a_target_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlap: int
) -> None:
    monkeypatch.setattr(partinr.fitting.loop, "_CHECKPOINT_SECONDS", 0.0)
    signal = noise((24, 24))
    words: dict[str, Any] = {
        "partition": Grid(2, 2),
        "recipe": dataclasses.replace(FAST, steps=30),
        "overlap": overlap,
        "psnr": fit(signal, Grid(2, 2), steps=30, overlap=overlap).psnr + 1,
    }
    whole = fit(signal, **words)
    assert whole.steps > 30
    for at in (5, 20, 31, 34, whole.steps - 2):
        folder = tmp_path / str(at)
        cut = fit(signal, **words, checkpoint=folder, callback=lambda p, at=at: p.steps >= at)
        assert cut.stopped == "callback"
        resumed = fit(signal, **words, checkpoint=folder, resume=True)
        assert bytes_of(resumed) == bytes_of(whole)
        np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)


def test_seconds_limit_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on by a hundredth of a second whenever it is looked at."""
    looks = itertools.count()
    stopwatch = SimpleNamespace(perf_counter=lambda: next(looks) / 100)
    monkeypatch.setattr(partinr.fitting.loop, "time", stopwatch)
    result = fit(noise((60, 60), 3), seconds=1.0)
    assert result.stopped == "time"
    assert result.steps == len(result.history) > 5
    assert 0.9 < result.history.seconds[-1] < 1.5


def test_the_callback_sees_progress_and_can_stop_the_fit() -> None:
    seen: list[Progress] = []

    def callback(progress: Progress) -> bool:
        seen.append(progress)
        return progress.steps >= 3

    result = fit(noise((20, 20)), Grid(2, 2), TINY, steps=50, callback=callback)
    assert result.stopped == "callback"
    assert result.steps <= 50
    assert [p.steps for p in seen] == sorted(p.steps for p in seen)
    assert seen[0].steps == 0
    assert seen[0].remaining is None
    assert all(0 < p.fraction <= 1 and p.remaining is not None for p in seen if p.steps)
    assert np.isfinite(result.psnr)


def test_quality_is_measured_along_the_way_and_changes_nothing() -> None:
    signal = noise((20, 16), 3)
    undisturbed = fit(signal, Grid(2, 2), TINY, steps=30)
    watched = fit(signal, Grid(2, 2), TINY, steps=30, measure_at=(0, 7, 12, 30, 99))
    assert bytes_of(watched) == bytes_of(undisturbed)
    np.testing.assert_array_equal(watched.history.loss, undisturbed.history.loss)
    assert undisturbed.history.measured == []
    assert [m.steps for m in watched.history.measured] == [0, 7, 12, 30]
    last = watched.history.measured[-1]
    assert (last.psnr, last.ssim) == (watched.psnr, watched.ssim)
    # At a constant rate, the first seven steps are those of a fit of seven.
    recipe = dataclasses.replace(FAST, schedule="constant", overlap=0)
    part = fit(signal, Grid(2, 2), TINY, recipe=recipe, steps=7)
    whole = fit(signal, Grid(2, 2), TINY, recipe=recipe, steps=30, measure_at=[7])
    assert [(m.psnr, m.ssim) for m in whole.history.measured] == [(part.psnr, part.ssim)]


def test_measuring_stops_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=1.0)
    spent = 0.0

    def look_for_hours(*arguments: Any) -> Quality:
        nonlocal spent
        spent += 1e6
        return quality(*arguments)

    stopwatch = SimpleNamespace(perf_counter=lambda: next(clock) + spent)
    monkeypatch.setattr(partinr.fitting.loop, "time", stopwatch)
    monkeypatch.setattr(partinr.fitting.loop, "quality", look_for_hours)
    history = fit(smooth((20, 16)), Grid(2, 2), TINY, steps=9, measure_at=range(9)).history
    assert [m.steps for m in history.measured] == list(range(9))
    assert spent == 9e6
    assert history.seconds[-1] < 1e6
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(history.measured))


def test_a_fit_can_start_from_another() -> None:
    signal = smooth((30, 30))
    first = fit(signal, Grid(2, 2), TINY, steps=80)
    further = fit(signal, init=first.model, steps=1)
    assert further.history.psnr[0] > first.history.psnr[0] + 3
    assert further.model.group_list[0].network == TINY


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partition": Grid(3, 3)}, "partition"),
        ({"network": Siren(7, 1)}, "networks"),
        ({"frame": "global"}, "frame"),
    ],
)
def test_a_start_of_another_shape_is_refused(changes: dict[str, object], message: str) -> None:
    signal = smooth((30, 30))
    first = fit(signal, Grid(2, 2), TINY, steps=1)
    with pytest.raises(InputError, match=f"start must have the fit's {message}"):
        fit(signal, init=first.model, steps=1, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 0},
        {"steps": -3},
        {"psnr": -1.0},
        {"psnr": math.nan},
        {"seconds": 0.0},
        {"params": 0},
        {"params": 3},
        {"threads": 0},
        {"threads": 100_000},
        {"seed": -1},
        {"seed": 10**30},
        {"steps": 10**30},
        {"device": "meta"},
        {"batch": 0},
        {"learning_rate": -1.0},
        {"learning_rate": math.inf},
        {"engine": "warp"},
        {"device": "nowhere"},
        {"partition": Grid(100, 100)},
        {"partition": Grid(3)},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError) as error:
        fit(noise((10, 10)), **options)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_a_diverging_fit_names_the_step() -> None:
    with pytest.raises(DivergedError, match=r"step \d+"):
        fit(noise((10, 10)), Whole(), ReluHarmonic(16, 3, 4), learning_rate=1e30, steps=50)


def test_a_last_step_that_diverges_is_noticed() -> None:
    with pytest.raises(DivergedError, match="after step 1"):
        fit(noise((10, 10)), Whole(), TINY, recipe=PAPER, learning_rate=1e300, steps=1)


def test_one_sample_is_enough() -> None:
    for signal in (noise((1, 1), 3), noise((1,)), smooth((1, 9)), np.full((4, 4), 7.0)):
        assert fit(signal, steps=40).psnr > 20


CHECKPOINTED = {
    "partition": Grid(3, 3),
    "network": Siren(8, 1),
    "steps": 60,
    "seed": 3,
    "measure_at": (4, 60),
}


def test_resuming_a_stopped_fit_gives_the_same_bytes(tmp_path: Path) -> None:
    signal = noise((40, 40), 3)
    whole = fit(signal, **CHECKPOINTED)  # type: ignore[arg-type]

    def stop(progress: Progress) -> bool:
        return progress.steps > 20

    fit(signal, **CHECKPOINTED, checkpoint=tmp_path / "c", callback=stop)  # type: ignore[arg-type]
    resumed = fit(signal, **CHECKPOINTED, checkpoint=tmp_path / "c", resume=True)  # type: ignore[arg-type]
    assert bytes_of(resumed) == bytes_of(whole)
    np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)
    finished = fit(signal, **CHECKPOINTED, checkpoint=tmp_path / "c", resume=True)  # type: ignore[arg-type]
    assert bytes_of(finished) == bytes_of(whole)
    for other in (resumed, finished):
        measured = [(m.steps, m.psnr, m.ssim) for m in other.history.measured]
        assert measured == [(m.steps, m.psnr, m.ssim) for m in whole.history.measured]
    assert len(measured) == 2


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    signal = noise((40, 40), 3)
    fit(signal, **CHECKPOINTED, checkpoint=tmp_path)  # type: ignore[arg-type]
    for change in (
        {"seed": 4},
        {"steps": 61},
        {"partition": Grid(2, 2)},
        {"learning_rate": 1e-3},
        {"psnr": 50.0},
    ):
        with pytest.raises(InputError, match="other settings"):
            fit(signal, **(CHECKPOINTED | change), checkpoint=tmp_path, resume=True)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="other settings: signal"):
        fit(noise((40, 40), 3, seed=1), **CHECKPOINTED, checkpoint=tmp_path, resume=True)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="holds the checkpoint"):
        fit(signal, **CHECKPOINTED, checkpoint=tmp_path)  # type: ignore[arg-type]


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    signal = noise((40, 40), 3)
    fit(signal, **CHECKPOINTED, checkpoint=tmp_path)  # type: ignore[arg-type]
    file = tmp_path / "state.safetensors"
    for damaged in (b"", file.read_bytes()[:100], b"nonsense" * 50):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match="not a readable checkpoint"):
            fit(signal, **CHECKPOINTED, checkpoint=tmp_path, resume=True)  # type: ignore[arg-type]


SCRIPT = """
import sys
import numpy as np
import partinr, partinr.fitting.loop
partinr.fitting.loop._CHECKPOINT_SECONDS = 0.0
partinr.fitting.loop._ROUND_SECONDS = 0.01
values = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
print("started", flush=True)
result = partinr.fit(
    partinr.from_array(values, kind="image"), partinr.Grid(4, 4), partinr.Siren(16, 2), steps=120,
    checkpoint=sys.argv[1], resume=True, threads=1,
)
partinr.save(result.model, sys.argv[2], summary={"steps": result.steps})
"""


def test_a_fit_killed_at_random_moments_ends_with_the_same_bytes(tmp_path: Path) -> None:
    ends_the_same_after_kills(SCRIPT, tmp_path, attempts=3)


def test_bfloat16_is_used_where_it_was_measured_to_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(recipe: Recipe, network: Network, engine: str = "auto", device: str = "cpu") -> str:
        return precision_for(recipe, network, engine, device)

    monkeypatch.setattr("partinr.model.kernel.why_missing", lambda: None)
    monkeypatch.setattr("partinr.model.kernel.why_no_bf16", lambda: None)
    assert chosen(FAST, Siren(32)) == "bf16"
    assert {
        chosen(FAST, Siren(31)),
        chosen(FAST, ReluHarmonic(64)),
        chosen(PAPER, Siren(512, 3)),
        chosen(FAST, Siren(64), "torch"),
        chosen(FAST, Siren(64), device="cuda"),
    } == {"fp32"}
    monkeypatch.setattr("partinr.model.kernel.why_no_bf16", lambda: "the processor cannot")
    assert chosen(FAST, Siren(32)) == "fp32"


def test_the_result_says_in_what_it_was_computed() -> None:
    assert fit(noise((8, 8)), Whole(), Siren(4, 1), steps=1, engine="torch").precision == "fp32"
    with pytest.raises(InputError, match="precision bf16"):
        fit(noise((8, 8)), Whole(), Siren(4, 1), steps=1, engine="torch", precision="bf16")


def test_the_rate_is_held_for_a_third_of_the_fit_and_falls_to_a_hundredth() -> None:
    fraction, late = np.linspace(0, 1, 61), np.full(61, 100.0)
    rates = FAST.schedule_at(fraction, late)
    assert (rates[fraction <= 1 / 3] == 1).all()
    assert (np.diff(rates[fraction > 1 / 3]) < 0).all()
    np.testing.assert_allclose(rates[40], 0.01 + 0.99 * (1 - np.sqrt(0.5)))
    np.testing.assert_allclose(rates[-1], 0.01)
    first = FAST.schedule_at(np.zeros(6), np.arange(6.0))
    np.testing.assert_allclose(first, [0.2, 0.4, 0.6, 0.8, 1, 1])
    cosine = dataclasses.replace(FAST, schedule="cosine").schedule_at(fraction, late)
    np.testing.assert_allclose(cosine[[0, 30, 60]], [1, 0.525, 0.05])

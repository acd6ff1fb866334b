import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import partinr
from helpers import bytes_of, noise, smooth
from partinr import (
    FAST,
    Grid,
    Keep,
    Network,
    Quality,
    Siren,
    Steps,
    Watch,
    fit,
)
from partinr.engines import Plan, Samples, TrainingState
from partinr.engines.engine import Tick
from partinr.engines.torch_engine import TorchEngine

TINY = Siren(6, 1, omega_0=8.0)


def test_a_target_alone_takes_the_steps_that_it_needs() -> None:
    signal = smooth((60, 50), 3)
    low, high = (fit(signal, Grid(2, 2), goal=Quality(psnr)) for psnr in (30.0, 45.0))
    for result in (low, high):
        assert result.stopped == "psnr"
        assert result.goal.psnr is not None
        assert 0 <= result.psnr - result.goal.psnr < 1
    assert low.steps < high.steps < FAST.steps_to_psnr
    # Cut off at the same step, the schedule of the whole recipe has not come as far.
    cut = fit(signal, Grid(2, 2), goal=Steps(600), watch=Watch(measure_at=[high.steps]))
    assert cut.history.measured[0].psnr < 45


def test_a_target_is_that_of_the_blend_where_regions_overlap() -> None:
    signal = smooth((60, 50), 3)
    result = fit(signal, Grid(3, 3), goal=Quality(36.0), recipe=FAST.changed(overlap=2))
    assert result.stopped == "psnr"
    assert 0 <= result.psnr - 36 < 1
    assert result.model.overlap == 2


class Recording(TorchEngine):
    """Writes down the learning rates that it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def advance(
        self, network: Network, state: TrainingState, samples: Samples, plan: Plan, tick: Tick
    ) -> np.ndarray:
        self.rates[plan.start : plan.stop] = plan.learning_rates.tolist()
        return super().advance(network, state, samples, plan, tick)


@pytest.mark.parametrize("hold", [0.0, 0.15, 1 / 3, 0.6])
def test_the_rate_to_a_target_is_that_of_a_fit_of_so_many_steps(
    monkeypatch: pytest.MonkeyPatch, hold: float
) -> None:
    engine = Recording()
    planned: list[int | None] = []
    monkeypatch.setattr("partinr.fitting.fit.select", lambda *_: engine)
    recipe = dataclasses.replace(FAST, hold=hold)
    result = fit(
        smooth((60, 50), 3),
        Grid(2, 2),
        TINY,
        goal=Quality(30.0),
        recipe=recipe,
        watch=Watch(lambda p: planned.append(p.total_steps)),
    )
    assert result.stopped == "psnr"
    assert planned[-1] is not None
    assert len(engine.rates) == result.steps <= planned[-1] <= FAST.steps_to_psnr
    steps = np.arange(result.steps, dtype=np.float64)
    share = recipe.schedule_at((steps + 1) / planned[-1], steps)
    np.testing.assert_allclose(engine.rates, recipe.rate_for(TINY.hidden) * share)


def test_a_target_out_of_reach_takes_cycles_up_to_seven_times_the_steps() -> None:
    short = dataclasses.replace(FAST, steps=10)
    result = fit(noise((20, 20)), Grid(2, 2), TINY, goal=Quality(60.0), recipe=short)
    assert (result.steps, result.stopped) == (70, "steps")
    constant = dataclasses.replace(short, schedule="constant")
    assert fit(noise((20, 20)), Grid(2, 2), TINY, goal=Quality(60.0), recipe=constant).steps == 70
    shortest = dataclasses.replace(short, steps=1)
    assert fit(noise((20, 20)), Grid(2, 2), TINY, goal=Quality(60.0), recipe=shortest).steps == 7


def test_a_second_cycle_reaches_what_the_first_one_missed() -> None:
    short = dataclasses.replace(FAST, steps=30)
    reached = fit(noise((24, 24)), Grid(2, 2), goal=Steps(30), recipe=short).psnr
    result = fit(noise((24, 24)), Grid(2, 2), goal=Quality(reached + 1), recipe=short)
    assert result.reached
    assert 30 < result.steps < 7 * 30


def test_a_target_is_reached_at_the_same_step_however_often_one_looks() -> None:
    signal = smooth((40, 40), 3)
    undisturbed = fit(signal, Grid(2, 2), goal=Quality(40.0))
    watched = fit(signal, Grid(2, 2), goal=Quality(40.0), watch=Watch(measure_at=(1, 9, 10, 11, 23, 37)))
    assert bytes_of(watched.model) == bytes_of(undisturbed.model)
    np.testing.assert_array_equal(watched.history.loss, undisturbed.history.loss)


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_fit_to_a_target_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlap: int
) -> None:
    monkeypatch.setattr(partinr.fitting.loop, "_CHECKPOINT_SECONDS", 0.0)
    signal, recipe = noise((24, 24)), FAST.changed(steps=30, overlap=overlap)
    reached = fit(signal, Grid(2, 2), goal=Steps(30), recipe=FAST.changed(overlap=overlap)).psnr
    words: dict[str, Any] = {"partition": Grid(2, 2), "recipe": recipe, "goal": Quality(reached + 1)}
    whole = fit(signal, **words)
    assert whole.steps > 30
    for at in (5, 20, 31, 34, whole.steps - 2):
        folder = tmp_path / str(at)
        cut = fit(signal, **words, keep=Keep(folder), watch=Watch(lambda p, at=at: p.steps >= at))
        assert cut.stopped == "callback"
        resumed = fit(signal, **words, keep=Keep(folder, resume=True))
        assert bytes_of(resumed.model) == bytes_of(whole.model)
        np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)


def test_a_target_stops_the_fit_once_it_is_rendered() -> None:
    result = fit(smooth((40, 40)), Grid(2, 2), goal=Quality(30.0))
    assert result.stopped == "psnr"
    assert result.reached
    assert 30 <= result.psnr < 36
    assert result.steps < FAST.steps_to_psnr

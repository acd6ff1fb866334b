"""Goals as values: what they are, and what none can be."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from helpers import bytes_of, noise, smooth
from partinr import (
    FAST,
    PAPER,
    Budget,
    Goal,
    Grid,
    Growing,
    InputError,
    Quality,
    Seconds,
    Siren,
    Steps,
    Watch,
    fit,
)

GOALS: list[Goal] = [Steps(), Steps(5, psnr=30), Quality(30), Growing(30, max_params=400)]
IMPOSSIBLE: dict[str, tuple[Callable[[], object], str]] = {
    "no steps": (lambda: Steps(0), "steps must be at least 1 and at most"),
    "fewer than none": (lambda: Steps(-3), "steps must be at least 1 and at most"),
    "more steps than anyone will do": (lambda: Steps(10**30), "steps must be at least 1 and at most"),
    "steps to noise": (lambda: Steps(5, psnr=-3), "psnr must be a positive number of dB, got -3"),
    "steps to nothing": (lambda: Steps(5, psnr=0.0), "psnr must be a positive number of dB, got 0"),
    "a negative PSNR": (lambda: Quality(-3), "psnr must be a positive number of dB, got -3"),
    "no PSNR": (lambda: Quality(math.nan), "psnr must be a positive number of dB, got nan"),
    "no error": (lambda: Quality(math.inf), "psnr must be a positive number of dB, got inf"),
    "growing to noise": (lambda: Growing(-3), "psnr must be a positive number of dB, got -3"),
    "growing to no PSNR": (lambda: Growing(math.nan), "psnr must be a positive number of dB, got nan"),
    "growing without room": (lambda: Growing(38, max_params=0), "max_params must be at least 1, got 0"),
    "no time": (lambda: Seconds(0), "seconds must be a positive number, got 0"),
    "time that is over": (lambda: Seconds(-1.5), "seconds must be a positive number, got -1.5"),
    "all time": (lambda: Seconds(math.inf), "seconds must be a positive number, got inf"),
    "no number of seconds": (lambda: Seconds(math.nan), "seconds must be a positive number, got nan"),
    "no parameters": (lambda: Budget(0), "params must be at least 1, got 0"),
}


@pytest.mark.parametrize(("make", "message"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_cannot_be_is_refused_before_anything_is_done(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: type(goal).__name__)
def test_goals_are_values(goal: Goal) -> None:
    assert goal == replace(goal)  # type: ignore[type-var]
    assert hash(goal) == hash(replace(goal))  # type: ignore[type-var]
    with pytest.raises(FrozenInstanceError):
        goal.psnr = 40.0


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: type(goal).__name__)
def test_a_goal_serves_several_fits(goal: Goal) -> None:
    signal, recipe = smooth((24, 24)), FAST.changed(steps=40)
    first, again = (fit(signal, goal=goal, recipe=recipe) for _ in range(2))
    assert first.goal == again.goal == goal
    assert bytes_of(first.model) == bytes_of(again.model)


def test_no_goal_is_the_steps_of_the_recipe() -> None:
    result = fit(noise((16, 16)), recipe=FAST.changed(steps=7))
    assert (result.goal, result.steps, result.stopped) == (Steps(), 7, "steps")
    assert result.reached


def test_steps_end_sooner_once_a_quality_is_reached() -> None:
    signal = smooth((40, 40))
    stopped = fit(signal, Grid(2, 2), goal=Steps(600, psnr=30.0))
    assert (stopped.stopped, stopped.reached) == ("psnr", True)
    assert 0 < stopped.steps < 600
    assert stopped.psnr >= 30
    whole = fit(signal, Grid(2, 2), goal=Steps(600), watch=Watch(measure_at=[stopped.steps]))
    # It is the same fit, cut off: its rates are those of 600 steps.
    assert whole.history.measured[0].psnr == stopped.psnr


@pytest.mark.parametrize(
    "own",
    [
        {"partition": Grid(2, 2)},
        {"network": Siren(8, 2)},
        {"network": Budget(5000)},
        {"start": "a fit"},
        {"start": "a start"},
    ],
    ids=str,
)
def test_who_chooses_a_structure_is_given_none(own: dict[str, Any]) -> None:
    from partinr import Start

    signal = smooth((24, 24))
    starts: dict[str, Callable[[], Any]] = {
        "a fit": lambda: fit(signal, Grid(2, 2), Siren(8, 2), goal=Steps(1)).model,
        "a start": lambda: Start.fresh(Siren(8, 1), dims=2, channels=1, frame="local"),
    }
    given = {name: starts[value]() if name == "start" else value for name, value in own.items()}
    with pytest.raises(InputError) as error:
        fit(signal, goal=Growing(20.0), **given)
    assert str(error.value) == (
        "Growing chooses partition, networks and start itself; leave them out, "
        "or take Quality to reach a PSNR with those"
    )
    assert (
        fit(signal, goal=Quality(5.0), recipe=FAST.changed(steps=3), **given).model.partition.rule
        != "adaptive"
    )


def test_growth_knows_no_overlap() -> None:
    with pytest.raises(InputError, match="a fit that grows has no overlap, got 2; take Quality") as error:
        fit(noise((24, 24)), goal=Growing(20.0), recipe=FAST.changed(overlap=2))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("recipe", [FAST, PAPER], ids=lambda recipe: recipe.name)
def test_a_quality_grows_by_any_recipe_that_is_asked_to(recipe: Any) -> None:
    """The recipe's name decides nothing: what a goal is does not depend on it."""
    result = fit(smooth((24, 24)), goal=Growing(5.0), recipe=recipe.changed(steps=3))
    assert result.model.partition.rule == "adaptive"
    assert result.model.frame == recipe.frame


MISTAKES = """
import numpy as np, partinr
signal = np.eye(8)
for attempt in (
    lambda: partinr.Quality(None),
    lambda: partinr.Quality("38"),
    lambda: partinr.Growing([38]),
    lambda: partinr.Seconds("10"),
    lambda: partinr.Steps(within=10),
    lambda: partinr.Quality(38, 10),
    lambda: partinr.Growing(38, within=10.5),
    lambda: partinr.fit(signal, goal=38),
    lambda: partinr.fit(signal, goal=partinr.Steps),
    lambda: partinr.fit(signal, goal=0),
    lambda: partinr.fit(signal, "grid:3x3"),
    lambda: partinr.fit(signal, network=partinr.Siren),
    lambda: partinr.fit(signal, recipe="fast"),
    lambda: partinr.fit(signal, start="random"),
    lambda: partinr.fit(signal, compute="torch"),
    lambda: partinr.fit(signal, keep="folder"),
    lambda: partinr.fit(signal, watch=0),
    lambda: partinr.fit(signal, seed=1.5),
):
    try:
        attempt()
    except partinr.InputError as error:
        print(error)
"""


def test_other_types_are_refused_by_name() -> None:
    """In a process without the tests' own type checks."""
    ran = subprocess.run(
        [sys.executable, "-c", MISTAKES],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        "psnr must be a positive number of dB, got None",
        "psnr must be a positive number of dB, got '38'",
        "psnr must be a positive number of dB, got [38]",
        "seconds must be a positive number, got '10'",
        "within must be a time such as Seconds(10), got 10",
        "within must be a time such as Seconds(10), got 10",
        "within must be a time such as Seconds(10), got 10.5",
        "goal must be a goal such as Steps(600) or Quality(38), got 38",
        "goal must be a goal such as Steps(600) or Quality(38), got <class 'parti....steps.Steps'>",
        "goal must be a goal such as Steps(600) or Quality(38), got 0",
        "partition must be a rule such as Grid(3, 3), or a Partition, got 'grid:3x3'",
        "network must be a network such as Siren(32, 3), or a Budget, got <class 'parti....siren.Siren'>",
        "recipe must be a recipe such as FAST or PAPER, got 'fast'",
        "start must be a Start, the function of another fit, or \"auto\", got 'random'",
        "compute must be a Compute, such as Compute(\"torch\"), got 'torch'",
        "keep must be a Keep, such as Keep(folder), got 'folder'",
        "watch must be a Watch, such as Watch(callback), got 0",
        "seed must be a whole number, got 1.5",
    ]

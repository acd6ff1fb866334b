"""Signals in parts: nothing is lost or added by cutting, and predictions know nothing but the boundaries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from partinr import InputError, Siren
from partinr.engines.torch_engine import TorchEngine
from partinr.studies.hypothesis.corollary import Corollary
from partinr.studies.hypothesis.likelihood import Fit
from partinr.studies.hypothesis.material import Fresh
from partinr.studies.hypothesis.models import Linear, Span
from partinr.studies.hypothesis.parts import Outcome, Part, Parts, parts_table
from partinr.studies.hypothesis.parts_page import SignalsInParts
from partinr.studies.hypothesis.sweep import Ending, Rules

SMALL = Parts(6, 2, (1, 2, 3), Siren(12, 1, 10.0, 30.0), points=90, rules=Rules(0.3, 60, 1e-2))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_parts_cover_the_signal_once(count: int) -> None:
    plan = replace(SMALL, counts=(count,))
    members = list(plan.members(count))
    assert len(members) == plan.repeats * count
    for repeat in range(plan.repeats):
        own = [stretch for r, _, stretch in members if r == repeat]
        edges = [own[0].low, *(stretch.high for stretch in own)]
        assert edges == pytest.approx(np.linspace(-1, 1, count + 1))
        assert len({stretch.seed for stretch in own}) == count
    sweep = plan.prepare(count, TorchEngine(threads=1))
    assert sweep.run()
    found = plan.parts(count, sweep)
    inside = np.array([part.boundaries for part in found]).reshape(plan.repeats, count)
    assert inside.sum(axis=1).tolist() == [6, 6]


def test_equal_parameters_or_equal_width() -> None:
    whole = SMALL.network.params(1, 1)
    for count in SMALL.counts:
        narrow = SMALL.narrowed(count)
        wider = replace(narrow, hidden=narrow.hidden + 1)
        assert count * narrow.params(1, 1) <= whole < count * wider.params(1, 1)
        assert replace(SMALL, equal_params=False).narrowed(count) == SMALL.network


def test_steps_are_those_of_the_slowest_part_and_cost_adds_up() -> None:
    steps = [(10, Ending.CONVERGED), (30, Ending.CONVERGED), (20, Ending.CONVERGED), (60, Ending.CENSORED)]
    parts = [Part(2, i // 2, i % 2, 3, n, ending, 0.1) for i, (n, ending) in enumerate(steps)]
    outcome = SMALL.outcome(2, parts)
    assert outcome.steps.tolist() == [30, 60]
    assert outcome.censored.tolist() == [False, True]
    share = SMALL.narrowed(2).params(1, 1) / SMALL.network.params(1, 1) / 2
    assert outcome.cost == pytest.approx([40 * share, 80 * share])
    assert parts_table({2: parts}).splitlines()[4] == "2,1,1,3,60,censored,0.1"


def corollary(steps: dict[int, list[float]], limit: float = 100) -> Corollary:
    """Of three signals with these steps; those at the limit are censored."""
    measured = {
        count: Outcome(np.array(some, float), np.array(some) / count, np.array(some) >= limit)
        for count, some in steps.items()
    }
    plan = replace(SMALL, counts=tuple(steps))
    return Corollary(plan, measured, {"linear": measured})


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ({1: [50, 60, 70], 2: [20, 30, 40], 3: [10, 12, 14]}, "Parts need fewer steps than whole signals."),
        ({1: [50, 60, 70], 2: [60, 60, 60]}, "Parts do not need fewer steps than whole signals."),
        (
            {1: [50, 60, 70], 2: [20, 30, 40], 3: [80, 90, 100]},
            "Parts need fewer steps than whole signals if there are 2 of them, otherwise not.",
        ),
        (
            {1: [50, 60, 70], 2: [20, 30, 100], 3: [1, 100, 100]},
            "Parts need fewer steps than whole signals if there are 2 of them, otherwise not.",
        ),
        ({1: [50, 100, 100], 2: [20, 30, 40]}, "No verdict: steps of undivided signals or of their parts"),
        ({2: [20, 30, 40]}, "No verdict: steps of undivided signals or of their parts"),
    ],
)
def test_what_cutting_gained(steps: dict[int, list[float]], said: str) -> None:
    found = corollary(steps)
    sentences = found.sentences()
    assert sentences[0].startswith(said)
    assert len(sentences) == 1 + len(steps)


def test_a_median_that_is_not_known_is_missing() -> None:
    found = corollary({1: [50, 60, 100], 2: [50, 100, 100]})
    assert [(row["steps"], row["censored"]) for row in found.facts()] == [(60, 1), (None, 2)]
    assert found.facts()[1]["cost"] is None
    assert "steps unknown, 2 signals stopped at the limit" in found.sentences()[2]
    assert found.facts()[1]["predicted"]["linear"] == {"steps": 100, "cost": 50}


def test_one_part_is_predicted_by_the_curve_itself() -> None:
    fit = Fit(Linear(), Span(1, 6), np.array([np.log(10), np.log(50), 0, 0, 0]), 0.0)
    predicted = SMALL.predicted(1, fit)
    assert predicted.steps == pytest.approx([60, 60])
    assert predicted.cost == pytest.approx([60, 60])
    assert (SMALL.predicted(3, fit).steps < 60).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": ()}, "numbers of parts"),
        ({"counts": (1, 1)}, "numbers of parts"),
        ({"counts": (0,)}, "numbers of parts"),
        ({"boundaries": 2}, "at least 3 boundaries"),
        ({"points": 12}, "points of a part must be at least 7"),
        ({"counts": (12,), "points": 5000}, "budget"),
    ],
)
def test_bad_plans(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(SMALL, **{"network": Siren(4, 1), **change})  # type: ignore[arg-type]


def test_own_coordinates_stretch_a_part_to_the_whole() -> None:
    """In its own frame a part is a signal of its own; values stay those of the whole signal."""
    for frame, low, high in (("global", 0.0, 1.0), ("local", -1.0, 1.0)):
        stretches = [one for _, _, one in replace(SMALL, frame=frame).members(2)]
        grid = Fresh(stretches).judging(np.array([1]))
        assert grid.coords[0, 0] == low
        assert high - 0.05 < grid.coords[-1, 0] < high
        whole = np.linspace(0, 1, 45, endpoint=False)[:, None]
        assert np.array_equal(grid.values, stretches[1].signal(whole.astype(np.float32)))


def test_work_of_any_number_of_parts_is_kept_and_refused_before_the_first_step(tmp_path: Path) -> None:
    engine = TorchEngine(threads=1)
    sweeps = SignalsInParts(SMALL).sweeps(engine, tmp_path)
    rows = SignalsInParts(SMALL).table(sweeps).splitlines()
    assert len(rows) == 1 + SMALL.repeats * sum(SMALL.counts)
    assert all(row.endswith(",,running,") for row in rows[1:])
    sweeps[-1].run()
    assert (tmp_path / "parts-3" / "state.safetensors").exists()
    with pytest.raises(InputError, match="other settings: seed was 0, now 1"):
        SignalsInParts(replace(SMALL, seed=1)).sweeps(engine, tmp_path)

"""Sweeps: the same as one network after another, whatever is beside it, and whatever interrupts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from partinr import InputError, Siren
from partinr.engines import select
from partinr.engines.engine import Engine
from partinr.engines.torch_engine import TorchEngine
from partinr.model.kernel import why_missing
from partinr.studies.hypothesis.signals import Size
from partinr.studies.hypothesis.study import Study, observations, table
from partinr.studies.hypothesis.sweep import Ending, Progress, Rules

LINE = Study(tuple(Size((n,)) for n in (1, 4, 9)), 2, Siren(8, 1, 10.0, 30.0), 64, Rules(0.2, 60, 3e-3))
PLANE = replace(LINE, sizes=(Size((1, 1)), Size((4, 5))), points=12)
ENGINES = [
    "torch",
    pytest.param("cpu", marks=pytest.mark.skipif(why_missing() is not None, reason="no kernel")),
]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small gain nothing from more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def engine(name: str = "torch") -> Engine:
    return select(name, "cpu", 1)


def by_loop(study: Study, place: int) -> tuple[int, Ending]:
    """One run, as one writes it first: a network, an optimiser, and the error after every step."""
    size, repeat, seed = list(study.members())[place]
    signal, net = study.signal(size, repeat), study.network
    random = np.random.Generator(np.random.Philox(seed))
    drawn = net.initialise(1, study.dims, 1, random).map(lambda a: torch.tensor(a, requires_grad=True))
    optimiser = torch.optim.Adam(drawn.arrays, lr=study.rules.learning_rate)
    grid = torch.from_numpy(study.grid())
    target = torch.from_numpy(signal(study.grid()))
    material = study._material()
    for step in range(study.rules.limit):
        samples = material.training(step, np.array([place]))
        own = slice(int(samples.offsets[place]), int(samples.offsets[place + 1]))
        found = net.forward(torch.as_tensor(samples.coords[own][None]), drawn)[0]
        error = found - torch.as_tensor(samples.values[own])
        optimiser.zero_grad()
        error.square().mean().backward()
        optimiser.step()
        with torch.no_grad():
            if (net.forward(grid[None], drawn)[0] - target).square().mean() < study.rules.threshold:
                return step + 1, Ending.CONVERGED
    return study.rules.limit, Ending.CENSORED


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("study", [LINE, PLANE], ids=["line", "plane"])
def test_same_steps_as_one_network_after_another(study: Study, name: str) -> None:
    sweep = study.prepare(engine(name))
    assert sweep.run()
    runs = study.outcome(sweep)
    assert [(run.steps, run.ending) for run in runs] == [by_loop(study, i) for i in range(study.runs)]
    assert {run.ending for run in runs} == {Ending.CONVERGED, Ending.CENSORED}
    for run in runs:
        assert (run.error < study.rules.threshold) == (run.ending is Ending.CONVERGED)


@pytest.mark.parametrize("name", ENGINES)
def test_a_run_does_not_depend_on_the_others(name: str) -> None:
    together = LINE.prepare(engine(name))
    together.run()
    study = replace(LINE, sizes=LINE.sizes[1:2])
    alone = study.prepare(engine(name))
    alone.run()
    one, all_ = study.outcome(alone), LINE.outcome(together)[2:4]
    assert [(run.seed, run.steps, run.ending) for run in one] == [
        (run.seed, run.steps, run.ending) for run in all_
    ]
    # Torch multiplies batches of other sizes in another order.
    exact = 0 if name == "cpu" else 1e-4
    assert [run.error for run in one] == pytest.approx([run.error for run in all_], rel=exact, abs=0)


@pytest.mark.parametrize("study", [LINE, PLANE], ids=["line", "plane"])
def test_an_interrupted_sweep_ends_with_the_same_numbers(study: Study, tmp_path: Path) -> None:
    whole = study.prepare(engine())
    whole.run()
    steps = []

    def stop(progress: Progress) -> bool:
        steps.append(progress.step)
        return len(steps) == 7

    first = study.prepare(engine(), tmp_path)
    assert not first.run(stop)
    assert len(first.tally.active)
    again = study.prepare(engine(), tmp_path)
    assert again.tally.step == first.tally.step
    assert again.run()
    assert table(study.outcome(again)) == table(study.outcome(whole))
    finished = study.prepare(engine(), tmp_path)
    assert finished.run(lambda _: pytest.fail("there was nothing to do"))
    assert table(study.outcome(finished)) == table(study.outcome(whole))


def test_other_settings_are_refused_and_leave_the_folder_alone(tmp_path: Path) -> None:
    sweep = LINE.prepare(engine(), tmp_path)
    sweep.run()
    before = (tmp_path / "state.safetensors").read_bytes()
    for other in (replace(LINE, seed=1), replace(LINE, repeats=1), replace(LINE, rules=Rules(0.1)), PLANE):
        with pytest.raises(InputError, match="other settings"):
            other.prepare(engine(), tmp_path)
    assert (tmp_path / "state.safetensors").read_bytes() == before


def test_a_run_that_diverges_is_neither_converged_nor_censored() -> None:
    study = replace(LINE, network=Siren(8, 1, 10.0, 30.0), rules=Rules(1e-9, 30, 1e30))
    sweep = study.prepare(engine())
    assert sweep.run()
    runs = study.outcome(sweep)
    assert {run.ending for run in runs} == {Ending.DIVERGED}
    assert len(observations(runs)) == 0


def test_the_estimate_ends_at_nothing_left() -> None:
    seen: list[Progress] = []
    LINE.prepare(engine()).run(lambda progress: bool(seen.append(progress)))
    assert seen[-1].remaining == 0
    assert seen[-1].fraction == 1
    assert all(0 <= one.fraction <= 1 for one in seen)
    assert any(one.remaining for one in seen[:-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repeats": 0}, "at least one size and one repeat"),
        ({"sizes": ()}, "at least one size"),
        ({"points": 9}, "at least 10 for 9 boundaries"),
        ({"points": 1 << 27}, "at most"),
    ],
)
def test_bad_studies(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(LINE, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "rules", [{"threshold": 0}, {"threshold": float("nan")}, {"limit": 0}, {"learning_rate": -1}]
)
def test_bad_rules(rules: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must be"):
        Rules(**rules)  # type: ignore[arg-type]


def test_published_studies() -> None:
    assert (Study.published(1).runs, Study.published(2).runs) == (150, 125)
    assert Study.published(1).rules == Rules(0.05, 4000, 1e-3)
    assert Study.published(2).grid().shape == (65536, 2)
    grid = Study.published(1).grid()
    assert (grid[0, 0], len(grid)) == (-1, 5000)
    assert grid[-1, 0] < 1
    assert TorchEngine().name == Study.quick(1).settings(TorchEngine())["engine"]

"""Fits that begin with a learned start."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli_helpers import fit as fit_command
from cli_helpers import picture, run, save_picture
from helpers import bytes_of, smooth
from models import TRAINED, cells, scattered
from partinr import (
    FAST,
    PAPER,
    Budget,
    Compute,
    FitResult,
    Grid,
    InputError,
    Keep,
    Labels,
    Network,
    Piecewise,
    Recipe,
    Rule,
    Signal,
    Siren,
    Start,
    Steps,
    Structure,
    Watch,
    fit,
    from_array,
    save_start,
)
from partinr.fitting.starts.handover import adapted
from partinr.fitting.starts.inner import descend, fetched, meta_gradient, on_device
from partinr.fitting.starts.tasks import pack_tasks
from partinr.model.kernel import why_missing
from partinr.signals.frames import Frame, raster

TINY = Siren(8, 1, omega_0=8.0, omega_hidden=5.0)
ENGINES = ["torch", *(["cpu"] if why_missing() is None else [])]


def photo(rows: int = 24, columns: int = 30) -> Signal:
    return from_array(picture(rows, columns) % 200, kind="image")


@cache
def learned(frame: Any = "local", channels: int = 3) -> Start:
    """A start that has learned a little, by plain gradient steps on one picture."""
    start = on_device(Start.fresh(TINY, 2, channels, frame=frame, kind="parameter", rate=0.02), "cpu")
    signal = smooth((16, 16), channels)
    values = [signal.normalised().reshape(-1, channels)]
    tasks = pack_tasks(values, [cells((16, 16), 2, 2)], TINY, frame)
    for _ in range(30):
        found = meta_gradient(start, tasks, "first-order")
        moved = [t - 0.02 * g for t, g in zip(start.parameters.arrays, found.parameters, strict=True)]
        start = start.moved(moved, start.rates.values)
    return fetched(start)


def begin(start: Start, signal: Signal, rule: Rule, **more: Any) -> FitResult:
    return fit(signal, rule, goal=Steps(1), start=start, watch=Watch(measure_at=(0,)), **more)


RULES = [Grid(1, 1), Grid(3, 4), Labels(scattered((24, 30), 5).label_map)]


@pytest.mark.parametrize("frame", ["global", "local", "centred"])
@pytest.mark.parametrize("rule", RULES, ids=["whole", "grid", "labels"])
def test_a_fit_begins_where_the_inner_steps_end(rule: Rule, frame: Any) -> None:
    start, signal = learned(frame), photo()
    partition = rule.partition(signal)
    used: Frame = "global" if frame == "centred" else frame
    structure = Structure(partition, (TINY,), signal.spec, used, blend=False)
    values = Piecewise(structure, (adapted(start, signal, partition, "cpu"),))(raster(signal.shape))
    error = (values - signal.normalised().reshape(-1, 3)) ** 2
    tasks = pack_tasks([signal.normalised().reshape(-1, 3)], [partition], TINY, frame)
    *_, last = descend(on_device(start, "cpu"), tasks)
    labels = partition.label_map.reshape(-1)
    for region, loss in enumerate(last.losses.tolist()):
        assert float(error[labels == region].mean()) == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("recipe", [FAST, PAPER], ids=lambda recipe: recipe.name)
def test_what_was_learned_is_not_lost(recipe: Any, engine: str) -> None:
    """Better than a random start at once, and never much worse than that on the way."""
    start, signal = learned(), photo()
    result = fit(
        signal,
        Grid(3, 3),
        goal=Steps(20),
        recipe=recipe,
        start=start,
        compute=Compute(engine=engine),
        watch=Watch(measure_at=range(0, 21, 2)),
    )
    course = [measured.psnr for measured in result.history.measured]
    plain = replace(recipe, frame="local", solve_readout=False)
    untaught = fit(
        signal,
        Grid(3, 3),
        TINY,
        goal=Steps(1),
        recipe=plain,
        compute=Compute(engine=engine),
        watch=Watch(measure_at=(0,)),
    )
    assert course[0] > untaught.history.measured[0].psnr + 3
    assert min(course) > course[0] - 0.5
    assert course[-1] > course[0]


def test_both_engines_begin_alike() -> None:
    results = [begin(learned(), photo(), Grid(2, 3), compute=Compute(engine)) for engine in ENGINES]
    firsts = [result.history.measured[0].psnr for result in results]
    assert firsts == pytest.approx([firsts[0]] * len(firsts), abs=1e-6)


@pytest.mark.parametrize("network", [n for n in TRAINED if n.name != "relu"], ids=lambda n: n.name)
def test_grey_from_a_start_in_colour(network: Network) -> None:
    """Is the mean of the three channels that the start gives when it is adapted to grey as a colour."""
    start = Start.fresh(network, 2, 3, frame="local", kind="learned", rate=0.01)
    colour = photo()
    grey = from_array(colour.values[..., 1], kind="image")
    repeated = from_array(np.repeat(grey.values, 3, axis=-1), kind="image")
    partition = Grid(2, 2).partition(grey)
    values = []
    for signal in (grey, repeated):
        structure = Structure(partition, (network,), signal.spec, "local")
        values.append(Piecewise(structure, (adapted(start, signal, partition, "cpu"),))(raster(signal.shape)))
    assert values[0].shape[1] == 1
    assert np.allclose(values[0][:, 0], values[1].mean(axis=1), atol=1e-5)
    assert begin(start, grey, Grid(2, 2)).model.signal.channels == 1


BAD: dict[str, tuple[Start, dict[str, Any], str]] = {
    "network": (learned(), {"network": Siren(9, 1)}, "the start is for the network"),
    "axes": (Start.fresh(TINY, 1, 3), {}, "of 1 axes, this one has 2"),
    "channels": (Start.fresh(TINY, 2, 2), {}, "of 2 channels, this one has 3"),
    "colour from grey": (Start.fresh(TINY, 2, 1), {}, "of 1 channels, this one has 3"),
    "encoding": (Start.fresh(TRAINED[1], 2, 3), {}, "in centred coordinates cannot begin a fit"),
    "budget": (learned(), {"network": Budget(100)}, "more than 100"),
}


@pytest.mark.parametrize(("start", "more", "message"), BAD.values(), ids=BAD)
def test_starts_that_do_not_suit(start: Start, more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(photo(), Grid(2, 2), goal=Steps(1), start=start, **more)


@pytest.mark.parametrize("frame", ["global", "local", "centred"])
@pytest.mark.parametrize("recipe", [FAST, PAPER], ids=lambda recipe: recipe.name)
def test_the_start_brings_network_and_frame(recipe: Recipe, frame: Any) -> None:
    result = begin(learned(frame), photo(), Grid(2, 2), recipe=recipe)
    assert result.model.networks == (TINY,)
    assert result.model.frame == result.recipe.frame == ("global" if frame == "centred" else frame)


def test_a_budget_decides_how_many_regions_there_are() -> None:
    each = TINY.params(2, 3)
    result = fit(photo(80, 80), network=Budget(6 * each), goal=Steps(1), start=learned())
    assert 2 <= result.regions <= 6
    assert result.model.networks[0] == TINY


def test_resumed_fits_know_their_start(tmp_path: Path) -> None:
    whole = fit(photo(), Grid(2, 2), goal=Steps(12), start=learned())
    state = tmp_path / "state"
    fit(
        photo(),
        Grid(2, 2),
        goal=Steps(12),
        start=learned(),
        keep=Keep(state),
        watch=Watch(lambda p: p.steps >= 5),
    )
    rest = fit(photo(), Grid(2, 2), goal=Steps(12), start=learned(), keep=Keep(state, resume=True))
    assert bytes_of(rest.model) == bytes_of(whole.model)
    other = Start.fresh(TINY, 2, 3, frame="local")
    with pytest.raises(InputError, match="other settings: start"):
        fit(photo(), Grid(2, 2), goal=Steps(12), start=other, keep=Keep(state, resume=True))


def test_on_the_command_line(tmp_path: Path) -> None:
    source, start, out = save_picture(tmp_path / "p.png"), tmp_path / "start.inr", tmp_path / "p.inr"
    save_start(learned(), start)
    words = (source, "-o", out, "--init", start, "--partition", "grid:2x2", "--steps", 2)
    assert fit_command(*words).code == 0
    told = run("info", out).out
    assert "local" in told
    assert re.search(rf"started from\s+{re.escape(str(start))}\n", told)
    for more, message in (
        (("--hidden", 5), "--hidden 5 does not go with the start, which has 8"),
        (("--network", "gauss"), "--network gauss does not go with the start, which has siren"),
        (("--frame", "global"), "local frame, got global"),
    ):
        ran = fit_command(*words, *more)
        assert ran.code == 2
        assert message in ran.err

"""Fits that begin with a learned start."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cli_helpers import fit as fit_command
from cli_helpers import picture, run, save_picture
from helpers import smooth
from models import NETWORKS, cells, scattered
from partinr import (
    FAST,
    PAPER,
    FitResult,
    Grid,
    InputError,
    Labels,
    Network,
    PiecewiseINR,
    Rule,
    Signal,
    Siren,
    Start,
    fit,
    from_array,
    save_start,
)
from partinr.fitting.starts.handover import adapted
from partinr.fitting.starts.inner import descend, meta_gradient
from partinr.fitting.starts.tasks import pack_tasks
from partinr.model.kernel import why_missing
from partinr.signals.frames import raster

TINY = Siren(8, 1, omega_0=8.0, omega_hidden=5.0)
ENGINES = ["torch", *(["cpu"] if why_missing() is None else [])]


def photo(rows: int = 24, columns: int = 30) -> Signal:
    return from_array(picture(rows, columns) % 200, kind="image")


@cache
def learned(frame: Any = "local", channels: int = 3) -> Start:
    """A start that has learned a little, by plain gradient steps on one picture."""
    start = Start.fresh(TINY, 2, channels, frame=frame, kind="parameter", rate=0.02)
    signal = smooth((16, 16), channels)
    values = [signal.normalised().reshape(-1, channels)]
    tasks = pack_tasks(values, [cells((16, 16), 2, 2)], TINY, frame)
    for _ in range(30):
        found = meta_gradient(start, tasks, "first-order")
        moved = [t - 0.02 * g for t, g in zip(start.tensors, found.parameters, strict=True)]
        start = start.moved(moved, start.rates.values)
    return start


def begin(start: Start, signal: Signal, rule: Rule, **more: Any) -> FitResult:
    return fit(signal, rule, init=start, steps=1, measure_at=(0,), **more)


RULES = [Grid(1, 1), Grid(3, 4), Labels(scattered((24, 30), 5).label_map)]


@pytest.mark.parametrize("frame", ["global", "local", "centred"])
@pytest.mark.parametrize("rule", RULES, ids=["whole", "grid", "labels"])
def test_a_fit_begins_where_the_inner_steps_end(rule: Rule, frame: Any) -> None:
    start, signal = learned(frame), photo()
    partition = rule.partition(signal)
    model = PiecewiseINR(partition, TINY, signal.spec, "global" if frame == "centred" else frame, blend=False)
    model.group_list[0].load(adapted(start, signal, partition, torch.device("cpu")))
    with torch.no_grad():
        values = model(torch.as_tensor(raster(signal.shape))).numpy()
    error = (values - signal.normalised().reshape(-1, 3)) ** 2
    tasks = pack_tasks([signal.normalised().reshape(-1, 3)], [partition], TINY, frame)
    *_, last = descend(start, tasks)
    labels = partition.label_map.reshape(-1)
    for region, loss in enumerate(last.losses.tolist()):
        assert float(error[labels == region].mean()) == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("recipe", [FAST, PAPER], ids=lambda recipe: recipe.name)
def test_what_was_learned_is_not_lost(recipe: Any, engine: str) -> None:
    """Better than a random start at once, and never much worse than that on the way."""
    start, signal = learned(), photo()
    result = fit(
        signal, Grid(3, 3), init=start, recipe=recipe, steps=20, engine=engine, measure_at=range(0, 21, 2)
    )
    course = [measured.psnr for measured in result.history.measured]
    plain = replace(recipe, frame="local", solve_readout=False)
    untaught = fit(signal, Grid(3, 3), TINY, recipe=plain, steps=1, engine=engine, measure_at=(0,))
    assert course[0] > untaught.history.measured[0].psnr + 3
    assert min(course) > course[0] - 0.5
    assert course[-1] > course[0]


def test_both_engines_begin_alike() -> None:
    results = [begin(learned(), photo(), Grid(2, 3), engine=engine) for engine in ENGINES]
    firsts = [result.history.measured[0].psnr for result in results]
    assert firsts == pytest.approx([firsts[0]] * len(firsts), abs=1e-6)


@pytest.mark.parametrize("network", [n for n in NETWORKS if n.name != "relu"], ids=lambda n: n.name)
def test_grey_from_a_start_in_colour(network: Network) -> None:
    """Is the mean of the three channels that the start gives when it is adapted to grey as a colour."""
    start = Start.fresh(network, 2, 3, frame="local", kind="learned", rate=0.01)
    colour = photo()
    grey = from_array(colour.values[..., 1], kind="image")
    repeated = from_array(np.repeat(grey.values, 3, axis=-1), kind="image")
    partition = Grid(2, 2).partition(grey)
    values = []
    for signal in (grey, repeated):
        model = PiecewiseINR(partition, network, signal.spec, "local")
        model.group_list[0].load(adapted(start, signal, partition, torch.device("cpu")))
        with torch.no_grad():
            values.append(model(torch.as_tensor(raster(signal.shape))).numpy())
    assert values[0].shape[1] == 1
    assert np.allclose(values[0][:, 0], values[1].mean(axis=1), atol=1e-5)
    assert begin(start, grey, Grid(2, 2)).model.signal.channels == 1


BAD: dict[str, tuple[Start, dict[str, Any], str]] = {
    "network": (learned(), {"network": Siren(9, 1)}, "the start is for the network"),
    "frame": (learned(), {"frame": "global"}, "the start is for the local frame"),
    "axes": (Start.fresh(TINY, 1, 3), {}, "of 1 axes, this one has 2"),
    "channels": (Start.fresh(TINY, 2, 2), {}, "of 2 channels, this one has 3"),
    "colour from grey": (Start.fresh(TINY, 2, 1), {}, "of 1 channels, this one has 3"),
    "encoding": (Start.fresh(NETWORKS[1], 2, 3), {}, "in centred coordinates cannot begin a fit"),
    "budget": (learned(), {"params": 100}, "more than 100"),
}


@pytest.mark.parametrize(("start", "more", "message"), BAD.values(), ids=BAD)
def test_starts_that_do_not_suit(start: Start, more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(photo(), Grid(2, 2), init=start, steps=1, **more)


def test_a_budget_decides_how_many_regions_there_are() -> None:
    each = TINY.params(2, 3)
    result = fit(photo(80, 80), init=learned(), params=6 * each, steps=1)
    assert 2 <= result.regions <= 6
    assert result.model.group_list[0].network == TINY


def test_resumed_fits_know_their_start(tmp_path: Path) -> None:
    whole = fit(photo(), Grid(2, 2), init=learned(), steps=12)
    state = tmp_path / "state"
    fit(photo(), Grid(2, 2), init=learned(), steps=12, checkpoint=state, callback=lambda p: p.steps >= 5)
    rest = fit(photo(), Grid(2, 2), init=learned(), steps=12, checkpoint=state, resume=True)
    for a, b in zip(rest.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(a, b)
    other = Start.fresh(TINY, 2, 3, frame="local")
    with pytest.raises(InputError, match="other settings: start"):
        fit(photo(), Grid(2, 2), init=other, steps=12, checkpoint=state, resume=True)


def test_on_the_command_line(tmp_path: Path) -> None:
    source, start, out = save_picture(tmp_path / "p.png"), tmp_path / "start.inr", tmp_path / "p.inr"
    save_start(learned(), start)
    words = (source, "-o", out, "--init", start, "--partition", "grid:2x2", "--steps", 2)
    assert fit_command(*words).code == 0
    told = run("info", out).out
    assert "local" in told
    assert f"started from  {start}" in told
    for more, message in (
        (("--hidden", 5), "--hidden 5 does not go with the start, which has 8"),
        (("--network", "gauss"), "--network gauss does not go with the start, which has siren"),
        (("--frame", "global"), "local frame, got global"),
    ):
        ran = fit_command(*words, *more)
        assert ran.code == 2
        assert message in ran.err

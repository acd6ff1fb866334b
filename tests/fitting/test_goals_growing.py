import dataclasses
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
    Budget,
    Compute,
    Grid,
    Growing,
    InputError,
    Keep,
    Progress,
    Quality,
    Seconds,
    Siren,
    Steps,
    Watch,
    fit,
    load,
    render,
    save,
)
from partinr.fitting.goals.allocation import Allocator
from partinr.fitting.goals.rounding import before_rounding
from partinr.report.density import shades

QUICK = dataclasses.replace(FAST, steps=120)


@pytest.mark.parametrize(
    ("shape", "channels", "dtype"),
    [((500,), 1, "float32"), ((41, 50), 3, "uint8"), ((5, 17, 21), 2, "uint8")],
)
@pytest.mark.parametrize("psnr", [22.0, 32.0])
def test_the_quality_named_is_reached_and_hardly_exceeded(
    shape: tuple[int, ...], channels: int, dtype: str, psnr: float
) -> None:
    result = fit(patchy(shape, channels, dtype), goal=Growing(psnr))
    assert (result.stopped, result.reached) == ("psnr", True)
    # One step of one of a few networks can be more than a few tenths.
    assert psnr <= result.psnr <= psnr + (0.3 if result.regions > 3 else 0.6)
    assert result.goal.psnr == psnr


def test_parameters_go_where_the_error_is() -> None:
    result = fit(patchy((64, 96), 3), goal=Growing(30.0))
    model = result.model
    hidden = np.array([network.hidden for network in model.networks])[model.structure.group_of]
    boxes = model.partition.boxes
    assert boxes is not None
    params = np.array([Siren(int(h), 2).params(2, 3) for h in hidden])
    flat = boxes[:, 1, 1] <= 48
    assert params[flat].sum() < 0.1 * params.sum()
    assert len(model.networks) > 1
    uniform = fit(patchy((64, 96), 3), network=Budget(result.params))
    assert uniform.psnr < 30.0


@pytest.mark.parametrize(
    "signal", [np.full((40, 50), 7.0), np.full((4, 4), 7, np.uint8), np.zeros((1, 1, 1)), np.full(300, -2.5)]
)
def test_a_constant_takes_next_to_nothing(signal: np.ndarray) -> None:
    result = fit(signal, goal=Growing(40.0))
    assert result.reached
    assert (result.regions, result.model.networks[0].hidden) == (1, 1)


def test_what_the_smallest_network_can_do_is_done_at_once() -> None:
    result = fit(patchy((60, 60)), goal=Growing(5.0))
    assert (result.reached, result.steps, result.regions) == (True, 0, 1)


def test_tiny_signals_have_a_quality_too() -> None:
    for signal in (noise((1, 1), 3), noise((1,)), noise((2, 3)), smooth((1, 9)), noise((5, 5), 3)):
        result = fit(signal, goal=Growing(30.0))
        assert result.reached
        assert result.psnr >= 30


def test_a_quality_out_of_reach_is_said_to_be_missed() -> None:
    result = fit(noise((40, 40), 3), goal=Growing(120.0, max_params=2000), recipe=QUICK)
    assert (result.stopped, result.reached) == ("steps", False)
    assert 1000 < result.params <= 2000
    bounded = fit(noise((200, 200), 3), goal=Growing(120.0, within=Seconds(0.3)))
    assert bounded.stopped == "time"


def test_networks_grow_until_the_quality_is_reached() -> None:
    short = dataclasses.replace(FAST, steps=100)
    planned: list[int] = []

    def callback(progress: Progress) -> None:
        assert progress.total_steps is not None
        planned.append(progress.total_steps)

    signal = patchy((40, 60), 3)
    result = fit(signal, goal=Growing(24.0), recipe=short, watch=Watch(callback))
    assert result.reached
    assert planned[0] <= 50
    assert planned[-1] > planned[0]
    assert result.steps > planned[0]
    allowed = before_rounding(10**-2.4, signal.spec) * signal.values.size
    goal = Growing(24.0)
    first = Allocator(signal, goal.like).allocate(allowed, goal.most_params(signal.spec))
    assert result.params > sum(Siren(int(hidden), 2).params(2, 3) for hidden in first.hidden)


@pytest.mark.parametrize(
    "own",
    [
        {"partition": Grid(2, 2), "goal": Quality(15.0)},
        {"network": Siren(8, 2), "goal": Quality(15.0)},
        {"network": Budget(5000), "goal": Quality(15.0)},
        {"goal": Steps(50, psnr=15.0)},
        {"goal": Quality(15.0), "recipe": PAPER.changed(steps=1, like_one=None)},
    ],
    ids=str,
)
def test_structures_of_ones_own_stay_as_they_are(own: dict[str, Any]) -> None:
    result = fit(patchy((40, 40)), **own)
    assert result.model.partition.rule != "adaptive"
    assert "partition" not in own or result.regions == 4


def test_a_bound_below_the_smallest_network_is_refused() -> None:
    with pytest.raises(InputError, match="max_params must be at least 9"):
        fit(patchy((40, 40)), goal=Growing(20.0, max_params=8))


def test_several_groups_are_saved_and_loaded(tmp_path: Path) -> None:
    result = fit(patchy((40, 60), 3), goal=Growing(28.0), recipe=QUICK)
    assert len(result.model.networks) > 1
    save(result.model, tmp_path / "a.inr")
    again = load(tmp_path / "a.inr")
    np.testing.assert_array_equal(render(again), render(result.model))
    assert again.partition.rule == "adaptive"


ADAPTIVE: dict[str, Any] = {"goal": Growing(26.0), "recipe": dataclasses.replace(FAST, steps=50), "seed": 3}


def test_neither_threads_nor_interruptions_change_the_result(tmp_path: Path) -> None:
    signal = patchy((40, 60), 3)
    whole = fit(signal, compute=Compute(threads=1), **ADAPTIVE)
    assert whole.steps > 50
    assert bytes_of(fit(signal, compute=Compute(threads=2), **ADAPTIVE).model) == bytes_of(whole.model)
    for stop_at in (7, 52):
        folder = tmp_path / str(stop_at)
        fit(signal, keep=Keep(folder), watch=Watch(lambda p, at=stop_at: p.steps >= at), **ADAPTIVE)
        resumed = fit(signal, keep=Keep(folder, resume=True), **ADAPTIVE)
        assert bytes_of(resumed.model) == bytes_of(whole.model)
        np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)
        assert bytes_of(fit(signal, keep=Keep(folder, resume=True), **ADAPTIVE).model) == bytes_of(
            whole.model
        )
    with pytest.raises(InputError, match=r"other settings: goal\.psnr was 26\.0, now 31\.0"):
        fit(signal, keep=Keep(folder, resume=True), **(ADAPTIVE | {"goal": Growing(31.0)}))


SCRIPT = """
import sys
import numpy as np
import partinr, partinr.fitting.loop
partinr.fitting.loop._CHECKPOINT_SECONDS = 0.0
partinr.fitting.loop._ROUND_SECONDS = 0.01
axes = np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 70), indexing="ij")
values = np.stack([np.sin(90 * a * a + b) * a for a, b in (axes, axes[::-1])], axis=-1)
print("started", flush=True)
result = partinr.fit(
    values, goal=partinr.Growing(40.0), recipe=partinr.FAST.changed(steps=60),
    keep=partinr.Keep(sys.argv[1], resume=True), compute=partinr.Compute(threads=1),
)
assert result.steps > 60
partinr.save(result.model, sys.argv[2], summary={"steps": result.steps})
"""


def test_a_fit_killed_at_random_moments_ends_with_the_same_bytes(tmp_path: Path) -> None:
    ends_the_same_after_kills(SCRIPT, tmp_path, attempts=2)


def test_what_was_chosen_can_be_looked_at(tmp_path: Path) -> None:
    result = fit(patchy((40, 60), 3), goal=Growing(24.0), recipe=QUICK)
    shade = shades(result.model)
    assert (shade.min(), shade.max()) == (0, pytest.approx(1))
    flat = partinr.overlay(result.signal, result.model.partition)
    tinted = partinr.overlay(result.signal, result.model.partition, shade)
    assert tinted.shape == flat.shape
    assert (tinted != flat).any()
    partinr.write_report(tmp_path / "fit.html", result)
    html = (tmp_path / "fit.html").read_text(encoding="utf-8")
    for network in result.model.networks:
        assert f">siren, {network.hidden} x 2<" in html
    assert "Parameters a sample" in html

"""Fits of cosines over trees of boxes: a named quality or size is met, by few bytes, and exactly known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.fft import idctn
from skimage import data

import partinr
from partinr.file.compact_inr import compact_size
from partinr.fitting.spectral import Cutter, steered
from partinr.model.rendering import rendered_psnr
from partinr.model.spectra import Sides, mixing_for, unmixing

PHOTO = data.astronaut()[100:291, 60:310]
WAVES = np.sin(np.linspace(0, 60, 3000)) * np.linspace(0, 1, 3000)
BALL = np.linalg.norm(np.indices((29, 34, 40)) - 16.0, axis=0).astype(np.float32)


@pytest.mark.parametrize("psnr", [25.0, 38.0, 47.0])
@pytest.mark.parametrize(
    ("signal", "excess"),
    # A handful of coefficients are all that smooth signals have: what rounds one of them is seen.
    [(PHOTO, 0.05), (PHOTO[..., 1], 0.05), (WAVES, 0.8), (BALL, 0.3)],
    ids=["rgb", "grey", "1d", "3d"],
)
def test_a_quality_is_met_and_hardly_exceeded(signal: np.ndarray, excess: float, psnr: float) -> None:
    result = partinr.fit(signal, goal=partinr.Compact(psnr))
    assert psnr <= result.psnr <= psnr + excess
    assert result.reached
    assert (result.steps, result.stopped) == (0, "solved")
    assert result.psnr == rendered_psnr(result.model, result.signal)


@pytest.mark.parametrize("size", [800, 4000, 20_000])
def test_a_size_is_kept_and_filled(size: int, tmp_path: Path) -> None:
    result = partinr.fit(PHOTO, goal=partinr.Compact(size=size))
    saved = partinr.save(result.model, tmp_path / "a.inr", store="auto", signal=result.signal)
    assert saved.store == "compact"
    assert saved.bytes == (tmp_path / "a.inr").stat().st_size
    assert 0.98 * size <= saved.bytes <= size
    assert result.reached


def test_bits_a_sample_are_those_of_the_file(tmp_path: Path) -> None:
    result = partinr.fit(PHOTO, goal=partinr.Compact(bpp=1))
    saved = partinr.save(result.model, tmp_path / "a.inr", store="compact", signal=result.signal)
    assert 0.98 <= saved.bytes * 8 / PHOTO[..., 0].size <= 1


def test_more_bytes_are_a_better_function() -> None:
    few, many = (partinr.fit(PHOTO, goal=partinr.Compact(size=size)) for size in (3000, 6000))
    assert many.psnr > few.psnr + 1


def test_a_size_that_nothing_has_is_not_reached() -> None:
    result = partinr.fit(PHOTO, goal=partinr.Compact(size=20))
    assert not result.reached
    assert compact_size(result.model) < 400  # the least that there is, all the same


def test_whole_numbers_can_be_exact() -> None:
    result = partinr.fit(PHOTO[:70, :90], goal=partinr.Compact(psnr=120))
    assert result.psnr == np.inf
    assert np.array_equal(partinr.render(result.model), PHOTO[:70, :90])


@pytest.mark.parametrize(
    "signal",
    [
        np.zeros((40, 50), np.uint8),
        np.full((3, 200), 7, np.uint8),
        np.ones((1, 1), np.float32),
        np.zeros(5),
        np.eye(2),
        np.arange(3, dtype=np.uint16),
        np.ones((9, 1, 17, 2)),
    ],
    ids=lambda signal: f"{signal.dtype}{signal.shape}",
)
def test_signals_of_little_are_exact(signal: np.ndarray, tmp_path: Path) -> None:
    given = partinr.from_array(signal)
    result = partinr.fit(given, goal=partinr.Compact(60))
    assert result.psnr >= 60
    path = tmp_path / "small.inr"
    partinr.save(result.model, path, store="compact")
    assert np.array_equal(partinr.render(partinr.load(path)), partinr.render(result.model))


def test_what_is_read_back_is_the_same_function_to_the_bit(tmp_path: Path) -> None:
    result = partinr.fit(PHOTO, goal=partinr.Compact(36))
    partinr.save(result.model, tmp_path / "a.inr", store="compact", signal=result.signal)
    loaded = partinr.load(tmp_path / "a.inr")
    for own, theirs in zip(loaded.parameters, result.model.parameters, strict=True):
        for a, b in zip(own.arrays, theirs.arrays, strict=True):
            assert np.array_equal(a, b)
    partinr.save(loaded, tmp_path / "b.inr", store="compact", signal=result.signal)
    assert (tmp_path / "a.inr").read_bytes() == (tmp_path / "b.inr").read_bytes()


def test_the_function_is_the_sum_of_its_cosines() -> None:
    result = partinr.fit(PHOTO, goal=partinr.Compact(34))
    spectra = result.model.spectra
    assert spectra is not None
    expected = np.empty(PHOTO.shape)
    for (first, last), own in zip(spectra.boxes, spectra.by_box(), strict=True):
        coded = idctn(own * spectra.step, axes=(1, 2), norm="ortho")
        part = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        expected[part] = np.einsum("cyx,cd->yxd", coded, spectra.mixing)
    rendered = result.model(partinr.signals.frames.raster(PHOTO.shape[:2])).reshape(PHOTO.shape)
    assert np.abs(rendered - expected).max() < 1e-5


def test_threads_change_nothing() -> None:
    one, three = (
        partinr.fit(PHOTO, goal=partinr.Compact(36), compute=partinr.Compute(threads=threads))
        for threads in (1, 3)
    )
    assert one.model.spectra is not None
    assert three.model.spectra is not None
    assert np.array_equal(one.model.spectra.integers, three.model.spectra.integers)


def test_hard_parts_get_smaller_boxes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 64), np.uint8)
    picture = np.concatenate([np.full((128, 64), 90, np.uint8), noise], axis=1)
    picture[40:50, 70:80] = 0
    spectra = partinr.fit(picture, goal=partinr.Compact(30)).model.spectra
    assert spectra is not None
    sizes = (spectra.boxes[:, 1] - spectra.boxes[:, 0]).prod(axis=1)
    flat = spectra.boxes[:, 1, 1] <= 64
    assert sizes[flat].min() == 64 * 64
    assert sizes[~flat].min() < 64 * 64


def test_the_usual_goal_is_taken_where_nothing_is_said_of_training() -> None:
    assert partinr.fit(PHOTO).goal == partinr.usual_goal() == partinr.Compact(42)
    asked = partinr.fit(PHOTO, compute=partinr.Compute(precision="fp32"), watch=partinr.Watch(lambda _: True))
    assert asked.goal == partinr.Steps()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "got none"),
        ({"psnr": 30, "size": 100}, "psnr and size"),
        ({"psnr": -3}, "positive number of dB"),
        ({"psnr": float("nan")}, "positive number of dB"),
        ({"size": 0}, "at least 1"),
        ({"size": True}, "whole number of bytes"),
        ({"bpp": 0}, "positive number of bits"),
        ({"bpp": -1}, "positive number of bits"),
        ({"bpp": float("inf")}, "positive number of bits"),
    ],
)
def test_impossible_goals_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(partinr.InputError, match=message):
        partinr.Compact(**given)


def test_what_only_training_knows_is_refused(tmp_path: Path) -> None:
    goal = partinr.Compact(30)
    with pytest.raises(partinr.InputError, match="chooses partition and network"):
        partinr.fit(PHOTO, partinr.Grid(2, 2), goal=goal)
    with pytest.raises(partinr.InputError, match="chooses partition and network"):
        partinr.fit(PHOTO, goal=goal, keep=partinr.Keep(tmp_path))
    with pytest.raises(partinr.InputError, match="engine cpu"):
        partinr.fit(PHOTO, goal=goal, compute=partinr.Compute(engine="torch"))


def test_a_fit_can_be_stopped_and_tells_how_far_it_is() -> None:
    told: list[float] = []
    partinr.fit(PHOTO, goal=partinr.Compact(37), watch=partinr.Watch(lambda p: told.append(p.fraction)))
    assert told == sorted(told)
    assert all(0 < fraction <= 1 for fraction in told)
    stopped = partinr.fit(PHOTO, goal=partinr.Compact(size=3000), watch=partinr.Watch(lambda _: True))
    assert stopped.stopped == "callback"


def test_channels_are_mixed_by_directions_without_correlation() -> None:
    values = partinr.from_array(PHOTO).normalised()
    mixing = mixing_for(values)
    assert np.abs(mixing @ mixing.T - np.eye(3)).max() < 2e-4
    coded = values @ unmixing(mixing).T
    assert np.abs(coded @ mixing - values).max() < 1e-5
    steps = np.diff(coded, axis=1).reshape(-1, 3)
    assert np.abs(np.corrcoef(steps.T) - np.eye(3)).max() < 0.2
    assert np.array_equal(mixing_for(values[..., :1]), np.eye(1, dtype=np.float32))


def test_a_step_is_steered_to_what_is_wanted() -> None:
    step, value = steered(lambda step: 3 * step**1.7, 0.02, 1.0, near=1e-3, most=8)
    assert value == pytest.approx(0.02, rel=1e-3)
    assert step == pytest.approx((0.02 / 3) ** (1 / 1.7), rel=1e-3)


def test_fewer_bits_are_expected_of_coarser_steps() -> None:
    cutter = Cutter(partinr.from_array(PHOTO), None)
    fine, coarse = cutter.cut(0.02), cutter.cut(0.1)
    assert fine.error < coarse.error
    assert fine.bits > coarse.bits
    again = cutter.again(coarse, 0.02)
    assert len(again.boxes) == len(coarse.boxes)
    assert again.error == pytest.approx(fine.error, rel=0.2)


def test_sides_of_boxes_lie_within_what_is_said() -> None:
    for signal in (PHOTO, WAVES, BALL):
        spectra = partinr.fit(signal, goal=partinr.Compact(40)).model.spectra
        assert spectra is not None
        sides = Sides.usual(len(spectra.shape))
        lengths = spectra.boxes[:, 1] - spectra.boxes[:, 0]
        assert lengths.max() <= sides.root
        assert lengths.min() >= sides.least

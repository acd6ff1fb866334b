"""Signals of few levels fitted to a PSNR: what rounding makes of an error as large as a step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partinr import FAST, Auto, Growing, Keep, Quality, Steps, Watch, fit


def picture(name: str, n: int) -> np.ndarray:
    """A square picture of few levels; every one is fitted exactly by default."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:n, :n] / n
    if name == "blobs":
        return np.sin(9 * x + 3 * y) + np.cos(7 * y - 6 * x * x) > 0.3
    if name == "checkerboard":
        return (np.mgrid[:n, :n] // 5).sum(axis=0) % 2 == 1
    if name == "blocks":
        return (random.uniform(size=(n // 8, n // 8)) > 0.5).repeat(8, 0).repeat(8, 1)
    if name == "lines of text":
        glyphs = random.uniform(size=(n // 8, n // 4)) > 0.5
        return glyphs.repeat(8, 0).repeat(4, 1) & (np.arange(n) % 8 < 6)[:, None]
    if name == "zero or one":
        return (np.hypot(x - 0.5, y - 0.4) < 0.3).astype(np.int64)
    if name == "four levels":
        return np.digitize(np.sin(6 * x) + np.cos(8 * y), [-0.8, 0, 0.8]).astype(np.int64)
    centres = random.uniform(size=(12, 2))
    return ((y[..., None] - centres[:, 0]) ** 2 + (x[..., None] - centres[:, 1]) ** 2).argmin(axis=-1)


PICTURES = ("blobs", "checkerboard", "blocks", "lines of text", "zero or one", "four levels", "labels")


@pytest.mark.parametrize("n", [64, 96])
@pytest.mark.parametrize("name", PICTURES)
def test_what_a_default_fit_exceeds_is_reached(name: str, n: int) -> None:
    values = picture(name, n)
    assert fit(values, goal=Growing(30.0)).reached
    assert fit(values, Auto(), goal=Quality(30.0)).reached


@pytest.mark.parametrize("name", ["blobs", "zero or one", "four levels", "labels"])
def test_few_levels_in_large_patches_take_fewer_parameters_than_a_default_fit(name: str) -> None:
    values = picture(name, 64)
    assert fit(values, goal=Growing(30.0)).params < 0.5 * fit(values, goal=Steps(1)).params


@pytest.mark.parametrize(
    "way",
    [
        {"goal": Growing(30.0)},
        {"goal": Quality(30.0), "partition": Auto()},
        {"goal": Quality(30.0), "partition": Auto(), "recipe": FAST.changed(overlap=1)},
    ],
)
def test_what_renderings_told_is_known_after_an_interruption(way: dict[str, Any], tmp_path: Path) -> None:
    values = picture("checkerboard", 48)
    whole = fit(values, **way)
    fit(values, keep=Keep(tmp_path), watch=Watch(lambda p: p.steps >= 0.8 * whole.steps), **way)
    resumed = fit(values, keep=Keep(tmp_path, resume=True), **way)
    assert resumed.steps == whole.steps
    np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)

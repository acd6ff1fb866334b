"""Videos on the command line: read in parts, rendered at other rates and sizes, and refused in one line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import partinr
from cli_helpers import assert_refused, run
from moving import film, moving


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames of ten a second, fitted."""
    folder = tmp_path_factory.mktemp("video")
    path = film(folder / "film.mkv", moving(10), rate=10, sound=True)
    done = run("fit", path, "--start", "0.2", "--psnr", "60", "--json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["notes"] == ["its sound is not kept"]
    assert facts["shape"] == [8, 16, 24]
    return path.with_suffix(".inr")


@pytest.mark.parametrize(
    ("words", "shape", "spacing"),
    [
        ([], (8, 16, 24), 0.1),
        (["--scale", "2"], (8, 32, 48), 0.1),
        (["--size", "12x8"], (8, 8, 12), 0.1),
        (["--size", "12x8x4"], (4, 8, 12), 0.2),
        (["--fps", "25"], (20, 16, 24), 0.04),
        (["--fps", "5", "--scale", "0.5", "--crop", "4,2,16,14"], (4, 6, 6), 0.2),
        (["--crop", "4,2,2,16,14,6"], (4, 12, 12), 0.1),
    ],
)
def test_rates_and_sizes(
    fitted: Path, tmp_path: Path, words: Sequence[str], shape: tuple[int, ...], spacing: float
) -> None:
    done = run("render", fitted, "-o", tmp_path / "a.mkv", *words)
    assert done.code == 0, done.err
    found = partinr.read(tmp_path / "a.mkv")
    assert found.shape == shape
    assert found.spec.axes is not None
    assert found.spec.axes[0].spacing == pytest.approx(spacing)


def rendered(*words: object) -> None:
    ran = run("render", *words)
    assert (ran.code, ran.err) == (0, "")


def test_what_is_rendered_is_the_function(fitted: Path, tmp_path: Path) -> None:
    model = partinr.load(fitted)
    own = partinr.render(model)
    assert np.abs(own.astype(int) - moving(10)[2:]).max() <= 3
    rendered(fitted, "-o", tmp_path / "frames/%d.png")
    for i in range(8):
        np.testing.assert_array_equal(partinr.read(tmp_path / f"frames/{i + 1}.png").values, own[i])
    rendered(fitted, "-o", tmp_path / "one.png", "--picture", "3")
    np.testing.assert_array_equal(partinr.read(tmp_path / "one.png").values, own[3])
    rendered(fitted, "-o", tmp_path / "slope.png", "--derivative", "t", "--picture", "3")
    assert partinr.read(tmp_path / "slope.png").shape == (16, 24)
    told = run("info", fitted).out
    assert "10 frames a second, for 0.8 s" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "a.png"], "PNG holds"),
        (["-o", "a.mp4", "--fps", "0"], "must be a positive number of frames a second"),
        (["-o", "a.png", "--picture", "8"], "--picture must be 0 to 7"),
        (["-o", "a.mp4", "--picture", "1"], "MP4 holds videos"),
        (["-o", "a.mp4", "--fps", "5", "--size", "4x4x9"], "say how many frames there are"),
        (["-o", "a.mp4", "--scale", "2", "--size", "4x4"], "give one of --size, --scale and --rate"),
        (["-o", "a.wav", "--rate", "8000"], "a rate is for sounds"),
    ],
)
def test_bad_wishes(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("render", fitted, *words)
    assert_refused(done, message)
    assert list(tmp_path.iterdir()) == []

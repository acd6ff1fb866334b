"""`partinr render --derivative`: numbers, and pictures of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

import partinr
from cli_helpers import assert_refused, run, save_picture

RAMP = np.add.outer(np.arange(12), 5 * np.arange(16)).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("derivative")
    colours = np.stack([RAMP, 0 * RAMP + 7, RAMP[::-1]], axis=-1)
    path = folder / "model.inr"
    assert run("fit", save_picture(folder / "photo.png", colours), "-o", path, "-q").code == 0
    return path


def rendered(model: Path, word: str) -> ndarray:
    return partinr.render(partinr.load(model), derivative=word)


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_numbers(tmp_path: Path, model: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    ran = run("render", model, "-o", output, "--derivative", "gradient")
    assert ran.code == 0
    assert "gradient per sample" in ran.out
    values = partinr.read(output).values if suffix == ".tif" else np.load(output)
    assert values.dtype == np.float32
    # The planes of a gradient, one after another.
    np.testing.assert_array_equal(values.reshape(12, 16, 2, 3), rendered(model, "gradient"))
    np.testing.assert_allclose(values.mean(axis=(0, 1)), [1, 0, -1, 5, 0, 5], atol=0.6)


def test_pfm(tmp_path: Path, model: Path) -> None:
    assert run("render", model, "-o", tmp_path / "x.pfm", "--derivative", "x").code == 0
    np.testing.assert_array_equal(partinr.read(tmp_path / "x.pfm").values, rendered(model, "x"))
    ran = run("render", model, "-o", tmp_path / "both.pfm", "--derivative", "gradient")
    assert_refused(ran, "PFM holds 32-bit floating-point pictures of 1 or 3 channels", "6 channel(s)")
    assert not (tmp_path / "both.pfm").exists()


@pytest.mark.parametrize("word", ["x", "y", "laplacian"])
def test_a_picture_around_grey(tmp_path: Path, model: Path, word: str) -> None:
    output = tmp_path / "out.png"
    ran = run("render", model, "-o", output, "--derivative", word)
    assert ran.code == 0
    values = rendered(model, word)
    most = np.abs(values).max()
    unit = "per sample²" if word == "laplacian" else "per sample"
    assert f"black -{most:.3g}, grey 0, white {most:.3g} {unit}" in ran.out
    picture = np.asarray(Image.open(output))
    np.testing.assert_array_equal(picture, np.rint(128 + 127 * values.astype(np.float64) / most))
    assert 255 in picture or 1 in picture


def test_a_picture_of_a_gradient_is_its_length(tmp_path: Path, model: Path) -> None:
    output = tmp_path / "out.png"
    ran = run("render", model, "-o", output, "--derivative", "gradient", "--scale", 2)
    values = partinr.render(partinr.load(model), scale=2, derivative="gradient").astype(np.float64)
    length = np.sqrt((values**2).sum(axis=-2))
    assert f"black 0, white {length.max():.3g} per sample" in ran.out
    picture = np.asarray(Image.open(output))
    assert picture.shape == (24, 32, 3)
    np.testing.assert_array_equal(picture, np.rint(255 * length / length.max()))


def test_opacity_is_left_out(tmp_path: Path) -> None:
    values = np.dstack([RAMP, RAMP, RAMP, 0 * RAMP + 255])
    model, output = tmp_path / "model.inr", tmp_path / "out.png"
    assert run("fit", save_picture(tmp_path / "photo.png", values), "-o", model, "-q").code == 0
    assert run("render", model, "-o", output, "--derivative", "x", "-q").code == 0
    assert np.asarray(Image.open(output)).shape == (12, 16, 3)


def test_refused_before_any_work(tmp_path: Path, model: Path) -> None:
    for suffix in (".npy", ".png"):
        ran = run("render", model, "-o", tmp_path / f"out{suffix}", "--derivative", "z")
        assert_refused(ran, "the derivative must be y, x, gradient or laplacian, got 'z'")
    assert_refused(run("render", model, "-o", tmp_path / "out.pgm", "--derivative", "x"), "PGM holds 8-bit")
    assert_refused(run("render", model, "-o", tmp_path / "out.xyz", "--derivative", "x"), "suffix must be")
    assert list(tmp_path.iterdir()) == []

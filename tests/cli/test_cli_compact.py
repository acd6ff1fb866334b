"""`fit` by a named quality or size, into compact files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from cli_helpers import assert_refused, run
from partinr import load, read
from partinr.model.rendering import rendered_psnr


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(data.astronaut()[:150, 100:300]).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def facts(photo: Path, *given: object) -> dict[str, object]:
    ran = run("fit", photo, "-o", photo.with_name("out.inr"), "--json", *given)
    assert ran.code == 0, ran.err
    found: dict[str, object] = json.loads(ran.out)
    return found


def test_without_options_a_photograph_becomes_a_small_file(photo: Path) -> None:
    found = facts(photo)
    assert (found["store"], found["partition"], found["steps"]) == ("compact", "tree", 0)
    assert 42 <= float(str(found["psnr"])) < 42.1
    output = photo.with_name("out.inr")
    assert output.stat().st_size == found["bytes"]
    assert output.stat().st_size < photo.stat().st_size / 2


def test_the_quality_that_is_told_is_that_of_the_file(photo: Path) -> None:
    found = facts(photo, "--psnr", 33)
    stored = load(photo.with_name("out.inr"))
    assert float(str(found["psnr"])) == pytest.approx(rendered_psnr(stored, read(photo)), abs=1e-9)
    assert 33 <= float(str(found["psnr"])) < 33.1
    info = json.loads(run("info", photo.with_name("out.inr"), "--json").out)
    assert info["store"] == "compact"
    assert info["psnr"] == pytest.approx(float(str(found["psnr"])), abs=1e-3)


@pytest.mark.parametrize(
    ("given", "most"), [("6kB", 6000), ("0.006MB", 6000), ("5000", 5000), ("5KiB", 5120)]
)
def test_a_size_is_kept(photo: Path, given: str, most: int) -> None:
    size = facts(photo, "--size", given)["bytes"]
    assert 0.98 * most <= float(str(size)) <= most


def test_bits_a_sample_are_kept(photo: Path) -> None:
    assert 0.98 <= float(str(facts(photo, "--bpp", 1)["bits_per_sample"])) <= 1


def test_a_size_that_is_too_small_is_said(photo: Path) -> None:
    ran = run("fit", photo, "-o", photo.with_name("out.inr"), "--size", 10)
    assert ran.code == 1
    assert "the smallest file has" in ran.err
    assert photo.with_name("out.inr").exists()


def test_a_siren_grows_as_before(photo: Path) -> None:
    found = facts(photo, "--network", "siren", "--psnr", 25)
    assert (found["network"], found["partition"]) == ("siren", "adaptive")


@pytest.mark.parametrize(
    "given",
    [("--network", "cosine"), ("--network", "cosine", "--psnr", 30), ("--threads", 1), ("--engine", "cpu")],
)
def test_cosines_over_boxes_of_their_own(photo: Path, given: tuple[object, ...]) -> None:
    assert facts(photo, *given)["partition"] == "tree"


@pytest.mark.parametrize(
    "given",
    [
        ("--steps", 3),
        ("--partition", "grid:2x2", "--steps", 2),
        ("--lr", 0.01, "--steps", 2),
        ("--time", 0.1),
    ],
)
def test_what_only_training_knows_trains(photo: Path, given: tuple[object, ...]) -> None:
    assert facts(photo, *given)["network"] == "siren"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--psnr", 30, "--size", "5kB"), "give one of --psnr, --snr, --size and --bpp"),
        (("--size", "5kB", "--bpp", 1), "give one of --psnr, --snr, --size and --bpp"),
        (("--bpp", 0), "bpp must be a positive number"),
        (("--bpp", -2), "bpp must be a positive number"),
        (("--size", 0), "--size must be a number of bytes"),
        (("--size", "-5"), "--size must be a number of bytes"),
        (("--size", "5 pounds"), "--size must be a number of bytes"),
        (("--size", "1e3"), "--size must be a number of bytes"),
        (("--size", "5kB", "--steps", 5), "--size is kept by cosines"),
        (("--bpp", 1, "--network", "siren"), "--bpp is kept by cosines"),
        (("--bpp", 1, "--partition", "grid:2x2"), "--bpp is kept by cosines"),
        (("--size", "5kB", "--store", "float16"), "leave out --store float16"),
    ],
)
def test_what_does_not_go_together_is_refused(photo: Path, given: tuple[object, ...], message: str) -> None:
    assert_refused(run("fit", photo, "-o", photo.with_name("out.inr"), *given), message)
    assert not photo.with_name("out.inr").exists()


def test_any_number_of_axes_and_channels(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    for shape in ((500,), (20, 30, 5), (9, 10, 11)):
        np.save(tmp_path / "a.npy", random.normal(size=shape).cumsum(axis=0))
        given = ("--channels-last",) if shape == (20, 30, 5) else ()
        ran = run("fit", tmp_path / "a.npy", "-o", tmp_path / "a.inr", "--psnr", 40, "--json", *given)
        assert ran.code == 0, ran.err
        assert json.loads(ran.out)["store"] == "compact"
        rendered = run("render", tmp_path / "a.inr", "-o", tmp_path / "b.npy")
        assert rendered.code == 0, rendered.err
        assert np.load(tmp_path / "b.npy").shape == shape


def test_other_stores_are_taken_where_they_are_asked_for(photo: Path) -> None:
    small = facts(photo, "--psnr", 30)
    large = facts(photo, "--psnr", 30, "--store", "float32", "--between", "none")
    assert large["store"] == "float32"
    assert float(str(large["bytes"])) > 4 * float(str(small["bytes"]))
    assert load(photo.with_name("out.inr")).networks[0].name == "cosine"


def test_what_single_precision_does_not_hold_is_said(photo: Path) -> None:
    ran = run("fit", photo, "-o", photo.with_name("out.inr"), "--psnr", 30, "--store", "float32")
    assert ran.code == 1
    assert "use --store compact" in ran.err


def test_a_trained_network_is_coded_too(photo: Path) -> None:
    half = facts(photo, "--network", "siren", "--steps", 20, "--store", "float16")
    coded = facts(photo, "--network", "siren", "--steps", 20, "--store", "compact")
    assert coded["store"] == "compact"
    assert float(str(coded["bytes"])) < 0.7 * float(str(half["bytes"]))
    assert float(str(coded["psnr"])) > float(str(half["psnr"])) - 0.1
    stored = load(photo.with_name("out.inr"))
    assert float(str(coded["psnr"])) == pytest.approx(rendered_psnr(stored, read(photo)), abs=1e-9)

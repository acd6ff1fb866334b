"""`partinr fit` with samples that are missing or scattered, and with weights."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import partinr
from cli_helpers import assert_refused, fit, picture, run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_mask_and_weights(photo: Path, tmp_path: Path) -> None:
    mask = np.ones((12, 16), bool)
    mask[3:6, 4:10] = False
    Image.fromarray(mask).save(tmp_path / "mask.png")
    np.save(tmp_path / "weights.npy", np.arange(192).reshape(12, 16))
    ran = fit(photo, "--mask", tmp_path / "mask.png")
    assert ran.code == 0
    assert "18 of 192 samples (9.4 %), filled by the function" in ran.out
    assert "(over what is there)" in ran.out
    ran = fit(photo, "--mask", tmp_path / "mask.png", "--weights", tmp_path / "weights.npy", "--json")
    facts = json.loads(ran.out)
    assert (facts["missing"], facts["weighted"]) == (19, True)
    signal = partinr.signals.as_signal(photo, mask, np.arange(192).reshape(12, 16))
    from partinr.model.rendering import rendered_psnr

    assert facts["psnr"] == rendered_psnr(partinr.load(facts["output"]), signal)


def test_nan_in_a_file_is_missing(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 400)
    values[70:90] = np.nan
    np.save(tmp_path / "series.npy", values)
    ran = fit(tmp_path / "series.npy")
    assert ran.code == 0
    assert "20 of 400 samples" in ran.out
    rendered = partinr.render(partinr.load(tmp_path / "series.inr"))
    np.testing.assert_allclose(rendered, np.linspace(0, 1, 400), atol=0.05)


@pytest.mark.parametrize(
    ("option", "values", "said"),
    [
        ("--mask", np.ones((16, 12)), "mask must have the signal's shape (12, 16), got (16, 12)"),
        ("--mask", np.zeros((12, 16)), "all 192 samples are missing"),
        ("--weights", np.ones((12, 17)), "weights must have the signal's shape"),
        ("--weights", np.full((12, 16), -2.0), "not negative"),
        ("--weights", np.where(np.arange(192).reshape(12, 16) == 5, np.nan, 1), "got 1 that are not"),
        ("--weights", np.full((12, 16), np.inf), "finite"),
    ],
)
def test_what_does_not_fit(photo: Path, tmp_path: Path, option: str, values: np.ndarray, said: str) -> None:
    np.save(tmp_path / "beside.npy", values)
    assert_refused(fit(photo, option, tmp_path / "beside.npy"), "beside.npy", said)
    assert not photo.with_suffix(".inr").exists()


def test_a_mask_that_is_not_there(photo: Path) -> None:
    assert_refused(fit(photo, "--mask", "nowhere.png"), "nowhere.png", "no such file")
    assert_refused(fit(photo, "--mask", photo), "one number for each sample")


@pytest.fixture
def stations(tmp_path: Path) -> Path:
    places = np.random.default_rng(0).random((600, 2)) * [10, 5]
    rows = [f"{i},{y},{x},{np.sin(x) + y}\n" for i, (y, x) in enumerate(places)]
    (tmp_path / "stations.csv").write_text("id,lat,lon,t\n" + "".join(rows))
    return tmp_path / "stations.csv"


def test_points(stations: Path, tmp_path: Path) -> None:
    ran = fit(stations, "--coords", "lat, lon", "--values", "t")
    assert ran.code == 0
    assert "(at the points that were fitted)" in ran.out
    assert re.search(r"held out +\d+ other points: \d+\.\d+ dB PSNR, 0\.0\d+ RMS error", ran.out)
    model = partinr.load(stations.with_suffix(".inr"))
    assert [axis.name for axis in model.signal.axes] == ["lat", "lon"]
    assert (
        run("render", stations.with_suffix(".inr"), "--size", "20x10", "-o", tmp_path / "map.npy").code == 0
    )
    assert np.isfinite(np.load(tmp_path / "map.npy")).all()
    facts = json.loads(fit(stations, "--coords", "2,3", "--values", "t", "--json", "--steps", 20).out)
    assert facts["held_out"]["points"] + facts["points"] == 600
    assert facts["missing"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--coords", "lat,lon"), "give both"),
        (("--values", "t"), "give both"),
        (("--coords", "lat,x", "--values", "t"), "expected a column 'x', got id, lat, lon, t"),
        (("--coords", ",", "--values", "t"), "1 to 3 columns"),
        (("--coords", "lat,lon", "--values", "t", "--psnr", "40", "--network", "siren"), "on grids"),
        (("--coords", "lat,lon", "--values", "t", "--size", "10kB"), "--size"),
        (("--coords", "lat,lon", "--values", "t", "--weights", "stations.csv"), "stations.csv"),
    ],
)
def test_points_that_cannot_be_fitted(stations: Path, words: tuple[str, ...], said: str) -> None:
    assert_refused(fit(stations, *words), said)
    assert not stations.with_suffix(".inr").exists()

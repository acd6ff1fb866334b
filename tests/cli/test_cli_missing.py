"""`partinr fit` with samples that are missing, and with weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import partinr
from cli_helpers import assert_refused, fit, picture


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
    np.testing.assert_allclose(rendered, np.linspace(0, 1, 400), atol=0.03)


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

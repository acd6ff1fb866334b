"""`fit --network cosine`: a network that is solved, with words of its own."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from cli_helpers import assert_refused, run, save_picture
from partinr import Cosine, load


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_picture(tmp_path / "photo.png")


def test_it_is_solved_and_written(photo: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.inr"
    given = ("--network", "cosine", "--frequencies", 6, "--partition", "grid:2x3", "--overlap", 0)
    ran = run("fit", photo, "-o", output, *given, "--steps", 9, "--json")
    facts = json.loads(ran.out)
    assert (ran.code, facts["steps"], facts["frame"], facts["width"], facts["layers"]) == (0, 0, "area", 6, 0)
    assert load(output).networks == (Cosine(6),)
    assert float(facts["psnr"]) == math.inf  # as many frequencies as samples along each axis
    assert "cosine, 6 frequencies" in run("info", output).out


def test_a_budget_decides_the_frequencies(photo: Path, tmp_path: Path) -> None:
    ran = run("fit", photo, "-o", tmp_path / "out.inr", "--network", "cosine", "--params", 150, "--json")
    assert json.loads(ran.out)["params"] <= 150


def test_a_psnr_that_is_not_reached(photo: Path, tmp_path: Path) -> None:
    given = ("--network", "cosine", "--frequencies", 2, "--partition", "none", "--psnr", 60)
    ran = run("fit", photo, "-o", tmp_path / "out.inr", *given)
    assert ran.code == 1
    assert "allow more --frequencies, or smaller regions" in ran.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--frequencies", 1), "frequencies of the network cosine must be a whole number from 2"),
        (("--frequencies", 8, "--params", 100), "give either --frequencies or --params, got both"),
        (("--frame", "local"), "the network cosine sees the area frame, got local; leave it out"),
        (("--hidden", 8), "the network cosine has the fields frequencies, got 'hidden'"),
    ],
)
def test_what_does_not_go_with_it(photo: Path, tmp_path: Path, given: tuple[object, ...], said: str) -> None:
    assert_refused(run("fit", photo, "-o", tmp_path / "out.inr", "--network", "cosine", *given), said)

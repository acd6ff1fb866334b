"""`partinr fit` into stores, and `partinr info` of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cli_helpers import run
from partinr.cli import fit_tiles
from partinr.tiles import tasks
from partinr.tiles.store import JOURNAL, Store


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiled TIFF of 300 x 400 pixels."""
    path = tmp_path_factory.mktemp("slides") / "slide.tif"
    y, x = np.mgrid[:300, :400]
    waves = 128 + 60 * np.sin(x / 9) * np.cos(y / 13) + np.random.default_rng(0).normal(0, 5, (300, 400))
    tifffile.imwrite(path, np.clip(waves, 0, 255).astype(np.uint8), tile=(128, 128))
    return path


def test_a_fit_into_a_store_and_what_is_said_of_it(slide: Path, tmp_path: Path) -> None:
    store = tmp_path / "slide.inrs"
    ran = run("fit", slide, "-o", store, "--psnr", 36, "--tile", 128, "--workers", 1, "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert told["tiles"] == told["done"] == 12
    assert told["reached"]
    assert told["bytes"] == Store.open(store).size
    said = json.loads(run("info", store, "--json").out)
    assert said["finished"]
    assert said["psnr"] == told["psnr"] >= 36
    assert "12 of 128x128" in run("info", store).out
    again = run("fit", slide, "-o", store, "--psnr", 36, "--tile", 128)
    assert (again.code, "there is a store already" in again.err) == (2, True)
    assert run("fit", slide, "-o", store, "--psnr", 36, "--tile", 128, "--resume").code == 0


def test_signals_that_do_not_fit_go_into_tiles_by_themselves(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_tiles, "_SMALL", 0)
    copy = tmp_path / "slide.tif"
    copy.write_bytes(slide.read_bytes())
    ran = run("fit", copy, "-o", tmp_path / "a.inr", "--memory", "4MB")
    assert ran.code == 2
    assert "name a store of tiles" in ran.err
    monkeypatch.setattr(fit_tiles, "_memory", lambda: 4_000_000)
    assert run("fit", copy, "--psnr", 30, "--quiet").code == 0
    assert Store.open(tmp_path / "slide.inrs").layout.grid == (1, 1)
    monkeypatch.undo()
    assert run("fit", copy, "--psnr", 30, "--quiet").code == 0
    assert (tmp_path / "slide.inr").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "a.inrs", "--network", "siren"], "--network is for fits of the whole"),
        (["-o", "a.inrs", "--weights", "w.npy"], "--weights is for fits of the whole"),
        (["-o", "a.inrs", "--steps", "5"], "--steps is for fits of the whole"),
        (["-o", "a.inrs", "--snr", "40"], "--snr is for fits of the whole"),
        (["-o", "a.inr", "--tile", "128"], "must end in .inrs"),
        (["-o", "a.inrs", "--tile", "100"], "take 128"),
        (["-o", "a.inrs", "--memory", "much"], "--memory must be a number of bytes"),
        (["-o", "a.inrs", "--memory", "1MB"], "take smaller tiles"),
    ],
)
def test_what_does_not_go_together(slide: Path, words: list[str], said: str) -> None:
    ran = run("fit", slide, *words)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not Path("a.inrs").exists()


def test_a_tile_that_fails(slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverged(*_: object) -> float:
        raise ArithmeticError("diverged")

    monkeypatch.setattr(tasks, "rendered_psnr", diverged)
    ran = run("fit", slide, "-o", tmp_path / "a.inrs", "--tile", 256, "--workers", 1, "--quiet")
    assert ran.code == 1
    assert "tile 0/0 and 3 others failed: diverged; 0 of 4 tiles are done; go on with --resume" in ran.err


def test_an_interrupted_fit_says_how_to_go_on(slide: Path, tmp_path: Path) -> None:
    store = tmp_path / "a.inrs"
    options = ["fit", str(slide), "-o", str(store), "--tile", "64", "--workers", "1", "--psnr", "36"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-m", "partinr", *options], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        while not (store / JOURNAL).exists() or not (store / JOURNAL).read_bytes():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "tiles are done; go on with --resume" in said
    assert said.count("\n") == 1
    assert "of 35 of 64x64" in run("info", store).out
    assert run(*options, "--resume", "--quiet").code == 0

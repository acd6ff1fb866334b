"""`partinr hypothesis` as a user meets it."""

from __future__ import annotations

import csv
import itertools
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image

from cli_helpers import Ran, run, start
from page_parser import require_self_contained

SMALL = ("--hidden", 6, "--layers", 1, "--threshold", 0.3, "--lr", 0.01, "--bootstrap", 20, "--threads", 1)
LINE = ("--sizes", "1:13:2", "--repeats", 3, "--points", 60, "--steps", 80)
PLANE = ("--sizes", "1,2,2x3,9", "--repeats", 2, "--points", 10, "--steps", 40)


def sweep(dims: str, folder: Path, *words: object) -> Ran:
    return run("hypothesis", dims, "-o", folder, *SMALL, *(LINE if dims == "1d" else PLANE), *words)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A folder with a sweep whose runs have all ended, and what the command printed."""
    folder = tmp_path_factory.mktemp("sweep") / "made" / "here"
    return folder, sweep("1d", folder, "--json")


@pytest.fixture
def folder(finished: tuple[Path, Ran], tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished[0], tmp_path / "copy"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(ran: Ran, *said: str) -> None:
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    for text in said:
        assert text in ran.err


def check(folder: Path, ran: Ran, runs: int) -> None:
    """That the folder holds what the command said, and figures and a page beside it."""
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert json.loads((folder / "results.json").read_text()) == found
    rows = list(csv.DictReader((folder / "runs.csv").read_text().splitlines()))
    assert len(rows) == found["runs"] == runs
    assert found["converged"] == sum(row["ending"] == "converged" for row in rows) > 0
    assert found["censored"] == sum(row["ending"] == "censored" for row in rows)
    assert all((float(row["error"]) < 0.3) == (row["ending"] == "converged") for row in rows)
    assert found["steps"] == sum(int(row["steps"]) for row in rows)
    assert set(found["models"]) == {"exponential", "power law", "quadratic", "linear"}
    for name in ("growth", "residuals", "signal"):
        with Image.open(folder / f"{name}.png") as picture:
            assert picture.size[0] > 600
        assert (folder / f"{name}.svg").read_text().lstrip().startswith("<?xml")
    check_page(folder, found, 3)


def check_page(folder: Path, found: dict[str, Any], plots: int) -> None:
    """That the page says what the command said, and needs no other file."""
    page = (folder / "report.html").read_text()
    for sentence in found["verdict"]:
        assert f"<p>{sentence}</p>" in page
    assert page.count("<svg") == plots
    assert f"<dt>converged</dt><dd>{found['converged']}</dd>" in page
    require_self_contained(page)
    assert found["settings"]["network"]["name"] == "siren"


def test_a_line_leaves_rows_numbers_figures_and_a_page(finished: tuple[Path, Ran]) -> None:
    check(*finished, 21)
    found = json.loads(finished[1].out)
    low, high = found["p_interval"]
    assert low <= found["p"] <= high


def test_a_plane_leaves_the_same(tmp_path: Path) -> None:
    check(tmp_path, sweep("2d", tmp_path, "--json"), 8)


def test_the_same_command_again_keeps_the_runs(finished: tuple[Path, Ran], folder: Path) -> None:
    (folder / "runs.csv").unlink()
    state = (folder / "state.safetensors").stat().st_mtime_ns
    again = sweep("1d", folder)
    assert again.code == 0
    assert "21: " in again.out
    for name in ("runs.csv", "growth.svg", "signal.svg"):
        assert (folder / name).read_bytes() == (finished[0] / name).read_bytes()
    assert (folder / "state.safetensors").stat().st_mtime_ns == state


def test_another_network(tmp_path: Path) -> None:
    ran = sweep("1d", tmp_path, "--network", "finer", "--sizes", "1,3", "--repeats", 1, "--json")
    network = json.loads(ran.out)["settings"]["network"]
    assert (network["name"], network["hidden"], network["omega_0"]) == ("finer", 6, 30)


def test_other_settings_are_refused(folder: Path) -> None:
    before = contents(folder)
    refused(sweep("1d", folder, "--seed", 1), "other settings: seed was 0, now 1")
    refused(sweep("2d", folder), "other settings")
    assert contents(folder) == before


def test_nothing_converges(tmp_path: Path) -> None:
    ran = sweep("1d", tmp_path, "--threshold", 1e-9, "--steps", 3, "--json")
    assert ran.code == 1
    assert ran.err == (
        "partinr: no run reached the error 1e-09 within 3 steps; raise --steps or --threshold\n"
    )
    found = json.loads(ran.out)
    assert (found["converged"], found["censored"], found["p"], found["p_interval"]) == (0, 21, None, None)
    assert found["exponential"] is found["faster_than_linear"] is found["best"] is None
    assert found["verdict"][0].startswith("No verdict")
    rows = list(csv.DictReader((tmp_path / "runs.csv").read_text().splitlines()))
    assert {(row["steps"], row["ending"]) for row in rows} == {("3", "censored")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--network", "nonsense"), "network must be one of siren"),
        (("--network", "relu", "--omega-0", 3), "the network relu has the fields"),
        (("--points", 13), "points must be at least 14 for 13 boundaries along an axis, got 13"),
        (("--sizes", "1,x"), "--sizes must be numbers of boundaries such as 1,3,5"),
        (("--sizes", "9:1:2"), "--sizes must be numbers"),
        (("--sizes", "1:9:0"), "--sizes must be numbers"),
        (("--sizes", "3,3"), "--sizes must differ"),
        (("--repeats", 0), "at least one size and one repeat"),
        (("--threshold", 0), "threshold must be a positive number"),
        (("--threshold", "nan"), "threshold must be a positive number"),
        (("--lr", -1), "learning rate must be a positive number"),
        (("--steps", 0), "steps must be at least 1"),
        (("--hidden", 0), "hidden of the network siren must be"),
        (("--engine", "cpu", "--device", "cuda"), "engine cpu computes on the device cpu"),
        (("--bootstrap", 3), "--bootstrap"),
        (("--threads", 0), "--threads"),
        (("--threads", -2), "--threads"),
    ],
)
def test_bad_options(words: tuple[object, ...], said: str, tmp_path: Path) -> None:
    refused(sweep("1d", tmp_path / "out", *words), said)
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    refused(sweep("1d", tmp_path / "out"), "a file is in its place")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("results", ["{}", "[]", "nonsense", '{"settings": {"sweep": "1d"}}'])
@pytest.mark.parametrize("command", ["2d", "partition", "image"])
def test_results_of_something_else_stay(command: str, results: str, tmp_path: Path) -> None:
    """Of another command, or of none of ours."""
    (tmp_path / "results.json").write_text(results)
    Image.fromarray(skimage.data.astronaut()[:64, :64]).save(tmp_path / "photo.png")
    words = [tmp_path / "photo.png"] if command == "image" else []
    refused(run("hypothesis", command, *words, "-o", tmp_path, "--quick"), "other settings: sweep was ")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".json"} == {
        "results.json": results.encode()
    }
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "state.safetensors").write_bytes(b"nonsense")
    refused(sweep("1d", tmp_path), "is not a readable checkpoint")


def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(folder)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused(sweep("1d", folder), f"{folder}/report.html: No space left on device; make room")
    assert contents(folder) == before
    # Some of the files fit and are not written either.
    calls = itertools.count()
    monkeypatch.setattr(os, "fsync", lambda number: full(number) if next(calls) > 4 else None)
    refused(sweep("1d", folder, "--bootstrap", 21), "No space left on device")
    assert contents(folder) == before


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    words = ("hypothesis", "1d", "-o", tmp_path, *SMALL, *LINE, "--threshold", 1e-9, "--steps", 200_000)
    with start(*words) as process:
        while not (tmp_path / "state.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err == f"partinr: interrupted; the same command goes on from {tmp_path}\n"
    rows = list(csv.DictReader((tmp_path / "runs.csv").read_text().splitlines()))
    assert {(row["steps"], row["ending"], row["error"]) for row in rows} == {("", "running", "")}
    assert not (tmp_path / "results.json").exists()


TINY = ("--hidden", 8, "--layers", 1, "--lr", 0.01, "--threshold", 0.3, "--threads", 1)


def test_parts(tmp_path: Path) -> None:
    words = ("--boundaries", 6, "--repeats", 2, "--parts", "1,2", "--points", 60, "--steps", 80, *TINY)
    ran = run("hypothesis", "partition", "-o", tmp_path, *words, "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert json.loads((tmp_path / "results.json").read_text()) == found
    assert [row["parts"] for row in found["parts"]] == [1, 2]
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 1 + 2 * 1 + 2 * 2
    for name in ("steps", "cost"):
        assert (tmp_path / f"{name}.png").exists()
        assert (tmp_path / f"{name}.svg").exists()
    check_page(tmp_path, found, 2)
    assert len(found["verdict"]) == 1 + len(found["parts"])
    assert found["runs"] == found["converged"] + found["censored"] == 6
    refused(run("hypothesis", "partition", "-o", tmp_path, *words, "--seed", 1), "other settings")
    refused(
        run("hypothesis", "partition", "-o", tmp_path, *words, "--parts", "1,x"), "--parts must be numbers"
    )
    nothing = ("hypothesis", "partition", "-o", tmp_path / "short", *words, "--threshold", 1e-9, "--steps", 2)
    ran = run(*nothing, "--json")
    assert (ran.code, ran.err.startswith("partinr: no signal reached the error 1e-09")) == (1, True)
    found = json.loads(ran.out)
    assert {(row["steps"], row["cost"]) for row in found["parts"]} == {(None, None)}
    assert found["verdict"][0].startswith("No verdict")
    check_page(tmp_path / "short", found, 2)


def test_photographs(tmp_path: Path) -> None:
    photo, flat = tmp_path / "photo.png", tmp_path / "flat.png"
    Image.fromarray(skimage.data.astronaut()[:200, :240]).save(photo)
    Image.new("RGB", (64, 64), (9, 9, 9)).save(flat)
    words = ("--size", 16, "--repeats", 1, "--steps", 60, "--bootstrap", 20, *TINY)
    out = tmp_path / "out"
    refused(run("hypothesis", "image", flat, "-o", out, *words), "flat.png is constant and has no boundaries")
    refused(run("hypothesis", "image", tmp_path / "none.png", "-o", out, *words), "none.png")
    refused(run("hypothesis", "image", photo, "-o", out, *words, "--size", 201), "at least 201 pixels a side")
    assert not out.exists()
    ran = run("hypothesis", "image", photo, "-o", out, *words, "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert (found["photos"], found["pictures"], found["runs"]) == (1, 11, 11)
    assert -1 <= found["correlations"]["all"]["variation"]["rank_correlation"] <= 1
    assert found["correlations"]["originals"]["edges"] == {"rank_correlation": None, "interval": None}
    assert {path.name for path in out.iterdir()} >= {"edges.svg", "variation.png", "pictures.png", "runs.csv"}
    assert json.loads((out / "results.json").read_text()) == found
    check_page(out, found, 2)
    assert (out / "report.html").read_text().count("data:image/png") == 11
    again = run("hypothesis", "image", photo, "-o", out, *words)
    assert "rank correlation unknown" in again.out

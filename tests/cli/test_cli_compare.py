"""`partinr compare` as people and programs use it."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import partinr
from cli_helpers import Ran, assert_refused, picture, run, save_picture, state_of
from partinr.cli import compare as compare_module
from partinr.cli import words

OPTIONS = ("--steps", 3, "--threads", 1, "--params", 900)
TWO = ("--network", "siren", "--partition", "none", "--partition", "grid:2x2")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_picture(tmp_path / "photo.png")


def compare(photo: Path, *given: object) -> Ran:
    return run("compare", photo, "-o", photo.parent / "out", *OPTIONS, *given)


def facts(ran: Ran) -> Any:
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("\n") == 1
    return json.loads(ran.out)


def test_it_says_what_came_of_it_and_keeps_what_is_done(photo: Path) -> None:
    first = compare(photo, *TWO)
    assert first.code == 0
    assert "after equal steps" in first.out
    assert "bits a sample" in " ".join(first.out.split())
    folder = photo.parent / "out"
    assert str(folder / "index.html") in first.out.replace("\n", "")
    names = {"index.html", "results.json", "runs.csv", "curves.csv", "comparison.json", "runs", "figures"}
    assert {path.name for path in folder.iterdir()} == names
    figures = {path.name for path in (folder / "figures").iterdir()}
    axes = ("steps", "seconds", "arithmetic", "bits")
    assert figures >= {f"siren-paper-psnr-{axis}{suffix}" for axis in axes for suffix in (".png", ".svg")}
    before = state_of(folder / "runs")
    again = facts(compare(photo, *TWO, "--seeds", 2, "--json"))
    assert (again["runs"], again["reused"], again["missing"]) == (4, 2, 0)
    assert again["page"] == str(folder / "index.html")
    assert [variant["seeds"] for variant in again["variants"]] == [[0, 1], [0, 1]]
    assert before.items() <= state_of(folder / "runs").items()
    assert compare(photo, *TWO, "--quiet").out == ""


def test_runs_can_be_named(photo: Path) -> None:
    labels = photo.parent / "labels.npy"
    np.save(labels, np.arange(12 * 16).reshape(12, 16) // 96)
    given = ("siren:grid:2x2", "fast/finer:auto", f"wire:labels:{labels}", "siren:none@500")
    ran = facts(compare(photo, *(word for name in given for word in ("--run", name)), "--json"))
    found = [(v["recipe"], v["network"], v["partition"], v["name"]) for v in ran["variants"]]
    assert found == [
        ("paper", "siren", "grid:2x2", "PoG 2x2"),
        ("paper", "siren", "none", "one network, 500 parameters"),
        ("fast", "finer", "grid:1x2", "auto"),
        ("paper", "wire", f"labels:{labels}", f"labels:{labels}"),
    ]
    assert 300 < ran["variants"][1]["params"] <= 500
    assert all(v["steps"] == 3 for v in ran["variants"])


def test_the_published_variants_are_the_default(photo: Path) -> None:
    folder = photo.parent / "out"
    ran = facts(run("compare", photo, "-o", folder, "--steps", 1, "--threads", 1, "--params", 5000, "--json"))
    assert [(v["network"], v["name"]) for v in ran["variants"]] == [
        (network, name)
        for network in ("siren", "relu")
        for name in ("one network", "PoG 2x2", "PoG 3x3", "PoG 4x4", "PoS hfs:4", "PoS hfs:9")
    ]


def test_references_are_in_the_tables(photo: Path) -> None:
    ran = facts(compare(photo, *TWO, "--reference", photo, "--json"))
    assert [(r["name"], r["psnr"]) for r in ran["references"]] == [("photo.png", "inf")]
    assert "infinite" in compare(photo, *TWO, "--reference", photo).out


def test_ctrl_c_keeps_what_is_done(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follow = compare_module._follow

    def follow_and_interrupt(*given: Any) -> bool:
        if given[2].number == 2:
            signal.raise_signal(signal.SIGINT)
            monkeypatch.setattr(compare_module, "_follow", follow)
        return follow(*given)

    monkeypatch.setattr(compare_module, "_follow", follow_and_interrupt)
    ran = compare(photo, *TWO, "--json")
    assert ran.code == 130
    assert ran.err == "partinr: interrupted with 1 run of 2 to do; the same command goes on\n"
    assert json.loads(ran.out)["missing"] == 1
    assert "1 run of the comparison not done yet" in (photo.parent / "out" / "index.html").read_text()
    assert facts(compare(photo, *TWO, "--json"))["reused"] == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--network", "sirene"), "network must be one of siren"),
        (("--run", "sirene:none"), "network must be one of siren"),
        (("--run", "siren"), "--run must be"),
        (("--run", "slow/siren:none"), "network must be one of"),
        (("--run", "siren:none@0"), "--run must be"),
        (("--run", "siren:cells:3"), "partition must be one of"),
        (("--run", "siren:none", "--network", "relu"), "either --run or --network"),
        (("--partition", "grid:0x3"), "grid"),
        (("--partition", "grid:40x40"), "grid:40x40"),
        (("--network", "relu", "--params", 100), "need a budget of at least"),
        (("--steps", 0), "--steps"),
        (("--seeds", 0), "--seeds"),
        (("--lr", -1), "learning rate must be a positive number"),
        (
            ("--network", "siren", "--engine", "cpu", "--device", "cuda"),
            "engine cpu computes on the device cpu",
        ),
        (("--reference", "missing.inr"), "missing.inr"),
    ],
)
def test_what_cannot_be_done(photo: Path, given: tuple[object, ...], said: str) -> None:
    assert_refused(compare(photo, *given), said)
    assert not list((photo.parent / "out").rglob("*.inr"))


def test_a_reference_of_another_shape(photo: Path) -> None:
    other = save_picture(photo.parent / "other.png", picture(12, 15))
    assert_refused(compare(photo, "--reference", other), "must have the signal's shape (12, 16, 3)")


def test_a_folder_of_another_signal(photo: Path) -> None:
    assert compare(photo, *TWO).code == 0
    before = state_of(photo.parent / "out")
    save_picture(photo, picture()[::-1].copy())
    assert_refused(compare(photo, *TWO), "holds a comparison of another signal; use another folder")
    assert state_of(photo.parent / "out") == before


def test_a_full_disk(photo: Path) -> None:
    assert compare(photo, *TWO).code == 0
    before = state_of(photo.parent / "out")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        ran = compare(photo, *TWO, "--seeds", 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_refused(ran, "too large")
    after = state_of(photo.parent / "out")
    assert before.items() <= after.items()
    assert facts(compare(photo, *TWO, "--json"))["reused"] == 2


def test_a_constant_picture(photo: Path) -> None:
    save_picture(photo, np.full((12, 16, 3), 90, np.uint8))
    ran = compare(photo, "--run", "fast/siren:none", "--run", "fast/siren:hfs:4", "--steps", 60)
    assert ran.code == 0
    assert ran.out.count("infinite; ") == 2


def test_a_rate_at_which_nothing_can_be_learned(photo: Path) -> None:
    ran = compare(photo, *TWO, "--lr", 1e38)
    assert ran.code == 1
    assert ran.err.startswith("partinr: siren, one network, seed 0: ")
    assert ran.err.count("\n") == 1


def test_words_of_runs() -> None:
    assert words.runs(["paper/siren:grid:3x3@50"], None, None, "fast") == [
        words.RunWord("paper", "siren", partinr.Grid(3, 3), 50)
    ]
    two = words.runs(None, ["finer", "wire"], None, "fast")
    assert [(one.preset, one.network, one.rule) for one in two] == [
        ("fast", "finer", None),
        ("fast", "wire", None),
    ]


def test_samples_may_be_missing(photo: Path) -> None:
    folder, there = photo.parent, np.ones((12, 16), bool)
    there[2:9, 5:12] = False
    np.save(folder / "mask.npy", there)
    values = partinr.read(photo).values
    np.save(folder / "other.npy", np.where(there[..., None], values, 99))
    one = ("--network", "siren", "--partition", "grid:2x2", "--mask", folder / "mask.npy")
    found = facts(compare(photo, *one, "--reference", folder / "other.npy", "--json"))
    (inr,) = (folder / "out" / "runs").glob("*.inr")
    signal = partinr.signals.as_signal(photo, there)
    from partinr.model.rendering import rendered_psnr

    assert found["variants"][0]["psnr"]["mean"] == rendered_psnr(partinr.load(inr), signal)
    assert found["references"][0]["psnr"] == "inf"
    page = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "49 of 192 samples are missing" in page
    assert "the loss counts their smooth filling, by half" in page
    assert_refused(compare(photo, *one[:-2]), "another signal")

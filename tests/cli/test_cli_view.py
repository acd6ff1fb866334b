"""`partinr view`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import numpy as np
import pytest

from cli_helpers import assert_refused, run
from helpers import noise
from models import NETWORKS, cells, made
from page_parser import require_own_script
from partinr import Grid, Siren, save
from partinr.report.view import page as pages


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.inr"
    save(made(cells((13, 12)), NETWORKS[0], dtype="uint8", span=(0.0, 255.0), channels=3), path)
    return path


def test_a_page_beside_the_file(model: Path) -> None:
    ran = run("view", model)
    page = model.with_suffix(".html")
    assert ran.code == 0
    assert f"{page.stat().st_size:,} bytes" in ran.out
    assert page.stat().st_size < 1.34 * model.stat().st_size + 60_000
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    require_own_script(text)


def test_a_page_elsewhere_is_opened(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    assert run("view", model, "-o", tmp_path / "a page.html", "--open", "--quiet").out == ""
    assert opened == [(tmp_path / "a page.html").as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    ran = run("view", model, "--open")
    assert ran.code == 0
    assert "open" in ran.err


def test_the_original_must_have_the_shape(model: Path, tmp_path: Path) -> None:
    other, same = tmp_path / "other.npy", tmp_path / "same.npy"
    np.save(other, noise((13, 11), 3).values)
    np.save(same, noise((13, 12), 3).values)
    assert_refused(run("view", model, "--original", other), "(13, 12, 3)", "(13, 11, 3)")
    assert not model.with_suffix(".html").exists()
    assert run("view", model, "--original", same).code == 0


def test_what_a_page_has_no_room_for(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = tmp_path / "large.inr"
    partition = Grid(2, 2).partition(noise((5000, 4000)))
    save(made(partition, NETWORKS[0]), large)
    assert_refused(run("view", large), "20,000,000 samples", "16,777,216", "--crop")
    wide = tmp_path / "wide.inr"
    save(made(cells((5, 4), 1, 1), Siren(hidden=1025, layers=0)), wide)
    assert_refused(run("view", wide), "1,025", "1,024")
    other = tmp_path / "other.inr"
    save(made(cells((5, 4), 1, 1), NETWORKS[-1]), other)
    assert_refused(run("view", other), "hashgrid", "siren, finer, gauss", "partinr render")
    monkeypatch.setattr(pages, "MOST_BYTES", 100)
    assert_refused(run("view", model), "bytes", "--crop")
    assert list(tmp_path.glob("*.html")) == []


def test_files_that_are_none(tmp_path: Path, model: Path) -> None:
    text = tmp_path / "text.inr"
    text.write_text("nothing")
    assert_refused(run("view", text), "text.inr")
    assert_refused(run("view", tmp_path / "missing.inr"), "no such file")
    assert_refused(run("view", model, "-o", tmp_path / "page.inr"), "page.html")

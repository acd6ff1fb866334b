"""Pages about one fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import partinr
from helpers import noise, smooth
from page_parser import PageParser, require_self_contained
from partinr import FitResult, Grid, InputError, Signal, Siren, from_array, write_report
from partinr.model.rendering import quality
from partinr.report import fit_report
from partinr.report.density import densities, group_table
from partinr.report.pictures import to_rgb
from partinr.report.reconstructions import Reconstruction, reconstructions
from partinr.signals.codecs import beside
from partinr.signals.metrics import psnr

ENLARGED = ["Pixels", "Bilinear", "Bicubic", "Lanczos", "Piecewise INR"]


def fitted(signal: Signal, steps: int = 3, psnr: float | None = None, **options: Any) -> FitResult:
    goal = partinr.Steps(steps, psnr)
    return partinr.fit(signal, Grid(*[2] * signal.spec.dims), Siren(hidden=4, layers=1), goal=goal, **options)


def facts(parser: PageParser) -> dict[str, str]:
    """Names and values of a page's definition lists."""
    return dict(parser.definitions)


@pytest.mark.parametrize(
    "signal",
    [smooth((40,), 2), noise((24, 30), 3), smooth((4, 12, 10)), noise((2, 3), 2), noise((3,), 6)],
    ids=lambda signal: str(signal.values.shape),
)
def test_any_signal_has_a_self_contained_page(signal: Signal, tmp_path: Path) -> None:
    result = fitted(signal)
    write_report(tmp_path / "r.html", result)
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    parser = require_self_contained(html)
    stated = facts(parser)
    assert stated["PSNR"] == f"{result.psnr:.2f} dB"
    assert stated["Parameters"].startswith(f"{result.params:,},")
    assert stated["Regions"].startswith(f"{result.regions:,} (grid:2")
    assert stated["Steps"] == "3"
    pictures = re.findall(r"<strong>([^<]*)</strong>", html)
    assert ("Reconstruction, error" in pictures) == (signal.spec.dims == 2)
    assert ("Maximum projection, error" in pictures) == (signal.spec.dims == 3)
    large = min(signal.shape[-2:]) >= 8 and signal.spec.dims > 1
    blended = "Blended over 1 sample of overlap"
    shown = [*ENLARGED * 4, "Each region alone", blended]
    assert (pictures[-len(shown) :] == shown) == large
    assert ("Seam figure: " in html) == large
    assert stated.get("SSIM") == (None if result.ssim is None else f"{result.ssim:.4f}")


def test_a_single_sample_has_one_too(tmp_path: Path) -> None:
    for shape in ((1,), (1, 1)):
        result = partinr.fit(
            from_array(np.zeros((*shape, 1), np.uint8), channels_last=True), goal=partinr.Steps(2)
        )
        write_report(tmp_path / "r.html", result)
        require_self_contained((tmp_path / "r.html").read_text(encoding="utf-8"))


def test_shows_and_measures_what_the_file_holds(tmp_path: Path) -> None:
    signal = noise((24, 30), 3)
    result = fitted(signal, steps=30)
    saved = partinr.save(result.model, tmp_path / "x.inr", store="float16", signal=signal)
    other = fitted(signal, steps=1)
    write_report(tmp_path / "r.html", other, saved)
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    stated = facts(PageParser(html))
    held = partinr.render(partinr.load(saved.path))
    assert stated["PSNR"] == f"{psnr(signal.values, held, 255.0):.2f} dB" == f"{saved.psnr:.2f} dB"
    assert stated["PSNR"] != f"{other.psnr:.2f} dB"
    assert stated["File"] == f"{saved.bytes:,} bytes, parameters as float16"
    assert stated["Bits a sample"].startswith(f"{8 * saved.bytes / 720:.2f},")
    assert "<h1>x.inr</h1>" in html


@pytest.mark.parametrize(
    "signal", [smooth((700,), 2), noise((24, 30), 3), smooth((9, 12, 10))], ids=lambda s: str(s.values.shape)
)
def test_cosines_over_boxes_have_a_page_of_their_own(signal: Signal, tmp_path: Path) -> None:
    result = partinr.fit(signal, goal=partinr.Compact(psnr=30))
    saved = partinr.save(result.model, tmp_path / "x.inr", store="auto", signal=signal)
    write_report(tmp_path / "r.html", result, saved)
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    parser = require_self_contained(html)
    stated = facts(parser)
    assert result.model.spectra is not None
    kept = np.count_nonzero(result.model.spectra.integers)
    assert stated["Coefficients other than 0"].startswith(f"{kept:,} of {signal.values.size:,}, ")
    assert stated["File"] == f"{saved.bytes:,} bytes, compact"
    assert stated["Ended by"] == "its solution, without steps"
    assert stated["Sides of boxes"].endswith(f"to {result.model.spectra.sides.root} samples")
    # Nothing of training, and no empty plots.
    assert not {"Parameters", "Steps", "Learning rate", "Adam", "Batch", "Seed"} & set(stated)
    assert "<h2>Learning</h2>" not in html
    assert html.count("<svg") == (4 if signal.spec.dims == 1 else 0)
    assert "Boxes by their size" in html


def test_the_table_of_boxes_adds_up() -> None:
    model = partinr.fit(noise((70, 130), 3), goal=partinr.Compact(psnr=20)).model
    spectra = model.spectra
    assert spectra is not None
    rows = re.findall(
        r"<tr><th scope=\"row\">([^<]*)</th><td>([\d,]+)</td><td>[^<]*</td><td>([\d,]+)<", group_table(model)
    )
    boxes, kept = (sum(int(row[i].replace(",", "")) for row in rows) for i in (1, 2))
    assert (boxes, kept) == (len(spectra.boxes), np.count_nonzero(spectra.integers))
    by_box = [max(1, np.count_nonzero(own)) / own[0].size for own in spectra.by_box()]
    np.testing.assert_allclose(densities(model), by_box)


def test_pictures_stand_beside_other_codecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = noise((24, 30), 3)
    result = partinr.fit(signal, goal=partinr.Compact(psnr=30))
    saved = partinr.save(result.model, tmp_path / "x.inr", signal=signal)
    assert saved.psnr is not None
    for coded in beside(signal, saved.psnr):
        write_report(tmp_path / "r.html", result, saved)
        html = (tmp_path / "r.html").read_text(encoding="utf-8")
        cells = [f"{coded.bytes:,}", f"{saved.bytes / coded.bytes:.0%}"] if coded.bytes else [str(coded.why)]
        row = html[html.index(f'<th scope="row">{coded.codec}</th>') :].split("</tr>")[0]
        assert all(f"<td>{cell}</td>" in row for cell in cells)
    monkeypatch.setattr(fit_report, "_MOST_CODED", 719)
    assert "take other codecs a while" in "".join(fit_report.codec_sections(signal, saved)[0].blocks)
    assert fit_report.codec_sections(signal, None) == []
    assert fit_report.codec_sections(smooth((24, 30)), saved) == []


def test_compares_with_a_reference(tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", fitted(noise((24, 30), 3)), reference=noise((48, 60), 3))
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    pictures = re.findall(r"<strong>([^<]*)</strong>", html)
    assert pictures[-26:-2] == [*ENLARGED, "Reference"] * 4
    small, large = smooth((24, 30), 3), smooth((48, 60), 3)
    cubic = Image.fromarray(to_rgb(small.values, small.spec)).resize((60, 48), Image.Resampling.BICUBIC)
    write_report(tmp_path / "r.html", fitted(small), reference=large)
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    expected = psnr(to_rgb(large.values, large.spec), np.asarray(cubic), 255)
    assert f'<th scope="row">Bicubic</th><td>{expected:.2f}</td>' in html


def test_says_how_regions_meet(tmp_path: Path) -> None:
    told = []
    for changes in ({"blend": False}, {"overlap": 0}, {"overlap": 1}):
        recipe = partinr.FAST.changed(**changes)
        write_report(tmp_path / "r.html", fitted(noise((24, 30), 3), recipe=recipe))
        told.append((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert ["Each region alone" in html for html in told] == [True, True, True]
    assert ["Blended between samples" in html for html in told] == [False, True, False]
    assert ["Blended over 1 sample of overlap" in html for html in told] == [False, False, True]


@pytest.mark.parametrize(("target", "said"), [(1.0, "1 dB, reached"), (99.0, "99 dB, not reached")])
def test_says_whether_the_target_was_reached(target: float, said: str) -> None:
    signal = smooth((12, 12))
    result = fitted(signal, psnr=target)
    measured = quality(result.model, signal)
    assert dict(fit_report.result_facts(result, None, measured))["PSNR asked for"] == said


def test_a_fit_without_a_step_has_a_page(tmp_path: Path) -> None:
    result = fitted(noise((12, 12)), watch=partinr.Watch(lambda _: True))
    assert result.steps == 0
    write_report(tmp_path / "r.html", result)
    parser = require_self_contained((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "No step was made." in parser.texts
    assert facts(parser)["Ended by"] == "a request to stop"


def test_says_what_is_shown_of_deep_pictures() -> None:
    values = np.linspace(100, 900, 400, dtype=np.uint16).reshape(20, 20)
    for signal, stretched in ((from_array(values, kind="image"), True), (noise((20, 20)), False)):
        blocks = reconstructions(signal, [Reconstruction("Reconstruction", "", signal.values)])
        assert ("Shown from black to white" in "".join(blocks)) == stretched


def test_an_old_page_survives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "r.html"
    page.write_text("old")

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fit_report.page, "document", full)
    with pytest.raises(OSError, match="No space"):
        write_report(page, fitted(noise((12, 12))))
    assert page.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder .*nowhere does not exist"):
        write_report(tmp_path / "nowhere" / "r.html", fitted(noise((12, 12))))

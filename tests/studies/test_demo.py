"""The demonstration, from end to end with tiny settings."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import partinr
from page_parser import require_self_contained
from partinr import InputError
from partinr.fitting.history import History
from partinr.report.convergence import Run, psnr_after
from partinr.report.pictures import error_map, error_rgb, error_top
from partinr.signals.metrics import psnr
from partinr.studies.demo.page import findings
from partinr.studies.demo.run import DemoResult, Settings, run

TINY = Settings(size=48, steps=4, window=((10, 26), (12, 32)), scale=2, small=24, small_steps=6, hidden=4)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoResult, list[tuple[str, float]]]:
    told: list[tuple[str, float]] = []
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return run(folder, lambda message, fraction: told.append((message, fraction)), settings=TINY), told


def test_the_picture_is_what_the_file_holds(done: tuple[DemoResult, object]) -> None:
    result, _ = done
    rendered = partinr.render(partinr.load(result.inr))
    shown = np.asarray(Image.open(result.picture))
    np.testing.assert_array_equal(shown, rendered)
    assert shown.shape == (48, 48, 3)
    assert result.saved.psnr == psnr(result.fit.signal.values, shown, 255.0)


def test_the_enlarged_part_is_beside_bicubic(done: tuple[DemoResult, object]) -> None:
    result, _ = done
    drawn = np.asarray(Image.open(result.enlarged))
    rows, columns = 32, 40
    head = len(drawn) - rows
    gap = (drawn.shape[1] - 3 * columns) // 2
    pixels, bicubic, network = (drawn[head:, i * (columns + gap) :][:, :columns] for i in range(3))
    original = Image.fromarray(result.fit.signal.values)
    crop = original.crop((12, 10, 32, 26)).resize((columns, rows), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(pixels, np.asarray(crop))
    cubic = original.resize((columns, rows), Image.Resampling.BICUBIC, box=(12, 10, 32, 26))
    np.testing.assert_array_equal(bicubic, np.asarray(cubic))
    model = partinr.load(result.inr)
    np.testing.assert_array_equal(network, partinr.render(model, scale=2, crop=((10, 26), (12, 32))))


def test_parameters_are_nearly_equal_at_the_default_settings() -> None:
    default = Settings()
    nine = partinr.Siren(hidden=default.hidden, layers=3)
    total = 9 * nine.params(2, 3)
    single = partinr.model.networks.fit_width(nine, int(1.01 * total), 1, 2, 3).params(2, 3)
    assert abs(single - total) < 0.01 * total


def test_all_learn_alike_but_for_the_partition(done: tuple[DemoResult, object]) -> None:
    result, _ = done
    assert [r.result.model.partition.rule for r in result.runs] == ["grid:3x3", "hfs:9", "none"]
    assert [r.result.regions for r in result.runs] == [9, 9, 1]
    first = result.runs[0].result
    for other in result.runs[1:]:
        assert other.result.recipe == first.recipe
        assert other.result.seed == first.seed
        assert other.result.engine == first.engine
        assert other.result.steps == first.steps == 6
        np.testing.assert_array_equal(other.result.signal.values, first.signal.values)
    assert first.recipe == replace(partinr.PAPER, steps=6, learning_rate=TINY.learning_rate)


def test_the_page_states_what_was_measured(done: tuple[DemoResult, object]) -> None:
    result, _ = done
    parser = require_self_contained(result.report.read_text(encoding="utf-8"))
    assert f"{result.saved.psnr:.2f} dB" in parser.texts
    assert f"{result.saved.bytes:,} bytes, parameters as {result.saved.store}" in parser.texts
    for name, architecture, params, value, similarity in (
        (r.name, r.architecture, r.result.params, r.result.psnr, r.result.ssim) for r in result.runs
    ):
        row = parser.texts.index(name, parser.texts.index("Networks"))
        cells = parser.texts[row : row + 10]
        assert cells[2:6] == [architecture, f"{params:,}", f"{value:.2f} dB", f"{similarity:.4f}"]
        assert f"{name}, error" in parser.texts
    for sentence in findings(result.runs):
        assert sentence in parser.texts
    # One scale for the photograph, one for all three runs.
    assert parser.tags.count("img") == 3 + 1 + 3 + 9
    assert sum(text.endswith("% and more") for text in parser.texts) == 2


def test_error_maps_share_one_scale(done: tuple[DemoResult, object]) -> None:
    result, _ = done
    html = result.report.read_text(encoding="utf-8")
    signal = result.runs[0].result.signal
    errors = [error_map(signal.values, partinr.render(r.result.model), signal.spec) for r in result.runs]
    for r, error in zip(result.runs, errors, strict=True):
        (picture,) = re.findall(rf'base64,([^"]*)"[^>]*alt="{r.name}, error"', html)
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))
        np.testing.assert_array_equal(shown, error_rgb(error, error_top(errors)))
    assert error_top(errors) != error_top(errors[:1]) or error_top(errors) != error_top(errors[1:2])


def made_up(name: str, psnrs: list[float], step: float, final: float, template: Run) -> Run:
    history = History(step * np.arange(1.0, len(psnrs) + 1), 10 ** (-np.array(psnrs) / 10))
    result = replace(
        template.result, history=history, psnr=final, steps=len(psnrs), seconds=step * len(psnrs)
    )
    return Run(name, result)


def test_sentences_follow_the_numbers(done: tuple[DemoResult, object]) -> None:
    template = done[0].runs[0]
    quick = made_up("PoG", [10, 20, 30], 1.0, 30.5, template)
    slow = made_up("One network", [8, 12, 16], 2.0, 18.25, template)
    assert findings([quick, slow]) == [
        "After 3 steps PoG has 30.50 dB and one network has 18.25 dB.",
        "PoG was done after 3.00 s; at that time one network had 8.00 dB, 22.5 dB less. "
        "A step of one network takes 2.0 times as long as one of PoG.",
    ]
    better = made_up("One network", [8, 12, 40], 0.5, 41.0, template)
    assert findings([quick, better])[1] == (
        "PoG was done after 3.00 s; at that time one network had 40.00 dB, 9.5 dB more. "
        "A step of one network takes 0.50 of the time of one of PoG."
    )
    assert psnr_after(better.result.history, 3.0) == pytest.approx(40)


def test_progress_rises_to_the_end(done: tuple[DemoResult, list[tuple[str, float]]]) -> None:
    fractions = [fraction for _, fraction in done[1]]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] == 1
    assert {message for message, _ in done[1]} >= {
        "fitting the photograph",
        "comparing: PoS",
        "writing the page",
    }


@pytest.mark.parametrize("moment", ["fitting the photograph", "saving and rendering", "comparing: PoG"])
def test_stops_when_told_to(moment: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, lambda message, _: message == moment, settings=TINY)
    written = {path.name for path in tmp_path.iterdir()}
    after = {"astronaut.inr", "astronaut.png", "enlarged.png"}
    assert written == (after if moment.startswith("comparing") else set())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "in it"):
        with pytest.raises(InputError, match=r"a file is in its place|file is a file"):
            run(folder, settings=TINY)
    (tmp_path / "there" / "report.html").mkdir(parents=True)
    with pytest.raises(InputError, match=r"report\.html: it is a folder"):
        run(tmp_path / "there", settings=TINY)


def test_is_of_the_photograph_itself() -> None:
    assert Settings().size == 512 == len(astronaut())

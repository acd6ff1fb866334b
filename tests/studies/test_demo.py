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
from partinr.report.pictures import error_map, error_rgb, error_top
from partinr.signals.metrics import psnr
from partinr.studies.comparison.page import findings
from partinr.studies.comparison.summary import families
from partinr.studies.demo import DemoResult, Settings, run

TINY = Settings(size=48, steps=4, window=((10, 26), (12, 32)), scale=2, small=24, small_steps=60)


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


def test_the_enlarged_part_is_beside_filters(done: tuple[DemoResult, object]) -> None:
    result, _ = done
    drawn = np.asarray(Image.open(result.enlarged))
    rows, columns = 32, 40
    head = len(drawn) - rows
    gap = (drawn.shape[1] - 5 * columns) // 4
    pixels, _, bicubic, _, network = (drawn[head:, i * (columns + gap) :][:, :columns] for i in range(5))
    original = Image.fromarray(result.fit.signal.values)
    crop = original.crop((12, 10, 32, 26)).resize((columns, rows), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(pixels, np.asarray(crop))
    cubic = original.resize((columns, rows), Image.Resampling.BICUBIC, box=(12, 10, 32, 26))
    np.testing.assert_array_equal(bicubic, np.asarray(cubic))
    model = partinr.load(result.inr)
    np.testing.assert_array_equal(network, partinr.render(model, scale=2, crop=((10, 26), (12, 32))))


def test_parameters_are_nearly_equal_at_the_default_settings(tmp_path: Path) -> None:
    result = run(tmp_path, settings=replace(TINY, small=Settings().small, small_steps=1))
    single, grid, segments = (one.record.params for one in result.comparison.runs)
    assert grid == segments
    assert abs(single - grid) < 0.01 * grid


def test_all_learn_alike_but_for_the_partition(done: tuple[DemoResult, object]) -> None:
    comparison = done[0].comparison
    assert [one.variant.partition.rule for one in comparison.runs] == ["none", "grid:3x3", "felzenszwalb:9"]
    assert [one.record.regions for one in comparison.runs] == [1, 9, 9]
    first = comparison.runs[0]
    assert first.variant.recipe == partinr.PAPER.changed(steps=60, learning_rate=TINY.learning_rate)
    for other in comparison.runs[1:]:
        assert other.variant.recipe == first.variant.recipe
        assert other.seed == first.seed
        assert other.record.engine == first.record.engine
        assert other.record.steps == first.record.steps == 60


def test_segments_are_those_of_the_whole_photograph(done: tuple[DemoResult, object]) -> None:
    segments = done[0].comparison.runs[2].variant.partition.label_map
    whole = partinr.from_array(astronaut(), kind="image")
    rows = ((np.arange(24) + 0.5) * 512 / 24).astype(int)
    np.testing.assert_array_equal(segments, partinr.Felzenszwalb(9).partition(whole).label_map[rows][:, rows])


def test_the_page_states_what_was_measured(done: tuple[DemoResult, object]) -> None:
    result, _ = done
    parser = require_self_contained(result.report.read_text(encoding="utf-8"))
    assert f"{result.saved.psnr:.2f} dB" in parser.texts
    assert f"{result.saved.bytes:,} bytes, {result.saved.store}" in parser.texts
    for one in result.comparison.runs:
        name, hidden, record = one.variant.name, one.variant.network.hidden, one.record
        row = parser.texts.index(name, parser.texts.index("Networks"))
        cells = parser.texts[row : row + 10]
        architecture = f"{record.regions} × {hidden}x3"
        assert cells[1:5] == [architecture, f"{record.params:,}", f"{record.psnr:.2f}", f"{record.ssim:.4f}"]
        assert f"{name}, error" in parser.texts
    (group,) = families(result.comparison)
    assert len(findings(group)) == 3
    for sentence in findings(group):
        assert sentence in parser.texts
    # The face, enlarged; the fit, its regions and its seams; two partitions, the small photograph,
    # three reconstructions, and three errors.
    assert parser.tags.count("img") == 5 + 3 + 1 + 2 + 2 + 4 + 3
    assert len(parser.pages) == 1
    # PSNR of the fit against two axes; PSNR and SSIM of the comparison against three, and PSNR against bits.
    assert parser.tags.count("svg") == 2 + 6 + 1
    # One scale for the photograph, one for all three runs.
    assert sum(text.endswith("% and more") for text in parser.texts) == 2


def test_error_maps_share_one_scale(done: tuple[DemoResult, object]) -> None:
    result, _ = done
    html = result.report.read_text(encoding="utf-8")
    signal = result.comparison.signal

    def shown(label: str) -> np.ndarray:
        # Partitions come before reconstructions of the same name.
        *_, picture = re.findall(rf'base64,([^"]*)"[^>]*alt="{label}"', html)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))

    errors = []
    for one in result.comparison.runs:
        values = shown(one.variant.name)
        assert psnr(signal.values, values, 255.0) == one.record.psnr
        errors.append(error_map(signal.values, values, signal.spec))
    for one, error in zip(result.comparison.runs, errors, strict=True):
        drawn = shown(f"{one.variant.name}, error")
        np.testing.assert_array_equal(drawn, error_rgb(error, error_top(errors)))
    assert len({error_top([error]) for error in errors}) > 1


def test_progress_rises_to_the_end(done: tuple[DemoResult, list[tuple[str, float]]]) -> None:
    fractions = [fraction for _, fraction in done[1]]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] == 1
    assert {message for message, _ in done[1]} >= {
        "fitting the photograph",
        "comparing: siren, PoS felzenszwalb:9, seed 0",
        "writing the page",
    }


@pytest.mark.parametrize(
    "moment", ["fitting the photograph", "saving and rendering", "comparing: siren, PoG 3x3, seed 0"]
)
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

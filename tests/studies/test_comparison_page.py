"""What a comparison leaves: the page, its sentences, and the tables, all of the same numbers."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import partinr
from helpers import noise, smooth
from page_parser import require_self_contained
from partinr import FAST, PAPER, Comparison, Grid, Rival, Variant, Whole
from partinr.fitting.history import History
from partinr.report.pictures import error_map, error_rgb, error_top
from partinr.report.plots import figure_of
from partinr.studies.comparison import Record, Run
from partinr.studies.comparison.page import findings, operations, spread
from partinr.studies.comparison.plots import comparison_plots
from partinr.studies.comparison.results import CURVES, PAGE, RESULTS, RUNS, write_comparison
from partinr.studies.comparison.summary import Spread, families

SHORT = replace(PAPER, steps=5, learning_rate=1e-3)
QUICK = replace(FAST, steps=4)
SEEDS = (0, 1)


def compared(
    folder: Path, signal: partinr.Signal, recipes: tuple[partinr.Recipe, ...] = (SHORT,)
) -> Comparison:
    rule = Grid(*[2] * signal.spec.dims)
    variants = [
        Variant.of(signal, one, "siren", recipe, params=900) for recipe in recipes for one in (Whole(), rule)
    ]
    return partinr.compare(signal, variants, folder, seeds=SEEDS, compute=partinr.Compute(threads=1))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Comparison, list[Rival], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("comparison")
    signal = partinr.from_array(noise((14, 18), 3).values, kind="image")
    comparison = compared(folder, signal, (SHORT, QUICK))
    grey = folder / "grey.png"
    partinr.write(grey, np.full_like(signal.values, 128), signal.spec)
    rivals = [Rival.read(grey, signal)]
    return folder, comparison, rivals, write_comparison(folder, comparison, rivals, title="noise.png")


def test_the_page_is_whole_and_states_what_was_measured(
    done: tuple[Path, Comparison, list[Rival], Any],
) -> None:
    folder, comparison, rivals, _ = done
    parser = require_self_contained((folder / PAGE).read_text(encoding="utf-8"))
    assert "Comparison: noise.png" in parser.texts
    for group in families(comparison):
        for sentence in findings(group):
            assert sentence in parser.texts
        for line in group.lines:
            psnrs = [run.record.psnr for run in line.runs]
            assert f"{np.mean(psnrs):.2f} ± {np.std(psnrs, ddof=1):.2f}" in parser.texts
            assert f"{line.runs[0].record.params:,}" in parser.texts
    assert f"{rivals[0].psnr:.2f}" in parser.texts
    # Original, four reconstructions and a rival; five error maps; one partition of each recipe's rule.
    assert parser.tags.count("img") == 6 + 5 + 1
    # PSNR and SSIM against three axes, and PSNR against bits, for each recipe.
    assert sum(svg == "svg" for svg in parser.tags) == 14
    assert sum(text.endswith("% and more") for text in parser.texts) == 1


def test_error_maps_share_one_scale(done: tuple[Path, Comparison, list[Rival], Any]) -> None:
    folder, comparison, rivals, _ = done
    signal = comparison.signal
    firsts = [runs[0] for runs in comparison.by_variant]
    rendered = [partinr.render(run.model()) for run in firsts] + [rivals[0].values]
    errors = [error_map(signal.values, values, signal.spec) for values in rendered]
    html = (folder / PAGE).read_text(encoding="utf-8")
    shown = re.findall(r'base64,([^"]*)"[^>]*alt="[^"]*, error"', html)
    assert len(shown) == len(errors)
    for picture, error in zip(shown, errors, strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))
        np.testing.assert_array_equal(pixels, error_rgb(error, error_top(errors)))


def test_tables_and_json_have_every_run(done: tuple[Path, Comparison, list[Rival], Any]) -> None:
    folder, comparison, _, facts = done
    assert json.loads((folder / RESULTS).read_text()) == facts
    assert [(v["recipe"], v["name"]) for v in facts["variants"]] == [
        *(("paper", "one network"), ("paper", "PoG 2x2")),
        *(("fast", "one network"), ("fast", "PoG 2x2")),
    ]
    with (folder / RUNS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["psnr"]) for row in rows] == [run.record.psnr for run in comparison.runs]
    assert [int(row["seed"]) for row in rows] == [run.seed for run in comparison.runs]
    for facts_of, runs in zip(facts["variants"], comparison.by_variant, strict=True):
        assert facts_of["psnr"]["mean"] == pytest.approx(np.mean([run.record.psnr for run in runs]))
        assert facts_of["seeds"] == list(SEEDS)
    assert facts["variants"][0]["gain"] == 0
    gain = facts["variants"][1]["psnr"]["mean"] - facts["variants"][0]["psnr"]["mean"]
    assert facts["variants"][1]["gain"] == pytest.approx(gain)
    with (folder / CURVES).open(newline="") as file:
        curves = list(csv.DictReader(file))
    last = [row for row in curves if row["kind"] == "rendered" and int(row["step"]) == 5]
    assert [float(row["psnr"]) for row in last] == [
        pytest.approx(run.record.psnr, abs=1e-4) for run in comparison.runs if run.record.steps == 5
    ]
    first = next(row for row in curves if row["kind"] == "loss")
    assert (first["step"], float(first["seconds"]), float(first["flops"])) == ("0", 0.0, 0.0)
    assert float(first["psnr"]) == pytest.approx(comparison.runs[0].record.history.psnr[0], abs=1e-4)


def test_bytes_are_those_of_a_file_as_a_fit_writes_it(
    done: tuple[Path, Comparison, list[Rival], Any], tmp_path: Path
) -> None:
    folder, comparison, rivals, facts = done
    signal = comparison.signal
    with (folder / RUNS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    for run, row in zip(comparison.runs, rows, strict=True):
        saved = partinr.save(run.model(), tmp_path / "x.inr", store="auto", signal=signal)
        assert (run.record.bytes, run.record.stored_psnr) == (saved.bytes, saved.psnr)
        assert int(row["bytes"]) == (tmp_path / "x.inr").stat().st_size
        assert float(row["bits_per_sample"]) == pytest.approx(8 * saved.bytes / signal.spec.samples, rel=1e-5)
        assert float(row["stored_psnr"]) == saved.psnr
    for told, runs in zip(facts["variants"], comparison.by_variant, strict=True):
        sizes = [run.record.bytes for run in runs]
        assert told["bytes"]["mean"] == pytest.approx(np.mean(sizes))
        assert told["bits_per_sample"]["mean"] == pytest.approx(8 * np.mean(sizes) / (14 * 18))
    assert facts["references"][0]["bits_per_sample"] == 8 * rivals[0].bytes / (14 * 18)
    texts = require_self_contained((folder / PAGE).read_text(encoding="utf-8")).texts
    assert f"{rivals[0].bits:.2f}" in texts
    assert spread(families(comparison)[0].lines[0].bits) in texts


def test_files_are_dots_at_their_bits(done: tuple[Path, Comparison, list[Rival], Any]) -> None:
    folder, comparison, rivals, _ = done
    (group, *_) = families(comparison)
    plot = comparison_plots(group, rivals)[-1]
    assert (plot.name, (folder / "figures" / f"{plot.name}.svg").exists()) == ("siren-paper-psnr-bits", True)
    axes = figure_of(plot.draw, 4, 3).axes[0]
    dots = {line.get_label(): line.get_xydata()[0].tolist() for line in axes.get_lines()[::2]}
    expected = {line.name: [line.bits.mean, line.stored_psnr.mean] for line in group.lines}
    assert dots == {**expected, "grey.png": [rivals[0].bits, rivals[0].psnr]}
    exact = replace(rivals[0], psnr=np.inf)
    assert len(figure_of(comparison_plots(group, [exact])[-1].draw, 4, 3).axes[0].get_lines()) == 4


@pytest.mark.parametrize("shape", [(40,), (6, 12, 13)])
@pytest.mark.parametrize("channels", [1, 2])
def test_signals_of_other_axes(tmp_path: Path, shape: tuple[int, ...], channels: int) -> None:
    comparison = compared(tmp_path, smooth(shape, channels))
    facts = write_comparison(tmp_path, comparison)
    require_self_contained((tmp_path / PAGE).read_text(encoding="utf-8"))
    assert len(facts["variants"]) == 2
    assert (facts["variants"][0]["ssim"] is None) == (min(shape) < 11)


def test_a_fit_without_error(tmp_path: Path) -> None:
    flat = partinr.from_array(np.full((14, 18, 3), 7, np.uint8), kind="image")
    variants = [Variant.of(flat, rule, "siren", replace(FAST, steps=60)) for rule in (Whole(), Grid(2, 2))]
    comparison = partinr.compare(flat, variants, tmp_path, compute=partinr.Compute(threads=1))
    assert [run.record.psnr for run in comparison.runs] == [np.inf, np.inf]
    facts = write_comparison(tmp_path, comparison)
    assert [variant["psnr"]["mean"] for variant in facts["variants"]] == ["inf", "inf"]
    assert [variant["gain"] for variant in facts["variants"]] == [None, None]
    texts = require_self_contained((tmp_path / PAGE).read_text(encoding="utf-8")).texts
    assert "exact" in texts
    assert not any("nan" in text for text in texts)


def made_up(name: str, rule: partinr.Rule, psnrs: list[float], second: float, flops: int) -> Run:
    variant = replace(Variant.of(noise((12, 12)), rule, "siren", params=300), name=name)
    history = History(second * np.arange(1.0, len(psnrs) + 1), 10 ** (-np.array(psnrs) / 10))
    partitioned = variant.partition.regions
    record = Record(
        *(
            300,
            partitioned,
            len(psnrs),
            second * len(psnrs),
            psnrs[-1],
            None,
            90,
            psnrs[-1],
            flops,
            "torch",
            "cpu",
            "fp32",
            history,
        )
    )
    return Run(variant, 0, Path(), record)


def sentences(*runs: Run) -> list[str]:
    (group,) = families(Comparison(noise((12, 12)), list(runs), 0, 0))
    return findings(group)


def test_findings_say_who_is_ahead_of_whom() -> None:
    single = made_up("one network", Whole(), [10.0, 20.0, 30.0, 40.0], 4.0, 40_000_000)
    split = made_up("PoG 2x2", Grid(2, 2), [10.0, 15.0, 20.0, 25.0], 1.0, 10_000_000)
    more = made_up("PoG 3x3", Grid(3, 3), [10.0, 15.0, 20.0, 40.04], 2.0, 20_000_000)
    assert sentences(single, split, more) == [
        "After 4 steps, one network has 40.00 dB; below it: PoG 2x2 by 15.00 dB.",
        "After 4.00 s, which the quickest of them takes, one network has 10.00 dB; every partition is above "
        "it: PoG 2x2 by 15.00 dB and PoG 3x3 by 5.00 dB.",
        "After 40 MFLOP, the least that any of them takes, one network has 10.00 dB; every partition is "
        "above it: PoG 2x2 by 15.00 dB and PoG 3x3 by 5.00 dB.",
    ]
    assert sentences(split, more) == []
    assert sentences(single) == []
    longer = made_up("PoG 2x2", Grid(2, 2), [10.0] * 5, 1.0, 10_000_000)
    assert len(sentences(single, longer)) == 2
    same = made_up("PoG 2x2", Grid(2, 2), [10.0, 20.0, 30.0, 40.0], 4.0, 40_000_000)
    assert all(sentence.endswith("no partition differs from it.") for sentence in sentences(single, same))


def test_numbers_as_the_page_writes_them() -> None:
    assert spread(Spread(30.126, None)) == "30.13"
    assert spread(Spread(30.126, 0.0512)) == "30.13 ± 0.05"
    assert spread(Spread(np.inf, None)) == "exact"
    assert [operations(n) for n in (5e3, 2.5e6, 3.14159e9, 1e12)] == [
        *("0.005 MFLOP", "2.5 MFLOP", "3.14 GFLOP", "1 TFLOP"),
    ]

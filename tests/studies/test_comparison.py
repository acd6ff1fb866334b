"""Comparisons: equal budgets, counted arithmetic, runs that are kept, and what their numbers say."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import partinr
from helpers import noise, smooth
from partinr import (
    FAST,
    HFS,
    PAPER,
    Comparison,
    Compute,
    DivergedError,
    Grid,
    InputError,
    Standing,
    Variant,
    Whole,
)
from partinr.fitting.history import History, Measurement
from partinr.model.networks import NETWORKS, Perceptron
from partinr.studies.comparison import Record, Run, published_rules, running
from partinr.studies.comparison import run as one_run
from partinr.studies.comparison.summary import Line, Spread, families

SHORT = replace(PAPER, steps=6, learning_rate=1e-3)
RULES = (Whole(), Grid(2, 2))
TRAINED = [name for name, kind in NETWORKS.items() if issubclass(kind, Perceptron)]


def variants(signal: partinr.Signal, recipe: partinr.Recipe = SHORT) -> list[Variant]:
    return [Variant.of(signal, rule, "siren", recipe, params=700) for rule in RULES]


def compare(folder: Path, signal: partinr.Signal | None = None, **options: object) -> Comparison:
    given = noise((14, 18), 3) if signal is None else signal
    settings = {"compute": Compute(threads=1), "variants": variants(given), **options}
    return partinr.compare(given, folder=folder, **settings)  # type: ignore[arg-type]


def as_bytes(comparison: Comparison) -> list[bytes]:
    return [run.path.read_bytes() for run in comparison.runs]


class TestVariants:
    def test_published_parameters(self) -> None:
        blank = partinr.from_array(np.zeros((700, 1000, 3), np.uint8), kind="image")
        for network, budget, expected in (
            ("siren", None, (791_043, 794_097)),
            ("relu", 912_899, (912_899, 920_439)),
        ):
            for rule, params in zip((Whole(), Grid(3, 3)), expected, strict=True):
                variant = Variant.of(blank, rule, network, params=budget)
                assert variant.params(blank.spec) == params

    @pytest.mark.parametrize("name", TRAINED)
    @pytest.mark.parametrize("recipe", [FAST, PAPER], ids=lambda recipe: recipe.name)
    def test_budgets_are_used_and_kept(self, name: str, recipe: partinr.Recipe) -> None:
        signal = noise((40, 50), 3)
        for rule in (Whole(), Grid(2, 2)):
            made = Variant.of(signal, rule, name, recipe, params=40_000)
            wider = replace(made, network=replace(made.network, hidden=made.network.hidden + 1))
            most = 40_000 if made.partition.regions == 1 else 40_400
            assert made.params(signal.spec) <= most < wider.params(signal.spec)

    def test_names_and_rules_are_the_published_ones(self) -> None:
        image = partinr.from_array(np.zeros((20, 30, 3), np.uint8), kind="image")
        names = [Variant.of(image, rule, "siren").name for rule in published_rules(image.spec)]
        assert names == [
            *("one network", "PoG 2x2", "PoG 3x3", "PoG 4x4"),
            *("PoS hfs:4", "PoS hfs:9"),
        ]
        assert [rule.word for rule in published_rules(smooth((50,)).spec)] == [
            *("none", "grid:2", "grid:3", "grid:4"),
        ]
        assert [rule.word for rule in published_rules(noise((3, 9, 9)).spec)] == [
            *("none", "grid:2x2x2", "grid:3x3x3"),
        ]

    def test_a_budget_that_is_too_small(self) -> None:
        with pytest.raises(InputError, match="need a budget of at least"):
            Variant.of(noise((20, 20)), Grid(4, 4), "relu", params=100)

    @pytest.mark.parametrize("name", TRAINED)
    @pytest.mark.parametrize("rule", [Whole(), Grid(2, 3)], ids=lambda rule: rule.word)
    def test_arithmetic_is_what_torch_counts(self, name: str, rule: partinr.Rule) -> None:
        signal = noise((12, 18), 2)
        variant = Variant.of(signal, rule, name, params=8000)
        network, counts = variant.network, variant.partition.counts
        assert len(set(counts)) == 1
        fresh = network.initialise(len(counts), 2, 2, np.random.default_rng(0))
        leaves = fresh.map(lambda array: torch.tensor(array, requires_grad=True))
        with FlopCounterMode(display=False) as counter:
            network.forward(torch.rand(len(counts), int(counts[0]), 2), leaves).sum().backward()
        assert counter.get_total_flops() == variant.flops(signal.spec)

    def test_a_minibatch_takes_less_arithmetic(self) -> None:
        signal = noise((30, 30))
        full, part = (
            Variant.of(signal, Grid(1, 2), "siren", replace(SHORT, batch=batch)).flops(signal.spec)
            for batch in (None, 45)
        )
        assert part * 10 == full


class TestRunning:
    def test_runs_are_those_of_single_fits(self, tmp_path: Path) -> None:
        signal = noise((14, 18), 3)
        comparison = compare(tmp_path, signal, seeds=(3, 4))
        assert [(run.variant.name, run.seed) for run in comparison.runs] == [
            *(("one network", 3), ("one network", 4)),
            *(("PoG 2x2", 3), ("PoG 2x2", 4)),
        ]
        for run in comparison.runs:
            alone = partinr.fit(
                *(signal, run.variant.partition, run.variant.network),
                recipe=SHORT,
                seed=run.seed,
                compute=partinr.Compute(threads=1),
            )
            assert (run.record.psnr, run.record.ssim) == (alone.psnr, alone.ssim)
            np.testing.assert_array_equal(run.record.history.loss, alone.history.loss)
            np.testing.assert_array_equal(partinr.render(run.model()), partinr.render(alone.model))
            assert [m.steps for m in run.record.history.measured] == [1, 2, 3, 4, 5, 6]
            assert run.record.history.measured[-1].psnr == alone.psnr
        assert (comparison.missing, comparison.reused) == (0, 0)

    def test_runs_that_are_done_are_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = compare(tmp_path)
        with monkeypatch.context() as patched:
            patched.setattr(one_run, "fit", None)
            again = compare(tmp_path)
        assert again.reused == 2
        for before, after in zip(first.runs, again.runs, strict=True):
            assert before.path == after.path
            assert before.record.to_json() == after.record.to_json()

    @pytest.mark.parametrize(
        "change",
        [
            {"seeds": (1,)},
            {"compute": Compute("torch", threads=1)},
            {"compute": Compute(threads=2)},
            {"compute": Compute(threads=1, precision="fp32")},
            {"variants": variants(noise((14, 18), 3), replace(SHORT, steps=7))},
            {"variants": variants(noise((14, 18), 3), replace(SHORT, learning_rate=2e-3))},
        ],
    )
    def test_other_settings_are_other_runs(self, tmp_path: Path, change: dict[str, object]) -> None:
        first = compare(tmp_path)
        kept = as_bytes(first)
        other = compare(tmp_path, **change)
        assert other.reused == 0
        assert as_bytes(first) == kept
        assert compare(tmp_path).reused == 2

    def test_equal_runs_are_done_once(self, tmp_path: Path) -> None:
        flat = partinr.from_array(np.full((20, 20, 3), 7, np.uint8), kind="image")
        both = [Variant.of(flat, HFS(n), "siren", SHORT, params=600) for n in (4, 9)]
        assert [v.partition.regions for v in both] == [1, 1]
        comparison = partinr.compare(flat, both, tmp_path, compute=Compute(threads=1))
        assert len(list((tmp_path / "runs").glob("*.inr"))) == 2
        np.testing.assert_array_equal(*[run.record.history.loss for run in comparison.runs])

    def test_an_interrupted_comparison_goes_on(self, tmp_path: Path) -> None:
        whole = compare(tmp_path / "whole", seeds=(0, 1))
        told: list[Standing] = []

        def stop(standing: Standing) -> bool:
            told.append(standing)
            return standing.number == 3

        part = compare(tmp_path / "part", seeds=(0, 1), callback=stop)
        assert (len(part.runs), part.missing) == (2, 2)
        fractions = [standing.fraction for standing in told]
        assert fractions == sorted(fractions)
        assert fractions[0] == 0
        assert told[-1].name == "siren, PoG 2x2, seed 0"
        assert told[-1].runs == 4
        rest = compare(tmp_path / "part", seeds=(0, 1), callback=told.append)
        assert (rest.reused, rest.missing) == (2, 0)
        assert as_bytes(rest) == as_bytes(whole)
        assert not list((tmp_path / "part" / "runs").glob("*.unfinished"))
        assert told[-1].fraction <= 1

    def test_a_run_that_diverges_is_named_and_others_are_kept(self, tmp_path: Path) -> None:
        signal = noise((14, 18), 3)
        wild = replace(variants(signal)[0], recipe=replace(SHORT, learning_rate=1e38))
        with pytest.raises(DivergedError, match=r"siren, one network, seed 0: .* lower the learning rate"):
            compare(tmp_path, signal, variants=[*variants(signal), wild])
        assert compare(tmp_path).reused == 2

    def test_nothing_to_compare(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="at least one variant and one seed"):
            compare(tmp_path, variants=[])


class TestTheFolder:
    def test_of_another_signal(self, tmp_path: Path) -> None:
        kept = as_bytes(first := compare(tmp_path))
        with pytest.raises(InputError, match="comparison of another signal; use another folder"):
            compare(tmp_path, noise((14, 18), 3, seed=1))
        assert as_bytes(first) == kept

    @pytest.mark.parametrize(
        ("text", "said"),
        [("", "damaged"), ("[1", "damaged"), ("{}", "another signal"), ("3", "another signal")],
    )
    def test_that_is_not_its_own(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "comparison.json").write_text(text)
        with pytest.raises(InputError, match=said):
            compare(tmp_path)
        assert (tmp_path / "comparison.json").read_text() == text

    def test_with_results_of_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "results.json").write_text("{}")
        with pytest.raises(InputError, match="holds results of something else; use another folder"):
            compare(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["results.json"]

    def test_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for place in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(InputError, match=r"a file is in its place|file is a file"):
                compare(place)

    @pytest.mark.parametrize("text", ["", "{", "{}", '{"settings": {}, "record": {}}', "[]", "null"])
    def test_with_a_damaged_record(self, tmp_path: Path, text: str) -> None:
        path = compare(tmp_path).runs[0].path.with_suffix(".json")
        path.write_text(text)
        with pytest.raises(InputError, match=r"is not the record of a run .*delete it"):
            compare(tmp_path)
        path.unlink()
        assert compare(tmp_path).reused == 1

    def test_with_a_record_of_other_settings(self, tmp_path: Path) -> None:
        one, other = (run.path.with_suffix(".json") for run in compare(tmp_path).runs)
        one.write_bytes(other.read_bytes())
        with pytest.raises(InputError, match="a run of other settings"):
            compare(tmp_path)

    def test_on_a_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = as_bytes(compare(tmp_path))

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space left"):
                compare(tmp_path, seeds=(0, 5))
        assert not list(tmp_path.rglob("*.tmp"))
        again = compare(tmp_path)
        assert again.reused == 2
        assert as_bytes(again) == first


def record(losses: Sequence[float], second: float, psnr: float, flops: int = 10) -> Record:
    history = History(second * np.arange(1.0, len(losses) + 1), np.array(losses))
    size, made = (80, psnr), ("torch", "cpu", "fp32")
    return Record(9, 1, len(losses), second * len(losses), psnr, None, *size, flops, *made, history)


def line(name: str, rule: partinr.Rule, *records: Record) -> list[Run]:
    variant = replace(Variant.of(noise((8, 8)), rule, "siren", params=200), name=name)
    return [Run(variant, seed, Path(), one) for seed, one in enumerate(records)]


class TestRecords:
    def test_they_come_back_as_they_were(self) -> None:
        looks = [Measurement(1, 0.5, 12.25, None), Measurement(2, 1.0, math.inf, 0.125)]
        before = replace(record([0.1, 0.01], 0.5, math.inf), history=History(*np.ones((2, 2)), looks))
        after = Record.from_json(json.loads(json.dumps(before.to_json(), allow_nan=False)))
        assert after.to_json() == before.to_json()
        assert after.psnr == math.inf
        assert after.history.measured == looks


class TestSummary:
    def test_spreads(self) -> None:
        assert Spread.of([3.0]) == (3.0, None)
        assert Spread.of([1.0, 3.0]) == (2.0, pytest.approx(math.sqrt(2)))
        assert Spread.of([1.0, math.inf]) == (math.inf, None)

    def test_quality_at_equal_seconds_and_arithmetic(self) -> None:
        steady = record([10**-1, 10**-2, 10**-3, 10**-4], second=1.0, psnr=41.0, flops=10)
        runs = Line(line("PoG", Grid(2, 2), steady))
        expected = {0.0: 10, 0.5: 10, 1.0: 10, 2.0: 20, 2.9: 20, 4.0: 40, 9.0: 40}
        for moment, psnr in expected.items():
            assert runs.psnr_after_seconds(moment).mean == pytest.approx(psnr)
            assert runs.psnr_after_flops(10 * moment).mean == pytest.approx(psnr)
        assert [runs.seconds_to(psnr).mean for psnr in (5, 10, 11, 40)] == [1.0, 1.0, 2.0, 4.0]

    def test_families_share_a_network_and_a_recipe(self) -> None:
        alone = line("one network", Whole(), *[record([0.1] * 4, 2.0, psnr, 40) for psnr in (30.0, 32.0)])
        split = line("PoG 2x2", Grid(2, 2), *[record([0.1] * 4, 1.0, psnr, 10) for psnr in (28.0, 29.0)])
        other = line("PoG 2x2", Grid(2, 2), record([0.1] * 4, 1.0, 20.0))
        other = [replace(run, variant=replace(run.variant, recipe=FAST)) for run in other]
        groups = families(Comparison(noise((8, 8)), [*alone, *split, *other], 0, 0))
        # Each run of `other` has its own copy of a variant; here there is one.
        assert [(g.network, g.recipe, len(g.lines)) for g in groups] == [
            ("siren", "paper", 2),
            ("siren", "fast", 1),
        ]
        paper, fast = groups
        assert paper.single is not None
        assert paper.single.name == "one network"
        assert fast.single is None
        assert (paper.seconds, paper.flops, paper.level) == (4.0, 40, 10)
        assert [one.psnr.mean for one in paper.lines] == [31.0, 28.5]
        assert paper.lines[0].ssim is None


def test_steps_to_look_at_are_spread_over_the_whole_fit() -> None:
    assert one_run.looks(1) == [1]
    assert one_run.looks(1500)[0] == 1
    assert one_run.looks(1500)[-1] == 1500
    assert len(one_run.looks(1500)) == 12
    assert running.RUNS == "runs"


def test_a_rival_is_measured_like_a_run(tmp_path: Path) -> None:
    signal = noise((14, 18), 3)
    run = compare(tmp_path, signal).runs[0]
    rival = partinr.Rival.read(run.path, signal)
    assert (rival.psnr, rival.ssim, rival.params) == (run.record.psnr, run.record.ssim, run.record.params)
    deep = tmp_path / "deep.npy"
    np.save(deep, np.round(signal.values * 257.0).astype(np.uint16))
    exact = partinr.Rival.read(deep, signal)
    assert (exact.psnr, exact.params, exact.bytes) == (math.inf, None, deep.stat().st_size)
    np.testing.assert_array_equal(exact.values, signal.values)
    floats = tmp_path / "floats.npy"
    np.save(floats, signal.values + 0.4)
    assert partinr.Rival.read(floats, signal).psnr == math.inf
    np.save(floats, signal.values / 2)
    assert partinr.Rival.read(floats, signal).psnr < 20
    with pytest.raises(InputError, match=r"must have the signal's shape \(14, 17, 3\)"):
        partinr.Rival.read(deep, noise((14, 17), 3))

"""The commands, run in this process through Typer's own runner."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image

import partinr
from cli_helpers import fit, picture, run, save_picture
from partinr.cli import files as files_module
from partinr.cli import fit as fit_module
from partinr.cli import words
from partinr.cli.commands import app
from partinr.engines import ENGINES, engine
from partinr.file import inr
from partinr.fitting.recipe import RECIPES
from partinr.fitting.starts.inner import Method
from partinr.fitting.starts.rates import RateKind
from partinr.meta.crops import Colour
from partinr.model.networks import NETWORKS
from partinr.signals import FORMATS
from partinr.signals.frames import Frame, StartFrame
from partinr.studies import demo

KEYS = {
    *("psnr", "ssim", "params", "regions", "steps", "seconds", "bits_per_sample", "network", "partition"),
    *("frame", "engine", "device", "seed", "output", "bytes", "store", "stopped", "reached", "target"),
    *("width", "channels", "shape"),
}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_picture(tmp_path / "photo.png")


@pytest.fixture
def fitted(photo: Path) -> Path:
    assert fit(photo, "--steps", 2, "--quiet").code == 0
    return photo.with_suffix(".inr")


def fit_json(*given: object) -> dict[str, Any]:
    ran = fit(*given, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("\n") == 1
    facts: dict[str, Any] = json.loads(ran.out)
    return facts


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


class TestWholeProgram:
    def test_version(self) -> None:
        assert run("--version").out == f"partinr {partinr.__version__}\n"

    @pytest.mark.parametrize("given", [(), ("--help",), ("-h",), ("fit", "--help"), ("demo", "-h")])
    def test_help(self, given: tuple[str, ...]) -> None:
        ran = run(*given)
        assert (ran.code, ran.err) == (0, "")
        assert "Usage: partinr" in ran.out

    def test_every_option_has_help(self) -> None:
        import typer

        for command in typer.main.get_command(app).commands.values():  # type: ignore[attr-defined]
            assert command.help
            for option in command.params:
                assert option.help or option.name == "help", (command.name, option.name)

    @pytest.mark.parametrize(
        ("mine", "theirs"),
        [
            (words.NETWORK_WORDS, tuple(NETWORKS)),
            (get_args(words.Preset), tuple(RECIPES)),
            (get_args(words.Frame), get_args(Frame)),
            (get_args(words.Engine), ENGINES),
            (get_args(words.Precision), ("auto", *get_args(engine.Precision))),
            (get_args(words.Store), get_args(inr.Store)),
            (get_args(words.StartStore), get_args(inr.Precision)),
            (get_args(words.StartFrame), get_args(StartFrame)),
            (get_args(words.Method), get_args(Method)),
            (get_args(words.RateKind), get_args(RateKind)),
            (get_args(words.Schedule), get_args(get_type_hints(partinr.MetaRecipe)["schedule"])),
            (get_args(words.MetaPrecision), get_args(engine.Precision)),
            (get_args(words.Colour), get_args(Colour)),
            (files_module.PICTURES, {suffix for f in FORMATS for suffix in f.suffixes}),
        ],
    )
    def test_words_known_before_the_library_is_imported_are_the_librarys(
        self, mine: Any, theirs: Any
    ) -> None:
        assert sorted(mine) == sorted(theirs)


class TestFit:
    def test_writes_beside_the_input_by_default(self, photo: Path) -> None:
        before = photo.read_bytes()
        ran = fit(photo, "--steps", 2)
        assert (ran.code, ran.err) == (0, "")
        assert str(photo.with_suffix(".inr")) in ran.out
        assert partinr.load(photo.with_suffix(".inr")).signal.shape == (12, 16)
        assert photo.read_bytes() == before

    def test_json_is_one_object_about_the_file(self, photo: Path, tmp_path: Path) -> None:
        output = tmp_path / "out.inr"
        facts = fit_json(photo, "-o", output, "--steps", 3, "--partition", "grid:2x3", "--seed", 5)
        assert facts.keys() >= KEYS
        assert facts["output"] == str(output)
        assert facts["bytes"] == output.stat().st_size
        assert facts["bits_per_sample"] == 8 * facts["bytes"] / (12 * 16)
        assert (facts["regions"], facts["steps"], facts["seed"]) == (6, 3, 5)
        assert (facts["shape"], facts["channels"]) == ([12, 16], 3)
        assert (facts["target"], facts["reached"], facts["stopped"]) == (None, True, "steps")
        model = partinr.load(output)
        assert facts["params"] == model.params
        assert facts["width"] == model.networks[0].hidden

    @pytest.mark.parametrize("store", ["float32", "float16"])
    def test_quality_is_that_of_the_stored_file(self, photo: Path, store: str) -> None:
        facts = fit_json(photo, "--steps", 30, "--store", store)
        rendered = partinr.render(partinr.load(photo.with_suffix(".inr")))
        assert facts["store"] == store
        assert facts["psnr"] == partinr.psnr(picture(), rendered, 255)
        assert facts["ssim"] == partinr.ssim(picture(), rendered, 255)

    def test_what_json_has_no_number_for_is_text(self, tmp_path: Path) -> None:
        # A constant picture is fitted exactly: the PSNR is infinite. One pixel has no structural similarity.
        save_picture(tmp_path / "one.png", np.full((1, 1, 3), 128, np.uint8))
        facts = fit_json(tmp_path / "one.png", "--steps", 1)
        assert facts["psnr"] == "inf"
        assert facts["ssim"] is None

    def test_options_reach_the_fit(self, photo: Path) -> None:
        facts = fit_json(
            *(photo, "--partition", "grid:2x2", "--network", "finer", "--hidden", 5, "--layers", 1),
            *("--frame", "global", "--batch", "full", "--lr", "0.003", "--steps", 2, "--threads", 1),
            *("--engine", "torch", "--device", "cpu", "--omega-0", 12, "--store", "float32"),
        )
        model, header = inr.load_with_header(photo.with_suffix(".inr"))
        network = model.networks[0].config()
        assert (network["name"], network["hidden"], network["layers"]) == ("finer", 5, 1)
        assert network["omega_0"] == 12
        assert (facts["partition"], facts["frame"], model.frame) == ("grid:2x2", "global", "global")
        recipe, steps = header["summary"]["recipe"], header["summary"]["steps"]
        assert (recipe["batch"], recipe["learning_rate"], steps) == (None, 0.003, 2)

    def test_paper_preset_is_the_published_recipe(self, photo: Path) -> None:
        facts = fit_json(photo, "--preset", "paper", "--steps", 1)
        assert (facts["partition"], facts["width"], facts["layers"]) == ("grid:3x3", 170, 3)
        assert facts["params"] == 794_097
        assert facts["frame"] == "global"

    def test_overlap_reaches_the_file(self, photo: Path) -> None:
        for given, overlap in ((("--overlap", 2), 2), (("--overlap", 0), 0), (("--no-blend",), 0)):
            facts = fit_json(photo, "--partition", "grid:2x2", "--steps", 2, *given)
            assert facts["overlap"] == overlap
            model = partinr.load(photo.with_suffix(".inr"))
            assert (model.blend, model.overlap) == (given != ("--no-blend",), overlap)
        onwards = photo.parent / "onwards.inr"
        fit(photo, "--partition", "grid:2x2", "--steps", 2, "--overlap", 3, "-o", onwards)
        assert fit_json(photo, "--init", onwards, "--steps", 1)["overlap"] == 3

    def test_params_picks_the_greatest_width_and_says_so(self, photo: Path) -> None:
        given = (photo, "--partition", "grid:2x2", "--params", 2000, "--steps", 1)
        facts = fit_json(*given)
        wider = partinr.Siren(hidden=facts["width"] + 1, layers=facts["layers"])
        assert facts["params"] <= 2000 < 4 * wider.params(2, 3)
        assert f"{facts['width']} wide" in fit(*given).out

    @pytest.mark.parametrize("name", words.NETWORK_WORDS)
    def test_every_network(self, photo: Path, name: str) -> None:
        assert fit_json(photo, "--network", name, "--steps", 1)["network"] == name

    def test_init_brings_partition_network_and_frame(self, photo: Path, tmp_path: Path) -> None:
        first = tmp_path / "first.inr"
        given = (photo, "--steps", 20, "--partition", "grid:2x1", "--network", "gauss", "--frame", "global")
        begun = fit_json(*given, "-o", first, "--store", "float32")
        onwards = fit_json(photo, "--init", first, "--steps", 1, "--lr", "1e-9", "--store", "float32")
        for key in ("partition", "network", "width", "layers", "frame"):
            assert onwards[key] == begun[key]
        assert onwards["psnr"] == pytest.approx(begun["psnr"], abs=0.01)

    def test_init_none_is_no_start(self, photo: Path) -> None:
        assert (
            fit_json(photo, "--init", "none", "--steps", 2)["psnr"] == fit_json(photo, "--steps", 2)["psnr"]
        )

    def test_same_command_same_bytes(self, photo: Path, tmp_path: Path) -> None:
        files = [tmp_path / "a.inr", tmp_path / "b.inr"]
        for file in files:
            assert fit(photo, "-o", file, "--steps", 5, "--quiet") == (0, "", "")
        assert files[0].read_bytes() == files[1].read_bytes()

    def test_short_of_the_psnr_asked_for(self, photo: Path) -> None:
        ran = fit(photo, "--psnr", 99, "--steps", 2, "--json")
        facts = json.loads(ran.out)
        assert (ran.code, facts["reached"], facts["target"]) == (1, False, 99)
        assert ran.err.count("\n") == 1
        assert f"reached {facts['psnr']:.2f} dB, {99 - facts['psnr']:.2f} dB short of the 99 dB" in ran.err
        assert photo.with_suffix(".inr").exists()

    def test_psnr_reached(self, photo: Path) -> None:
        facts = fit_json(photo, "--psnr", 15)
        assert facts["psnr"] >= 15
        assert (facts["reached"], facts["stopped"]) == (True, "solved")

    def test_time(self, photo: Path) -> None:
        assert fit_json(photo, "--time", "0.05")["stopped"] == "time"

    def test_diverged_fit_leaves_no_file(self, photo: Path) -> None:
        ran = fit(photo, "--lr", "1e30", "--steps", 20, "--network", "relu")
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.count("\n") == 1
        assert "lower the learning rate" in ran.err
        assert not photo.with_suffix(".inr").exists()

    def test_arrays_of_one_and_three_axes(self, tmp_path: Path) -> None:
        np.save(tmp_path / "one.npy", np.sin(np.linspace(0, 5, 40)))
        np.save(tmp_path / "three.npy", np.random.default_rng(0).random((4, 5, 6)))
        one = fit_json(tmp_path / "one.npy", "--partition", "grid:4", "--steps", 1)
        three = fit_json(tmp_path / "three.npy", "--partition", "grid:2x1x3", "--steps", 1)
        assert (one["regions"], three["regions"]) == (4, 6)

    def test_channels_last_and_value_range(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.random.default_rng(0).random((6, 7, 3)))
        shapes = {}
        for flag in ("--channels-last", "--no-channels-last"):
            fit_json(tmp_path / "a.npy", "--steps", 1, flag, "--value-range", "-1,2")
            spec = partinr.load(tmp_path / "a.inr").signal
            shapes[flag] = (spec.shape, spec.channels)
            assert spec.value_range == (-1, 2)
        assert shapes == {"--channels-last": ((6, 7), 3), "--no-channels-last": ((6, 7, 3), 1)}

    def test_pixel_limit_can_be_lifted(self, photo: Path) -> None:
        assert fit(photo, "--max-pixels", 191, "--steps", 1).code == 2
        assert fit(photo, "--max-pixels", 192, "--steps", 1).code == 0
        assert fit(photo, "--max-pixels", "none", "--steps", 1).code == 0

    def test_report_and_overlay(self, photo: Path, tmp_path: Path) -> None:
        page, borders = tmp_path / "page.html", tmp_path / "borders.png"
        ran = fit(photo, "--steps", 2, "--partition", "grid:2x2", "--report", page, "--overlay", borders)
        assert (ran.code, ran.err) == (0, "")
        assert "<html" in page.read_text()
        assert read(borders).ndim == 3
        assert str(page) in ran.out
        assert str(borders) in ran.out

    def test_resume_goes_on_where_a_fit_was_stopped(
        self, photo: Path, tmp_path: Path, interrupting: Callable[[int], None]
    ) -> None:
        given = (photo, "--steps", 12, "--quiet", "--store", "float32")
        assert fit(*given, "-o", tmp_path / "whole.inr").code == 0
        kept = (*given, "-o", tmp_path / "parts.inr", "--checkpoint", tmp_path / "state")
        interrupting(1)
        ran = fit(*kept)
        assert ran.code == 130
        assert "--resume goes on" in ran.err
        assert fit(*kept).code == 2
        assert fit(*kept, "--resume") == (0, "", "")
        assert (tmp_path / "parts.inr").read_bytes() == (tmp_path / "whole.inr").read_bytes()


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have the next fit send itself Ctrl-C so many times in its first step."""

    def interrupt(times: int) -> None:
        follow = fit_module._follow
        left = [signal.SIGINT] * times

        def follow_and_interrupt(*given: Any) -> bool:
            while left:
                signal.raise_signal(left.pop())
            return follow(*given)

        monkeypatch.setattr(fit_module, "_follow", follow_and_interrupt)

    return interrupt


class TestInterruption:
    def test_once_writes_what_is_there(self, photo: Path, interrupting: Callable[[int], None]) -> None:
        interrupting(1)
        ran = fit(photo, "--json")
        facts = json.loads(ran.out)
        assert (ran.code, facts["stopped"]) == (130, "interrupted")
        assert facts["steps"] < 5
        assert ran.err.count("\n") == 1
        assert f"--init {facts['output']} goes on" in ran.err
        assert partinr.load(photo.with_suffix(".inr")).params == facts["params"]

    def test_twice_writes_nothing(self, photo: Path, interrupting: Callable[[int], None]) -> None:
        old = photo.with_suffix(".inr")
        old.write_text("old")
        interrupting(2)
        assert fit(photo) == (130, "", "partinr: interrupted\n")
        assert old.read_text() == "old"
        assert sorted(path.name for path in photo.parent.iterdir()) == ["photo.inr", "photo.png"]

    def test_handlers_are_put_back(self, photo: Path, interrupting: Callable[[int], None]) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        interrupting(1)
        fit(photo)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before

    def test_while_a_picture_is_written(
        self, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from partinr.model import rendering

        def blocks(*_: Any, **__: Any) -> Any:
            yield np.zeros((1, 16, 3), np.uint8)
            signal.raise_signal(signal.SIGTERM)

        monkeypatch.setattr(rendering, "render_blocks", blocks)
        before = sorted(tmp_path.iterdir())
        assert run("render", fitted, "-o", tmp_path / "new.png") == (130, "", "partinr: interrupted\n")
        assert sorted(tmp_path.iterdir()) == before


class TestRender:
    def test_own_size(self, fitted: Path, tmp_path: Path) -> None:
        ran = run("render", fitted, "-o", tmp_path / "out.png")
        assert (ran.code, ran.err) == (0, "")
        assert str(tmp_path / "out.png") in ran.out
        np.testing.assert_array_equal(read(tmp_path / "out.png"), partinr.render(partinr.load(fitted)))

    def test_size_is_width_by_height(self, fitted: Path, tmp_path: Path) -> None:
        assert run("render", fitted, "-o", tmp_path / "out.png", "--size", "31x20", "--quiet") == (0, "", "")
        expected = partinr.render(partinr.load(fitted), size=(20, 31))
        np.testing.assert_array_equal(read(tmp_path / "out.png"), expected)

    def test_smaller_is_the_mean_unless_points_are_asked_for(self, fitted: Path, tmp_path: Path) -> None:
        for given, point in (((), False), (("--point",), True)):
            assert run("render", fitted, "-o", tmp_path / "out.png", "--size", "5x4", "-q", *given).code == 0
            expected = partinr.render(partinr.load(fitted), size=(4, 5), point=point)
            np.testing.assert_array_equal(read(tmp_path / "out.png"), expected)

    def test_crop_is_x_before_y(self, fitted: Path, tmp_path: Path) -> None:
        given = ("render", fitted, "-o", tmp_path / "out.tif", "--crop", "2,1,13,6.5", "--scale", 2)
        assert run(*given).code == 0
        expected = partinr.render(partinr.load(fitted), crop=((1, 6.5), (2, 13)), scale=2)
        assert expected.shape == (11, 22, 3)
        np.testing.assert_array_equal(read(tmp_path / "out.tif"), expected)

    def test_arrays_of_one_and_three_axes(self, tmp_path: Path) -> None:
        for name, shape, size, expected in (
            ("one", (40,), "7", (7,)),
            ("three", (4, 5, 6), "12x10x3", (3, 10, 12)),
        ):
            np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).random(shape, np.float32))
            assert fit(tmp_path / f"{name}.npy", "--steps", 1).code == 0
            output = tmp_path / f"{name}-out.npy"
            assert run("render", tmp_path / f"{name}.inr", "-o", output, "--size", size).code == 0
            assert (np.load(output).shape, np.load(output).dtype) == (expected, np.float32)

    def test_sixteen_bits_stay_sixteen_bits(self, tmp_path: Path) -> None:
        save_picture(tmp_path / "deep.png", (picture()[..., 1].astype(np.uint16)) * 300)
        assert fit(tmp_path / "deep.png", "--steps", 1).code == 0
        assert run("render", tmp_path / "deep.inr", "-o", tmp_path / "out.png").code == 0
        assert partinr.read(tmp_path / "out.png").spec.dtype == "uint16"


class TestInfo:
    def test_table(self, fitted: Path) -> None:
        ran = run("info", fitted)
        assert (ran.code, ran.err) == (0, "")
        for word in ("siren", "16x12", "local", f"{fitted.stat().st_size:,} bytes", "dB"):
            assert word in ran.out

    def test_json(self, fitted: Path) -> None:
        facts = json.loads(run("info", fitted, "--json").out)
        model = partinr.load(fitted)
        assert facts["params"] == model.params
        assert facts["shape"] == [12, 16]
        assert facts["networks"] == [model.networks[0].config()]
        assert facts["psnr"] == partinr.psnr(picture(), partinr.render(model), 255)
        assert facts["bits_per_sample"] == 8 * facts["bytes"] / 192

    @pytest.mark.parametrize("told", [{}, {"psnr": "good", "steps": []}, {"psnr": None, "seed": {"a": 1}}])
    def test_summary_that_says_nothing_or_anything(self, fitted: Path, told: dict[str, Any]) -> None:
        inr.save(partinr.load(fitted), fitted, summary=told)
        facts = json.loads(run("info", fitted, "--json").out)
        assert (facts["psnr"], facts["summary"]) == (None, told)
        assert "unknown PSNR" in run("info", fitted).out

    def test_reference(self, fitted: Path, photo: Path, tmp_path: Path) -> None:
        facts = json.loads(run("info", fitted, "--json", "--reference", photo).out)
        assert facts["reference"]["psnr"] == facts["psnr"]
        assert facts["reference"]["png_bytes"] == photo.stat().st_size
        save_picture(tmp_path / "same.bmp")
        ran = run("info", fitted, "--reference", tmp_path / "same.bmp")
        assert "% of it" in ran.out
        encoded = partinr.write(tmp_path / "as.png", picture(), partinr.read(photo).spec)
        assert encoded is None
        assert f"{(tmp_path / 'as.png').stat().st_size:,} bytes" in ran.out
        coded = facts["reference"]["codecs"]
        assert [one["codec"] for one in coded] == ["JPEG", "WebP", "AVIF"]
        for one in coded:
            row = next(line for line in ran.out.splitlines() if line.startswith(one["codec"]))
            told = f"left out: {one['why']}" if one["bytes"] is None else f"{one['bytes']:,} bytes, "
            assert told in row
            if one["bytes"] is not None:
                assert one["bits_per_sample"] == 8 * one["bytes"] / partinr.read(photo).spec.samples
                assert f"this file is {100 * facts['bytes'] / one['bytes']:.0f}% of it" in row

    def test_reference_that_png_cannot_hold(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.linspace(0, 1, 30))
        assert fit(tmp_path / "a.npy", "--steps", 1).code == 0
        ran = run("info", tmp_path / "a.inr", "--reference", tmp_path / "a.npy", "--json")
        assert json.loads(ran.out)["reference"]["png_bytes"] is None
        assert json.loads(ran.out)["reference"]["codecs"] == []
        assert "cannot hold" in run("info", tmp_path / "a.inr", "--reference", tmp_path / "a.npy").out

    def test_system(self) -> None:
        facts = json.loads(run("info", "--system", "--json").out)
        assert facts["partinr"] == partinr.__version__
        assert "torch" in facts["engines"]
        assert facts["kernel"] in run("info", "--system").out


class TestPartition:
    @pytest.mark.parametrize(
        ("rule", "name", "dtype", "regions"),
        [
            ("grid:2x3", "labels.png", np.uint8, 6),
            ("grid:12x16", "labels.png", np.uint8, 192),
            ("grid:3x3", "labels.npy", np.uint8, 9),
            ("none", "labels.png", np.uint8, 1),
        ],
    )
    def test_labels_can_be_read_again(
        self, photo: Path, tmp_path: Path, rule: str, name: str, dtype: type, regions: int
    ) -> None:
        output = tmp_path / name
        ran = run("partition", photo, "--rule", rule, "-o", output)
        assert (ran.code, ran.err) == (0, "")
        labels = np.load(output) if name.endswith(".npy") else read(output)
        made = words.rule(rule).partition(partinr.read(photo))
        assert labels.dtype == dtype
        np.testing.assert_array_equal(labels, made.label_map)
        again = words.rule(f"labels:{output}").partition(partinr.read(photo))
        np.testing.assert_array_equal(again.label_map, made.label_map)
        assert fit_json(photo, "--partition", f"labels:{output}", "--steps", 1)["regions"] == regions

    def test_more_than_256_regions_take_16_bits(self, tmp_path: Path) -> None:
        photo = save_picture(tmp_path / "photo.png", picture(18, 20))
        assert run("partition", photo, "--rule", "grid:18x20", "-o", tmp_path / "l.png").code == 0
        assert (read(tmp_path / "l.png") == np.arange(360).reshape(18, 20)).all()
        assert partinr.read(tmp_path / "l.png").spec.dtype == "uint16"

    def test_overlay(self, photo: Path, tmp_path: Path) -> None:
        borders = tmp_path / "borders.png"
        ran = run("partition", photo, "--rule", "grid:2x3", "-o", tmp_path / "l.png", "--overlay", borders)
        assert (ran.code, ran.err) == (0, "")
        assert str(borders) in ran.out
        assert read(borders).shape[2] == 3


class TestDemo:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        small = demo.Settings(size=32, steps=2, window=((4, 12), (4, 12)), scale=2, small=24, small_steps=2)
        monkeypatch.setattr(demo, "Settings", lambda: small)

    def test_says_where_everything_is(self, tmp_path: Path) -> None:
        folder = tmp_path / "new" / "demo"
        ran = run("demo", "-o", folder)
        assert (ran.code, ran.err) == (0, "")
        files = sorted(folder.iterdir())
        assert [path.suffix for path in files] == [".inr", ".png", ".png", ".html"]
        for path in files:
            assert str(path) in ran.out

    def test_quiet(self, tmp_path: Path) -> None:
        assert run("demo", "-o", tmp_path, "--quiet") == (0, "", "")

    def test_folder_that_cannot_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        ran = run("demo", "-o", tmp_path / "file")
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)

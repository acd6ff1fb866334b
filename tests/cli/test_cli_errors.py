"""What cannot be done: one line on standard error, exit code 2, and no file that was not there before."""

from __future__ import annotations

import os
import re
import resource
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import partinr
from cli_helpers import Ran, assert_refused, fit, picture, run, save_picture, state_of
from partinr.file import inr


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_picture(tmp_path / "photo.png")


@pytest.fixture
def model_file(tmp_path: Path, photo: Path) -> Path:
    path = tmp_path / "model.inr"
    assert fit(photo, "--steps", 1, "--store", "float32", "-o", path, "--quiet").code == 0
    return path


def missing(folder: Path) -> Path:
    return folder / "missing.png"


def a_folder(folder: Path) -> Path:
    return folder


def empty(folder: Path) -> Path:
    (folder / "empty.png").touch()
    return folder / "empty.png"


def truncated(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    path = save_picture(folder / "cut.png", rng.integers(0, 255, (40, 40, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:2000])
    return path


def text(folder: Path) -> Path:
    (folder / "text.png").write_text("not a picture\n" * 20)
    return folder / "text.png"


def array(values: object, **options: bool) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        np.save(folder / "array.npy", np.asarray(values), **options)
        return folder / "array.npy"

    return save


def with_nan(value: float) -> np.ndarray:
    return np.array([[0.0, 1.0], [value, 2.0]])


INPUTS = [
    (missing, "no such file"),
    (a_folder, "folder"),
    (empty, "empty"),
    (truncated, "cut.png"),
    (text, "text.png"),
    (array(np.zeros((0, 4))), "at least one sample"),
    (array(np.full((6, 6), np.nan)), "all 36 samples are missing"),
    (array(with_nan(np.inf)), "finite"),
    (array(np.array([{}, 1], object), allow_pickle=True), "never unpickled"),
    (array(np.zeros((2, 2, 2, 2, 3))), "1 to 3 axes"),
    (array(np.zeros(())), "1 to 3 axes"),
    (array(np.array(["a", "b"])), "numbers"),
]


@pytest.mark.parametrize(("make", "said"), INPUTS)
@pytest.mark.parametrize("command", ["fit", "partition"])
def test_inputs(tmp_path: Path, make: Callable[[Path], Path], said: str, command: str) -> None:
    source = make(tmp_path)
    output = tmp_path / ("out.inr" if command == "fit" else "out.npy")
    output.write_text("old")
    before = state_of(tmp_path)
    given = ("--rule", "grid:2x2") if command == "partition" else ()
    assert_refused(run(command, source, "-o", output, *given), said)
    assert state_of(tmp_path) == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        *[
            ((*("--partition", word), *more), said)
            for word, said, *more in (
                ("grid:0x3", "0"),
                ("grid:3", "grid"),
                ("grid:3x3x3", "grid"),
                ("grid:13x2", "13"),
                ("grid:", "grid"),
                ("hfs:x", "hfs"),
                ("hfs:0", "hfs"),
                ("slic:-1", "slic"),
                ("slic:1000000", "1000000"),
                ("felzenszwalb:193", "193"),
                ("labels:missing.png", "missing.png"),
                ("labels:", "labels"),
                ("", "partition"),
                ("voronoi:5", "partition must be one of"),
            )
        ],
        (("--network", "cnn"), "network must be one of siren"),
        (("--network", "relu", "--omega-0", 3), "omega_0"),
        (("--steps", 0), "steps must be at least 1"),
        (("--steps", -5), "steps must be at least 1"),
        (("--steps", "many"), "--steps"),
        (("--steps", "1.5"), "--steps"),
        (("--hidden", 0), "hidden"),
        (("--hidden", -1), "hidden"),
        (("--hidden", 10**9), "hidden"),
        (("--layers", -1), "layers"),
        (("--omega-0", 0), "omega_0"),
        (("--omega-0", "nan"), "omega_0"),
        (("--params", 0), "--params"),
        (("--params", 3), "budget"),
        (("--params", 1000, "--hidden", 4), "--hidden or --params"),
        (("--psnr", 0), "psnr"),
        (("--psnr", "nan"), "psnr"),
        (("--psnr", "inf"), "psnr"),
        (("--time", -1), "seconds"),
        (("--batch", 0), "--batch"),
        (("--batch", "some"), "--batch"),
        (("--lr", 0), "learning rate"),
        (("--lr", "nan"), "learning rate"),
        (("--threads", 0), "threads"),
        (("--engine", "gpu"), "--engine"),
        (("--device", "tpu9"), "device"),
        (("--device", ""), "device"),
        (("--engine", "cpu", "--device", "cuda"), ""),
        (("--preset", "slow"), "--preset"),
        (("--store", "int8"), "--store"),
        (("--frame", "own"), "--frame"),
        (("--resume",), "--checkpoint"),
        (("--value-range", "0"), "--value-range"),
        (("--value-range", "9,3"), "value_range"),
        (("--value-range", "0,10"), "value_range"),
        (("--max-pixels", "-1"), "--max-pixels"),
        (("--max-pixels", "10"), "limit"),
        (("--init", "missing.inr"), "missing.inr"),
        (("--init", ""), ""),
        (("--no-such-option",), "--no-such-option"),
        (("surplus",), "surplus"),
        (("--report", "page.png"), "--report"),
        (("--overlay", "borders"), "--overlay"),
        (("--seed", "x"), "--seed"),
        (("--seed", -1), "--seed"),
        (("--seed", 2**63), "--seed"),
        (("--steps", 10**30), "--steps"),
        (("--threads", 10**6), "--threads"),
    ],
)
def test_options_of_fit(tmp_path: Path, photo: Path, given: tuple[object, ...], said: str) -> None:
    (tmp_path / "out.inr").write_text("old")
    before = state_of(tmp_path)
    ran = run("fit", photo, "-o", tmp_path / "out.inr", "--threads", 1, *given)
    assert_refused(ran, said)
    assert state_of(tmp_path) == before


def test_more_axes_than_grid_has_numbers(tmp_path: Path) -> None:
    for shape, word in (((9,), "grid:3x3"), ((4, 4, 4, 1), "grid:2x2")):
        np.save(tmp_path / "a.npy", np.zeros(shape))
        assert_refused(fit(tmp_path / "a.npy", "--partition", word), "grid")


def test_labels_of_another_shape(tmp_path: Path, photo: Path) -> None:
    save_picture(tmp_path / "labels.png", np.zeros((16, 12), np.uint8))
    before = state_of(tmp_path)
    labels = f"labels:{tmp_path / 'labels.png'}"
    assert_refused(fit(photo, "--partition", labels), "12", "16")
    assert_refused(run("partition", photo, "--rule", labels, "-o", tmp_path / "out.png"), "12", "16")
    assert state_of(tmp_path) == before


class TestOutputs:
    @pytest.fixture(params=["fit", "render", "partition"])
    def ending_in(self, request: pytest.FixtureRequest, photo: Path, model_file: Path) -> Callable[..., Ran]:
        """Run a command with this output."""
        given: dict[str, tuple[object, ...]] = {
            "fit": ("fit", photo, "--steps", 1, "--threads", 1),
            "render": ("render", model_file),
            "partition": ("partition", photo, "--rule", "grid:2x2"),
        }
        suffix = ".inr" if request.param == "fit" else ".png"
        return lambda path: run(*given[request.param], "-o", f"{path}{suffix}")

    @pytest.fixture(autouse=True)
    def _nothing_changes(self, tmp_path: Path, model_file: Path) -> Iterator[None]:
        assert model_file.exists()
        before = state_of(tmp_path)
        yield
        assert state_of(tmp_path) == before

    def test_folder_that_does_not_exist(self, ending_in: Callable[..., Ran], tmp_path: Path) -> None:
        assert_refused(ending_in(tmp_path / "no" / "out"), "does not exist")

    def test_name_that_is_too_long(self, ending_in: Callable[..., Ran], tmp_path: Path) -> None:
        assert_refused(ending_in(tmp_path / ("x" * 300)))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_read_only_folder(self, ending_in: Callable[..., Ran], tmp_path: Path) -> None:
        tmp_path.chmod(0o555)
        try:
            assert_refused(ending_in(tmp_path / "out"), "not writable")
        finally:
            tmp_path.chmod(0o755)

    def test_full_disk(self, ending_in: Callable[..., Ran], tmp_path: Path) -> None:
        old = [tmp_path / "out.inr", tmp_path / "out.png"]
        for path in old:
            path.write_text("old")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))
        try:
            ran = ending_in(tmp_path / "out")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert_refused(ran, "too large")
        for path in old:
            assert path.read_text() == "old"
            path.unlink()

    def test_the_input(self, photo: Path, model_file: Path, tmp_path: Path) -> None:
        assert_refused(fit(photo, "-o", photo), ".inr")
        assert_refused(run("partition", photo, "--rule", "none", "-o", photo), "overwrite the input")
        assert_refused(run("render", model_file, "-o", model_file), "overwrite the input")
        disguised = tmp_path / "photo.inr"
        disguised.write_bytes(photo.read_bytes())
        assert_refused(fit(disguised), "overwrite the input")
        disguised.unlink()
        link = tmp_path / "link.png"
        link.symlink_to(photo)
        assert_refused(run("partition", photo, "--rule", "none", "-o", link), "overwrite the input")
        link.unlink()

    def test_the_labels(self, photo: Path, tmp_path: Path) -> None:
        labels = save_picture(tmp_path / "labels.png", np.zeros((12, 16), np.uint8))
        ran = run("partition", photo, "--rule", f"labels:{labels}", "-o", labels)
        assert_refused(ran, "overwrite the input")
        labels.unlink()

    def test_the_same_file_twice(self, photo: Path, tmp_path: Path) -> None:
        both = tmp_path / "both.png"
        ran = run("partition", photo, "--rule", "none", "-o", both, "--overlay", both)
        assert_refused(ran, "same file")

    def test_pictures_from_fit(self, photo: Path, tmp_path: Path) -> None:
        assert_refused(fit(photo, "-o", tmp_path / "out.png"), "-o must be an .inr file")

    @pytest.mark.parametrize("name", ["out.jpg", "out", "out.tif"])
    def test_labels_where_they_would_suffer(self, photo: Path, tmp_path: Path, name: str) -> None:
        ran = run("partition", photo, "--rule", "none", "-o", tmp_path / name)
        assert_refused(ran, "-o must end in .png or .npy")

    def test_labels_that_a_picture_cannot_hold(self, tmp_path: Path) -> None:
        line = tmp_path / "line.npy"
        np.save(line, np.zeros(9))
        assert_refused(run("partition", line, "--rule", "grid:3", "-o", tmp_path / "out.png"), ".npy")
        np.save(line, np.zeros((257, 256), np.uint8))
        ran = run("partition", line, "--rule", "grid:257x256", "-o", tmp_path / "out.png")
        assert_refused(ran, "65,792 regions")
        line.unlink()

    @pytest.mark.parametrize("name", ["out", "out.xyz", "out.inr"])
    def test_suffixes_that_are_no_format(self, model_file: Path, tmp_path: Path, name: str) -> None:
        assert_refused(run("render", model_file, "-o", tmp_path / name), "suffix")

    def test_outputs_are_checked_before_the_fit(
        self, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(partinr, "fit", None)
        for option in ("-o", "--report", "--overlay"):
            suffix = {"-o": ".inr", "--report": ".html", "--overlay": ".png"}[option]
            assert_refused(fit(photo, option, tmp_path / "no" / f"out{suffix}"), "does not exist")


class TestRender:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (("--size", "5"), "--size must be WxH"),
            (("--size", "0x5"), "--size must be WxH"),
            (("--scale", "nan"), "the scale must be a positive number"),
            (("--scale", "1e7"), "bytes on the disk of"),
            (("--size", "4x4", "--scale", 2), "give one of --size, --scale and --rate"),
            (("--scale", 0), "scale"),
            (("--scale", -1), "scale"),
            (("--scale", "nan"), "scale"),
            (("--scale", "inf"), "scale"),
            (("--scale", "1e30"), ""),
            (("--crop", "0,0,5"), "--crop must be X0,Y0,X1,Y1"),
            (("--crop", "5,0,5,4"), "crop"),
            (("--crop", "0,0,17,12"), "crop"),
            (("--crop", "-1,0,5,5"), "crop"),
            (("--max-pixels", "x"), "--max-pixels"),
        ],
    )
    def test_options(self, model_file: Path, tmp_path: Path, given: tuple[object, ...], said: str) -> None:
        before = state_of(tmp_path)
        assert_refused(run("render", model_file, "-o", tmp_path / "out.png", *given), said)
        assert state_of(tmp_path) == before

    def test_format_that_cannot_hold_the_data(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.linspace(0, 1, 9).reshape(3, 3))
        assert fit(tmp_path / "a.npy", "--steps", 1).code == 0
        assert_refused(run("render", tmp_path / "a.inr", "-o", tmp_path / "out.png"), "PNG holds")


def flipped(whole: bytes) -> bytes:
    return whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:]


def newer(whole: bytes) -> bytes:
    return re.sub(rb'(\\"format\\": ?)1', rb"\g<1>9", whole)


FILES = [
    (flipped, "damaged"),
    (newer, "upgrade partinr"),
    (lambda whole: whole[:-10], "damaged"),
    (lambda whole: whole[:100], ".inr"),
    (lambda _: b"", ".inr"),
    (lambda _: b"\x89PNG\r\n\x1a\n" + bytes(500), ".inr"),
    (lambda _: struct.pack("<Q", 2**63) + b"{}", ".inr"),
]


@pytest.mark.parametrize(("spoil", "said"), FILES)
def test_files_that_are_not_whole(
    photo: Path, model_file: Path, tmp_path: Path, spoil: Callable[[bytes], bytes], said: str
) -> None:
    whole = model_file.read_bytes()
    model_file.write_bytes(spoil(whole))
    assert model_file.read_bytes() != whole
    before = state_of(tmp_path)
    assert_refused(run("info", model_file), said)
    assert_refused(run("render", model_file, "-o", tmp_path / "out.png"), said)
    assert_refused(fit(photo, "--init", model_file), said)
    assert state_of(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "rest"), [("info", ()), ("render", ("-o", "out.png")), ("fit", ("-o", "out.inr"))]
)
def test_files_that_are_not_there(tmp_path: Path, command: str, rest: tuple[str, ...]) -> None:
    for path in (tmp_path / "no.inr", tmp_path):
        assert_refused(run(command, path, *rest), str(path))


def test_start_of_another_kind(tmp_path: Path, photo: Path, model_file: Path) -> None:
    before = state_of(tmp_path)
    for option, word in (("partition", "grid:2x2"), ("hidden", 3), ("network", "gauss"), ("frame", "global")):
        assert_refused(fit(photo, "--init", model_file, f"--{option}", word), "start")
    other = tmp_path / "other.npy"
    np.save(other, np.zeros((5, 6)))
    assert_refused(fit(other, "--init", model_file))
    other.unlink()
    assert state_of(tmp_path) == before


def test_resume_with_other_settings(tmp_path: Path, photo: Path) -> None:
    given = (photo, "--checkpoint", tmp_path / "state", "--resume")
    assert fit(*given, "--steps", 3).code == 0
    before = state_of(tmp_path)
    assert_refused(fit(*given, "--steps", 4), "other settings")
    assert_refused(fit(*given, "--steps", 3, "--seed", 1), "other settings")
    assert_refused(fit(*given[:-1], "--steps", 3), "--resume")
    (tmp_path / "state" / "state.safetensors").write_bytes(b"damaged")
    assert_refused(fit(*given, "--steps", 3), "checkpoint")
    (tmp_path / "state" / "state.safetensors").write_bytes(before[tmp_path / "state" / "state.safetensors"])
    assert state_of(tmp_path) == before


def test_checkpoint_that_is_a_file(tmp_path: Path, photo: Path) -> None:
    (tmp_path / "file").touch()
    before = state_of(tmp_path)
    for where in (tmp_path / "file", tmp_path / "file" / "below"):
        assert_refused(fit(photo, "--checkpoint", where, "--steps", 1))
    assert state_of(tmp_path) == before


class TestInfo:
    def test_reference_of_another_shape_or_type(self, model_file: Path, tmp_path: Path) -> None:
        for values in (picture(16, 12), picture()[..., 0], picture()[..., 0].astype(np.uint16)):
            other = save_picture(tmp_path / "other.png", values)
            assert_refused(run("info", model_file, "--reference", other), "16x12, 3 channels of uint8")

    def test_file_or_system(self, model_file: Path) -> None:
        assert_refused(run("info"), "--system")
        assert_refused(run("info", model_file, "--system"), "--system")


@pytest.mark.parametrize(
    "given", [("fit",), ("render", "a.inr"), ("partition", "a.png", "--rule", "none"), ("meta",), ("--what",)]
)
def test_usage(given: tuple[str, ...]) -> None:
    assert_refused(run(*given), "--help")


def test_name_that_is_several_lines(tmp_path: Path) -> None:
    ran = run("fit", tmp_path / "two\nlines\x1b[31m.png")
    assert_refused(ran)
    assert "\x1b" not in ran.err


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")]
)
def test_not_enough_memory(photo: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(partinr, "fit", fail)
    ran = fit(photo)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "not enough memory" in ran.err


def test_bugs_are_not_hidden(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(inr, "save", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        fit(photo, "--steps", 1)

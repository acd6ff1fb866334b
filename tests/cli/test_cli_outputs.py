"""Outputs that cannot be files, and names that are no text: refused before the work, or right."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import partinr
from cli_helpers import Ran, assert_refused, picture, run, save_picture, state_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and names of POSIX")

ODD = os.fsdecode(b"odd-\xff")
META = ("--size", "8x8", "--workers", 0, "--threads", 1)
LEARN = (*META, "--hidden", 4, "--layers", 1, "--steps", 1, "--inner-steps", 1)
SWEEP = ("--quick", "--sizes", "1,2,3", "--repeats", 1, "--steps", 2, "--points", 16, "--bootstrap", 20)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_picture(tmp_path / "photo.png")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(folder / name)
    return folder


@pytest.fixture
def model(tmp_path: Path, photo: Path) -> Path:
    path = tmp_path / "model.inr"
    assert run("fit", photo, "-o", path, "--steps", 1, "--threads", 1).code == 0
    return path


@pytest.fixture
def start(tmp_path: Path, photos: Path) -> Path:
    path = tmp_path / "start.inr"
    assert run("meta", "train", photos, "-o", path, *LEARN).code == 0
    return path


# Every option that names a file to write: the words before it, and a suffix that it takes.
FILES: dict[str, tuple[tuple[str, ...], str]] = {
    "fit -o": (("fit", "photo.png", "--steps", "1", "-o"), ".inr"),
    "fit --report": (("fit", "photo.png", "--steps", "1", "-o", "out.inr", "--report"), ".html"),
    "fit --overlay": (("fit", "photo.png", "--steps", "1", "-o", "out.inr", "--overlay"), ".png"),
    "render -o": (("render", "model.inr", "-o"), ".png"),
    "view -o": (("view", "model.inr", "-o"), ".html"),
    "partition -o": (("partition", "photo.png", "--rule", "none", "-o"), ".png"),
    "partition --overlay": (
        ("partition", "photo.png", "--rule", "none", "-o", "out.png", "--overlay"),
        ".png",
    ),
    "meta train -o": (("meta", "train", "photos", *map(str, LEARN), "-o"), ".inr"),
    "meta eval --csv": (("meta", "eval", "start.inr", "photos", *map(str, META), "--csv"), ".csv"),
}
FOLDERS: dict[str, tuple[str, ...]] = {
    "fit --checkpoint": ("fit", "photo.png", "--steps", "1", "-o", "out.inr", "--checkpoint"),
    "compare -o": ("compare", "photo.png", "--run", "siren:none", "--steps", "2", "-o"),
    "hypothesis 1d -o": ("hypothesis", "1d", *map(str, SWEEP), "-o"),
    "hypothesis partition -o": ("hypothesis", "partition", "--quick", "-o"),
    "hypothesis image -o": ("hypothesis", "image", "photo.png", "--size", "8", "-o"),
    "meta train --checkpoint": ("meta", "train", "photos", *map(str, LEARN), "-o", "o.inr", "--checkpoint"),
    "meta eval --pictures": ("meta", "eval", "start.inr", "photos", *map(str, META), "--pictures"),
    "demo -o": ("demo", "-o"),
}


@pytest.fixture
def _nothing_is_done(
    tmp_path: Path, model: Path, start: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """In a folder with one input of each kind, no command may get as far as its work or leave anything."""
    assert model.exists()
    assert start.exists()
    for name in ("fit", "compare", "learn_start", "evaluate_start"):
        monkeypatch.setattr(partinr, name, None)
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    before = state_of(tmp_path)
    yield
    assert state_of(tmp_path) == before


@pytest.mark.usefixtures("_nothing_is_done")
@pytest.mark.parametrize("option", FILES)
def test_files_that_cannot_be(option: str, tmp_path: Path) -> None:
    words, suffix = FILES[option]
    link = tmp_path / f"link{suffix}"
    for target, said in (("pipe", "it is a pipe"), ("/dev/null", "it is a device")):
        link.symlink_to(target)
        assert_refused(run(*words, link), said)
        link.unlink()
    (tmp_path / f"folder{suffix}").mkdir()
    assert_refused(run(*words, f"folder{suffix}"), "it is a folder")
    (tmp_path / f"folder{suffix}").rmdir()
    assert_refused(run(*words, f"photo.png/below{suffix}"), "is not a folder")
    assert_refused(run(*words, f"no/such{suffix}"), "does not exist")
    assert_refused(run(*words, f"{'x' * 300}{suffix}"), "too long")


@pytest.mark.usefixtures("_nothing_is_done")
@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs names of open pipes")
@pytest.mark.parametrize("option", ["fit -o", "meta train -o", "meta eval --csv"])
def test_names_of_open_pipes(option: str) -> None:
    mine, theirs = os.pipe()
    try:
        # What /dev/stdout and >(cat) are.
        assert_refused(run(*FILES[option][0], f"/dev/fd/{theirs}"), "it is a pipe")
    finally:
        os.close(mine)
        os.close(theirs)


@pytest.mark.usefixtures("_nothing_is_done")
@pytest.mark.parametrize("option", FOLDERS)
def test_folders_that_cannot_be(option: str) -> None:
    words = FOLDERS[option]
    assert_refused(run(*words, "photo.png"), "photo.png")
    assert_refused(run(*words, "pipe"), "pipe")
    assert_refused(run(*words, "photo.png/below"), "photo.png is a file")
    assert_refused(run(*words, "x" * 300), "too long")
    assert_refused(run(*words, f"no/{'x' * 300}"), "too long")


@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("fit --checkpoint", "state.safetensors"),
        ("compare -o", "comparison.json"),
        ("compare -o", "index.html"),
        ("hypothesis 1d -o", "results.json"),
        ("hypothesis 1d -o", "state.safetensors"),
        ("demo -o", "report.html"),
    ],
)
def test_files_in_folders_that_cannot_be(
    option: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given").mkdir()
    # To read one would be to wait for ever.
    os.mkfifo(tmp_path / "given" / name)
    assert_refused(run(*FOLDERS[option], "given"), name, "it is a pipe")


def test_where_other_output_goes(tmp_path: Path, photo: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            ran = run("fit", photo, "--steps", 1, "-o", log)
        finally:
            os.dup2(saved, 2)
            os.close(saved)
    assert_refused(ran, "other output goes")
    assert log.read_bytes() == b""


def test_outputs_that_exclude_each_other(tmp_path: Path, photo: Path) -> None:
    given, both = ("fit", photo, "--steps", 1), tmp_path / "both.inr"
    assert_refused(run(*given, "-o", both, "--checkpoint", both / "below"), "--checkpoint", "-o")
    labels = save_picture(tmp_path / "labels.png", np.zeros((12, 16), np.uint8))
    ran = run(*given, "--partition", f"labels:{labels}", "--overlay", labels)
    assert_refused(ran, "would overwrite the input")


def test_a_start_does_not_replace_what_it_is_learned_on(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "list").write_text("photos/a.png\n")
    before = state_of(tmp_path)
    assert_refused(run("meta", "train", photos, "-o", photos / "a.png", *LEARN), "-o must be an .inr file")
    assert_refused(run("meta", "train", tmp_path / "list", "-o", tmp_path / "list", *LEARN), "overwrite")
    assert state_of(tmp_path) == before


class TestNamesThatAreNoText:
    @pytest.fixture
    def odd(self, tmp_path: Path) -> Callable[[str], Path]:
        """A name with a byte that is no text, with this suffix."""
        if sys.platform == "darwin":
            pytest.skip("file systems here take UTF-8 alone")
        return lambda suffix: tmp_path / f"{ODD}{suffix}"

    @pytest.fixture
    def facts(self) -> Callable[[Ran], str]:
        """JSON that other programs take too: no half characters."""

        def read(ran: Ran) -> str:
            assert (ran.code, ran.err) in ((0, ""), (1, ran.err))
            json.dumps(json.loads(ran.out), ensure_ascii=False).encode()
            return ran.out

        return read

    def test_fit_and_info(self, odd: Callable[[str], Path], facts: Callable[[Ran], str]) -> None:
        source, page = save_picture(odd(".png")), odd(".html")
        ran = run("fit", source, "--steps", 1, "--threads", 1, "--report", page, "--json")
        assert "odd-\\\\udcff.inr" in facts(ran)
        assert "odd-\\udcff.inr" in page.read_text(encoding="utf-8")
        model = odd(".inr")
        assert "odd-\\\\udcff.png" in facts(run("info", model, "--reference", source, "--json"))
        assert facts(run("fit", source, "--steps", 1, "--init", model, "--json"))
        assert "odd-\\udcff.inr" in run("info", model).out
        assert run("partition", source, "--rule", "grid:2x2", "-o", odd(".npy")).code == 0
        labels = f"labels:{odd('.npy')}"
        assert facts(run("fit", source, "--steps", 1, "--partition", labels, "--json"))
        told = partinr.load(model).partition.rule
        assert told.endswith("odd-\\udcff.npy")

    def test_compare(self, odd: Callable[[str], Path], facts: Callable[[Ran], str]) -> None:
        source, folder = save_picture(odd(".png"), picture()), odd("")
        labels = save_picture(odd(".labels.png"), np.arange(192, dtype=np.uint8).reshape(12, 16) // 96)
        asked = ("--run", f"siren:labels:{labels}", "--steps", 2, "--reference", source)
        assert "odd-" in facts(run("compare", source, "-o", folder, *asked, "--json"))
        json.loads((folder / "results.json").read_text())
        assert "odd-\\udcff.png" in (folder / "index.html").read_text(encoding="utf-8")

    def test_hypothesis(self, odd: Callable[[str], Path], facts: Callable[[Ran], str]) -> None:
        source, folder = save_picture(odd(".png"), picture()), odd("")
        asked = ("--quick", "--size", 8, "--steps", 2, "--bootstrap", 20)
        assert facts(run("hypothesis", "image", source, "-o", folder, *asked, "--json"))
        assert "odd-\\udcff.png" in (folder / "runs.csv").read_text(encoding="utf-8")

    def test_meta(
        self, odd: Callable[[str], Path], facts: Callable[[Ran], str], photos: Path, tmp_path: Path
    ) -> None:
        (photos / "a.png").rename(photos / odd(".png").name)
        # A picture that cannot be read is named among those that were skipped.
        (photos / odd(".jpg").name).write_bytes(b"nothing")
        folder = photos.rename(odd(".photos"))
        start, table, shown = odd(".inr"), odd(".csv"), odd(".pictures")
        assert "odd-" in facts(run("meta", "train", folder, "-o", start, *LEARN, "--json"))
        written = ("--csv", table, "--pictures", shown)
        assert "odd-" in facts(run("meta", "eval", start, folder, *META, *written, "--json"))
        assert "odd-\\udcff.png" in table.read_text(encoding="utf-8")
        assert len(list(shown.iterdir())) == 2
        listed = tmp_path / "list"
        listed.write_bytes(os.fsencode(folder.name + "/" + odd(".png").name))
        assert json.loads(run("meta", "eval", start, listed, *META, "--json").out)["images"] == 1

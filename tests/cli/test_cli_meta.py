"""`partinr meta`: learned from a folder, judged on another, and what goes wrong."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image

import partinr
from cli_helpers import run, start
from partinr import load_start, save_start
from partinr.signals.metrics import psnr

TINY = ("--hidden", 6, "--layers", 1, "--omega-0", 8, "--size", "12x10", "--inner-lr", 0.02)
QUICK = (*TINY, "--workers", 0, "--threads", 1, "--steps", 4, "--batch", 2, "--lr", 0.01)


def photos(folder: Path, count: int = 4, rows: int = 14, columns: int = 16) -> Path:
    folder.mkdir(exist_ok=True)
    r, c = np.mgrid[:rows, :columns] / rows
    for i in range(count):
        picture = [np.sin(3 * r + i / 5 + k) * np.cos(2 * c) for k in range(3)]
        Image.fromarray((127 + 100 * np.stack(picture, axis=-1)).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


def scores(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return photos(tmp_path / "photos")


def test_train_eval_and_info(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "start.inr"
    (data / "damaged.png").write_bytes(b"no picture")
    trained = run("meta", "train", data, "-o", out, *QUICK, "--held-out", 1, "--seed", 1, "--json")
    assert trained.code == 0
    facts = json.loads(trained.out)
    assert facts["steps"] == 4
    assert facts["signals"] == 4
    assert list(facts["skipped"]) == ["damaged.png"]
    assert [look["step"] for look in facts["validation"]] == [0, 1, 2, 3, 4]
    learned = load_start(out)
    assert (learned.network.hidden, learned.rates.kind, learned.frame) == (6, "parameter-step", "centred")
    assert learned.summary["crop"] == [10, 12]

    told = run("info", out)
    assert told.code == 0
    assert "a learned start for signals of 2 axes and 3 channels" in told.out
    assert json.loads(run("info", out, "--json").out)["kind"] == "start"

    table, pictures = tmp_path / "scores.csv", tmp_path / "pictures"
    options = ("--workers", 0, "--threads", 1, "--steps", 2, "--csv", table, "--pictures", pictures)
    judged = run("meta", "eval", out, data, "--partition", "grid:2x2", *options, "--json")
    assert judged.code == 0
    found = json.loads(judged.out)
    assert found["images"] == 4
    moments = [(m["start"], m["step"]) for m in found["moments"]]
    assert moments == [("learned", 0), ("learned", 1), ("learned", 2)] + [
        ("random", step) for step in (0, 1, 2, 20)
    ]
    rows = scores(table)
    assert len(rows) == 4 * len(moments)
    for moment in found["moments"]:
        values = [
            float(row["psnr"])
            for row in rows
            if (row["start"], int(row["step"])) == (moment["start"], moment["step"])
        ]
        assert moment["psnr"]["mean"] == pytest.approx(np.mean(values), abs=1e-3)
        assert moment["psnr"]["deviation"] == pytest.approx(np.std(values, ddof=1), abs=1e-3)
        assert moment["psnr"]["low"] < moment["psnr"]["mean"] < moment["psnr"]["high"]
    assert sorted(path.name for path in pictures.iterdir()) == [f"{i}.png.png" for i in range(4)]
    with Image.open(pictures / "0.png.png") as sheet:
        assert sheet.width > 5 * 256


def test_eval_renders_what_the_network_gives(data: Path, tmp_path: Path) -> None:
    """The first score is that of the start's own function at the crop's coordinates."""
    out, table = tmp_path / "start.inr", tmp_path / "scores.csv"
    assert run("meta", "train", data, "-o", out, *QUICK, "--frame", "global").code == 0
    assert run("meta", "eval", out, data, "--workers", 0, "--csv", table, "--limit", 1).code == 0
    learned = load_start(out)
    picture = partinr.read(data / "0.png").values[2:12, 2:14]
    coords = partinr.signals.frames.raster((10, 12))
    values = learned.network.forward(coords[None], learned.parameters)[0]
    rendered = np.clip(np.rint(values * 255), 0, 255).reshape(10, 12, 3)
    (row,) = [r for r in scores(table) if (r["start"], r["step"]) == ("learned", "0")]
    assert float(row["psnr"]) == pytest.approx(psnr(picture, rendered, 255), abs=0.01)


def test_an_lsun_database_and_a_list(data: Path, tmp_path: Path) -> None:
    base = tmp_path / "church_outdoor_train_lmdb"
    base.mkdir()
    with lmdb.open(str(base), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
        for i in range(4):
            transaction.put(f"{i}".encode(), (data / f"{i}.png").read_bytes())
    (data / "list.txt").write_text("0.png\n1.png\n2.png\n3.png\n")
    starts = []
    for source in (data, base, data / "list.txt"):
        assert run("meta", "train", source, "-o", tmp_path / "s.inr", *QUICK).code == 0
        starts.append((tmp_path / "s.inr").read_bytes())
    assert starts[0] == starts[1] == starts[2]


@pytest.mark.parametrize(("asked", "channels"), [("grey", 1), ("rgb", 3), (None, 3)])
@pytest.mark.parametrize("of_array", [1, 3])
def test_arrays_among_pictures_become_what_is_asked(
    data: Path, tmp_path: Path, asked: str | None, channels: int, of_array: int
) -> None:
    values = np.random.default_rng(0).integers(0, 256, (14, 16, of_array)).astype(np.uint8)
    # By its name the first of all, which decides where nothing is asked.
    np.save(data / "0.npy", values)
    np.save(data / "00.npy", np.zeros((14, 16, 4)))
    out = tmp_path / "start.inr"
    options = () if asked is None else ("--colour", asked)
    if asked is None:
        (data / "00.npy").rename(data / "z.npy")
        channels = of_array
    trained = run("meta", "train", data, "-o", out, *QUICK, "--steps", 9, *options, "--json")
    assert trained.code == 0
    assert load_start(out).channels == channels
    (reason,) = json.loads(trained.out)["skipped"].values()
    assert "array of 4 channels cannot be made" in reason


def test_a_grey_start_and_one_that_goes_on(data: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.inr", tmp_path / "second.inr"
    assert run("meta", "train", data, "-o", first, *QUICK, "--colour", "grey").code == 0
    assert load_start(first).channels == 1
    assert run("meta", "train", data, "-o", second, *QUICK, "--colour", "grey", "--init", first).code == 0
    assert load_start(second).network == load_start(first).network
    assert run("meta", "train", data, "-o", second, *QUICK, "--init", first).code == 0
    assert load_start(second).channels == 1
    refused = run("meta", "train", data, "-o", second, *QUICK, "--colour", "rgb", "--init", first)
    assert refused.code == 2
    assert "1 channel" in refused.err


BAD = {
    "no such folder": (("missing",), "no such folder"),
    "folder without images": (("empty",), "no images"),
    "broken database": (("broken",), "not a database"),
    "crop larger than every image": (("photos", "--size", "900x900"), "smaller than the crop"),
    "no inner steps": (("photos", "--inner-steps", 0), "inner steps must be 1"),
    "no steps": (("photos", "--steps", 0), "steps must be at least 1"),
    "size": (("photos", "--size", "12"), "--size must be WxH"),
    "all held out": (("photos", "--held-out", 4), "at most 3"),
    "resume": (("photos", "--resume"), "--resume needs --checkpoint"),
    "two validations": (("photos", "--held-out", 1, "--validation", "photos"), "either --held-out"),
    "rates of reptile": (("photos", "--method", "reptile", "--rates", "step"), "reptile learns no rates"),
    "device": (("photos", "--device", "warp"), "device must be one"),
    "start": (("photos", "--init", "photos/0.png"), "not an .inr file"),
}


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(("words", "message"), BAD.values(), ids=BAD)
def test_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "data.mdb").write_bytes(b"nonsense")
    ran = run("meta", "train", words[0], "-o", "start.inr", *QUICK, *words[1:])
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert not Path("start.inr").exists()


def test_what_eval_refuses(data: Path, tmp_path: Path) -> None:
    fit = tmp_path / "fit.inr"
    assert run("fit", data / "0.png", "-o", fit, "--steps", 1).code == 0
    made = tmp_path / "start.inr"
    save_start(partinr.Start.fresh(partinr.Siren(4, 0), 2, 3), made)
    for words, message in (
        ((fit, data), "it is a fit"),
        ((tmp_path / "none.inr", data), "no such file"),
        ((made, data, "--steps", 0), "inner steps must be 1"),
        ((made, data), "smaller than the crop"),
        ((made, data, "--size", "8x8", "--partition", "grid:9x9"), "grid:9x9 needs"),
    ):
        ran = run("meta", "eval", *words, "--workers", 0)
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert message in ran.err
    refused = run("info", made, "--reference", data / "0.png")
    assert refused.code == 2
    assert run("render", made, "-o", tmp_path / "x.png").code == 2


def test_a_loss_that_is_no_number(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "start.inr"
    ran = run("meta", "train", data, "-o", out, *QUICK, "--lr", 1e30)
    assert ran.code == 1
    assert "no longer finite in outer step" in ran.err
    assert all(np.isfinite(array).all() for array in load_start(out).parameters.arrays)


class TestProcesses:
    """Of their own: killed, and several together."""

    def test_killed_and_resumed_to_the_same_bytes(self, data: Path, tmp_path: Path) -> None:
        words = ("meta", "train", data, *TINY, "--threads", 1, "--workers", 1, "--steps", 25, "--quiet")
        state = tmp_path / "state"
        assert run(*words[:3], "-o", tmp_path / "whole.inr", *words[3:]).code == 0
        with start(*words, "-o", tmp_path / "cut.inr", "--checkpoint", state) as process:
            deadline = time.monotonic() + 60
            while not any(state.glob("*.safetensors")) and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert not (tmp_path / "cut.inr").exists()
        again = run(*words, "-o", tmp_path / "cut.inr", "--checkpoint", state, "--resume")
        assert again.code == 0
        assert (tmp_path / "cut.inr").read_bytes() == (tmp_path / "whole.inr").read_bytes()

    def test_two_processes_learn_what_one_does(self, data: Path, tmp_path: Path) -> None:
        words = [str(w) for w in ("meta", "train", data, *QUICK, "--batch", 3, "--held-out", 1, "--quiet")]
        assert run(*words, "-o", tmp_path / "one.inr").code == 0
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        ran = subprocess.run(
            [*torchrun, "-m", "partinr", *words, "-o", str(tmp_path / "two.inr")],
            env={**os.environ, "PYTHONPATH": str(Path(partinr.__file__).parents[1]), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        one, two = load_start(tmp_path / "one.inr"), load_start(tmp_path / "two.inr")
        for a, b in zip(one.parameters.arrays, two.parameters.arrays, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)
        assert two.summary["validation_psnr"] == pytest.approx(one.summary["validation_psnr"], abs=1e-3)

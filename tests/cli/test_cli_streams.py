"""Standard streams that are closed, full, or read by nobody: the work is done, and no traceback is shown."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import partinr
from cli_helpers import COMMAND, save_picture
from partinr.cli.streams import Output

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
FIT = ("fit", "photo.png", "-o", "out.inr", "--steps", "1", "--threads", "1", "--json")


def in_shell(folder: Path, words: tuple[str, ...], redirection: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a folder, its streams as a shell has them."""
    return subprocess.run(
        ["bash", "-c", f"{shlex.join([*COMMAND, *words])} {redirection}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(partinr.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">&- 2>&- <&-", 0, ""),
        pytest.param(">/dev/full", 1, "partinr: standard output: No space left on device\n", marks=FULL),
        pytest.param(">/dev/full 2>/dev/full", 1, "", marks=FULL),
        ("| head -c 0; exit ${PIPESTATUS[0]}", 0, ""),
    ],
)
def test_the_work_is_done_whatever_becomes_of_the_output(
    tmp_path: Path, redirection: str, code: int, said: str
) -> None:
    save_picture(tmp_path / "photo.png")
    done = in_shell(tmp_path, FIT, redirection)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)
    assert partinr.load(tmp_path / "out.inr").signal.shape == (12, 16)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.inr", "photo.png"]


@pytest.mark.parametrize(
    ("words", "redirection", "code"),
    [
        (("--version",), ">&-", 0),
        pytest.param(("--help",), ">/dev/full", 1, marks=FULL),
        (("info", "missing.inr"), "2>&-", 2),
        pytest.param(("info", "missing.inr"), "2>/dev/full", 2, marks=FULL),
    ],
)
def test_exit_codes_without_streams(
    tmp_path: Path, words: tuple[str, ...], redirection: str, code: int
) -> None:
    done = in_shell(tmp_path, words, redirection)
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr


def test_help_on_very_few_columns() -> None:
    narrow = subprocess.run(
        [*COMMAND, "--help"],
        env={**os.environ, "PYTHONPATH": str(Path(partinr.__file__).parents[1]), "COLUMNS": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "partition" in narrow.stdout


def test_a_working_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    words = shlex.join([*COMMAND, "fit", "photo.png"])
    done = in_shell(tmp_path, ("--version",), f"&& cd gone && rmdir ../gone && {words}")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("partinr: the working folder ")
    assert f"{tmp_path / 'gone'}" in last
    assert "Traceback" not in done.stderr


class TestOutput:
    def test_a_pipe_that_is_full_for_the_moment(self) -> None:
        mine, theirs = os.pipe()
        os.set_blocking(theirs, False)
        output = Output(os.fdopen(theirs, "w", encoding="utf-8"))
        text = "line\n" * 100_000
        received = io.BytesIO()

        def read() -> None:
            while piece := os.read(mine, 4096):
                received.write(piece)

        reader = threading.Thread(target=read)
        reader.start()
        output.stream.write(text)
        output.stream.flush()
        output._given.close()
        reader.join()
        os.close(mine)
        assert received.getvalue().decode() == text
        assert output.failure is None

    def test_the_first_failure_is_kept_and_what_follows_dropped(self) -> None:
        given = io.TextIOWrapper(io.BufferedWriter(_Broken(OSError(5, "Input/output error"))), "utf-8")
        output = Output(given)
        for _ in range(3):
            output.stream.write("text")
            output.stream.flush()
        assert str(output.failure) == "[Errno 5] Input/output error"

    def test_characters_that_the_encoding_lacks(self) -> None:
        kept = io.BytesIO()
        output = Output(io.TextIOWrapper(kept, "ascii"))
        output.stream.write("é \udcff\n")
        output.stream.flush()
        assert kept.getvalue() == b"\\xe9 \\udcff\n"


class _Broken(io.RawIOBase):
    """A stream whose writes fail."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def writable(self) -> bool:
        return True

    def write(self, _: object, /) -> int:
        raise self._error


def test_json_of_a_command_is_whole(tmp_path: Path) -> None:
    save_picture(tmp_path / "photo.png")
    done = in_shell(tmp_path, FIT, "| cat")
    assert json.loads(done.stdout)["output"] == "out.inr"

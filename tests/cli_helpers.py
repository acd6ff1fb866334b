"""Runs the command line, in this process or as a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from PIL import Image
from typer.testing import CliRunner

import partinr
from partinr.cli.commands import app

COMMAND = [sys.executable, "-m", "partinr"]


class Ran(NamedTuple):
    """What a command line ended with."""

    code: int
    out: str
    err: str


def run(*words: object) -> Ran:
    """Run a command line in this process; bugs raise."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return Ran(result.exit_code, result.stdout, result.stderr)


def fit(*words: object) -> Ran:
    """Run `partinr fit` in this process, on one thread: small fits gain nothing from more."""
    return run("fit", "--threads", 1, *words)


def start(*words: object) -> subprocess.Popen[str]:
    """Start a command line as a process of its own, with pipes for its output."""
    source = str(Path(partinr.__file__).parents[1])
    return subprocess.Popen(
        [*COMMAND, *[str(word) for word in words]],
        env={**os.environ, "PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_process(*words: object) -> Ran:
    """Run a command line as a process of its own."""
    with start(*words) as process:
        out, err = process.communicate()
    return Ran(process.returncode, out, err)


def picture(rows: int = 12, columns: int = 16) -> ndarray:
    """A smooth picture in colour, not square."""
    row, column = np.mgrid[:rows, :columns]
    return np.stack([row * 15, column * 12, row * 5 + column * 6], axis=-1).astype(np.uint8)


def save_picture(path: Path, values: ndarray | None = None) -> Path:
    """Write a picture, `picture()` if nothing else."""
    Image.fromarray(picture() if values is None else values).save(path)
    return path


def state_of(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def assert_refused(ran: Ran, *said: str) -> None:
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("partinr: ")
    assert ran.err.endswith("\n")
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err
    assert len(ran.err) < 600
    for word in said:
        assert word in ran.err

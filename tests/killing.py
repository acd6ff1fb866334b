"""Fits in processes of their own, killed at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path


def ends_the_same_after_kills(script: str, folder: Path, attempts: int) -> None:
    """Kill a fit some times, resume it, and compare its file with that of an undisturbed run.

    Args:
        script: Python that prints a line, fits or resumes with the checkpoint folder argv[1], writes argv[2].
        folder: for checkpoints and files.
        attempts: to kill it; at least one has to hit. Moments are shares of the undisturbed run's duration.
    """

    def start(name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", script, str(folder / name), str(folder / f"{name}.inr")],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    with start("undisturbed") as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.perf_counter()
        process.communicate(timeout=120)
        took = time.perf_counter() - began
        assert process.returncode == 0
    chance = random.Random(0)
    kills = 0
    for _ in range(attempts):
        with start("killed") as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(took * chance.uniform(0.1, 0.6))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
    assert kills > 0
    with start("killed") as process:
        process.communicate(timeout=120)
    assert (folder / "killed.inr").read_bytes() == (folder / "undisturbed.inr").read_bytes()

"""Fits in processes of their own, killed at random moments."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_MOST_MISSES = 10


def ends_the_same_after_kills(script: str, folder: Path, attempts: int) -> None:
    """Kill a fit some times, resume it, and compare its file with that of an undisturbed run.

    Args:
        script: Python that prints a line, fits or resumes with the checkpoint folder argv[1], writes argv[2].
        folder: for checkpoints and files.
        attempts: how often to kill it. Moments are shares of the undisturbed run's duration; a run that was
            over by then is made anew, to be killed sooner.
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
    kills, misses = 0, 0
    while kills < attempts and misses < _MOST_MISSES:
        with start("killed") as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(took * chance.uniform(0.1, 0.6) / (1 + misses))
            process.send_signal(signal.SIGKILL)
            if process.wait() == -signal.SIGKILL:
                kills += 1
            elif kills:
                break  # what is left is too short to be hit
            else:
                misses += 1
                shutil.rmtree(folder / "killed")
    assert kills > 0
    with start("killed") as process:
        process.communicate(timeout=120)
    assert (folder / "killed.inr").read_bytes() == (folder / "undisturbed.inr").read_bytes()

"""Fits in tiles whose workers, client and scheduler are killed at random moments.

    python tests/kill_tiles.py [--rounds 20] [--seed 0]

In each round a store is fitted by runs of which something is killed a few times, each going on where the last
one ended, until one ends by itself; then it must be the store of an undisturbed run, byte for byte. Rounds
take turns: the client of processes, one of these, the client of a Dask cluster, a worker, the scheduler.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONFAULTHANDLER": "1"}
OPTIONS = ("--psnr", "40", "--tile", "256", "--resume", "--quiet")
VICTIMS = ("client", "worker", "client of a cluster", "worker of a cluster", "scheduler")
MOST_KILLS = 3


def picture() -> np.ndarray:
    """7 megapixels of texture."""
    noise = np.random.default_rng(0).normal(0, 25, (3000, 2400))
    y, x = np.mgrid[:3000, :2400]
    return np.clip(128 + 60 * np.sin(x / 30) * np.cos(y / 40) + noise * (x > y), 0, 255).astype(np.uint8)


def started(*command: str) -> subprocess.Popen[bytes]:
    """A command of this Python's, of which nothing is heard but what goes wrong."""
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if command[0] == "partinr" else subprocess.DEVNULL,
    )


def children(parent: int) -> list[int]:
    """Processes that a process has started."""
    found: list[int] = []
    for told in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            found += [int(word) for word in told.read_text().split()]
        except OSError:
            continue
    return found


class Dask:
    """A scheduler with two workers, each a process of its own."""

    def __init__(self, port: int) -> None:
        self.address = f"tcp://127.0.0.1:{port}"
        self._port = port
        self.scheduler = self._scheduler()
        self.workers = [self._worker() for _ in range(2)]

    def _scheduler(self) -> subprocess.Popen[bytes]:
        return started("distributed.cli.dask_scheduler", "--port", str(self._port), "--no-dashboard")

    def _worker(self) -> subprocess.Popen[bytes]:
        return started(
            "distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-dashboard", "--no-nanny"
        )

    def mend(self) -> None:
        """Start again what has been killed, as an engine would."""
        if self.scheduler.poll() is not None:
            self.end()
            self.__init__(self._port)  # type: ignore[misc]
        self.workers = [one if one.poll() is None else self._worker() for one in self.workers]

    def end(self) -> None:
        """Kill what is left."""
        for one in (*self.workers, self.scheduler):
            one.kill()
            one.wait()


def one_round(victim: str, source: Path, store: Path, took: float, chance: random.Random, dask: Dask) -> str:
    """Fit with something killed; what happened."""
    told = []
    for kill in range(MOST_KILLS + 1):
        on = (
            ("--cluster", dask.address)
            if "cluster" in victim or victim == "scheduler"
            else ("--workers", "2")
        )
        dask.mend()
        with started("partinr", "fit", str(source), "-o", str(store), *OPTIONS, *on) as client:
            if kill < MOST_KILLS:
                time.sleep(chance.uniform(0.2, 0.8) * took)
                if client.poll() is None:
                    if victim.startswith("client"):
                        client.kill()
                    elif victim == "worker":
                        for one in children(client.pid)[-1:]:
                            os.kill(one, signal.SIGKILL)
                    elif victim == "scheduler":
                        dask.scheduler.kill()
                        dask.scheduler.wait()
                    else:
                        dask.workers[0].kill()
                        dask.workers[0].wait()
                        dask.mend()
            try:
                _, said = client.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                # Which says where it was.
                client.send_signal(signal.SIGABRT)
                _, said = client.communicate()
            told.append(str(client.returncode))
            killed = client.returncode == -signal.SIGKILL
            if not killed and (client.returncode not in (0, 1, 2) or said.count(b"\n") > 1):
                raise SystemExit(f"{victim}: exit code {client.returncode}: {said.decode()}")
            if client.returncode == 0:
                return ", ".join(told)
    raise SystemExit(f"{victim}: did not end: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victim", choices=VICTIMS, help="kill nothing else")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp())
    source, whole = folder / "picture.npy", folder / "whole.inrs"
    np.save(source, picture())
    began = time.monotonic()
    with started("partinr", "fit", str(source), "-o", str(whole), *OPTIONS, "--workers", "2") as client:
        client.communicate()
    took = time.monotonic() - began
    dask = Dask(18786)
    try:
        for turn in range(options.rounds):
            victim = options.victim or VICTIMS[turn % len(VICTIMS)]
            store = folder / f"{turn}.inrs"
            exits = one_round(victim, source, store, took, chance, dask)
            same = subprocess.run(["diff", "-r", str(whole), str(store)], capture_output=True, check=False)
            print(  # noqa: T201
                f"{turn}: {victim}: exit codes {exits}: {'same' if not same.returncode else 'ANOTHER'}",
                flush=True,
            )
            if same.returncode:
                raise SystemExit(same.stdout.decode())
    finally:
        dask.end()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

"""How long tiles of a picture take that is served, and a crop of it from the command line.

    python benchmarks/serve.py slide.inrs

Starts `partinr serve` on the store, asks for tiles of 256 x 256 pixels at random places of random levels, one
after another and eight at once, and prints the median and the 99th percentile of the times in ms, for tiles
that are looked at for the first time and again. Then the time of `partinr render --crop` of 512 x 512 as a
whole command, and the bytes that it reads of the store.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import local
from urllib.parse import urlsplit

import numpy as np

from partinr.tiles.store import MANIFEST, Store

TILES, AT_ONCE = 400, 8


def addresses(info: dict[str, object], count: int) -> list[str]:
    """Different tiles at random, as a viewer asks for them; as many of each level as there are."""
    width, height, (tiles,) = info["width"], info["height"], info["tiles"]
    found = []
    for k in range(count):
        factor = tiles["scaleFactors"][k % len(tiles["scaleFactors"])]
        side = tiles["width"] * factor
        x, y = (side * random.randrange(-(-n // side)) for n in (width, height))
        w, h = min(side, width - x), min(side, height - y)
        found.append(f"{x},{y},{w},{h}/{-(-w // factor)},{-(-h // factor)}/0/default.jpg")
    return list(dict.fromkeys(found))


def times(page: str, at: Sequence[str], at_once: int) -> np.ndarray:
    """Seconds for each address, on connections that stay."""
    here, place = local(), urlsplit(page)

    def ask(address: str) -> float:
        if not hasattr(here, "connection"):
            here.connection = HTTPConnection(place.hostname, place.port, timeout=60)
        began = time.perf_counter()
        here.connection.request("GET", address)
        answer = here.connection.getresponse()
        answer.read()
        assert answer.status == 200, (address, answer.status)
        return time.perf_counter() - began

    with ThreadPoolExecutor(at_once) as threads:
        return np.array(list(threads.map(ask, at)))


def shown(what: str, seconds: np.ndarray) -> None:
    """A row of the table."""
    median, slow = np.percentile(1000 * seconds, (50, 99))
    print(f"{what:42} {median:8.1f} {slow:8.1f}")


def served(store: str) -> None:
    """Times of tiles."""
    program = [sys.executable, "-m", "partinr", "serve", store, "--port", "0"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as server:
        try:
            page = server.stdout.readline().split()[-1]
            image = server.stdout.readline().split()[-1].removesuffix("info.json")
            path = urlsplit(image).path
            while True:
                try:
                    connection = HTTPConnection(urlsplit(page).netloc, timeout=60)
                    connection.request("GET", f"{path}info.json")
                    info = json.load(connection.getresponse())
                    break
                except OSError:
                    time.sleep(0.1)
            tiles = [path + words for words in addresses(info, TILES)]
            print(f"{'milliseconds':42} {'median':>8} {'99 %':>8}")
            some, others = tiles[::2], tiles[1::2]
            shown("one at a time, first look", times(page, some, 1))
            shown("one at a time, again", times(page, some, 1))
            shown(f"{AT_ONCE} at once, first look", times(page, others, AT_ONCE))
            shown(f"{AT_ONCE} at once, again", times(page, others, AT_ONCE))
        finally:
            server.terminate()


def cropped(store: str) -> None:
    """Time and bytes of a crop."""
    found = Store.open(store)
    height, width = found.spec.shape
    seconds, sizes = [], []
    with TemporaryDirectory() as folder:
        # Installing compiles modules, so the first run, which does that here, does not count.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(6):
            x, y = random.randrange(width - 512), random.randrange(height - 512)
            words = ["--crop", f"{x},{y},{x + 512},{y + 512}", "-o", f"{folder}/crop.png", "-q"]
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "partinr", "render", store, *words], check=True, env=environment
            )
            seconds.append(time.perf_counter() - began)
            # As far as jumps at borders reach.
            tiles = found.tiles_touching((y - 34, x - 34), (580, 580))
            sizes.append(sum(found.tiles[found.layout.number(index)].size for index in tiles))
    manifest = (Path(store) / MANIFEST).stat().st_size
    read = (max(sizes) + manifest) / 1e6
    print(f"crop of 512 x 512: {np.median(seconds[1:]):.2f} s, {read:.2f} MB read at most")


if __name__ == "__main__":
    random.seed(0)
    print(f"load before: {os.getloadavg()[0]:.1f}")
    served(sys.argv[1])
    cropped(sys.argv[1])
    print(f"load after: {os.getloadavg()[0]:.1f}")

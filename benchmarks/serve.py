"""How long tiles of a picture take that is served, and a crop of it from the command line.

    python benchmarks/serve.py slide.inrs [--write]

Starts `partinr serve` on the store and asks for tiles of 256 x 256 pixels as a viewer does that jumps from
one random place and level to another, a screen of 4 x 3 tiles at each, one after another and eight at once;
then, as one that moves on slowly, for all tiles within that screen which begin half a tile further right,
down, or both; and for the first ones again. Prints the median and the 99th percentile of the times in ms.
Then the time of `partinr render --crop` of 512 x 512 as a whole command, and the bytes that it reads of the
store. `--write` puts the results into docs/serve.md.
"""

from __future__ import annotations

import argparse
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
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
from tables import machine, publish, table

from partinr.tiles.store import MANIFEST, Store

SCREENS, SCREEN, AT_ONCE = 40, (4, 3), 8


class Screen(NamedTuple):
    """Addresses of the tiles of a screen, and of those between them."""

    tiles: list[str]
    between: list[str]


def screens(info: dict[str, object], path: str, count: int) -> list[Screen]:
    """Screens at random places, as many of each level as of others, as a viewer asks for them."""
    width, height, (tiles,) = info["width"], info["height"], info["tiles"]
    found = []
    for k in range(count):
        factor = tiles["scaleFactors"][k % len(tiles["scaleFactors"])]
        side = tiles["width"] * factor
        across, down = -(-width // side), -(-height // side)
        left, top = (random.randrange(max(1, n - m + 1)) for n, m in zip((across, down), SCREEN, strict=True))
        size = min(SCREEN[1], down), min(SCREEN[0], across)

        def at(x: int, y: int, side: int = side, factor: int = factor) -> str:
            w, h = min(side, width - x), min(side, height - y)
            return f"{path}{x},{y},{w},{h}/{-(-w // factor)},{-(-h // factor)}/0/default.jpg"

        found.append(
            Screen(
                [at(side * (left + j), side * (top + i)) for i, j in np.ndindex(*size)],
                [
                    at(side * (left + j) + x * side // 2, side * (top + i) + y * side // 2)
                    for y, x in ((0, 1), (1, 0), (1, 1))
                    for i, j in np.ndindex(size[0] - y, size[1] - x)
                ],
            )
        )
    return found


class Viewer:
    """Asks for so many pictures at once, on connections that stay.

    Args:
        page: address of the server.
        at_once: pictures.
    """

    def __init__(self, page: str, at_once: int) -> None:
        self._place, self._here = urlsplit(page), local()
        self._threads = ThreadPoolExecutor(at_once)

    def times(self, at: Sequence[str]) -> np.ndarray:
        """Seconds for each address."""
        return np.array(list(self._threads.map(self._ask, at)))

    def _ask(self, address: str) -> float:
        if not hasattr(self._here, "connection"):
            self._here.connection = HTTPConnection(self._place.hostname, self._place.port, timeout=60)
        began = time.perf_counter()
        self._here.connection.request("GET", address)
        answer = self._here.connection.getresponse()
        answer.read()
        assert answer.status == 200, (address, answer.status)
        return time.perf_counter() - began


def row(what: str, seconds: np.ndarray) -> list[str]:
    """Of the table."""
    return [what, *(f"{ms:,.1f}" for ms in np.percentile(1000 * seconds, (50, 99)))]


def served(store: str) -> list[list[str]]:
    """Times of tiles, as rows of a table."""
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
            random.seed(0)
            found = []
            for how, at_once in (("one at a time", 1), (f"{AT_ONCE} at once", AT_ONCE)):
                viewer = Viewer(page, at_once)
                looked = [[viewer.times(some) for some in screen] for screen in screens(info, path, SCREENS)]
                first, beside = (np.concatenate(one) for one in zip(*looked, strict=True))
                last = screens(info, path, 1)[0].tiles
                viewer.times(last)
                again = viewer.times(20 * last)
                found += [
                    row(f"{how}, first look", first),
                    row(f"{how}, half a tile further", beside),
                    row(f"{how}, again", again),
                ]
            return found
        finally:
            server.terminate()


def cropped(store: str) -> str:
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
    return (
        f"A crop of 512 x 512 by `partinr render --crop`, the whole command: {np.median(seconds[1:]):.2f} s; "
        f"{read:.2f} MB are read at most."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--write", action="store_true", help="put the results into docs/serve.md")
    options = parser.parse_args()
    shape = Store.open(options.store).spec.shape
    rows = table(["tiles of 256 x 256, ms", "median", "99 %"], served(options.store))
    where = f"A store of {np.prod(shape) / 1e6:,.0f} megapixels; {machine()}; `benchmarks/serve.py`."
    publish("serve.md", "serve", f"{rows}\n\n{cropped(options.store)}\n\n{where}", options.write)


if __name__ == "__main__":
    main()

"""How long tiles of a picture take that is served, and a crop of it from the command line.

    python benchmarks/serve.py slide.inrs [--write]

Starts `partinr serve` on the store and asks for tiles of 256 x 256 pixels as a viewer does that jumps from
one random place and level to another, a screen of 4 x 3 tiles at each, one after another and eight at once.
Prints the median and the 99th percentile of the times in ms, for tiles that are looked at for the first time
and again. Then the time of `partinr render --crop` of 512 x 512 as a whole command, and the bytes that it
reads of the store. `--write` puts the results into docs/serve.md.
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
from urllib.parse import urlsplit

import numpy as np
from tables import machine, publish, table

from partinr.tiles.store import MANIFEST, Store

SCREENS, SCREEN, AT_ONCE = 40, (4, 3), 8


def addresses(info: dict[str, object], screens: int) -> list[str]:
    """Tiles of screens at random places, as many of each level as of others, as a viewer asks for them."""
    width, height, (tiles,) = info["width"], info["height"], info["tiles"]
    found = []
    for k in range(screens):
        factor = tiles["scaleFactors"][k % len(tiles["scaleFactors"])]
        side = tiles["width"] * factor
        across, down = -(-width // side), -(-height // side)
        left, top = (random.randrange(max(1, n - m + 1)) for n, m in zip((across, down), SCREEN, strict=True))
        for i, j in np.ndindex(min(SCREEN[1], down), min(SCREEN[0], across)):
            x, y = side * (left + j), side * (top + i)
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
            some, others = ([path + words for words in addresses(info, SCREENS)] for _ in range(2))
            return [
                row(f"{how}, {when}", times(page, tiles, at_once))
                for how, tiles, at_once in (
                    ("one at a time", some, 1),
                    (f"{AT_ONCE} at once", others, AT_ONCE),
                )
                for when in ("first look", "again")
            ]
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

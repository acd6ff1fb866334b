"""Fits in tiles: cost and memory against size, two workers and one, tiles and the whole, and a cluster.

    python benchmarks/tiles.py [PHOTOS ...] [--sides 1024 2048 4096 8192] [--psnr 38] [--folder DIR] [--write]
    python benchmarks/tiles.py PHOTOS ... --sides 2048 32768 --only sizes

Without photographs, scikit-image's. The pictures are tiled BigTIFFs without compression, made of squares of
256 pixels of the photographs, which are enlarged, mirrored and changed in brightness each in its own way;
they are kept in the folder, as are the last stores. Memory is the greatest resident size that any process of
a command had.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tables import machine, publish, table

import partinr
from partinr.tiles.cluster import Cluster
from partinr.tiles.layout import layout_of
from partinr.tiles.opening import opened_source
from partinr.tiles.tasks import Plan
from partinr.tiles.workers import Job

if TYPE_CHECKING:
    from distributed import Client

# Pixels a side of squares of one photograph, of the file's own tiles, of the fit's.
_PATCH, _TILE, _SIDE = 256, 512, 1024


def photographs(paths: Sequence[Path]) -> list[np.ndarray]:
    """Photographs of 8 bits in RGB."""
    if paths:
        return [partinr.read(path).values[..., :3] for path in paths]
    import skimage.data

    return [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea()]


def picture(path: Path, side: int, photos: Sequence[np.ndarray]) -> Path:
    """A picture of so many pixels along each side, if it is not there yet."""
    if path.exists():
        return path
    import tifffile
    from scipy.ndimage import zoom

    large = [zoom(photo, (f, f, 1), order=3, mode="nearest") for photo in photos for f in (1.0, 1.4, 2.0)]

    def patch(random: np.random.Generator) -> np.ndarray:
        photo = large[random.integers(len(large))]
        y, x = (int(random.integers(0, n - _PATCH + 1)) for n in photo.shape[:2])
        found = photo[y : y + _PATCH, x : x + _PATCH]
        found = found[:: random.choice([-1, 1]), :: random.choice([-1, 1])]
        return np.clip(found * random.uniform(0.8, 1.1) + random.uniform(-15, 15), 0, 255).astype(np.uint8)

    def tiles() -> Iterator[np.ndarray]:
        for number in range((side // _TILE) ** 2):
            random = np.random.default_rng(number)
            across = [np.concatenate([patch(random), patch(random)], axis=1) for _ in range(2)]
            yield np.concatenate(across)

    unfinished = path.with_suffix(".part")
    tifffile.imwrite(
        unfinished,
        tiles(),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(_TILE, _TILE),
        photometric="rgb",
        bigtiff=True,
    )
    unfinished.rename(path)
    return path


def measured(command: Sequence[str]) -> dict[str, float]:
    """What a command of partinr says, its duration, its processor time, and the memory of its processes."""
    peaks: dict[int, int] = {}
    over = threading.Event()

    def watch(parent: int) -> None:
        while not over.wait(0.02):
            for process in (parent, *children(parent)):
                try:
                    told = Path(f"/proc/{process}/status").read_text()
                except OSError:
                    continue
                if "VmHWM:" in told:
                    peaks[process] = int(told.split("VmHWM:")[1].split()[0]) * 1024

    before, began = os.times(), time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "partinr", *command, "--json"], stdout=subprocess.PIPE
    ) as one:
        thread = threading.Thread(target=watch, args=(one.pid,))
        thread.start()
        text, _ = one.communicate()
        over.set()
        thread.join()
    if one.returncode:
        raise SystemExit(one.returncode)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    found: dict[str, float] = json.loads(text)
    return found | {"wall": time.perf_counter() - began, "cpu": used, "memory": max(peaks.values())}


def children(parent: int) -> list[int]:
    """Processes that a process has started, all of its threads."""
    found = []
    for told in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            found += [int(word) for word in told.read_text().split()]
        except OSError:
            continue
    return found


def fitted(source: Path, store: Path, psnr: float, *options: str) -> dict[str, float]:
    """A fit by the command line, into a store that is made anew."""
    shutil.rmtree(store, ignore_errors=True)
    return measured(["fit", str(source), "-o", str(store), "--psnr", str(psnr), *options])


def against_size(pictures: dict[int, Path], folder: Path, psnr: float) -> str:
    """Cost and memory of pictures of several sizes."""
    rows: list[list[object]] = []
    for side, path in pictures.items():
        found = fitted(path, folder / "sizes.inrs", psnr)
        pixels = side * side
        rows.append(
            [
                f"{pixels / 1e6:,.0f}",
                f"{found['wall']:.1f}",
                f"{pixels / 1e6 / found['wall']:.2f}",
                f"{1e9 * found['cpu'] / pixels:,.0f}",
                f"{found['memory'] / 2**20:,.0f}",
                f"{found['psnr']:.3f}",
                f"{found['bits_per_sample']:.3f}",
                f"{found['again']} of {found['tiles']}",
            ]
        )
        print(*rows[-1], flush=True)
    head = ["megapixels", "seconds", "megapixels a second", "processor time, ns a pixel"]
    return table([*head, "memory, MiB", "PSNR, dB", "bits a pixel", "fitted again"], rows)


def two_against_one(path: Path, folder: Path, psnr: float) -> str:
    """Workers on this machine."""
    rows = []
    for workers in (1, 2):
        found = fitted(path, folder / "workers.inrs", psnr, "--workers", str(workers))
        rows.append([workers, f"{found['seconds']:.1f}", f"{found['cpu']:.1f}"])
    ratio = float(rows[0][1]) / float(rows[1][1])
    text = table(["workers", "seconds of the fit", "processor time, s"], rows)
    return f"{text}\n\nTwo are {ratio:.2f} times as fast as one."


def on_a_cluster(path: Path, folder: Path, psnr: float) -> str:
    """The same tiles by this process, and by a Dask worker with one thread."""
    from distributed import Client, LocalCluster

    goal, seconds = partinr.Compact(psnr=psnr), []
    local = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0")
    with local as cluster, Client(cluster) as client:
        # The first of each loads what is loaded once.
        for options in ({"workers": 1}, {"cluster": client}) * 4:
            store = folder / "cluster.inrs"
            shutil.rmtree(store, ignore_errors=True)
            seconds.append(partinr.fit_tiles(path, store, goal=goal, **options).seconds)
            print(options, f"{seconds[-1]:.2f} s", flush=True)
        each = empty_task(path, client)
    alone, dask = min(seconds[2::2]), min(seconds[3::2])
    return (
        f"In one process {alone:.2f} s, by a Dask worker with one thread {dask:.2f} s: "
        f"{dask / alone - 1:+.1%} (the best of three each). A task that does nothing takes client and "
        f"scheduler {1000 * each[0]:.1f} ms, the worker {1000 * each[1]:.1f} ms."
    )


def nothing(plan: Plan, task: object, parcel: object) -> None:
    """What a task is where only its way is measured."""


def empty_task(path: Path, client: Client, count: int = 1000) -> np.ndarray:
    """Processor seconds of a task that does nothing: of client and scheduler, and of the worker."""
    source = opened_source(path)
    layout = layout_of(source.spec.shape, source.spec.channels, None)
    plan = Plan(source, layout, None, None, "none", source.identity(), partinr.__version__)
    workers = Cluster(client)

    def used() -> np.ndarray:
        return np.array([one.user + one.system for one in (os.times(), *client.run(os.times).values())])

    for jobs in (10, count):  # the first ones load what is loaded once
        before = used()
        for _ in workers.run(nothing, plan, [Job(i % layout.count, i) for i in range(jobs)]):
            pass
    return (used() - before) / count


def against_the_whole(path: Path, folder: Path, psnr: float) -> str:
    """The same picture fitted in tiles and as a whole: cost, quality, bytes, and what shows between tiles."""
    tiles, whole = folder / "whole.inrs", folder / "whole.inr"
    rows = []
    for how, file, options in (("tiles", tiles, ()), ("as a whole", whole, ("--store", "compact"))):
        found = measured(["fit", str(path), "-o", str(file), "--psnr", str(psnr), *options])
        reached = f"{found['psnr']:.3f}"
        bits = f"{found['bits_per_sample']:.3f}"
        memory = f"{found['memory'] / 2**20:,.0f}"
        rows.append([how, f"{found['wall']:.1f}", memory, reached, bits, *map("{:.3f}".format, seams(file))])
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    head = ["fitted in", "seconds", "memory, MiB", "PSNR, dB", "bits a sample"]
    return table([*head, "seam figure at borders of tiles", "at those of boxes"], rows)


def seams(path: Path) -> tuple[float, float]:
    """Figures of a function at borders of tiles, and at those of its boxes, around all corners of tiles."""
    mosaic = partinr.open(path)
    found = []
    for corner in np.ndindex(*((n - 1) // _SIDE for n in mosaic.signal.shape)):
        box = [range(_SIDE * (i + 1) - 128, _SIDE * (i + 1) + 128) for i in corner]
        first, model = mosaic.window(box)
        y, x = ((start + np.arange(n)) // _SIDE for start, n in zip(first, model.signal.shape, strict=True))
        found.append((partinr.seam(model, y[:, None] * 1000 + x), partinr.seam(model)))
    at_tiles, at_boxes = np.mean(found, axis=0)
    return float(at_tiles), float(at_boxes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="*")
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--psnr", type=float, default=38.0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--only", choices=["sizes", "workers", "whole", "cluster"])
    parser.add_argument("--write", action="store_true", help="put the results into docs/tiles.md")
    options = parser.parse_args()
    photos = photographs(options.photos)
    pictures = {
        side: picture(options.folder / f"partinr-tiles-{side}.tif", side, photos) for side in options.sides
    }
    largest = pictures[max(options.sides)]
    where = f"{options.psnr:g} dB; {machine()}; `benchmarks/tiles.py`."
    parts = {
        "sizes": lambda: against_size(pictures, options.folder, options.psnr),
        "workers": lambda: two_against_one(largest, options.folder, options.psnr),
        "whole": lambda: against_the_whole(largest, options.folder, options.psnr),
        "cluster": lambda: on_a_cluster(largest, options.folder, options.psnr),
    }
    size = f"A picture of {max(options.sides) ** 2 / 1e6:,.0f} megapixels, "
    for name, part in parts.items():
        if options.only in (None, name):
            of = where if name == "sizes" else size + where
            publish("tiles.md", f"tiles-{name}", f"{part()}\n\n{of}", options.write)


if __name__ == "__main__":
    main()

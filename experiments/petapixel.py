"""What a petapixel takes: a schedule of tiles of measured cost on many machines, some of which die.

    python experiments/petapixel.py [--tile-seconds 0.25] [--task-ms 3.2] [--bytes 0.09]

One scheduler hands out tasks one after another; each takes it so many milliseconds, and a worker then as long
as a tile takes, within a quarter. Workers die at random, lose the tile that they are at, and come back after
a minute. The simulation runs until each worker has had some, and its pace is taken for that of the whole.
A task is one tile, as `fit_tiles` has it, or one picture of 1,024 tiles, as an archive of many pictures would
have it, each in a store of its own. `benchmarks/tiles.py` measures the cost of tiles and tasks.
"""

from __future__ import annotations

import argparse
import heapq

import numpy as np
from manual import publish, table

PETAPIXEL, TILE, CORES, IN_PICTURE = 1e15, 1024 * 1024, 16, 1024
# Hours between deaths of a machine, and minutes until it is back.
LIFE, AWAY = 1000.0, 1.0


def pace(workers: int, seconds: float, task: float, tasks_each: int = 6) -> float:
    """Tasks a second.

    Args:
        workers: threads that do tasks.
        seconds: of a task.
        task: seconds that it costs the scheduler.
        tasks_each: how many the workers do on average.
    """
    random = np.random.default_rng(0)
    free = [(0.0, n) for n in range(workers)]
    done, scheduler = 0, 0.0
    wanted = workers * tasks_each
    while done < wanted:
        now, worker = heapq.heappop(free)
        scheduler = max(scheduler, now) + task
        takes = seconds * random.uniform(0.75, 1.25)
        if random.random() < takes / (LIFE * 3600):
            heapq.heappush(free, (scheduler + takes / 2 + AWAY * 60, worker))
            continue
        heapq.heappush(free, (scheduler + takes, worker))
        done += 1
    return wanted / max(scheduler, sorted(free)[len(free) // 2][0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tile-seconds", type=float, default=0.25)
    parser.add_argument("--task-ms", type=float, default=3.2)
    parser.add_argument("--bytes", type=float, default=0.09, help="of the store, for each pixel")
    options = parser.parse_args()
    rows = []
    for machines in (1, 100, 10_000):
        for tiles, what in ((1, "tile"), (IN_PICTURE, "picture")):
            workers = machines * CORES
            ideal = workers / (options.tile_seconds * tiles)
            found = pace(workers, options.tile_seconds * tiles, options.task_ms / 1e3)
            pixels = found * tiles * TILE
            rows.append(
                [
                    f"{machines:,}",
                    what,
                    f"{found:,.0f}" if found >= 10 else f"{found:.2f}",
                    f"{found / ideal:.0%}",
                    f"{PETAPIXEL / pixels / 86400:,.2f}",
                    f"{3 * pixels / 1e9:,.1f}",
                    f"{options.bytes * pixels / 1e6:,.0f}",
                ]
            )
    head = ["machines", "a task is a", "tasks a second", "of ideal", "days", "read, GB/s", "written, MB/s"]
    text = (
        f"{table(head, rows)}\n\nA petapixel has {PETAPIXEL / TILE / 1e6:,.0f} million tiles of "
        f"{options.tile_seconds:g} s, and {3 * PETAPIXEL / 1e15:g} PB of values; its stores have "
        f"{options.bytes * PETAPIXEL / 1e12:,.0f} TB. {CORES} cores a machine, {options.task_ms:g} ms a task "
        f"for the scheduler, a death every {LIFE:,.0f} hours; `experiments/petapixel.py`."
    )
    publish("petapixel.md", "petapixel", text)


if __name__ == "__main__":
    main()

"""Damages compact files in every way and reads them: `python tests/fuzz.py 100000`.

Each is an InputError or a function with finite parameters, soon, in the memory that its samples need;
whatever is neither is kept. Most have a right checksum, which would stop all others.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import math
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from partinr import Compact, Grid, InputError, Siren, Steps, fit, load, render, save
from partinr.file.compact import packed, unpacked

BODY = 13
MOST_SAMPLES = 1 << 18
SECONDS = 3.0
MEMORY = 4 << 30
HOSTILE: list[Any] = [
    *(None, True, False, 0, 1, 2, 3, 7, 64, 1000, -1, 2**16, 2**20, 2**31, 2**32 - 1, 2**53, 2**63, 10**40),
    *(0.5, -0.0, 1e308, -1e308, 1e-320, float("nan"), float("inf"), "", "image", "array", "x" * 5000, "\0"),
    *([], {}, [1], [1, 1], [1, 300], [64, 64], [511, 511], [1, 1, 1024], [2**32 - 1] * 3, [[1]], {"": []}),
    *("bool", "uint8", "float64", "spectra", "parameters", "cosine", "wire", "global", "area"),
]


def seeds() -> list[bytes]:
    """Files of all kinds, a few hundred bytes each."""
    noise = np.random.default_rng(0)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.inr"
        for shape in ((60,), (1, 1), (30, 41), (30, 41, 3), (12, 9, 14), (24, 20, 4)):
            values = noise.normal(0, 1, shape).cumsum(axis=0).astype(np.float32)
            for psnr in (15.0, 40.0):
                save(fit(values, goal=Compact(psnr=psnr)).model, path, store="compact")
                found.append(path.read_bytes())
        for shape, grid in (((50,), Grid(3)), ((20, 21), Grid(2, 2)), ((6, 7, 8), Grid(1, 2, 1))):
            values = noise.normal(0, 1, shape).astype(np.float32)
            result = fit(values, grid, Siren(hidden=3, layers=1), goal=Steps(3))
            save(result.model, path, store="compact", signal=result.signal)
            found.append(path.read_bytes())
    return found


def sealed(body: bytes) -> bytes:
    return b"\x89INR\x02" + hashlib.sha256(body).digest()[:8] + body


def flipped(data: bytes, pick: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(pick.choice((1, 1, 1, 2, 5, 30))):
        if changed:
            changed[pick.randrange(len(changed))] = pick.choice((0, 255, 127, 128, pick.randrange(256)))
    return bytes(changed)


def cut(data: bytes, pick: random.Random) -> bytes:
    return data[: pick.randrange(len(data) + 1)]


def spliced(data: bytes, pick: random.Random, others: list[bytes]) -> bytes:
    other = pick.choice(others)
    at, start = pick.randrange(len(data) + 1), pick.randrange(len(other))
    piece = other[start : start + pick.randrange(1, 60)]
    return data[:at] + piece + data[at + pick.choice((0, len(piece), 3 * len(piece))) :]


def forged(fields: dict[str, Any], pick: random.Random) -> dict[str, Any]:
    """A header of which some field, anywhere, is another thing."""
    fields = copy.deepcopy(fields)
    for _ in range(pick.choice((1, 1, 2, 3))):
        at: Any = fields
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = pick.choice(keys)
            if isinstance(at[key], dict | list) and pick.random() < 0.8:
                at = at[key]
                continue
            if pick.random() < 0.1:
                del at[key]
            else:
                at[key] = pick.choice(HOSTILE)
            break
    return fields


def damaged(pick: random.Random, files: list[bytes]) -> bytes:
    """One file."""
    whole = pick.choice(files)
    kind = pick.randrange(10)
    if kind == 0:
        return pick.choice((flipped, cut, partial(spliced, others=files)))(whole, pick)
    found = unpacked(whole)
    sections, fields = list(found.sections), found.fields
    if kind == 1:
        return sealed(pick.choice((flipped, cut, partial(spliced, others=files)))(whole[BODY:], pick))
    if kind in (2, 3):
        fields = forged(fields, pick)
        if pick.random() < 0.3:
            sections = unpacked(pick.choice(files)).sections
    else:
        parts = list(chain.from_iterable(unpacked(one).sections for one in files))
        parts = [part for part in parts if part]
        for _ in range(pick.choice((1, 1, 2))):
            place = pick.randrange(len(sections))
            change: Callable[[bytes, random.Random], bytes] = pick.choice(
                (flipped, flipped, cut, partial(spliced, others=parts))
            )
            sections[place] = change(sections[place], pick)
        if pick.random() < 0.05:
            sections[pick.randrange(len(sections))] = pick.randbytes(pick.choice((0, 1, 6, 200)))
    try:
        return packed(fields, sections)
    except (InputError, ValueError, RecursionError):
        return whole


def outcome(data: bytes, path: Path) -> str:
    """What reading a file comes to; what it should never come to begins with !."""
    path.write_bytes(data)
    start = time.process_time()
    try:
        model = load(path, max_samples=MOST_SAMPLES)
        for name, array in model.named_parameters().items():
            if not np.isfinite(array).all():
                return f"!{name} is not finite"
        if model.signal.samples * model.signal.channels < 3000:
            render(model)
        found = "a function"
    except InputError as error:
        found = "refused" if "\n" not in str(error) else "!several lines"
    except BaseException as error:
        return f"!{type(error).__name__}: {error}"
    elapsed = time.process_time() - start
    return found if elapsed < SECONDS else f"!{found}, after {elapsed:.1f} s"


def batch(files: list[bytes], number: int, count: int, keep: Path) -> Counter[str]:
    """Outcomes of some damaged files; keeps those that are wrong, and the last one if the process dies."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard < 0 else min(MEMORY, hard), hard))
    pick, found = random.Random(number), Counter[str]()
    path = keep / f"{number}-at-hand.inr"
    for i in range(count):
        came = outcome(damaged(pick, files), path)
        if came.startswith("!"):
            path.rename(keep / f"{number}-{i}.inr")
        found[came[:200]] += 1
    path.unlink(missing_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=int, nargs="?", default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"))
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    files, size, total = seeds(), 500, Counter[str]()
    numbers = range(options.seed, options.seed + math.ceil(options.files / size))
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in pool.map(partial(batch, files, count=size, keep=options.keep), numbers):
            total += found
    for came, count in total.most_common():
        sys.stdout.write(f"{count:8} {came}\n")
    return int(any(came.startswith("!") for came in total))


if __name__ == "__main__":
    sys.exit(main())

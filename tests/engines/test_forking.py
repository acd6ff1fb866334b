"""Fits in forked processes, after a fit in the parent: the same bytes, or one clear line; never a wait for
threads that only the parent has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from partinr.model.kernel import why_missing

_SCRIPT = """
import hashlib, multiprocessing, sys
import numpy as np, partinr

parent, child = sys.argv[1:]

def fitted(engine):
    signal = np.random.default_rng(0).random((60, 60, 3))
    compute = partinr.Compute(engine, threads=2)
    model = partinr.fit(signal, partinr.Grid(3, 3), goal=partinr.Steps(8), compute=compute).model
    arrays = [array.tobytes() for array in model.named_parameters().values()]
    return hashlib.sha256(b"".join([*arrays, partinr.render(model).tobytes()])).hexdigest()

def in_child(queue):
    try:
        queue.put(fitted(child))
    except partinr.InputError as error:
        queue.put(f"refused: {error}")

if __name__ == "__main__":
    before = fitted(parent)
    expected = before if child == parent else fitted(child)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=in_child, args=(queue,), daemon=True)
    process.start()
    found = queue.get(timeout=60)
    process.join(60)
    print("the same" if found == expected else found)
    print("the same" if fitted(parent) == before else "the parent is harmed")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))
@pytest.mark.parametrize(("parent", "child"), [("cpu", "cpu"), ("torch", "cpu"), ("torch", "torch")])
def test_a_forked_process_fits_too(parent: str, child: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, parent, child],
        capture_output=True,
        text=True,
        timeout=150,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = done.stdout.splitlines()
    assert first == "the same" or (child == "torch" and first.startswith("refused: "))
    assert second == "the same"

"""Everything works without the packages of the extras but what is made of them, which says so in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from partinr.model.kernel import why_missing

# What importing and looking for a package that is not there do.
_GONE = """
import importlib.abc, importlib.machinery, importlib.util, sys

class Gone(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in GONE or name in GONE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

class Finder(Gone):
    pass

sys.meta_path.insert(0, Finder())
real = importlib.util.find_spec
def find_spec(name, package=None):
    return None if name.split(".")[0] in GONE else real(name, package)
importlib.util.find_spec = find_spec
"""


def run(gone: set[str], script: str, *arguments: Path) -> str:
    """What a script prints in a process of its own, where some modules are not installed."""
    done = subprocess.run(
        [sys.executable, "-c", f"GONE = {gone!r}\n{_GONE}\n{textwrap.dedent(script)}", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))
def test_without_torch_everything_is_there_but_what_is_made_of_it(tmp_path: Path) -> None:
    script = """
    from pathlib import Path
    import numpy as np, partinr
    folder = Path(sys.argv[1])
    signal = np.random.default_rng(0).random((48, 40, 3))
    for goal in (partinr.Steps(20), partinr.Quality(18), partinr.Growing(15)):
        parts = () if isinstance(goal, partinr.Growing) else (partinr.Grid(4, 3),)
        keep = partinr.Keep(folder / type(goal).__name__)
        result = partinr.fit(signal, *parts, goal=goal, keep=keep)
        assert result.engine == "cpu"
    result = partinr.fit(signal, partinr.Grid(4, 3), goal=partinr.Steps(20))
    partinr.save(result.model, folder / "a.inr", store="auto", signal=result.signal)
    loaded = partinr.load(folder / "a.inr")
    assert partinr.render(loaded, scale=2).shape == (96, 80, 3)
    assert loaded(np.zeros((5, 2))).shape == (5, 3)
    assert partinr.seam(loaded) > 0
    smooth = partinr.from_array(np.sin(np.arange(40 * 48 * 3).reshape(40, 48, 3) / 900))
    rules = (partinr.Grid(2, 2), partinr.SLIC(5), partinr.Felzenszwalb(4), partinr.HFS(4), partinr.Auto(4))
    for rule in rules:
        assert rule.partition(smooth).regions > 1, rule
    start = partinr.Start.fresh(partinr.Siren(8, 1), dims=2, channels=3)
    partinr.save_start(start, folder / "start.inr")
    partinr.load_start(folder / "start.inr")
    for learned in (partinr.shipped_start(partinr.Siren(12, 2), 2, "local"), result.model):
        partinr.fit(signal, partinr.Grid(4, 3), result.model.networks[0], start=learned)
    assert not any(name.split(".")[0] == "torch" for name in sys.modules)
    print("done")
    """
    assert run({"torch"}, script, tmp_path) == "done\n"


def test_what_needs_torch_says_what_to_type() -> None:
    script = """
    import numpy as np, partinr
    class Own(partinr.Siren):
        pass
    signal = np.random.default_rng(0).random((20, 20))
    start = partinr.Start.fresh(partinr.Siren(8, 1), dims=2, channels=1)
    spec = partinr.from_array(signal).spec
    structure = partinr.Structure(
        partinr.Grid(2, 2).partition(partinr.from_array(signal)), (partinr.Siren(8, 1),), spec, "local"
    )
    model = partinr.Piecewise(structure, tuple(structure.initialise(0)))
    for ask in (
        lambda: partinr.fit(signal, compute=partinr.Compute("torch")),
        lambda: partinr.fit(signal, compute=partinr.Compute(device="cuda")),
        lambda: partinr.fit(signal, partinr.Grid(2, 2), Own(8, 1)),
        lambda: partinr.fit(signal, partinr.Grid(2, 2), start=start),
        lambda: model.torch(),
        lambda: partinr.learn_start,
        lambda: partinr.evaluate_start,
        lambda: partinr.PiecewiseINR,
    ):
        try:
            ask()
        except partinr.InputError as error:
            print(error)
    """
    lines = run({"torch"}, script).splitlines()
    assert len(lines) == 8
    for line in lines:
        assert 'needs the package torch; run: pip install "partinr[torch]"' in line


def test_without_opencv_its_rule_says_what_to_type() -> None:
    script = """
    import types, numpy as np, partinr
    signal = partinr.from_array(np.random.default_rng(0).random((20, 20)), kind="image")
    def ask():
        try:
            partinr.HFS(4).partition(signal)
        except partinr.InputError as error:
            print(error)
    ask()
    GONE.clear()
    sys.modules["cv2"] = types.ModuleType("cv2")
    sys.modules["cv2"].__version__ = "9.9"
    sys.modules["cv2"].__spec__ = importlib.machinery.ModuleSpec("cv2", None)
    ask()
    """
    missing, without = run({"cv2"}, script).splitlines()
    assert missing == 'the rule hfs needs the package cv2; run: pip install "partinr[hfs]"'
    assert without.startswith("the rule hfs needs OpenCV with its contributed modules, got OpenCV 9.9")


def test_without_the_kernel_all_but_training_works(tmp_path: Path) -> None:
    gone = {"torch", "partinr._native"}
    script = """
    from pathlib import Path
    import numpy as np, partinr
    folder = Path(sys.argv[1])
    signal = partinr.from_array(np.random.default_rng(0).random((20, 20)))
    partition = partinr.Grid(2, 2).partition(signal)
    structure = partinr.Structure(partition, (partinr.Siren(8, 1),), signal.spec, "local", overlap=1)
    model = partinr.Piecewise(structure, tuple(structure.initialise(0)))
    partinr.save(model, folder / "a.inr", store="auto", signal=signal)
    assert partinr.render(partinr.load(folder / "a.inr"), scale=1.5).shape == (30, 30)
    for engine in ("auto", "cpu"):
        try:
            partinr.fit(signal, compute=partinr.Compute(engine))
        except partinr.InputError as error:
            print(error)
    """
    auto, cpu = run(gone, script, tmp_path).splitlines()
    assert "the kernel was not compiled" in auto
    assert 'pip install "partinr[torch]"' in auto
    assert "the kernel was not compiled" in cpu

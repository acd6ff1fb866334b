"""Fits in tiles: the quality of the whole, the same bytes whoever did them, and what goes wrong."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import partinr
from partinr.fitting.loop import Progress
from partinr.tiles import cluster, run, tasks, workers
from partinr.tiles.correction import common_step, corrections, reached
from partinr.tiles.eighths import Eighths
from partinr.tiles.opening import opened_source
from partinr.tiles.place import Folder
from partinr.tiles.store import JOURNAL, MANIFEST, Record, Store, Tile, manifest_at, tile_name

GOAL = partinr.Compact(psnr=38)


def picture(rows: int = 360, columns: int = 480) -> np.ndarray:
    """A picture in colour, smooth in parts and rough in others."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:rows, :columns]
    waves = np.sin(x / 17 + 3 * np.sin(y / 41)) * np.cos(y / 23)
    rough = random.normal(0, 14, (rows, columns)) * ((x > columns / 2) & (y < rows / 2))
    grey = 128 + 70 * waves + rough + 40 * ((x // 90 + y // 70) % 2)
    return np.clip(grey[..., None] + [10, 0, -12], 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 3 x 4 tiles of 128."""
    path = tmp_path_factory.mktemp("sources") / "picture.npy"
    np.save(path, picture())
    return path


def fit(source: Any, path: Path, **options: Any) -> partinr.TilesResult:
    """A fit in small tiles by this process alone, if nothing else is asked for."""
    return partinr.fit_tiles(source, path, **{"goal": GOAL, "tile": 128, "workers": 1, **options})


@pytest.fixture(scope="module")
def undisturbed(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of that picture."""
    path = tmp_path_factory.mktemp("stores") / "undisturbed.inrs"
    assert fit(file, path).reached
    return path


def contents(path: Path) -> dict[str, bytes]:
    """Every file of a store, by its name."""
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}


def rendered(path: Path) -> np.ndarray:
    """All tiles, each for itself."""
    store = Store.open(path)
    whole = np.zeros(store.spec.array_shape, store.spec.dtype)
    for index in store.tiles_touching((0,) * store.spec.dims, store.spec.shape):
        tile = partinr.render(store.load(index))
        whole[tuple(slice(a, a + n) for a, n in zip(store.layout.first(index), tile.shape, strict=False))] = (
            tile
        )
    return whole


def test_the_whole_has_the_quality_and_tiles_the_bytes_that_a_whole_fit_has(undisturbed: Path) -> None:
    store, whole = Store.open(undisturbed), partinr.fit(picture(), goal=GOAL)
    measured = partinr.psnr(picture(), rendered(undisturbed), 255)
    assert measured == pytest.approx(store.psnr, abs=1e-6)
    assert 38 <= measured < 38.05
    assert abs(measured - whole.psnr) < 0.05
    assert whole.model.spectra is not None
    own = partinr.fit(picture(), goal=partinr.Compact(psnr=measured)).model
    assert store.size < 1.4 * partinr.save(own, undisturbed.parent / "whole.inr", store="compact").bytes
    assert sorted(contents(undisturbed)) == sorted(
        [MANIFEST, *(tile_name(store.layout.index(n)) for n in range(store.layout.count))]
    )


def test_hard_tiles_get_more(undisturbed: Path) -> None:
    store = Store.open(undisturbed)
    sizes = [tile.size for tile in store.tiles]
    assert max(sizes) > 3 * min(sizes)
    steps = {store.load(store.layout.index(n)).spectra.step for n in range(store.layout.count)}
    assert np.float32(store.step) in steps


def test_overviews_are_of_the_source_and_the_same_whoever_fitted_them(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "FEW", 1000)
    assert fit(file, tmp_path / "a.inrs", workers=2).reached
    undisturbed = contents(tmp_path / "a.inrs")
    overview = partinr.open(tmp_path / "a.inrs").overview
    assert overview is not None
    assert overview.overview is not None
    means = picture().reshape(45, 8, 60, 8, 3).mean((1, 3))
    assert 38 <= partinr.psnr(means, overview[...].astype(float), 255) < 38.1

    def stop(progress: Progress) -> bool:
        return progress.fraction > 0.95

    halted = fit(file, tmp_path / "b.inrs", watch=partinr.Watch(stop))
    assert (halted.stopped, halted.done, halted.finished) == ("callback", 12, False)
    assert partinr.open(tmp_path / "b.inrs").overview is None
    assert fit(file, tmp_path / "b.inrs", resume=True).finished
    assert contents(tmp_path / "b.inrs") == undisturbed
    # One that was begun of something else is begun again.
    manifest = tmp_path / "b.inrs" / "overview.inrs" / MANIFEST
    other = replace(manifest_at(Folder(manifest.parent)), source={"store": "other"}, tiles=None)
    manifest.write_text(other.text())
    shutil.rmtree(manifest.parent / "overview.inrs")
    assert fit(file, tmp_path / "b.inrs", resume=True).finished
    assert contents(tmp_path / "b.inrs") == undisturbed
    fit(file, tmp_path / "c.inrs", overview=False)
    fit(file, tmp_path / "d.inrs", goal=partinr.Compact(bpp=1.0))
    for name in "cd":
        assert partinr.open(tmp_path / f"{name}.inrs").overview is None


def test_masks_are_read_in_parts(file: Path, tmp_path: Path) -> None:
    y, x = np.mgrid[:360, :480]
    there = (x + 2 * y < 500) & ((x // 40 + y // 40) % 3 > 0)
    names = [tmp_path / "mask.npy", tmp_path / "mask.png"]
    np.save(names[0], np.where(there, 3.5, np.nan))
    Image.fromarray(there).save(names[1])
    known = partinr.from_array(picture(), mask=there)
    fit(known, tmp_path / "known.inrs", tile=256)
    tiles = Store.open(tmp_path / "known.inrs").tiles
    assert sum(tile.samples for tile in tiles) == there.sum()
    for k, name in enumerate(names):
        result = fit(file, tmp_path / f"{k}.inrs", mask=name, tile=256, workers=1 + k)
        assert result.reached
        assert Store.open(tmp_path / f"{k}.inrs").tiles == tiles
    with pytest.raises(partinr.InputError, match="another source"):
        fit(file, tmp_path / "0.inrs", mask=names[1], tile=256, resume=True)
    with pytest.raises(partinr.InputError, match="must have the signal's shape"):
        fit(file, tmp_path / "c.inrs", mask=there[1:])
    with pytest.raises(partinr.InputError, match="got colours"):
        fit(file, tmp_path / "c.inrs", mask=file)
    # What is hidden may be anything, and does not count for the range.
    deep = np.where(there, x.astype(np.float32), np.inf)
    assert fit(deep, tmp_path / "deep.inrs", mask=there).spec.value_range == (0, x[there].max())


def test_means_are_of_what_is_there() -> None:
    values = picture(20, 70)[..., 0].astype(np.float32)
    values[3, 5:40], values[8:16, 16:24] = np.nan, np.nan
    source = opened_source(values)
    eighths = Eighths(source, replace(source.spec, value_range=(0.0, 255.0)))
    found = eighths.signal((slice(0, 3), slice(1, 9)), (0.0, 255.0))
    assert found is not None
    assert found.mask is not None
    for i, j in np.ndindex(3, 8):
        block = values[8 * i : 8 * i + 8, 8 * j + 8 : 8 * j + 16]
        assert found.mask[i, j] == (not np.isnan(block).all())
        if found.mask[i, j]:
            assert found.values[i, j, 0] == pytest.approx(np.nanmean(block), rel=1e-5)


@pytest.mark.parametrize("goal", [partinr.Compact(size=30_000), partinr.Compact(bpp=1.0)])
def test_sizes_are_kept(file: Path, tmp_path: Path, goal: partinr.Compact) -> None:
    result = fit(file, tmp_path / "a.inrs", goal=goal)
    most = goal.most_bytes(360 * 480)
    assert most is not None
    assert 0.985 * most < result.size <= most
    assert result.reached


def test_the_same_bytes_by_processes_two_of_which_are_killed(
    file: Path, undisturbed: Path, tmp_path: Path
) -> None:
    killed = []

    def kill(progress: Progress) -> None:
        children = multiprocessing.active_children()
        if progress.steps in (3, 7) and len(killed) < 2 and children:
            victim = children[0].pid
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)

    result = fit(file, tmp_path / "a.inrs", workers=2, watch=partinr.Watch(kill))
    assert len(killed) == 2
    assert result.workers == 2
    assert contents(tmp_path / "a.inrs") == contents(undisturbed)


def test_processes_that_die_idle_at_work_and_at_their_start_lose_nothing(
    file: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = ProcessPoolExecutor.submit
    died = []

    def submit(pool: ProcessPoolExecutor, work: Callable[..., Any], *given: Any) -> Future[Any]:
        if len(died) < 3 and pool._processes:
            (process,) = pool._processes.values()
            process.kill()
            died.append(process)
            if len(died) == 2:
                raise OSError("handle is closed")
            if len(died) == 3:
                process.join()
        return submitted(pool, work, *given)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    fit(file, tmp_path / "a.inrs", workers=2)
    assert len(died) == 3
    assert contents(tmp_path / "a.inrs") == contents(undisturbed)


def test_a_task_that_is_done_while_one_looks_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    process = object.__new__(workers._Process)
    closed: list[workers._Process] = []
    monkeypatch.setattr(workers._Process, "close", lambda one: closed.append(one))
    first, second, third = (workers.Job(number, None) for number in range(3))

    class Late(Future[int]):
        looks = 0

        def done(self) -> bool:
            self.looks += 1
            return self.looks > 1

    late: Future[int] = Late()
    broken: Future[int] = Future()
    late.set_result(7)
    broken.set_exception(BrokenProcessPool())
    process.under_way = {late: first, broken: second, Future(): third}
    assert process.news() == ([], [])
    assert not closed
    assert process.news() == ([(first, 7)], [second, third])
    assert closed == [process]


UNGUARDED = """
import sys, partinr
partinr.fit_tiles(sys.argv[1], sys.argv[2], tile=128, workers=2)
"""


def test_a_script_that_every_process_would_run_again_is_told_so(file: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(file), str(tmp_path / "a.inrs")]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert run.returncode == 1
    assert "WorkersLost: worker after worker ends before it has begun" in run.stderr
    assert '__name__ == "__main__"' in run.stderr


SCRIPT = """
import sys, partinr
if __name__ == "__main__":
    told = partinr.Watch(lambda progress: print(progress.steps, flush=True))
    goal = partinr.Compact(psnr=38)
    partinr.fit_tiles(sys.argv[1], sys.argv[2], goal=goal, tile=128, workers=1, resume=True, watch=told)
"""


def test_a_run_that_is_killed_goes_on_to_the_same_bytes(
    file: Path, undisturbed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.inrs"
    for tiles in (2, 5):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", SCRIPT, str(file), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            for _ in range(tiles):
                process.stdout.readline()
            process.kill()
    lines = (path / JOURNAL).read_bytes().count(b"\n")
    assert 5 <= lines < 12
    with pytest.raises(partinr.InputError, match=f"{lines} of 12 tiles are done"):
        Store.open(path)
    # As if it had been killed while it wrote, before and after a tile took its place.
    (path / "tiles" / ".partinr-0.tmp").write_bytes(b"half")
    with (path / JOURNAL).open("ab") as journal:
        journal.write(b'{"number":')
    first = path / tile_name((0, 0))
    first.write_bytes(b"not this")
    told: list[float] = []
    fit(file, path, resume=True, watch=partinr.Watch(lambda progress: told.append(progress.steps)))
    assert told[0] == lines
    assert contents(path) == contents(undisturbed)
    assert fit(file, path, resume=True).stopped == "solved"
    assert contents(path) == contents(undisturbed)


def test_runs_that_are_stopped_go_on(file: Path, undisturbed: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.inrs"
    result = fit(file, path, watch=partinr.Watch(lambda progress: progress.steps >= 5))
    assert (result.stopped, result.done, result.finished) == ("callback", 5, False)
    assert fit(file, path, resume=True).finished
    assert contents(path) == contents(undisturbed)


def test_a_dask_cluster_of_which_a_worker_is_killed(file: Path, undisturbed: Path, tmp_path: Path) -> None:
    from distributed import LocalCluster

    killed = []
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local:

        def kill(progress: Progress) -> None:
            if progress.steps == 4 and not killed:
                killed.append(next(iter(local.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        result = fit(file, tmp_path / "a.inrs", cluster=local.scheduler_address, watch=partinr.Watch(kill))
    assert killed
    assert result.reached
    assert contents(tmp_path / "a.inrs") == contents(undisturbed)


def test_what_is_done_again_before_it_was_fetched_is_waited_for_while_there_is_a_scheduler() -> None:
    class Slow:
        status, looks = "finished", 0

        def result(self, timeout: float) -> str:
            assert timeout > 0
            self.looks += 1
            if self.looks < 3:
                raise TimeoutError
            return "found"

    hired = object.__new__(cluster.Cluster)
    hired._client = SimpleNamespace(status="running")
    assert hired._found(Slow()) == "found"
    hired._client.status = "closed"
    with pytest.raises(workers.WorkersLost, match="the scheduler of the cluster was lost"):
        hired._found(Slow())


def test_a_scheduler_that_is_not_there(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster._PATIENCE < 10
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    with pytest.raises(partinr.InputError, match=r"cannot reach the scheduler tcp://127\.0\.0\.1:1.* 1 s"):
        fit(file, tmp_path / "a.inrs", cluster="tcp://127.0.0.1:1")
    assert not (tmp_path / "a.inrs").exists()


def test_floats_with_holes_and_a_value_range_that_nothing_says(tmp_path: Path) -> None:
    values = picture(150, 200)[..., 0].astype(np.float32) / 7 - 3
    values[:70, :70] = np.nan
    values[90:100, 100:120] = np.nan
    result = fit(values, tmp_path / "a.inrs", goal=partinr.Compact(psnr=40), tile=64)
    store = Store.open(tmp_path / "a.inrs")
    assert store.spec.value_range == (np.nanmin(values), np.nanmax(values))
    assert store.tiles[0].samples == 0
    assert sum(tile.samples for tile in store.tiles) == np.isfinite(values).sum()
    error = np.nanmean((rendered(tmp_path / "a.inrs") - values) ** 2)
    span = store.spec.value_range[1] - store.spec.value_range[0]
    assert 20 * np.log10(span) - 10 * np.log10(error) == pytest.approx(result.psnr, abs=1e-3)
    assert 40 <= result.psnr < 40.05


@pytest.mark.parametrize("shape", [(20, 30, 34), (5000,), (70, 1), (1, 3)])
def test_signals_of_other_axes(shape: tuple[int, ...], tmp_path: Path) -> None:
    places = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    values = sum(np.sin(place / 5) for place in places).astype(np.float32)
    side = {1: 1024, 2: 64, 3: 16}[len(shape)]
    result = fit(values, tmp_path / "a.inrs", goal=partinr.Compact(psnr=45), tile=side, channels_last=False)
    assert result.reached
    span = np.ptp(values)
    error = np.mean((rendered(tmp_path / "a.inrs") - values) ** 2)
    assert 20 * np.log10(span) - 10 * np.log10(error) >= 45


def _broken(monkeypatch: pytest.MonkeyPatch, what: Callable[[int], None]) -> None:
    """Have the fits of tiles begin with this, which is given the tile's number."""
    usual = tasks.rendered_psnr

    def wrapped(model: Any, signal: Any) -> float:
        calls.append(1)
        what(len(calls))
        return usual(model, signal)

    calls: list[int] = []
    monkeypatch.setattr(tasks, "rendered_psnr", wrapped)


def test_a_source_that_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    path, copy = tmp_path / "a.inrs", tmp_path / "copy.npy"
    shutil.copy(file, copy)
    _broken(monkeypatch, lambda n: os.utime(copy, ns=(n, n)) if n == 4 else None)
    with pytest.raises(partinr.InputError, match=r"copy.npy: has changed while it was fitted"):
        fit(copy, path)
    with pytest.raises(partinr.InputError, match="begun with another source"):
        fit(copy, path, resume=True)
    copy.unlink()
    with pytest.raises(partinr.InputError, match="o such file"):
        fit(copy, path, resume=True)


def test_a_source_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    copy = tmp_path / "copy.npy"
    shutil.copy(file, copy)
    _broken(monkeypatch, lambda n: copy.unlink() if n == 4 else None)
    with pytest.raises(partinr.InputError, match=r"copy.npy: is no longer there"):
        fit(copy, tmp_path / "a.inrs")


def test_a_tile_that_fails_is_named_and_others_go_on(
    file: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(n: int) -> None:
        if n == 8:
            raise ArithmeticError("diverged")

    with monkeypatch.context() as context:
        _broken(context, fail)
        result = fit(file, tmp_path / "a.inrs")
    assert result.failed == {(1, 3): "diverged"}
    assert (result.done, result.stopped, result.reached) == (11, "failed", False)
    assert fit(file, tmp_path / "a.inrs", resume=True).finished
    assert contents(tmp_path / "a.inrs") == contents(undisturbed)


def test_a_full_disk_keeps_what_is_done(
    file: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(1)
        if len(calls) >= 30:
            raise OSError(28, "No space left on device")
        usual(descriptor)

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            fit(file, tmp_path / "a.inrs")
    assert (tmp_path / "a.inrs" / JOURNAL).read_bytes().count(b"\n") > 3
    assert fit(file, tmp_path / "a.inrs", resume=True).finished
    assert contents(tmp_path / "a.inrs") == contents(undisturbed)


def test_two_runs_into_one_store(file: Path, tmp_path: Path) -> None:
    refused = []

    def again(_: Progress) -> bool:
        with pytest.raises(partinr.InputError, match="another run writes into the store") as told:
            fit(file, tmp_path / "a.inrs", resume=True)
        refused.append(told)
        return True

    fit(file, tmp_path / "a.inrs", watch=partinr.Watch(again))
    assert len(refused) == 1


def test_workers_of_another_version(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tasks.Plan.check
    monkeypatch.setattr(tasks.Plan, "check", lambda plan: usual(replace(plan, version="0.0.1")))
    with pytest.raises(partinr.InputError, match=r"a worker has partinr 0.1.0, .* sent by 0.0.1"):
        fit(file, tmp_path / "a.inrs")


def test_what_is_refused_at_once(file: Path, undisturbed: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    for path, options, words in (
        (undisturbed, {}, "there is a store already"),
        (undisturbed, {"resume": True, "goal": partinr.Compact(psnr=40)}, "begun with another goal"),
        (undisturbed, {"resume": True, "tile": 64}, "another side of the tiles"),
        (undisturbed, {"resume": True, "between": "none"}, "another signal"),
        (tmp_path / "full", {}, "has other things in it"),
        (tmp_path / "a.inrs.zip", {}, "into a folder"),
        (tmp_path / "a.inrs", {"tile": 100}, "multiple of 64"),
        (tmp_path / "a.inrs", {"workers": 0}, "at least 1"),
        (tmp_path / "a.inrs", {"memory": 10_000_000}, "got 10 MB"),
        (tmp_path / "a.inrs", {"goal": partinr.Steps(5)}, "the goal Compact"),
        (tmp_path / "a.inrs", {"cluster": 5}, "address of a Dask scheduler"),
    ):
        with pytest.raises(partinr.InputError, match=words):
            fit(file, path, **options)
    assert not (tmp_path / "a.inrs").exists()
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"


def test_a_picture_that_changed(tmp_path: Path) -> None:
    """Also of files that are read as a whole, tiles of two are not mixed."""
    path = tmp_path / "a.png"
    Image.new("L", (80, 70), 50).save(path)
    fit(path, tmp_path / "a.inrs")
    Image.new("L", (80, 70), 60).save(path)
    with pytest.raises(partinr.InputError, match="begun with another source"):
        fit(path, tmp_path / "a.inrs", resume=True)


def test_stores_in_an_object_store(file: Path, undisturbed: Path) -> None:
    address = "memory://bucket/picture.inrs"
    result = fit(file, address, watch=partinr.Watch(lambda progress: progress.steps >= 5))
    assert result.stopped == "callback"
    with pytest.raises(partinr.InputError, match="5 of 12 tiles are done"):
        Store.open(address)
    assert fit(file, address, resume=True).finished
    store = Store.open(address)
    for n in range(12):
        index = store.layout.index(n)
        assert store.payload(index) == (undisturbed / tile_name(index)).read_bytes()


def _records(errors: list[float], step: float = 0.1) -> dict[int, list[Record]]:
    return {n: [Record(n, 0, step, Tile(100, "0" * 16, e, 1000))] for n, e in enumerate(errors)}


def test_corrections_are_as_few_as_suffice() -> None:
    allowed = 10 * 1000 * 10**-4.0  # at 40 dB
    goal = partinr.Compact(psnr=40)
    assert corrections(_records([0.0996] * 10), goal) == {}
    assert reached(_records([allowed / 10] * 10), goal)
    # 3 % too much: a tile of a tenth cannot give it up alone, two can; the hardest are taken.
    chosen = corrections(_records([0.103] * 8 + [0.104, 0.105]), goal)
    assert sorted(chosen) == [8, 9]
    assert all(0.075 < step < 0.1 for step in chosen.values())
    # Far off, all get a finer step; far too good, all a coarser one.
    assert len(set(corrections(_records([0.2] * 10), goal).values())) == 1
    assert min(corrections(_records([0.05] * 10), goal).values()) > 0.1
    assert corrections(_records([0.0] * 10), goal) == {}


def test_the_common_step() -> None:
    records = _records([0.1] * 3) | {
        5: [Record(5, 0, 0.1, Tile(1, "0" * 16, 0.0, 1)), Record(5, 1, 0.2, Tile(1, "0" * 16, 0.0, 1))]
    }
    assert common_step(records) == 0.1

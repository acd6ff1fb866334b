"""One run of a fit in tiles: a first look, then rounds of tasks until the whole has what was asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from partinr.errors import InputError
from partinr.fitting.goals.compact import Compact
from partinr.fitting.loop import Progress, Watch
from partinr.signals.signal import SignalSpec
from partinr.tiles.correction import common_step, corrections
from partinr.tiles.layout import Index, Layout
from partinr.tiles.source import SourceChanged, Span
from partinr.tiles.store import Manifest, psnr_of
from partinr.tiles.survey import surveyed
from partinr.tiles.tasks import Done, OtherVersion, Plan, Task, fit_tile, look_at_tile
from partinr.tiles.workers import Job, Work, Workers, WorkersLost
from partinr.tiles.writing import Writing


@dataclass(frozen=True)
class TilesResult:
    """What came of a fit in tiles.

    Attributes:
        path: the store.
        spec: what the whole represents.
        layout: its tiles.
        psnr: in dB over the whole, as rendered tile by tile; over the tiles that are done, if not all are.
        size: bytes of the tiles' files.
        done: tiles that are done.
        again: how many of them were fitted more than once for the goal.
        failed: tiles that could not be fitted, by their place in the grid, and why.
        goal: what was asked for.
        reached: whether the whole has it.
        workers: how many there were; None on a cluster.
        seconds: duration.
        stopped: "solved"; "callback" if the watcher stopped it; "failed" if tiles could not be fitted.

    Example:
        >>> import tempfile, numpy as np, partinr
        >>> path = tempfile.mkdtemp() + "/eye.inrs"
        >>> partinr.fit_tiles(np.eye(90), path, workers=1).finished
        True
    """

    path: str
    spec: SignalSpec
    layout: Layout
    psnr: float
    size: int
    done: int
    again: int
    failed: dict[Index, str]
    goal: Compact
    reached: bool
    workers: int | None
    seconds: float
    stopped: str

    @property
    def finished(self) -> bool:
        """Whether the store is whole."""
        return self.stopped == "solved"


class Fit:
    """One run of a fit."""

    def __init__(self, writing: Writing, plan: Plan, goal: Compact, watch: Watch, began: float) -> None:
        self.writing, self.plan, self.goal = writing, plan, goal
        self._watch, self._began = watch, began
        self.failed: dict[Index, str] = {}

    def check_same(self) -> None:
        """Make sure that a store that is there is of this very fit.

        Raises:
            InputError: it is of another.
        """
        found = self.writing.manifest
        if found is None:
            return
        span = self.plan.source.spec.value_range if self.plan.source.ranged else found.spec.value_range
        asked = self._manifest(found.step, found.mixing, span, {})
        pairs = {
            "version of partinr": (found.made.get("partinr"), asked.made["partinr"]),
            "source": (dict(found.source), dict(asked.source)),
            "side of the tiles": (found.side, asked.side),
            "goal": (dict(found.goal), dict(asked.goal)),
            "signal": (found.spec, asked.spec),
        }
        for what, (theirs, ours) in pairs.items():
            if theirs != ours:
                raise InputError(
                    f"{self.writing.place.name}: was begun with another {what} ({_short(theirs)}, now "
                    f"{_short(ours)}); go on as it was begun, or choose another name"
                )

    def _manifest(
        self, step: float, mixing: tuple[tuple[float, ...], ...], span: Span, looked: dict[str, Any]
    ) -> Manifest:
        plan, goal = self.plan, self.goal
        asked = {name: getattr(goal, name) for name in ("psnr", "size", "bpp")}
        spec = replace(plan.source.spec, value_range=span, between=plan.between)
        return Manifest(
            spec,
            plan.layout.side,
            step,
            mixing,
            {name: value for name, value in asked.items() if value is not None},
            plan.identity,
            None,
            {"partinr": plan.version, **looked},
        )

    def run(self, workers: Workers) -> str:
        """Fit what is not done; why it ended."""
        writing = self.writing
        workers.begin()
        if writing.manifest is None:
            span = self._span(workers)
            if span is None:
                return "callback"
            found = surveyed(self.plan.source, span, self.goal)
            looked = {"looked_at": found.samples, "digest": found.digest}
            mixing = tuple(map(tuple, found.mixing.tolist()))
            writing.begin(self._manifest(found.step, mixing, span, looked))
        manifest = writing.manifest
        assert manifest is not None
        mixed = np.array(manifest.mixing, np.float32)
        self.plan = replace(self.plan, span=manifest.spec.value_range, mixing=mixed)
        steps = dict.fromkeys(range(self.plan.layout.count), manifest.step)
        turn = 0
        while steps:
            due = [
                Job(number, Task(number, turn, step))
                for number, step in sorted(steps.items())
                if all(record.round != turn for record in writing.records.get(number, ()))
            ]
            if not self._round(workers, due, turn):
                return "callback"
            if self.failed:
                return "failed"
            # What later rounds have done before the run was killed does not count yet.
            known = {
                number: [record for record in own if record.round <= turn]
                for number, own in writing.records.items()
            }
            steps, turn = corrections(known, self.goal), turn + 1
        writing.finish(common_step(writing.records))
        return "solved"

    def _round(self, workers: Workers, jobs: Sequence[Job], turn: int) -> bool:
        """Do tasks; false if the watcher has enough."""
        for n, (job, found) in enumerate(self._each(workers, fit_tile, jobs), 1):
            if isinstance(found, Done):
                self.writing.add(found)
            if not self._tell(job, (len(jobs) - n, len(jobs)), turn):
                return False
        return True

    def _span(self, workers: Workers) -> Span | None:
        """The value range, for which all values are looked at where nothing says it; None: stopped."""
        source = self.plan.source
        if source.ranged:
            return source.spec.value_range
        jobs = [Job(number, number) for number in range(self.plan.layout.count)]
        seen = []
        for job, found in self._each(workers, look_at_tile, jobs):
            if isinstance(found, tuple):
                seen.append(found)
            if not self._tell(job, (len(jobs), len(jobs)), 0):
                return None
        if self.failed:
            raise InputError(next(f"tile {spelled(index)}: {why}" for index, why in self.failed.items()))
        if not seen:
            raise InputError(f"all {source.spec.samples:,} samples are missing; there is nothing to fit")
        return source.span_of(seen)

    def _each(self, workers: Workers, work: Work, jobs: Sequence[Job]) -> Iterator[tuple[Job, Any]]:
        """What comes of tasks; where a tile is at fault, others go on."""
        for job, found in workers.run(work, self.plan, jobs):
            if isinstance(found, SourceChanged | OtherVersion):
                raise found
            if isinstance(found, InputError | WorkersLost | MemoryError | ArithmeticError):
                self.failed[self.plan.layout.index(job.number)] = str(found) or "not enough memory"
            elif isinstance(found, BaseException):
                raise found
            yield job, found

    def _tell(self, job: Job, left: tuple[int, int], turn: int) -> bool:
        """Tell the watcher how far it is; false if it has enough."""
        del job
        if self._watch.callback is None:
            return True
        tiles = [own[-1].tile for own in self.writing.records.values()]
        share = 1 - left[0] / left[1]
        fraction = 0.9 * share if turn == 0 else 0.9 + 0.1 * share
        seconds = time.perf_counter() - self._began
        psnr = psnr_of(tiles) if tiles else None
        return not self._watch.callback(Progress(len(tiles), self.plan.layout.count, seconds, fraction, psnr))

    def result(self, path: str, workers: int | None, stopped: str) -> TilesResult:
        """What came of it."""
        records, manifest = self.writing.records, self.writing.manifest
        if manifest is not None and manifest.tiles is not None:
            tiles = list(manifest.tiles)
        else:
            tiles = [own[-1].tile for own in records.values()]
        size = sum(tile.size for tile in tiles)
        psnr = psnr_of(tiles) if tiles else float("nan")
        most = self.goal.most_bytes(self.plan.source.spec.samples)
        met = psnr >= (self.goal.psnr or 0) if most is None else size <= most
        return TilesResult(
            path,
            self.plan.source.spec if manifest is None else manifest.spec,
            self.plan.layout,
            psnr,
            size,
            len(tiles),
            sum(len(own) > 1 for own in records.values()),
            self.failed,
            self.goal,
            stopped == "solved" and met,
            workers,
            time.perf_counter() - self._began,
            stopped,
        )


def spelled(numbers: Sequence[int]) -> str:
    """Numbers of samples or of a place, in words."""
    return " x ".join(map(str, numbers))


def _short(value: object) -> str:
    return f"{value!s:.120}"

"""The runs of a comparison: done one after another, each kept as soon as it is done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from partinr.display import Displayed
from partinr.errors import InputError
from partinr.files import atomic_write, check_folder, make_folder
from partinr.fitting.fit import Compute
from partinr.fitting.loop import Progress
from partinr.fitting.settings import data
from partinr.signals.signal import Signal
from partinr.studies.comparison.run import Run, Wanted
from partinr.studies.comparison.variant import Variant

RUNS = "runs"
"""Folder of the runs, in the folder of the comparison."""

_OWNER = "comparison.json"


@dataclass(frozen=True)
class Standing:
    """Where a comparison stands; given to the callback many times a second.

    Attributes:
        name: the run that is being done.
        number: of that run, counted from 1.
        runs: how many there are in all.
        fraction: share of all the arithmetic that is done, 0..1.
        psnr: PSNR in dB of the run's last training loss; None before there is one.
        remaining: estimated seconds to the end of the last run; None before anything can be said.

    Example:
        >>> Standing("siren, PoG 2x2, seed 0", 2, 4, 0.3, 21.5, 60.0).runs
        4
    """

    name: str
    number: int
    runs: int
    fraction: float
    psnr: float | None
    remaining: float | None


Told = Callable[[Standing], "bool | None"]
"""Called often; returning True stops the comparison, which keeps what it has."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Displayed):
    """What is there of a comparison.

    Attributes:
        signal: what was fitted.
        runs: those that are done, variant after variant.
        missing: how many are not, because the callback stopped the comparison.
        reused: how many of the runs had been done before.

    Example:
        >>> import numpy as np, partinr, tempfile
        >>> signal = partinr.from_array(np.eye(20))
        >>> recipe = partinr.PAPER.changed(steps=5)
        >>> variant = Variant.of(signal, partinr.Grid(2, 2), "siren", recipe)
        >>> comparison = compare(signal, [variant], tempfile.mkdtemp(), seeds=(0, 1, 2))
        >>> [len(runs) for runs in comparison.by_variant]
        [3]
    """

    signal: Signal
    runs: list[Run]
    missing: int
    reused: int

    @property
    def by_variant(self) -> list[list[Run]]:
        """The runs of each variant that has any, in order."""
        groups: dict[int, list[Run]] = {}
        for run in self.runs:
            groups.setdefault(id(run.variant), []).append(run)
        return list(groups.values())


def compare(
    signal: Signal,
    variants: Sequence[Variant],
    folder: str | Path,
    *,
    seeds: Sequence[int] = (0,),
    compute: Compute | None = None,
    callback: Told | None = None,
) -> Comparison:
    """Fit every variant with every seed, and keep each result in a folder.

    A run that is there already is not done again: it is found by its settings, which are everything that
    decides its result. A run that is interrupted, by whatever, goes on where it was when it is asked for
    again. Along the way the signal is rendered after twelve numbers of steps, evenly spaced on a logarithmic
    scale; that time is not counted.

    Args:
        signal: what to fit.
        variants: what to compare.
        folder: where results go; made if missing.
        seeds: each variant is fitted with each of them.
        compute: where and how; None for `Compute()`.
        callback: told about progress; returning True ends the comparison after the current step.

    Raises:
        InputError: the folder belongs to a comparison of another signal, cannot be written to, or holds
            a damaged file; or the engine cannot do what is asked.
        DivergedError: the loss of a run became infinite or NaN; the runs before it are kept.
        OSError: the disk is full; the runs before are kept.

    Source: the comparison is that of Liu et al., ICCV 2023, section 5.2.

    Example:
        >>> import numpy as np, partinr, tempfile
        >>> signal = partinr.from_array(np.eye(20))
        >>> rules = [partinr.Whole(), partinr.Grid(2, 2)]
        >>> recipe = partinr.PAPER.changed(steps=5)
        >>> variants = [Variant.of(signal, rule, "siren", recipe) for rule in rules]
        >>> comparison = compare(signal, variants, tempfile.mkdtemp())
        >>> [(run.variant.name, run.record.regions) for run in comparison.runs]
        [('one network', 1), ('PoG 2x2', 4)]
    """
    place = Path(folder)
    claim(place, signal)
    wanted = [
        Wanted(place / RUNS, signal, variant, seed, compute or Compute())
        for variant in variants
        for seed in seeds
    ]
    if not wanted:
        raise InputError("a comparison needs at least one variant and one seed, got none")
    found = [run.read() for run in wanted]
    reused = sum(record is not None for record in found)
    left = sum(run.work for run, record in zip(wanted, found, strict=True) if record is None)
    clock = _Clock(callback, len(wanted), sum(run.work for run in wanted), left)
    runs: list[Run] = []
    for number, (run, known) in enumerate(zip(wanted, found, strict=True), 1):
        # An equal variant under another name may have been done meanwhile.
        record = known or run.read() or run.do(clock.follow(run, number))
        if record is None:
            break
        if known is None:
            clock.passed(run.work)
        runs.append(Run(run.variant, run.seed, run.model, record))
    return Comparison(signal, runs, len(wanted) - len(runs), reused)


def claim(folder: Path, signal: Signal) -> None:
    """Make a folder that of a comparison of this signal.

    Raises:
        InputError: it belongs to a comparison of another signal, or cannot be made or written to.
    """
    check_folder(folder, _OWNER)
    owner, ours = folder / _OWNER, {**data(signal), "shape": list(signal.values.shape)}
    claimed = owner.exists()
    if claimed:
        try:
            theirs = json.loads(owner.read_bytes())
        except ValueError:
            raise InputError(f"{owner} is damaged; delete it, or use another folder") from None
        if theirs != ours:
            raise InputError(f"{folder} holds a comparison of another signal; use another folder")
    elif (folder / "results.json").exists():
        raise InputError(f"{folder} holds results of something else; use another folder")
    make_folder(folder / RUNS)
    if not claimed:
        with atomic_write(owner) as file:
            file.write(json.dumps(ours).encode())


@dataclass
class _Clock:
    """Turns the progress of a run into that of the whole; foretells time from the arithmetic that is left."""

    callback: Told | None
    runs: int
    work: float
    left: float
    here: float = 0.0  # of the work, what was done since the beginning
    began: float = field(default_factory=time.perf_counter)

    def passed(self, work: float) -> None:
        """A run has been done."""
        self.left, self.here = self.left - work, self.here + work

    def follow(self, run: Wanted, number: int) -> Callable[[Progress], bool]:
        """The callback of a run."""
        begun: float | None = None

        def tell(progress: Progress) -> bool:
            nonlocal begun
            begun = progress.fraction if begun is None else begun
            here = self.here + run.work * (progress.fraction - begun)
            left = self.left - run.work * progress.fraction
            remaining = (time.perf_counter() - self.began) * left / here if here > 0 else None
            done = 1 - left / self.work
            standing = Standing(run.name, number, self.runs, done, progress.psnr, remaining)
            return self.callback is not None and bool(self.callback(standing))

        return tell

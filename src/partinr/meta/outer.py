"""The outer loop: Adam on the start and its inner learning rates, batch after batch of signals."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from partinr.engines.sampling import batch_indices, region_keys
from partinr.errors import InputError
from partinr.file.checkpoint import Checkpoint
from partinr.fitting.loop import Keep
from partinr.fitting.starts.inner import descend, fetched, meta_gradient, on_device
from partinr.fitting.starts.start import Start
from partinr.fitting.starts.tasks import Tasks, pack_tasks
from partinr.hashing import splitmix64
from partinr.meta.collection import Collection
from partinr.meta.crops import Crop
from partinr.meta.learning import (
    Ending,
    HeldOut,
    LearnResult,
    MetaCallback,
    MetaCompute,
    MetaProgress,
    MetaRecipe,
    Validation,
)
from partinr.meta.loading import Loaded, Loader, Preparation, Wanted, loading
from partinr.meta.processes import Processes
from partinr.meta.state import OuterState
from partinr.model.partition.rule import Rule
from partinr.shapes import Float64
from partinr.signals.metrics import psnr_from_mse

_CHECKPOINT_SECONDS = 5.0


def learn_start(
    collection: Collection,
    start: Start,
    recipe: MetaRecipe,
    *,
    crop: Crop,
    rule: Rule,
    held_out: HeldOut | None = None,
    compute: MetaCompute | None = None,
    keep: Keep | None = None,
    callback: MetaCallback | None = None,
) -> LearnResult:
    """Learn a start from a collection of signals.

    Args:
        collection: the signals to learn on; see `open_collection`.
        start: where the learning begins, such as `Start.fresh`.
        recipe: how to learn.
        crop: the part of each signal that is used.
        rule: how each is partitioned; `Whole()` for the published learning without partition.
        held_out: signals to look at along the way, cropped at the centre; None for none.
        compute: where and how; None for `MetaCompute()`.
        keep: where the state is kept while it runs; None for nowhere. Resumed, it ends in the same start,
            byte by byte.
        callback: called with `MetaProgress`; returning True stops.

    Raises:
        InputError: something asked for cannot be done; the message says what to change.

    Source: Liu et al., ICCV 2023, section 5.3; Finn, Abbeel, Levine, ICML 2017, algorithm 1.

    Example:
        >>> import numpy as np, tempfile, partinr
        >>> folder = tempfile.mkdtemp()
        >>> for i in range(4):
        ...     np.save(f"{folder}/{i}.npy", np.sin(np.linspace(i, i + 6, 50)))
        >>> start = partinr.Start.fresh(partinr.Siren(8, 1), dims=1, channels=1, rate=1e-3)
        >>> result = partinr.learn_start(
        ...     partinr.open_collection(folder),
        ...     start,
        ...     partinr.MetaRecipe(steps=3, learning_rate=1e-3),
        ...     crop=partinr.Crop((40,)),
        ...     rule=partinr.Grid(2),
        ... )
        >>> result.losses.shape
        (3, 4)
    """
    where = compute or MetaCompute()
    preparation = Preparation(collection, crop, rule, start.channels)
    learning = _Learning(on_device(start, where.device), recipe, preparation, where)
    if recipe.method == "reptile" and start.rates.learned:
        raise InputError(f"reptile learns no rates, got rates of kind {start.rates.kind}; take fixed ones")
    if len(crop.size) != start.dims:
        raise InputError(f"the crop must have the start's {start.dims} axes, got {crop.size}")
    if held_out is not None:
        learning.look_at(held_out)
    if keep is not None:
        learning.keep_in(keep)
    with loading(preparation, where.workers) as loader:
        stopped = learning.run(loader, callback)
        return learning.result(stopped, loader)


class _Learning:
    """One outer loop while it runs."""

    def __init__(
        self, start: Start, recipe: MetaRecipe, preparation: Preparation, compute: MetaCompute
    ) -> None:
        processes = compute.processes or Processes()
        if recipe.batch < processes.count:
            raise InputError(
                f"a batch of {recipe.batch} signals cannot be shared by {processes.count} processes; "
                "take a larger batch"
            )
        self.collection, self.recipe, self.preparation = preparation.collection, recipe, preparation
        self.processes, self.at_once = processes, compute.at_once
        self.steps = recipe.steps or max(1, len(self.collection) // recipe.batch)
        self.began_as = start
        self.state = OuterState.fresh(start)
        self._held_out: list[Tasks] = []
        self._held_out_names: list[str] = []
        self._held_out_skipped: dict[str, str] = {}
        self._every = self.steps
        self._file: Checkpoint | None = None
        self._clock = time.perf_counter()

    def look_at(self, held_out: HeldOut) -> None:
        """Read the signals to validate on, once; each process its share."""
        signals = held_out.collection
        self._every = held_out.every or max(1, self.steps // 10)
        centred = replace(self.preparation.crop, where="centre")
        preparation = replace(self.preparation, collection=signals, crop=centred)
        self._held_out_names = [signals.name(i) for i in range(len(signals))]
        for i in range(self.processes.rank, len(signals), self.processes.count):
            loaded = preparation.load(Wanted(i))
            self._held_out_skipped |= loaded.skipped
            self._held_out.append(self._packed([loaded], 1))

    def keep_in(self, keep: Keep) -> None:
        """Write checkpoints from now on, after going on from the one there if that is asked for."""
        self._file = Checkpoint(Path(keep.folder), self._settings())
        if self._file.path.exists() and not keep.resume:
            raise InputError(
                f"{keep.folder} holds a checkpoint; go on from it (--resume) or use another folder"
            )
        tensors = self._file.read()
        if tensors is not None:
            self.state.restore(tensors)
            self._clock = time.perf_counter() - self.state.seconds

    def run(self, loader: Loader, callback: MetaCallback | None) -> Ending:
        """All outer steps that are left."""
        written = -math.inf
        mine = len(range(self.processes.rank, self.recipe.batch, self.processes.count))
        batches = _batches(loader.load(self._order(len(self.state.losses))), mine)
        for step in range(len(self.state.losses), self.steps):
            if step % self._every == 0:
                self._validate()
            stop = callback is not None and bool(callback(self._progress()))
            batch = next(batches)
            tasks = self._packed(batch, self.recipe.batch)
            found = meta_gradient(self.state.start, tasks, self.recipe.method, self.recipe.precision)
            told = found.losses.new_tensor([float(stop)])
            gradient = [*found.parameters, *found.rates]
            self.processes.add_up([found.losses, *gradient, told])
            if bool(told > 0):
                self._write()
                return "callback"
            if not found.finite():
                self._write()
                return "diverged"
            self.state.update(self._clipped(gradient), self.recipe.rate_at(step, self.steps))
            self.state.losses.append(found.losses.double().tolist())
            if time.perf_counter() - written > _CHECKPOINT_SECONDS:
                self._write()
                written = time.perf_counter()
        self._validate()
        self._write()
        return "steps"

    def result(self, stopped: Ending, loader: Loader) -> LearnResult:
        """What came of it."""
        skipped: dict[str, str] = {}
        for theirs in self.processes.gathered({**self._held_out_skipped, **loader.skipped}):
            skipped |= theirs
        losses = np.array(self.state.losses, np.float64).reshape(-1, self.began_as.inner_steps + 1)
        start = replace(fetched(self.state.start), summary=self._summary(losses))
        return LearnResult(start, losses, self.state.validation, self._seconds(), stopped, skipped)

    def _order(self, first: int) -> Iterator[Wanted]:
        """This process's signals of every outer step from `first` on: each pass is a new permutation."""
        keys, counts = region_keys(self.recipe.seed, 1), np.array([len(self.collection)], np.int64)
        for step in range(first, self.steps):
            indices = batch_indices(keys, counts, step, 1, self.recipe.batch)[0, 0]
            places = step * self.recipe.batch + np.arange(self.recipe.batch, dtype=np.int64)
            draws = splitmix64(keys + places.astype(np.uint64))
            mine = slice(self.processes.rank, None, self.processes.count)
            yield from map(Wanted, indices[mine].tolist(), draws[mine].tolist())

    def _packed(self, loaded: list[Loaded], signals: int) -> Tasks:
        start = self.state.start
        return pack_tasks(
            [one.signal.normalised().reshape(-1, start.channels) for one in loaded],
            [one.partition for one in loaded],
            start.network,
            start.frame,
            device=start.parameters.weights[0].device,
            at_once=self.at_once,
            signals=signals,
        )

    def _clipped(self, gradient: list[Tensor]) -> list[Tensor]:
        if self.recipe.clip is None:
            return gradient
        norm = torch.stack([slope.square().sum() for slope in gradient]).sum().sqrt()
        factor = (self.recipe.clip / norm.clamp_min(1e-30)).clamp(max=1.0)
        return [slope * factor for slope in gradient]

    def _validate(self) -> None:
        done = len(self.state.losses)
        if not self._held_out_names or (self.state.validation and self.state.validation[-1].step == done):
            return
        total = torch.zeros(1, dtype=torch.float64)
        for tasks in self._held_out:
            *_, last = descend(self.state.start, tasks, precision=self.recipe.precision)
            total += psnr_from_mse(float((tasks.shares * last.losses).sum().detach()))
        total = total.to(self.state.start.parameters.weights[0].device)
        self.processes.add_up([total])
        self.state.validation.append(Validation(done, float(total) / len(self._held_out_names)))

    def _progress(self) -> MetaProgress:
        losses = self.state.losses
        before, after = (
            (psnr_from_mse(losses[-1][0]), psnr_from_mse(losses[-1][-1])) if losses else (None, None)
        )
        validation = self.state.validation[-1] if self.state.validation else None
        return MetaProgress(len(losses), self.steps, self._seconds(), before, after, validation)

    def _seconds(self) -> float:
        return time.perf_counter() - self._clock

    def _write(self) -> None:
        if self._file is not None and self.processes.first:
            self.state.seconds = self._seconds()
            self._file.write(self.state.tensors())

    def _settings(self) -> dict[str, Any]:
        """Everything that decides what is learned, as JSON types."""
        start = self.began_as
        names = [self.collection.name(i) for i in range(len(self.collection))]
        return json.loads(  # type: ignore[no-any-return]
            json.dumps(
                {
                    "recipe": {**asdict(self.recipe), "steps": self.steps},
                    "network": start.network.config(),
                    "frame": start.frame,
                    "rates": [start.rates.kind, start.rates.steps],
                    "start": fetched(start).digest(),
                    "crop": asdict(self.preparation.crop),
                    "partition": self.preparation.rule.word,
                    "signals": hashlib.sha256("\0".join(names).encode("utf-8", "replace")).hexdigest(),
                    "validation": [self._every, *self._held_out_names],
                    "device": start.parameters.weights[0].device.type,
                }
            )
        )

    def _summary(self, losses: Float64[ndarray, "steps states"]) -> dict[str, Any]:
        """How it was learned, for the file; no times, so that the same learning gives the same bytes."""
        crop = self.preparation.crop
        last = losses[-10:].mean(axis=0).tolist() if len(losses) else []
        return {
            **asdict(self.recipe),
            "steps": len(losses),
            "partition": self.preparation.rule.word,
            "crop": list(crop.size),
            "where": crop.where,
            "resize": crop.resize,
            "colour": crop.colour,
            "signals": len(self.collection),
            "training_psnr": [psnr_from_mse(loss) for loss in last],
            "validation_psnr": self.state.validation[-1].psnr if self.state.validation else None,
        }


def _batches(loaded: Iterator[Loaded], size: int) -> Iterator[list[Loaded]]:
    while batch := list(itertools.islice(loaded, size)):
        yield batch

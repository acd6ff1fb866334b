"""One task a tile: read it, fit it, measure it. Any process may do it, and all do it alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy import ndarray

import partinr
from partinr.cores import on_cores
from partinr.errors import InputError
from partinr.file.compact_inr import compact
from partinr.file.spectra_coding import write_spectra
from partinr.fitting.spectral import Cutter
from partinr.model.rendering import rendered_psnr
from partinr.model.synthesis import synthesised
from partinr.shapes import Float32
from partinr.signals.array import signal_of
from partinr.signals.signal import Between, Signal
from partinr.tiles.layout import Layout
from partinr.tiles.place import opened_place
from partinr.tiles.source import Source, SourceChanged, Span, Window, window_of
from partinr.tiles.store import Record, Tile, tile_name


class OtherVersion(InputError):
    """A worker has another partinr than the one that sends the tasks."""


@dataclass(frozen=True)
class Plan:
    """What all tasks of a fit share.

    Attributes:
        source: the signal.
        layout: its tiles.
        span: value range of the whole; None while it is looked for.
        mixing: of the channels, see `Spectra`; likewise.
        between: what lies between the samples.
        identity: of the source, when the fit began.
        version: of partinr.
        target: address of the store, of those that workers write into themselves; None of others.
        cores: that a task takes.
    """

    source: Source[Any]
    layout: Layout
    span: Span | None
    mixing: Float32[ndarray, "channels channels"] | None
    between: Between
    identity: dict[str, Any]
    version: str
    target: str | None = None
    cores: int = 1

    def window(self, number: int) -> Window:
        """The samples of a tile."""
        index = self.layout.index(number)
        return window_of(self.layout.first(index), self.layout.extent(index))

    def parcel(self, number: int) -> Any:
        """What a tile's task has to be sent, where the worker cannot open the source."""
        return self.source.parcel(self.window(number))

    def check(self) -> None:
        """Make sure that this process and the source are what they were.

        Raises:
            OtherVersion: partinr is another one.
            SourceChanged: the source is.
        """
        if self.version != partinr.__version__:
            raise OtherVersion(
                f"a worker has partinr {partinr.__version__}, and the fit was sent by {self.version}; "
                "install the same version on all machines"
            )
        if self.source.identity() != self.identity:
            raise SourceChanged(
                f"{self.source.name}: has changed while it was fitted; fit it again from the beginning, into "
                "another store"
            )


@dataclass(frozen=True)
class Task:
    """A tile to be fitted.

    Attributes:
        number: of the tile.
        round: how often all tiles have been done before.
        step: of its coefficients.
    """

    number: int
    round: int
    step: float


@dataclass(frozen=True)
class Done:
    """A fitted tile: what the journal says of it, and its file; empty where that is written already."""

    record: Record
    payload: bytes


def fit_tile(plan: Plan, task: Task, parcel: Any) -> Done:
    """Do a task.

    Raises:
        InputError: the tile cannot be read or fitted.
        SourceChanged, OtherVersion: see `Plan.check`.
    """
    with on_cores(plan.cores):
        return _fitted(plan, task, parcel)


def _fitted(plan: Plan, task: Task, parcel: Any) -> Done:
    assert plan.span is not None
    plan.check()
    window = plan.window(task.number)
    found = plan.source.signal(window, plan.span, parcel)
    plan.check()
    signal = _nothing(plan, window) if found is None else found
    signal = signal.with_between(plan.between)
    cutter = Cutter(signal, None, plan.mixing)
    cut = cutter.cut(task.step)
    cutter.release()
    model = synthesised(cutter.spectra(cut), signal.spec)
    psnr = rendered_psnr(model, signal)
    samples = 0 if found is None else signal.spec.samples - signal.missing
    assert model.spectra is not None
    payload = compact(model, write_spectra(model.spectra), {"psnr": psnr})
    tile = Tile.of(payload, 10 ** (-psnr / 10) * samples, samples)
    if plan.target is not None:
        opened_place(plan.target).write(tile_name(plan.layout.index(task.number)), payload)
        payload = b""
    return Done(Record(task.number, task.round, cut.step, tile), payload)


def look_at_tile(plan: Plan, number: int, parcel: Any) -> tuple[Any, Any] | None:
    """Lowest and highest value of a tile; None if no sample is there.

    Raises:
        InputError: see `Source.extremes`.
    """
    plan.check()
    return plan.source.extremes(plan.window(number), parcel)


def _nothing(plan: Plan, window: Window) -> Signal:
    """A tile of which no sample is there: the lowest value throughout."""
    assert plan.span is not None
    spec = plan.source.spec_in(window, plan.span)
    low = np.full(spec.array_shape, plan.span[0], spec.dtype)
    made = signal_of(low, channel_axis=spec.channel_axis, value_range=spec.value_range, kind=spec.kind)
    return replace(made, spec=spec)

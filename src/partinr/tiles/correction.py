"""Tiles that are fitted again, so that the whole has the quality or the size that was asked for.

A first look at some of a signal foretells the whole's error to a few per cent. Once all tiles are done the
error is known, and what it is off is made up for by some of them: those that err most, at a step that is
finer or coarser by as little as is enough. Which ones follows from what the journal says of all tiles, so
that every run, and every run that goes on, chooses the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from partinr.fitting.goals.compact import Compact
from partinr.fitting.spectral import COARSEST, FINEST
from partinr.tiles.store import Record

ROUNDS = 8
"""How often tiles are fitted again at most."""

# A goal is met if what counts is at most what was asked for, and no less than this share of it: 0.04 dB, 1 %.
_NEAR, _AIM = {"psnr": 0.991, "bytes": 0.99}, {"psnr": 0.997, "bytes": 0.997}
# What a tile's error, or bytes, may change by while others make up for it too.
_CHANGE = 0.25
# Error and bytes are about these powers of the step.
_POWER = {"psnr": 1.5, "bytes": -0.8}
_STEEPEST, _FLATTEST = 3.0, 0.3


def corrections(records: Mapping[int, Sequence[Record]], goal: Compact) -> dict[int, float]:
    """Steps of the tiles that are to be fitted again; empty if the goal is met, or cannot be met better.

    Args:
        records: of each tile, in the order of the rounds.
        goal: for the whole.
    """
    what, most = _wanted(records, goal)
    now = {number: _measure(own[-1], what) for number, own in records.items()}
    total = math.fsum(now.values())
    rounds = max(own[-1].round for own in records.values())
    if rounds >= ROUNDS or (total <= most and (total == 0 or total >= _NEAR[what] * most)):
        return {}
    if total <= most and rounds > ROUNDS // 2:
        return {}
    change = (_AIM[what] * most - total) / total
    chosen, share = [], 0.0
    for number in sorted(now, key=lambda n: (-now[n], n)):
        if now[number] == 0 or share * _CHANGE >= abs(change):
            break
        chosen.append(number)
        share += now[number] / total
    factor = max(1 + change / share, 1 / 16)
    steps = {number: _step(records[number], what, factor) for number in chosen}
    return {number: step for number, step in steps.items() if step != np.float32(records[number][-1].step)}


def reached(records: Mapping[int, Sequence[Record]], goal: Compact) -> bool:
    """Whether the whole has what was asked for."""
    what, most = _wanted(records, goal)
    return math.fsum(_measure(own[-1], what) for own in records.values()) <= most


def common_step(records: Mapping[int, Sequence[Record]]) -> float:
    """The step that most tiles have; of several the finest."""
    counted = Counter(own[-1].step for own in records.values())
    return min(counted, key=lambda step: (-counted[step], step))


def _wanted(records: Mapping[int, Sequence[Record]], goal: Compact) -> tuple[str, float]:
    """What counts, and how much of it there may be."""
    samples = sum(own[-1].tile.samples for own in records.values())
    most = goal.most_bytes(samples)
    if most is not None:
        return "bytes", float(most)
    assert goal.psnr is not None
    return "psnr", samples * 10 ** (-goal.psnr / 10)


def _measure(record: Record, what: str) -> float:
    return record.tile.error if what == "psnr" else float(record.tile.size)


def _step(own: Sequence[Record], what: str, factor: float) -> float:
    """The step at which a tile's error or bytes are so many times as much, by a secant of the last two."""
    power = _POWER[what]
    last = own[-1]
    if len(own) > 1 and own[-2].step != last.step:
        before, after = (_measure(record, what) for record in own[-2:])
        if before > 0 and after > 0:
            slope = math.log(after / before) / math.log(last.step / own[-2].step)
            if slope * power > 0:
                power = math.copysign(min(max(abs(slope), _FLATTEST), _STEEPEST), power)
    step = last.step * factor ** (1 / power)
    return float(np.float32(min(max(step, FINEST), COARSEST)))

"""What is known of one run, and how it is written down."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from partinr.errors import InputError
from partinr.fitting.history import History, Measurement


@dataclass(frozen=True, eq=False)
class Record:
    """One finished run of a comparison.

    Attributes:
        params: weights and biases over all regions.
        regions: number of regions.
        steps: updates that each region got.
        seconds: of training; measuring along the way and the last rendering are not in it.
        psnr: PSNR in dB of the rendered signal.
        ssim: structural similarity of the same; None for signals too small for it.
        bytes: size of the file as a fit writes it, `store="auto"`.
        stored_psnr: PSNR in dB of what that file holds.
        flops: floating-point operations of a step, see `Variant.flops`.
        engine, device, precision: how it was trained.
        history: loss and seconds of every step, and the quality along the way.

    Example:
        >>> history = History(np.array([0.5, 1.0]), np.array([0.1, 0.01]))
        >>> who = ("torch", "cpu", "fp32")
        >>> record = Record(791_043, 1, 2, 1.0, 20.5, 0.4, 800_000, 20.4, 10**12, *who, history)
        >>> Record.from_json(record.to_json()).history.psnr
        array([10., 20.])
    """

    params: int
    regions: int
    steps: int
    seconds: float
    psnr: float
    ssim: float | None
    bytes: int
    stored_psnr: float
    flops: int
    engine: str
    device: str
    precision: str
    history: History

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types; an infinite PSNR is null."""
        history = {
            "seconds": self.history.seconds.tolist(),
            "loss": self.history.loss.tolist(),
            "measured": [[m.steps, m.seconds, _finite(m.psnr), m.ssim] for m in self.history.measured],
        }
        psnr = {"psnr": _finite(self.psnr), "stored_psnr": _finite(self.stored_psnr)}
        return {**vars(self), **psnr, "history": history}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Record:
        """The record that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is no such record.
        """
        written = values["history"]
        history = History(
            np.array(written["seconds"], np.float64),
            np.array(written["loss"], np.float64),
            [Measurement(s, t, _infinite(psnr), ssim) for s, t, psnr, ssim in written["measured"]],
        )
        if len(history.seconds) != len(history.loss):
            raise ValueError("seconds and losses differ in number")
        psnr = {name: _infinite(values[name]) for name in ("psnr", "stored_psnr")}
        return cls(**{**values, **psnr, "history": history})


def _finite(psnr: float) -> float | None:
    return psnr if math.isfinite(psnr) else None


def _infinite(psnr: float | None) -> float:
    return math.inf if psnr is None else psnr


def read_record(path: Path, settings: dict[str, Any]) -> Record | None:
    """The record in a file; None if there is no such file.

    Args:
        path: the file.
        settings: what the run must have been asked to do.

    Raises:
        InputError: the file is damaged or holds another run.
    """
    try:
        written = json.loads(path.read_bytes())
        found, record = written["settings"], Record.from_json(written["record"])
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not the record of a run ({error}); delete it, and the run is done again"
        ) from None
    if found != settings:
        raise InputError(f"{path} holds a run of other settings; delete it, or use another folder")
    return record

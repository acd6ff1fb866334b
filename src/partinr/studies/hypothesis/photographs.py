"""Real pictures: their boundaries, variants with more and fewer of them, and networks that learn them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64
from numpy import ndarray

from partinr.engines.engine import Engine
from partinr.errors import InputError
from partinr.file.checkpoint import Checkpoint, Settings
from partinr.model.networks import Network, Siren
from partinr.signals import Signal, frames
from partinr.studies.hypothesis.material import Fixed
from partinr.studies.hypothesis.signals import derived
from partinr.studies.hypothesis.sweep import Ending, Rules, Sweep
from partinr.text import legible

Kind = Literal["original", "blur", "posterise", "crop"]

# Half of what separates 1 from -1, in pictures of variance 1 as a balanced step signal has it.
EDGE = 1.0
_BLURS = (1.0, 2.0, 4.0)
_LEVELS = (2, 3, 5)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to learn, of mean 0 and variance 1.

    Attributes:
        photo: name of the photograph that it comes from.
        kind: what was done to it.
        name: the same with its strength.
        values: grey values.
    """

    photo: str
    kind: Kind
    name: str
    values: Float64[ndarray, "rows columns"]

    @property
    def edges(self) -> int:
        """Pairs of neighbouring samples, along rows and along columns, that differ by more than `EDGE`."""
        return sum(int((np.abs(np.diff(self.values, axis=axis)) > EDGE).sum()) for axis in (0, 1))

    @property
    def variation(self) -> float:
        """Total variation in steps from -1 to 1: the edges of a step signal, faint ones by their share."""
        return sum(float(np.abs(np.diff(self.values, axis=axis)).sum()) for axis in (0, 1)) / 2


def variants(photo: str, signal: Signal, size: int) -> list[Picture]:
    """A photograph's central square, `size` samples a side, and what blur, fewer levels and crops make of it.

    Variants without any contrast are left out.

    Raises:
        InputError: it is no picture, smaller than the size, or constant.
    """
    from scipy.ndimage import gaussian_filter

    photo = legible(photo)
    if len(signal.shape) != 2:
        raise InputError(f"{photo} must be a picture of two axes, got {len(signal.shape)}")
    side = min(signal.shape)
    if side < size:
        raise InputError(f"{photo} must have at least {size} pixels a side, got {side}; lower --size")
    top, left = ((length - side) // 2 for length in signal.shape)
    # Colours are averaged, an opaque fourth channel is none.
    colours = signal.normalised()[..., : 1 if signal.channels < 3 else 3]
    square = colours[top : top + side, left : left + side].mean(axis=-1, dtype=np.float64)
    whole = _reduced(square, size)
    if np.ptp(whole) < 1e-6:
        raise InputError(f"{photo} is constant and has no boundaries; choose another picture")
    made: list[tuple[Kind, str, Float64[ndarray, "rows columns"]]] = [("original", "original", whole)]
    made += [("blur", f"blur {sigma:g}", gaussian_filter(whole, sigma)) for sigma in _BLURS]
    ranks = whole.ravel().argsort(kind="stable").argsort(kind="stable").reshape(whole.shape) / whole.size
    # Levels of equal area, so that a few bright pixels do not take a level for themselves.
    made += [("posterise", f"{levels} levels", np.floor(ranks * levels)) for levels in _LEVELS]
    half = side // 2
    if half >= size:
        for name, rows, columns in (
            *(("top left", 0, 0), ("top right", 0, side - half)),
            *(("bottom left", side - half, 0), ("bottom right", side - half, side - half)),
        ):
            crop = _reduced(square[rows : rows + half, columns : columns + half], size)
            made.append(("crop", f"crop {name}", crop))
    return [
        Picture(photo, kind, name, (values - values.mean()) / values.std())
        for kind, name, values in made
        if values.std() > 1e-4
    ]


@dataclass(frozen=True)
class Trial:
    """One network on one picture."""

    picture: Picture
    repeat: int
    seed: int
    steps: int
    ending: Ending
    error: float


@dataclass(frozen=True)
class Trials:
    """What to train.

    Attributes:
        network: of every picture.
        repeats: networks for each picture.
        rules: how networks are trained and when they end; errors are shares of a picture's variance.
        seed: of everything.

    Raises:
        InputError: there are no repeats.
    """

    network: Network = field(default_factory=lambda: Siren(32, 3, 30.0, 30.0))
    repeats: int = 2
    rules: Rules = field(default_factory=lambda: Rules(limit=2000))
    seed: int = 0

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise InputError(f"repeats must be at least 1, got {self.repeats}")

    def prepare(self, pictures: Sequence[Picture], engine: Engine, folder: Path | None = None) -> Sweep:
        """The sweep, at its start or where a folder's checkpoint has it.

        Raises:
            InputError: the folder holds work with other settings.
        """
        members = [picture for picture in pictures for _ in range(self.repeats)]
        sweep = Sweep(
            self.network,
            Fixed(
                [frames.raster(picture.values.shape) for picture in members],
                [picture.values.reshape(-1, 1).astype(np.float32) for picture in members],
            ),
            self._seeds(pictures),
            np.array([picture.variation for picture in members]),
            self.rules,
            engine,
        )
        if folder is not None:
            sweep.keep_in(Checkpoint(folder, self.settings(pictures, engine)))
        return sweep

    def settings(self, pictures: Sequence[Picture], engine: Engine) -> Settings:
        """Everything that decides the numbers, in JSON's types."""
        return {
            "sweep": "image",
            "pictures": [[p.photo, p.name, _digest(p.values)] for p in pictures],
            "network": self.network.config(),
            "repeats": self.repeats,
            "rules": asdict(self.rules),
            "seed": self.seed,
            "engine": engine.name,
            "device": str(engine.device),
        }

    def outcome(self, pictures: Sequence[Picture], sweep: Sweep) -> list[Trial]:
        """Every network with what came of it."""
        members = [(picture, repeat) for picture in pictures for repeat in range(self.repeats)]
        tally = sweep.tally
        return [
            Trial(picture, repeat, seed, int(steps), Ending(int(ending)), float(error))
            for (picture, repeat), seed, steps, ending, error in zip(
                members, self._seeds(pictures), tally.steps, tally.ending, tally.error, strict=True
            )
        ]

    def _seeds(self, pictures: Sequence[Picture]) -> list[int]:
        return [derived(self.seed, i, r) for i in range(len(pictures)) for r in range(self.repeats)]


def trials_table(trials: Sequence[Trial]) -> str:
    """The networks as CSV, a row each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["photo", "variant", "kind", "edges", "variation", "repeat", "seed", "steps", "ending", "error"]
    writer.writerow(head)
    for trial in trials:
        picture = trial.picture
        what = [picture.photo, picture.name, picture.kind, picture.edges, f"{picture.variation:.2f}"]
        ended = trial.ending is not Ending.RUNNING
        measured = (
            [trial.steps, trial.ending.name.lower(), repr(trial.error)] if ended else ["", "running", ""]
        )
        writer.writerow([*what, trial.repeat, trial.seed, *measured])
    return text.getvalue()


def _reduced(values: Float[ndarray, "rows columns"], size: int) -> Float64[ndarray, "size size"]:
    from skimage.transform import resize

    return np.asarray(resize(values, (size, size), anti_aliasing=True), np.float64)


def _digest(values: Float64[ndarray, "rows columns"]) -> str:
    import hashlib

    return hashlib.sha256(values.astype(np.float32).tobytes()).hexdigest()[:16]

"""Real pictures: their boundaries, variants with more and fewer of them, and networks that learn them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Engine
from partinr.errors import InputError
from partinr.file.checkpoint import Settings
from partinr.model.networks import Network, Siren
from partinr.shapes import Float, Float64
from partinr.signals import Signal, frames
from partinr.studies.hypothesis.material import Fixed
from partinr.studies.hypothesis.signals import derived
from partinr.studies.hypothesis.sweep import Rules, Run, Sweep, rows, settings_of
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

    @classmethod
    def quick(cls) -> Trials:
        """Fewer and shorter ones, which take under two minutes on two cores."""
        return cls(repeats=1, rules=Rules(limit=1000))

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise InputError(f"repeats must be at least 1, got {self.repeats}")

    def prepare(self, pictures: Sequence[Picture], engine: Engine, folder: Path | None = None) -> Sweep:
        """The sweep, at its start or where a folder has it; see `Sweep.kept_in`."""
        members = list(self._members(pictures))
        made = [picture for picture, _, _ in members]
        sweep = Sweep(
            self.network,
            Fixed(
                [frames.raster(picture.values.shape) for picture in made],
                [picture.values.reshape(-1, 1).astype(np.float32) for picture in made],
            ),
            [seed for _, _, seed in members],
            np.array([picture.variation for picture in made]),
            self.rules,
            engine,
        )
        return sweep.kept_in(folder, self.settings(pictures, engine))

    def settings(self, pictures: Sequence[Picture], engine: Engine) -> Settings:
        """Everything that decides the numbers, in JSON's types."""
        digests = [[picture.photo, picture.name, _digest(picture.values)] for picture in pictures]
        return settings_of(self, "image", engine, pictures=digests)

    def outcome(self, pictures: Sequence[Picture], sweep: Sweep) -> list[Run[Picture]]:
        """Every network with what came of it."""
        return [Run(*member, *end) for member, end in zip(self._members(pictures), sweep.tally, strict=True)]

    def _members(self, pictures: Sequence[Picture]) -> Iterator[tuple[Picture, int, int]]:
        """Picture, repeat and seed of every network, in order."""
        for i, picture in enumerate(pictures):
            for repeat in range(self.repeats):
                yield picture, repeat, derived(self.seed, i, repeat)


def trials_table(trials: Sequence[Run[Picture]]) -> str:
    """The networks as CSV, a row each."""
    return rows(
        ["photo", "variant", "kind", "edges", "variation", "repeat", "seed"],
        [
            (
                *(one.subject.photo, one.subject.name, one.subject.kind, one.subject.edges),
                *(f"{one.subject.variation:.2f}", one.repeat, one.seed, one.steps, one.ending, one.error),
            )
            for one in trials
        ],
    )


def _reduced(values: Float[ndarray, "rows columns"], size: int) -> Float64[ndarray, "size size"]:
    from skimage.transform import resize

    return np.asarray(resize(values, (size, size), anti_aliasing=True), np.float64)


def _digest(values: Float64[ndarray, "rows columns"]) -> str:
    import hashlib

    return hashlib.sha256(values.astype(np.float32).tobytes()).hexdigest()[:16]

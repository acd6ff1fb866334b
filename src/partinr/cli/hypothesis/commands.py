"""The four commands of `partinr hypothesis`: what each lets one choose, and what it trains."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import typer

from partinr.cli.console import counted
from partinr.cli.hypothesis.driver import Command, changed, ended, what
from partinr.cli.inputs import MAX_PIXELS, read_input
from partinr.cli.options import how
from partinr.errors import InputError

if TYPE_CHECKING:
    from partinr.studies.hypothesis.findings import Experiment
    from partinr.studies.hypothesis.signals import Size


@dataclass(frozen=True, kw_only=True)
class Resampled(Command):
    """Commands with intervals."""

    bootstrap: Annotated[
        int | None,
        how(
            "Bootstrap samples for the intervals. Default: 1000, and 200 with --quick.",
            "N",
            min=20,
            max=1_000_000,
        ),
    ] = None

    @property
    def resamples(self) -> int:
        """Bootstrap samples to draw."""
        return self.bootstrap or (200 if self.quick else 1000)


class Sweep(Resampled):
    """Commands over step signals of many sizes."""

    dims: ClassVar[int]
    sizes: str | None
    points: int | None

    def experiment(self) -> Experiment[Any]:
        """The published sweep, or a quick one."""
        from partinr.studies.hypothesis.study import Study
        from partinr.studies.hypothesis.sweep_page import StepSignals

        usual = Study.quick(self.dims) if self.quick else Study.published(self.dims)
        chosen = None if self.sizes is None else _sizes(self.sizes, self.dims)
        study = changed(usual, **self.training(usual), sizes=chosen, points=self.points)
        return StepSignals(study, self.resamples)


@dataclass(frozen=True, kw_only=True)
class Line(Sweep):
    """Step signals on a line: how many steps a network needs against the signal's number of boundaries.

    As published unless told otherwise: 30 sizes, 5 signals each, SIREN 32x3, an error of 0.05 or 4000 steps.

    Example: partinr hypothesis 1d -o sweep-1d --quick
    """

    name = kind = "1d"
    dims = 1
    sizes: Annotated[
        str | None,
        what("Numbers of boundaries: 1,3,5 or 1:59:2 (first, last, step). Default: 1:59:2.", "LIST"),
    ] = None
    points: Annotated[
        int | None,
        what(
            "Fresh points of every step, and points of the grid that the error is measured on. "
            "Default: 5000.",
            "N",
            min=2,
            max=10_000_000,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Plane(Sweep):
    """Step signals in a plane: the same for products of a signal along rows and one along columns.

    As published unless told otherwise: 25 sizes, 5 signals each, SIREN 32x3, an error of 0.05 or 4000 steps.

    Example: partinr hypothesis 2d -o sweep-2d --quick
    """

    name = kind = "2d"
    dims = 2
    sizes: Annotated[
        str | None,
        what(
            "Products of the thresholds along rows and columns: 10,20,30 or 10:250:10 (first, last, step), "
            "or the thresholds themselves: 5x2,5x4. Default: 10:250:10.",
            "LIST",
        ),
    ] = None
    points: Annotated[
        int | None,
        what(
            "Samples along each axis, all of which are used in every step. Default: 256.",
            "N",
            min=2,
            max=10_000,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Partition(Command):
    """The corollary: the same step signals cut into equal parts, each with a network of its own, at equal
    total parameters or equal width; beside what a sweep over undivided signals predicts.

    Every part is trained until its own error is small. The steps of a signal are those of its slowest part;
    its cost is the arithmetic of all parts, counted in steps of the undivided network.

    Example: partinr hypothesis partition -o parts --quick
    """

    name, kind = "partition", "parts"
    subject = "signal"
    counts: Annotated[str, what("Numbers of equal parts.", "LIST", "--parts")] = "1,2,4,8"
    boundaries: Annotated[
        int | None,
        what("Boundaries of every signal. Default: 48, and 32 with --quick.", "N", min=3, max=100_000),
    ] = None
    equal_params: Annotated[
        bool,
        what(
            "Narrower networks for parts, or as wide as the undivided signal's.",
            None,
            "--equal-params/--equal-width",
        ),
    ] = True
    frame: Annotated[
        Literal["global", "local"],
        what("Coordinates that a part's network sees: the whole signal's, as published, or its own."),
    ] = "global"
    points: Annotated[
        int | None,
        what("Fresh points of every step, of all parts together. Default: 5000.", "N", min=2, max=10_000_000),
    ] = None

    def experiment(self) -> Experiment[Any]:
        """Signals in parts, and a sweep over whole ones."""
        from partinr.studies.hypothesis.parts import Parts
        from partinr.studies.hypothesis.parts_page import SignalsInParts

        usual = Parts.quick() if self.quick else Parts()
        plan = changed(
            usual,
            **self.training(usual),
            counts=_counts(self.counts),
            boundaries=self.boundaries,
            equal_params=self.equal_params,
            frame=self.frame,
            points=self.points,
        )
        return SignalsInParts(plan)

    def reached(self, results: dict[str, Any]) -> bool:
        """Whether half of the signals were learned, in whatever number of parts."""
        return any(row["steps"] is not None for row in results["parts"])

    def rows(self, results: dict[str, Any]) -> list[tuple[str, object]]:
        """Networks, of which a signal has several."""
        return [("networks", ended(results))]


@dataclass(frozen=True, kw_only=True)
class Image(Resampled):
    """Real pictures: does the number of boundaries tell which photographs are slow to learn?

    The central square of each photograph, in grey, is blurred, posterised and cropped; every picture is
    scaled to variance 1 and learned to the same error. Boundaries are counted as edges (pairs of neighbouring
    samples that differ by more than one standard deviation) and as total variation.

    Example: partinr hypothesis image photo.png -o boundaries --quick
    """

    name = kind = "image"
    subject = "picture"
    photos: Annotated[
        list[Path],
        typer.Argument(metavar="PHOTO...", show_default=False, help="One photograph or several."),
    ]
    size: Annotated[
        int | None,
        what(
            "Samples along each side of what is learned. Default: 64, and 48 with --quick.",
            "N",
            min=8,
            max=4096,
        ),
    ] = None
    repeats: Annotated[int | None, what("Networks for each picture. Default: 2.", "N")] = None
    threshold: Annotated[
        float | None, what("Error to reach, as a share of a picture's variance. Default: 0.05.", "X")
    ] = None
    max_pixels: MAX_PIXELS = None

    def experiment(self) -> Experiment[Any]:
        """The photographs and their variants."""
        from partinr.studies.hypothesis.photographs import Trials, variants
        from partinr.studies.hypothesis.photographs_page import Photographs

        usual = Trials.quick() if self.quick else Trials()
        trials = changed(usual, **self.training(usual))
        side = self.size or (48 if self.quick else 64)
        pictures = [
            picture
            for path in self.photos
            for picture in variants(path.name, read_input(path, None, None, self.max_pixels), side)
        ]
        return Photographs(trials, pictures, self.resamples)

    def rows(self, results: dict[str, Any]) -> list[tuple[str, object]]:
        """Pictures too."""
        photos = counted(results["photos"], "photograph")
        return [("pictures", f"{results['pictures']} from {photos}"), *super().rows(results)]


COMMANDS: tuple[type[Command], ...] = (Line, Plane, Partition, Image)
"""In the order of the help."""


def _sizes(word: str, dims: int) -> tuple[Size, ...]:
    """Sizes of step signals: 1,3,5 or 1:59:2 (from, to and step); on two axes products or 5x2.

    Raises:
        InputError: not of this form, or one of them twice.
    """
    from partinr.studies.hypothesis.signals import Size, most_square

    if re.fullmatch(r"[0-9]{1,6}:[0-9]{1,6}:[0-9]{1,6}", word):
        first, last, step = (int(n) for n in word.split(":"))
        parts = [str(n) for n in range(first, last + 1, step)] if step else []
    else:
        parts = word.split(",")
    pattern = r"[1-9][0-9]{0,5}" if dims == 1 else r"[1-9][0-9]{0,5}(x[1-9][0-9]{0,5})?"
    if not parts or not all(re.fullmatch(pattern, part) for part in parts):
        form = "1,3,5 or 1:59:2" if dims == 1 else "10,20,30 or 10:250:10 or 5x2,5x4"
        raise InputError(f"--sizes must be numbers of boundaries such as {form}, got {word!r:.100}")
    found = [
        Size(tuple(int(n) for n in part.split("x"))) if dims == 1 or "x" in part else most_square(int(part))
        for part in parts
    ]
    if len({size.thresholds for size in found}) < len(found):
        raise InputError(f"--sizes must differ, got {word!r:.100}")
    return tuple(found)


def _counts(word: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[0-9]{1,5}(,[0-9]{1,5})*", word):
        raise InputError(f"--parts must be numbers such as 1,2,4,8, got {word!r:.100}")
    return tuple(int(part) for part in word.split(","))

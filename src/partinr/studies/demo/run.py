"""The demonstration: one photograph, fitted, saved, rendered, enlarged, and partitions compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from partinr.file.inr import Saved, load, save
from partinr.files import atomic_write, make_folder
from partinr.fitting.fit import Compute, FitResult, fit
from partinr.fitting.goals.steps import Steps
from partinr.fitting.loop import Progress, Watch
from partinr.fitting.recipe import PAPER
from partinr.model.networks import Siren, fit_width
from partinr.model.partition import HFS, Grid, Partition, Whole
from partinr.model.rendering import render
from partinr.report.convergence import Run
from partinr.report.enlarging import Window, describe, enlarged, side_by_side
from partinr.report.pictures import RGB
from partinr.signals.array import from_array
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.writing import write
from partinr.studies.demo.page import demo_page
from partinr.text import utf8

Report = Callable[[str, float], "bool | None"]
"""Called with what is being done and the share of all that is done, 0..1; returning True stops."""

# Side of the photograph as scikit-image has it.
_FULL = 512


@dataclass(frozen=True)
class Settings:
    """What the demonstration does; the defaults take a quarter of a minute on two cores.

    Attributes:
        size: side of the photograph that is fitted with the default recipe, in pixels; at most 512.
        steps: of that fit; None for the recipe's.
        window: its part that is enlarged, in pixels: the face.
        scale: factor of that.
        small: side of the photograph for the comparison, in pixels.
        small_steps: of each run of the comparison.
        hidden: width of each of the nine networks in the comparison. The paper has 170 for 700 x 1000 pixels;
            this width gives about as many parameters a pixel at 96 x 96.
        learning_rate: of every run of the comparison. The paper's 1e-4 is for wider networks and more steps.
            Of 5e-4, 7e-4, 1e-3 and 2e-3 this is the highest at which one network still learns steadily;
            partitions do better still at 1e-3 and above.
    """

    size: int = 512
    steps: int | None = None
    window: Window = ((64, 192), (160, 288))
    scale: int = 4
    small: int = 96
    small_steps: int = 800
    hidden: int = 18
    learning_rate: float = 7e-4


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demonstration wrote and measured.

    Attributes:
        inr: the fitted photograph.
        picture: it, rendered from that file.
        enlarged: a part of it, enlarged, beside bicubic interpolation.
        report: the page with everything.
        fit: the default fit.
        saved: about the file.
        runs: the comparison: a grid (PoG), a segmentation (PoS), one network.
        seconds: duration of everything.
    """

    inr: Path
    picture: Path
    enlarged: Path
    report: Path
    fit: FitResult
    saved: Saved
    runs: tuple[Run, ...]
    seconds: float


def run(
    folder: Path, callback: Report | None = None, *, seed: int = 0, settings: Settings | None = None
) -> DemoResult:
    """Fit, save, render and enlarge a photograph, compare partitions with one network, and write a page.

    The photograph is scikit-image's astronaut, which comes with that package.

    Args:
        folder: where the files go; made if missing. Files of an earlier run are replaced one by one, each
            when its successor is whole.
        callback: told about progress, many times a second.
        seed: of all fits.
        settings: what to do; by default what `Settings` says.

    Raises:
        InputError: the folder cannot be made or written to.
        KeyboardInterrupt: the callback returned True; files that are there by then are whole.
        OSError: the disk is full.
    """
    began = time.perf_counter()
    chosen = Settings() if settings is None else settings
    inr, picture, beside, report = (
        folder / name for name in ("astronaut.inr", "astronaut.png", "enlarged.png", "report.html")
    )
    make_folder(folder, *(file.name for file in (inr, picture, beside, report)))
    stages = _Stages(callback)
    photograph = _photograph(chosen.size)

    fitted = fit(
        photograph,
        goal=Steps(chosen.steps),
        watch=Watch(stages.begin("fitting the photograph", 0.2)),
        seed=seed,
    )
    stages.check(fitted)
    stages.say("saving and rendering")
    saved = save(fitted.model, inr, store="auto", signal=photograph, summary=_summary(fitted))
    model = load(inr)
    rendered = render(model)
    write(picture, rendered, photograph.spec)
    crops = enlarged(model, photograph, chosen.window, chosen.scale)
    _write_picture(beside, side_by_side(crops))

    small = _photograph(chosen.small)
    runs = tuple(_compare(small, chosen, seed, stages))
    stages.say("writing the page")
    where = f"{describe(chosen.window)}, enlarged {chosen.scale} times"
    html = demo_page(fitted, saved, model, rendered, crops, where, runs)
    with atomic_write(report) as file:
        file.write(utf8(html))
    stages.done()
    return DemoResult(inr, picture, beside, report, fitted, saved, runs, time.perf_counter() - began)


class _Stages:
    """Shares of the whole that its stages take, and the way from a fit's progress to the demonstration's."""

    def __init__(self, callback: Report | None) -> None:
        self._callback = callback
        self._message = ""
        self._start = self._end = 0.0

    def begin(self, message: str, share: float) -> Callable[[Progress], bool]:
        """The callback for a fit that takes this share of the whole."""
        self._message, self._start, self._end = message, self._end, self._end + share
        return lambda progress: self._tell(progress.fraction)

    def say(self, message: str) -> None:
        """Between fits."""
        self._message, self._start = message, self._end
        if self._tell(0.0):
            raise KeyboardInterrupt

    def check(self, result: FitResult) -> None:
        """End everything if a fit was told to stop."""
        if result.stopped == "callback":
            raise KeyboardInterrupt

    def done(self) -> None:
        """Nothing is left to do."""
        self._start = 1.0
        self._end = 1.0
        self._tell(1.0)

    def _tell(self, fraction: float) -> bool:
        if self._callback is None:
            return False
        return bool(self._callback(self._message, self._start + fraction * (self._end - self._start)))


def _photograph(side: int) -> Signal:
    from PIL import Image
    from skimage.data import astronaut

    picture = Image.fromarray(astronaut())
    if side != picture.width:
        picture = picture.resize((side, side), Image.Resampling.LANCZOS)
    return from_array(np.asarray(picture), kind="image")


def _summary(result: FitResult) -> dict[str, object]:
    return {
        "steps": result.steps,
        "seed": result.seed,
        "engine": result.engine,
        "recipe": result.recipe.name,
        "init": result.started_from,
    }


def _write_picture(path: Path, picture: RGB) -> None:
    write(path, picture, SignalSpec("image", picture.shape[:2], 3, "uint8", (0.0, 255.0), True))


def _compare(signal: Signal, settings: Settings, seed: int, stages: _Stages) -> list[Run]:
    """The paper's recipe with a grid, a segmentation and one network, all of equal parameters.

    Each on one thread: the seconds then measure the work, whatever number of threads a region can use.
    """
    recipe = replace(PAPER, learning_rate=settings.learning_rate, steps=settings.small_steps)
    nine = Siren(hidden=settings.hidden, layers=3)
    budget = 9 * nine.params(2, signal.channels)
    partitions = [
        ("PoG", Grid(3, 3).partition(signal), 0.1),
        ("PoS", _segmentation(settings.small), 0.1),
        ("One network", Whole().partition(signal), 0.4),
    ]
    runs = []
    for name, partition, share in partitions:
        # As in the paper's own comparison, parameters are equal within one per cent.
        network = fit_width(nine, int(1.01 * budget), partition.regions, 2, signal.channels)
        result = fit(
            signal,
            partition,
            network,
            recipe=recipe,
            compute=Compute(threads=1),
            watch=Watch(stages.begin(f"comparing: {name}", share)),
            seed=seed,
        )
        stages.check(result)
        runs.append(Run(name, result))
    return runs


def _segmentation(side: int) -> Partition:
    """Nine segments of the photograph, found at its full size, as the segmenter expects, and then reduced."""
    labels = HFS(9).partition(_photograph(_FULL)).label_map
    nearest = ((np.arange(side) + 0.5) * (_FULL / side)).astype(int)
    _, renumbered = np.unique(labels[np.ix_(nearest, nearest)], return_inverse=True)
    return Partition.from_labels(renumbered.reshape(side, side), HFS(9).word)

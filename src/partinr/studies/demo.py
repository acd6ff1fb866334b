"""The demonstration: one photograph, fitted, saved, rendered, enlarged, and partitions compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from partinr import __version__
from partinr.file.inr import Saved, load, save
from partinr.files import make_folder, write_together
from partinr.fitting.fit import Compute, FitResult, fit
from partinr.fitting.goals.steps import Steps
from partinr.fitting.loop import Watch
from partinr.fitting.recipe import PAPER
from partinr.model.partition import Felzenszwalb, Grid, Partition, Whole
from partinr.model.rendering import render
from partinr.report import page, words
from partinr.report.enlarging import Window, describe, enlarged, side_by_side
from partinr.report.fit_report import fit_sections, function_section
from partinr.report.pictures import Picture, write_rgb
from partinr.signals.array import from_array
from partinr.signals.signal import Signal
from partinr.signals.writing import write
from partinr.studies.comparison import Comparison, Variant, compare
from partinr.studies.comparison.page import comparison_sections
from partinr.studies.comparison.variant import described
from partinr.studies.telling import Report, telling
from partinr.text import utf8

# Side of the photograph as scikit-image has it.
_FULL = 512
# Shares of the whole after the fit, after its files, and after the comparison.
_FITTED, _RENDERED, _COMPARED = 0.25, 0.3, 0.85


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
        learning_rate: of every run of the comparison. The paper's 1e-4 is for wider networks and more steps.
            Of 5e-4, 7e-4, 1e-3 and 2e-3 this is the highest at which one network still learns steadily;
            partitions do better still at 1e-3 and above.
    """

    size: int = _FULL
    steps: int | None = None
    window: Window = ((64, 192), (160, 288))
    scale: int = 4
    small: int = 96
    small_steps: int = 800
    learning_rate: float = 7e-4


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demonstration wrote and measured.

    Attributes:
        inr: the fitted photograph.
        picture: it, rendered from that file.
        enlarged: a part of it, enlarged, beside filters.
        report: the page with everything.
        fit: that of the photograph.
        saved: about the file.
        comparison: one network, a grid (PoG) and a segmentation (PoS); the files of its fits are gone.
        seconds: duration of everything.
    """

    inr: Path
    picture: Path
    enlarged: Path
    report: Path
    fit: FitResult
    saved: Saved
    comparison: Comparison
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
    tell = telling(callback)
    photograph = _photograph(chosen.size)
    watch = Watch(lambda progress: tell("fitting the photograph", _FITTED * progress.fraction))
    fitted = fit(photograph, goal=Steps(chosen.steps), watch=watch, seed=seed)
    tell("saving and rendering", _FITTED)
    summary = {"steps": fitted.steps, "seed": seed, "engine": fitted.engine, "recipe": fitted.recipe.name}
    saved = save(fitted.model, inr, store="auto", signal=photograph, summary=summary)
    model = load(inr)
    write(picture, render(model), photograph.spec)
    crops = enlarged(model, photograph, chosen.window, chosen.scale)
    write_rgb(beside, side_by_side(crops))

    with TemporaryDirectory(prefix="partinr-") as place:
        comparison = _compare(place, chosen, seed, tell)
        tell("writing the page", _COMPARED)
        html = _page(fitted, saved, crops, describe(chosen.window), comparison)
    write_together({report: utf8(html)})
    tell("done", 1.0)
    return DemoResult(inr, picture, beside, report, fitted, saved, comparison, time.perf_counter() - began)


def _photograph(side: int) -> Signal:
    from PIL import Image
    from skimage.data import astronaut

    picture = Image.fromarray(astronaut())
    if side != picture.width:
        picture = picture.resize((side, side), Image.Resampling.LANCZOS)
    return from_array(np.asarray(picture), kind="image")


def _compare(folder: str, settings: Settings, seed: int, tell: Callable[[str, float], None]) -> Comparison:
    """The paper's recipe with one network, a grid and a segmentation, all of equal parameters.

    Each on one thread: the seconds then measure the work, whatever number of threads a region can use.
    """
    signal, side = _photograph(settings.small), settings.small
    recipe = PAPER.changed(learning_rate=settings.learning_rate, steps=settings.small_steps)
    single, grid = (Variant.of(signal, rule, "siren", recipe) for rule in (Whole(), Grid(3, 3)))
    # Nine segments, found at the photograph's full size, as the segmenter expects, and then reduced.
    rule, nearest = Felzenszwalb(9), ((np.arange(side) + 0.5) * (_FULL / side)).astype(int)
    labels = rule.partition(_photograph(_FULL)).label_map[np.ix_(nearest, nearest)]
    segments = replace(grid, name=described(rule), partition=Partition.from_labels(labels, rule.word))
    share = _COMPARED - _RENDERED
    return compare(
        signal,
        [single, grid, segments],
        folder,
        seeds=(seed,),
        compute=Compute(threads=1),
        callback=lambda standing: tell(
            f"comparing: {standing.name}", min(_RENDERED + share * standing.fraction, _COMPARED)
        ),
    )


def _page(
    fitted: FitResult, saved: Saved, crops: Sequence[Picture], where: str, comparison: Comparison
) -> str:
    introduction = (
        f"scikit-image's astronaut, fitted, saved, rendered and compared by partinr {__version__}. "
        "All numbers on this page were measured in the run that wrote it."
    )
    between = (
        f"{where}, as {saved.path.name} has them: each new pixel is the mean of the function over its area. "
        "Bilinear, bicubic and Lanczos interpolation are Pillow's."
    )
    compared = (
        f"The same photograph at {words.extent(comparison.signal.shape)} pixels, learned with equally many "
        "parameters, steps and one thread: as one network, split by a grid (PoG), and by a segmentation "
        "of the picture (PoS)."
    )
    sections = [
        function_section(saved, fitted.signal, [page.paragraph(between), page.gallery(crops)]),
        *fit_sections(fitted, saved, function=False),
        page.Section("Partition against one network", [page.paragraph(compared)]),
        *comparison_sections(comparison),
    ]
    return page.document("partinr: a demonstration", introduction, sections)

"""The demonstration of a volume: a scan of thick slices, fitted, saved, and rendered between its slices.

The scan is made here, so that what lies between its slices is known: ellipsoids with soft edges, in the
units of computed tomography, with a scanner's noise.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy import ndarray

from partinr import __version__
from partinr.file.inr import Saved, load, save
from partinr.files import make_folder, write_together
from partinr.fitting.fit import FitResult, fit
from partinr.fitting.goals.compact import Compact
from partinr.fitting.loop import Watch
from partinr.model.rendering import render
from partinr.report import page, words
from partinr.report.fit_report import fit_sections
from partinr.report.pictures import Picture, to_rgb
from partinr.report.volume_views import stretched
from partinr.shapes import Float64, Shaped
from partinr.signals.array import from_array
from partinr.signals.metrics import psnr
from partinr.signals.signal import Signal
from partinr.signals.volumes.geometry import described
from partinr.signals.writing import write
from partinr.studies.telling import Report, telling
from partinr.text import utf8

# Centre and half axes (plane, row, column) in shares of the volume's half, turn in the slice, and what is
# added to the Hounsfield units: a head of skull, brain, ventricles and lesions, after Shepp and Logan.
_ELLIPSOIDS = (
    ((0.0, 0.0, 0.0), (0.92, 0.9, 0.7), 0.0, 2000.0),
    ((0.0, 0.0, 0.0), (0.84, 0.83, 0.63), 0.0, -960.0),
    ((0.0, 0.05, 0.22), (0.3, 0.32, 0.11), -0.31, -60.0),
    ((0.0, 0.05, -0.22), (0.36, 0.4, 0.14), 0.31, -60.0),
    ((0.1, -0.35, 0.0), (0.4, 0.25, 0.2), 0.0, 40.0),
    ((0.25, 0.45, 0.1), (0.12, 0.08, 0.06), 0.8, 120.0),
    ((-0.3, 0.5, -0.15), (0.1, 0.05, 0.09), 0.0, 160.0),
    ((-0.45, -0.2, 0.3), (0.16, 0.1, 0.1), 0.5, 90.0),
)
_AIR, _NOISE, _EDGE_MM = -1000.0, 12.0, 0.9
_SIDES_MM = (2.5, 0.8, 0.8)
_FITTED = 0.8


@dataclass(frozen=True)
class VolumeSettings:
    """What the demonstration does.

    Attributes:
        shape: planes, rows and columns of the scan.
        psnr: of the fit, in dB: about that of the noise, 50.7, so that the function has little of it.
        between: planes of the rendering for each plane of the scan; odd, so that planes of the scan are
            among them.
    """

    shape: tuple[int, int, int] = (52, 180, 160)
    psnr: float = 50.0
    between: int = 3


@dataclass(frozen=True, eq=False)
class VolumeDemo:
    """What the demonstration wrote and measured.

    Attributes:
        inr: the fitted scan.
        scan: the scan as it was made, a stack with its spacing.
        thin: the scan with slices between its own, rendered from the file.
        report: the page.
        fit: that of the scan.
        saved: about the file.
        between: PSNR in dB at planes between those of the scan, against what is there without noise: of the
            file, and of interpolation of the scan between the two nearest planes.
        seconds: duration of everything.
    """

    inr: Path
    scan: Path
    thin: Path
    report: Path
    fit: FitResult
    saved: Saved
    between: tuple[float, float]
    seconds: float


def run(
    folder: Path,
    callback: Report | None = None,
    *,
    seed: int = 0,
    settings: VolumeSettings | None = None,
) -> VolumeDemo:
    """Make a scan, fit and save it, render slices between its own, and write a page.

    Args:
        folder: where the files go; made if missing. Files of an earlier run are replaced.
        callback: told about progress.
        seed: of the scanner's noise.
        settings: what to do; by default what `VolumeSettings` says.

    Raises:
        InputError: the folder cannot be made or written to.
        KeyboardInterrupt: the callback returned True; files that are there by then are whole.
        OSError: the disk is full.
    """
    began = time.perf_counter()
    chosen = VolumeSettings() if settings is None else settings
    inr, scan, thin, report = (folder / n for n in ("scan.inr", "scan.tif", "thin.tif", "report.html"))
    make_folder(folder, *(file.name for file in (inr, scan, thin, report)))
    tell = telling(callback)
    tell("making the scan", 0.0)
    signal = scanned(chosen.shape, seed)
    write(scan, signal.values, signal.spec)
    watch = Watch(lambda progress: tell("fitting the scan", _FITTED * progress.fraction))
    fitted = fit(signal, goal=Compact(psnr=chosen.psnr), watch=watch)
    saved = save(fitted.model, inr, store="auto", signal=signal)
    tell("rendering between the slices", _FITTED)
    model = load(inr)
    planes = chosen.between * chosen.shape[0]
    size = (planes, *chosen.shape[1:])
    values = render(model, size=size).reshape(*size, 1)
    write(thin, values, model.signal.resampled(size))
    truth = body(chosen.shape, planes) - signal.spec.source["intercept"]
    linear = _interpolated(signal, planes)
    own = np.arange(planes) % chosen.between != chosen.between // 2
    low, high = signal.spec.value_range
    ours, theirs = (psnr(truth[own], other[own], high - low) for other in (values[..., 0], linear))
    tell("writing the page", 0.95)
    html = _page(fitted, saved, values, linear, truth, (ours, theirs))
    write_together({report: utf8(html)})
    tell("done", 1.0)
    seconds = time.perf_counter() - began
    return VolumeDemo(inr, scan, thin, report, fitted, saved, (ours, theirs), seconds)


def body(shape: tuple[int, int, int], planes: int) -> Float64[ndarray, "planes rows columns"]:
    """What is scanned, in Hounsfield units, at the middles of so many slices of equal thickness.

    Args:
        shape: planes, rows and columns of the scan, which say how large the body is.
        planes: slices that are looked at.
    """
    counts = (planes, *shape[1:])
    places = [
        ((np.arange(n) + 0.5) * (2 / n) - 1).reshape([-1 if i == a else 1 for i in range(3)])
        for a, n in enumerate(counts)
    ]
    values = np.full(counts, _AIR)
    half = [n * side / 2 for n, side in zip(shape, _SIDES_MM, strict=True)]
    for centre, axes, turn, added in _ELLIPSOIDS:
        z, y, x = (place - c for place, c in zip(places, centre, strict=True))
        cos, sin = np.cos(turn), np.sin(turn)
        rows, columns = cos * y - sin * x, sin * y + cos * x
        radius = np.sqrt((z / axes[0]) ** 2 + (rows / axes[1]) ** 2 + (columns / axes[2]) ** 2)
        # About how far the surface is, in millimetres.
        depth = (1 - radius) * min(a * h for a, h in zip(axes, half, strict=True))
        values += added / (1 + np.exp(np.clip(-depth / _EDGE_MM, -60, 60)))
    return values


def scanned(shape: tuple[int, int, int], seed: int) -> Signal:
    """The scan: 16-bit integers with a scanner's offset, and where its samples lie."""
    noisy = body(shape, shape[0]) + np.random.default_rng(seed).normal(0, _NOISE, shape)
    stored: Shaped[ndarray, "planes rows columns"] = np.rint(noisy + 1024).clip(0, 4095).astype(np.int16)
    affine = np.zeros((3, 4))
    affine[:, :3] = np.diag(_SIDES_MM[::-1]) * ((-1.0,), (-1.0,), (1.0,))
    affine[:, 3] = -affine[:, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    axes, source = described(affine)
    source |= {"intercept": -1024.0, "value_unit": "HU"}
    signal = from_array(stored, channels_last=False, value_range=(0, 4095), kind="volume")
    return replace(signal, spec=replace(signal.spec, axes=axes, source=source))


def _interpolated(signal: Signal, planes: int) -> Float64[ndarray, "planes rows columns"]:
    """The scan between its planes, on straight lines."""
    values = signal.values[..., 0].astype(np.float64)
    at = np.clip((np.arange(planes) + 0.5) * (len(values) / planes) - 0.5, 0, len(values) - 1)
    below = np.minimum(at.astype(int), len(values) - 2)
    share = (at - below)[:, None, None]
    between: Float64[ndarray, "planes rows columns"] = values[below] * (1 - share) + values[below + 1] * share
    return between


def _page(
    fitted: FitResult,
    saved: Saved,
    values: Shaped[ndarray, "planes rows columns 1"],
    linear: Float64[ndarray, "planes rows columns"],
    truth: Float64[ndarray, "planes rows columns"],
    between: tuple[float, float],
) -> str:
    spec = fitted.signal.spec
    row = spec.shape[1] // 2
    steps = (_SIDES_MM[0] * spec.shape[0] / len(values), _SIDES_MM[2])
    thick = (_SIDES_MM[0], _SIDES_MM[2])
    shown = (900.0, 1250.0)
    drawn = [
        ("The scan", fitted.signal.values[:, row], thick, f"{spec.shape[0]} planes."),
        ("Interpolated", linear[:, row, :, None], steps, f"{words.decibels(between[1])} between the planes."),
        (saved.path.name, values[:, row], steps, f"{words.decibels(between[0])} between the planes."),
        ("What is there", truth[:, row, :, None], steps, f"{len(truth)} planes, without noise."),
    ]
    pictures = [
        Picture(name, stretched(to_rgb(part[::-1], spec, shown), sides), note)
        for name, part, sides, note in drawn
    ]
    low, high = (level + spec.source["intercept"] for level in shown)
    text = (
        f"A slice from ear to ear, from black at {low:g} HU to white at {high:g} HU. The scan has planes of "
        f"{_SIDES_MM[0]:g} mm and noise; the function is evaluated between them."
    )
    introduction = (
        f"A scan of a phantom, made, fitted, saved and rendered by partinr {__version__}. All numbers on "
        "this page "
        "were measured in the run that wrote it."
    )
    sections = [
        page.Section("Between the planes", [page.paragraph(text), page.gallery(pictures)]),
        *fit_sections(fitted, saved),
    ]
    return page.document("partinr: a demonstration of a volume", introduction, sections)

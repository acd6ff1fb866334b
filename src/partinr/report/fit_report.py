"""One page for one fit: numbers, pictures, curves, partition and settings."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from partinr import __version__
from partinr.errors import InputError
from partinr.file.inr import Saved, load
from partinr.files import atomic_write, check_writable
from partinr.fitting.fit import FitResult
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import quality, render
from partinr.model.seams import seam, unblended
from partinr.report import page, words
from partinr.report.density import density_scale, group_table, shades
from partinr.report.enlarging import Window, busiest_window, closeness, describe, enlarged, part
from partinr.report.facts import result_facts, setting_facts, solved
from partinr.report.figures import Plot, inline
from partinr.report.pictures import RGB, Picture, Shown, plane, shown_range, signed_error, to_rgb
from partinr.report.plots import (
    SHOWN_CHANNELS,
    Curve,
    Draw,
    curves,
    draw_borders,
    draw_samples,
    draw_signals,
    with_gaps,
)
from partinr.report.reconstructions import Reconstruction, in_the_loss, missing, reconstructions, regions
from partinr.report.sound import sound_sections
from partinr.report.video import video_views
from partinr.report.view.page import view
from partinr.report.volume_views import volume_views
from partinr.shapes import Shaped
from partinr.signals.codecs import Coded, beside, comparable
from partinr.signals.signal import Signal
from partinr.text import utf8

Values = Shaped[ndarray, "*shape channels"]

_SCALE, _SEAM_SCALE = 8, 4
_SEAM = "About 1 means that borders between regions do not show when enlarged; more, that lines do."
# Factors by which parts are shown enlarged, about how large they then are, and the least pixels of a part.
_SCALES, _SHOWN, _LEAST = (2, 3, 4, 8), 192, 8
# Other codecs take a second or so for a million pixels, AVIF several, and each is asked some ten times.
_MOST_CODED = 4_000_000
# Samples of an original that a page of its function has, for a few bytes each.
_MOST_BESIDE = 1_000_000
# Inches across a curve of one axis.
_WIDE = 9.0


def write_report(
    path: str | os.PathLike[str],
    result: FitResult,
    saved: Saved | None = None,
    *,
    reference: Signal | None = None,
) -> None:
    """Write a self-contained HTML page about a fit.

    Args:
        path: the file; an old one is replaced once the page is whole.
        result: the fit.
        saved: the file that the fit was saved to. What is shown and measured is then what that file holds.
        reference: the same scene with more pixels, if there is one, to compare the enlarged window with.

    Raises:
        InputError: the path cannot be written, or the saved file cannot be read.
        OSError: the disk is full.

    Example:
        >>> import numpy as np, partinr, tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "fit.html"
        >>> write_report(file, partinr.fit(np.eye(16), goal=partinr.Steps(5)))
        >>> file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
        True
    """
    check_writable(path)
    spec = result.signal.spec
    title = f"Fit of {words.extent(spec.shape)} samples" if saved is None else saved.path.name
    introduction = (
        f"A {spec.dims}-D {spec.kind} of {words.extent(spec.shape)} samples, "
        f"{words.counted(spec.channels, 'channel')}, fitted piece by piece by partinr {__version__}."
    )
    html = page.document(title, introduction, fit_sections(result, saved, reference))
    with atomic_write(path) as file:
        file.write(utf8(html))


def function_section(saved: Saved, signal: Signal, stills: Sequence[page.Html]) -> page.Section:
    """The function itself, which the browser evaluates, where it can, and enlargements of it."""
    told = signal.spec.dims > 1 or not signal.missing
    original = signal if signal.spec.samples <= _MOST_BESIDE and told else None
    text = (
        "The file itself, of which your browser computes every pixel: click, and zoom with wheel or fingers. "
        f"Beside it are {'' if original is None else 'the original and '}other ways between its samples."
    )
    try:
        html, _ = view(saved.path, original)
    except InputError:
        return page.Section("Between the samples", stills)
    alive = page.live(html.decode(), f"{saved.path.name}, to zoom into")
    return page.Section("Between the samples", [page.paragraph(text), alive, *stills])


def fit_sections(
    result: FitResult,
    saved: Saved | None = None,
    reference: Signal | None = None,
    *,
    function: bool = True,
) -> list[page.Section]:
    """What a page says about a fit; arguments as for `write_report`.

    Args:
        result: the fit.
        saved: the file that the fit was saved to.
        reference: the same scene with more pixels.
        function: whether the page has the function, and the enlargements that print has in its place.
    """
    signal = result.signal
    model = result.model if saved is None else load(saved.path, max_samples=None)
    values = render(model).reshape(signal.values.shape)
    of_dims = (
        _sections_1d(model, signal, values, saved if function else None)
        if signal.spec.dims == 1
        else _sections(model, signal, values, reference, saved, function)
    )
    heard = sound_sections(signal, values) if signal.spec.kind == "sound" else []
    return [
        page.Section("Result", [page.facts(result_facts(result, saved, quality(model, signal, values)))]),
        *heard,
        *codec_sections(signal, saved),
        *of_dims,
        *([] if solved(model) else [page.Section("Learning", _learning(result))]),
        page.Section("Settings", [page.facts(setting_facts(result))]),
    ]


def codec_sections(signal: Signal, saved: Saved | None) -> list[page.Section]:
    """The file beside those of other codecs at its PSNR; nothing if they hold no such signal."""
    if saved is None or saved.psnr is None or not comparable(signal):
        return []
    if signal.spec.samples > _MOST_CODED:
        text = (
            f"Pictures of more than {_MOST_CODED:,} pixels take other codecs a while: "
            "`partinr info FILE.inr --reference IMAGE` compares with them."
        )
        return [page.Section("Beside other codecs", [page.paragraph(text)])]
    rows: list[tuple[str, ...]] = []
    for coded in [Coded("this file", saved.bytes, saved.psnr), *beside(signal, saved.psnr)]:
        if coded.bytes is None:
            rows.append((coded.codec, "–", "–", coded.why or "cannot hold it", "–"))
            continue
        bits = 8 * coded.bytes / signal.spec.samples
        share = f"{saved.bytes / coded.bytes:.0%}"
        rows.append((coded.codec, f"{coded.bytes:,}", f"{bits:.2f}", words.decibels(coded.psnr), share))
    head = ("", "Bytes", "Bits a sample", "PSNR", "This file's share of it")
    caption = (
        "Files of other codecs, as Pillow writes them, at the PSNR of this one: interpolated between two "
        "neighbouring qualities, colours halved or not, whichever takes less. PNG loses nothing."
    )
    if signal.missing:
        caption += " They cannot leave out pixels that are missing, and were given a smooth filling there."
    return [page.Section("Beside other codecs", [page.table(head, rows, caption)])]


def _sections(
    model: Piecewise,
    signal: Signal,
    values: Values,
    reference: Signal | None,
    saved: Saved | None,
    function: bool,
) -> list[page.Section]:
    several = len(model.networks) > 1 or model.spectra is not None
    drawn = regions("Partition", signal, model.partition, shades(model) if several else None)
    if signal.spec.dims != 3:
        made = [Reconstruction("Reconstruction", "", values)]
        shows = page.Section("Pictures", reconstructions(signal, made))
    elif signal.spec.kind == "video":
        shows = page.Section("Frames", video_views(signal, values))
    else:
        shows = page.Section("Slices", volume_views(signal, values))
    sections = [
        shows,
        page.Section(
            "Partition",
            [
                page.gallery([drawn], large=True),
                *([density_scale(model), group_table(model)] if several else []),
            ],
        ),
    ]
    if min(signal.shape[-2:]) >= _LEAST:
        shown = shown_range(signal)
        picture = to_rgb(plane(signal.values), signal.spec, shown)
        of = " Filters enlarge a smooth filling of what is missing." if signal.missing else ""
        stills: list[page.Html] = []
        for scale in _SCALES:
            window = _window(picture, scale)
            pictures = enlarged(model, signal, window, scale, shown, reference)
            text = f"{describe(window)}, the most detailed part of this size, enlarged {scale} times.{of}"
            stills += [page.paragraph(text), page.gallery(pictures)]
        if saved is None:
            sections.append(page.Section("Enlarged", stills))
        elif function:
            sections.append(function_section(saved, signal, stills))
        if reference is not None:
            sections.append(page.Section("Beside the reference", [_closeness(model, signal, reference)]))
        if model.regions > 1:
            sections.append(_meeting(model, _window(picture, _SEAM_SCALE), shown))
    return sections


def _window(picture: RGB, scale: int) -> Window:
    """The most detailed part that is as large as is shown when it is enlarged."""
    return busiest_window(picture, max(_LEAST, min(_SHOWN // scale, min(picture.shape[:2]) // 2)))


def _closeness(model: Piecewise, signal: Signal, reference: Signal) -> page.Html:
    """How close enlargements of the whole come to a picture with more pixels."""
    rows = [
        (how, f"{found:.2f}", "" if similar is None else f"{similar:.4f}")
        for how, found, similar in closeness(model, signal, reference)
    ]
    caption = f"The whole enlarged to {words.extent(reference.shape)} pixels, against what it was made from"
    return page.table(["Enlarged by", "PSNR (dB)", "SSIM"], rows, caption)


def _meeting(model: Piecewise, window: Window, shown: Shown) -> page.Section:
    """Where regions meet: the figure for seams, and the same part with and without blending."""
    figure = seam(model)
    text = "" if figure is None else f"Seam figure: {figure:.2f}. {_SEAM}"
    pictures = [Picture("Each region alone", part(unblended(model), window, _SEAM_SCALE, shown))]
    if model.blend:
        overlap = words.counted(model.overlap, "sample")
        label = f"Blended over {overlap} of overlap" if model.overlap else "Blended between samples"
        pictures.append(Picture(label, part(model, window, _SEAM_SCALE, shown)))
    where = f"{describe(window)}, enlarged {_SEAM_SCALE} times."
    return page.Section("Where regions meet", [page.paragraph(f"{text} {where}"), page.gallery(pictures)])


def _sections_1d(model: Piecewise, signal: Signal, values: Values, saved: Saved | None) -> list[page.Section]:
    exact = with_gaps(signal).astype(np.float64)
    error = signed_error(exact, values, signal.spec)
    side = min(64, signal.shape[0])
    mean = signal.values.astype(np.float64).mean(axis=1)
    jump = int(np.abs(np.diff(mean, prepend=mean[0])).argmax())
    start = min(max(0, jump - side // 2), len(exact) - side)
    stop = start + side
    between = render(model, scale=_SCALE, crop=((start, stop),)).reshape(side * _SCALE, signal.channels)
    places = start + (np.arange(side * _SCALE) + 0.5) / _SCALE - 0.5
    drawn: list[tuple[Draw, str]] = [
        (
            lambda axes: draw_signals(axes, [exact, values]),
            "Original (solid) and reconstruction (dashed)."
            + _shown_channels(signal.channels)
            + f" {missing(signal, 'gaps')}".rstrip(),
        ),
        (
            lambda axes: draw_signals(axes, [error], "error (%)"),
            "Error: reconstruction less original, in per cent of the value range.",
        ),
        (
            lambda axes: draw_borders(axes, signal, model.partition),
            f"Partition {model.partition.rule}: vertical lines are the borders of {model.regions:,} regions.",
        ),
        (
            lambda axes: draw_samples(axes, exact[start:stop], start, places, between),
            f"Samples {start} to {stop - 1} (dots), where the signal changes most, and the network between "
            "them (line).",
        ),
    ]
    plots = [inline([Plot("", draw, caption, 3.0, _WIDE)], _WIDE) for draw, caption in drawn]
    several = len(model.networks) > 1 or model.spectra is not None
    table = [group_table(model)] if several else []
    alive = [] if saved is None else [function_section(saved, signal, [])]
    return [page.Section("Curves", [*plots, *table]), *alive]


def _learning(result: FitResult) -> Sequence[page.Html]:
    if len(result.history) == 0:
        return [page.paragraph("No step was made.")]
    batch = result.recipe.batch_for(result.signal.spec.samples / result.regions)
    of = "all samples" if batch is None else f"the {batch:,} samples of each region that a step used"
    text = f"PSNR of the loss over {of}, before the step's update and before values are clipped and rounded."
    text += in_the_loss(result.signal)
    history, target = result.history, result.goal.psnr
    level = None if target is None else (target, f"target, {target:g} dB")
    plots = [
        Plot(
            axis,
            curves([Curve("fit", x, history.psnr)], axis, "PSNR of the training samples (dB)", level=level),
            f"PSNR against {axis}. The dot marks the last step.",
        )
        for axis, x in (("steps", history.step), ("seconds", history.seconds))
    ]
    return [page.paragraph(text), inline(plots)]


def _shown_channels(count: int) -> str:
    return f" The first {SHOWN_CHANNELS} of {count} channels." if count > SHOWN_CHANNELS else ""

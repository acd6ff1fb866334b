"""The page of the demonstration; its sentences are made from what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

from partinr import __version__
from partinr.file.inr import Saved
from partinr.fitting.fit import FitResult
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import render
from partinr.report import page, words
from partinr.report.convergence import Run, psnr_after, psnr_plots, seconds_to
from partinr.report.fit_report import comparison, error_scale, result_facts, setting_facts
from partinr.report.overlay import overlay
from partinr.report.pictures import Picture, error_map, error_rgb, error_top, to_rgb


def demo_page(
    fitted: FitResult,
    saved: Saved,
    model: Piecewise,
    rendered: Shaped[ndarray, "rows columns channels"],
    crops: Sequence[Picture],
    where: str,
    runs: Sequence[Run],
) -> str:
    """The page.

    Args:
        fitted: the fit of the photograph.
        saved: the file that it was saved to.
        model: what that file holds.
        rendered: the model's rendering at its own size.
        crops: a part of the photograph, enlarged in several ways.
        where: what part, and how much.
        runs: the comparison: partitions, then one network.
    """
    signal = fitted.signal
    drawn = Picture(
        "Partition", overlay(signal, model.partition), f"{model.partition.rule}: {model.regions:,} regions."
    )
    sections = [
        page.Section(
            "The photograph as a piecewise network",
            [
                page.paragraph(
                    f"Fitted with the default settings and read back from {saved.path.name}: every region of "
                    "the picture has its own small network, which turns coordinates into colours."
                ),
                page.facts(result_facts(fitted, saved, rendered)),
                *comparison(signal, rendered),
                page.gallery([drawn], large=True),
            ],
        ),
        page.Section(
            "Between the pixels",
            [
                page.paragraph(
                    f"{where}. The network is evaluated at the centre of every new pixel; bicubic "
                    "interpolation is Pillow's. Regions are fitted independently; between the pixels of "
                    "neighbouring regions their values are blended."
                ),
                page.gallery(crops),
            ],
        ),
        page.Section("Partition against one network", _comparison(runs)),
        page.Section(
            "Settings",
            [
                page.paragraph("The photograph:"),
                page.facts(setting_facts(fitted)),
                page.paragraph(f"The comparison, here {runs[0].name}:"),
                page.facts(setting_facts(runs[0].result)),
            ],
        ),
    ]
    introduction = (
        f"scikit-image's astronaut, fitted, saved, rendered and compared by partinr {__version__}. "
        "All numbers on this page were measured in the run that wrote it."
    )
    return page.document("partinr: a demonstration", introduction, sections)


def _comparison(runs: Sequence[Run]) -> list[page.Html]:
    signal = runs[0].result.signal
    rendered = [render(run.result.model) for run in runs]
    errors = [error_map(signal.values, values, signal.spec) for values in rendered]
    top = error_top(errors)
    counts = [run.result.params for run in runs]
    return [
        page.paragraph(
            f"The same photograph at {words.extent(signal.shape)} pixels, learned three times with the same "
            "recipe (full batch, coordinates over the whole picture), rate and number of steps, on one "
            f"thread, with {min(counts):,} to {max(counts):,} parameters: split by a grid (PoG), by a "
            "segmentation of the picture (PoS), and not at all."
        ),
        *(page.paragraph(sentence) for sentence in findings(runs)),
        _table(runs),
        psnr_plots(runs),
        page.gallery(
            [
                Picture(
                    f"{run.name}, partition",
                    overlay(signal, run.result.model.partition),
                    f"{run.result.model.partition.rule}.",
                )
                for run in runs
            ]
        ),
        page.gallery(
            [
                Picture(
                    f"{run.name}, reconstruction",
                    to_rgb(values, signal.spec),
                    f"{words.decibels(run.result.psnr)}.",
                )
                for run, values in zip(runs, rendered, strict=True)
            ]
        ),
        page.gallery(
            [
                Picture(f"{run.name}, error", error_rgb(error, top), f"mean {error.mean():.2f} %.")
                for run, error in zip(runs, errors, strict=True)
            ]
        ),
        error_scale(top),
    ]


def findings(runs: Sequence[Run]) -> list[str]:
    """What the numbers of a comparison say; the last run is what the others are compared with.

    Args:
        runs: partitions, then one network, all of the same number of steps.
    """
    *partitioned, single = runs
    ends = words.listed([f"{_within(run)} has {words.decibels(run.result.psnr)}" for run in runs])
    sentences = [f"After {single.result.steps:,} steps {ends}."]
    for run in partitioned:
        took = run.result.seconds
        then = psnr_after(single.result.history, took)
        pace = (single.result.seconds / single.result.steps) / (took / run.result.steps)
        gain = run.result.psnr - then
        verdict = f"{abs(gain):.1f} dB {'less' if gain >= 0 else 'more'}"
        compared = f"{pace:.1f} times as long as" if pace >= 1 else f"{pace:.2f} of the time of"
        sentences.append(
            f"{run.name} was done after {words.seconds(took)}; at that time {_within(single)} had "
            f"{words.decibels(then)}, {verdict}. A step of {_within(single)} takes {compared} one "
            f"of {run.name}."
        )
    return sentences


def _within(run: Run) -> str:
    """The name as it stands within a sentence: PoG, but one network."""
    return run.name if run.name[1:] != run.name[1:].lower() else run.name.lower()


def _table(runs: Sequence[Run]) -> page.Html:
    # A quality that all runs reach, so that the time to it can be compared.
    level = float(np.floor(min(float(run.result.history.psnr.max()) for run in runs)))
    quickest = min(run.result.seconds for run in runs)
    head = (
        "",
        "Partition",
        "Networks",
        "Parameters",
        "PSNR",
        "SSIM",
        "Time",
        "A step",
        f"PSNR after {words.seconds(quickest)}",
        f"Time to {level:g} dB",
    )
    rows = [
        (
            run.name,
            run.result.model.partition.rule,
            run.architecture,
            f"{run.result.params:,}",
            words.decibels(run.result.psnr),
            "–" if run.result.ssim is None else f"{run.result.ssim:.4f}",
            words.seconds(run.result.seconds),
            f"{1000 * run.result.seconds / run.result.steps:.2f} ms",
            words.decibels(psnr_after(run.result.history, quickest)),
            words.seconds(seconds_to(run.result.history, level)),
        )
        for run in runs
    ]
    return page.table(head, rows, f"{runs[0].result.steps:,} steps each, one run each.")

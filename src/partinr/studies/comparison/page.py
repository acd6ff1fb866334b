"""The page of a comparison; its sentences are made from what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from partinr import __version__
from partinr.model.partition import Partition
from partinr.model.rendering import render
from partinr.report import page, words
from partinr.report.facts import recipe_facts
from partinr.report.figures import Plot, inline
from partinr.report.pictures import signed_error
from partinr.report.plots import draw_signals, with_gaps
from partinr.report.reconstructions import Reconstruction, in_the_loss, missing, reconstructions, regions
from partinr.signals.signal import Signal
from partinr.studies.comparison.plots import comparison_plots
from partinr.studies.comparison.rival import Rival
from partinr.studies.comparison.running import Comparison
from partinr.studies.comparison.summary import Family, Line, Spread, families

# Differences that are smaller than this (dB) are called none.
_EQUAL = 0.05


def comparison_page(title: str, comparison: Comparison, rivals: Sequence[Rival] = ()) -> str:
    """The page.

    Args:
        title: what was compared on, such as the name of a file.
        comparison: at least one run.
        rivals: reconstructions from elsewhere.
    """
    seeds = max(len(runs) for runs in comparison.by_variant)
    introduction = (
        f"A signal of {words.extent(comparison.signal.shape)} samples, fitted as one network and piece by "
        f"piece by partinr {__version__}, with {words.counted(seeds, 'seed')} each. All numbers on this page "
        "were measured in these fits."
    )
    if comparison.missing:
        introduction += f" {words.counted(comparison.missing, 'run')} of the comparison not done yet."
    return page.document(f"Comparison: {title}", introduction, comparison_sections(comparison, rivals))


def comparison_sections(comparison: Comparison, rivals: Sequence[Rival] = ()) -> list[page.Section]:
    """What a page says about a comparison; arguments as for `comparison_page`."""
    signal, groups = comparison.signal, families(comparison)
    sections = []
    for group in groups:
        name = f"{group.network}, {group.recipe} recipe"
        blocks = [page.paragraph(sentence) for sentence in findings(group)]
        blocks += [line_table(group, rivals), inline(comparison_plots(group, rivals))]
        sections.append(page.Section(name, blocks))
    return [
        *sections,
        page.Section("Partitions", _partitions(signal, groups)),
        page.Section("Reconstructions and errors", _pictures(signal, groups, rivals)),
        page.Section("How it was measured", _method(signal, groups)),
    ]


def findings(group: Family) -> list[str]:
    """Whether partitions are above the one network: at equal steps, equal seconds and equal arithmetic."""
    single = group.single
    others = [line for line in group.lines if line is not single]
    if single is None or not others:
        return []
    conditions = [
        (f"After {single.steps:,} steps", {line: line.psnr for line in group.lines}),
        (
            f"After {words.seconds(group.seconds)}, which the quickest of them takes",
            {line: line.psnr_after_seconds(group.seconds) for line in group.lines},
        ),
        (
            f"After {operations(group.flops)}, the least that any of them takes",
            {line: line.psnr_after_flops(group.flops) for line in group.lines},
        ),
    ]
    # Steps of recipes that differ in length cannot be equal.
    if any(line.steps != single.steps for line in others):
        del conditions[0]
    return [_verdict(when, psnr, single, others) for when, psnr in conditions]


def _verdict(when: str, psnr: dict[Line, Spread], single: Line, others: Sequence[Line]) -> str:
    ranked = sorted(others, key=lambda line: -psnr[line].mean)
    gains = {line: psnr[line].mean - psnr[single].mean for line in ranked}
    above = [f"{line.name} by {gain:.2f} dB" for line, gain in gains.items() if gain >= _EQUAL]
    below = [f"{line.name} by {-gain:.2f} dB" for line, gain in gains.items() if gain <= -_EQUAL]
    parts = []
    for side, which in (("above", above), ("below", below[::-1])):
        if which:
            every = "every partition is " if len(which) == len(others) > 1 else ""
            parts.append(f"{every}{side} it: {words.listed(which)}")
    if not parts:
        parts.append("no partition differs from it")
    return f"{when}, one network has {words.decibels(psnr[single].mean)}; {'; '.join(parts)}."


def line_table(group: Family, rivals: Sequence[Rival] = ()) -> page.Html:
    """Means and standard deviations of every variant, and the rivals below them."""
    head = (
        "",
        "Networks",
        "Parameters",
        "PSNR",
        "SSIM",
        "Bits a sample",
        "Seconds",
        "A step",
        f"PSNR after {words.seconds(group.seconds)}",
        f"PSNR after {operations(group.flops)}",
        f"Seconds to {group.level} dB",
    )
    rows: list[tuple[str, ...]] = [
        (
            line.name,
            _architecture(line),
            f"{line.runs[0].record.params:,}",
            spread(line.psnr),
            "–" if line.ssim is None else spread(line.ssim, 4),
            spread(line.bits),
            spread(line.seconds, 1),
            operations(line.flops),
            spread(line.psnr_after_seconds(group.seconds)),
            spread(line.psnr_after_flops(group.flops)),
            spread(line.seconds_to(group.level), 1),
        )
        for line in group.lines
    ]
    rows += [
        (
            rival.name,
            "–",
            "–" if rival.params is None else f"{rival.params:,}",
            spread(Spread(rival.psnr, None)),
            "–" if rival.ssim is None else f"{rival.ssim:.4f}",
            f"{rival.bits:.2f}",
            *["–"] * 5,
        )
        for rival in rivals
    ]
    count = max(len(line.runs) for line in group.lines)
    what = "Means and standard deviations over" if count > 1 else "One run each, with"
    of = f"{what} {words.counted(count, 'seed')}"
    return page.table(head, rows, f"PSNR in dB. {of}. Bits are those of the whole file as a fit writes it.")


def _architecture(line: Line) -> str:
    """Networks, their width and hidden layers, as the paper writes them: 9 × 170x3."""
    run, network = line.runs[0], line.runs[0].variant.network
    return f"{run.record.regions:,} × {network.width}x{network.hidden_layers - 1}"


def spread(values: Spread, digits: int = 2) -> str:
    """A mean and what it varies by: 30.12 ± 0.05."""
    if np.isinf(values.mean):
        return "exact"
    mean = f"{values.mean:.{digits}f}"
    return mean if values.deviation is None else f"{mean} ± {values.deviation:.{digits}f}"


def operations(flops: float) -> str:
    """A number of floating-point operations in the unit that suits it."""
    for unit, size in (("TFLOP", 1e12), ("GFLOP", 1e9), ("MFLOP", 1e6)):
        if flops >= size or unit == "MFLOP":
            return f"{flops / size:.3g} {unit}"
    raise AssertionError


def _partitions(signal: Signal, groups: Sequence[Family]) -> list[page.Html]:
    partitions: dict[bytes, tuple[str, Partition]] = {}
    for group in groups:
        for line in group.lines:
            partition = line.runs[0].variant.partition
            if partition.regions > 1:
                partitions.setdefault(partition.label_map.tobytes(), (line.name, partition))
    drawn = [regions(name, signal, partition) for name, partition in partitions.values()]
    if not drawn:
        return [page.paragraph("No variant has more than one region.")]
    return [page.gallery(drawn, large=signal.spec.dims == 1)]


def _pictures(signal: Signal, groups: Sequence[Family], rivals: Sequence[Rival]) -> list[page.Html]:
    several = len(groups) > 1
    made = []
    for group in groups:
        for line in group.lines:
            run = line.runs[0]
            name = f"{group.network}, {line.name}" if several else line.name
            rendered = render(run.model()).reshape(signal.values.shape)
            made.append(Reconstruction(name, f"{words.decibels(run.record.psnr)}.", rendered))
    made += [Reconstruction(rival.name, f"{words.decibels(rival.psnr)}.", rival.values) for rival in rivals]
    if signal.spec.dims == 1:
        return _lines(signal, made)
    text = "Of the first seed of each variant; all error maps have one scale."
    return [page.paragraph(text), *reconstructions(signal, made)]


def _lines(signal: Signal, made: Sequence[Reconstruction]) -> list[page.Html]:
    errors = [signed_error(with_gaps(signal), one.values, signal.spec) for one in made]
    top = max(1e-6, *(float(np.nanmax(np.abs(error))) for error in errors))
    plots = []
    for one, error in zip(made, errors, strict=True):

        def draw(axes, error=error):  # type: ignore[no-untyped-def]
            draw_signals(axes, [error], "error (%)")
            axes.set_ylim(-1.05 * top, 1.05 * top)

        plots.append(Plot(one.name, draw, f"{one.name}, {one.note} Reconstruction less original."))
    text = "Errors of the first seed of each variant, in per cent of the value range; all have one scale."
    told = [text, missing(signal, "gaps")]
    return [*(page.paragraph(text) for text in told if text), inline(plots)]


def _method(signal: Signal, groups: Sequence[Family]) -> list[page.Html]:
    looks = [m.steps for m in groups[0].lines[0].runs[0].record.history.measured]
    blocks = [
        page.paragraph(
            "PSNR and SSIM in the tables are those of the rendered signal at the end, clipped and rounded. "
            "Curves of PSNR, and PSNR after some seconds or some arithmetic, are of the training loss, which "
            "is neither; with minibatches it is that of the batch. SSIM is of renderings after "
            f"{words.listed([f'{step:,}' for step in looks])} steps; the clock stood still for them."
            + in_the_loss(signal)
        ),
        page.paragraph(
            "Arithmetic counts the floating-point operations of matrix products, forward and backward, two a "
            "multiplication; activations, encodings and the optimiser are left out. A sample passes through "
            "its own region's network only, so K regions take about 1/K of the arithmetic of one network of "
            "as many parameters. Under a schedule that ends with the fit, a run that is looked at before its "
            "end has not had its last, small steps."
        ),
    ]
    for group in groups:
        line = group.lines[-1]
        run = line.runs[0]
        samples = signal.spec.samples / run.record.regions
        facts = recipe_facts(run.variant.recipe, run.variant.network, samples)
        engines = [
            f"{other.runs[0].record.engine}, {other.runs[0].record.precision} ({other.name})"
            for other in group.lines
        ]
        blocks += [
            page.paragraph(f"{group.network}, {group.recipe} recipe, here {line.name}:"),
            page.facts([("Steps", f"{line.steps:,}"), *facts]),
            page.paragraph(f"Engines: {words.listed(engines)}."),
        ]
    return blocks

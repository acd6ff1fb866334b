"""Rate and distortion of pictures: partinr beside JPEG, WebP, AVIF, and what is published elsewhere.

    python experiments/rate_distortion.py IMAGES [--pattern 'kodim*.png']

Every number of partinr is of a file: bits are all its bytes, PSNR is that of its rendering. Files of other
codecs are Pillow's: as most are written, and "smallest", where JPEG may be progressive, and colours are
halved or not, whichever takes less. Between measured points of a picture PSNR is a line over the logarithm
of the bits. Published numbers are in published_rates.json, with their sources; those of single pictures are
taken for the same pictures, means are of all 24 of Kodak. Measurements are kept in experiments/runs, so that
a second call only draws again. Prints the tables, and writes them into docs/compact.md with a figure.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from manual import figure, publish, table

from partinr import Compact, Signal, __version__, fit, load, read, render, save
from partinr.signals.codecs import AVIF, JPEG, WEBP, Codec, decoded
from partinr.signals.metrics import psnr as psnr_of

RUNS = Path(__file__).parent / "runs" / "rate_distortion"
PUBLISHED = Path(__file__).parent / "published_rates.json"
OURS, SMALLEST = "partinr", ", smallest"
GOALS = (22, 24, 26, 28, 30, 32, 33, 34, 35, 36, 38, 40, 42, 44, 46, 49)
JPEG_QUALITIES = (*range(2, 100, 3), 99)
WEBP_QUALITIES = (*range(0, 100, 5), 97, 99, 100)
AVIF_QUALITIES = (10, 20, 30, 40, 50, 55, 60, 65, 70, 75, 80, 85, 90, 93, 96, 98, 100)
CODECS = {
    "JPEG": (replace(JPEG, settings=JPEG.settings[:1]), JPEG_QUALITIES),
    f"JPEG{SMALLEST}": (JPEG, JPEG_QUALITIES),
    "WebP": (WEBP, WEBP_QUALITIES),
    "AVIF": (replace(AVIF, settings=AVIF.settings[:1]), AVIF_QUALITIES),
    f"AVIF{SMALLEST}": (AVIF, AVIF_QUALITIES),
}
COLOURS = dict(
    zip((OURS, *CODECS), ("#d55e00", "#7f8790", "#7f8790", "#009e73", "#1f83c4", "#1f83c4"), strict=True)
)
LEVELS = (30, 33, 35, 38, 40, 42)
RATES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)

Curve = list[list[float]]
"""Bits a sample and PSNR in dB of points, by bits."""


def ours(signal: Signal) -> Curve:
    """Files of partinr, loaded and rendered again."""
    points = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.inr"
        for goal in GOALS:
            save(fit(signal, goal=Compact(psnr=goal)).model, path, store="auto", signal=signal)
            points.append([bits(path.stat().st_size, signal), distance(signal, render(load(path)))])
    return sorted(points)


def of_codec(signal: Signal, codec: Codec, qualities: Sequence[int], setting: int) -> Curve:
    """Files of a codec with one of its settings, decoded again."""
    points = []
    for quality in qualities:
        payload = codec.encoded(signal.values, quality, codec.settings[setting])
        points.append([bits(len(payload), signal), distance(signal, decoded(payload, signal.channels))])
    return sorted(points)


def bits(size: int, signal: Signal) -> float:
    return 8 * size / signal.spec.samples


def distance(signal: Signal, values: Any) -> float:
    return psnr_of(signal.values, values.reshape(signal.values.shape), 255.0)


def measured(path: Path) -> dict[str, list[Curve]]:
    """The curves of one picture: one of each codec and setting; kept."""
    signal = read(path)
    kept = RUNS / f"{path.stem}-{__version__}.json"
    found: dict[str, list[Curve]] = json.loads(kept.read_text()) if kept.exists() else {}
    if OURS not in found:
        found[OURS] = [ours(signal)]
    curve = cache(lambda name, i: of_codec(signal, *CODECS[name], i))
    for name, (codec, _) in CODECS.items():
        if name not in found:
            # The first setting is that of the codec as it is mostly used.
            usual = name.removesuffix(SMALLEST)
            found[name] = [curve(name if i else usual, i) for i in range(len(codec.settings))]
    RUNS.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found))
    print(path.stem, {name: len(curves[0]) for name, curves in found.items()}, flush=True)
    return found


def psnr_at(curves: list[Curve], rate: float) -> float:
    """PSNR at a rate, of the best of the curves; NaN where none reaches it."""
    found = [
        np.interp(np.log(rate), np.log([x for x, _ in c]), [y for _, y in c], np.nan, np.nan) for c in curves
    ]
    return float(np.nanmax([*found, -np.inf])) if not np.isnan(found).all() else np.nan


def bits_at(curves: list[Curve], psnr: float) -> float:
    """Bits a sample at a PSNR, of the best of the curves; NaN where none reaches it."""
    found = []
    for curve in curves:
        by_psnr = sorted((y, np.log(x)) for x, y in curve)
        found.append(
            np.exp(np.interp(psnr, [y for y, _ in by_psnr], [x for _, x in by_psnr], np.nan, np.nan))
        )
    return float(np.nanmin([*found, np.inf])) if not np.isnan(found).all() else np.nan


Measured = dict[str, dict[str, list[Curve]]]
"""Curves of each codec, of each picture."""


def ratios(pictures: Measured, name: str, psnr: float) -> np.ndarray:
    """Bits of partinr over those of a codec at a PSNR, of each picture; NaN where one does not reach it."""
    return np.array([bits_at(one[OURS], psnr) / bits_at(one[name], psnr) for one in pictures.values()])


def ratio_table(pictures: Measured) -> str:
    """Ratios of bits at equal PSNR: median, and the worst picture."""
    rows = []
    for name in CODECS:
        row = [name]
        for psnr in LEVELS:
            found = ratios(pictures, name, psnr)
            reached = found[~np.isnan(found)]
            row.append(
                f"{np.median(reached):.2f} ({reached.max():.2f}){count(found)}" if len(reached) else "–"
            )
        rows.append(row)
    return table(["bits of partinr over those of", *(f"{psnr} dB" for psnr in LEVELS)], rows)


def gain_table(pictures: Measured) -> str:
    """Mean difference of PSNR at equal bits."""
    rows = []
    for name in CODECS:
        row = [name]
        for rate in RATES:
            found = np.array([psnr_at(p[OURS], rate) - psnr_at(p[name], rate) for p in pictures.values()])
            reached = found[~np.isnan(found)]
            row.append(f"{reached.mean():+.2f}{count(found)}" if len(reached) else "–")
        rows.append(row)
    return table(["PSNR of partinr above", *(f"{rate:g} bits" for rate in RATES)], rows)


def count(found: np.ndarray) -> str:
    """How many pictures a number is of, if not of all."""
    known = int((~np.isnan(found)).sum())
    return "" if known == len(found) else f" of {known}"


def published_table(pictures: Measured, published: dict[str, Any]) -> str:
    """What is published, and partinr at the same rate."""
    rows = []
    for name, facts in published.items():
        for rate, theirs in published_points(facts, pictures):
            mine = np.mean([psnr_at(one[OURS], rate) for one in pictures.values()])
            which = "the same pictures" if "pictures" in facts else "all of Kodak"
            if not np.isnan([mine, theirs]).any():
                rows.append(
                    [name, which, f"{rate:.3g}", f"{theirs:.2f}", f"{mine:.2f}", f"{mine - theirs:+.2f}"]
                )
    return table(["", "mean over", "bits a sample", "PSNR", "partinr", "difference"], rows)


def published_points(facts: dict[str, Any], pictures: Measured) -> list[tuple[float, float]]:
    """Rates and mean PSNRs; of the pictures where each has its own curve."""
    if "mean" in facts:
        return [(rate, psnr) for rate, psnr in facts["mean"]]
    known = facts["pictures"]
    if not set(pictures) <= set(known):
        return []
    return [(rate, float(np.mean([psnr_at([known[p]], rate) for p in pictures]))) for rate in (0.15, *RATES)]


def draw(pictures: Measured, published: dict[str, Any]) -> Any:
    """Mean PSNR against bits, and the ratio of bits to JPEG's against PSNR."""

    def curves(drawn: Any) -> None:
        left, right = drawn.subplots(1, 2)
        rates = np.geomspace(0.1, 4, 60)
        for name in (OURS, *CODECS):
            mean = np.mean([[psnr_at(one[name], r) for r in rates] for one in pictures.values()], axis=0)
            style = "--" if name.endswith(SMALLEST) else "-"
            left.plot(
                rates, mean, style, color=COLOURS[name], label=name, linewidth=2.2 if name == OURS else 1.3
            )
        for (name, facts), mark in zip(published.items(), "^vsD", strict=True):
            points = np.array(published_points(facts, pictures)).reshape(-1, 2)
            left.plot(
                *points.T, mark, color="black", markersize=5, label=f"{name}, published", fillstyle="none"
            )
        left.set_xscale("log")
        left.set_xticks([0.1, 0.25, 0.5, 1, 2, 4], ["0.1", "0.25", "0.5", "1", "2", "4"])
        left.minorticks_off()
        left.set_xlabel("bits a sample")
        left.set_ylabel("mean PSNR (dB)")
        levels = np.arange(26, 45)
        for name in CODECS:
            found = np.array([ratios(pictures, name, psnr) for psnr in levels])
            whole = ~np.isnan(found).any(axis=1)
            style = "--" if name.endswith(SMALLEST) else "-"
            right.plot(levels[whole], np.median(found[whole], axis=1), style, color=COLOURS[name], label=name)
        right.axhline(1, color="black", linewidth=0.8)
        right.set_xlabel("PSNR (dB)")
        right.set_ylabel("bits of partinr over those of the codec, median")
        right.set_ylim(0, 1.4)
        for axes in (left, right):
            axes.grid(alpha=0.2)
            axes.legend(fontsize=8, frameon=False)

    return curves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--pattern", default="*.png")
    options = parser.parse_args()
    paths = sorted(options.images.glob(options.pattern))
    if not paths:
        parser.error(f"no {options.pattern} in {options.images}")
    pictures = {path.stem: measured(path) for path in paths}
    published = json.loads(PUBLISHED.read_text())
    path = figure("rate_distortion", draw(pictures, published), (10, 4.2))
    sources = "; ".join(f"{name}: {facts['source']}" for name, facts in published.items())
    text = "\n\n".join(
        [
            f"![PSNR against bits a sample, and bits beside those of other codecs]({path})",
            "Bits at equal PSNR, median and in brackets the worst picture:",
            ratio_table(pictures),
            "PSNR in dB at equal bits a sample, mean:",
            gain_table(pictures),
            "What is published of codecs that fit a function to each picture:",
            published_table(pictures, published),
            f"{paths[0].stem} to {paths[-1].stem}, {len(paths)} pictures; a number that is not of all says "
            f"of how many. Published numbers: {sources}. Measured by `experiments/rate_distortion.py`.",
        ]
    )
    publish("compact.md", "rate distortion", text)


if __name__ == "__main__":
    main()

"""What a comparison leaves in its folder: a page, tables as CSV, and everything as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from partinr.files import make_folder, write_together
from partinr.studies.comparison.page import comparison_page
from partinr.studies.comparison.plots import comparison_plots
from partinr.studies.comparison.rival import Rival
from partinr.studies.comparison.running import Comparison
from partinr.studies.comparison.summary import Family, Line, Spread, families
from partinr.text import csv_table, jsonable, utf8

PAGE, RESULTS, RUNS, CURVES = "index.html", "results.json", "runs.csv", "curves.csv"
FIGURES = "figures"

_RUN_COLUMNS = (
    *("network", "recipe", "variant", "partition", "seed", "regions", "width", "layers", "params", "steps"),
    *("learning_rate", "psnr", "ssim", "bytes", "bits_per_sample", "stored_psnr", "seconds"),
    *("flops_per_step", "engine", "device", "precision"),
)
_CURVE_COLUMNS = ("network", "recipe", "variant", "seed", "step", "seconds", "flops", "psnr", "kind", "ssim")
# More steps than a curve can show would only make the file large.
_POINTS = 400


def write_comparison(
    folder: str | Path, comparison: Comparison, rivals: Sequence[Rival] = (), *, title: str = "a signal"
) -> dict[str, Any]:
    """Write index.html, results.json, runs.csv, curves.csv, and in figures/ the plots as PNG and SVG.

    Older ones are replaced once all are whole.

    Args:
        folder: that of the comparison.
        comparison: at least one run.
        rivals: reconstructions from elsewhere.
        title: what was compared on, such as the name of a file.

    Returns:
        what results.json holds.

    Raises:
        InputError: the folder cannot be written to.
        OSError: the disk is full.

    Example:
        >>> import numpy as np, partinr, tempfile
        >>> signal, folder = partinr.from_array(np.eye(20)), tempfile.mkdtemp()
        >>> recipe = partinr.Recipe(**{**vars(partinr.PAPER), "steps": 5})
        >>> variants = [partinr.Variant.of(signal, partinr.Grid(2, 2), "siren", recipe)]
        >>> written = write_comparison(folder, partinr.compare(signal, variants, folder))
        >>> written["variants"][0]["regions"]
        4
    """
    place = Path(folder)
    groups = families(comparison)
    facts = comparison_facts(comparison, groups, rivals)
    files = {
        PAGE: comparison_page(title, comparison, rivals),
        RESULTS: json.dumps(jsonable(facts), indent=1, allow_nan=False) + "\n",
        RUNS: csv_table(_RUN_COLUMNS, _run_rows(groups)),
        CURVES: csv_table(_CURVE_COLUMNS, _curve_rows(groups)),
    }
    together = {place / name: utf8(text) for name, text in files.items()}
    make_folder(place / FIGURES)
    for group in groups:
        for plot in comparison_plots(group, rivals):
            together |= plot.files(place / FIGURES)
    write_together(together)
    return facts


def comparison_facts(
    comparison: Comparison, groups: Sequence[Family], rivals: Sequence[Rival]
) -> dict[str, Any]:
    """The numbers of the tables, in JSON's types; an infinite PSNR is "inf", what is not known null."""
    return {
        "shape": list(comparison.signal.shape),
        "channels": comparison.signal.channels,
        "runs": len(comparison.runs),
        "missing": comparison.missing,
        "reused": comparison.reused,
        "variants": [_line_facts(group, line) for group in groups for line in group.lines],
        "references": [
            {
                "name": rival.name,
                "psnr": _number(rival.psnr),
                "ssim": rival.ssim,
                "params": rival.params,
                "bytes": rival.bytes,
                "bits_per_sample": rival.bits,
            }
            for rival in rivals
        ],
    }


def _line_facts(group: Family, line: Line) -> dict[str, Any]:
    run, single = line.runs[0], group.single
    after: dict[str, tuple[float, Callable[[Line], Spread]]] = {
        "equal_seconds": (group.seconds, lambda one: one.psnr_after_seconds(group.seconds)),
        "equal_flops": (group.flops, lambda one: one.psnr_after_flops(group.flops)),
    }
    return {
        "name": line.name,
        "network": group.network,
        "recipe": group.recipe,
        "partition": run.variant.partition.rule,
        "regions": run.record.regions,
        "width": run.variant.network.width,
        "layers": run.variant.network.hidden_layers - 1,
        "params": run.record.params,
        "steps": line.steps,
        "learning_rate": run.variant.recipe.rate_for(run.variant.network.width),
        "flops_per_step": line.flops,
        "seeds": [one.seed for one in line.runs],
        "psnr": _spread(line.psnr),
        "ssim": None if line.ssim is None else _spread(line.ssim),
        "bytes": _spread(line.bytes),
        "bits_per_sample": _spread(line.bits),
        "stored_psnr": _spread(line.stored_psnr),
        "seconds": _spread(line.seconds),
        "gain": None if single is None else _number(line.psnr.mean - single.psnr.mean),
        "seconds_to": {"psnr": group.level, **_spread(line.seconds_to(group.level))},
        **{
            name: {
                "at": at,
                "psnr": _spread(psnr(line)),
                "gain": None if single is None else _number(psnr(line).mean - psnr(single).mean),
            }
            for name, (at, psnr) in after.items()
        },
    }


def _spread(spread: Spread) -> dict[str, Any]:
    return {"mean": _number(spread.mean), "deviation": spread.deviation}


def _number(value: float) -> float | str | None:
    """JSON has no infinity; the difference of two is not known."""
    return None if math.isnan(value) else value if math.isfinite(value) else str(value)


def _run_rows(groups: Sequence[Family]) -> Iterable[Sequence[object]]:
    for group in groups:
        for line in group.lines:
            for run in line.runs:
                network, record = run.variant.network, run.record
                bits = 8 * record.bytes / run.variant.partition.counts.sum()
                yield (
                    *(group.network, group.recipe, line.name, run.variant.partition.rule, run.seed),
                    *(record.regions, network.width, network.hidden_layers - 1, record.params, record.steps),
                    *(run.variant.recipe.rate_for(network.width), record.psnr, record.ssim),
                    *(record.bytes, f"{bits:.6g}", record.stored_psnr, record.seconds),
                    *(record.flops, record.engine, record.device),
                    record.precision,
                )


def _curve_rows(groups: Sequence[Family]) -> Iterable[Sequence[object]]:
    """Training losses ("loss") before a step, and renderings ("rendered") after some."""
    for group in groups:
        for line in group.lines:
            for run in line.runs:
                history, who = run.record.history, (group.network, group.recipe, line.name, run.seed)
                shown = np.unique(np.linspace(0, len(history) - 1, _POINTS).round().astype(int))
                for i in shown.tolist():
                    seconds = float(history.seconds[i - 1]) if i else 0.0
                    yield (*who, i, f"{seconds:.6g}", i * line.flops, f"{history.psnr[i]:.4f}", "loss", "")
                for m in history.measured:
                    ssim = "" if m.ssim is None else f"{m.ssim:.6f}"
                    flops = m.steps * line.flops
                    yield (*who, m.steps, f"{m.seconds:.6g}", flops, f"{m.psnr:.4f}", "rendered", ssim)

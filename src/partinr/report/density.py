"""Where the parameters of a model are: shades for a picture, and a table of its groups."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.model.piecewise import Piecewise
from partinr.model.spectra import Spectra
from partinr.report import page, words
from partinr.report.pictures import error_stops
from partinr.shapes import Float64, Int64


def densities(model: Piecewise) -> Float64[ndarray, "regions"]:
    """Parameters a sample in each region; of spectra, coefficients other than 0, one at least."""
    spec = model.signal
    if model.spectra is not None:
        kept: Float64[ndarray, "regions"] = np.maximum(_kept(model.spectra), 1) / model.partition.counts
        return kept
    each = np.array([network.params(spec.dims, spec.channels) for network in model.networks])
    density: Float64[ndarray, "regions"] = each[model.structure.group_of] / model.partition.counts
    return density


def shades(model: Piecewise) -> Float64[ndarray, "regions"]:
    """Parameters a sample in each region on a scale of ratios, from 0 for the fewest to 1 for the most."""
    level = np.log(densities(model))
    low, high = level.min(), level.max()
    shade: Float64[ndarray, "regions"] = (level - low) / max(high - low, 1e-9)
    return shade


def density_scale(model: Piecewise) -> page.Html:
    """What the colours of `shades` stand for."""
    density = densities(model)
    ends = (f"{density.min():.2g}", f"{density.max():.2g}")
    what = "Parameters" if model.spectra is None else "Coefficients other than 0"
    return page.colour_bar(error_stops(), *ends, f"{what} a sample, on a scale of ratios.")


def group_table(model: Piecewise) -> page.Html:
    """Every group: its width, and its share of regions, samples and parameters; of spectra, every size of
    boxes."""
    spec, counts = model.signal, model.partition.counts
    if model.spectra is not None:
        return _box_table(model.spectra)
    rows = []
    groups = zip(model.networks, model.structure.members, strict=True)
    for network, members in sorted(groups, key=lambda group: group[0].width):
        samples = int(counts[members].sum())
        params = len(members) * network.params(spec.dims, spec.channels)
        rows.append(
            [
                f"{network.name}, {network.width} x {network.hidden_layers - 1}",
                f"{len(members):,}",
                f"{samples / spec.samples:.1%}",
                f"{params:,}",
                f"{params / model.params:.1%}",
                f"{params / samples:.3g}",
            ]
        )
    head = ["network", "regions", "of the samples", "parameters", "of all", "a sample"]
    return page.table(head, rows, "Groups: regions whose networks have one shape.")


def _box_table(spectra: Spectra) -> page.Html:
    """Boxes of each size, and their share of samples and coefficients."""
    sides = spectra.boxes[:, 1] - spectra.boxes[:, 0]
    samples, kept = sides.prod(axis=1), _kept(spectra)
    # Halves of odd sides differ by a sample.
    level = np.rint(np.log2(samples)).astype(np.int64)
    rows = []
    for size in np.unique(level)[::-1]:
        own = level == size
        rows.append(
            [
                words.extent(np.median(sides[own], axis=0).astype(int).tolist()),
                f"{np.count_nonzero(own):,}",
                f"{samples[own].sum() / samples.sum():.1%}",
                f"{kept[own].sum():,}",
                f"{kept[own].sum() / max(kept.sum(), 1):.1%}",
                f"{kept[own].sum() / samples[own].sum():.3g}",
            ]
        )
    head = ["box", "boxes", "of the samples", "coefficients other than 0", "of all", "a sample"]
    return page.table(
        head, rows, "Boxes by their size, which is the median of those that are about as large."
    )


def _kept(spectra: Spectra) -> Int64[ndarray, "regions"]:
    """Coefficients other than 0 of each box."""
    sides = spectra.boxes[:, 1] - spectra.boxes[:, 0]
    ends = np.cumsum(sides.prod(axis=1) * spectra.channels)
    counted = np.concatenate([[0], np.cumsum(spectra.integers != 0, dtype=np.int64)])
    kept: Int64[ndarray, "regions"] = np.diff(counted[ends], prepend=0)
    return kept

"""Where the parameters of a model are: shades for a picture, and a table of its groups."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from partinr.model.piecewise import PiecewiseINR
from partinr.report import page
from partinr.report.pictures import error_stops


def densities(model: PiecewiseINR) -> Float64[ndarray, "regions"]:
    """Parameters a sample in each region."""
    spec = model.signal
    each = np.array([group.network.params(spec.dims, spec.channels) for group in model.group_list])
    density: Float64[ndarray, "regions"] = each[model.group_of.cpu().numpy()] / model.partition.counts
    return density


def shades(model: PiecewiseINR) -> Float64[ndarray, "regions"]:
    """Parameters a sample in each region on a scale of ratios, from 0 for the fewest to 1 for the most."""
    level = np.log(densities(model))
    low, high = level.min(), level.max()
    shade: Float64[ndarray, "regions"] = (level - low) / max(high - low, 1e-9)
    return shade


def density_scale(model: PiecewiseINR) -> page.Html:
    """What the colours of `shades` stand for."""
    density = densities(model)
    ends = (f"{density.min():.2g}", f"{density.max():.2g}")
    return page.colour_bar(error_stops(), *ends, "Parameters a sample, on a scale of ratios.")


def group_table(model: PiecewiseINR) -> page.Html:
    """Every group: its width, and its share of regions, samples and parameters."""
    spec, counts = model.signal, model.partition.counts
    rows = []
    for group in sorted(model.group_list, key=lambda group: group.network.hidden):
        members = group.regions.cpu().numpy()
        samples, params = int(counts[members].sum()), sum(p.numel() for p in group.parameters())
        rows.append(
            [
                f"{group.network.name}, {group.network.hidden} x {group.network.layers}",
                f"{len(members):,}",
                f"{samples / spec.samples:.1%}",
                f"{params:,}",
                f"{params / model.params:.1%}",
                f"{params / samples:.3g}",
            ]
        )
    head = ["network", "regions", "of the samples", "parameters", "of all", "a sample"]
    return page.table(head, rows, "Groups: regions whose networks have one shape.")

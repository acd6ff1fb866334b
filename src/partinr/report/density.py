"""Where the parameters of a model are: shades for a picture, and a table of its groups."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.model.piecewise import Piecewise
from partinr.report import page
from partinr.report.pictures import error_stops
from partinr.shapes import Float64


def densities(model: Piecewise) -> Float64[ndarray, "regions"]:
    """Parameters a sample in each region."""
    spec = model.signal
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
    return page.colour_bar(error_stops(), *ends, "Parameters a sample, on a scale of ratios.")


def group_table(model: Piecewise) -> page.Html:
    """Every group: its width, and its share of regions, samples and parameters."""
    spec, counts = model.signal, model.partition.counts
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

"""Output layers solved by least squares: a good start at the cost of one evaluation."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Samples
from partinr.errors import InputError
from partinr.model.networks.network import Network, Parameters
from partinr.shapes import Bool, Float32

RIDGE = 1e-3
"""Added to the normal matrix's diagonal, relative to its mean: keeps the solution small where features are
nearly dependent, so that training does not begin with huge weights that cancel."""


# How far weights may be from a product over the axes, of their greatest; as in native/cosine_fit.cpp.
_PRODUCT = 1e-5

SOLVED_RIDGE = 1e-6
"""The same where nothing is trained afterwards: features that samples do not determine stay small."""


def whole_boxes(samples: Samples) -> Bool[ndarray, "regions"]:
    """Regions whose samples fill their bounding boxes, where these are known."""
    if samples.extents is None:
        return np.zeros(len(samples.counts), bool)
    full: Bool[ndarray, "regions"] = samples.counts == samples.extents.prod(axis=1)
    return full


def has_product(samples: Samples, region: int) -> bool:
    """Whether the weights of a region whose samples fill its bounding box are a product over the axes."""
    assert samples.extents is not None
    if samples.weights is None:
        return True
    own, extents = slice(samples.offsets[region], samples.offsets[region + 1]), samples.extents[region]
    place = np.rint((samples.coords[own].astype(np.float64) + 1) * extents / 2 - 0.5).astype(np.int64)
    weights = np.zeros(extents)
    weights[tuple(place.T)] = samples.weights[own]
    axes, product = range(len(extents)), np.asarray(weights.sum())
    for axis in axes:
        marginal = weights.sum(axis=tuple(a for a in axes if a != axis)) / max(weights.sum(), 1e-30)
        product = np.multiply.outer(product, marginal)
    return bool((np.abs(product - weights) <= _PRODUCT * weights.max()).all())


def check_solvable(network: Network, samples: Samples, apart: Bool[ndarray, "regions"]) -> None:
    """Make sure that the normal equations of all regions can be solved.

    Args:
        network: of the regions.
        samples: of the regions.
        apart: regions that need none.

    Raises:
        InputError: there are too many.
    """
    if samples.extents is not None:
        complaint = network.unsolvable(samples.extents[~apart])
        if complaint is not None:
            raise InputError(complaint)


def with_readout(
    network: Network, parameters: Parameters, solved: Float32[ndarray, "regions features_and_bias channels"]
) -> Parameters:
    """The parameters with other output layers: weights of all features, and the bias."""
    weight, bias = map(np.ascontiguousarray, network.readout(solved[:, :-1], solved[:, -1]))
    return Parameters([*parameters.weights[:-1], weight], [*parameters.biases[:-1], bias])

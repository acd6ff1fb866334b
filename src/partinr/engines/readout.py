"""Output layers solved by least squares: a good start at the cost of one evaluation."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.model.networks.network import Network, Parameters
from partinr.shapes import Float32

RIDGE = 1e-3
"""Added to the normal matrix's diagonal, relative to its mean: keeps the solution small where features are
nearly dependent, so that training does not begin with huge weights that cancel."""


def with_readout(
    network: Network, parameters: Parameters, solved: Float32[ndarray, "regions features_and_bias channels"]
) -> Parameters:
    """The parameters with other output layers: weights of all features, and the bias."""
    weight, bias = map(np.ascontiguousarray, network.readout(solved[:, :-1], solved[:, -1]))
    return Parameters([*parameters.weights[:-1], weight], [*parameters.biases[:-1], bias])

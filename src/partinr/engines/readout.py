"""Output layers solved by least squares: a good start at the cost of one evaluation."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from partinr.engines.engine import Samples
from partinr.model.networks.network import Network, Parameters
from partinr.model.packing import batches

RIDGE = 1e-3
"""Added to the normal matrix's diagonal, relative to its mean: keeps the solution small where features are
nearly dependent, so that training does not begin with huge weights that cancel."""

_BATCH_VALUES = 1 << 19


def solve_readout(network: Network, parameters: Parameters, samples: Samples, ridge: float) -> Parameters:
    """See `Engine.solve_readout`. Sums are accumulated in float64, in batches of bounded memory."""
    channels = samples.values.shape[1]
    device = samples.coords.device
    regions = len(samples.counts)
    with torch.no_grad():
        probe = network.hidden_features(samples.coords[:1].expand(regions, 1, -1), parameters)
        width = probe.shape[2]
        gram = torch.zeros(regions, width + 1, width + 1, dtype=torch.float64, device=device)
        moment = torch.zeros(regions, width + 1, channels, dtype=torch.float64, device=device)
        for batch in batches(samples.offsets, np.arange(regions), max(1, _BATCH_VALUES // width)):
            rows = torch.as_tensor(batch.regions, device=device)
            index = torch.as_tensor(batch.index(), device=device)
            picked = Parameters([w[rows] for w in parameters.weights], [b[rows] for b in parameters.biases])
            features = network.hidden_features(samples.coords[index], picked).double()
            design = torch.cat([features, torch.ones_like(features[..., :1])], dim=2)
            weighted = design * torch.as_tensor(batch.mask(), device=device)[..., None]
            if samples.weights is not None:
                weighted = weighted * samples.weights[index][..., None]
            gram.index_add_(0, rows, weighted.transpose(1, 2) @ design)
            moment.index_add_(0, rows, weighted.transpose(1, 2) @ samples.values[index].double())
        return with_readout(network, parameters, _solved(gram, moment, ridge).float())


def with_readout(
    network: Network, parameters: Parameters, solved: Float[Tensor, "regions features_and_bias channels"]
) -> Parameters:
    """The parameters with other output layers: weights of all features, and the bias."""
    weight, bias = (t.contiguous() for t in network.readout(solved[:, :-1], solved[:, -1]))
    return Parameters([*parameters.weights[:-1], weight], [*parameters.biases[:-1], bias])


def _solved(gram: Tensor, moment: Tensor, ridge: float) -> Tensor:
    width = gram.shape[-1]
    scale = gram.diagonal(dim1=1, dim2=2).mean(dim=1).clamp_min(1e-30)
    penalty = torch.full((width,), ridge, dtype=gram.dtype, device=gram.device)
    penalty[-1] = 1e-9  # the bias is free
    solution: Tensor = torch.linalg.solve(gram + scale[:, None, None] * torch.diag(penalty), moment)
    return solution

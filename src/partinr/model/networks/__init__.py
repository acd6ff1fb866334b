"""Networks: what one region's network is. A new one is a new file and a line in `NETWORKS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from reprlib import repr as brief
from typing import Any

from partinr.errors import InputError
from partinr.model.networks.cosine import Cosine
from partinr.model.networks.finer import Finer
from partinr.model.networks.fourier import Fourier
from partinr.model.networks.gauss import Gauss
from partinr.model.networks.hashgrid import HashGrid
from partinr.model.networks.multiplicative import FourierNet, GaborNet
from partinr.model.networks.network import AnyNetwork, Layer, Network, Parameters, check_trained, resized
from partinr.model.networks.perceptron import Perceptron
from partinr.model.networks.relu import ReluHarmonic
from partinr.model.networks.siren import Siren
from partinr.model.networks.wire import Wire

__all__ = [
    "NETWORKS",
    "AnyNetwork",
    "Cosine",
    "Finer",
    "Fourier",
    "FourierNet",
    "GaborNet",
    "Gauss",
    "HashGrid",
    "Layer",
    "Network",
    "Parameters",
    "Perceptron",
    "ReluHarmonic",
    "Siren",
    "Wire",
    "check_trained",
    "fit_width",
    "from_config",
    "network_from_word",
    "resized",
]

NETWORKS: Mapping[str, type[Network]] = {
    network.name: network
    for network in (
        *(Siren, ReluHarmonic, Fourier, Finer, Wire, Gauss, Cosine),
        *(FourierNet, GaborNet, HashGrid),
    )
}
"""Every network by its name."""


def network_from_word(name: str, **overrides: Any) -> Network:
    """The network that the command line calls `name`, with its published defaults but for `overrides`.

    Raises:
        InputError: no network has this name, it has no such field, or a value is not allowed.

    Example:
        >>> network_from_word("siren", hidden=170, layers=3)
        Siren(hidden=170, layers=3, omega_0=60.0, omega_hidden=30.0)
    """
    network = _class_of(name)
    _refuse_unknown(network, overrides)
    defaults = {field.name: field.default for field in fields(network)}
    return network(**network.checked({**defaults, **overrides}))


def from_config(config: object) -> Network:
    """The network that `Network.config` described; strict, because it reads headers of untrusted files.

    Args:
        config: "name" and every field of that network, nothing else.

    Raises:
        InputError: the name is unknown, a field is missing or unknown, or a value is not allowed.

    Example:
        >>> from_config(Gauss(hidden=8).config()) == Gauss(hidden=8)
        True
    """
    if not isinstance(config, Mapping):
        raise InputError(f"a network's configuration must be an object with its name, got {brief(config)}")
    network = _class_of(config.get("name"))
    values = {key: value for key, value in config.items() if key != "name"}
    _refuse_unknown(network, values)
    missing = [field.name for field in fields(network) if field.name not in values]
    if missing:
        raise InputError(f"the configuration of the network {network.name} lacks {', '.join(missing)}")
    return network(**network.checked(values))


def fit_width(network: AnyNetwork, budget: int, regions: int, dims: int, channels: int) -> AnyNetwork:
    """The same network with the largest width for which all regions together keep within a budget.

    Args:
        budget: largest number of parameters, over all regions.
        regions: number of regions, each with its own network.
        dims: axes of the signal.
        channels: values a sample.

    Raises:
        InputError: not even the narrowest fits.

    Example:
        >>> fit_width(Siren(layers=3), 800_000, regions=9, dims=2, channels=3).hidden
        170
    """

    def total(width: int) -> int:
        return regions * resized(network, width).params(dims, channels)

    low, high = (int(bound) for bound in network.bounds[network.size])
    if total(low) > budget:
        layers = network.hidden_layers - 1
        raise InputError(
            f"{regions} {network.name} networks of {layers} layers need a budget of at least {total(low)} "
            f"parameters, got {budget}; raise it, or take fewer regions{' or layers' if layers else ''}"
        )
    while low < high:  # total(low) fits, and the answer is in low..high
        middle = (low + high + 1) // 2
        low, high = (middle, high) if total(middle) <= budget else (low, middle - 1)
    return resized(network, low)


def _class_of(name: object) -> type[Network]:
    if not isinstance(name, str) or name not in NETWORKS:
        raise InputError(f"network must be one of {', '.join(NETWORKS)}, got {brief(name)}")
    return NETWORKS[name]


def _refuse_unknown(network: type[Network], values: Mapping[str, Any]) -> None:
    names = [field.name for field in fields(network)]
    unknown = [brief(key) for key in values if key not in names]
    if unknown:
        raise InputError(
            f"the network {network.name} has the fields {', '.join(names)}, got {', '.join(unknown[:5])}"
        )

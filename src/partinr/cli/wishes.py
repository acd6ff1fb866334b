"""Partition and network from the options of `fit`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import partinr
from partinr.cli import words
from partinr.errors import InputError


@dataclass(frozen=True)
class Wishes:
    """What the user asked for; None where the preset decides.

    Raises:
        InputError: what was asked for does not go together, whatever the signal.
    """

    rule: partinr.Rule | None
    name: str | None
    hidden: int | None
    layers: int | None
    omega_0: float | None
    params: int | None

    def __post_init__(self) -> None:
        if self.params is not None and self.params < 1:
            raise InputError(f"--params must be at least 1, got {self.params}")
        if self.params is not None and self.hidden is not None:
            raise InputError(
                "give either --hidden or --params, got both; a budget of parameters decides the width"
            )
        # Made for its checks: a wrong name or number is found before the signal is read.
        words.network(self.name, self.hidden, self.layers, self.omega_0)

    def choose(
        self,
        signal: partinr.Signal,
        recipe: partinr.Recipe,
        start: partinr.PiecewiseINR | partinr.Start | None,
    ) -> tuple[partinr.Partition, partinr.Network] | tuple[None, None]:
        """Partition and network for this signal; neither if nothing was asked for: `fit` chooses then.

        Raises:
            InputError: the partition does not fit the signal, or the budget is too small.
        """
        from partinr.fitting.defaults import choose, network_for

        if isinstance(start, partinr.Start):
            self._check_agrees(start.network)
            return choose(signal, self.rule, None, recipe, self.params, start)
        asked = words.network(self.name, self.hidden, self.layers, self.omega_0)
        if asked is None and self.rule is None and self.params is None:
            return None, None
        partition, network = choose(signal, self.rule, asked, recipe, self.params, start)
        if asked is None:
            return partition, network
        network = network_for(asked.name, recipe, signal.spec, partition, self.hidden, self.layers)
        if self.omega_0 is not None:
            network = replace(network, **cast(Any, {"omega_0": self.omega_0}))
        return choose(signal, partition, network, recipe, self.params, start)

    def _check_agrees(self, network: partinr.Network) -> None:
        """Make sure that nothing else was asked for than what a learned start has.

        Raises:
            InputError: something was.
        """
        config = network.config()
        wishes = {"name": self.name, "hidden": self.hidden, "layers": self.layers, "omega_0": self.omega_0}
        for field, wish in wishes.items():
            if wish is not None and wish != config.get(field):
                option = f"--{field.replace('name', 'network').replace('_', '-')}"
                raise InputError(
                    f"{option} {wish} does not go with the start, which has {config.get(field)}; leave it out"
                )

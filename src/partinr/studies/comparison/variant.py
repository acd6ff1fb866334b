"""What is compared: a partition, the network of its regions, and the recipe that trains them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from partinr.fitting.defaults import divide, network_for
from partinr.fitting.recipe import PAPER, Recipe
from partinr.model.networks import check_trained, fit_width, network_from_word
from partinr.model.networks.network import Network
from partinr.model.partition import HFS, Grid, Partition, Rule, Whole
from partinr.model.partition.segmentation import Segmentation
from partinr.signals.signal import Signal, SignalSpec
from partinr.text import legible

DENSITY = 791_043 / (700 * 1000)
"""Parameters a sample of the published comparison, the budget where none is given."""

# Nine networks have 794,097 parameters in the published comparison, and one has 791,043.
_TOLERANCE = 1.01


@dataclass(frozen=True, eq=False)
class Variant:
    """One line of a comparison.

    Attributes:
        name: what tables and pictures call it.
        partition: the regions.
        network: the network of every region.
        recipe: how it is trained.

    Example:
        >>> import numpy as np, partinr
        >>> signal = partinr.from_array(np.eye(30))
        >>> variant = Variant.of(signal, partinr.Grid(3, 3), "siren", params=2000)
        >>> variant.name, variant.network.hidden, variant.params(signal.spec)
        ('PoG 3x3', 7, 1773)
    """

    name: str
    partition: Partition
    network: Network
    recipe: Recipe

    @classmethod
    def of(
        cls,
        signal: Signal,
        rule: Rule,
        network: Network | str,
        recipe: Recipe = PAPER,
        *,
        params: int | None = None,
        layers: int | None = None,
        name: str | None = None,
    ) -> Variant:
        """The variant whose networks are as wide as a budget of parameters allows.

        Args:
            signal: what will be fitted.
            rule: how it is split.
            network: a network, or the name of one, which then has the constants that suit the recipe.
            recipe: how it is trained.
            params: number of parameters over all regions, exceeded by partitions by at most one per cent; by
                default `DENSITY` for every sample of the signal.
            layers: hidden layers after the first one; by default the recipe's, or the network's.
            name: by default the partition's: "one network", "PoG 3x3", "PoS hfs:9".

        Raises:
            InputError: the rule does not fit the signal, the name is unknown, or the budget is too small.
        """
        budget = default_budget(signal.spec) if params is None else params
        partition = divide(signal, rule, None, budget)
        if isinstance(network, str):
            check_trained(kind := network_from_word(network), "comparisons are")
            narrow: Any = {kind.size: int(kind.bounds[kind.size][0]), "layers": layers}
            shaped = network_for(network, recipe, signal.spec, partition, **narrow)
        else:
            check_trained(network, "comparisons are")
            given: Any = {} if layers is None else {"layers": layers}
            shaped = replace(network, **given)
        # As published: the one network keeps to the budget, partitions come within one per cent of it.
        most = budget if partition.regions == 1 else int(budget * _TOLERANCE)
        fitted = fit_width(shaped, most, partition.regions, signal.spec.dims, signal.channels)
        return cls(described(rule) if name is None else name, partition, fitted, recipe.trained_as(fitted))

    def params(self, signal: SignalSpec) -> int:
        """Number of parameters over all regions."""
        return self.partition.regions * self.network.params(signal.dims, signal.channels)

    def flops(self, signal: SignalSpec) -> int:
        """Floating-point operations of one step in matrix products, forward and backward.

        A product of a layer's weights with one sample's features takes two operations a weight, and there are
        three of them: the values, the gradient of the weights, and, but for the first layer, the gradient of
        the features. Activations, encodings and the optimiser are not counted, nor is a readout that is
        solved before the first step.
        """
        batch = self.recipe.batch_for(signal.samples / self.partition.regions)
        counts = self.partition.counts
        used = int((counts if batch is None else counts.clip(max=batch)).sum())
        first, *others = self.network.multiply_adds(signal.dims, signal.channels)
        return used * (4 * first + 6 * sum(others))


def described(rule: Rule) -> str:
    """A partition as the paper calls it: PoG on a grid, PoS on a segmentation."""
    if isinstance(rule, Whole):
        return "one network"
    if isinstance(rule, Grid):
        return f"PoG {rule.word.removeprefix('grid:')}"
    return f"PoS {rule.word}" if isinstance(rule, Segmentation) else legible(rule.word)


def default_budget(signal: SignalSpec) -> int:
    """Parameters where no number is given."""
    return max(1, round(signal.samples * DENSITY))


def published_rules(signal: SignalSpec) -> list[Rule]:
    """The partitions of the published comparison, as far as the signal has the axes and samples for them.

    One network; grids of 2, 3 and 4 cells along each axis; and for images HFS with 4 and 9 regions.
    """
    sides = [n for n in (2, 3, 4) if n <= min(signal.shape)]
    rules: list[Rule] = [Whole(), *(Grid(*[n] * signal.dims) for n in sides)]
    if signal.dims == 2 and signal.channels <= 4:
        rules += [HFS(n) for n in (4, 9) if n <= signal.samples]
    return rules

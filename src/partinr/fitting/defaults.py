"""What a fit uses where nothing is asked for: partition and network for a signal, a recipe and a budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from partinr.engines.engine import Precision
from partinr.errors import InputError
from partinr.fitting.budgets import BUDGETS
from partinr.fitting.recipe import Recipe
from partinr.model import kernel
from partinr.model.blending import widened
from partinr.model.networks import NETWORKS, Siren, fit_width, resized
from partinr.model.networks.network import Network
from partinr.model.partition.auto import Auto
from partinr.model.partition.grid import Grid
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.model.partition.tree import Tree
from partinr.signals.signal import Between, Signal, SignalSpec

# Published experiments compare piecewise networks with one network at equal numbers of parameters; "equal"
# there means within one per cent (794,097 against 791,043; 920,439 against 912,899).
_EQUAL = 1.01
_LAYERS = 2


@dataclass(frozen=True)
class Budget:
    """The widest network for which all regions together have at most so many weights and biases.

    Attributes:
        params: how many.
        like: a network of any width; None for the one that would be used without a budget.

    Raises:
        InputError: the number is not positive.

    Example:
        >>> import numpy as np, partinr
        >>> result = partinr.fit(np.eye(32), network=partinr.Budget(500), goal=partinr.Steps(5))
        >>> result.params <= 500
        True
    """

    params: int
    like: Network | None = None

    def __post_init__(self) -> None:
        if self.params < 1:
            raise InputError(f"params must be at least 1, got {self.params}")


def choose(
    signal: Signal,
    partition: Rule | Partition | None,
    network: Network | Budget | None,
    recipe: Recipe,
    overlap: int,
    *,
    as_it_is: bool = False,
) -> tuple[Partition, Network]:
    """Partition and network for a fit; see `fit` for the arguments.

    Args:
        overlap: samples of each region's margin.
        as_it_is: the network's width is not to be changed: whatever the partition, a budget has room for it
            or has not.

    Raises:
        InputError: the partition does not fit the signal, or the budget is too small.
    """
    if partition is None:
        usual = Tree() if signal.scattered else Auto()
        partition = usual if recipe.cells is None else Grid(*[recipe.cells] * signal.spec.dims)
    budget = network.params if isinstance(network, Budget) else None
    like = network.like if isinstance(network, Budget) else network
    chosen = divide(signal, partition, like, budget)
    given = like or network_for("siren", recipe, signal.spec, chosen, overlap=overlap)
    total = chosen.regions * given.params(signal.spec.dims, signal.channels)
    if budget is not None and as_it_is and total > budget:
        raise InputError(
            f"{chosen.regions} networks like the start have {total:,} parameters, more than {budget:,}; "
            "take fewer regions"
        )
    if budget is not None and not as_it_is:
        wide = fit_width(given, budget, chosen.regions, signal.spec.dims, signal.channels)
        given = _of_use(wide, chosen, overlap)
    return chosen, given


def divide(
    signal: Signal, partition: Rule | Partition, network: Network | None, params: int | None
) -> Partition:
    """The partition that a rule makes; `Auto` makes cells in which networks of a usual width fill the budget.

    Raises:
        InputError: the partition does not fit the signal.
    """
    if isinstance(partition, Auto | Tree) and params is not None:
        like = (
            network if network is not None else Siren(hidden=BUDGETS[signal.spec.dims].width, layers=_LAYERS)
        )
        each = like.params(signal.spec.dims, signal.channels)
        samples = max(1.0, signal.spec.samples * each / params)
        partition = (
            Tree(round(samples)) if isinstance(partition, Tree) else replace(partition, samples=samples)
        )
    chosen = partition if isinstance(partition, Partition) else partition.partition(signal)
    if chosen.shape != signal.shape:
        raise InputError(f"the partition must have the signal's shape {signal.shape}, got {chosen.shape}")
    return chosen


def between_for(spec: SignalSpec, wanted: Between | Literal["auto"], *, scattered: bool = False) -> Between:
    """What the function of a signal is between its samples, where "auto" is what suits the signal.

    Pictures have details that were learned from photographs, which suit drawings, text and labels as well
    (`experiments/enlarging.py`); other data are smooth between samples. Networks of scattered points were
    fitted there.
    """
    if wanted != "auto":
        return wanted
    if scattered:
        return "none"
    picture = spec.dims == 2 and (spec.kind == "image" or (spec.kind, spec.dtype) == ("array", "uint8"))
    return "learned" if picture else "smooth"


def precision_for(recipe: Recipe, network: Network, engine: str, device: str) -> Precision:
    """What products are computed in where nothing is asked for.

    bfloat16 where it was measured to reach the PSNR of single precision (`benchmarks/precision.py`), if the
    recipe allows it, the native kernel is to train, and the processor has the instructions.
    """
    measured = recipe.bf16 and network.bf16_from is not None and network.width >= network.bf16_from
    native = device == "cpu" and engine in ("auto", "cpu") and kernel.why_missing() is None
    return "bf16" if measured and native and kernel.why_no_bf16() is None else "fp32"


def network_for(
    name: str,
    recipe: Recipe,
    signal: SignalSpec,
    partition: Partition,
    *,
    overlap: int = 0,
    **given: float | None,
) -> Network:
    """The network called `name` as the recipe would use it for this signal and partition.

    With `recipe.like_one`, it has the published constants and the width at which all regions together have as
    many parameters as that one network; otherwise constants that suit the size of the regions, margins
    included, and the largest width that keeps to the parameters a sample of `BUDGETS`. Fields that are given,
    such as hidden=24, override either; None is as if they were not.
    """
    kind = NETWORKS.get(name)
    if kind is None:
        raise InputError(f"network must be one of {', '.join(NETWORKS)}, got {name}")
    fields: Any = {field: value for field, value in given.items() if value is not None}
    width, deep = recipe.like_one or (BUDGETS[signal.dims].width, _LAYERS)
    depth = fields.get("layers", deep)
    dims, channels = signal.dims, signal.channels
    network = kind.shaped(BUDGETS[dims].width, depth)
    if recipe.like_one is None:
        boxes = widened(partition.bounding_boxes, overlap, signal.shape)
        sides = boxes[:, 1] - boxes[:, 0]
        local = (network.frame or recipe.frame) != "global"
        network = network.suited_to(float(np.median(sides.max(axis=1)) if local else max(signal.shape)))
    network = replace(network, **fields)
    if kind.size in fields:
        return network
    if recipe.like_one is not None:
        if partition.regions == 1 and depth == deep:
            return _of_use(resized(network, width), partition, overlap)
        whole = kind.shaped(width, deep).params(dims, channels)
        wide = fit_width(network, int(whole * _EQUAL), partition.regions, dims, channels)
        return _of_use(wide, partition, overlap)
    budget = int(signal.samples * BUDGETS[dims].density)
    narrow = resized(network, network.narrowest)
    if partition.regions * narrow.params(dims, channels) > budget:
        return narrow
    widest = fit_width(network, budget, partition.regions, dims, channels)
    return _of_use(resized(widest, min(network.broadest, widest.width)), partition, overlap)


def _of_use(network: Network, partition: Partition, overlap: int) -> Network:
    """A network whose width was chosen, no wider than is of use in these regions."""
    boxes = widened(partition.bounding_boxes, overlap, partition.shape)
    span = float((boxes[:, 1] - boxes[:, 0]).max())
    return network.of_use(span, len(partition.shape), whole=partition.boxes is not None)

"""What a fit uses where nothing is asked for: partition and network for a signal, a recipe and a budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from partinr.engines.engine import Precision
from partinr.errors import InputError
from partinr.fitting.budgets import BUDGETS
from partinr.fitting.recipe import FAST, RECIPES, Recipe
from partinr.fitting.starts.handover import check_suits
from partinr.fitting.starts.start import Start
from partinr.model import kernel
from partinr.model.blending import widened
from partinr.model.networks import NETWORKS, Siren, fit_width
from partinr.model.networks.network import Network
from partinr.model.partition.auto import Auto
from partinr.model.partition.grid import Grid
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.model.piecewise import PiecewiseINR
from partinr.signals.signal import Signal, SignalSpec

# Published experiments compare piecewise networks with one network of 512 x 3 at equal numbers of parameters;
# "equal" there means within one per cent (794,097 against 791,043; 920,439 against 912,899).
_PAPER_WIDTH, _PAPER_LAYERS, _PAPER_TOLERANCE = 512, 3, 1.01
_FAST_LAYERS, _FAST_NARROWEST, _FAST_WIDEST = 2, 8, 256
_BF16_WIDTH = 32
# A fit to a PSNR has at most this many parameters a value, or room for one region of a small signal.
_ADAPTIVE_DENSITY, _ADAPTIVE_LEAST = 2, 100
# Samples along a cell for which the common frequency constants are right as they are.
_ADAPTIVE_SPAN = 32


def recipe_for(name: str, signal: SignalSpec, psnr: float | None = None) -> Recipe:
    """The recipe called `name` for this signal: a fast fit takes the steps of its `BUDGETS`, but one to a
    named quality, which finds out itself how many it needs, keeps those of `FAST`."""
    recipe = RECIPES[name]
    if recipe is not FAST or psnr is not None:
        return recipe
    return replace(recipe, steps=BUDGETS[signal.dims].steps)


def choose(
    signal: Signal,
    partition: Rule | Partition | None,
    network: Network | None,
    recipe: Recipe,
    params: int | None,
    init: PiecewiseINR | Start | None,
) -> tuple[Partition, Network]:
    """Partition and network for a fit; see `fit` for the arguments.

    Raises:
        InputError: the partition does not fit the signal, or the budget is too small.
    """
    if isinstance(init, Start):
        check_suits(init, signal.spec)
        if network not in (None, init.network):
            raise InputError(f"the start is for the network {init.network}, got {network}; leave it out")
        network = init.network
    elif init is not None:
        partition = init.partition if partition is None else partition
        network = init.group_list[0].network if network is None else network
    if partition is None:
        partition = Grid(*[3] * signal.spec.dims) if recipe.name == "paper" else Auto()
    chosen = divide(signal, partition, network, params)
    given = network if network is not None else network_for("siren", recipe, signal.spec, chosen)
    if params is not None and isinstance(init, Start):
        total = chosen.regions * given.params(signal.spec.dims, signal.channels)
        if total > params:
            raise InputError(
                f"{chosen.regions} networks like the start have {total:,} parameters, more than {params:,}; "
                "take fewer regions"
            )
    elif params is not None:
        given = fit_width(given, params, chosen.regions, signal.spec.dims, signal.channels)
    return chosen, given


def divide(
    signal: Signal, partition: Rule | Partition, network: Network | None, params: int | None
) -> Partition:
    """The partition that a rule makes; `Auto` makes cells in which networks of a usual width fill the budget.

    Raises:
        InputError: the partition does not fit the signal.
    """
    if isinstance(partition, Auto) and params is not None:
        width = BUDGETS[signal.spec.dims].width
        like = network if network is not None else Siren(hidden=width, layers=_FAST_LAYERS)
        each = like.params(signal.spec.dims, signal.channels)
        partition = replace(partition, samples=max(1.0, signal.spec.samples * each / params))
    chosen = partition if isinstance(partition, Partition) else partition.partition(signal)
    if chosen.shape != signal.shape:
        raise InputError(f"the partition must have the signal's shape {signal.shape}, got {chosen.shape}")
    return chosen


def precision_for(recipe: Recipe, network: Network, engine: str, device: str) -> Precision:
    """What products are computed in where nothing is asked for.

    bfloat16 where it was measured to reach the PSNR of single precision (`benchmarks/precision.py`): SIRENs
    from 32 units on, by the fast recipe, if the native kernel is to train them and the processor has the
    instructions.
    """
    measured = recipe.name == "fast" and isinstance(network, Siren) and network.hidden >= _BF16_WIDTH
    native = device == "cpu" and engine in ("auto", "cpu") and kernel.why_missing() is None
    return "bf16" if measured and native and kernel.why_no_bf16() is None else "fp32"


def adaptive_defaults(spec: SignalSpec) -> tuple[Siren, int]:
    """What networks have in common, and how many parameters they may have, where only a PSNR is asked for."""
    like = Siren(hidden=1, layers=_FAST_LAYERS).suited_to(_ADAPTIVE_SPAN)
    values = spec.samples * spec.channels
    return like, max(_ADAPTIVE_DENSITY * values, _ADAPTIVE_LEAST * like.params(spec.dims, spec.channels))


def network_for(
    name: str,
    recipe: Recipe,
    signal: SignalSpec,
    partition: Partition,
    hidden: int | None = None,
    layers: int | None = None,
) -> Network:
    """The network called `name` as the recipe would use it for this signal and partition.

    The paper's recipe takes the published constants and the width at which all regions together have as many
    parameters as one network of 512 x 3. The fast recipe takes constants that suit the size of the regions,
    and the largest width that keeps to the parameters a sample of `BUDGETS`. `hidden` and `layers` override
    either.
    """
    kind = NETWORKS.get(name)
    if kind is None:
        raise InputError(f"network must be one of {', '.join(NETWORKS)}, got {name}")
    paper = recipe.name == "paper"
    depth = layers if layers is not None else _PAPER_LAYERS if paper else _FAST_LAYERS
    network = kind(hidden=hidden or BUDGETS[signal.dims].width, layers=depth)
    if not paper:
        boxes = widened(partition.bounding_boxes, recipe.overlap, signal.shape)
        sides = boxes[:, 1] - boxes[:, 0]
        local = recipe.frame == "local"
        network = network.suited_to(float(np.median(sides.max(axis=1)) if local else max(signal.shape)))
    if hidden is not None:
        return network
    if paper:
        whole = kind(hidden=_PAPER_WIDTH, layers=_PAPER_LAYERS).params(signal.dims, signal.channels)
        if partition.regions == 1 and depth == _PAPER_LAYERS:
            return replace(network, hidden=_PAPER_WIDTH)
        budget = int(whole * _PAPER_TOLERANCE)
        return fit_width(network, budget, partition.regions, signal.dims, signal.channels)
    budget = int(signal.samples * BUDGETS[signal.dims].density)
    narrow = replace(network, hidden=_FAST_NARROWEST)
    if partition.regions * narrow.params(signal.dims, signal.channels) > budget:
        return narrow
    widest = fit_width(network, budget, partition.regions, signal.dims, signal.channels)
    return replace(widest, hidden=min(_FAST_WIDEST, widest.hidden))

"""Ideas that the recipe does not use, as ways to fit for `recipe.py`: each returns the function."""

from __future__ import annotations

import math

import numpy as np

from partinr import Auto, Network, Piecewise, Recipe, Signal, Structure, fit
from partinr.engines import Plan, Samples, TrainingState, select
from partinr.engines.packing import pack_groups
from partinr.engines.readout import RIDGE
from partinr.model.networks import Parameters


def _problem(signal: Signal, rule: Auto, network: Network, recipe: Recipe) -> tuple[Structure, Samples]:
    structure = Structure(rule.partition(signal), (network,), signal.spec, recipe.frame)
    return structure, pack_groups(structure, signal, 0)[0]


def best_of_draws(signal: Signal, rule: Auto, network: Network, recipe: Recipe, draws: int = 4) -> Piecewise:
    """Every region starts from the best of several draws, judged with solved readouts."""
    structure, samples = _problem(signal, rule, network, recipe)
    engine = select("auto", "cpu", None, network)
    best, least = structure.initialise(0)[0], np.full(structure.regions, np.inf)
    for seed in range(draws):
        solved = engine.solve_readout(network, structure.initialise(seed)[0], samples, RIDGE)
        error = engine.squared_error(network, solved, samples)
        better = error < least
        for kept, new in zip(best.arrays, solved.arrays, strict=True):
            kept[better] = new[better]
        least = np.minimum(least, error)
    return fit(signal, recipe=recipe, start=Piecewise(structure, (best,))).model


def spread_frequencies(signal: Signal, rule: Auto, network: Network, recipe: Recipe) -> Piecewise:
    """First-layer weights on a golden-angle spiral of the drawn ones' radius, instead of drawn ones."""
    structure, samples = _problem(signal, rule, network, recipe)
    (drawn,) = structure.initialise(0)
    unit = np.arange(network.hidden)
    angle = math.pi * ((unit * (math.sqrt(5) - 1) / 2) % 1)
    radius = 0.5 * np.sqrt((unit + 0.5) / network.hidden)
    drawn.weights[0][:] = np.stack([radius * np.cos(angle), radius * np.sin(angle)])
    engine = select("auto", "cpu", None, network)
    solved = engine.solve_readout(network, drawn, samples, RIDGE)
    return fit(signal, recipe=recipe, start=Piecewise(structure, (solved,))).model


def error_weighted(signal: Signal, rule: Auto, network: Network, recipe: Recipe) -> Piecewise:
    """In the second half, every sample is there once and as many more are drawn by their squared error."""
    structure, samples = _problem(signal, rule, network, recipe)
    engine = select("auto", "cpu", None, network)
    solved = engine.solve_readout(network, structure.initialise(0)[0], samples, RIDGE)
    state = TrainingState.fresh(solved)
    steps = recipe.steps_for(signal.spec.dims)
    step = np.arange(steps, dtype=np.float64)
    rates = recipe.rate_for(network.hidden) * recipe.schedule_at((step + 1) / steps, step)
    half = steps // 2
    for start, stop in ((0, half), (half, steps)):
        if start:
            samples = _resampled(network, state.parameters, samples)
        plan = Plan(
            regions=np.arange(structure.regions),
            learning_rates=rates[start:stop],
            start=start,
            batch=recipe.batch_for(signal.spec.samples / structure.regions),
            whole_signal=recipe.whole_signal,
            signal_samples=signal.spec.samples,
            adam=recipe.adam,
        )
        engine.advance(network, state, samples, plan, lambda _: False)
    return Piecewise(structure, (state.parameters,))


def _resampled(network: Network, parameters: Parameters, samples: Samples) -> Samples:
    """Every sample once, and as many again drawn in proportion to their squared error."""
    generator = np.random.default_rng(0)
    picked = []
    for region, (start, stop) in enumerate(zip(samples.offsets[:-1], samples.offsets[1:], strict=True)):
        own = parameters.map(lambda array, region=region: array[region : region + 1])
        error = network.forward(samples.coords[None, start:stop], own)[0] - samples.values[start:stop]
        squared = np.square(error, dtype=np.float64).sum(axis=1) + 1e-12
        more = generator.choice(len(squared), len(squared), p=squared / squared.sum())
        picked.append(start + np.concatenate([np.arange(len(squared)), more]))
    index = np.concatenate(picked)
    return Samples(samples.coords[index], samples.values[index], 2 * samples.offsets, samples.keys)

"""Ideas that the recipe does not use, as ways to fit for `recipe.py`: each returns the model."""

from __future__ import annotations

import math

import numpy as np
import torch

from partinr import Auto, Network, PiecewiseINR, Recipe, Signal, fit
from partinr.engines import Plan, Samples, TrainingState, select
from partinr.engines.readout import solve_readout
from partinr.fitting.loop import pack_groups
from partinr.model.networks import Parameters

_CPU = torch.device("cpu")


def best_of_draws(
    signal: Signal, rule: Auto, network: Network, recipe: Recipe, draws: int = 4
) -> PiecewiseINR:
    """Every region starts from the best of several draws, judged with solved readouts."""
    model = PiecewiseINR(rule.partition(signal), network, signal.spec, recipe.frame)
    samples = pack_groups(model, signal, 0, _CPU)[0]
    engine = select("auto", "cpu", None, network)
    group = model.group_list[0]
    tensors, least = [], np.full(model.regions, np.inf)
    for seed in range(draws):
        model.initialise(seed)
        solved = solve_readout(network, group.parameters_by_layer, samples)
        error = engine.squared_error(network, solved, samples)
        better = torch.as_tensor(error < least)
        drawn = [tensor.detach().clone() for tensor in (*solved.weights, *solved.biases)]
        tensors = tensors or drawn
        for kept, new in zip(tensors, drawn, strict=True):
            kept[better] = new[better]
        least = np.minimum(least, error)
    layers = len(tensors) // 2
    group.load(Parameters(tensors[:layers], tensors[layers:]))
    return fit(signal, model.partition, network, recipe=recipe, init=model).model


def spread_frequencies(signal: Signal, rule: Auto, network: Network, recipe: Recipe) -> PiecewiseINR:
    """First-layer weights on a golden-angle spiral of the drawn ones' radius, instead of drawn ones."""
    model = PiecewiseINR(rule.partition(signal), network, signal.spec, recipe.frame)
    model.initialise(0)
    group = model.group_list[0]
    unit = torch.arange(network.hidden)
    angle = math.pi * ((unit * (math.sqrt(5) - 1) / 2) % 1)
    radius = 0.5 * torch.sqrt((unit + 0.5) / network.hidden)
    with torch.no_grad():
        group.weights[0].copy_(
            torch.stack([radius * angle.cos(), radius * angle.sin()]).expand_as(group.weights[0])
        )
    samples = pack_groups(model, signal, 0, _CPU)[0]
    group.load(solve_readout(network, group.parameters_by_layer, samples))
    return fit(signal, model.partition, network, recipe=recipe, init=model).model


def error_weighted(signal: Signal, rule: Auto, network: Network, recipe: Recipe) -> PiecewiseINR:
    """In the second half, every sample is there once and as many more are drawn by their squared error."""
    model = PiecewiseINR(rule.partition(signal), network, signal.spec, recipe.frame)
    model.initialise(0)
    group = model.group_list[0]
    samples = pack_groups(model, signal, 0, _CPU)[0]
    engine = select("auto", "cpu", None, network)
    state = TrainingState.fresh(group.parameters_by_layer, _CPU)
    state.parameters = solve_readout(network, state.parameters, samples)
    step = np.arange(recipe.steps, dtype=np.float64)
    rates = recipe.rate_for(network.hidden) * recipe.schedule_at((step + 1) / recipe.steps, step)
    half = recipe.steps // 2
    for start, stop in ((0, half), (half, recipe.steps)):
        if start:
            samples = _resampled(network, state.parameters, samples)
        plan = Plan(
            regions=np.arange(model.regions),
            learning_rates=rates[start:stop],
            start=start,
            batch=recipe.batch_for(signal.spec.samples / model.regions),
            whole_signal=recipe.whole_signal,
            signal_samples=signal.spec.samples,
            adam=recipe.adam,
        )
        engine.advance(network, state, samples, plan, lambda _: False)
    group.load(state.parameters)
    return model


def _resampled(network: Network, parameters: Parameters, samples: Samples) -> Samples:
    """Every sample once, and as many again drawn in proportion to their squared error."""
    generator = np.random.default_rng(0)
    picked = []
    for region, (start, stop) in enumerate(zip(samples.offsets[:-1], samples.offsets[1:], strict=True)):
        own = Parameters(*([tensor[region : region + 1] for tensor in part] for part in parameters))
        with torch.no_grad():
            error = network.forward(samples.coords[None, start:stop], own)[0] - samples.values[start:stop]
        squared = error.square().sum(dim=1).double().numpy() + 1e-12
        more = generator.choice(len(squared), len(squared), p=squared / squared.sum())
        picked.append(start + np.concatenate([np.arange(len(squared)), more]))
    index = torch.as_tensor(np.concatenate(picked))
    return Samples(samples.coords[index], samples.values[index], 2 * samples.offsets, samples.keys)

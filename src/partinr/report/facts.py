"""What reports and studies say of a fit in a table of two columns."""

from __future__ import annotations

import numpy as np

from partinr.file.inr import Saved
from partinr.fitting.fit import FitResult
from partinr.fitting.recipe import Recipe
from partinr.model.networks.network import Network
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import Quality
from partinr.report import words
from partinr.signals.snr import snr_at

_ENDS = {
    "steps": "its number of steps",
    "psnr": "the PSNR asked for",
    "time": "the time allowed",
    "callback": "a request to stop",
    "solved": "its solution, without steps",
}


def result_facts(result: FitResult, saved: Saved | None, measured: Quality) -> list[tuple[str, object]]:
    """What came of a fit; `measured` is the quality of what is shown."""
    spec, (psnr, ssim) = result.signal.spec, measured
    there = ", over what is there" if result.signal.missing and not result.signal.scattered else ""
    rows: list[tuple[str, object]] = [("PSNR", f"{words.decibels(psnr)}{there}")]
    if result.goal.psnr is not None:
        rows.append(
            (
                "PSNR asked for",
                f"{result.goal.psnr:g} dB, {'reached' if psnr >= result.goal.psnr else 'not reached'}",
            )
        )
    if spec.kind == "sound":
        rows.append(("SNR", words.decibels(snr_at(result.signal, psnr))))
    elif ssim is not None:
        rows.append(("SSIM", f"{ssim:.4f}"))
    rows += [
        ("Regions", f"{result.regions:,} ({result.model.partition.rule})"),
        _parameters(result),
    ]
    if saved is not None:
        bits = 8 * saved.bytes / spec.samples
        stored = saved.store if saved.store == "compact" else f"parameters as {saved.store}"
        rows += [
            ("File", f"{saved.bytes:,} bytes, {stored}"),
            ("Bits a sample", f"{bits:.2f}, everything in the file counted"),
        ]
    each = f", {1000 * result.seconds / result.steps:.3g} ms a step" if result.steps else ""
    rows += [
        *([] if solved(result.model) else [("Steps", f"{result.steps:,}")]),
        ("Time", f"{words.seconds(result.seconds)}{each}"),
        ("Ended by", _ENDS[result.stopped]),
    ]
    return rows


def solved(model: Piecewise) -> bool:
    """Whether there was nothing to train."""
    return all(network.solved for network in model.networks)


def _parameters(result: FitResult) -> tuple[str, str]:
    """Their number; of spectra, of which most are 0, that of the others."""
    spectra, samples = result.model.spectra, result.signal.spec.samples
    if spectra is None:
        return "Parameters", f"{result.params:,}, {result.params / samples:.3g} a sample"
    kept = np.count_nonzero(spectra.integers)
    return (
        "Coefficients other than 0",
        f"{kept:,} of {spectra.integers.size:,}, {kept / samples:.3g} a sample",
    )


def setting_facts(result: FitResult) -> list[tuple[str, object]]:
    """Everything that decides what a fit does."""
    spec, recipe = result.signal.spec, result.recipe
    network = result.model.networks[0]
    channels = words.counted(spec.channels, "channel")
    low, high = spec.value_range
    return [
        ("Signal", f"{words.extent(spec.shape)} samples, {channels}, {spec.dtype}"),
        ("Value range", f"{low:g} to {high:g}; the peak of PSNR is {high - low:g}"),
        ("Partition", result.model.partition.rule),
        *(
            _solved_facts(result)
            if solved(result.model)
            else [
                (
                    "Network",
                    f"{network.name}, {_widths(result)} wide, {network.hidden_layers - 1} hidden layers "
                    "after the first",
                ),
                *recipe_facts(recipe, network, spec.samples / result.regions),
                ("Seed", result.seed),
            ]
        ),
        ("Engine", result.engine if result.device == "cpu" else f"{result.engine} on {result.device}"),
        ("Precision", result.precision),
    ]


def _solved_facts(result: FitResult) -> list[tuple[str, object]]:
    """What decides a fit that is solved, not trained."""
    model, (low, high) = result.model, result.signal.spec.value_range
    network = model.networks[0]
    rows: list[tuple[str, object]] = [
        ("Network", f"{network.name}, {_widths(result)} {network.size}"),
        ("Frame", model.frame),
    ]
    if model.spectra is not None:
        sides = model.spectra.sides
        rows += [
            ("Sides of boxes", f"{sides.least} to {sides.root} samples"),
            ("Step of coefficients", f"{model.spectra.step * (high - low):.4g}, in the signal's units"),
        ]
    return rows


def recipe_facts(recipe: Recipe, network: Network, samples: float) -> list[tuple[str, object]]:
    """How networks of this kind are trained on regions of this mean size."""
    constants = {k: v for k, v in network.config().items() if k not in ("name", "layers", network.size)}
    batch = recipe.batch_for(samples)
    return [
        *((name, words.number(value)) for name, value in constants.items()),
        ("Frame", recipe.frame),
        ("Recipe", recipe.name),
        ("Batch", "all samples of each region" if batch is None else f"{batch:,} samples of each region"),
        ("Learning rate", f"{recipe.rate_for(network.width):.3g}, {recipe.schedule}"),
        ("Adam", f"beta1 {recipe.adam.beta1:g}, beta2 {recipe.adam.beta2:g}"),
        ("Start", "output layers solved by least squares" if recipe.solve_readout else "random"),
    ]


def _widths(result: FitResult) -> str:
    widths = [network.width for network in result.model.networks]
    return f"{min(widths)} to {max(widths)}" if len(widths) > 1 else str(widths[0])

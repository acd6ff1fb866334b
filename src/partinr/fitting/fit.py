"""Fit a signal: what to train for how long, when to stop, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from partinr.engines import Precision, select
from partinr.errors import InputError
from partinr.fitting.defaults import adaptive_defaults, choose, precision_for, recipe_for
from partinr.fitting.goals.allocation import RULE as ADAPTIVE
from partinr.fitting.goals.growing import Adaptive
from partinr.fitting.goals.quality import MOST_CYCLES, Targeted
from partinr.fitting.history import History
from partinr.fitting.loop import Callback, Limits, Stopped, Training
from partinr.fitting.recipe import FAST, PAPER, Recipe
from partinr.fitting.starts.handover import fit_frame
from partinr.fitting.starts.shipped import shipped_start, shipped_units
from partinr.fitting.starts.start import Start
from partinr.model.networks.network import Network
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.model.piecewise import PiecewiseINR
from partinr.model.rendering import quality
from partinr.signals import as_signal
from partinr.signals.frames import Frame
from partinr.signals.signal import Signal


@dataclass(frozen=True, eq=False)
class FitResult:
    """A fitted signal.

    Attributes:
        model: the piecewise network, on the CPU.
        signal: what was fitted.
        psnr: PSNR in dB of the rendered signal (clipped and rounded as `render` does) at its own size.
        ssim: structural similarity of the same, None where an axis is shorter than 11 samples.
        history: seconds and loss of every step.
        steps: optimiser updates that each region got; with a structure chosen for a PSNR, the most that one
            got.
        seconds: duration of the whole fit.
        stopped: what ended it.
        target: the PSNR asked for, or None.
        recipe, seed, engine, device, precision: how it was made.
        init: what it was started from; None for a random draw.
    """

    model: PiecewiseINR
    signal: Signal
    psnr: float
    ssim: float | None
    history: History
    steps: int
    seconds: float
    stopped: Stopped
    target: float | None
    recipe: Recipe
    seed: int
    engine: str
    device: str
    precision: Precision
    init: PiecewiseINR | Start | None

    @property
    def reached(self) -> bool:
        """False if a PSNR was asked for and not reached."""
        return self.target is None or self.psnr >= self.target

    @property
    def started_from(self) -> str:
        """What it was started from, in a word or two: "none" for a random draw."""
        if isinstance(self.init, Start):
            name = self.init.summary.get("name")
            return f"learned start {name}" if isinstance(name, str) else "learned start"
        return "none" if self.init is None else "fit"

    @property
    def adaptive(self) -> bool:
        """Whether the fit chose regions and widths itself, to reach the PSNR asked for."""
        return self.model.partition.rule == ADAPTIVE

    @property
    def params(self) -> int:
        """Number of weights and biases."""
        return self.model.params

    @property
    def regions(self) -> int:
        """Number of regions."""
        return self.model.regions


_MOST_STEPS = 1 << 40
_MOST_THREADS = 1024


def fit(
    signal: Any,
    partition: Rule | Partition | None = None,
    network: Network | None = None,
    *,
    recipe: Recipe | None = None,
    params: int | None = None,
    max_params: int | None = None,
    steps: int | None = None,
    psnr: float | None = None,
    seconds: float | None = None,
    batch: int | Literal["full"] | None = None,
    learning_rate: float | None = None,
    frame: Frame | None = None,
    blend: bool = True,
    overlap: int | None = None,
    engine: str = "auto",
    device: str = "cpu",
    threads: int | None = None,
    precision: Precision | None = None,
    seed: int = 0,
    init: PiecewiseINR | Start | Literal["auto"] | None = "auto",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    callback: Callback | None = None,
    measure_at: Iterable[int] = (),
) -> FitResult:
    """Fit a piecewise network to a signal.

    Args:
        signal: a `Signal` (see `read`), or an array or tensor, see `from_array`.
        partition: a rule such as `Grid(3, 3)`, a `Partition`, or None for the recipe's own choice.
        network: the network of every region, or None for the recipe's own choice.
        recipe: `FAST` or `PAPER`, or your own; None: `FAST`, without a `psnr` with the steps that suit the
            signal's number of axes.
        params: budget of weights and biases over all regions; picks the largest width that fits it.
        max_params: bound of weights and biases over all regions where they are chosen for a `psnr`; by
            default two for each value of the signal.
        steps: optimiser updates, instead of the recipe's.
        psnr: stop once the rendered signal has this PSNR (dB). Without `partition`, `network`, `params`,
            `steps` or `init`, partition and widths are chosen to reach it with few parameters. Otherwise,
            without `steps`, the fit finds out how many it needs: up to seven times the recipe's, or as many
            as there is time for.
        seconds: train for this time, or until `steps` if both are given. The schedule follows the clock, so
            results differ from run to run.
        batch: samples of each region in a step, or "full".
        learning_rate: peak rate, used as it is at any width.
        frame: coordinates that networks see, instead of the recipe's.
        blend: whether the function is continuous between regions; see `PiecewiseINR`.
        overlap: samples of margin that each region is trained on beyond its own, and across which regions are
            blended; by default that of `init`, or none to a `psnr`, or else the recipe's.
        engine: "torch", "cpu" (the native kernel), or "auto", the fastest that can do what is asked.
        device: where the torch engine computes.
        threads: CPU threads; None for all.
        precision: "bf16" lets the native kernel train with hidden layers' products in bfloat16, on processors
            that have the instructions; "fp32" does not. None: bf16 where it reaches the same PSNR, which is
            SIRENs from 32 units on by the fast recipe.
        seed: decides initialisation and the order of samples. Same seed, engine and machine, same result.
        init: "auto" starts from hidden layers that were learned on photographs (`shipped_start`) where such
            are part of the package for the fit's network, dimension and frame, and the recipe solves output
            layers (where widths are chosen for a `psnr`, from some of their units in networks 4 to 12 wide);
            and from random numbers elsewhere, as None does everywhere. Or start from the parameters
            of another fit of the same partition and network; or from a learned start (`load_start`),
            whatever the partition: every region begins with its inner steps, and the fit has its network and
            frame.
        checkpoint: folder for the state of an unfinished fit, written every few seconds.
        resume: go on from the checkpoint, if there is one.
        callback: called with `Progress`; returning True stops the fit.
        measure_at: numbers of steps after which the signal is rendered and its quality kept in
            `history.measured`; the clock stands still meanwhile, and the fit's result does not change.

    Raises:
        InputError: something asked for cannot be done; the message says what to change.
        DivergedError: the loss became infinite or NaN.

    Source: Liu et al., ICCV 2023, section 4 (partition on grids and on segmentations).

    Example:
        >>> import numpy as np, partinr
        >>> result = partinr.fit(np.linspace(0, 1, 400).reshape(20, 20), steps=20)
        >>> result.regions, result.steps
        (1, 20)
    """
    _check(steps, psnr, seconds, params, max_params, threads, seed)
    what = as_signal(signal)
    if recipe is None:
        recipe = recipe_for(FAST.name, what.spec, psnr)
    start = None if init == "auto" else init
    asked = any(choice is not None for choice in (partition, network, params, steps, start, overlap or None))
    if overlap is None:
        overlap = default_overlap(recipe, start, psnr, blend)
    made = _with_changes(recipe, steps, batch, learning_rate, _frame(frame, start), overlap)
    run: Training
    if psnr is not None and not asked and made.name != PAPER.name:
        like, affordable = adaptive_defaults(what.spec)
        if init == "auto" and made.solve_readout:
            start = shipped_units(what.spec.dims, made.frame)
        run = Adaptive(
            what,
            made,
            select(engine, device, threads, like, precision or "fp32"),
            Limits(made.steps, psnr, seconds),
            seed,
            callback,
            measure_at,
            like=like,
            most=affordable if max_params is None else max_params,
            blend=blend,
        )
    else:
        if max_params is not None:
            raise InputError(
                "max_params bounds a fit that chooses its structure for a psnr; with a partition, network, "
                "steps or start of your own give params"
            )
        chosen, shape = choose(what, partition, network, made, params, start)
        if init == "auto" and made.solve_readout:
            start = shipped_start(shape, what.spec.dims, made.frame)
        exactness = precision or precision_for(made, shape, engine, device)
        model = PiecewiseINR(chosen, shape, what.spec, made.frame, blend=blend, overlap=overlap)
        open_end = psnr is not None and steps is None
        kind = Targeted if open_end and made.schedule == "cooldown" else Training
        if isinstance(start, Start) and not start.inner_steps and kind is not Targeted:
            made = made.from_start()
        most = made.steps * (MOST_CYCLES if open_end else 1)
        limits = Limits(most if steps is not None or seconds is None else None, psnr, seconds)
        trainer = select(engine, device, threads, shape, exactness)
        run = kind(model, what, made, trainer, limits, seed, callback, measure_at)
    run.start_from(start)
    if checkpoint is not None:
        run.keep_in(Path(checkpoint), resume)
    stopped = run.train()
    reached = quality(run.model, what)
    return FitResult(
        model=run.model,
        signal=what,
        psnr=reached.psnr,
        ssim=reached.ssim,
        history=run.history,
        steps=run.steps,
        seconds=run.seconds,
        stopped=stopped,
        target=psnr,
        recipe=made,
        seed=seed,
        engine=run.engine.name,
        device=str(run.engine.device),
        precision=run.engine.precision,
        init=start,
    )


def default_overlap(
    recipe: Recipe, start: PiecewiseINR | Start | None, psnr: float | None, blend: bool
) -> int:
    """Samples of margin where nobody asked for any: those of another fit that goes on, or else the recipe's;
    none without blending, or to a PSNR, which is reached sooner without."""
    if not blend:
        return 0
    if isinstance(start, PiecewiseINR):
        return start.overlap
    return recipe.overlap if psnr is None else 0


def _frame(asked: Frame | None, init: PiecewiseINR | Start | None) -> Frame | None:
    """The frame to use instead of the recipe's: a learned start brings its own."""
    if not isinstance(init, Start):
        return asked
    own = fit_frame(init)
    if asked not in (None, own):
        raise InputError(f"the start is for the {own} frame, got {asked}; leave it out")
    return own


def _with_changes(
    recipe: Recipe,
    steps: int | None,
    batch: int | Literal["full"] | None,
    learning_rate: float | None,
    frame: Frame | None,
    overlap: int,
) -> Recipe:
    changes: dict[str, Any] = {"overlap": overlap}
    if steps is not None:
        changes["steps"] = steps
    if batch is not None:
        changes["batch"] = None if batch == "full" else batch
    if learning_rate is not None:
        changes |= {"learning_rate": learning_rate, "reference_width": None}
    if frame is not None:
        changes["frame"] = frame
    return replace(recipe, **changes)


def _check(
    steps: int | None,
    psnr: float | None,
    seconds: float | None,
    params: int | None,
    max_params: int | None,
    threads: int | None,
    seed: int,
) -> None:
    bounds = (
        ("steps", steps, _MOST_STEPS),
        ("params", params, None),
        ("max_params", max_params, None),
        ("threads", threads, _MOST_THREADS),
    )
    for name, value, most in bounds:
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")
        if value is not None and most is not None and value > most:
            raise InputError(f"{name} must be at most {most}, got {value}")
    if not 0 <= seed < 1 << 64:
        raise InputError(f"seed must be 0 to 2^64 - 1, got {seed}")
    for name, number in (("psnr", psnr), ("seconds", seconds)):
        if number is not None and not 0 < number < math.inf:
            raise InputError(f"{name} must be a positive number, got {number}")

"""Fit a signal: what to train for how long, when to stop, and what came of it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from reprlib import repr as brief
from typing import Any, Literal

from partinr.display import Displayed
from partinr.engines import Precision, select
from partinr.engines.readout import RIDGE
from partinr.errors import InputError
from partinr.fitting.arguments import check_kinds
from partinr.fitting.defaults import Budget, between_for, choose, precision_for
from partinr.fitting.goals.compact import usual_goal
from partinr.fitting.goals.goal import Course, Goal, Solved, Trained
from partinr.fitting.goals.growing import Growing
from partinr.fitting.goals.steps import Steps
from partinr.fitting.history import History
from partinr.fitting.loop import Keep, Loop, Progress, Stopped, Watch
from partinr.fitting.recipe import FAST, Recipe
from partinr.fitting.settings import digest, settings_of
from partinr.fitting.starts.handover import adapted, check_suits, fit_frame
from partinr.fitting.starts.other_fit import copied
from partinr.fitting.starts.shipped import shipped_start
from partinr.fitting.starts.start import Start
from partinr.fitting.state import Fit
from partinr.model.networks.network import Network, Parameters
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import HeldOut, held_out, quality
from partinr.model.structure import Structure
from partinr.signals import as_signal
from partinr.signals.signal import Between, Signal
from partinr.signals.snr import snr_at

# Features of a learned start are smoother than random ones and nearly dependent. Solved as tightly as those,
# the readout has weights so large that Adam's first steps on the hidden layers undo it.
_LEARNED_RIDGE = 0.3
_MOST_THREADS = 1024
_OVERLAP = 1
# Fields of a recipe that change nothing, or nothing that another one does not say.
_SAID = ("name", "as_published")


@dataclass(frozen=True)
class Compute:
    """Where and how a fit is computed.

    Attributes:
        engine: "torch", "cpu" (the native kernel), or "auto", the fastest that can do what is asked.
        device: where the torch engine computes.
        threads: CPU threads; None for all.
        precision: "bf16" lets the native kernel train with hidden layers' products in bfloat16, on processors
            that have the instructions; "fp32" does not. None: bf16 where it reaches the same PSNR, which is
            SIRENs from 32 units on by the fast recipe.

    Raises:
        InputError: the threads are out of range.

    Example:
        >>> import numpy as np, partinr
        >>> compute = partinr.Compute(threads=1)
        >>> partinr.fit(np.eye(16), goal=partinr.Steps(5), compute=compute).device
        'cpu'
    """

    engine: str = "auto"
    device: str = "cpu"
    threads: int | None = None
    precision: Precision | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= _MOST_THREADS:
            raise InputError(f"threads must be 1 to {_MOST_THREADS}, got {self.threads}")

    @property
    def trains(self) -> bool:
        """Whether this says what only training knows."""
        return self.engine == "torch" or self.device != "cpu" or self.precision is not None


@dataclass(frozen=True, eq=False, repr=False)
class FitResult(Displayed):
    """A fitted signal.

    Attributes:
        model: the piecewise function.
        signal: what was fitted.
        psnr: PSNR in dB of the rendered signal (clipped and rounded as `render` does) at its own size, over
            the samples that are there, with their weights.
        ssim: structural similarity of the same, None where an axis is shorter than 11 samples.
        history: seconds and loss of every step.
        steps: optimiser updates that each region got; with a structure chosen for a PSNR, the most that one
            got.
        seconds: duration of the whole fit.
        stopped: what ended it.
        goal: what was asked for.
        recipe, seed, engine, device, precision: how it was made.
        start: what it was started from; None for a random draw.
        held_out: number of scattered points that were not fitted, PSNR in dB and root of the mean squared
            error there; None where none were kept back.
    """

    model: Piecewise
    signal: Signal
    psnr: float
    ssim: float | None
    history: History
    steps: int
    seconds: float
    stopped: Stopped
    goal: Goal
    recipe: Recipe
    seed: int
    engine: str
    device: str
    precision: Precision
    start: Piecewise | Start | None
    held_out: HeldOut | None = None

    @property
    def reached(self) -> bool:
        """False if a PSNR or a size was asked for and not reached."""
        return self.goal.reached(self.model, self.psnr)

    @property
    def snr(self) -> float | None:
        """SNR in dB of the rendered signal, see `partinr.snr`; None if the signal is constant."""
        return snr_at(self.signal, self.psnr)

    @property
    def started_from(self) -> str:
        """What it was started from, in a word or two: "none" for a random draw."""
        if isinstance(self.start, Start):
            name = self.start.summary.get("name")
            return f"learned start {name}" if isinstance(name, str) else "learned start"
        return "none" if self.start is None else "fit"

    @property
    def params(self) -> int:
        """Number of weights and biases."""
        return self.model.params

    @property
    def regions(self) -> int:
        """Number of regions."""
        return self.model.regions


def fit(
    signal: Any,
    partition: Rule | Partition | None = None,
    network: Network | Budget | None = None,
    *,
    goal: Goal | None = None,
    recipe: Recipe = FAST,
    start: Piecewise | Start | Literal["auto"] | None = "auto",
    between: Between | None = None,
    compute: Compute | None = None,
    keep: Keep | None = None,
    watch: Watch | None = None,
    seed: int = 0,
    mask: Any = None,
    weights: Any = None,
) -> FitResult:
    """Fit a piecewise network to a signal.

    Networks that are solved, such as `Cosine`, are not trained: whatever the goal, their fit has no steps,
    and whether it reached the goal is then to be seen. A network that needs certain coordinates gets them,
    whatever the recipe's frame.

    Args:
        signal: a `Signal`, the path of a file (see `read`), an array or tensor (see `from_array`), or
            `Samples` at coordinates anywhere, whose networks are trained on boxes with equally many points.
        partition: a rule such as `Grid(3, 3)`, a `Partition`, or None for the recipe's own choice.
        network: the network of every region, a `Budget` of parameters, or None for the recipe's own choice.
        goal: when it is done: `Compact(38)`, which cuts the signal into boxes of cosines with few bytes;
            `Steps(600)`, `Quality(38)`; `Growing(38)`, which chooses partition and network itself. None:
            `usual_goal()` where nothing is said that only training knows (partition, network, recipe,
            start, keep, another engine than the CPU's, precision, moments to measure at), and else
            `Steps()`, the recipe's; fewer where points are scattered.
        recipe: `FAST` or `PAPER`, one of these `changed`, or your own.
        start: "auto" starts from hidden layers that were learned on photographs (`shipped_start`) where such
            are part of the package for the fit's network, dimension and frame, and the recipe solves output
            layers, or from some of their units where the goal chooses the widths; and from random numbers
            elsewhere, as None does everywhere. Or start from the parameters
            of another fit of the same partition and network; or from a learned start (`load_start`),
            whatever the partition: every region begins with its inner steps, and the fit has its network and
            frame.
        between: what the function is between the samples: "learned" has the details that photographs have
            there, "smooth" is the smooth function whose mean over the area of each sample is that sample,
            "none" is what the networks happen to say; None: as the recipe says. The samples are the same.
        compute: where and how; None for `Compute()`.
        keep: where the state is kept while it runs; None for nowhere.
        watch: who looks at it while it runs; None for nobody.
        seed: decides initialisation and the order of samples. Same seed, engine and machine, same result.
        mask: array of the signal's shape without channels: true or not 0 where a sample is there. Those that
            are missing, and those of which a channel is NaN, are neither fitted nor judged.
        weights: array of the same shape: what the squared errors of samples count beside each other, in the
            fit and in the PSNR and SSIM that are reported. 0: the sample is missing.

    Raises:
        InputError: something asked for cannot be done; the message says what to change.
        DivergedError: the loss became infinite or NaN.

    Source: Liu et al., ICCV 2023, section 4 (partition on grids and on segmentations).

    Example:
        >>> import numpy as np, partinr
        >>> result = partinr.fit(np.linspace(0, 1, 400).reshape(20, 20), goal=partinr.Steps(20))
        >>> result.regions, result.steps
        (1, 20)
    """
    check_kinds(partition=partition, network=network, goal=goal, recipe=recipe, keep=keep, watch=watch)
    check_kinds(start=None if start == "auto" else start, seed=seed)
    if compute is not None and not isinstance(compute, Compute):
        raise InputError(f'compute must be a Compute, such as Compute("torch"), got {brief(compute)}')
    if not 0 <= seed < 1 << 64:
        raise InputError(f"seed must be 0 to 2^64 - 1, got {seed}")
    where, seen = compute or Compute(), watch or Watch()
    what = as_signal(signal, mask, weights)
    trains = (
        what.scattered
        or any(choice is not None for choice in (partition, network, keep))
        or (replace(recipe, between=FAST.between), start) != (FAST, "auto")
        or where.trains
        or bool(seen.measure_at)
    )
    usual = Steps() if trains else usual_goal(signal=what)
    aim = usual if goal is None else goal
    if what.scattered and isinstance(aim, Solved | Growing):
        raise InputError(
            f"{type(aim).__name__} is for signals on grids, got {len(what.places()):,} points on none; take "
            "Steps or Quality"
        )
    began = time.perf_counter()
    lies = between_for(what.spec, between or recipe.between, scattered=what.scattered)
    what = what.with_between(lies)
    if isinstance(aim, Solved):
        if any(choice is not None for choice in (partition, network, keep)) or start != "auto":
            raise InputError(
                f"{type(aim).__name__} chooses partition and network itself, at once; leave out those, "
                "start and keep, or take Quality to reach a PSNR with them"
            )
        return _solved(aim, what, recipe, where, seen, seed, began)
    assert isinstance(aim, Trained)
    course = aim.begin(what, recipe, learned=start == "auto")
    structure, given = course.structure(), None if start == "auto" else start
    if structure is not None:
        if any(choice is not None for choice in (partition, network, given)):
            raise InputError(
                f"{type(aim).__name__} chooses partition, networks and start itself; leave them out, or take "
                "Quality to reach a PSNR with those"
            )
        like, precision, given = structure.networks[0], where.precision or "fp32", course.start
    else:
        overlap = default_overlap(recipe, aim, given, what)
        partition, network, recipe = _from_start(what, partition, network, given, recipe)
        chosen, like = choose(what, partition, network, recipe, overlap, as_it_is=isinstance(given, Start))
        recipe = recipe.trained_as(like)
        if like.frame is not None:
            recipe = replace(recipe, frame=like.frame)
        if start == "auto" and recipe.solve_readout and not like.solved:
            given = shipped_start(like, what.spec.dims, recipe.frame)
        steps = aim.planned(recipe, what)
        if isinstance(given, Start) and not given.inner_steps and steps is not None:
            recipe = recipe.from_start(steps)
        precision = where.precision or precision_for(recipe, like, where.engine, where.device)
        structure = Structure(chosen, (like,), what.spec, recipe.frame, blend=recipe.blend, overlap=overlap)
    engine = select(where.engine, where.device, where.threads, like, precision)
    state = Fit(what, recipe, engine, structure, seed, began)
    parameters, ridge, known = _parameters(state, course, given)
    state.begin_with(parameters, ridge if recipe.solve_readout else None)
    loop = Loop(state, course, None if aim.within is None else aim.within.seconds, seen)
    if keep is not None:
        loop.keep_in(
            keep,
            settings_of(
                what,
                structure,
                recipe={field: value for field, value in asdict(recipe).items() if field not in _SAID},
                goal={"name": type(aim).__name__, **vars(aim), "within": loop.seconds},
                seed=seed,
                engine=engine.name,
                device=engine.device,
                precision=engine.precision,
                start=known,
                measure_at=sorted(loop.measure_at),
            ),
        )
    stopped = loop.run()
    reached = quality(state.function(), what)
    return FitResult(
        model=state.function(),
        signal=what,
        psnr=reached.psnr,
        ssim=reached.ssim,
        history=state.history,
        steps=state.steps,
        seconds=state.seconds,
        stopped=stopped,
        goal=aim,
        recipe=recipe,
        seed=seed,
        engine=engine.name,
        device=engine.device,
        precision=engine.precision,
        start=given,
        held_out=held_out(state.function(), what),
    )


def _solved(
    goal: Solved, signal: Signal, recipe: Recipe, where: Compute, seen: Watch, seed: int, began: float
) -> FitResult:
    """A fit without steps."""
    if where.device != "cpu" or where.engine == "torch":
        raise InputError(
            f"{type(goal).__name__} is computed by engine cpu on the CPU; leave engine and device out"
        )
    select(where.engine, where.device, where.threads)  # refuses what there is not
    stopped = False

    def tell(fraction: float) -> bool:
        nonlocal stopped
        if seen.callback is not None and not stopped:
            seconds = time.perf_counter() - began
            stopped = bool(seen.callback(Progress(0, None, seconds, fraction, None)))
        return stopped

    model = goal.solved(signal, where.threads, tell)
    seconds = time.perf_counter() - began
    if seen.callback is not None and not stopped:
        seen.callback(Progress(0, None, seconds, 1.0, None, model))
    reached = quality(model, signal)
    return FitResult(
        model=model,
        signal=signal,
        psnr=reached.psnr,
        ssim=reached.ssim,
        history=History(),
        steps=0,
        seconds=seconds,
        stopped="callback" if stopped else "solved",
        goal=goal,
        recipe=recipe,
        seed=seed,
        engine="cpu",
        device="cpu",
        precision="fp32",
        start=None,
    )


def default_overlap(recipe: Recipe, goal: Goal, start: Piecewise | Start | None, signal: Signal) -> int:
    """Samples of margin: those that the recipe says, or where it says "auto", those of another fit that goes
    on; or else one where regions blend and the goal allows it, none elsewhere. Where scattered points are,
    between samples, neighbours are blended in any case, and trained on it."""
    if recipe.overlap != "auto":
        return max(recipe.overlap, _OVERLAP) if signal.scattered and recipe.blend else recipe.overlap
    if not recipe.blend:
        return 0
    if signal.scattered and start is None:
        return _OVERLAP
    if isinstance(start, Piecewise):
        return start.overlap
    return _OVERLAP if goal.overlaps else 0


def _from_start(
    signal: Signal,
    partition: Rule | Partition | None,
    network: Network | Budget | None,
    start: Piecewise | Start | None,
    recipe: Recipe,
) -> tuple[Rule | Partition | None, Network | Budget | None, Recipe]:
    """Partition, network and recipe as a start has them: another fit's are taken over where none are given; a
    learned start brings its network and frame."""
    if isinstance(start, Piecewise):
        return (
            start.partition if partition is None else partition,
            start.networks[0] if network is None else network,
            recipe,
        )
    if not isinstance(start, Start):
        return partition, network, recipe
    check_suits(start, signal.spec)
    brought: Network | Budget = start.network
    if isinstance(network, Budget):
        brought, network = Budget(network.params, start.network), network.like
    if network not in (None, start.network):
        raise InputError(f"the start is for the network {start.network}, got {network}; leave it out")
    return partition, brought, replace(recipe, frame=fit_frame(start))


def _parameters(
    fit: Fit, course: Course, start: Piecewise | Start | None
) -> tuple[list[Parameters], float | None, str]:
    """Parameters to begin with, the ridge that output layers are then solved with (None: they stay as they
    are), and what tells this start from others."""
    if start is None or start is course.start:
        known = "fresh" if course.start is None else course.start.digest()
        return course.fresh(fit.structure, fit.seed), RIDGE, known
    if isinstance(start, Start):
        begun = adapted(start, fit.signal, fit.structure.partition, fit.engine.device)
        return [begun], _LEARNED_RIDGE if start.inner_steps else RIDGE, start.digest()
    taken = copied(start, fit.structure)
    return taken, None, digest(*(array for one in taken for array in one.arrays))

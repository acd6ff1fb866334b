"""How good a start is: quality after each inner step on signals that it has not seen, beside a random one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy import ndarray

from partinr.errors import InputError
from partinr.fitting.starts.inner import descend, evaluate, gradient, on_device
from partinr.fitting.starts.start import MOST_STEPS, Start
from partinr.fitting.starts.tasks import Tasks, pack_tasks
from partinr.meta.collection import Collection
from partinr.meta.crops import Crop
from partinr.meta.learning import MetaCompute
from partinr.meta.loading import Loaded, Preparation, Wanted, loading
from partinr.model.partition.rule import Rule
from partinr.shapes import Shaped
from partinr.signals import SignalSpec
from partinr.signals.metrics import psnr, ssim

Origin = Literal["learned", "random"]
"""Where a network began."""

# How much longer a random start is given at the end.
LONGER = 10


class Score(NamedTuple):
    """Quality of one signal at one moment.

    Attributes:
        signal: its name in the collection.
        origin: where its networks began.
        step: gradient steps done.
        psnr: PSNR in dB of the rendered signal (clipped and rounded as `render` does).
        ssim: structural similarity of the same; None where an axis is shorter than 11 samples.
    """

    signal: str
    origin: Origin
    step: int
    psnr: float
    ssim: float | None


class Interval(NamedTuple):
    """A mean over signals.

    Attributes:
        mean: the mean.
        deviation: standard deviation of the signals; 0 for one.
        low, high: ends of the 95 per cent interval of the mean, by Student's distribution; the mean itself
            for one signal.
    """

    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The mean of some values and how sure it is.

        Example:
            >>> interval = Interval.of([1.0, 2.0, 3.0])
            >>> interval.mean, interval.deviation, round(interval.high, 2)
            (2.0, 1.0, 4.48)
        """
        mean = float(np.mean(values))
        if len(values) < 2:
            return cls(mean, 0.0, mean, mean)
        from scipy.special import stdtrit

        deviation = float(np.std(values, ddof=1))
        half = float(stdtrit(len(values) - 1, 0.975)) * deviation / math.sqrt(len(values))
        return cls(mean, deviation, mean - half, mean + half)


class Frames(NamedTuple):
    """What one signal looked like along the way.

    Attributes:
        name: its name in the collection.
        spec: what its values mean.
        original: its values, in its own data type.
        rendered: the same as rendered, by origin and step.
    """

    name: str
    spec: SignalSpec
    original: Shaped[ndarray, "*shape channels"]
    rendered: dict[tuple[Origin, int], Shaped[ndarray, "*shape channels"]]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Quality of a start on a collection.

    Attributes:
        scores: of every signal at every step, from both origins.
        skipped: names of the signals that could not be used, with the reasons.
    """

    scores: list[Score]
    skipped: dict[str, str]

    def moments(self) -> list[tuple[Origin, int]]:
        """Origins and steps that were looked at."""
        return list(dict.fromkeys((score.origin, score.step) for score in self.scores))

    def psnr(self, origin: Origin, step: int) -> Interval:
        """PSNR over all signals at one moment."""
        return Interval.of([s.psnr for s in self._at(origin, step)])

    def ssim(self, origin: Origin, step: int) -> Interval | None:
        """Structural similarity over all signals at one moment; None where it has none."""
        values = [s.ssim for s in self._at(origin, step) if s.ssim is not None]
        return Interval.of(values) if values else None

    def _at(self, origin: Origin, step: int) -> list[Score]:
        return [score for score in self.scores if (score.origin, score.step) == (origin, step)]


def evaluate_start(
    start: Start,
    collection: Collection,
    *,
    crop: Crop,
    rule: Rule,
    steps: int | None = None,
    random_rate: float = 1e-3,
    seed: int = 0,
    compute: MetaCompute | None = None,
    callback: Callable[[int, int], bool | None] | None = None,
    watch: Callable[[Frames], None] | None = None,
) -> Evaluation:
    """Adapt a start to every signal of a collection and measure what comes out after each step.

    Beside it, networks that begin at random, as their publication draws them, are trained by Adam, since the
    start's own rates suit the start alone: with as many steps, and with ten times as many.

    Args:
        start: what is judged.
        collection: signals that it was not learned on.
        crop: the part of each signal that is used.
        rule: how each is partitioned; it need not be what the start was learned with.
        steps: inner steps; None for those that it was learned for. Steps beyond take the last one's rates.
        random_rate: learning rate of Adam for the networks that begin at random.
        seed: decides these.
        compute: where and how, in one process; None for `MetaCompute()`.
        callback: called with the signals done and all signals; returning True stops.
        watch: called with what each signal looked like.

    Raises:
        InputError: no signal can be used, or a number is out of its range.

    Source: Liu et al., ICCV 2023, section 5.3.

    Example:
        >>> import numpy as np, tempfile, partinr
        >>> folder = tempfile.mkdtemp()
        >>> np.save(f"{folder}/wave.npy", np.sin(np.linspace(0, 6, 50)))
        >>> found = partinr.evaluate_start(
        ...     partinr.Start.fresh(partinr.Siren(8, 1), dims=1, channels=1),
        ...     partinr.open_collection(folder),
        ...     crop=partinr.Crop((40,)),
        ...     rule=partinr.Grid(2),
        ... )
        >>> [step for origin, step in found.moments() if origin == "random"]
        [0, 1, 2, 3, 30]
    """
    count = start.inner_steps if steps is None else steps
    if not 1 <= count <= MOST_STEPS:
        raise InputError(f"inner steps must be 1 to {MOST_STEPS}, got {count}")
    if not 0 < random_rate < math.inf:
        raise InputError(f"the learning rate of random starts must be positive, got {random_rate}")
    where = compute or MetaCompute()
    own = on_device(start, where.device)
    preparation = Preparation(collection, crop, rule, start.channels)
    scores: list[Score] = []
    seen: set[str] = set()
    with loading(preparation, where.workers) as loader:
        loaded = loader.load(Wanted(i) for i in range(len(collection)))
        for done, one in enumerate(loaded):
            if callback is not None and callback(done, len(collection)):
                break
            if one.name in seen:  # the neighbour of one that was skipped
                continue
            seen.add(one.name)
            frames = Frames(one.name, one.signal.spec, one.signal.values, {})
            for origin, step, values in _courses(own, one, count, random_rate, seed, where.at_once):
                rendered = one.signal.spec.quantise(values)
                low, high = one.signal.spec.value_range
                scores.append(
                    Score(
                        one.name,
                        origin,
                        step,
                        psnr(one.signal.values, rendered, high - low),
                        ssim(one.signal.values, rendered, high - low),
                    )
                )
                frames.rendered[origin, step] = rendered
            if watch is not None:
                watch(frames)
        return Evaluation(scores, loader.skipped)


def _courses(
    start: Start, loaded: Loaded, steps: int, random_rate: float, seed: int, at_once: int | None
) -> Iterator[tuple[Origin, int, Shaped[ndarray, "*shape channels"]]]:
    """Values of one signal after each step, from the start and from a random one."""
    shape = (*loaded.signal.shape, start.channels)
    tasks = pack_tasks(
        [loaded.signal.normalised().reshape(-1, start.channels)],
        [loaded.partition],
        start.network,
        start.frame,
        device=start.parameters.weights[0].device,
        at_once=at_once,
    )
    labels = loaded.partition.label_map.reshape(-1)
    order = np.argsort(labels, kind="stable")

    def picture(parameters: list[torch.Tensor]) -> Shaped[ndarray, "*shape channels"]:
        values = np.empty((labels.size, start.channels), np.float32)
        values[order] = evaluate(start.network, parameters, tasks).cpu().numpy()
        return values.reshape(shape)

    for step, state in enumerate(descend(start, tasks, steps)):
        yield "learned", step, picture(state.parameters)
    for step, parameters in enumerate(_from_random(start, tasks, steps * LONGER, random_rate, seed)):
        if step <= steps or step == steps * LONGER:
            yield "random", step, picture(parameters)


def _from_random(
    start: Start, tasks: Tasks, steps: int, rate: float, seed: int
) -> Iterator[list[torch.Tensor]]:
    """Parameters of networks that begin at random, before each step of Adam and after the last."""
    random = np.random.Generator(np.random.Philox(seed))
    drawn = start.network.initialise(tasks.regions, start.dims, start.channels, random)
    device = start.parameters.weights[0].device
    leaves = [torch.as_tensor(array).to(device) for array in drawn.arrays]
    optimiser = torch.optim.Adam(leaves, lr=rate)
    for step in range(steps + 1):
        yield leaves
        if step < steps:
            _, slopes = gradient(start.network, leaves, tasks)
            for leaf, slope in zip(leaves, slopes, strict=True):
                leaf.grad = slope
            optimiser.step()

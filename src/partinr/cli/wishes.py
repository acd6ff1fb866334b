"""Partition, network and goal from the options of `fit`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import partinr
from partinr.cli import words
from partinr.errors import InputError
from partinr.report.words import listed


@dataclass(frozen=True)
class Aims:
    """What --psnr, --snr, --size, --bpp, --steps, --time and --max-params name; None: nothing.

    Raises:
        InputError: what was asked for does not go together.
    """

    psnr: float | None
    snr: float | None
    size: int | None
    bpp: float | None
    steps: int | None
    seconds: float | None
    max_params: int | None

    def __post_init__(self) -> None:
        given = [
            name
            for name, aim in (
                ("--psnr", self.psnr),
                ("--snr", self.snr),
                ("--size", self.size),
                ("--bpp", self.bpp),
            )
            if aim is not None
        ]
        if len(given) > 1:
            raise InputError(f"give one of --psnr, --snr, --size and --bpp, got {listed(given)}")

    def of(self, signal: partinr.Signal) -> Aims:
        """With the PSNR that an SNR means for a signal.

        Raises:
            InputError: it has no such SNR.
        """
        return (
            self if self.snr is None else replace(self, psnr=partinr.psnr_for_snr(signal, self.snr), snr=None)
        )

    @property
    def trains(self) -> bool:
        """Whether something was asked for that only training knows."""
        return any(aim is not None for aim in (self.steps, self.seconds, self.max_params))

    def goal(
        self, signal: partinr.Signal, recipe: partinr.Recipe, *, trained: bool, chosen: bool, spare: float
    ) -> partinr.Goal:
        """The goal that they name together.

        Where nothing was asked for that only training knows, cosines are fitted, in few bytes. A PSNR alone
        otherwise grows a structure for it, unless something was chosen that decides the structure, which a
        recipe with cells of its own does too; then the fit finds out how many steps the PSNR needs, unless
        they are given.

        Args:
            signal: what is fitted.
            recipe: the preset.
            trained: whether anything else was asked for that only training knows.
            chosen: whether partition, network, start or overlap were.
            spare: decibels beyond --psnr that training aims at, which rounding costs afterwards.

        Raises:
            InputError: a number is out of its range, or what was asked for does not go together.
        """
        within = None if self.seconds is None else partinr.Seconds(self.seconds)
        if not (trained or chosen or self.trains):
            return partinr.usual_goal(self.psnr, signal) if self._bytes is None else self._compact
        if self._bytes is not None:
            raise InputError(
                f"{self._bytes} is kept by cosines over boxes of their own; leave out options of partition, "
                "network and training, or name a --psnr"
            )
        alone = self.psnr is not None and self.steps is None and not chosen and recipe.cells is None
        if self.max_params is not None and not alone:
            raise InputError(
                "--max-params bounds a fit that chooses its structure for a --psnr; with a partition, "
                "network, steps or start of your own give --params"
            )
        if self.psnr is None:
            return partinr.Steps(self.steps, within=within)
        psnr = self.psnr + spare
        if alone:
            return partinr.Growing(psnr, self.max_params, within)
        return (
            partinr.Quality(psnr, within) if self.steps is None else partinr.Steps(self.steps, psnr, within)
        )

    @property
    def _bytes(self) -> str | None:
        return "--size" if self.size is not None else "--bpp" if self.bpp is not None else None

    @property
    def _compact(self) -> partinr.Compact:
        return partinr.Compact(size=self.size, bpp=self.bpp)


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
    frequencies: int | None
    params: int | None

    def __post_init__(self) -> None:
        if self.params is not None and self.params < 1:
            raise InputError(f"--params must be at least 1, got {self.params}")
        # Made for its checks, too: a wrong name or number is found before the signal is read.
        asked = words.network(self.name, **self._fields)
        if self.params is not None and asked is not None and self._fields[asked.size] is not None:
            raise InputError(
                f"give either --{asked.size} or --params, got both; a budget of parameters decides the width"
            )

    @property
    def _fields(self) -> dict[str, float | None]:
        """Fields of the network."""
        return {
            "hidden": self.hidden,
            "layers": self.layers,
            "omega_0": self.omega_0,
            "frequencies": self.frequencies,
        }

    @property
    def structure(self) -> bool:
        """Whether anything was asked for that a goal may choose."""
        wishes = (self.rule, self.name, self.params, *self._fields.values())
        return any(wish is not None for wish in wishes)

    @property
    def family(self) -> str | None:
        """The network's name, if that is all that was asked for of the structure."""
        others = (self.rule, self.params, *self._fields.values())
        return self.name if all(wish is None for wish in others) else None

    def check_frame(self, frame: partinr.Frame | None) -> None:
        """Make sure that no other frame was asked for than the network needs.

        Raises:
            InputError: one was.
        """
        asked = words.network(self.name, **self._fields)
        if asked is not None and asked.frame not in (None, frame or asked.frame):
            raise InputError(
                f"the network {asked.name} sees the {asked.frame} frame, got {frame}; leave it out"
            )

    def choose(
        self,
        signal: partinr.Signal,
        recipe: partinr.Recipe,
        start: partinr.Piecewise | partinr.Start | None,
        overlap: int,
        goal: partinr.Goal,
    ) -> tuple[partinr.Rule | partinr.Partition | None, partinr.Network | partinr.Budget | None]:
        """What `fit` is to be given as partition and network; None where it or its goal chooses.

        Raises:
            InputError: the partition does not fit the signal, or the budget is too small.
        """
        from partinr.fitting.defaults import choose, network_for

        if isinstance(goal, partinr.Compact | partinr.Growing):
            return None, None
        asked = words.network(self.name, **self._fields)
        if isinstance(start, partinr.Start):
            self._check_agrees(start.network)
        if isinstance(start, partinr.Start) or asked is None:
            return self.rule, None if self.params is None else partinr.Budget(self.params)
        rule = start.partition if self.rule is None and start is not None else self.rule
        partition, _ = choose(signal, rule, self._within(asked), recipe, overlap)
        network = network_for(asked.name, recipe, signal.spec, partition, overlap=overlap, **self._fields)
        return partition, self._within(network)

    def _within(self, network: partinr.Network) -> partinr.Network | partinr.Budget:
        return network if self.params is None else partinr.Budget(self.params, network)

    def _check_agrees(self, network: partinr.Network) -> None:
        """Make sure that nothing else was asked for than what a learned start has.

        Raises:
            InputError: something was.
        """
        config = network.config()
        wishes: dict[str, object] = {"name": self.name, **self._fields}
        for field, wish in wishes.items():
            if wish is not None and wish != config.get(field):
                option = f"--{field.replace('name', 'network').replace('_', '-')}"
                raise InputError(
                    f"{option} {wish} does not go with the start, which has {config.get(field)}; leave it out"
                )

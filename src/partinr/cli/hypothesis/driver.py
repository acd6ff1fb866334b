"""What the commands of `partinr hypothesis` have in common: their options, and how they run and report."""

from __future__ import annotations

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, get_type_hints

import typer

import partinr
from partinr.cli import words
from partinr.cli.console import Bar, complain, duration, emit, say
from partinr.cli.exits import DONE, FAILED, INTERRUPTED
from partinr.cli.interrupt import Stop, stopping
from partinr.cli.options import AS_JSON, DEVICE, ENGINE, QUIET, THREADS, how, option, out
from partinr.errors import InputError
from partinr.files import check_folder, make_folder

if TYPE_CHECKING:
    from partinr.studies.hypothesis.findings import Experiment
    from partinr.studies.hypothesis.sweep import Progress

Plan = TypeVar("Plan")


what = partial(option, panel="What to run")


@dataclass(frozen=True, kw_only=True)
class Command(ABC):
    """A command as an object: its fields are the options, its docstring is the help.

    Attributes:
        name: that it is called by.
        kind: what its results are of, as settings name it.
        subject: what is learned, as messages call it.
    """

    name: ClassVar[str]
    kind: ClassVar[str]
    subject: ClassVar[str] = "run"

    output: Annotated[
        Path,
        out(
            "The folder for results and unfinished work, where the same command goes on; made if missing.",
            *("DIR", "-o", "--output"),
            show_default=False,
        ),
    ]
    quick: Annotated[bool, what("Fewer and smaller signals: under two minutes.", None, "--quick")] = False
    repeats: Annotated[int | None, what("Signals of each size.", "N")] = None
    network: Annotated[
        str | None,
        what(
            f"The network: {', '.join(words.NETWORK_WORDS)}. Default: siren.",
            "NAME",
            autocompletion=lambda: list(words.NETWORK_WORDS),
        ),
    ] = None
    hidden: Annotated[int | None, what("Width of the hidden layers. Default: 32.", "N")] = None
    layers: Annotated[int | None, what("Hidden layers after the first one. Default: 3.", "N")] = None
    omega_0: Annotated[
        float | None,
        what(
            "Frequency factor of the first layer. Default: the published one for siren, the network's own "
            "for others.",
            "X",
        ),
    ] = None
    threshold: Annotated[
        float | None, what("Mean squared error to reach, on values of -1 and 1. Default: 0.05.", "X")
    ] = None
    steps: Annotated[int | None, what("Steps after which a run is given up.", "N", max=2**31 - 1)] = None
    lr: Annotated[float | None, what("Learning rate. Default: 0.001.", "X")] = None
    seed: Annotated[int, how("Same seed, engine and machine: same numbers.", "N", min=0, max=2**63 - 1)] = 0
    engine: ENGINE = "auto"
    device: DEVICE = "cpu"
    threads: THREADS = None
    quiet: QUIET = False
    as_json: AS_JSON = False

    @abstractmethod
    def experiment(self) -> Experiment[Any]:
        """What to train, as the options say.

        Raises:
            InputError: an option that is not of its form or out of its range, or a file that cannot be read.
        """

    def training(self, usual: Any) -> dict[str, Any]:
        """Repeats, network, rules and seed for a plan that has the usual ones."""
        rules = changed(usual.rules, threshold=self.threshold, limit=self.steps, learning_rate=self.lr)
        network = self._network(usual.network)
        return {"repeats": self.repeats, "network": network, "rules": rules, "seed": self.seed}

    def _network(self, usual: partinr.Network) -> partinr.Network:
        """The usual network, or another of its width and depth, with what was asked for changed."""
        from partinr.model.networks import NETWORKS, check_trained, network_from_word

        name = self.network or usual.name
        given = {"hidden": self.hidden, "layers": self.layers, "omega_0": self.omega_0}
        asked = {key: value for key, value in given.items() if value is not None}
        kept = [one.name for one in fields(usual)] if name == usual.name else ["hidden", "layers"]
        if name in NETWORKS:
            check_trained(network_from_word(name), "experiments are")
            asked = {**{key: getattr(usual, key) for key in kept}, **asked}
        return network_from_word(name, **asked)

    def reached(self, results: dict[str, Any]) -> bool:
        """Whether anything was learned."""
        return bool(results["converged"])

    def rows(self, results: dict[str, Any]) -> list[tuple[str, object]]:
        """What was trained, as people see it."""
        took = f"{results['steps']:,} in {results['seconds']:.1f} s, engine {results['engine']}"
        return [("runs", ended(results)), ("steps", took)]

    def run(self) -> int:
        """Train, analyse, write and report; the exit code."""
        from partinr.engines import select
        from partinr.studies.hypothesis.findings import write_findings, write_runs

        experiment = self.experiment()
        engine = select(str(self.engine), self.device, self.threads, experiment.plan.network)
        folder = _folder(self.output, self.kind)
        sweeps = experiment.sweeps(engine, folder)
        with stopping() as stop, Bar("training", quiet=self.quiet) as bar:
            if not all(sweep.run(lambda progress: _follow(bar, stop, progress)) for sweep in sweeps):
                write_runs(folder, experiment.table(sweeps))
                complain(f"interrupted; the same command goes on from {folder}")
                return INTERRUPTED
            findings = experiment.findings(sweeps, lambda share: bar.show(share, what="resampling"))
            results, files = write_findings(folder, findings, experiment.table(sweeps))
        if self.as_json:
            emit(results)
        elif not self.quiet:
            verdict = [("" if i else "verdict", sentence) for i, sentence in enumerate(results["verdict"])]
            names = ", ".join(path.name for path in files)
            say([*self.rows(results), *verdict, ("folder", folder), ("files", names)])
        if self.reached(results):
            return DONE
        rules = experiment.plan.rules
        complain(
            f"no {self.subject} reached the error {rules.threshold:g} within {rules.limit:,} steps; "
            "raise --steps or --threshold"
        )
        return FAILED


def as_function(kind: type[Command]) -> Callable[..., None]:
    """A command as Typer takes it: a function of its options, a command's own before those that all have."""

    def run(**options: Any) -> None:
        raise typer.Exit(kind(**options).run())

    hints = get_type_hints(kind, include_extras=True)
    ordered = sorted(
        fields(kind), key=lambda one: (one.default is not MISSING, one.name not in kind.__annotations__)
    )
    run.__doc__ = kind.__doc__
    run.__annotations__ = {one.name: hints[one.name] for one in ordered}
    signature = inspect.signature(kind)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[signature.parameters[one.name].replace(annotation=hints[one.name]) for one in ordered],
        return_annotation=None,
    )
    return run


def changed(usual: Plan, **asked: object) -> Plan:
    """A plan with what was asked for, where that is not None.

    Raises:
        InputError: something does not go together.
    """
    plan: Any = usual
    changed: Plan = replace(plan, **{name: value for name, value in asked.items() if value is not None})
    return changed


def ended(results: dict[str, Any]) -> str:
    """How many runs there were, and how they ended."""
    how = [f"{results[key]} {key}" for key in ("converged", "censored", "diverged") if results[key]]
    return f"{results['runs']}: {', '.join(how)}"


def _folder(path: Path, kind: str) -> Path:
    """The folder of an output, made if missing.

    Raises:
        InputError: there is something else of this name, or it has results of another kind.
    """
    from partinr.studies.hypothesis.findings import PAGE, RESULTS, RUNS

    check_folder(path, PAGE, RESULTS, RUNS)
    results = path / RESULTS
    if results.exists():
        try:
            theirs = json.loads(results.read_bytes())["settings"]["sweep"]
        except (ValueError, LookupError, TypeError):
            theirs = "something else"
        if theirs != kind:
            raise InputError(
                f"{path} holds results of other settings: sweep was {theirs}, now {kind}; use another folder"
            )
    make_folder(path)
    return path


def _follow(bar: Bar, stop: Stop, progress: Progress) -> bool:
    """Show where a sweep stands; whether to stop it."""
    if bar.due():
        note = (
            f"{progress.ended}/{progress.runs} runs  step {progress.step:,} of at most {progress.limit:,}  "
            f"{duration(progress.remaining)} left"
        )
        bar.show(progress.fraction, note, "stopping" if stop.asked else None)
    return stop.asked

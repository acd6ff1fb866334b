"""One run of a comparison: done, or read where it has been done before."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from partinr.file.inr import load, save
from partinr.files import atomic_write
from partinr.fitting.fit import Compute, FitResult, fit
from partinr.fitting.loop import Keep, Progress, Watch
from partinr.fitting.settings import data, digest
from partinr.fitting.state import DivergedError
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import Quality
from partinr.signals.signal import Signal
from partinr.studies.comparison.record import Record, read_record
from partinr.studies.comparison.variant import Variant

# Renderings along the way, at steps evenly spaced on a logarithmic scale.
_LOOKS = 12


@dataclass(frozen=True, eq=False)
class Run:
    """One variant with one seed.

    Attributes:
        variant: what is trained.
        seed: of the initialisation and the order of samples.
        path: the .inr file of the result.
        record: what was measured.

    Example:
        >>> import numpy as np, partinr, tempfile
        >>> signal = partinr.from_array(np.eye(20))
        >>> recipe = partinr.PAPER.changed(steps=5)
        >>> variant = Variant.of(signal, partinr.Grid(2, 2), "siren", recipe)
        >>> (run,) = partinr.compare(signal, [variant], tempfile.mkdtemp()).runs
        >>> partinr.render(run.model()).shape
        (20, 20)
    """

    variant: Variant
    seed: int
    path: Path
    record: Record

    def model(self) -> Piecewise:
        """The fitted function.

        Raises:
            InputError: the file is damaged.
        """
        return load(self.path, max_samples=None)


@dataclass(frozen=True, eq=False)
class Wanted:
    """A run that may have been done or not; arguments as for `compare`."""

    folder: Path
    signal: Signal
    variant: Variant
    seed: int
    compute: Compute

    @property
    def name(self) -> str:
        """What people are told about it."""
        return f"{self.variant.network.name}, {self.variant.name}, seed {self.seed}"

    @property
    def steps(self) -> int:
        """Steps of the fit."""
        return self.variant.recipe.steps_for(self.signal.spec.dims)

    @property
    def work(self) -> float:
        """Floating-point operations in all."""
        return float(self.variant.flops(self.signal.spec) * self.steps)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the run's result and duration, in JSON's types."""
        variant, compute = self.variant, vars(self.compute)
        asked = {
            **data(self.signal),
            "partition": digest(variant.partition.label_map),
            "network": variant.network.config(),
            "recipe": asdict(variant.recipe),
            "seed": self.seed,
            # A precision that the fit chooses follows from the others.
            **{name: compute[name] for name in compute if name != "precision" or compute[name] is not None},
        }
        return json.loads(json.dumps(asked))  # type: ignore[no-any-return]

    @property
    def key(self) -> str:
        """A name for files, unique for the settings."""
        sha = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()
        return f"{re.sub(r'[^a-zA-Z0-9]+', '-', self.name)[:60]}-{sha[:12]}"

    @property
    def model(self) -> Path:
        """The file for the fitted function."""
        return self.folder / f"{self.key}.inr"

    def read(self) -> Record | None:
        """The record, if the run has been done."""
        record = read_record(self.folder / f"{self.key}.json", self.settings)
        return record if record is not None and self.model.exists() else None

    def do(self, callback: Callable[[Progress], bool]) -> Record | None:
        """Do the run, or what is left of it, and keep it; None if the callback stopped it."""
        recipe, checkpoint = self.variant.recipe, self.folder / f"{self.key}.unfinished"
        try:
            result = fit(
                self.signal,
                self.variant.partition,
                self.variant.network,
                recipe=recipe,
                start=None,
                compute=self.compute,
                keep=Keep(checkpoint, resume=True),
                watch=Watch(callback, looks(self.steps)),
                seed=self.seed,
            )
        except DivergedError as error:
            raise DivergedError(f"{self.name}: {error}") from None
        if result.stopped == "callback":
            return None
        record = self._record(result)
        save(result.model, self.model, summary={"seed": self.seed, "steps": result.steps})
        with atomic_write(self.folder / f"{self.key}.json") as file:
            written = {"settings": self.settings, "record": record.to_json()}
            file.write(json.dumps(written, allow_nan=False).encode())
        shutil.rmtree(checkpoint, ignore_errors=True)
        return record

    def _record(self, result: FitResult) -> Record:
        # As a fit would be written; what is kept is exact.
        with tempfile.TemporaryDirectory() as folder:
            measured = Quality(result.psnr, result.ssim)
            path = Path(folder) / "stored.inr"
            stored = save(result.model, path, store="auto", signal=self.signal, measured=measured)
        return Record(
            params=result.params,
            regions=result.regions,
            steps=result.steps,
            seconds=float(result.history.seconds[-1]),
            psnr=result.psnr,
            ssim=result.ssim,
            bytes=stored.bytes,
            stored_psnr=cast(float, stored.psnr),
            flops=self.variant.flops(self.signal.spec),
            engine=result.engine,
            device=result.device,
            precision=result.precision,
            history=result.history,
        )


def looks(steps: int) -> list[int]:
    """Steps after which the signal is rendered: the first, the last, and some between."""
    return sorted({round(step) for step in np.geomspace(1, steps, _LOOKS)})

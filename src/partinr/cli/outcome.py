"""What came of a fit: the files, the numbers and the exit code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import partinr
from partinr.cli.console import counted, decibels
from partinr.cli.exits import DONE, FAILED, INTERRUPTED
from partinr.cli.rows import and_snr, bits_per_sample, network_rows, size_row


@dataclass(frozen=True)
class Outcome:
    """A fit that has been written.

    Attributes:
        result: the fit.
        saved: the file.
        extras: what else was written.
        init: what the fit was started from.
        target: PSNR in dB that was asked of the file; None: there was none.
    """

    result: partinr.FitResult
    saved: partinr.Saved
    extras: tuple[Path, ...]
    init: str
    target: float | None

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped the fit."""
        return self.result.stopped == "callback"

    @property
    def short(self) -> float:
        """Decibels that the file lacks of the PSNR asked for; 0 or less if it was reached or none was."""
        target, psnr = self.target, self.saved.psnr
        return 0.0 if target is None or psnr is None else target - psnr

    @property
    def exit_code(self) -> int:
        """130 if the fit was interrupted, 1 if it fell short of the PSNR or size asked for, otherwise 0."""
        return INTERRUPTED if self.interrupted else FAILED if self.short > 0 or self.excess > 0 else DONE

    @property
    def excess(self) -> int:
        """Bytes that the file has beyond those asked for; 0 or less if it keeps to them."""
        goal = self.result.goal
        most = goal.most_bytes(self.result.signal.spec.samples) if isinstance(goal, partinr.Compact) else None
        return 0 if most is None else self.saved.bytes - most

    def facts(self) -> dict[str, Any]:
        """Everything that programs may want to know."""
        result, saved, spec = self.result, self.saved, self.result.signal.spec
        networks = result.model.networks
        return {
            "output": saved.path,
            "bytes": saved.bytes,
            "store": saved.store,
            "psnr": saved.psnr,
            "ssim": self.saved.ssim,
            "snr": saved.snr,
            "params": result.params,
            "regions": result.regions,
            "steps": result.steps,
            "seconds": result.seconds,
            "bits_per_sample": bits_per_sample(saved.bytes, spec.samples),
            "network": networks[0].name,
            "width": max(network.width for network in networks),
            "widths": [network.width for network in networks],
            "layers": networks[0].hidden_layers - 1,
            "partition": result.model.partition.rule,
            "frame": result.model.frame,
            "overlap": result.model.overlap,
            "preset": result.recipe.name,
            "engine": result.engine,
            "device": result.device,
            "precision": result.precision,
            "init": self.init,
            "seed": result.seed,
            "target": self.target,
            "reached": self.short <= 0 and self.excess <= 0,
            "stopped": "interrupted" if self.interrupted else result.stopped,
            "shape": spec.shape,
            "channels": spec.channels,
            "dtype": spec.dtype,
            "notes": result.signal.metadata.get("notes", []),
            "missing": 0 if result.signal.scattered else result.signal.missing,
            "points": result.signal.fitted - result.signal.missing if result.signal.scattered else None,
            "held_out": None if result.held_out is None else result.held_out._asdict(),
            "weighted": result.signal.weights is not None,
        }

    def rows(self, params: int | None) -> list[tuple[str, object]]:
        """The same for people; `params` is the budget that was asked for."""
        result, facts = self.result, self.facts()
        networks = [network.config() for network in result.model.networks]
        budget = "" if params is None else f", the widest within {params:,}"
        where = facts["engine"] if facts["device"] == "cpu" else f"{facts['engine']} on {facts['device']}"
        if facts["precision"] != "fp32":
            where = f"{where} in {facts['precision']}"
        how = f"{counted(result.steps, 'step')}, " if result.steps else ""
        saved, sound = self.saved, result.signal.spec.kind == "sound"
        similarity = "" if saved.ssim is None else f", {saved.ssim:.4f} SSIM"
        beside = and_snr(saved.snr) if sound else similarity
        return [
            ("output", self.saved.path),
            ("quality", f"{decibels(saved.psnr)} PSNR{beside}{self._judged}"),
            *(("note", note) for note in facts["notes"]),
            *([("missing", self._missing)] if facts["missing"] else []),
            *([("points", f"{facts['points']:,} fitted")] if result.signal.scattered else []),
            *([("held out", self._held_out)] if result.held_out is not None else []),
            ("size", size_row(self.saved.bytes, result.signal.spec.samples, self.saved.store)),
            *(("network", row) for row in network_rows(networks)),
            ("regions", f"{facts['regions']:,} ({facts['partition']}), {facts['frame']} frame"),
            ("parameters", f"{facts['params']:,}{budget}"),
            *([] if self.init == "none" else [("started from", self.init)]),
            ("time", f"{facts['seconds']:.{1 if facts['seconds'] >= 1 else 2}f} s, {how}{where}"),
            *(("also", path) for path in self.extras),
        ]

    @property
    def _judged(self) -> str:
        """What the PSNR is over, where that is not the usual."""
        signal = self.result.signal
        over = ["weighted"] if signal.weights is not None else []
        over += ["over what is there"] if signal.missing and not signal.scattered else []
        over += ["at the points that were fitted"] if signal.scattered else []
        return f" ({', '.join(over)})" if over else ""

    @property
    def _held_out(self) -> str:
        found = self.result.held_out
        assert found is not None
        return f"{found.points:,} other points: {decibels(found.psnr)} PSNR, {found.rms:.3g} RMS error"

    @property
    def _missing(self) -> str:
        signal = self.result.signal
        share = 100 * signal.missing / signal.spec.samples
        return (
            f"{signal.missing:,} of {signal.spec.samples:,} samples ({share:.2g} %), filled by the function"
        )

    @property
    def _more(self) -> str:
        if all(network.solved for network in self.result.model.networks):
            return f"--{self.result.model.networks[0].size}, or smaller regions"
        return (
            "--max-params or --time"
            if self.result.model.structure.groups is not None
            else "--steps, --time or --params"
        )

    def complaint(self, checkpoint: Path | None) -> str | None:
        """What the user should know about an exit code that is not 0."""
        if self.interrupted:
            onwards = "--resume" if checkpoint is not None else f"--init {self.saved.path}"
            return (
                f"interrupted after {counted(self.result.steps, 'step')}; {self.saved.path} holds what was "
                f"there, {decibels(self.saved.psnr)}; the same command with {onwards} goes on"
            )
        if self.excess > 0:
            return (
                f"the smallest file has {self.saved.bytes:,} bytes, {self.excess:,} more than asked for; "
                "allow more, or fit a smaller signal"
            )
        if self.short > 0 and isinstance(self.result.goal, partinr.Compact):
            if self.saved.store != "compact":
                return (
                    f"{self.saved.path} has {decibels(self.saved.psnr)}, {self.short:.2f} dB short of the "
                    f"{self.target:g} dB asked for: --store {self.saved.store} leaves jumps at borders of "
                    "boxes open; use --store compact, or ask for more"
                )
            return (
                f"reached {decibels(self.saved.psnr)}, {self.short:.2f} dB short of the "
                f"{self.target:g} dB asked for, which single precision does not hold; ask for less"
            )
        if self.short > 0:
            return (
                f"reached {decibels(self.saved.psnr)}, {self.short:.2f} dB short of the "
                f"{self.target:g} dB asked for; allow more {self._more}"
            )
        return None


def write_outcome(
    result: partinr.FitResult,
    target: Path,
    store: Any,
    report: Path | None,
    overlay: Path | None,
    init: str,
    wanted: float | None,
) -> Outcome:
    """Write all files of a fit; `init` is what it was started from, `wanted` the PSNR asked of the file.

    Raises:
        InputError: a file cannot be written.
        OSError: the disk is full.
    """
    from partinr.file.inr import save
    from partinr.model.rendering import Quality

    summary = {
        "steps": result.steps,
        "stopped": result.stopped,
        "target": wanted,
        "seed": result.seed,
        "engine": result.engine,
        "device": result.device,
        "precision": result.precision,
        "init": init,
        "recipe": asdict(result.recipe),
    }
    signal = result.signal
    saved = save(
        result.model,
        target,
        store=store,
        signal=signal,
        target=wanted,
        summary=summary,
        measured=Quality(result.psnr, result.ssim),
    )
    if report is not None:
        from partinr.report.fit_report import write_report

        write_report(report, result, saved)
    if overlay is not None:
        from partinr.report.density import shades
        from partinr.report.overlay import write_overlay

        shade = shades(result.model) if result.model.structure.groups is not None else None
        write_overlay(overlay, signal, result.model.partition, shade)
    extras = tuple(path for path in (report, overlay) if path is not None)
    return Outcome(result, saved, extras, init, wanted)

"""What `partinr info` says of a learned start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import partinr
from partinr.cli.console import counted, decibels
from partinr.cli.rows import network_row


def start_facts(path: Path) -> dict[str, Any]:
    """Everything that programs may want to know."""
    start = partinr.load_start(path)
    rates = [value for tensor in start.rates.values for value in tensor.flatten().tolist()]
    return {
        "file": path,
        "bytes": path.stat().st_size,
        "kind": "start",
        "network": start.network.config(),
        "dims": start.dims,
        "channels": start.channels,
        "params": start.network.params(start.dims, start.channels),
        "frame": start.frame,
        "inner_steps": start.inner_steps,
        "rates": {
            "kind": start.rates.kind,
            "least": min(rates),
            "mean": sum(rates) / len(rates),
            "greatest": max(rates),
        },
        "summary": start.summary,
    }


def start_rows(facts: dict[str, Any]) -> list[tuple[str, object]]:
    """The same for people."""
    rates, summary = facts["rates"], facts["summary"]
    axes = "1 axis" if facts["dims"] == 1 else f"{facts['dims']} axes"
    spread = f"{rates['least']:.2g} to {rates['greatest']:.2g}, mean {rates['mean']:.2g}"
    steps = f"{counted(facts['inner_steps'], 'step')}; rates: {rates['kind']}, {spread}"
    channels = counted(facts["channels"], "channel")
    if not facts["inner_steps"]:
        steps, channels = "none; output layers are solved", "any number of channels"
    return [
        ("file", facts["file"]),
        ("size", f"{facts['bytes']:,} bytes"),
        ("holds", f"a learned start for signals of {axes} and {channels}"),
        ("network", network_row(facts["network"])),
        ("frame", facts["frame"]),
        ("parameters", f"{facts['params']:,} for each region"),
        ("inner loop", steps),
        *_learned_rows(summary),
    ]


def _learned_rows(summary: dict[str, Any]) -> list[tuple[str, object]]:
    """How it was learned, of which a file made by another program may say nothing, or anything."""
    keys = ("method", "steps", "batch", "signals", "partition", "crop", "seed")
    told = ", ".join(f"{key} {summary[key]}" for key in keys if key in summary)
    rows: list[tuple[str, object]] = [("learned with", told)] if told else []
    held_out = summary.get("validation_psnr")
    if isinstance(held_out, (int, float)):
        rows.append(("held out", f"{decibels(float(held_out))} PSNR after the inner steps"))
    return rows

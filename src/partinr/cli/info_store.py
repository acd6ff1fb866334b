"""What `partinr info` says of a store of tiles, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from partinr.cli import words
from partinr.cli.console import decibels
from partinr.cli.rows import axis_rows, bits_per_sample, signal_row, source_rows, spec_facts


def store_facts(path: Path) -> dict[str, Any]:
    """What the manifest says, and the journal of a fit that is not finished.

    Raises:
        InputError: there is no store, or it is damaged.
    """
    from partinr.tiles.place import opened_place
    from partinr.tiles.store import STORE_VERSION, manifest_at, psnr_of, records_at

    place = opened_place(path)
    manifest = manifest_at(place)
    spec, layout, tiles = manifest.spec, manifest.layout, manifest.tiles
    if tiles is None:
        last = {one.number: one.tile for one in records_at(place, manifest)}
        done = list(last.values())
    else:
        done = list(tiles)
    size = sum(tile.size for tile in done)
    samples = sum(tile.samples for tile in done)
    return {
        "file": place.name,
        "bytes": size,
        "bits_per_sample": bits_per_sample(size, samples) if samples else None,
        "store": "tiles",
        "format": STORE_VERSION,
        **spec_facts(spec),
        "between": spec.between,
        "tile": layout.side,
        "tiles": layout.count,
        "done": len(done),
        "finished": tiles is not None,
        "tile_bytes": [min(tile.size for tile in done), max(tile.size for tile in done)] if done else None,
        "missing": spec.samples - samples if tiles is not None else None,
        "goal": dict(manifest.goal),
        "psnr": psnr_of(done) if done else None,
        "fitted_from": dict(manifest.source),
    }


def store_rows(facts: dict[str, Any]) -> list[tuple[str, object]]:
    """The same for people."""
    low, high = facts["value_range"]
    rows: list[tuple[str, object]] = [("store", facts["file"])]
    if facts["bits_per_sample"] is not None:
        rows.append(("size", f"{facts['bytes']:,} bytes, {facts['bits_per_sample']:.2f} bits a sample"))
    shape = words.spelled(facts["shape"])
    rows += [
        ("signal", f"{facts['kind']} {signal_row(shape, facts['channels'], facts['dtype'])}"),
        ("range", f"{low:g} to {high:g}"),
        *axis_rows(facts["axes"], facts["shape"]),
        *source_rows(facts["source"]),
    ]
    count = f"{facts['tiles']:,}" if facts["finished"] else f"{facts['done']:,} of {facts['tiles']:,}"
    spread = "" if facts["tile_bytes"] is None else ", {:,} to {:,} bytes".format(*facts["tile_bytes"])
    rows.append(("tiles", f"{count} of {words.spelled(facts['tile'])}{spread}"))
    if facts["missing"]:
        rows.append(("missing", f"{facts['missing']:,} samples"))
    if facts["psnr"] is not None:
        asked = ", ".join(f"{name} {value:g}" for name, value in facts["goal"].items())
        rows.append(("quality", f"{decibels(facts['psnr'])} PSNR, asked for {asked}"))
    if not facts["finished"]:
        rows.append(("finished", "no; partinr fit ... --resume goes on"))
    return rows

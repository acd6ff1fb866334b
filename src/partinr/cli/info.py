"""`partinr info`: what an .inr file holds, how good it is, and what this installation can do."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import partinr
from partinr.cli import words
from partinr.cli.console import counted, decibels, emit, say
from partinr.cli.inputs import MAX_PIXELS, pixel_limit
from partinr.cli.options import option
from partinr.cli.rows import (
    and_snr,
    axis_rows,
    bits_per_sample,
    network_rows,
    rate_rows,
    signal_row,
    size_row,
    source_rows,
    spec_facts,
)
from partinr.errors import InputError

_STORES = {"F16": "float16", "F32": "float32"}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def info(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE.inr", show_default=False, help="A file or a store that fit or meta train wrote."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        option(
            "The signal that was fitted: measures the quality, and compares with PNG and, for pictures of 8 "
            "bits, with JPEG, WebP and AVIF at the same PSNR.",
            "IMAGE",
        ),
    ] = None,
    seams: Annotated[
        bool, option("Measure how much borders between regions show when enlarged.", None, "--seams")
    ] = False,
    max_pixels: MAX_PIXELS = None,
    system: Annotated[
        bool, option("Show versions, engines and processor instead of a file.", None, "--system")
    ] = False,
    as_json: Annotated[
        bool, option("One JSON object on standard output, nothing else.", None, "--json")
    ] = False,
) -> None:
    """Show what an .inr file holds: a fit, or a learned start; or an .inrs store of tiles, finished or not.

    The quality is the one that fit measured; with --reference it is measured again.

    Example: partinr info photo.inr --reference photo.png
    """
    if system == (source is not None):
        raise InputError("give either FILE.inr or --system")
    if source is None:
        from partinr.cli.system import system_facts

        facts = system_facts()
        rows = [(key, value) for key, value in facts.items()]
    elif _is_store(source):
        from partinr.cli.info_store import store_facts, store_rows

        if reference is not None or seams:
            raise InputError(
                f"--reference and --seams look at a whole, got the store {source}; render a part of it"
            )
        facts = store_facts(source)
        rows = store_rows(facts)
    else:
        from partinr.tiles.addresses import address, on_this_machine

        with on_this_machine(source, ".inr") as here:
            if _kind_of(here) == "start":
                from partinr.cli.info_start import start_facts, start_rows

                if reference is not None:
                    raise InputError(
                        f"--reference needs a fit to compare with, got the learned start {source}"
                    )
                facts, rows_of = start_facts(here), start_rows
            else:
                facts, rows_of = _facts(here, reference, pixel_limit(max_pixels), seams), _rows
        facts["file"] = source if here == source else address(source)
        rows = rows_of(facts)
    if as_json:
        emit(facts)
    else:
        say(rows)


def _is_store(path: Path) -> bool:
    from partinr.tiles.store import is_store

    return is_store(path)


def _kind_of(path: Path) -> str:
    from partinr.file.sealing import kind_of

    return kind_of(path)


def _facts(path: Path, reference: Path | None, limit: int | None, seams: bool) -> dict[str, Any]:
    from partinr.file.inr import load_with_header

    model, header = load_with_header(path, max_samples=limit)
    spec, size = model.signal, path.stat().st_size
    counts = model.partition.counts
    facts = {
        "file": path,
        "bytes": size,
        "bits_per_sample": bits_per_sample(size, spec.samples),
        "store": _store(path, header),
        "format": header["format"],
        **spec_facts(spec),
        "partition": model.partition.rule,
        "regions": model.regions,
        "region_samples": [int(counts.min()), int(counts.max())],
        "networks": [network.config() for network in model.networks],
        "frame": model.frame,
        "blend": model.blend,
        "overlap": model.overlap,
        "between": spec.between,
        "params": model.params,
        "psnr": _told(header["summary"], "psnr"),
        "snr": _told(header["summary"], "snr"),
        "summary": header["summary"],
    }
    if seams:
        facts["seam"] = partinr.seam(model)
    return facts if reference is None else {**facts, "reference": _compared(model, reference, limit)}


def _rows(facts: dict[str, Any]) -> list[tuple[str, object]]:
    shape, samples = words.spelled(facts["shape"]), math.prod(facts["shape"])
    low, high = facts["value_range"]
    least, most = facts["region_samples"]
    rows: list[tuple[str, object]] = [
        ("file", facts["file"]),
        ("size", size_row(facts["bytes"], samples, facts["store"])),
        ("signal", f"{facts['kind']} {signal_row(shape, facts['channels'], facts['dtype'])}"),
        ("range", f"{low:g} to {high:g}"),
        *axis_rows(facts["axes"], facts["shape"]),
        *(rate_rows(facts["axes"], facts["shape"]) if facts["kind"] == "video" else []),
        *source_rows(facts["source"]),
        ("regions", f"{facts['regions']:,} ({facts['partition']}), {least:,} to {most:,} samples"),
        *(("network", row) for row in network_rows(facts["networks"])),
        ("frame", facts["frame"]),
        ("borders", _borders_row(facts)),
        ("between", _BETWEEN[facts["between"]]),
        ("parameters", f"{facts['params']:,}"),
        ("quality", f"{decibels(facts['psnr'])} PSNR{and_snr(facts['snr'])} when it was written"),
        *_summary_rows(facts["summary"]),
    ]
    if "reference" in facts:
        compared = facts["reference"]
        similarity = "" if compared["ssim"] is None else f", {compared['ssim']:.4f} SSIM"
        beside = similarity if facts["kind"] != "sound" else and_snr(compared["snr"])
        rows.append(("measured", f"{decibels(compared['psnr'])} PSNR{beside} against {compared['file']}"))
        png = compared["png_bytes"]
        if png is None:
            rows.append(("PNG", "cannot hold such data"))
        else:
            rows.append(("PNG", _codec_row(png, "", samples, facts["bytes"])))
        for coded in compared["codecs"]:
            if coded["bytes"] is None:
                rows.append((coded["codec"], f"left out: {coded['why']}"))
            else:
                at = f" at {decibels(coded['psnr'])}"
                rows.append((coded["codec"], _codec_row(coded["bytes"], at, samples, facts["bytes"])))
    return rows


def _codec_row(size: int, at: str, samples: int, ours: int) -> str:
    """A file of another codec beside this one."""
    bits = bits_per_sample(size, samples)
    return f"{size:,} bytes, {bits:.2f} bits a sample{at}; this file is {100 * ours / size:.0f}% of it"


_BETWEEN = {
    "learned": "learned from photographs",
    "smooth": "smooth, with the samples as means over their areas",
    "none": "what the networks say",
}


def _borders_row(facts: dict[str, Any]) -> str:
    """What happens where regions meet."""
    overlap = f"blended over {counted(facts['overlap'], 'sample')} of overlap"
    kind = overlap if facts["overlap"] else "blended between samples" if facts["blend"] else "not blended"
    return kind if facts.get("seam") is None else f"{kind}, seam figure {facts['seam']:.2f}"


def _summary_rows(summary: dict[str, Any]) -> list[tuple[str, object]]:
    """How the file was made, of which a file made by another program may say nothing, or anything."""
    keys = ("steps", "seed", "engine", "device", "precision")
    told = ", ".join(f"{key} {summary[key]}" for key in keys if key in summary)
    rows: list[tuple[str, object]] = [("made with", told)] if told else []
    init = summary.get("init", "none")
    return rows if init == "none" else [*rows, ("started from", init)]


def _told(summary: dict[str, Any], name: str) -> float | None:
    told = summary.get(name)
    return float(told) if isinstance(told, (int, float)) else None


def _store(path: Path, header: dict[str, Any]) -> str:
    if "coding" in header:
        return "compact"
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        return _STORES[file.get_slice("groups.0.weights.0").get_dtype()]


def _compared(model: partinr.Piecewise, path: Path, limit: int | None) -> dict[str, Any]:
    """The model against the signal in a file."""
    from partinr.model.rendering import quality
    from partinr.signals import codecs, read
    from partinr.signals.snr import snr_at

    spec = model.signal
    signal = read(path, channels_last=spec.channel_axis, max_pixels=limit)
    theirs = (signal.shape, signal.channels, signal.spec.dtype)
    ours = (spec.shape, spec.channels, spec.dtype)
    if theirs != ours:
        raise InputError(
            f"--reference must be like the fitted signal, {_like(*ours)}; {path} is {_like(*theirs)}"
        )
    measured = quality(model, signal)
    png = _png_bytes(path, signal)
    others = codecs.beside(signal, measured.psnr)[1:] if codecs.comparable(signal) else []
    return {
        "file": path,
        "bytes": path.stat().st_size,
        "psnr": measured.psnr,
        "ssim": measured.ssim,
        "snr": snr_at(signal, measured.psnr) if spec.kind == "sound" else None,
        "png_bytes": png,
        "png_bits_per_sample": None if png is None else bits_per_sample(png, spec.samples),
        "codecs": [
            {
                **asdict(coded),
                "bits_per_sample": None
                if coded.bytes is None
                else bits_per_sample(coded.bytes, spec.samples),
            }
            for coded in others
        ],
    }


def _like(shape: tuple[int, ...], channels: int, dtype: str) -> str:
    return signal_row(words.spelled(shape), channels, dtype)


def _png_bytes(path: Path, signal: partinr.Signal) -> int | None:
    """Size of the file if it is a PNG, else of the signal as a PNG; None if PNG cannot hold it."""
    from partinr.signals.codecs import png_bytes

    with path.open("rb") as file:
        if file.read(len(_PNG_SIGNATURE)) == _PNG_SIGNATURE:
            return path.stat().st_size
    return png_bytes(signal)

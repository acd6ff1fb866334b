"""Stores of tiles that several tests look into, made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy import ndarray

import partinr
from partinr.file.compact_inr import compact
from partinr.file.spectra_coding import write_spectra
from partinr.fitting.spectral import Cutter
from partinr.model.rendering import rendered_psnr
from partinr.model.spectra import mixing_for
from partinr.model.synthesis import synthesised
from partinr.signals.signal import Between
from partinr.tiles.layout import Layout
from partinr.tiles.place import made_place
from partinr.tiles.store import MANIFEST, Manifest, Tile, tile_name


def stored(
    path: Path, values: ndarray, side: int = 64, step: float = 0.08, between: Between = "learned"
) -> Path:
    """A finished store of a picture, cut into tiles and fitted at one step."""
    spec = replace(partinr.from_array(values, kind="image").spec, between=between)
    place, layout = made_place(path), Layout(spec.shape, (side,) * spec.dims)
    mixing, tiles = mixing_for(values.reshape(*spec.shape, spec.channels) / np.float32(255)), []
    for number in range(layout.count):
        index = layout.index(number)
        extent = layout.extent(index)
        part = tuple(slice(a, a + n) for a, n in zip(layout.first(index), extent, strict=True))
        signal = partinr.Signal(values[part].reshape(*extent, spec.channels), replace(spec, shape=extent))
        cutter = Cutter(signal, 1, mixing)
        spectra = cutter.spectra(cutter.cut(step))
        model = synthesised(spectra, signal.spec)
        payload = compact(model, write_spectra(spectra), {})
        place.write(tile_name(index), payload)
        samples = signal.spec.samples
        tiles.append(Tile.of(payload, samples * 10 ** (-rendered_psnr(model, signal) / 10), samples))
    mixed = tuple(map(tuple, mixing.tolist()))
    goal = {"psnr": 36.0}
    manifest = Manifest(spec, layout.side, step, mixed, goal, {}, tuple(tiles), {"partinr": "0"})
    place.write(MANIFEST, manifest.text().encode())
    return path

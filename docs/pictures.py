"""Draws pictures of the manual, which show what fits of this version come to. Takes some seconds.

    python docs/pictures.py

They are of scikit-image's astronaut, into `docs/figures/`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

import partinr
from partinr.model.derivatives import Rendered
from partinr.report.enlarging import side_by_side
from partinr.report.pictures import Picture, on_board, repeated
from partinr.report.slopes import picture_of

FIGURES = Path(__file__).parent / "figures"
PHOTO = partinr.from_array(skimage.data.astronaut(), kind="image")
FACE = np.s_[50:178, 160:288]


def write(name: str, pictures: list[Picture], quality: int = 82) -> None:
    """Pictures in a row, with their labels above them."""
    path = FIGURES / f"{name}.webp"
    Image.fromarray(side_by_side(pictures)).save(path, "WEBP", quality=quality)


def qualities() -> None:
    """A part of the photograph at several qualities, and what the whole then takes."""
    values = np.asarray(PHOTO.values)
    pictures = [Picture(f"Original, {values.nbytes:,} bytes", repeated(values[FACE], 2))]
    for psnr in (42, 35, 30):
        model = partinr.fit(PHOTO, goal=partinr.Compact(psnr=psnr)).model
        with tempfile.TemporaryDirectory() as folder:
            size = partinr.save(model, Path(folder) / "a.inr", store="auto", signal=PHOTO).bytes
        pictures.append(Picture(f"{psnr} dB, {size:,} bytes", repeated(partinr.render(model)[FACE], 2)))
    write("qualities", pictures)


def partitions() -> None:
    """The photograph in regions, by several rules."""
    small = partinr.from_array(np.asarray(PHOTO.values)[::2, ::2].copy(), kind="image")
    tree = partinr.fit(small, goal=partinr.Compact(psnr=35)).model.partition
    drawn = [
        Picture(f"{made.rule}, {made.regions:,} regions", partinr.overlay(small, made)[:512, :512])
        for made in (*(rule.partition(small) for rule in (partinr.Grid(3, 3), partinr.SLIC(9))), tree)
    ]
    side = max(picture.rgb.shape[0] for picture in drawn)
    write("partitions", [Picture(p.label, resized(p.rgb, side)) for p in drawn])


def slopes() -> None:
    """Derivatives of a part of the photograph, twice as large as its samples."""
    model = partinr.fit(PHOTO).model
    rows, columns = ((s.start, s.stop) for s in FACE)
    pictures = [Picture("The function", partinr.render(model, crop=(rows, columns), scale=2))]
    for word in ("x", "gradient", "laplacian"):
        found = partinr.render(model, derivative=word, crop=(rows, columns), scale=2)
        asked = Rendered(word, model.signal)
        flat = found.reshape(*found.shape[:2], -1)
        pictures.append(
            Picture(word.capitalize() if word != "x" else "Along x", picture_of(flat, asked).values)
        )
    write("slopes", pictures)


def missing() -> None:
    """What was measured, with holes, and the function that fills them."""
    values = np.asarray(PHOTO.values)[::2, ::2][:192, :192].copy()
    random = np.random.default_rng(0)
    there = random.random(values.shape[:2]) < 0.4
    there[60:75, 20:170] = False
    result = partinr.fit(partinr.from_array(values, kind="image", mask=there))
    pictures = [("What is there", on_board(values, there)), ("The function", partinr.render(result.model))]
    pictures.append(("What was hidden", values))
    write("missing", [Picture(label, repeated(rgb, 2)) for label, rgb in pictures])


def resized(rgb: np.ndarray, side: int) -> np.ndarray:
    """A picture of this side."""
    return np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    for draw in (qualities, partitions, slopes, missing):
        draw()

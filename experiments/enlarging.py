"""What functions say between the samples: enlargements beside those of filters.

    python experiments/enlarging.py [IMAGES] [--pattern 'kodim*.png']

Photographs in the folder IMAGES are made smaller, fitted, and enlarged again, and compared with what they
were; filters enlarge the smaller photograph itself, which nothing was lost of. 8 samples of border are left
out. What is no photograph (labels, a page, a volume, a chord) is made here or comes with scikit-image. The
networks between samples were learned from other photographs (`experiments/between.py`). Writes tables into
docs/between.md, and a picture of scikit-image's stained tissue, 2 to 8 times as large.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from manual import DOCS, publish, table
from PIL import Image, ImageDraw
from PIL.Image import Resampling

from partinr import Compact, Growing, Piecewise, Steps, fit, from_array, render, seam
from partinr.file.compact_inr import compact_size
from partinr.signals.metrics import psnr, ssim

SMALLER = {"box": Resampling.BOX, "bicubic": Resampling.BICUBIC, "Lanczos": Resampling.LANCZOS}
FILTERS = {
    "nearest": Resampling.NEAREST,
    "bilinear": Resampling.BILINEAR,
    "bicubic": Resampling.BICUBIC,
    "Lanczos": Resampling.LANCZOS,
}
BETWEEN = ("learned", "smooth", "none")
QUALITIES = (32, 35, 38, 42, 46)
BORDER = 8


@dataclass(frozen=True)
class Smaller:
    """A photograph, made smaller by a factor with one of Pillow's filters."""

    path: Path
    factor: int
    how: str

    @property
    def original(self) -> np.ndarray:
        """What is to be found again."""
        picture = np.asarray(Image.open(self.path).convert("RGB"))
        rows, columns = (n // self.factor * self.factor for n in picture.shape[:2])
        return picture[:rows, :columns]

    @property
    def small(self) -> np.ndarray:
        """What is known."""
        rows, columns = (n // self.factor for n in self.original.shape[:2])
        return np.asarray(Image.fromarray(self.original).resize((columns, rows), SMALLER[self.how]))

    def filtered(self, name: str) -> np.ndarray:
        """The smaller one, enlarged by a filter."""
        rows, columns = self.original.shape[:2]
        return np.asarray(Image.fromarray(self.small).resize((columns, rows), FILTERS[name]))

    def error(self, large: np.ndarray) -> tuple[float, float]:
        """PSNR and SSIM of an enlargement."""
        inner = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
        one, other = self.original[inner], large[inner]
        return psnr(one, other, 255), ssim(one, other, 255) or 0.0


@cache
def fitted(what: Smaller, goal: Any) -> Piecewise:
    """A fit of the smaller one."""
    return fit(from_array(what.small, kind="image"), goal=goal).model


def enlarged(what: Smaller, goal: Any, between: Any) -> np.ndarray:
    """The smaller one, enlarged as a function."""
    return render(fitted(what, goal), size=what.original.shape[:2], between=between)


def mean(of: Callable[[Path], tuple[float, float]], paths: list[Path]) -> str:
    """Mean PSNR and SSIM over photographs."""
    found = np.array([of(path) for path in paths])
    return f"{found[:, 0].mean():.2f} / {found[:, 1].mean():.3f}"


def enlargements(paths: list[Path]) -> str:
    """Twice, thrice and four times as large, beside filters."""
    columns = [(2, "box"), (2, "bicubic"), (2, "Lanczos"), (3, "box"), (4, "box"), (4, "bicubic")]
    rows: list[list[str]] = []
    for name in FILTERS:
        rows.append([f"{name}, of the samples themselves"])
        for factor, how in columns:

            def filtered(path: Path, factor: int = factor, how: str = how, name: str = name) -> Any:
                what = Smaller(path, factor, how)
                return what.error(what.filtered(name))

            rows[-1].append(mean(filtered, paths))
    for label, goal in (("`partinr fit`, 42 dB", Compact(psnr=42)), ("`--network siren`", Steps())):
        for between in BETWEEN:
            rows.append([f"{label}, {between}"])
            for factor, how in columns:

                def by_function(
                    path: Path, factor: int = factor, how: str = how, goal: Any = goal, between: str = between
                ) -> Any:
                    what = Smaller(path, factor, how)
                    return what.error(enlarged(what, goal, between))

                rows[-1].append(mean(by_function, paths))
    return table(["dB / SSIM", *(f"{factor}x, {how}" for factor, how in columns)], rows)


def qualities(paths: list[Path]) -> str:
    """Twice as large, from fits of several qualities, against Lanczos of the samples themselves."""
    rows = []
    for quality in QUALITIES:
        row = [f"{quality} dB"]
        for how in SMALLER:
            gains = []
            for path in paths:
                what = Smaller(path, 2, how)
                ours = what.error(enlarged(what, Compact(psnr=quality), None))[0]
                gains.append(ours - what.error(what.filtered("Lanczos"))[0])
            row.append(f"{np.mean(gains):+.2f} ({np.min(gains):+.2f})")
        rows.append(row)
    return table(["fit to", *(f"halved by {how}" for how in SMALLER)], rows)


def borders(paths: list[Path]) -> str:
    """Seam figures, and what closing jumps saves of the bytes."""
    goals = {
        "`--psnr 32`": Compact(psnr=32),
        "`--psnr 38`": Compact(psnr=38),
        "`partinr fit`, 42 dB": Compact(psnr=42),
        "`--network siren --psnr 35`": Growing(35),
    }
    rows = []
    for label, goal in goals.items():
        models = [fit(path, goal=goal).model for path in paths]
        saved = (
            ""
            if isinstance(goal, Growing)
            else f"{100 * (1 - _bytes_beside_open(models, paths, goal)):.1f} %"
        )
        row = [label, saved]
        for between in BETWEEN:
            row.insert(-1, f"{np.median([seam(model.with_between(between)) for model in models]):.2f}")
        rows.append(row)
    return table(["median seam figure", *BETWEEN, "bytes saved"], rows)


def _bytes_beside_open(models: list[Piecewise], paths: list[Path], goal: Compact) -> float:
    """Mean ratio of the bytes of files to those of files to the same PSNR whose jumps nothing closes."""
    left = [fit(path, goal=goal, between="none").model for path in paths]
    return float(np.mean([compact_size(a) / compact_size(b) for a, b in zip(models, left, strict=True)]))


def others() -> str:
    """What is no photograph, halved by means, fitted, and twice as large again."""
    import skimage.data

    grids = np.meshgrid(*(np.linspace(-1, 1, 64),) * 3, indexing="ij")
    ball = sum(
        np.exp(-sum((grid - place) ** 2 for grid, place in zip(grids, centre, strict=True)) / 0.05)
        for centre in ((0, 0, 0), (0.5, 0.3, -0.4), (-0.4, 0.5, 0.5))
    )
    times = np.arange(2**15) / 44100
    melody = sum(np.sin(2 * np.pi * 220 * 2 ** (k / 12) * times) / (k + 1) for k in (0, 4, 7, 12, 24, 36))
    labels = (skimage.data.camera() // 64).astype(np.uint8) * 64
    signals = {
        "labels (camera in 4 levels)": from_array(labels, kind="image"),
        "a page of text": from_array(skimage.data.page()[:190, :384], kind="image"),
        "stained tissue": from_array(skimage.data.immunohistochemistry(), kind="image"),
        "galaxies": from_array(skimage.data.hubble_deep_field()[:512, :512], kind="image"),
        "a volume of smooth balls": from_array(ball.astype(np.float32)),
        "a chord at 44.1 kHz": from_array(melody.astype(np.float32)),
    }
    rows = []
    for name, signal in signals.items():
        values, dims = signal.values.astype(np.float64), signal.spec.dims
        halved = values
        for axis in range(dims):
            halved = (
                halved.take(range(0, halved.shape[axis], 2), axis)
                + halved.take(range(1, halved.shape[axis], 2), axis)
            ) / 2
        if signal.spec.dtype == "uint8":
            halved = np.rint(halved).astype(np.uint8)
        half = from_array(halved.astype(signal.values.dtype), kind=signal.spec.kind, channels_last=True)
        model = fit(half, goal=Compact(psnr=45 if dims == 2 else 65)).model
        low, high = signal.spec.value_range
        row = [name, model.signal.between]
        for between in BETWEEN:
            if between == "learned" and dims != 2:
                row.append("")
                continue
            large = render(model, scale=2, between=between).reshape(values.shape)
            row.append(f"{psnr(values, large.astype(np.float64), high - low):.2f}")
        rows.append(row)
    return table(["dB, 2x, halved by means", "default", *BETWEEN], rows)


def picture() -> None:
    """Enlargements side by side."""
    import skimage.data

    original = skimage.data.immunohistochemistry()[120:408, 90:410]
    rows = []
    for factor, side in ((2, 72), (4, 36), (8, 36)):
        known = (
            original
            if factor == 8
            else np.asarray(Image.fromarray(original).resize((320 // factor, 288 // factor), Resampling.BOX))
        )
        top, left = (96 // factor, 120 // factor) if factor < 8 else (96, 120)
        model = fit(from_array(known, kind="image")).model
        part = ((top, top + side), (left, left + side))
        tiles = [(name, _cut(known, name, factor, part)) for name in FILTERS]
        tiles += [
            (f"partinr, {between}", render(model, scale=factor, crop=part, between=between))
            for between in ("none", "learned")
        ]
        if factor < 8:
            cut = tuple(slice(factor * a, factor * b) for a, b in part)
            tiles.append(("original", original[cut]))
        rows.append(
            [
                (
                    f"{factor}x {name}",
                    np.asarray(Image.fromarray(tile).resize((216, 216), Resampling.NEAREST)),
                )
                for name, tile in tiles
            ]
        )
    sheet = Image.new("RGB", (7 * 220, 3 * 238), "white")
    draw = ImageDraw.Draw(sheet)
    for y, row in enumerate(rows):
        for x, (name, tile) in enumerate(row):
            sheet.paste(Image.fromarray(tile), (220 * x, 238 * y + 18))
            draw.text((220 * x + 2, 238 * y + 2), name, fill="black")
    sheet.save(DOCS / "between.png", optimize=True)


def _cut(known: np.ndarray, name: str, factor: int, part: tuple[tuple[int, int], ...]) -> np.ndarray:
    large = Image.fromarray(known).resize((known.shape[1] * factor, known.shape[0] * factor), FILTERS[name])
    cut = tuple(slice(factor * a, factor * b) for a, b in part)
    found: np.ndarray = np.asarray(large)[cut]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="?")
    parser.add_argument("--pattern", default="*.png")
    given = parser.parse_args()
    picture()
    publish("between.md", "others", others())
    if given.images is None:
        return
    paths = sorted(given.images.glob(given.pattern))
    publish("between.md", "qualities", qualities(paths))
    publish("between.md", "borders", borders(paths[:6]))
    publish("between.md", "enlargements", enlargements(paths))


if __name__ == "__main__":
    main()

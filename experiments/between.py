"""What lies between the samples of photographs: the networks that ship in `partinr/model/between/data/`.

    python experiments/between.py -o photographs.safetensors [--steps 14000] [--seed 0] [--threads N]
        [--pictures FOLDER]

Every photograph is made smaller by 2 and by 4, by means over boxes, Pillow's bicubic and its Lanczos filter.
What comes out is given as it is, as a compact fit of it (30 to 46 dB), or as a fit of sinusoidal networks,
and a network of some thousand weights (`Details`) predicts the details of what was made smaller.
The network for the second halving sees what the first one made. Losses are squared errors.

Photographs: astronaut (NASA, public domain), camera (CC0), chelsea (Stefan van der Walt, CC0), coffee (Rachel
Michetti, CC0), rocket (SpaceX, CC0), motorcycle (Middlebury 2014 stereo benchmark), coins, brick and gravel
(CC0), which scikit-image ships; and those of `MORE`, which are fetched, or taken from --pictures. None of
them is reported on anywhere.
"""

from __future__ import annotations

import argparse
import bz2
import hashlib
import math
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from partinr import Compact, Steps, fit
from partinr.model.between.details import SLOPE
from partinr.model.rendering import sample_blocks

SHIPPED = (
    *("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"),
    *("coins.png", "brick.png", "gravel.png"),
)
_JXL = "https://raw.githubusercontent.com/libjxl/testdata/73695d303670c90e4d506ea89d9901b081385089/"
_WESATURATE = _JXL + "external/wesaturate/500px/"
_SKLEARN = "https://raw.githubusercontent.com/scikit-learn/scikit-learn/1.7.0/sklearn/datasets/images/"
# Where they are, SHA-256, and the sides that they are reduced to: JPEG's blocks and a camera's mosaic go.
MORE = (
    # CC0 1.0: keong_macan, bliznaca, riaphotographs
    (
        _WESATURATE + "cvo9xd_keong_macan_srgb8.png",
        "eb9189de8004dd0e56c5ccd8312567ae325bcef42861e2bfc86b064f4c4861b6",
        (500, 500),
    ),
    (
        _WESATURATE + "u76c0g_bliznaca_srgb8.png",
        "3fb0583484fde716ab6b5d406764698fa48f72fcec8ee9014d3c59328a489616",
        (500, 500),
    ),
    (
        _WESATURATE + "tmshre_riaphotographs_srgb8.png",
        "fa85b95a14533303b64d9015537a6f21e50094dcc42ca9c48f93ed242a9781f6",
        (500, 500),
    ),
    # CC BY 4.0: the authors of libjxl
    (
        _JXL + "jxl/flower/flower.png.im_q85_444.jpg",
        "ad991336879e89dcae910b87df6fe7442198782208b1636c1b794c2893c783fe",
        (1134, 756),
    ),
    # Public domain: Judy Weggelaar
    (
        "https://raw.githubusercontent.com/scipy/dataset-face/main/face.dat",
        "9d8b0b4d081313e2b485748c770472e5a95ed1738146883d84c7030493e82886",
        (1024, 768),
    ),
    # CC BY 2.0: danielbuechele, vultilion
    (_SKLEARN + "china.jpg", "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29", (640, 427)),
    (_SKLEARN + "flower.jpg", "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638", (640, 427)),
)
# Those that are reduced once more, by this factor: edges as sharp as can be.
SHARPER, FACTOR = (
    ("face.dat", "astronaut.png", "coffee.png", "motorcycle_left.png", "flower.png.im_q85_444.jpg"),
    0.7,
)
FILTERS = (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
QUALITIES = (30, 33, 36, 39, 42, 45)
# How often the network sees what there was, fits of 39 to 46 dB, of less, and of sinusoidal networks.
SHARES = {"exact": 0.25, "fine": 0.5, "coarse": 0.1, "siren": 0.15}
# Planes of hidden layers, and sides of their filters; the direct filter's.
LAYERS, DIRECT = ((5, 16), (3, 16), (3, 16), (3, 3)), 7
BATCH, SIDE, RATE, BORDER = 16, 48, 2e-3, 8


def photographs(folder: Path | None) -> dict[str, np.ndarray]:
    """All of them by name, 8-bit RGB.

    Args:
        folder: where those that scikit-image does not ship lie; None to fetch them.
    """
    import skimage

    data = Path(skimage.__file__).parent / "data"
    found = {name: Image.open(data / name).convert("RGB") for name in SHIPPED}
    for address, digest, size in MORE:
        name = address.rsplit("/", 1)[1]
        if folder is None:
            with urllib.request.urlopen(address) as answer:
                raw = answer.read()
        else:
            raw = (folder / name).read_bytes()
        if hashlib.sha256(raw).hexdigest() != digest:
            raise SystemExit(f"{name}: another file than the networks were learned from")
        found[name] = _opened(raw).resize(size, Image.Resampling.BOX)
    for name in SHARPER:
        size = tuple(int(FACTOR * n) for n in found[name].size)
        found[f"{name} smaller"] = found[name].resize(size, Image.Resampling.LANCZOS)
    return {name: np.asarray(picture) for name, picture in found.items()}


def _opened(raw: bytes) -> Image.Image:
    if raw.startswith(b"BZh"):
        return Image.fromarray(np.frombuffer(bz2.decompress(raw), np.uint8).reshape(768, 1024, 3))
    import io

    return Image.open(io.BytesIO(raw)).convert("RGB")


@dataclass(frozen=True, eq=False)
class Pair:
    """What is known and what is to be found: planes (4, rows, columns) of luma, red, green and blue, 0 to 1;
    the second is larger by a whole factor."""

    known: np.ndarray
    wanted: np.ndarray


def pairs(pictures: dict[str, np.ndarray], factor: int) -> dict[str, list[Pair]]:
    """Pairs of every kind that `SHARES` names, of photographs made smaller by a factor."""
    random = np.random.default_rng(0)
    found: dict[str, list[Pair]] = {kind: [] for kind in SHARES}
    for picture in pictures.values():
        rows, columns = (n // factor for n in picture.shape[:2])
        whole = picture[: rows * factor, : columns * factor]
        wanted = _planes(whole.astype(np.float32) / 255)
        for number, resample in enumerate(FILTERS):
            small = np.asarray(Image.fromarray(whole).resize((columns, rows), resample))
            kinds: list[tuple[str, np.ndarray]] = [("exact", small.astype(np.float32) / 255)]
            for quality in QUALITIES:
                goal = Compact(psnr=quality + random.uniform(-1.5, 1.5))
                kinds.append(("fine" if quality > 37 else "coarse", _samples(fit(small, goal=goal).model)))
            if number == len(found["siren"]) % len(FILTERS):
                kinds.append(("siren", _samples(fit(small, goal=Steps()).model)))
            for kind, known in kinds:
                found[kind].append(Pair(_planes(known), wanted))
    return found


def _samples(model: Any) -> np.ndarray:
    return np.concatenate(list(sample_blocks(model)))


def _planes(values: np.ndarray) -> np.ndarray:
    luma = values @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.stack([luma, *np.moveaxis(values, 2, 0)]).astype(np.float16)


class Learner(nn.Module):
    """`Details` as it is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.direct = nn.Parameter(torch.zeros(3, 1, DIRECT, DIRECT))
        fan_ins = (1, *(planes for _, planes in LAYERS))
        self.layers = nn.ParameterList(
            nn.Parameter(torch.randn(planes, fan_in, side, side) * math.sqrt(2 / (fan_in * side * side)))
            for fan_in, (side, planes) in zip(fan_ins, LAYERS, strict=False)
        )
        with torch.no_grad():
            self.layers[-1] *= 0.01

    def weights(self) -> tuple[Tensor, list[Tensor]]:
        """The direct filter and the layers', those of the samples adding up to zero."""
        first, *others = self.layers
        flat = [w - w.mean((2, 3), keepdim=True) for w in (self.direct, first)]
        return flat[0], [flat[1], *others]

    def forward(self, samples: Tensor) -> Tensor:
        """Quarters (n, 1, 2 rows, 2 columns) of samples (n, 1, rows, columns)."""
        direct, layers = self.weights()
        found = samples
        for i, layer in enumerate(layers):
            found = _around(found, layer)
            if i + 1 < len(layers):
                found = functional.leaky_relu(found, SLOPE)
        across, down, both = (found + _around(samples, direct)).split(1, dim=1)
        quarters = (across + down + both, -across + down - both, across - down - both, -across - down + both)
        return functional.pixel_shuffle(samples + torch.cat(quarters, dim=1), 2)

    def tensors(self, prefix: str) -> dict[str, np.ndarray]:
        """The weights as the package holds them."""
        direct, layers = self.weights()
        named = {"direct": direct, **{f"layers.{i}": layer for i, layer in enumerate(layers)}}
        found = {}
        for name, value in named.items():
            weights = value.detach().permute(2, 3, 1, 0).numpy()
            found[prefix + name], found[f"{prefix}{name}.scale"] = rounded(weights)
        return found


def rounded(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integers of 8 bits, and what those of each plane that comes out are to be multiplied by.

    Those of the samples, which add up to zero, still do: the weights that were the nearest to be rounded to
    the other side are.
    """
    scale = (np.abs(weights).max(axis=(0, 1, 2)) / 127).astype(np.float32)
    exact = (weights / scale).reshape(-1, len(scale))
    whole = np.rint(exact)
    if weights.shape[2] == 1:
        for own, wanted in zip(whole.T, exact.T, strict=True):
            much = int(own.sum())
            sign = np.sign(much)
            own[np.argsort(sign * (wanted - own))[: abs(much)]] -= sign
    return whole.astype(np.int8).reshape(weights.shape), scale


def _around(values: Tensor, weights: Tensor) -> Tensor:
    reach = weights.shape[2] // 2
    return functional.conv2d(functional.pad(values, (reach,) * 4, mode="reflect"), weights)


def batches(known: dict[str, list[Pair]], side: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless crops of so many samples a side, turned and mirrored at random."""
    random = np.random.default_rng(seed)
    kinds = list(SHARES)
    sizes = {kind: np.array([pair.known[0].size for pair in some], float) for kind, some in known.items()}
    while True:
        crops = []
        for kind in random.choice(kinds, BATCH, p=list(SHARES.values())):
            pair = known[kind][random.choice(len(known[kind]), p=sizes[kind] / sizes[kind].sum())]
            plane = random.integers(4) if random.random() < 0.5 else 0
            top, left = (random.integers(n - side + 1) for n in pair.known.shape[1:])
            factor = pair.wanted.shape[1] // pair.known.shape[1]
            crop = (
                pair.known[plane, top : top + side, left : left + side],
                pair.wanted[plane, factor * top :, factor * left :][: factor * side, : factor * side],
            )
            turns, mirror = random.integers(4), random.integers(2)
            crops.append([np.rot90(part, turns)[:, :: 1 - 2 * mirror].astype(np.float32) for part in crop])
        first, second = (torch.from_numpy(np.stack(part))[:, None] for part in zip(*crops, strict=True))
        yield first, second


def learn(known: dict[str, list[Pair]], before: Sequence[Learner], steps: int, seed: int) -> Learner:
    """A network for the halving after those of others."""
    torch.manual_seed(seed)
    learner = Learner()
    optimiser = torch.optim.Adam(learner.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda i: min(1, i / 100) * (0.5 * (1 + math.cos(math.pi * i / steps)) + 1e-3)
    )
    began, total = time.perf_counter(), 0.0
    crops = batches(known, SIDE >> len(before), seed)
    for step, (samples, wanted) in zip(range(1, steps + 1), crops, strict=False):
        with torch.no_grad():
            for other in before:
                samples = other(samples)
        edge = BORDER << len(before)
        loss = ((learner(samples) - wanted) ** 2)[..., edge:-edge, edge:-edge].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.item()
        if step % 500 == 0:
            print(
                f"{step:6} {-10 * math.log10(total / 500):7.3f} dB {time.perf_counter() - began:6.0f} s",
                flush=True,
            )
            total = 0.0
    return learner


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", dest="output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=14000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--pictures", type=Path, default=None)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    from safetensors.numpy import save_file

    pictures = photographs(given.pictures)
    first = learn(pairs(pictures, 2), [], given.steps, given.seed)
    tensors = first.tensors("0.")
    save_file(tensors, given.output)
    second = learn(pairs(pictures, 4), [first], given.steps // 2, given.seed)
    save_file(tensors | second.tensors("1."), given.output)


if __name__ == "__main__":
    main()

"""What photographs have between their samples, predicted from the samples around.

Halving each side of a sample's area gives four means, of which the sample is the mean: it and three details,
the coefficients of the Haar wavelet, say what they are. A small network, the same for every sample of every
photograph, predicts the details from the samples around; it was learned once (`experiments/between.py`) and
comes with the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy import ndarray

from partinr.model import kernel
from partinr.shapes import Float32

SLOPE = 0.1
"""What hidden units pass on of what is negative."""


@dataclass(frozen=True, eq=False)
class Details:
    """A network that halves the area of samples.

    It has no biases and its first layers' weights add up to zero, so that flat parts stay flat, and values on
    another scale have details on that scale.

    Attributes:
        direct: weights from the samples around to the details, without anything between.
        layers: weights of the layers, with leaky ReLUs between them, (rows, columns, fan in, fan out) each.

    Source of networks without biases: Mohan, Kadkhodaie, Simoncelli, Fernandez-Granda, "Robust and
    interpretable blind image denoising via bias-free convolutional neural networks", ICLR 2020; of the
    wavelet: Haar, "Zur Theorie der orthogonalen Funktionensysteme", Mathematische Annalen 69, 1910.
    """

    direct: Float32[ndarray, "side side 1 3"]
    layers: tuple[Float32[ndarray, "_ _ _ _"], ...]

    @property
    def reach(self) -> int:
        """Samples on either side that the details depend on."""
        return max(len(self.direct) // 2, sum(len(layer) // 2 for layer in self.layers))

    def halved(self, values: Float32[ndarray, "rows columns channels"]) -> Float32[ndarray, "..."]:
        """Means over the quarters of each sample's area, each channel by itself.

        Args:
            values: samples, with `reach` more on every side than are wanted.

        Returns:
            Array of shape (2 * (rows - 2 * reach), 2 * (columns - 2 * reach), channels).
        """
        reach = self.reach
        rows, columns = (n - 2 * reach for n in values.shape[:2])
        channels = values.shape[2]
        out = np.empty((2 * rows, 2 * columns, channels), np.float32)
        if kernel.why_missing() is None:
            whole = np.ascontiguousarray(values, np.float32)
            kernel.halve(whole, self.direct, self.layers, SLOPE, out)
            return out
        for c in range(channels):
            plane = values[..., c : c + 1]
            across, down, both = np.moveaxis(self._details(plane), -1, 0)
            own = plane[reach : reach + rows, reach : reach + columns, 0]
            out[0::2, 0::2, c] = own + across + down + both
            out[0::2, 1::2, c] = own - across + down - both
            out[1::2, 0::2, c] = own + across - down - both
            out[1::2, 1::2, c] = own - across - down + both
        return out

    def _details(self, plane: Float32[ndarray, "rows columns 1"]) -> Float32[ndarray, "_ _ 3"]:
        """Three details of every sample but those of the margin."""
        reach = self.reach
        found = plane
        for i, weights in enumerate(self.layers):
            found = _convolved(found, weights)
            if i + 1 < len(self.layers):
                np.maximum(found, np.float32(SLOPE) * found, out=found)
        spare = reach - sum(len(layer) // 2 for layer in self.layers)
        inner = reach - len(self.direct) // 2
        whole: Float32[ndarray, "_ _ 3"]
        whole = _trimmed(found, spare) + _convolved(_trimmed(plane, inner), self.direct)
        return whole


def _trimmed(values: Float32[ndarray, "rows columns channels"], by: int) -> Float32[ndarray, "..."]:
    return values[by : len(values) - by, by : values.shape[1] - by]


def _convolved(
    values: Float32[ndarray, "rows columns fan_in"], weights: Float32[ndarray, "high wide fan_in fan_out"]
) -> Float32[ndarray, "_ _ fan_out"]:
    """Weighted sums of the values around, where all of them are there."""
    high, wide = weights.shape[:2]
    rows, columns = len(values) - high + 1, values.shape[1] - wide + 1
    total = np.zeros((rows, columns, weights.shape[3]), np.float32)
    for i in range(high):
        for j in range(wide):
            total += values[i : i + rows, j : j + columns] @ weights[i, j]
    return total


def stored() -> dict[str, ndarray]:
    """The file of what was learned of photographs, which the format names: integers, and their scales."""
    from importlib.resources import files

    from safetensors.numpy import load

    tensors: dict[str, ndarray]
    tensors = load((files("partinr.model.between") / "data" / "photographs.safetensors").read_bytes())
    return tensors


@cache
def photographs() -> tuple[Details, ...]:
    """What was learned of photographs: the networks for the first halving, and for the second."""
    tensors = stored()
    count = 1 + max(int(name.split(".")[0]) for name in tensors)
    return tuple(_of(tensors, f"{k}.") for k in range(count))


def _of(tensors: dict[str, ndarray], prefix: str) -> Details:
    """Of integers, and what those of each plane that comes out are to be multiplied by."""
    weights = {
        name.removeprefix(prefix): whole.astype(np.float32) * tensors[f"{name}.scale"]
        for name, whole in tensors.items()
        if name.startswith(prefix) and not name.endswith(".scale")
    }
    direct = weights.pop("direct")
    return Details(direct, tuple(weights[f"layers.{i}"] for i in range(len(weights))))

"""A reader of coded parameters written from docs/format.md: standard library and NumPy alone.

Slow and literal, one bit after another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy import ndarray

Q = (1, 1.189207115002721, 1.4142135623730951, 1.681792830507429)


class Bits:
    """The bits of a string, and the integers that they make."""

    def __init__(self, data: bytes) -> None:
        self.rest, self.zeros = list(data), 0
        self.L, self.H, self.V = 0, 2**32 - 1, 0
        for _ in range(4):
            self.V = self.V * 256 + self.following()
        self.learned: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [32768, 0])

    def following(self) -> int:
        if self.rest:
            return self.rest.pop(0)
        self.zeros += 1
        return 0

    def bit(self, P: int) -> int:
        D = self.H - self.L
        M = self.L + D // 65536 * P + D % 65536 * P // 65536
        bit = int(M >= self.V)
        if bit:
            self.H = M
        else:
            self.L = M + 1
        while self.L // 2**24 == self.H // 2**24:
            self.L = self.L % 2**24 * 256
            self.H = self.H % 2**24 * 256 + 255
            self.V = self.V % 2**24 * 256 + self.following()
        return bit

    def learning(self, *context: object) -> int:
        P, N = self.learned[context]
        bit = self.bit(P)
        t = 65536 // (N + 2)
        P = P + (65536 - P) * t // 65536 if bit else P - P * t // 65536
        self.learned[context] = [min(max(P, 32), 65504), min(N + 1, 254)]
        return bit

    def integer(self, k: int) -> int:
        length = ""
        for _ in range(5):
            length += str(self.learning(k, "length", length))
        b = int(length, 2)
        if b > 20:
            raise ValueError("damaged")
        if b == 0:
            return 0
        digits = "1"
        for i in range(1, b):
            digits += str(self.learning(k, "digits", b, digits) if i <= 2 else self.bit(32768))
        return -int(digits, 2) if self.bit(32768) else int(digits, 2)

    def finished(self) -> bool:
        return not self.rest and self.zeros <= 4


def p(i: int) -> float:
    return float(2.0 ** (i // 4) * Q[i % 4])


def parameters(
    data: bytes, groups: Sequence[tuple[Sequence[int], Sequence[tuple[int, int]], Sequence[int | None]]]
) -> list[tuple[list[ndarray], list[ndarray]]]:
    """Weights and biases of each group.

    Args:
        data: the string.
        groups: of each the samples of its regions, (fan_in, fan_out) of its layers, and for each of these the
            layer that it feeds.
    """
    bits, last, found = Bits(data), 0, []
    for samples, layers, fed in groups:
        weights: list[ndarray] = []
        biases: list[ndarray] = []
        of_layer: dict[int | None, ndarray] = {}
        for layer in reversed(range(len(layers))):
            (fan_in, fan_out), below = layers[layer], of_layer.get(fed[layer])
            gains = np.zeros((len(samples), fan_out), int)
            for r, n in enumerate(samples):
                for c in range(fan_out):
                    if below is None:
                        gains[r, c] = int(n).bit_length() - 1
                    else:
                        S = sum(int(q) ** 2 for q in below[r, c % below.shape[1]])
                        gains[r, c] = (2 * min(S, 2**50) + 1).bit_length() - 1
            for shape in ((len(samples), fan_in, fan_out), (len(samples), fan_out)):
                step = last + bits.integer(63)
                last, spread, more = step, bits.integer(63), bits.integer(63)
                chain = bits.integer(63) if more & 2 else None
                mean = step + bits.integer(63) if more & 1 else None
                m = [bits.integer(62) for _ in range(int(np.prod(shape[1:])))] if more & 1 else []
                q, values = np.zeros(shape, int), np.zeros(shape, np.float32)
                for index in np.ndindex(shape):
                    r, c = index[0], index[-1]
                    chained = chain is not None and c > 0
                    k = (chain if chained and chain is not None else spread) + gains[r, c]
                    q[index] = bits.integer(min(max(k, 0), 61))
                    if chained:
                        q[index] += q[(*index[:-1], c - 1)]
                    value = float(q[index]) * p(int(step - 2 * gains[r, c]))
                    if mean is not None:
                        value += m[int(np.ravel_multi_index(index[1:], shape[1:]))] * p(mean)
                    values[index] = np.float32(value)
                if len(shape) == 3:
                    weights.insert(0, values)
                    integers = q
                else:
                    biases.insert(0, values)
            of_layer[layer] = integers
        found.append((weights, biases))
    if not bits.finished():
        raise ValueError("damaged")
    return found

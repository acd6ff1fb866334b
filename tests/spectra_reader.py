"""A reader of coded cosines written from docs/format.md: standard library and NumPy alone.

Slow and literal, one bit after another.
"""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from coded_reader import Bits

STARTS = (1, 2, 3, 4, 5, 7, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256, 320)


class Box(NamedTuple):
    first: tuple[int, ...]
    n: tuple[int, ...]
    depth: int


class Found(NamedTuple):
    splits: list[int]
    boxes: list[list[list[int]]]
    q: list[ndarray]
    step: float
    M: ndarray


def number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i in range(9):
        value += data[at + i] % 128 * 128**i
        if data[at + i] < 128:
            return value, at + i + 1
    raise ValueError("damaged")


def clipped(value: int, low: int, high: int) -> int:
    return low if value < low else high if value > high else value


def level(v: int) -> int:
    return len([start for start in STARTS if start <= v])


def digits(v: int) -> int:
    return len(bin(v)) - 2 if v else 0


@lru_cache(None)
def ln_odds(j: int) -> int:
    return round(256 * math.log((j + 0.5) / (4096 - (j + 0.5))))


@lru_cache(None)
def odds(y: int) -> int:
    return clipped(round(65536 / (1 + math.exp(-y / 256))), 24, 65512)


@lru_cache(None)
def cosine(n: int, k: int, x: int) -> int:
    return round(16384 * math.sqrt((2 if k else 1) / n) * math.cos(math.pi * k * (2 * x + 1) / (2 * n)))


def ahead(n: int, k: int) -> int:
    last, before = cosine(n, k, n - 1), cosine(n, k, max(n - 2, 0))
    return last + (last - before) // 2


def rest(k: tuple[int, ...], a: int) -> tuple[int, ...]:
    return tuple(x for b, x in enumerate(k) if b != a)


def turned(face: ndarray, order: Any, sides: tuple[int, ...], back: bool) -> ndarray:
    for a in order:
        n = sides[a]
        matrix = np.array([[cosine(n, k, x) for x in range(n)] for k in range(n)], dtype=object)
        lines = np.moveaxis(face, a, 0)
        sums = np.tensordot(matrix.T if back else matrix, lines, 1)
        found = np.empty(sums.shape, dtype=object)
        for index in np.ndindex(sums.shape):
            found[index] = clipped((int(sums[index]) + 8192) // 16384, -(2**36), 2**36)
        face = np.moveaxis(found, 0, a)
    return face


class Told:
    """What a box leaves, for each channel."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.reach: list[int] = []
        self.size: list[dict[Any, int]] = []
        self.agreement: list[list[int]] = []


class Slice(Bits):
    """The bits of a slice, and what is known while they are read."""

    def __init__(self, data: bytes, first: tuple[int, ...], channels: int, least: int) -> None:
        super().__init__(data)
        self.first, self.C, self.least, self.d = first, channels, least, len(first)
        self.mixed_P: dict[Any, list[int]] = defaultdict(lambda: [32768, 0])
        self.mixed_w: dict[Any, list[int]] = defaultdict(lambda: [14418] * 7)
        self.mixed_U: dict[Any, int] = defaultdict(int)
        self.touching: dict[Any, Told] = {}
        self.beyond: dict[Any, int] = {}

    def even(self) -> int:
        return self.bit(32768)

    def number(self, *X: Any) -> int:
        L = 0
        while L < 26 and self.learning(*X, "length", L):
            L += 1
        text = "1"
        for i in range(L):
            text += str(self.even() if i else self.learning(*X, "digit", L))
        return int(text, 2) - 1

    def mixed(self, contexts: list[Any], weights: Any) -> int:
        cells = [self.mixed_P[i, context] for i, context in enumerate(contexts)]
        w, U = self.mixed_w[weights], self.mixed_U[weights]
        x = [ln_odds(P // 16) * min(N + 1, 8) // 8 for P, N in cells]
        p = odds(clipped(sum(a * b for a, b in zip(w, x, strict=True)) // 65536, -3071, 3071))
        z = self.bit(p)
        if self.zeros > 4:
            raise ValueError("cut short")
        g = (65536 * z - p) * (197 + 77600 // (32 + U))
        for i, cell in enumerate(cells):
            w[i] = clipped(w[i] + (x[i] * g + 2**23) // 2**24, -(2**24), 2**24)
            cell[0] += (65535 * z - cell[0]) * (65536 // (cell[1] + 2)) // 65536
            cell[1] = min(cell[1] + 1, 254)
        self.mixed_U[weights] = min(U + 1, 1023)
        return z

    # Boxes

    def open(self, box: Box) -> list[int]:
        return [a for a in range(self.d) if box.first[a] != self.first[a]]

    def face(self, box: Box, a: int) -> Iterator[tuple[int, ...]]:
        spans = [range(i, i + n) for i, n in zip(box.first, box.n, strict=True)]
        return product(*rest(tuple(spans), a))  # type: ignore[arg-type]

    def mean(self, box: Box, value: Any) -> int:
        said = [value(self.touching[a, at]) for a in self.open(box) for at in self.face(box, a)]
        return sum(said) // len(said) if said else 0

    def tree(self, box: Box, splits: list[int]) -> Iterator[tuple[Box, ndarray]]:
        sides = [n for n in box.n if n > 1]
        if sides and all(n >= 2 * self.least for n in sides):
            deeper = [self.touching[a, rest(box.first, a)].depth > box.depth for a in self.open(box)]
            splits.append(self.learning("split", min(box.depth, 15), sum(deeper)))
            if splits[-1]:
                cut = [
                    [(i, n)] if n == 1 else [(i, n // 2), (i + n // 2, n - n // 2)]
                    for i, n in zip(box.first, box.n, strict=True)
                ]
                for part in product(*cut):
                    first, n = zip(*part, strict=True)
                    yield from self.tree(Box(first, n, box.depth + 1), splits)
                return
        told, q = Told(box.depth), np.zeros((self.C, *box.n), np.int64)
        for c in range(self.C):
            Channel(self, box, c, told, q).read()
        for a in range(self.d):
            for at in self.face(box, a):
                self.touching[a, at] = told
        yield box, q


class Channel:
    """What is known while a channel of a box is read."""

    def __init__(self, bits: Slice, box: Box, c: int, told: Told, q: ndarray) -> None:
        self.bits, self.box, self.c, self.told, self.q = bits, box, c, told, q
        self.n, self.d, self.kind, self.open = box.n, len(box.n), min(c, 2), bits.open(box)
        self.y = [0, 0]
        self.Y = [bits.mean(box, lambda t, i=i: t.agreement[c][i]) for i in (0, 1)]
        self.shown = [np.zeros(rest(self.n, a), dtype=object) for a in range(self.d)]
        self.missing = {}
        for a in self.open:
            sides = rest(self.n, a)
            face = np.empty(sides, dtype=object)
            for index, at in zip(np.ndindex(sides), bits.face(box, a), strict=True):
                face[index] = bits.beyond[a, at, c]
            self.missing[a] = turned(face, reversed(range(self.d - 1)), sides, back=False)

    def read(self) -> None:
        bits, n, c, d = self.bits, self.n, self.c, self.d
        E = sum(n) - d + 1
        r = bits.mean(self.box, lambda t: t.reach[c])
        u = 1 + min(6, level(r * E // 64) // 3) if self.open else 0
        f = min(7, 1 + level(self.told.reach[0] * E // 64) // 3) if c else 0
        R = bits.number("reach", self.kind, u, f)
        if R > E:
            raise ValueError("damaged")
        self.told.reach.append(64 * R // E)
        sums: dict[Any, list[int]] = defaultdict(list)
        for k in reversed(list(np.ndindex(n))):
            if 0 < sum(k) < R:
                size = self.size(k)
                sums[self.band(k)].append(min(1000, size))
                if size:
                    self.note(k, -size if self.sign(k, size) else size)
        D = bits.number("constant", self.kind, min(11, digits(math.prod(n))))
        if D and bits.even():
            D = -D
        self.note((0,) * d, self.guess() + D)
        for a in range(d):
            sides = rest(n, a)
            face = np.empty(sides, dtype=object)
            for index in np.ndindex(sides):
                face[index] = clipped((self.shown[a][index] + 128) // 256, -(2**36), 2**36)
            face = turned(face, range(d - 1), sides, back=True)
            for index, at in zip(np.ndindex(sides), bits.face(self.box, a), strict=True):
                bits.beyond[a, at, c] = clipped(int(face[index]), -(2**30), 2**30)
        self.told.size.append({band: 16 * sum(own) // len(own) for band, own in sums.items()})
        self.told.agreement.append([self.y[i] or self.Y[i] // 2 for i in (0, 1)])

    def s(self, c: int, k: tuple[int, ...], *step: int) -> int:
        at = tuple(a + b for a, b in zip(k, step, strict=True)) if step else k
        inside = all(0 <= i < n for i, n in zip(at, self.n, strict=True))
        return min(1000, abs(int(self.q[(c, *at)]))) if inside else 0

    def band(self, k: tuple[int, ...]) -> Any:
        if self.d == 1:
            F = 1024 * k[0] // self.n[0]
            o = digits(F) - 1
            return 0 if k[0] == 0 else 1 if F == 0 else min(39, 1 + 4 * o + 4 * F // 2**o % 4)
        scale, high = (64, 6) if self.d == 2 else (16, 4)
        return tuple(
            clipped(digits(scale * i // n), 1, high) if i else 0 for i, n in zip(k, self.n, strict=True)
        )

    def higher(self, k: tuple[int, ...]) -> int:
        c = self.c
        if self.d == 1:
            return 3 * self.s(c, k, 1) + 2 * self.s(c, k, 2) + 2 * self.s(c, k, 3) + self.s(c, k, 4)
        if self.d == 2:
            once = ((0, 2), (1, 1), (1, -1), (2, 0))
            return 2 * self.s(c, k, 0, 1) + 2 * self.s(c, k, 1, 0) + sum(self.s(c, k, *step) for step in once)
        steps = [step for step in product((0, 1), repeat=3) if sum(step) in (1, 2)]
        return sum((3 - sum(step)) * self.s(c, k, *step) for step in steps)

    def around(self, c: int, k: tuple[int, ...]) -> int:
        found = 2 * self.s(c, k)
        for a, by in product(range(self.d), (-1, 1)):
            found += self.s(c, k, *(by if b == a else 0 for b in range(self.d)))
        return found

    def size(self, k: tuple[int, ...]) -> int:
        n, d, c, kind = self.n, self.d, self.c, self.kind
        h, band = self.higher(k), self.band(k)
        mu = self.bits.mean(self.box, lambda t: t.size[c].get(band, 0))
        beside = (self.around(0, k) if c > 0 else 0) + (self.around(c - 1, k) if c > 1 else 0)
        A, B = level(h), 1 + level(mu // 2) if self.open else 0
        rho = sum((256 if d == 1 else 64) * i // side for i, side in zip(k, n, strict=True))
        V = min(7, digits(max(n)))
        along = self.s(c, k, *(0,) * (d - 1), 1)
        first = self.s(c, k, 2) if d == 1 else self.s(c, k, 1, *(0,) * (d - 1))
        contexts: list[Any] = [
            (A, level(rho // 2)),
            (B, A // 2),
            (*(min(i, (63, 7, 3)[d - 1]) for i in k), V),
            (level(beside), A // 2) if c else (B, 16 * k[0] // n[0]),
            (level((4 * h + mu + 2 * beside) // 4), V),
            (band, min(A // 2, 6)),
            (min(11, along), min(11, first)),
        ]
        group = 0 if A == 0 else 1 if A < 4 else 2 if A < 8 else 3
        for j in range(14):
            if not self.bits.mixed([("size", j, kind, own) for own in contexts], ("size", j, kind, group)):
                return j
        return 14 + self.bits.number("large", kind)

    def sign(self, k: tuple[int, ...], size: int) -> int:
        c, d, kind = self.c, self.d, self.kind
        v = [int(self.q[(0, *k)]) if c > 0 else 0, int(self.q[(c - 1, *k)]) if c > 1 else 0]
        Z = [min(3, abs(value)) for value in v]
        H = [self.agreement(v[i], self.y[i]) for i in (0, 1)]
        T = [self.agreement(v[i], self.Y[i]) for i in (0, 1)]
        X = [self.asked(k, a) for a in range(d)]

        def G(a: int, b: int) -> tuple[int, ...]:
            return X[a], min(k[a], 9), min(3, size), min(k[b], 2)

        contexts = [
            (H[0], Z[0], Z[1]),
            G(1, 2) if d == 3 else (T[0], Z[0], Z[1]),
            (H[0], H[1], Z[0]),
            G(d - 1, 0),
            G(0, d - 1),
            (X[d - 1], X[0], min(3, size)),
            (X[d - 1], X[0], H[0]),
        ]
        group = ("sign", min(3, digits(sum(k)) - 1), kind)
        bit = self.bits.mixed([("sign", kind, own) for own in contexts], group)
        for i in (0, 1):
            if v[i]:
                by = 3 * min(4, size * abs(v[i]))
                self.y[i] = clipped(self.y[i] + (by if (v[i] < 0) == (bit == 1) else -by), -60, 60)
        return bit

    @staticmethod
    def agreement(v: int, y: int) -> int:
        if v == 0:
            return 7
        y = -y if v < 0 else y
        return sum([y >= -24, y >= -8, y >= -2, y > 2, y > 8, y > 24])

    def asked(self, k: tuple[int, ...], a: int) -> int:
        if a not in self.open:
            return 9
        m = int(self.missing[a][rest(k, a)])
        e = sum(2**14 * abs(m) >= x * cosine(self.n[a], k[a], 0) for x in (16, 38, 77, 160))
        return 4 - e if m < 0 else 4 + e

    def guess(self) -> int:
        if not self.open:
            return 0
        j, zeros = len(self.open), (0,) * (self.d - 1)
        parts = [16384 * int(self.missing[a][zeros]) // cosine(self.n[a], 0, 0) for a in self.open]
        return clipped((sum(parts) + 32 * j) // (64 * j), 1 - 2**26, 2**26 - 1)

    def note(self, k: tuple[int, ...], q: int) -> None:
        self.q[(self.c, *k)] = q
        for a, n in enumerate(self.n):
            self.shown[a][rest(k, a)] += q * ahead(n, k[a])
            if a in self.open:
                self.missing[a][rest(k, a)] -= (q * cosine(n, k[a], 0) + 128) // 256


def spectra(data: bytes, shape: tuple[int, ...], channels: int) -> Found:
    """What a section of coded cosines holds."""
    (step,) = struct.unpack("<f", data[:4])
    root, at = number(data, 4)
    least, at = number(data, at)
    mixed, at = number(data, at)
    if not (0 < step <= 2**64 and 2 <= least <= root <= 1024 and mixed <= 1):
        raise ValueError("damaged")
    M = np.eye(channels)
    if mixed:
        M = np.frombuffer(data, "<i2", channels**2, at).reshape(channels, channels) / 16384
        at += 2 * channels**2
    parts = [-(-n // root) for n in shape]
    spans = [[(i * n // m, (i + 1) * n // m) for i in range(m)] for n, m in zip(shape, parts, strict=True)]
    b = ([a for a, m in enumerate(parts) if m > 1] or [len(shape) - 1])[0]
    rows = max(1, 2**20 // max(1, math.prod(shape) // parts[b]))
    groups = [spans[b][i : i + rows] for i in range(0, parts[b], rows)]
    lengths = []
    for _ in groups[1:]:
        length, at = number(data, at)
        lengths.append(length)
    found = Found([], [], [], step, M)
    for group, length in zip(groups, [*lengths, len(data) - at - sum(lengths)], strict=True):
        bits = None
        for root_box in product(*spans[:b], group, *spans[b + 1 :]):
            first = tuple(i for i, _ in root_box)
            bits = bits or Slice(data[at : at + length], first, channels, least)
            box = Box(first, tuple(j - i for i, j in root_box), 0)
            for part, q in bits.tree(box, found.splits):
                found.boxes.append(
                    [list(part.first), [i + n for i, n in zip(part.first, part.n, strict=True)]]
                )
                found.q.append(q)
        assert bits is not None
        if not bits.finished():
            raise ValueError("damaged")
        at += length
    return found


def layer(q: ndarray, step: float, M: ndarray, frequencies: int) -> tuple[ndarray, ndarray]:
    """Weights (features, channels) and biases (channels) of a region's network of so many frequencies."""
    C, n = len(q), q.shape[1:]
    whole = np.zeros((*(frequencies,) * len(n), C), np.float32)
    for k in np.ndindex(n):
        if q[(slice(None), *k)].any():
            s = 1.0
            for i, side in zip(k, n, strict=True):
                s *= math.sqrt((2 if i else 1) / side)
            for e in range(C):
                S = 0.0
                for c in range(C):
                    S += (int(q[(c, *k)]) * step) * float(M[c, e])
                whole[(*k, e)] = np.float32(S * s)
    flat = whole.reshape(-1, C)
    return flat[1:], flat[0]

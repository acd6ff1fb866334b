"""What lies between samples, read from docs/format.md alone: slow, plain, in double precision."""

import hashlib
import itertools
from importlib.resources import files

import numpy as np
from numpy.polynomial.legendre import leggauss
from safetensors.numpy import load

BEYOND = 40


def closed(values, spectra):
    """Samples without the jumps that rounding made, "Samples"."""
    mixing = spectra.mixing.astype(np.float64)
    values = values @ np.linalg.inv(mixing)
    lively = np.zeros(values.shape, int)
    for (first, stop), own in zip(spectra.boxes, spectra.by_box(), strict=True):
        for c, numbers in enumerate(own.reshape(len(own), -1)):
            inside = tuple(slice(a, b) for a, b in zip(first, stop, strict=True))
            lively[(*inside, c)] = min(10, sum(abs(q) for q in numbers.tolist()[1:]))
    most = {2: 8, 3: 32, 4: 4}[values.ndim]
    for axis in reversed(range(values.ndim - 1)):
        before, activity = np.moveaxis(values, axis, 0), np.moveaxis(lively, axis, 0)
        after = before.copy()
        for box in spectra.boxes:
            (start, stop), others = box[:, axis], [range(*box[:, a]) for a in range(len(box[0])) if a != axis]
            where = np.ix_(*others) if others else ()
            for own, inwards in ((start, 1), (stop - 1, -1)):
                if not (0 <= own - 2 * inwards < len(before)):
                    continue
                q, other = before[own][where], before[own + inwards * (stop - start > 1)][where]
                p, further = before[own - inwards][where], before[own - 2 * inwards][where]
                share = 0.75 * np.maximum(0, 1 - ((q - p) / (2.5 * spectra.step)) ** 2)
                share = share * np.maximum(0, 1 - (abs(q - other) + abs(p - further)) / (2 * spectra.step))
                over = 3 * (stop - start) // (6 + 3 * activity[own][where] + activity[own - inwards][where])
                over = np.clip(over, 1, most)
                for k in range(min(most, stop - start)):
                    part = np.maximum(0, 1 - (k + 0.5) / over) / 2
                    after[own + inwards * k][where] -= part * share * (q - p)
        values = np.moveaxis(after, 0, axis)
    return values @ mixing


def extended(values):
    """With samples beyond the signal's ends on all sides."""
    for axis in range(values.ndim - 1):
        n, moved = values.shape[axis], np.moveaxis(values, axis, 0)

        def at(k, moved=moved, n=n):
            if k < 0:
                return 2 * moved[0] - at(-k)
            return 2 * moved[n - 1] - at(2 * (n - 1) - k) if k >= n else moved[k]

        values = np.moveaxis(np.stack([at(k) for k in range(-BEYOND, n + BEYOND)]), 0, axis)
    return values


def halved(values, which):
    """Quarters of each sample; zeros beyond what there is."""
    stored = (files("partinr.model.between") / "data" / "photographs.safetensors").read_bytes()
    tensors = load(stored)
    weights = {
        name: whole * tensors[f"{name}.scale"].astype(np.float64)
        for name, whole in tensors.items()
        if name.startswith(f"{which}.") and whole.dtype == np.int8
    }
    out = np.empty((2 * values.shape[0], 2 * values.shape[1], values.shape[2]))
    for c in range(values.shape[2]):
        plane = values[..., c : c + 1]
        found = plane
        count = len(weights) - 1
        for layer in range(count):
            found = around(found, weights[f"{which}.layers.{layer}"])
            if layer + 1 < count:
                found = np.maximum(found, found / 10)
        across, down, both = np.moveaxis(found + around(plane, weights[f"{which}.direct"]), -1, 0)
        s = plane[..., 0]
        out[0::2, 0::2, c], out[0::2, 1::2, c] = s + across + down + both, s - across + down - both
        out[1::2, 0::2, c], out[1::2, 1::2, c] = s + across - down - both, s - across - down + both
    return out


def around(values, weights):
    r = len(weights) // 2
    wide = np.pad(values, ((r, r), (r, r), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(wide, weights.shape[:2], axis=(0, 1))
    return np.einsum("yxcij,ijco->yxo", windows, weights, optimize=True)


def spline_means(values, axis, edges):
    """Means between edges, which count from the middle of the first value."""
    moved = np.moveaxis(values, axis, 0)
    n = len(moved)
    ones = np.ones(n)
    quartic = np.diag(230 * ones) + sum(
        np.diag(w * ones[k:], side * k) for k, w in ((1, 76), (2, 1)) for side in (1, -1)
    )
    c = np.linalg.solve(quartic / 384, moved.reshape(n, -1))
    nodes, shares = leggauss(4)
    rows = []
    for low, high in itertools.pairwise(edges):
        inside = range(int(np.floor(low)) + 1, int(np.ceil(high)))
        breaks = [low, *inside, high]
        row = np.zeros(n)
        for a, b in itertools.pairwise(breaks):
            places = (a + b) / 2 + (b - a) / 2 * nodes
            away = abs(places[:, None] - np.arange(n))
            cubic = np.where(away < 1, 2 / 3 - away**2 + away**3 / 2, np.maximum(0, 2 - away) ** 3 / 6)
            row += shares @ cubic * (b - a) / 2
        rows.append(row / (high - low))
    return np.moveaxis((np.stack(rows) @ c).reshape(len(rows), *moved.shape[1:]), 0, axis)


def rendering(values, scale, learned):
    """All of a signal, larger by a factor."""
    found, fine = extended(values), 1
    if learned:
        for which in range(1 if scale <= 2 else 2):
            found, fine = halved(found, which), 2 * fine
    for axis in range(values.ndim - 1):
        edges = np.linspace(0, values.shape[axis] * fine, round(values.shape[axis] * scale) + 1)
        found = spline_means(found, axis, edges + BEYOND * fine - 0.5)
    return found


def digest():
    """Of the file that the format names."""
    stored = (files("partinr.model.between") / "data" / "photographs.safetensors").read_bytes()
    return hashlib.sha256(stored).hexdigest()

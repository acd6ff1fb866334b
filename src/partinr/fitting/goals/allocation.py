"""How many parameters go where: cells and widths that reach a squared error with the fewest of them.

Every cell of a nested grid has an expected error at every width. At a price for each parameter every cell has
a best width, and a cell is better divided if its parts cost less together. The price at which the errors add
up to what is allowed gives the same slope everywhere: no parameter would gain more elsewhere.

Sources: Shoham, Gersho, "Efficient bit allocation for an arbitrary set of quantizers", IEEE Transactions on
Acoustics, Speech and Signal Processing 36(9), 1988. Chou, Lookabaugh, Gray, "Optimal pruning with
applications to tree-structured source coding and modeling", IEEE Transactions on Information Theory 35(2),
1989.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.fitting.goals.difficulty import Level, levels
from partinr.model.networks.network import Network, resized
from partinr.model.partition.partition import Partition
from partinr.model.structure import Structure
from partinr.shapes import Bool, Float64, Int64
from partinr.signals.frames import Frame
from partinr.signals.signal import Signal, SignalSpec

RULE = "adaptive"
"""What the file and the report call a partition that was made here."""

WIDTHS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40)
"""Widths that a region's network may have: few, so that many regions share one."""

# A network of P parameters is worth about half as many cosine coefficients of a cell of so many samples: less
# if it is small, and less in a larger cell, which needs more steps.
_COEFFICIENTS, _SMALL = 0.475, 15
_SAMPLES, _DILUTION = 1024, 0.25
# What a region costs beyond its parameters, in parameters: its box in the file, and its share of the time.
_REGION = 40
# Levels of cells to begin with; larger ones are looked at while more than this share of the signal is in
# cells of the largest.
_LEVELS, _LARGEST_SHARE = 4, 0.5
_BISECTIONS = 30
_PRICES = (1e-14, 1e4)
# A region that is divided begins anew and has less time: this much more error is expected of its parts.
_FRESH = 1.3
# Nothing wider helps a region whose error is so many times what was expected of it.
_HOPELESS = 8
# Errors below this a sample (normalised values squared) are not told apart.
_NOTHING = 1e-12


@dataclass(frozen=True, eq=False)
class Allocation:
    """Regions, their widths, and what is expected of them.

    Attributes:
        boxes: first sample and one past the last of each region.
        hidden: width of each region's network.
        expected: squared error that each region is expected to have at each of `WIDTHS`.
    """

    boxes: Int64[ndarray, "regions 2 dims"]
    hidden: Int64[ndarray, "regions"]
    expected: Float64[ndarray, "regions widths"]

    @property
    def left(self) -> Float64[ndarray, "regions"]:
        """Squared error that each region is expected to have at its width, normalised values."""
        left: Float64[ndarray, "regions"] = self.expected[np.arange(len(self.hidden)), _places(self.hidden)]
        return left


class Allocator:
    """Allocates the parameters of one signal's regions, before training and again after it.

    Args:
        signal: what is to be fitted.
        like: a network whose fields, but for the width, all networks have.
    """

    def __init__(self, signal: Signal, like: Network) -> None:
        self._params = _params(like, signal.spec)
        self._supply = levels(signal)
        self._menus: list[_Menu] = []

    def allocate(self, allowed: float, most: int) -> Allocation:
        """The regions and widths of fewest parameters whose squared error is expected to be `allowed`.

        Args:
            allowed: squared error of all samples and channels together, normalised values, before rounding.
            most: parameters that all regions together may have. If that is too few, they are used up.

        Raises:
            InputError: `most` is less than the smallest network has.
        """
        if most < self._params[0]:
            raise InputError(f"max_params must be at least {self._params[0]} for this signal, got {most}")
        while True:
            level = next(self._supply, None)
            if level is not None:
                self._menus.append(_Menu.of(level, self._params))
                if len(self._menus) < _LEVELS:
                    continue
            picks = _cheapest(lambda price: _pick(self._menus, price), allowed, most)
            if level is None or picks[-1].share <= _LARGEST_SHARE:
                return _joined(picks)

    def reallocate(
        self, allocation: Allocation, errors: Float64[ndarray, "regions"], allowed: float, most: int
    ) -> Allocation:
        """The same with some regions wider, and some divided, so that `allowed` is expected.

        Args:
            allocation: what has been trained.
            errors: squared error that each region came to. What is expected of its parts and of wider
                networks changes in proportion.
            allowed, most: see `allocate`.
        """
        menus = [_revised(menu, allocation, errors) for menu in self._menus]
        found = _joined(_cheapest(lambda price: _pick(menus, price), allowed, most))
        return found if _spent(found, self._params) <= most else allocation


def _revised(menu: _Menu, allocation: Allocation, errors: Float64[ndarray, "regions"]) -> _Menu:
    """What is expected of the cells of a level after training; infinite where a choice is no longer open."""
    boxes, now = allocation.boxes, _places(allocation.hidden)
    home = _homes(menu.boxes, boxes)
    inside = (menu.boxes[:, 0] >= boxes[home, 0]).all(axis=1) & (menu.boxes[:, 1] <= boxes[home, 1]).all(
        axis=1
    )
    same = inside & (menu.boxes == boxes[home]).all(axis=(1, 2))
    floor = _NOTHING * (menu.boxes[:, 1] - menu.boxes[:, 0]).prod(axis=1)
    counts = (boxes[:, 1] - boxes[:, 0]).prod(axis=1)
    ratio = errors / (allocation.left + _NOTHING * counts)
    expected = (menu.expected + floor[:, None]) * (ratio[home] * np.where(same, 1, _FRESH))[:, None]
    expected[same] = (allocation.expected + _NOTHING * counts[:, None])[home[same]] * ratio[home[same], None]
    narrower = same[:, None] & (np.arange(len(WIDTHS)) < now[home][:, None])
    # Dividing throws away what was learned: only where nothing wider is left, or that is little.
    divisible = (now == len(WIDTHS) - 1) | (ratio > _HOPELESS)
    open_ = same | (inside & divisible[home])
    expected[narrower | ~open_[:, None]] = np.inf
    return replace(menu, expected=expected)


def _homes(
    cells: Int64[ndarray, "cells 2 dims"], boxes: Int64[ndarray, "regions 2 dims"]
) -> Int64[ndarray, "cells"]:
    """The region that holds the first sample of each cell."""
    partition = Partition.from_boxes(tuple(boxes[:, 1].max(axis=0).tolist()), boxes, RULE)
    assert partition.edges is not None
    at = [np.searchsorted(edge, cells[:, 0, a], side="right") - 1 for a, edge in enumerate(partition.edges)]
    home: Int64[ndarray, "cells"] = partition.table[tuple(at)].astype(np.int64)
    return home


def worth(params: Int64[ndarray, "..."], samples: Int64[ndarray, "..."]) -> Float64[ndarray, "..."]:
    """Cosine coefficients that do what networks do after a first cycle; measured by `benchmarks/worth.py`.

    Args:
        params: of the networks.
        samples: of their cells.
    """
    coefficients: Float64[ndarray, "..."] = (
        _COEFFICIENTS * params**2 / (params + _SMALL) * (_SAMPLES / samples) ** _DILUTION
    )
    return coefficients


def structure(
    spec: SignalSpec, allocation: Allocation, like: Network, frame: Frame, blend: bool
) -> Structure:
    """Partition and networks of an allocation; regions of equal width form a group."""
    widths, groups = np.unique(allocation.hidden, return_inverse=True)
    networks = tuple(_wide(like, int(hidden)) for hidden in widths)
    partition = Partition.from_boxes(spec.shape, allocation.boxes, RULE)
    return Structure(partition, networks, spec, frame, groups, blend)


@dataclass(frozen=True, eq=False)
class _Menu:
    """What the cells of one level are expected to leave at each width."""

    level: Level
    boxes: Int64[ndarray, "cells 2 dims"]
    params: Int64[ndarray, "widths"]
    expected: Float64[ndarray, "cells widths"]

    @classmethod
    def of(cls, level: Level, params: Int64[ndarray, "widths"]) -> _Menu:
        boxes = level.boxes
        samples = (boxes[:, 1] - boxes[:, 0]).prod(axis=1)
        return cls(level, boxes, params, level.left(worth(params, samples[:, None])))


@dataclass(frozen=True, eq=False)
class _Picked:
    """Regions that were chosen, each with the place of its width in `WIDTHS`."""

    boxes: Int64[ndarray, "regions 2 dims"]
    place: Int64[ndarray, "regions"]
    expected: Float64[ndarray, "regions widths"]
    params_at: Int64[ndarray, "widths"]
    share: float = 1.0

    @property
    def error(self) -> float:
        return float(self.expected[np.arange(len(self.place)), self.place].sum())

    @property
    def params(self) -> int:
        return int(self.params_at[self.place].sum())


def _pick(menus: list[_Menu], price: float) -> list[_Picked]:
    """The best cells and widths at a price: small cells first to decide, large ones first to collect."""
    places, divided = [], []
    below: Float64[ndarray, "*cells"] | None = None
    for menu in menus:
        cost = menu.expected + price * (menu.params + _REGION)
        place = cost.argmin(axis=1)
        own = cost[np.arange(len(place)), place].reshape(menu.level.divisions)
        parts = np.full(own.shape, np.inf) if below is None else _summed(below)
        places.append(place)
        divided.append(parts < own)
        below = np.minimum(own, parts)
    picked: list[_Picked] = []
    wanted = np.ones(divided[-1].shape, bool)
    samples = float(np.prod(menus[0].boxes[-1, 1]))
    for i in reversed(range(len(menus))):
        menu = menus[i]
        here = np.flatnonzero(wanted & ~divided[i])
        covered = (menu.boxes[here, 1] - menu.boxes[here, 0]).prod(axis=1).sum() / samples
        picked.insert(
            0, _Picked(menu.boxes[here], places[i][here], menu.expected[here], menu.params, covered)
        )
        if i:
            wanted = _spread(wanted & divided[i], menus[i - 1].level.divisions)
    return picked


def _cheapest(at: Callable[[float], list[_Picked]], allowed: float, most: int) -> list[_Picked]:
    """What is picked at the highest price that leaves no more error than allowed, with `most` parameters."""
    low, high = _PRICES
    for _ in range(_BISECTIONS):
        price = math.sqrt(low * high)
        picked = at(price)
        enough = sum(p.error for p in picked) <= allowed
        affordable = sum(p.params for p in picked) <= most
        low, high = (price, high) if enough and affordable else (low, price) if affordable else (price, high)
    picked = at(low)
    return picked if sum(p.params for p in picked) <= most else at(high)


def _summed(values: Float64[ndarray, "*cells"]) -> Float64[ndarray, "*merged"]:
    """Sums over the cells that merge into one of the next level."""
    for a, cells in enumerate(values.shape):
        values = np.add.reduceat(values, np.arange(0, cells, 2), axis=a)
    return values


def _spread(mask: Bool[ndarray, "*merged"], divisions: tuple[int, ...]) -> Bool[ndarray, "*cells"]:
    """For every cell the mask of the larger cell that it is part of."""
    return mask[np.ix_(*[np.arange(cells) // 2 for cells in divisions])]


def _joined(picks: list[_Picked]) -> Allocation:
    """All that was picked, regions in raster order of their first samples."""
    boxes = np.concatenate([pick.boxes for pick in picks])
    hidden = np.concatenate([np.asarray(WIDTHS)[pick.place] for pick in picks])
    expected = np.concatenate([pick.expected for pick in picks])
    order = np.lexsort(boxes[:, 0].T[::-1])
    return Allocation(boxes[order], hidden[order].astype(np.int64), expected[order])


def _params(like: Network, spec: SignalSpec) -> Int64[ndarray, "widths"]:
    return np.array([_wide(like, width).params(spec.dims, spec.channels) for width in WIDTHS])


def _spent(allocation: Allocation, params: Int64[ndarray, "widths"]) -> int:
    return int(params[_places(allocation.hidden)].sum())


def _places(hidden: Int64[ndarray, "regions"]) -> Int64[ndarray, "regions"]:
    return np.searchsorted(WIDTHS, hidden)


def _wide(like: Network, hidden: int) -> Network:
    return resized(like, hidden)

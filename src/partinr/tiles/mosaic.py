"""A function in tiles as one: what is asked for is read, and nothing shows where tiles meet."""

from __future__ import annotations

import functools
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.file.inr import load as load_file
from partinr.model import deblocking
from partinr.model.between.lattice import Along, Samples
from partinr.model.derivatives import VALUE, Rendered
from partinr.model.extents import Crop, check_room, output_shape, window_of
from partinr.model.joining import Placed, joined
from partinr.model.memory import free_memory
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import at_samples, gathered, render, rendered_spec, values_between
from partinr.model.spectra import Sides
from partinr.shapes import Float32, Shaped
from partinr.signals.signal import Between, SignalSpec
from partinr.signals.writing import write_slabs
from partinr.tiles.addresses import Forbidden, on_this_machine
from partinr.tiles.chunks import MOST_HALVINGS, Chunks
from partinr.tiles.kept import Kept, Room
from partinr.tiles.layout import Index, Layout
from partinr.tiles.place import Within
from partinr.tiles.store import MANIFEST, Store, is_store, manifest_at

MEMORY = 1 << 28
"""Bytes of decoded tiles that are kept, if nothing else is said."""

OVERVIEW, EIGHTH = "overview.inrs", 8
"""Name in a store of that of the same picture at a smaller size, and samples that one of it stands for."""

# Samples around a part whose regions blend into it.
_BLENDED = 2
# Samples of the signal, and of the output, that are rendered at once; bytes of a slab of the output.
_MOST, _SLAB = 1 << 22, 1 << 27


class Mosaic:
    """A function of which what is asked for is read: of a store of tiles, or of one `.inr` file.

    An array to look at: it has `shape`, `dtype` and `ndim`, and slices of it are renderings of its samples.

    Args:
        spec: what the whole represents.
        layout: where the tiles are.
        load: gives the function of a tile.
        memory: bytes of decoded tiles that are kept.
        psnr: of the whole in dB, if it is known.
        overview: gives the function of means over 8 x 8 samples, if there is one; see `overview.py`.

    Attributes:
        signal: what the whole represents.
        layout: where the tiles are.
        psnr: of the whole in dB, if it is known.

    Example:
        >>> import os, tempfile, numpy as np, partinr
        >>> path = os.path.join(tempfile.mkdtemp(), "eye.inr")
        >>> _ = partinr.save(partinr.fit(np.eye(80)).model, path, store="compact")
        >>> eye = partinr.open(path)
        >>> eye.shape, eye[10:12, ::40].shape, eye.render(size=(20, 30)).shape
        ((80, 80), (2, 2), (20, 30))
    """

    signal: SignalSpec
    layout: Layout
    psnr: float | None

    def __init__(
        self,
        spec: SignalSpec,
        layout: Layout,
        load: Callable[[Index], Piecewise],
        memory: int = MEMORY,
        *,
        psnr: float | None = None,
        overview: Callable[[], Mosaic | None] = lambda: None,
    ) -> None:
        self.signal, self.layout, self.psnr = spec, layout, psnr
        self._overview: Callable[[], Mosaic | None] = functools.cache(overview)
        self._room = Room(memory)
        # Rendering needs no spectra, which are larger than what is made of them.
        self._loaded: Kept[Index, Piecewise] = Kept(
            lambda index: _without_spectra(load(index)), _size, self._room
        )
        self._samples: Samples = self._evaluated
        self._opened: tuple[str, int] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self._opened is None:
            raise TypeError("a mosaic that was not opened from a path cannot be sent to another process")
        return open, self._opened

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array, channels included if it has an axis for them."""
        return self.signal.array_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the array."""
        return np.dtype(self.signal.dtype)

    @property
    def ndim(self) -> int:
        """Axes of the array."""
        return len(self.shape)

    @property
    def overview(self) -> Mosaic | None:
        """The function of means over 8 samples along each axis, if there is one."""
        found = self._overview()
        return found and found._in_type_of(self.signal)

    def with_overview(self, overview: Mosaic) -> Mosaic:
        """The same with another overview."""
        found = self._in_type_of(self.signal)
        found._overview = lambda: overview
        return found

    def in_bytes(self) -> Mosaic:
        """The same with values of 8 bits, the lowest possible one 0 and the highest 255."""
        return self._in_type_of(replace(self.signal, dtype="uint8", value_range=(0.0, 255.0)))

    def keeping_samples(self) -> Mosaic:
        """The same, for those who look at one place again and again: values at the samples are kept, beside
        tiles."""
        found = self._in_type_of(self.signal)
        found._samples = Chunks(self.signal.shape, self._evaluated, self._room)

        def overview() -> Mosaic | None:
            coarse = self._overview()
            return coarse and coarse.keeping_samples()

        found._overview = functools.cache(overview)
        return found

    def _in_type_of(self, spec: SignalSpec) -> Mosaic:
        found = object.__new__(Mosaic)
        vars(found).update(vars(self))
        found.signal = replace(self.signal, dtype=spec.dtype, value_range=spec.value_range)
        found._opened = None
        return found

    def window(self, box: Sequence[range], between: Between | None = None) -> Placed:
        """The function of the smallest part that holds a box and that no region leaves.

        Args:
            box: samples along each axis.
            between: what lies between the samples; None: what the signal says.

        Raises:
            InputError: a tile cannot be read.
        """
        spec = self.signal if between is None else replace(self.signal, between=between)
        first, shape = [along.start for along in box], [len(along) for along in box]
        indices = list(self.layout.touching(first, shape))
        models = self._loaded.all(indices)
        parts = [Placed(self.layout.first(i), model) for i, model in zip(indices, models, strict=True)]
        found = joined(parts, spec, box)
        return found._replace(model=found.model.with_between(spec.between))

    def render(
        self,
        *,
        size: Sequence[int] | None = None,
        scale: float | None = None,
        crop: Sequence[Sequence[float]] | None = None,
        point: bool = False,
        between: Between | None = None,
        derivative: str | None = None,
    ) -> Shaped[ndarray, "*array_shape"]:
        """The whole or a part at any size, as `render` has it of one function.

        Where there is an overview, pixels of 8 samples or more are rendered from it.

        Raises:
            InputError: the size, scale, crop or derivative cannot be rendered, the memory that is free cannot
                hold it, or a tile cannot be read.
        """
        shape = output_shape(self.signal, size, scale, crop)
        blocks = functools.partial(
            self.blocks, size, scale, crop, point=point, between=between, derivative=derivative
        )
        return gathered(blocks, shape, self.signal, derivative)

    def blocks(
        self,
        size: Sequence[int] | None = None,
        scale: float | None = None,
        crop: Sequence[Sequence[float]] | None = None,
        *,
        point: bool = False,
        between: Between | None = None,
        derivative: str | None = None,
    ) -> Iterator[Shaped[ndarray, "_ *rest channels"]]:
        """A rendering as consecutive slabs along the first axis; see `render_blocks`.

        Memory is bounded by the slab, the tiles that are kept, and a few more.

        Raises:
            InputError: as `render`.
        """
        spec = rendered_spec(self.signal, derivative)
        shape = output_shape(self.signal, size, scale, crop)
        window = window_of(self.signal, crop)
        row = math.prod(shape[1:]) * spec.channels * np.dtype(spec.dtype).itemsize
        check_room((1, *shape[1:]), spec, free_memory(), "of memory, for one row,")
        coarse = self._coarser(shape, window, point, derivative)
        if coarse is not None:
            yield from coarse.blocks(shape, crop=_eighth(window), between=between)
            return
        pieces = self._pieces(shape, window, row)
        for rows, band in itertools.groupby(pieces, key=lambda piece: piece[0][0]):
            out = np.empty((rows.stop - rows.start, *shape[1:], spec.channels), np.dtype(spec.dtype))
            for slices, part in band:
                out[(slice(None), *slices[1:])] = self._piece(slices, part, point, between, derivative)
            yield out

    def __getitem__(self, key: Any) -> Shaped[ndarray, "..."]:
        """Samples, as of an array: whole numbers, slices and an ellipsis.

        Raises:
            InputError: the key is no such thing.
            IndexError: it lies outside.
        """
        keys = key if isinstance(key, tuple) else (key,)
        if sum(one is Ellipsis for one in keys) > 1 or len(keys) - (Ellipsis in keys) > self.ndim:
            raise InputError(f"the array has {self.ndim} axes, got {len(keys)} indices")
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys = (*keys[:at], *[slice(None)] * (self.ndim - len(keys) + 1), *keys[at + 1 :])
        keys = (*keys, *[slice(None)] * (self.ndim - len(keys)))
        lengths = self.shape
        box: list[tuple[int, int]] = []
        inside: list[Any] = []
        for one, n in zip(keys, lengths, strict=True):
            if isinstance(one, slice):
                chosen = range(*one.indices(n))
                low, high = (min(chosen), max(chosen) + 1) if chosen else (0, 0)
                reversed_to = chosen.stop - low if chosen.stop >= low else None
                inside.append(slice(chosen.start - low, reversed_to, chosen.step) if chosen else slice(0, 0))
            elif isinstance(one, (int, np.integer)) and not isinstance(one, bool):
                if not -n <= one < n:
                    raise IndexError(f"index {one} is outside of an axis of {n}")
                low, high = int(one) % n, int(one) % n + 1
                inside.append(0)
            else:
                raise InputError(f"indices must be whole numbers, slices and an ellipsis, got {one!r:.100}")
            box.append((low, high))
        if any(low == high for low, high in box):
            values: Any = np.empty([high - low for low, high in box], self.dtype)
            nothing: Shaped[ndarray, "..."] = values[tuple(inside)]
            return nothing
        dims = self.signal.dims
        values = self.render(crop=box[:dims])
        # An axis of channels is last, if there is one.
        for low, high in box[dims:]:
            values = values[..., low:high]
        found: Shaped[ndarray, "..."] = values[tuple(inside)]
        return found

    def to_dask(self, chunks: Any = None) -> Any:
        """A Dask array of the samples, of which a chunk is rendered when it is computed.

        Args:
            chunks: as Dask takes them; None: those of the tiles.

        Raises:
            InputError: Dask is not installed.
        """
        need("dask", "a Dask array", "cluster")
        import dask.array as da

        sides = tuple(min(side, n) for side, n in zip(self.layout.side, self.signal.shape, strict=True))
        usual = (*sides, *self.shape[self.signal.dims :])
        meta = np.empty((0,) * self.ndim, self.dtype)
        # Reading and evaluating let go of Python's lock; without a path there is nothing to name it by.
        from_array: Any = da.from_array
        return from_array(self, chunks or usual, name=False, meta=meta)

    def to_zarr(self, path: str | os.PathLike[str]) -> None:
        """Write the samples to a new OME-Zarr pyramid, in bounded memory.

        Args:
            path: a folder, whose name ends in .ome.zarr; one that ends in .zarr is a plain array.

        Raises:
            InputError: zarr is not installed, or the folder cannot be written.
        """
        write_slabs(path, self.blocks(), self.signal.shape, self.signal)

    def _coarser(
        self, shape: tuple[int, ...], window: Crop, point: bool, derivative: str | None
    ) -> Mosaic | None:
        """The overview, if its samples are as fine as what is asked for."""
        finest = min((stop - start) / n for n, (start, stop) in zip(shape, window, strict=True))
        return self.overview if finest >= EIGHTH and not point and derivative is None else None

    def _pieces(
        self, shape: tuple[int, ...], window: Crop, row: int
    ) -> Iterator[tuple[tuple[slice, ...], Crop]]:
        """Parts of an output, each with what it shows, in raster order.

        They end in the middle of tiles: so each tile is needed for two rows of parts, and not for three.

        Args:
            shape: of the output.
            window: what it shows.
            row: bytes of one index of the first axis.
        """
        bounds = []
        samples = math.prod(stop - start for start, stop in window)
        small = max(samples, math.prod(shape)) <= _MOST
        for axis, (n, (start, stop), side) in enumerate(zip(shape, window, self.layout.side, strict=True)):
            pixel = (stop - start) / n
            step, most = float(side), _MOST ** (1 / len(shape))
            while step > pixel and (
                step / pixel > most or (axis == 0 and step / pixel * row > _SLAB and len(shape) > 1)
            ):
                step /= 2
            at = np.arange(math.floor(start / step), math.ceil(stop / step) + 1) * step + step / 2
            ends = np.rint((at[(at > start) & (at < stop)] - start) / pixel).astype(int)
            whole = small and not (axis == 0 and n * row > _SLAB)
            bounds.append(sorted({0, n} if whole else {0, n, *ends.tolist()}))
        for cell in itertools.product(*(itertools.pairwise(along) for along in bounds)):
            part = tuple(
                (start + first * (stop - start) / n, stop if last == n else start + last * (stop - start) / n)
                for (first, last), n, (start, stop) in zip(cell, shape, window, strict=True)
            )
            yield tuple(slice(*ends) for ends in cell), part

    def _piece(
        self,
        slices: Sequence[slice],
        part: Crop,
        point: bool,
        between: Between | None,
        derivative: str | None,
    ) -> Shaped[ndarray, "*shape columns"]:
        """A part of an output, channels last, and of a gradient all its numbers."""
        size = [one.stop - one.start for one in slices]
        spec = self.signal if between is None else replace(self.signal, between=between)
        if spec.between == "none":
            return self._of_networks(size, part, point, derivative)
        along = [
            Along(n, count, float(start), float(stop))
            for n, count, (start, stop) in zip(spec.shape, size, part, strict=True)
        ]
        if derivative is None and all(axis.own for axis in along):
            return spec.quantise(self._samples([range(int(axis.start), int(axis.stop)) for axis in along]))
        halvings = _halvings(along)
        if derivative is None and not point and halvings and isinstance(self._samples, Chunks):
            factor = 1 << halvings
            means = [
                range(int(axis.start) // factor, int(axis.start) // factor + axis.size) for axis in along
            ]
            return spec.quantise(self._samples.means(halvings, means))
        asked = None if derivative is None else Rendered(derivative, spec)
        learned, what = spec.between == "learned", VALUE if asked is None else asked.what
        slabs = list(values_between(self._samples, along, learned=learned, point=point, what=what))
        values = slabs[0] if len(slabs) == 1 else np.concatenate(slabs)
        return spec.quantise(values) if asked is None else asked.in_units(values)

    def _evaluated(self, box: Sequence[range]) -> Float32[ndarray, "*shape channels"]:
        """Normalised values at the samples of a box, without jumps at borders."""
        margin = deblocking.farthest(self.signal.dims)
        found = self.window(_wider(box, margin, self.signal.shape), "smooth")
        inside = [
            range(along.start - first, along.stop - first)
            for along, first in zip(box, found.first, strict=True)
        ]
        return at_samples(found.model, inside)

    def _of_networks(
        self, size: Sequence[int], part: Crop, point: bool, derivative: str | None
    ) -> Shaped[ndarray, "*shape columns"]:
        """The same of what the networks themselves say between the samples."""
        box = [range(math.floor(start), math.ceil(stop)) for start, stop in part]
        found = self.window(_wider(box, _BLENDED, self.signal.shape), "none")
        inside = [
            (max(0.0, start - first), min(float(n), stop - first))
            for (start, stop), first, n in zip(part, found.first, found.model.signal.shape, strict=True)
        ]
        values = render(found.model, size=size, crop=inside, point=point, derivative=derivative)
        return values.reshape(*size, -1)


def _halvings(along: Sequence[Along]) -> int:
    """How often sides are halved until whole samples are pixels; 0 if they are none, or not the same for all
    axes, or more than `Chunks` have."""
    for halvings in range(1, MOST_HALVINGS + 1):
        factor = 1 << halvings
        if all(axis.length == factor and axis.start % factor == 0 for axis in along):
            return halvings
    return 0


def _without_spectra(model: Piecewise) -> Piecewise:
    return replace(model, spectra=None, rounded=model.roundings)


def _size(model: Piecewise) -> int:
    return sum(array.nbytes for own in model.parameters for array in own.arrays)


def _wider(box: Sequence[range], margin: int, shape: Sequence[int]) -> list[range]:
    """A box with a margin, as far as there are samples."""
    return [
        range(max(0, along.start - margin), min(n, along.stop + margin))
        for along, n in zip(box, shape, strict=True)
    ]


def _eighth(window: Crop) -> Crop:
    """Where a part is in the overview."""
    return tuple((start / EIGHTH, stop / EIGHTH) for start, stop in window)


def open(path: str | os.PathLike[str], memory: int = MEMORY) -> Mosaic:
    """A function of which what is asked for is read.

    Args:
        path: a store of tiles: a folder or a zip file that ends in .inrs, or an address such as
            s3://bucket/slide.inrs (extra `remote`); or one `.inr` file, which is read at once, there or here.
        memory: bytes of decoded tiles that are kept, and as many of the overview's.

    Raises:
        InputError: there is none, it is damaged, or its fit is not finished.

    Example:
        >>> import os, tempfile, numpy as np, partinr
        >>> path = os.path.join(tempfile.mkdtemp(), "rows.inr")
        >>> _ = partinr.save(partinr.fit(np.ones((80, 60))).model, path, store="compact")
        >>> partinr.open(path)[8:10, ::20].shape
        (2, 3)
    """
    if is_store(path):
        found = _of_store(Store.open(path), memory)
    else:
        with on_this_machine(path, ".inr") as here:
            model = load_file(here)
        root = Sides.usual(model.signal.dims).root
        sides = tuple(-(-n // root) * root for n in model.signal.shape)
        found = Mosaic(model.signal, Layout(model.signal.shape, sides), lambda _: model, memory)
    found._opened = (os.fspath(path), memory)
    return found


def _of_store(store: Store, memory: int) -> Mosaic:
    def overview() -> Mosaic | None:
        place = Within(store.place, OVERVIEW)
        try:
            if place.read(MANIFEST) is None:
                return None
        except Forbidden:  # which servers say of what is not there, to those who may not look what is
            return None
        manifest = manifest_at(place)
        # One that is not finished is none yet.
        return _of_store(Store(place, manifest), memory) if manifest.tiles is not None else None

    return Mosaic(store.spec, store.layout, store.load, memory, psnr=store.psnr, overview=overview)

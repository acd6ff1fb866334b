"""The store of a function in tiles: a manifest, and one `.inr` file a tile. `docs/format.md` states it."""

from __future__ import annotations

import hashlib
import math
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from reprlib import repr as brief
from typing import Any, NamedTuple

from partinr.errors import InputError
from partinr.file.compact_inr import opened
from partinr.file.header import describe_signal, interpret_signal
from partinr.file.json_text import as_json, parse_json
from partinr.model.piecewise import Piecewise
from partinr.signals.metrics import psnr_from_mse
from partinr.signals.signal import SignalSpec
from partinr.tiles.addresses import is_address
from partinr.tiles.layout import Index, Layout
from partinr.tiles.place import Place, opened_place

STORE_VERSION = 1

SUFFIX = ".inrs"
"""What names of stores end in."""

MANIFEST, JOURNAL, TILES = "manifest.json", "journal.jsonl", "tiles"
"""Names in a store."""

_DIGEST = 16
_MOST_MANIFEST, _MOST_ERROR = 1 << 31, 1e300


class Tile(NamedTuple):
    """What a manifest says of a tile.

    Attributes:
        size: of its file, in bytes.
        sha256: of the file, the first 16 hexadecimal digits.
        error: sum over the samples that are there of the squared error of the rendering, in normalised
            values, mean over channels.
        samples: how many are there.
    """

    size: int
    sha256: str
    error: float
    samples: int

    @classmethod
    def of(cls, payload: bytes, error: float, samples: int) -> Tile:
        """A tile whose file has these bytes."""
        return cls(len(payload), digest(payload), error, samples)


@dataclass(frozen=True)
class Manifest:
    """What a store says of the whole.

    Attributes:
        spec: what the whole represents, as in the header of an `.inr` file.
        side: of the tiles, in samples along each axis.
        step: of the coefficients, in normalised values, which deblocking goes by; where a quality was met by
            fitting some tiles again, those have a step of their own.
        mixing: of the channels of all tiles, see `Spectra`: a row for each coded channel.
        goal: what was asked for: {"psnr": 38.0}, ...
        source: what the signal was read from, as far as it tells whether another one is the same.
        tiles: by number, in raster order; None while the fit is not finished.
        made: whatever else decides the result: version of partinr, ...
    """

    spec: SignalSpec
    side: tuple[int, ...]
    step: float
    mixing: tuple[tuple[float, ...], ...]
    goal: Mapping[str, Any]
    source: Mapping[str, Any]
    tiles: tuple[Tile, ...] | None = None
    made: Mapping[str, Any] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """The grid of tiles."""
        return Layout(self.spec.shape, self.side)

    def text(self) -> str:
        """The manifest's file."""
        fields: dict[str, Any] = {
            "format": STORE_VERSION,
            "signal": describe_signal(self.spec),
            "tile": list(self.side),
            "step": self.step,
            "mixing": [list(row) for row in self.mixing],
            "goal": dict(self.goal),
            "source": dict(self.source),
            "made": dict(self.made),
        }
        if self.tiles is not None:
            fields["tiles"] = [[tile.size, tile.sha256, tile.error, tile.samples] for tile in self.tiles]
        return as_json(fields) + "\n"

    @classmethod
    def parsed(cls, text: bytes) -> Manifest:
        """The manifest of a file, every field checked.

        Raises:
            InputError: it is none.
        """
        try:
            fields = parse_json(text)
        except ValueError as error:
            raise InputError(f"the manifest cannot be read: {error}") from error
        version = fields.get("format") if isinstance(fields, dict) else None
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise InputError(f"the manifest must have a format of at least 1, got {brief(version)}")
        if version > STORE_VERSION:
            raise InputError(
                f"format {version} is newer than the {STORE_VERSION} that this partinr reads; upgrade partinr"
            )
        spec = interpret_signal(fields)
        side, step = fields.get("tile"), fields.get("step")
        if not isinstance(side, list) or not all(_whole(n) for n in side):
            raise InputError(f"the manifest's tile must be the sides of a tile, got {brief(side)}")
        if not (isinstance(step, float) and 0 < step < math.inf):
            raise InputError(f"the manifest's step must be a positive number, got {brief(step)}")
        mixing = fields.get("mixing")
        if not _square(mixing, spec.channels):
            raise InputError(
                f"the manifest's mixing must be {spec.channels} rows of as many numbers, got {brief(mixing)}"
            )
        others = [fields.get(name) for name in ("goal", "source", "made")]
        if not all(isinstance(one, dict) for one in others):
            raise InputError("the manifest's goal, source and made must be objects")
        found = cls(spec, tuple(side), step, tuple(map(tuple, mixing)), others[0], others[1], None, others[2])
        rows, layout = fields.get("tiles"), found.layout
        if rows is None:
            return found
        if not isinstance(rows, list) or len(rows) != layout.count:
            count = len(rows) if isinstance(rows, list) else brief(rows)
            raise InputError(
                f"the manifest must name one file for each of {layout.count:,} tiles, it has {count}"
            )
        return replace(found, tiles=_tiles(rows, layout))


class Store:
    """A function in tiles, of which what is touched is read.

    Args:
        place: where its files are.
        manifest: what it says.
    """

    def __init__(self, place: Place, manifest: Manifest) -> None:
        self.place, self.manifest, self.layout = place, manifest, manifest.layout

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Store:
        """The store at a path or an address; its manifest alone is read.

        Raises:
            InputError: there is none, it is damaged, or its fit is not finished.
        """
        place = opened_place(path)
        manifest = manifest_at(place)
        if manifest.tiles is None:
            done = len({record.number for record in records_at(place, manifest)})
            raise InputError(
                f"{place.name}: the fit is not finished, {done:,} of {manifest.layout.count:,} tiles are "
                "done; go on with partinr fit ... --resume"
            )
        return cls(place, manifest)

    @property
    def spec(self) -> SignalSpec:
        """What the whole represents."""
        return self.manifest.spec

    @property
    def step(self) -> float:
        """Of the coefficients, which deblocking goes by; see `Manifest`."""
        return self.manifest.step

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """What is known of each tile, in raster order."""
        assert self.manifest.tiles is not None
        return self.manifest.tiles

    @property
    def psnr(self) -> float:
        """In dB, over the whole, of what the tiles have been measured to be."""
        return psnr_of(self.tiles)

    @property
    def size(self) -> int:
        """Bytes of all tiles' files."""
        return sum(tile.size for tile in self.tiles)

    def tiles_touching(self, first: Sequence[int], shape: Sequence[int]) -> Iterator[Index]:
        """Tiles that have samples of a window; see `Layout.touching`."""
        return self.layout.touching(first, shape)

    def payload(self, index: Index) -> bytes:
        """The file of a tile.

        Raises:
            InputError: it is missing, or not the one that the manifest names.
        """
        name, told = tile_name(index), self.tiles[self.layout.number(index)]
        found = self.place.read(name)
        if found is None:
            raise InputError(f"{self.place.name}: the tile {name} is missing; copy the store again")
        if len(found) != told.size or digest(found) != told.sha256:
            raise InputError(
                f"{self.place.name}: the tile {name} is damaged, or another one than the manifest names; "
                "copy the store again"
            )
        return found

    def load(self, index: Index) -> Piecewise:
        """The function of a tile, in the tile's own samples.

        Raises:
            InputError: its file is missing or damaged, or of another shape than the grid has there.
        """
        payload = self.payload(index)
        try:
            model, _ = opened(payload, None)
        except InputError as error:
            raise InputError(f"{self.place.name}/{tile_name(index)}: {error}") from error
        told, whole = model.signal, self.spec
        ours = (self.layout.extent(index), whole.channels, whole.dtype, whole.value_range)
        theirs = (told.shape, told.channels, told.dtype, told.value_range)
        if ours != theirs:
            raise InputError(
                f"{self.place.name}: the tile {tile_name(index)} must have shape, channels, type and range "
                f"{ours}, it has {theirs}; copy the store again"
            )
        return model


@dataclass(frozen=True)
class Record:
    """A line of the journal: a tile whose file is on the disk.

    Attributes:
        number: of the tile, in raster order.
        round: 0, or more where the tile was fitted again because the whole missed its goal.
        step: of its coefficients.
        tile: what the manifest is to say.
    """

    number: int
    round: int
    step: float
    tile: Tile

    def line(self) -> bytes:
        """What the journal has of it."""
        fields = {"number": self.number, "round": self.round, "step": self.step, **self.tile._asdict()}
        return (as_json(fields) + "\n").encode()


def manifest_at(place: Place) -> Manifest:
    """The manifest of a store, which need not be finished.

    Raises:
        InputError: there is none, or it is damaged.
    """
    text = place.read(MANIFEST)
    if text is None:
        raise InputError(f"{place.name}: is no store of tiles, it has no {MANIFEST}")
    try:
        if len(text) > _MOST_MANIFEST:
            raise InputError(f"the manifest must have at most {_MOST_MANIFEST:,} bytes")
        return Manifest.parsed(text)
    except InputError as error:
        raise InputError(f"{place.name}: {error}") from error


def records_at(place: Place, manifest: Manifest) -> list[Record]:
    """What the journal of an unfinished fit says, in the order in which tiles were done.

    The last line may be the beginning of one, which a killed fit was writing.

    Raises:
        InputError: another line cannot be read.
    """
    lines = (place.read(JOURNAL) or b"").split(b"\n")
    found = []
    for n, line in enumerate(lines[:-1], 1):
        try:
            fields = parse_json(line)
            tile = [fields.pop(name) for name in ("size", "sha256", "error", "samples")]
            record = Record(**fields, tile=_tile(tile, fields["number"], manifest.layout))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise InputError(
                f"{place.name}: line {n} of {JOURNAL} is damaged ({brief(str(error))}); remove the file, and "
                "the fit begins again"
            ) from error
        found.append(record)
    return found


def is_store(path: str | os.PathLike[str]) -> bool:
    """Whether a path or an address is that of a store, or is named like one."""
    if is_address(path):
        return os.fspath(path).split("?")[0].lower().removesuffix(".zip").endswith(SUFFIX)
    local = Path(path)
    return local.name.lower().endswith((SUFFIX, f"{SUFFIX}.zip")) or (local / MANIFEST).is_file()


def tile_name(index: Index) -> str:
    """The name of a tile's file: a folder for each row, or for each place along all axes but the last."""
    return f"{TILES}/{'/'.join(map(str, index))}.inr"


def digest(payload: bytes) -> str:
    """What a manifest says of a file's bytes."""
    return hashlib.sha256(payload).hexdigest()[:_DIGEST]


def psnr_of(tiles: Sequence[Tile]) -> float:
    """In dB, over all tiles; infinite where no sample errs."""
    samples = sum(tile.samples for tile in tiles)
    return psnr_from_mse(math.fsum(tile.error for tile in tiles) / max(samples, 1))


def _tiles(rows: Sequence[Any], layout: Layout) -> tuple[Tile, ...]:
    """All rows of the manifest, checked."""
    if all(type(row) is list and len(row) == 4 for row in rows):
        # Column by column: there may be a hundred thousand, and a crop needs a few of them.
        sizes, names, errors, samples = zip(*rows, strict=True)
        whole = set(map(type, (*sizes, *samples))) == {int} and min(sizes) >= 1 and min(samples) >= 0
        named = set(map(type, names)) == {str} and set(map(len, names)) == {_DIGEST}
        measured = set(map(type, errors)) <= {int, float} and min(errors) >= 0 and max(errors) < _MOST_ERROR
        if whole and named and measured and all(map(operator.le, samples, layout.samples())):
            return tuple(map(Tile, sizes, names, map(float, errors), samples))
    return tuple(_tile(row, n, layout) for n, row in enumerate(rows))


def _tile(row: Any, number: Any, layout: Layout) -> Tile:
    """A row of the manifest, checked."""
    if not isinstance(number, int) or not 0 <= number < layout.count:
        raise InputError(f"there is no tile {brief(number)}")
    most = math.prod(layout.extent(layout.index(number)))
    if isinstance(row, list) and len(row) == 4:
        size, sha256, error, samples = row
        error = float(error) if _whole(error, 0) and error < _MOST_ERROR else error
        named = isinstance(sha256, str) and len(sha256) == _DIGEST
        measured = isinstance(error, float) and 0 <= error < math.inf and _whole(samples, 0)
        if _whole(size) and named and measured and samples <= most:
            return Tile(size, sha256, error, samples)
    raise InputError(f"a tile must be its bytes, checksum, error and samples, got {brief(row)}")


def _square(value: object, n: int) -> bool:
    """Whether it is as many rows of as many finite numbers."""
    return (
        isinstance(value, list)
        and len(value) == n
        and all(isinstance(row, list) and len(row) == n for row in value)
        and all(isinstance(x, int | float) and math.isfinite(x) for row in value for x in row)
    )


def _whole(value: object, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least

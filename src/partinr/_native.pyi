"""The native kernel: fused training and evaluation of many small coordinate networks on CPU cores.

Arrays are C-contiguous and of exactly the named dtype; nothing is copied or converted. Regions are stacked:
weights[l] is float32 (regions, fan_in, fan_out), biases[l] float32 (regions, fan_out), with the shapes that
`NetSpec.layer_shapes` gives. Samples are packed by region: region r holds offsets[r] .. offsets[r + 1] - 1.
Wrong values raise ValueError, wrong types or dtypes TypeError.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

_F32 = NDArray[np.float32]
_F64 = NDArray[np.float64]
_I32 = NDArray[np.int32]
_U8 = NDArray[np.uint8]
_I64 = NDArray[np.int64]

class NetSpec:
    """Shape and constants of one region's network.

    Args:
        kind: "siren", "relu", "fourier" (a relu network too), "finer", "wire" or "gauss".
        dims: coordinates.
        channels: outputs.
        hidden: units of a hidden layer; complex units for wire.
        layers: hidden layers after the first one.
        omega: frequency factor of each of the layers + 1 hidden layers (siren, finer, wire); empty for ones.
        scale: inverse width of each hidden layer: exp(-(scale z)²) for gauss, scale² |z|² for wire; empty
            for ones.
        octaves: the first layer sees the harmonic encoding of the coordinates, this many octaves an axis
            (`ReluHarmonic.encode`); 0 for none.
        projections: the first layer sees sines and cosines of the coordinates times this matrix (dims, waves)
            (`Fourier.encode`).
    """

    def __init__(
        self,
        kind: str,
        *,
        dims: int,
        channels: int,
        hidden: int,
        layers: int,
        omega: Sequence[float] = ...,
        scale: Sequence[float] = ...,
        octaves: int = 0,
        projections: _F64 | None = None,
    ) -> None: ...
    @property
    def kind(self) -> str: ...
    @property
    def dims(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def hidden(self) -> int: ...
    @property
    def layers(self) -> int: ...
    @property
    def omega(self) -> list[float]: ...
    @property
    def scale(self) -> list[float]: ...
    def layer_shapes(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of each layer's stored parameters, first to output."""

class Cosines:
    """Shape of one region's network of cosines with whole frequencies, `Cosine.hidden_features`.

    Args:
        dims: coordinates, 1 to 3.
        channels: outputs.
        frequencies: along each axis, the constant included.
    """

    def __init__(self, *, dims: int, channels: int, frequencies: int) -> None: ...
    def layer_shapes(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of the output layer's stored parameters."""

class Job:
    """Steps of Adam of some regions of one network, in place; see `train`. Keeps the arrays.

    Args:
        m_w, m_b, v_w, v_b: Adam's moments, shaped like the parameters.
        coords: (samples, dims) in the frame of each sample's region.
        values: (samples, channels).
        regions: (k,) which regions to advance; all different.
        region_keys: (regions,) sampling keys, see `batch_indices`.
        first_step: absolute number of the first step, for the samples and for Adam's bias correction.
        learning_rates: of each step.
        batch: samples a step; 0, or at least a region's samples, for all of them.
        eps: above 0.
        loss_scale: (regions,) d(loss) / d(sum of squared errors of the samples that a step uses).
        losses: (k, steps), written: mean squared error of the samples of each step before its update. Steps
            that were not done are left alone.
        sample_weights: (samples,) factor of each sample's squared error.
    """

    def __init__(
        self,
        net: NetSpec,
        weights: Sequence[_F32],
        biases: Sequence[_F32],
        m_w: Sequence[_F32],
        m_b: Sequence[_F32],
        v_w: Sequence[_F32],
        v_b: Sequence[_F32],
        coords: _F32,
        values: _F32,
        offsets: _I64,
        regions: _I64,
        region_keys: NDArray[np.uint64],
        *,
        first_step: int,
        learning_rates: _F32,
        batch: int,
        beta1: float,
        beta2: float,
        eps: float,
        loss_scale: _F64,
        losses: _F32,
        sample_weights: _F32 | None = None,
    ) -> None: ...

def train(
    jobs: Sequence[Job],
    *,
    threads: int,
    stop: Callable[[], bool] | _I32 | None = None,
    precision: str = "fp32",
) -> list[_I64]:
    """Do all jobs, the largest regions first; no region may be in two of them.

    Args:
        stop: polled every 20 ms; once it is true (an array: its first element nonzero), every thread stops
            after its current step. Signal handlers run too, so that Ctrl-C ends the call; it raises after
            the state has been written back.
        precision: "fp32", or "bf16": products of hidden layers in bfloat16, their sums and all else in
            single precision. ValueError where the machine cannot.

    Returns:
        For each job (k,) steps done by each region.

    The result doesn't depend on the number of threads. The interpreter lock is released.
    """

def evaluate(
    net: NetSpec | Cosines,
    weights: Sequence[_F32],
    biases: Sequence[_F32],
    coords: _F32,
    offsets: _I64,
    regions: _I64,
    *,
    threads: int,
    out: _F32,
    stop: Callable[[], bool] | _I32 | None = None,
) -> None:
    """Write the values of some regions at their samples to `out` (samples, channels)."""

def evaluate_points(
    net: NetSpec | Cosines,
    weights: Sequence[_F32],
    biases: Sequence[_F32],
    coords: _F32,
    points: _I64,
    regions: _I64,
    pair_weights: _F32,
    members: _I64,
    scale: _F32,
    shift: _F32,
    *,
    threads: int,
    out: _F32,
    order: int = 0,
    axes: Sequence[int] = (),
    slopes: _F32 | None = None,
) -> None:
    """Add weighted values of regions at points to `out` (points, channels), or, if an order is given,
    derivatives of such products by global coordinates to `out` (points, axes * channels), axis after axis.

    Args:
        coords: (points, dims) in the global frame.
        points, regions, pair_weights: (pairs,) a point, a region that contributes to it, and its weight.
        members: (all regions,) row of each region in the stacked parameters; negative: pairs with it are left
            out.
        scale, shift: (all regions, dims) from the global frame to a region's own.
        order: 1 or 2 for derivatives.
        axes: along which.
        slopes: (pairs, axes), derivatives of the weights; their second ones count as 0.

    The result doesn't depend on the number of threads.
    """

def evaluate_lattice(
    net: NetSpec | Cosines,
    weights: Sequence[_F32],
    biases: Sequence[_F32],
    coords: Sequence[_F64],
    entries: Sequence[_I64],
    places: Sequence[_I64],
    shares: Sequence[_F32],
    offsets: Sequence[_I64],
    spans: _I64,
    sizes: Sequence[int],
    members: _I64,
    scale: _F64,
    shift: _F64,
    *,
    exact: bool,
    threads: int,
    out: _F32,
    order: int = 0,
    axes: Sequence[int] = (),
    slopes: Sequence[_F32] = (),
) -> None:
    """Add weighted sums of regions' values on a lattice to `out` (places, channels), in raster order, or
    derivatives of the products of both to `out` (places, axes * channels).

    Args:
        coords: (nodes,) for each axis: where functions are evaluated, in the global frame, span by span.
        entries: (nodes + 1,) for each axis: node i has the entries entries[i] .. entries[i + 1] - 1.
        places: (entries,) for each axis: where in the output a node counts.
        shares: (entries,) for each axis: and how much; a value's weight is the product over the axes.
        offsets: (spans + 1,) for each axis: span s has the nodes offsets[s] .. offsets[s + 1] - 1.
        spans: (regions, dims), the span of each region along each axis.
        sizes: places along each axis of the output.
        members, scale, shift, order, axes: see `evaluate_points`.
        exact: whether coordinates are scaled and shifted in double precision, not in single.
        slopes: (entries,) for each axis: derivatives of the shares, where derivatives are asked for.

    The result doesn't depend on the number of threads.
    """

def mean_nodes(
    samples: int, width: int, spans: _I64, pitches: _F64, edges: _F64
) -> tuple[_I64, _F64, _I64, _I64, _F32]:
    """Where boxes are evaluated along one axis for means over pixels, and with which weights.

    Args:
        samples: of the axis.
        width: samples over which a box's weight rises from 0 to 1; 0 without blending.
        spans: (spans, 2), first sample of each box and one past its last.
        pitches: (spans,), samples between nodes.
        edges: (pixels + 1,), where pixels begin and end, in samples.

    Returns:
        offsets, coords, entries, places and shares as `evaluate_lattice` takes them.
    """

def gradient(
    net: NetSpec,
    weights: Sequence[_F32],
    biases: Sequence[_F32],
    coords: _F32,
    values: _F32,
    offsets: _I64,
    regions: _I64,
    *,
    loss_scale: _F64,
    grad_w: Sequence[_F32],
    grad_b: Sequence[_F32],
    threads: int,
    sample_weights: _F32 | None = None,
    precision: str = "fp32",
) -> _F64:
    """Write the gradient of loss_scale times the sum of squared errors; return those sums, shape (k,)."""

def solve_readout(
    net: NetSpec | Cosines,
    weights: Sequence[_F32],
    biases: Sequence[_F32],
    coords: _F32,
    values: _F32,
    offsets: _I64,
    *,
    ridge: float,
    sample_weights: _F32 | None = None,
    extents: _I64 | None = None,
    threads: int,
    out: _F32,
) -> None:
    """Write each region's ridge regression of its values on its hidden features to `out`.

    Args:
        extents: (regions, dims) samples along each axis of each region's bounding box, which cosines need:
            their frequencies that are no lower than that get no weight, and where samples fill the box, with
            weights that are a product over the axes, there is no ridge.
        ridge: above 0, relative to the mean of the normal matrix's diagonal; the bias has none to speak of.
        out: (regions, features + 1, channels), the bias last; wire: all real parts, then all imaginary ones.

    Sums are in double precision. The result doesn't depend on the number of threads.
    """

def halve(
    values: _F32, direct: _F32, layers: Sequence[_F32], slope: float, *, threads: int, out: _F32
) -> None:
    """Write means over the quarters of samples' areas; see `Details.halved`.

    Args:
        values: (rows + 2 reach, columns + 2 reach, channels).
        direct: (side, side, 1, 3) weights from samples to details.
        layers: (side, side, fan in, fan out) weights of each.
        slope: of units for negative values.
        threads: how many to use.
        out: (2 rows, 2 columns, channels).
    """

def spline_coefficients(values: _F32, *, threads: int) -> None:
    """Turn values along the middle axis of three into coefficients of their quartic spline, in place."""

def weighted(values: _F32, first: _I64, weights: _F32, *, threads: int, out: _F32) -> None:
    """Write sums of values along the middle axis of three, from `first` on, times `weights` (sums, taps)."""

def deblock(
    values: _F32,
    boxes: _I64,
    activity: _U8,
    mixing: _F32,
    first: Sequence[int],
    *,
    limits: tuple[float, float],
    taken: float,
    most: int,
    threads: int,
) -> None:
    """Take jumps at the borders of boxes back, in place; see `deblocking.deblock`.

    Args:
        values: (planes, rows, columns, channels); axes that the signal has not have one sample.
        boxes: (regions, 2, dims).
        activity: of the boxes' coded channels, (regions, channels).
        mixing: of channels before and after, as (2, from, to), or (0, from, to) where they stay.
        first: where the values start along each axis of the signal.
        limits: a jump that is surely real, and the difference within boxes beside which jumps are left.
        taken: how much of a jump goes.
        most: samples that it is spread over.
        threads: how many to use.
    """

def exchange(
    found: _F32,
    weights: _F32,
    points: _I32,
    offsets: _I64,
    order: _I32,
    truth: _F32,
    rows: Sequence[_I32],
    values: Sequence[_F32],
    *,
    threads: int,
) -> None:
    """Write what regions are to learn at shared samples into their values; see `Engine.exchange`.

    Args:
        found: (pairs, channels) value of each pair's region at its sample.
        values: of each group, (samples, channels).
    """

class IntegerWriter:
    """Writes integers below 2^20 in size in as few bytes as their classes' statistics allow."""

    def __init__(self) -> None: ...
    def write(self, values: _I32, classes: _U8) -> None:
        """Write integers (n,), of each of which the class (n,), below 64, is known to the reader."""
    def finish(self) -> bytes:
        """The bytes; nothing can be written after it."""

class IntegerReader:
    """Reads what `IntegerWriter` wrote."""

    def __init__(self, payload: bytes) -> None: ...
    def read(self, classes: _U8, out: _I32) -> bool:
        """Read integers of these classes (n,) into `out` (n,); false if no writer writes such bytes."""
    def finished(self) -> bool:
        """Whether all bytes were needed, and were enough."""

def search_spectra(
    values: _F32,
    *,
    shape: Sequence[int],
    mixing: _F32,
    step: float,
    lambda_: float,
    root: int,
    least: int,
    roots: Sequence[int],
    weights: _F32 | None = None,
    threads: int,
    first: int = 0,
) -> tuple[_U8, _I64, _F32, _I32, float, float, _F32]:
    """Cut some roots into boxes, and round their coefficients, for the least squared error + lambda * bits.

    Args:
        values: (samples, channels), in the order of `shape`, those of the roots among them.
        mixing: (coded channels, channels), what turns the values' channels into those that are coded.
        step: of the integers.
        lambda_: squared steps that a bit is worth.
        root, least: see `Sides`.
        roots: which, by their places in C order.
        weights: what the squared error of each sample counts, about 1; None: 1 for all.
        first: the sample of the signal that the values begin with.

    Returns:
        splits and boxes as `Spectra` has them, of these roots; the coefficients in steps before they were
        rounded, in the integers' order; the integers; the squared error in steps; and an estimate of the
        bits.

    The result doesn't depend on the number of threads.
    """

def choose_spectra(
    boxes: _I64,
    spectra: _F32,
    *,
    shape: Sequence[int],
    channels: int,
    step: float,
    lambda_: float,
    weights: _F32 | None = None,
    threads: int,
    out: _I32,
) -> tuple[float, float]:
    """Round coefficients of boxes once more, for another step; write the integers to `out`.

    Args:
        weights: of the squared errors of each box.

    Returns:
        The squared error in steps, and an estimate of the bits.
    """

def encode_spectra(
    splits: _U8,
    coefficients: _I32,
    *,
    shape: Sequence[int],
    channels: int,
    root: int,
    least: int,
    threads: int,
) -> list[bytes]:
    """The bytes of each slice of `Spectra`; ValueError if an integer is 2^26 or larger in size."""

def decode_spectra(
    slices: Sequence[bytes],
    *,
    shape: Sequence[int],
    channels: int,
    root: int,
    least: int,
    threads: int,
) -> tuple[_U8, _I64, _I32]:
    """Splits, boxes and integers of `Spectra`; ValueError if these are no such bytes."""

def measure_spectra(
    boxes: _I64, coefficients: _I32, *, shape: Sequence[int], channels: int
) -> tuple[_I32, _I64]:
    """`Spectra.reach` and `Spectra.activity`."""

def spectra_to_cosines(
    boxes: _I64,
    coefficients: _I32,
    *,
    shape: Sequence[int],
    step: float,
    mixing: _F32,
    slots: _I64,
    frequencies: int,
    threads: int,
    weights: _F32,
    biases: _F32,
) -> None:
    """Write the output layers of networks of cosines that spectra are, where they are not 0.

    Args:
        slots: (boxes,) the place of each box in the arrays; negative for those that are left out.
        frequencies: of the networks; integers of others are left out.
        weights: (members, frequencies^dims - 1, channels).
        biases: (members, channels).
    """

def sincospi(x: _F32, sine: _F32, cosine: _F32) -> None:
    """Write sin(pi x) and cos(pi x); absolute errors below 2e-7 for every finite float."""

def exp2(x: _F32, out: _F32) -> None:
    """Write 2**x; relative error below 2e-7 for -126 <= x < 128, 0 below, infinity above."""

def slices(net: NetSpec, samples: int) -> int:
    """Pieces that a step of so many samples of a region is cut into, to be shared among threads."""

def encode(net: NetSpec, coords: _F32, out: _F32) -> None:
    """Write what the first layer sees of coordinates (samples, dims) to `out` (samples, features).

    Absolute errors are below 4e-7, at any frequency.
    """

def stream(key: int, count: int, position: int, length: int) -> NDArray[np.uint32]:
    """Samples at `length` positions of the stream of a region of `count` samples, see `batch_indices`."""

def peak(seconds: float) -> float:
    """Floating-point operations a second of one thread that only multiplies and adds, best of short runs."""

def bf16() -> str:
    """The code path that bf16 uses; ValueError if this machine has none, or PARTINR_ISA forces another."""

def isa() -> str:
    """The code path in use: the best of `isa_paths`, or the one that the variable PARTINR_ISA names."""

def isa_paths() -> list[str]:
    """Code paths that this machine can run, best first: "avx512", "avx2", "generic"."""

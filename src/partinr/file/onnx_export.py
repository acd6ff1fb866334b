"""A piecewise network as one ONNX file: coordinates in, values out, the look-up of the region inside.

The graph has no loops and no branches. It sorts the points by region, cuts each region's points into chunks
of one size, the last one filled up, and fetches one set of weights a chunk: batched matrix products then do
the work of each network on its own points, and memory grows with the points, not with points times weights.
"""

from __future__ import annotations

from functools import partial, reduce
from itertools import product
from pathlib import Path

import numpy as np

from partinr.errors import InputError, need
from partinr.file.onnx_graph import Array, Graph, Value
from partinr.files import atomic_write
from partinr.model.blending import AT_SAMPLE
from partinr.model.networks.network import Parameters
from partinr.model.piecewise import Piecewise

# Operators and file version of the middle of 2022, which runtimes made since then can read; and those of the
# end of that year, where they are needed.
_OPSET, _IR_VERSION, _LATER = 17, 8, {"BitwiseXor": 18}
# Points in a chunk: many make the fetching of weights cheap, few waste little where regions are small.
_SMALLEST_CHUNK, _LARGEST_CHUNK = 8, 64
# A protocol buffer ends at 2 GiB; this leaves room for all but the parameters.
_MOST_BYTES = (1 << 31) - (1 << 26)


def export_onnx(model: Piecewise, path: str | Path) -> None:
    """Write a piecewise network as an ONNX model that needs nothing else.

    Its input "coords" is float32 of shape (points, dims): global coordinates, -1..1 over the signal, first
    axis first, any number of points. Its output "values" is float32 of shape (points, channels): normalised
    values, 0..1 over the signal's value range, which stands in the metadata. The look-up of regions, their
    frames and the blending between them are inside, as in `Piecewise`. Memory grows with the number of
    points: a large picture is best evaluated in pieces.

    Args:
        model: what to export.
        path: ends in .onnx by convention.

    Raises:
        InputError: the package onnx is not installed, the model needs more than 2 GiB or has a network
            without an ONNX form, or the file cannot be written where it is wanted.
        OSError: the file cannot be written; an old file stays as it was.

    Example:
        >>> import os, tempfile, numpy as np, partinr
        >>> model = partinr.fit(np.eye(8), partinr.Grid(2, 2), goal=partinr.Steps(5)).model
        >>> partinr.export_onnx(model, os.path.join(tempfile.mkdtemp(), "eye.onnx"))
    """
    need("onnx", "ONNX export")
    from onnx import TensorProto, helper, numpy_helper

    graph = Graph()
    values = _values(graph, model)
    graph.nodes.append(helper.make_node("Identity", [values], ["values"], "values"))
    size = sum(value.nbytes for value in graph.constants.values())
    if size > _MOST_BYTES:
        raise InputError(
            f"an ONNX file holds less than 2 GiB, this model needs {size:,} bytes; use fewer parameters"
        )
    signal = model.signal
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "partinr",
            [helper.make_tensor_value_info("coords", TensorProto.FLOAT, ["points", signal.dims])],
            [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["points", signal.channels])],
            [numpy_helper.from_array(value, name) for name, value in graph.constants.items()],
        ),
        producer_name="partinr",
        ir_version=_IR_VERSION,
        opset_imports=[
            helper.make_opsetid("", max(_LATER.get(node.op_type, _OPSET) for node in graph.nodes))
        ],
        doc_string="Values, 0..1 over value_range, at coordinates -1..1 over the signal, first axis first.",
    )
    told = {"shape": signal.shape, "value_range": signal.value_range, "dtype": [signal.dtype]}
    helper.set_model_props(made, {key: " ".join(map(str, value)) for key, value in told.items()})
    with atomic_write(path) as file:
        file.write(made.SerializeToString())


def _values(graph: Graph, model: Piecewise) -> str:
    """Values (points, channels) at the graph's input "coords" (points, dims)."""
    if model.regions == 1:
        own = _own_coords(graph, model, graph("Unsqueeze", "coords", np.array([0])), None)
        values = _group_values(graph, model, 0, own, None)  # (1, points, channels)
        return graph("Squeeze", values, np.array([0]))
    if not model.blend:
        index = [graph("Round", position) for position in _positions(graph, model)]
        return _values_in(graph, model, "coords", _region(graph, model, index))
    point, region, weight = _pairs(graph, model)
    values = _values_in(graph, model, graph("Gather", "coords", point), region)
    shares = graph("Mul", values, graph("Unsqueeze", weight, np.array([1])))
    points = graph("Slice", graph("Shape", "coords"), np.array([0]), np.array([1]))
    shape = graph("Concat", points, np.array([model.signal.channels]), axis=0)
    nothing = graph.filled(shape, np.zeros(1, np.float32))
    return graph("ScatterND", nothing, graph("Unsqueeze", point, np.array([1])), shares, reduction="add")


def _values_in(graph: Graph, model: Piecewise, coords: str, region: str) -> str:
    """Values (points, channels) of the functions of given regions (points,) at coordinates (points, dims)."""
    size = min(max(model.signal.samples // model.regions, _SMALLEST_CHUNK), _LARGEST_CHUNK)
    chunk_region, place = _chunks(graph, region, model.regions, size)
    rows = graph("Mul", graph("Shape", chunk_region), size)  # places in all chunks together

    def table(columns: int) -> str:
        return graph.filled(graph("Concat", rows, np.array([columns]), axis=0), np.zeros(1, np.float32))

    row = graph("Unsqueeze", place, np.array([1]))
    filled = graph("ScatterND", table(model.signal.dims), row, coords)
    chunked = graph("Reshape", filled, np.array([-1, size, model.signal.dims]))
    own = _own_coords(graph, model, chunked, chunk_region)
    if len(model.networks) == 1:
        values = _group_values(graph, model, 0, own, chunk_region)  # (chunks, size, channels)
    else:
        group_of = graph("Gather", model.structure.group_of, chunk_region)
        slot = graph("Gather", model.structure.slot, chunk_region)
        values = graph("Reshape", table(model.signal.channels), np.array([-1, size, model.signal.channels]))
        for g in range(len(model.networks)):
            mine = graph("NonZero", graph("Equal", group_of, g))  # (1, chunks of the group)
            chosen = graph("Squeeze", mine, np.array([0]))
            slots = graph("Gather", slot, chosen)
            part = _group_values(graph, model, g, graph("Gather", own, chosen), slots)
            values = graph("ScatterND", values, graph("Transpose", mine, perm=[1, 0]), part)
    return graph("Gather", graph("Reshape", values, np.array([-1, model.signal.channels])), place)


def _positions(graph: Graph, model: Piecewise) -> list[str]:
    """Position (points,) along each axis, in samples, not before the first nor after the last."""
    positions = []
    for a, samples in enumerate(model.signal.shape):
        coordinate = graph("Gather", "coords", a, axis=1)
        position = graph("Mul", graph("Add", coordinate, 1.0), (samples - 1) / 2)
        positions.append(graph("Clip", position, 0.0, float(samples - 1)))
    return positions


def _region(graph: Graph, model: Piecewise, positions: list[str]) -> str:
    """Region (points,) of the samples at these positions, whole numbers of single precision."""
    return _region_of(graph, model, [_cell(graph, model, a, p) for a, p in enumerate(positions)])


def _cell(graph: Graph, model: Piecewise, axis: int, position: str) -> str:
    """Cell of the partition's table along an axis of samples at whole positions."""
    edges = model.structure.edges[axis]
    index = graph("Max", graph.cast(position, np.int64), 0)
    return _edges_up_to(graph, edges, graph("Min", index, model.signal.shape[axis] - 1))


def _region_of(graph: Graph, model: Piecewise, cells: list[str]) -> str:
    """Region (points,) of cells of the partition's table, which may lie beyond its end."""
    flat = ""
    for a, length in enumerate(model.partition.table.shape):
        index = graph("Min", cells[a], length - 1)
        flat = graph("Add", graph("Mul", flat, length), index) if a else index
    table = model.partition.table.reshape(-1)
    smallest = np.uint8 if model.regions <= 1 << 8 else np.int32
    return graph.cast(graph("Gather", table.astype(smallest), flat), np.int64)


def _windows(graph: Graph, model: Piecewise, axis: int, position: str) -> tuple[str, list[str]]:
    """First cell (points,) of each point's window along an axis, and the shares of the cells from there on.

    No shares where there is one cell. See `partinr.model.blending.Windows`.
    """
    edges, width = model.structure.edges[axis], 2 * model.overlap + 1
    passed = graph("Floor", graph("Add", graph("Sub", position, float(model.overlap)), AT_SAMPLE))
    first = _cell(graph, model, axis, passed)
    # Windows never reach the edges that stand in for those beyond the last.
    cells = model.structure.most_cells[axis]
    reached = np.append(edges, np.full(cells, 1 << 40)).astype(np.float32) + np.float32(model.overlap)
    shares, before = [], ""
    for k in range(cells - 1):
        reach = graph("Sub", graph("Gather", reached, graph("Add", first, k)), position)
        within = graph("Where", graph("Greater", reach, AT_SAMPLE), graph("Div", reach, float(width)), 0.0)
        share = graph("Where", graph("GreaterOrEqual", reach, width - AT_SAMPLE), 1.0, within)
        shares.append(graph("Sub", share, before) if k else share)
        before = share
    return first, [*shares, graph("Sub", 1.0, before)] if before else []


def _pairs(graph: Graph, model: Piecewise) -> tuple[str, str, str]:
    """Pairs of a point and a region that contributes to it, and the weight; see `Structure.assign`.

    The first pairs, one for each point, are with the region of the first cell in the point's window, the
    others with those of the cells that belong to another region.

    Returns:
        Point, region and weight of each pair, each (pairs,).
    """
    windows = [_windows(graph, model, a, position) for a, position in enumerate(_positions(graph, model))]
    home = _region_of(graph, model, [first for first, _ in windows])
    regions, weights = [], []
    for combination in list(product(*(range(len(shares) or 1) for _, shares in windows)))[1:]:
        picked = [shares[k] for k, (_, shares) in zip(combination, windows, strict=True) if shares]
        weight = reduce(partial(graph, "Mul"), picked)
        there = [graph("Add", first, k) for k, (first, _) in zip(combination, windows, strict=True)]
        region = _region_of(graph, model, there)
        other = graph.cast(graph("Not", graph("Equal", region, home)), np.float32)
        regions.append(graph("Unsqueeze", region, np.array([0])))
        weights.append(graph("Unsqueeze", graph("Mul", weight, other), np.array([0])))
    region, weight = graph("Concat", *regions, axis=0), graph("Concat", *weights, axis=0)
    found = graph("Transpose", graph("NonZero", weight), perm=[1, 0])  # (pairs, 2): cell, point
    points = graph("Range", 0, graph("Squeeze", graph("Shape", home)), 1)
    rest = graph("Sub", 1.0, graph("ReduceSum", weight, np.array([0]), keepdims=0))
    return (
        graph("Concat", points, graph("Gather", found, 1, axis=1), axis=0),
        graph("Concat", home, graph("GatherND", region, found), axis=0),
        graph("Concat", rest, graph("GatherND", weight, found), axis=0),
    )


def _edges_up_to(graph: Graph, edges: Array, index: str) -> str:
    """How many of the ascending edges are at or before each index, by bisection: two values a point."""
    steps = len(edges).bit_length()
    padded = np.full((1 << steps) - 1, np.iinfo(np.int64).max)
    padded[: len(edges)] = edges
    found = graph("Mul", index, 0)
    for step in reversed(range(steps)):
        further = graph("Add", found, 1 << step)
        edge = graph("Gather", padded, graph("Sub", further, 1))
        found = graph("Where", graph("LessOrEqual", edge, index), further, found)
    return found


def _chunks(graph: Graph, region: str, regions: int, size: int) -> tuple[str, str]:
    """Chunks of `size` places for points of these regions (points,), each chunk for points of one region.

    Returns:
        Region of each chunk (chunks,), in ascending order, and each point's place (points,): chunk * size +
        place in the chunk.
    """
    points = graph("Shape", region)  # (1,)
    # Smallest first; "order" has the points in that order.
    ascending, order = graph.several(2, "TopK", region, points, largest=0)
    ones = graph.filled(points, np.ones(1, np.int64))
    counts = graph("ScatterElements", np.zeros(regions, np.int64), region, ones, reduction="add")
    chunks = graph("Div", graph("Add", counts, size - 1), size)  # of each region
    last = graph("CumSum", chunks, 0)
    first = graph("Mul", graph("Sub", last, chunks), size)  # first place of each region
    before = graph("CumSum", counts, 0, exclusive=1)  # points of the regions before
    rank = graph("Sub", graph("Range", 0, graph("Squeeze", points), 1), graph("Gather", before, ascending))
    sorted_place = graph("Add", graph("Gather", first, ascending), rank)
    place = graph("ScatterElements", graph.filled(points, np.zeros(1, np.int64)), order, sorted_place)
    # The regions before chunk c are those whose last chunk is not beyond it: marks summed up count them.
    total = graph("ReduceSum", chunks, keepdims=1)
    slots = graph.filled(graph("Add", total, 1), np.zeros(1, np.int64))
    marks = graph("ScatterElements", slots, last, np.ones(regions, np.int64), reduction="add")
    chunk_region = graph("Slice", graph("CumSum", marks, 0), np.array([0]), total)
    return chunk_region, place


def _own_coords(graph: Graph, model: Piecewise, coords: str, chunk_region: str | None) -> str:
    """Global coordinates (chunks, size, dims) in the frame of each chunk's region."""
    if model.frame == "global":
        return coords
    scale, shift = (
        graph.constant(value[:, None].astype(np.float32), name)  # (regions, 1, dims)
        for name, value in zip(("scale", "shift"), model.structure.affine, strict=True)
    )
    if chunk_region is not None:
        scale, shift = graph("Gather", scale, chunk_region), graph("Gather", shift, chunk_region)
    return graph("Add", graph("Mul", coords, scale), shift)


def _group_values(graph: Graph, model: Piecewise, group: int, own: str, slots: str | None) -> str:
    """Values (chunks, size, channels) of a group's networks, one for each chunk, at its own coordinates.

    `slots` has the position in the group of each chunk's network; None where the group has one network and
    there is one chunk.
    """

    def constant(what: str, layer: int, array: Array) -> Value:
        name = graph.constant(array, f"groups.{group}.{what}.{layer}")
        return Value(graph, name if slots is None else graph("Gather", name, slots), (1, *array.shape[1:]))

    stored = model.parameters[group]
    parameters = Parameters(
        [constant("weights", layer, array) for layer, array in enumerate(stored.weights)],
        [constant("biases", layer, array) for layer, array in enumerate(stored.biases)],
    )
    network = model.networks[group]
    try:
        values: Value = network.forward(Value(graph, own, (1, 1, model.signal.dims)), parameters)
    except (AttributeError, TypeError) as error:
        raise InputError(f"the network {network.name} has no ONNX form: {error}") from error
    return values.name

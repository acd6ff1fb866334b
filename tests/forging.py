"""Takes .inr files apart and puts them together with a right checksum, whatever they then hold."""

from __future__ import annotations

import hashlib
import json
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from models import TINY, made, scattered
from partinr import InputError, Partition, Piecewise, Siren, load, save

_NAMES = {"f4": "F32", "f2": "F16", "f8": "F64", "u4": "U32", "u2": "U16", "u1": "U8", "i8": "I64"}


@dataclass
class Forgery:
    """The parts of a file, to be changed at will.

    Attributes:
        fields: the header.
        tensors: arrays by name.
        entries: what to say of a tensor instead of the truth: keys of its entry and their values.
        text: the header's JSON, if not that of `fields`.
    """

    fields: dict[str, Any]
    tensors: dict[str, ndarray]
    entries: dict[str, dict[str, Any]]
    text: str | None = None

    def bytes(self) -> bytes:
        """The file."""
        zeros = "0" * 64
        if self.fields.get("sha256") == "":
            self.fields["sha256"] = zeros
        text = json.dumps(self.fields) if self.text is None else self.text
        header: dict[str, Any] = {"__metadata__": {"partinr": text}}
        data = b""
        for name, tensor in self.tensors.items():
            header[name] = {
                "dtype": _NAMES[tensor.dtype.str[1:]],
                "shape": list(tensor.shape),
                "data_offsets": [len(data), len(data) + tensor.nbytes],
            } | self.entries.get(name, {})
            data += tensor.tobytes()
        head = json.dumps(header).encode()
        return sealed(len(head).to_bytes(8, "little") + head + data)


def sealed(file: bytes) -> bytes:
    """A file with its checksum in the place of the first 64 zeros."""
    return file.replace(b"0" * 64, hashlib.sha256(file).hexdigest().encode(), 1)


def taken_apart(file: bytes) -> Forgery:
    """The parts of a file."""
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    fields = json.loads(header.pop("__metadata__")["partinr"])
    fields["sha256"] = ""
    types = {name: code for code, name in _NAMES.items()}
    tensors = {}
    for name, entry in header.items():
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        numbers = np.frombuffer(file[first:last], "<" + types[entry["dtype"]])
        tensors[name] = numbers.reshape(entry["shape"]).copy()
    return Forgery(fields, tensors, {})


def bits(array: ndarray) -> list[int]:
    """Distinguishes 0 from -0, unlike a comparison."""
    assert array.dtype == np.float32
    return array.reshape(-1).view(np.int32).tolist()


def same(a: Piecewise, b: Piecewise) -> bool:
    """Whether two models are the same function, bit by bit."""
    ours, theirs = a.named_parameters(), b.named_parameters()
    return (
        a.signal == b.signal
        and (a.frame, a.blend, a.overlap) == (b.frame, b.blend, b.overlap)
        and a.networks == b.networks
        and np.array_equal(a.structure.group_of, b.structure.group_of)
        and (a.partition.boxes is None) == (b.partition.boxes is None)
        and np.array_equal(a.partition.label_map, b.partition.label_map)
        and a.partition.rule == b.partition.rule
        and list(ours) == list(theirs)
        and all(bits(ours[name]) == bits(theirs[name]) for name in ours)
    )


def tiny_file(folder: Path, partition: Partition | None = None, store: Any = "float32") -> bytes:
    """A small file with two kinds of network."""
    model = made(partition or scattered((3, 4)), [TINY, Siren(hidden=1, layers=1)], channels=1)
    save(model, folder / "tiny.inr", store=store, summary={"steps": 3})
    return (folder / "tiny.inr").read_bytes()


def refused(
    path: Path, data: bytes, match: str | None = None, seconds: float = 1.0, megabytes: float = 32
) -> None:
    """Loading is an InputError of one line, soon and without much memory.

    Seconds are of the processor, so that nothing else on the machine counts.
    """
    path.write_bytes(data)
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(InputError, match=match) as caught:
            load(path)
        elapsed, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))
    assert elapsed < seconds
    assert peak < megabytes * 1e6 + 3 * len(data)

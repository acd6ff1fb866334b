"""Signals: values on a regular grid of 1 to 3 axes, and the files that they are read from and written to."""

from partinr.signals.array import from_array
from partinr.signals.axes import Axis
from partinr.signals.decoding import MAX_PIXELS
from partinr.signals.reading import READERS, Reader, as_signal, read
from partinr.signals.scattered import Samples
from partinr.signals.signal import Kind, Signal, SignalSpec
from partinr.signals.writing import FORMATS, Format, writable_format, write, write_slabs

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "READERS",
    "Axis",
    "Format",
    "Kind",
    "Reader",
    "Samples",
    "Signal",
    "SignalSpec",
    "as_signal",
    "from_array",
    "read",
    "writable_format",
    "write",
    "write_slabs",
]

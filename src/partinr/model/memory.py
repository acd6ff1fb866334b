"""What the machine has left."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path


def free_memory() -> int:
    """Bytes of memory that are free or easily freed; all of it where the system does not say."""
    if sys.platform == "win32":
        return _free_on_windows()
    try:
        found = re.search(r"MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
    except OSError:
        found = None
    if found is not None:
        return int(found[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 1 << 62


def _free_on_windows() -> int:
    """Physical memory that is available: `ullAvailPhys` of GlobalMemoryStatusEx."""
    import ctypes

    # MEMORYSTATUSEX: its own length and the load in percent, then seven numbers of 64 bits.
    status = (ctypes.c_uint64 * 8)()
    ctypes.c_uint32.from_buffer(status).value = ctypes.sizeof(status)
    kernel32 = getattr(ctypes, "windll").kernel32  # noqa: B009 - other systems have no such name
    return int(status[2]) if kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else 1 << 62

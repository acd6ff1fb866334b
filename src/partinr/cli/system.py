"""What this installation consists of and can do."""

from __future__ import annotations

import platform
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import partinr
from partinr.errors import InputError

_PACKAGES = (
    *("numpy", "torch", "scipy", "pillow", "tifffile", "imagecodecs", "scikit-image"),
    *("opencv-contrib-python-headless", "safetensors", "typer", "rich"),
)


def system_facts() -> dict[str, Any]:
    """Versions, engines, threads and devices, for `info --system`."""
    from partinr.cores import usable_cores
    from partinr.engines import ENGINES

    return {
        "partinr": partinr.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        **{name: _version(name) for name in _PACKAGES},
        "engines": ", ".join(word for word in ENGINES if word != "auto" and _there(word)),
        "kernel": _instruction_set(),
        "bf16": _bf16(),
        "threads": usable_cores(),
        "devices": ", ".join(_devices()),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not found"


def _there(engine: str) -> bool:
    from partinr.engines import select

    try:
        select(engine, "cpu", None)
    except InputError:
        return False
    return True


def _instruction_set() -> str:
    """The instructions that the native kernel uses here."""
    try:
        kernel = import_module("partinr._native")
    except ImportError:
        return "not built"
    return str(kernel.isa())


def _bf16() -> str:
    """Whether the native kernel can train in bfloat16 here."""
    from partinr.model.kernel import why_missing, why_no_bf16

    return "no kernel" if why_missing() is not None else why_no_bf16() or "yes"


def _devices() -> list[str]:
    if find_spec("torch") is None:
        return ["cpu"]
    import torch

    cuda = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]

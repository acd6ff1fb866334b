"""Checkpoints: long work that was stopped, by whatever, goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_tensors

from partinr.errors import InputError
from partinr.files import atomic_write, check_folder, make_folder
from partinr.shapes import Shaped

FILE = "state.safetensors"

Settings = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """A folder that holds the state of one fit or sweep, replaced as a whole at every write.

    Attributes:
        folder: made if missing.
        settings: what was asked for; work with other settings cannot go on from it.

    Raises:
        InputError: the folder cannot be made or written to.
    """

    folder: Path
    settings: Settings

    def __post_init__(self) -> None:
        check_folder(self.folder, FILE)

    @property
    def path(self) -> Path:
        """The file with the state."""
        return self.folder / FILE

    def write(self, arrays: Mapping[str, Shaped[ndarray, "..."]]) -> None:
        """Replace the state on disk; a crash in between leaves the old one."""
        make_folder(self.folder)
        tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        payload = save_tensors(tensors, metadata={"settings": json.dumps(self.settings, sort_keys=True)})
        with atomic_write(self.path) as file:
            file.write(payload)

    def read(self) -> dict[str, Shaped[ndarray, "..."]] | None:
        """The state on disk; None if there is none yet.

        Raises:
            InputError: the checkpoint is damaged or belongs to work with other settings.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "numpy") as file:
                settings = json.loads(file.metadata()["settings"])
                self._check(settings)
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise InputError(
                f"{self.path} is not a readable checkpoint ({error}); delete it and start again"
            ) from error

    def _check(self, settings: Settings) -> None:
        changed = _first_difference(settings, self.settings)
        if changed is not None:
            key, theirs, ours = changed
            raise InputError(
                f"{self.folder} holds work with other settings: {key} was {theirs!s:.80}, now {ours!s:.80}; "
                "go on with the same settings or use another folder"
            )


def _first_difference(theirs: Settings, ours: Settings, within: str = "") -> tuple[str, Any, Any] | None:
    """Name and both values of the first setting that differs, such as rules.limit; the name of a thing comes
    before what it has."""
    for key in sorted({*theirs, *ours}, key=lambda key: (key != "name", key)):
        name, a, b = f"{within}{key}", theirs.get(key), ours.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found = _first_difference(a, b, f"{name}.")
            if found is not None:
                return found
        elif a != b:
            return name, a, b
    return None

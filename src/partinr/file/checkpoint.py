"""Checkpoints: long work that was stopped, by whatever, goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from partinr.engines.engine import TrainingState
from partinr.errors import InputError
from partinr.files import atomic_write, check_folder, make_folder
from partinr.model.piecewise import PiecewiseINR
from partinr.signals.signal import Signal

FILE = "state.safetensors"

Settings = dict[str, Any]


def settings_of(signal: Signal, model: PiecewiseINR, **others: Any) -> Settings:
    """Everything that decides a fit's result, as JSON types: two fits with equal settings end the same."""

    def digest(array: np.ndarray) -> str:
        return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()

    return json.loads(  # type: ignore[no-any-return]
        json.dumps(
            {
                "signal": digest(signal.values),
                "shape": list(signal.values.shape),
                "partition": digest(model.partition.label_map),
                "networks": [group.network.config() for group in model.group_list],
                "frame": model.frame,
                "overlap": model.overlap,
                **others,
            }
        )
    )


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

    def write(self, states: list[TrainingState], arrays: Mapping[str, Shaped[ndarray, "..."]]) -> None:
        """Replace the state on disk; a crash in between leaves the old one.

        Args:
            states: parameters and moments.
            arrays: what else there is to keep, by names without digits in front.
        """
        tensors = dict(arrays)
        for g, state in enumerate(states):
            for i, tensor in enumerate(state.tensors()):
                tensors[f"{g}.{i}"] = np.ascontiguousarray(tensor.detach().cpu().numpy())
        make_folder(self.folder)
        payload = save_tensors(tensors, metadata={"settings": json.dumps(self.settings, sort_keys=True)})
        with atomic_write(self.path) as file:
            file.write(payload)

    def read(self, states: list[TrainingState]) -> dict[str, Shaped[ndarray, "..."]] | None:
        """Put the state on disk into `states`.

        Returns:
            the arrays beside them; None if there is no state yet.

        Raises:
            InputError: the checkpoint is damaged or belongs to work with other settings.
        """
        tensors = self._tensors()
        if tensors is None:
            return None
        for g, state in enumerate(states):
            for i, tensor in enumerate(state.tensors()):
                tensor.copy_(tensor.new_tensor(tensors.pop(f"{g}.{i}")))
        return tensors

    def arrays(self) -> dict[str, Shaped[ndarray, "..."]] | None:
        """The arrays beside the states alone, which may say what states there are; see `read`."""
        tensors = self._tensors()
        if tensors is None:
            return None
        return {name: tensor for name, tensor in tensors.items() if not name[0].isdecimal()}

    def _tensors(self) -> dict[str, Shaped[ndarray, "..."]] | None:
        if not self.path.exists():
            return None
        payload = self.path.read_bytes()
        try:
            tensors = load_tensors(payload)
            size = int.from_bytes(payload[:8], "little")
            settings = json.loads(json.loads(payload[8 : 8 + size])["__metadata__"]["settings"])
        except (SafetensorError, KeyError, ValueError) as error:
            raise InputError(
                f"{self.path} is not a readable checkpoint ({error}); delete it and start again"
            ) from error
        self._check(settings)
        return tensors

    def _check(self, settings: Settings) -> None:
        changed = _first_difference(settings, self.settings)
        if changed is not None:
            key, theirs, ours = changed
            raise InputError(
                f"{self.folder} holds work with other settings: {key} was {theirs!s:.80}, now {ours!s:.80}; "
                "go on with the same settings or use another folder"
            )


def _first_difference(theirs: Settings, ours: Settings, within: str = "") -> tuple[str, Any, Any] | None:
    """Name and both values of the first setting that differs, such as rules.limit."""
    for key in sorted({*theirs, *ours}):
        name, a, b = f"{within}{key}", theirs.get(key), ours.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found = _first_difference(a, b, f"{name}.")
            if found is not None:
                return found
        elif a != b:
            return name, a, b
    return None

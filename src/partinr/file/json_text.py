"""JSON as headers have it: strict."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from partinr.errors import InputError
from partinr.text import jsonable


def parse_json(text: str | bytes) -> Any:
    """A JSON text, strictly: no key twice, no NaN.

    Raises:
        ValueError: it is not JSON, or too deep.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise ValueError("a key appears twice")
        return fields

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not a JSON number")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def as_json(fields: Mapping[str, Any]) -> str:
    """A header's text; numbers that are not finite become null.

    Raises:
        InputError: it is not made of JSON types.
    """
    try:
        plain = jsonable(fields, lambda number: number if math.isfinite(number) else None)
        return json.dumps(plain, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the summary must be made of JSON types: {error}") from error

"""Names of files that are no text, in what UTF-8 and JSON can hold."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

from partinr.text import jsonable, legible, utf8

NAME = os.fsdecode(b"caf\xc3\xa9-\xff")


def test_bytes_that_are_no_text_become_escapes() -> None:
    assert utf8(NAME) == b"caf\xc3\xa9-\\udcff"
    assert legible(NAME) == "café-\\udcff"
    assert legible("café \N{GRINNING FACE}\n") == "café \N{GRINNING FACE}\n"


def test_json_holds_names_paths_and_odd_numbers() -> None:
    values = {NAME: [Path(NAME), (NAME, 1, None, True)], "x": math.inf, "y": 0.5}
    plain = jsonable(values, lambda number: number if math.isfinite(number) else str(number))
    shown = legible(NAME)
    assert plain == {shown: [shown, [shown, 1, None, True]], "x": "inf", "y": 0.5}
    json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    assert jsonable(math.inf) == math.inf

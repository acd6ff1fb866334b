"""The script of a page: plain modules that may stand one after another, and what is taken out of them."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files

import pytest

from helpers import smooth
from models import NETWORKS, cells, made
from partinr import Compact, fit
from partinr.model import kernel
from partinr.model.between import details
from partinr.report.view.page import DRAWN, left_out
from partinr.report.view.script import TOP, imported, modules, script, small, source
from partinr.signals.signal import Between


def test_every_module_is_reached_and_comes_after_what_it_imports() -> None:
    order = modules()
    folder = files("partinr.report.view") / "script"
    assert sorted(f"{name}.mjs" for name in order) == sorted(file.name for file in folder.iterdir())
    for name in order:
        assert all(order.index(other) < order.index(name) for other in imported(name))


def test_names_are_those_of_one_module_each() -> None:
    names = Counter(name for module in modules() for name in TOP.findall(source(module)))
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) > 100


@pytest.mark.parametrize(
    ("shape", "between"),
    [((64,), "none"), ((64,), "smooth"), ((24, 20), "none"), ((24, 20), "smooth"), ((24, 20), "learned")],
)
def test_scripts_are_small(shape: tuple[int, ...], between: Between) -> None:
    models = [made(cells(shape), NETWORKS[0])]
    if kernel.why_missing() is None:
        models.append(fit(smooth(shape), goal=Compact(psnr=30)).model)
    for model in models:
        assert len(script(left_out(model.with_between(between)))) < 60_000


def test_the_networks_that_have_shaders_are_those_that_are_not_refused() -> None:
    assert f"const KINDS = {json.dumps(DRAWN)};" in source("networks")


def test_the_details_are_those_of_the_package() -> None:
    for net in details.photographs():
        shapes = [[len(own), *own.shape[2:]] for own in (net.direct, *net.layers)]
        assert f"const SHAPES = {json.dumps(shapes)};" in source("details")
        assert f"SEEN = {net.reach};" in source("details")


def test_comments_and_spaces_go_and_nothing_else() -> None:
    text = """
// A comment with `signs` and "quotes"
const a = 1, b = a - -1; /* another */
const text = "// no  comment" + ' {', again = `${a} ${b} // neither`;
if (a) return b;
let c = x => `x
  // of the shader
  vec4 y = a + b;
  #define LONG 1 + 1
  ${a ? `in ${b}` : "out"}`;
"""
    assert small(text) == (
        "const a=1,b=a- -1,text=\"// no  comment\"+' {',again=`${a} ${b} // neither`;if(a)return b;"
        'let c=x=>`x\\nvec4 y=a+b;\\n#define LONG 1 + 1\\n${a?`in ${b}`:"out"}`;'
    ).replace("\\n", "\n")

"""Partitioned implicit neural representations.

A signal is split into regions, each region gets its own small coordinate network, and the whole becomes one
continuous, compact function: `fit` it, `save` it, `load` it, `render` it at any size.

Names are imported when they are first used, so that `import partinr` and `partinr --help` do not wait for
torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partinr.comparison import Comparison as Comparison
    from partinr.comparison import Record as Record
    from partinr.comparison import Rival as Rival
    from partinr.comparison import Run as Run
    from partinr.comparison import Standing as Standing
    from partinr.comparison import Variant as Variant
    from partinr.comparison import compare as compare
    from partinr.container import Saved as Saved
    from partinr.container import load as load
    from partinr.container import save as save
    from partinr.coords import Frame as Frame
    from partinr.engines.engine import Adam as Adam
    from partinr.engines.engine import Precision as Precision
    from partinr.errors import InputError as InputError
    from partinr.export import export_onnx as export_onnx
    from partinr.fitting import FitResult as FitResult
    from partinr.fitting import fit as fit
    from partinr.history import History as History
    from partinr.history import Measurement as Measurement
    from partinr.meta.collection import open_collection as open_collection
    from partinr.meta.crops import Crop as Crop
    from partinr.meta.evaluation import Evaluation as Evaluation
    from partinr.meta.evaluation import Interval as Interval
    from partinr.meta.evaluation import Score as Score
    from partinr.meta.evaluation import evaluate_start as evaluate_start
    from partinr.meta.learning import LearnResult as LearnResult
    from partinr.meta.learning import MetaProgress as MetaProgress
    from partinr.meta.learning import MetaRecipe as MetaRecipe
    from partinr.meta.outer import learn_start as learn_start
    from partinr.meta.shipped import shipped_start as shipped_start
    from partinr.meta.start import Start as Start
    from partinr.meta.startfile import load_start as load_start
    from partinr.meta.startfile import save_start as save_start
    from partinr.metrics import psnr as psnr
    from partinr.metrics import ssim as ssim
    from partinr.networks import Finer as Finer
    from partinr.networks import Fourier as Fourier
    from partinr.networks import Gauss as Gauss
    from partinr.networks import Network as Network
    from partinr.networks import ReluHarmonic as ReluHarmonic
    from partinr.networks import Siren as Siren
    from partinr.networks import Wire as Wire
    from partinr.partition import HFS as HFS
    from partinr.partition import SLIC as SLIC
    from partinr.partition import Auto as Auto
    from partinr.partition import Felzenszwalb as Felzenszwalb
    from partinr.partition import Grid as Grid
    from partinr.partition import Labels as Labels
    from partinr.partition import Partition as Partition
    from partinr.partition import Rule as Rule
    from partinr.partition import Whole as Whole
    from partinr.piecewise import PiecewiseINR as PiecewiseINR
    from partinr.recipe import FAST as FAST
    from partinr.recipe import PAPER as PAPER
    from partinr.recipe import Recipe as Recipe
    from partinr.rendering import render as render
    from partinr.report.comparison import write_comparison as write_comparison
    from partinr.report.fit_report import write_report as write_report
    from partinr.report.overlay import overlay as overlay
    from partinr.report.overlay import write_overlay as write_overlay
    from partinr.seams import seam as seam
    from partinr.signals import Signal as Signal
    from partinr.signals import SignalSpec as SignalSpec
    from partinr.signals import from_array as from_array
    from partinr.signals import read as read
    from partinr.signals import write as write
    from partinr.training import DivergedError as DivergedError
    from partinr.training import Progress as Progress

__version__ = "0.1.0"

_MODULES = {
    "comparison": ("Comparison", "Record", "Rival", "Run", "Standing", "Variant", "compare"),
    "container": ("Saved", "load", "save"),
    "coords": ("Frame",),
    "engines.engine": ("Adam", "Precision"),
    "errors": ("InputError",),
    "export": ("export_onnx",),
    "fitting": ("FitResult", "fit"),
    "history": ("History", "Measurement"),
    "meta.collection": ("open_collection",),
    "meta.crops": ("Crop",),
    "meta.evaluation": ("Evaluation", "Interval", "Score", "evaluate_start"),
    "meta.learning": ("LearnResult", "MetaProgress", "MetaRecipe"),
    "meta.outer": ("learn_start",),
    "meta.shipped": ("shipped_start",),
    "meta.start": ("Start",),
    "meta.startfile": ("load_start", "save_start"),
    "metrics": ("psnr", "ssim"),
    "networks": ("Finer", "Fourier", "Gauss", "Network", "ReluHarmonic", "Siren", "Wire"),
    "partition": (
        "HFS",
        "SLIC",
        "Auto",
        "Felzenszwalb",
        "Grid",
        "Labels",
        "Partition",
        "Rule",
        "Whole",
    ),
    "piecewise": ("PiecewiseINR",),
    "recipe": ("FAST", "PAPER", "Recipe"),
    "rendering": ("render",),
    "report.comparison": ("write_comparison",),
    "report.fit_report": ("write_report",),
    "report.overlay": ("overlay", "write_overlay"),
    "seams": ("seam",),
    "signals": ("Signal", "SignalSpec", "from_array", "read", "write"),
    "training": ("DivergedError", "Progress"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})

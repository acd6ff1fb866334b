"""Partitioned implicit neural representations.

A signal is split into regions, each region gets its own small coordinate network, and the whole becomes one
continuous, compact function: `fit` it, `save` it, `load` it, `render` it at any size.

Names are imported when they are first used, so that `import partinr` and `partinr --help` do not wait for
torch.
"""

from typing import Any

import lazy_loader

__version__ = "0.1.0"

_imported, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """The name, imported; an `InputError` where it is made of torch and that is not installed."""
    try:
        return _imported(name)
    except ModuleNotFoundError as error:
        from partinr.errors import need

        if error.name == "torch":
            need("torch", f"partinr.{name}")
        raise

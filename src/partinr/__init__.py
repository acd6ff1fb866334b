"""Partitioned implicit neural representations.

A signal is split into regions, each region gets its own small coordinate network, and the whole becomes one
continuous, compact function: `fit` it, `save` it, `load` it, `render` it at any size.

Names are imported when they are first used, so that `import partinr` and `partinr --help` do not wait for
torch.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Types of arrays with their shapes, for annotations: `Float32[np.ndarray, "samples dims"]`.

They are jaxtyping's own where anything checks types: for mypy, and in programs that have imported jaxtyping
first, as the tests do. Elsewhere nobody looks at an annotation, and names that take every shape spare each
command the 40 ms that importing jaxtyping takes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool as Bool
    from jaxtyping import Float as Float
    from jaxtyping import Float32 as Float32
    from jaxtyping import Float64 as Float64
    from jaxtyping import Int as Int
    from jaxtyping import Int8 as Int8
    from jaxtyping import Int32 as Int32
    from jaxtyping import Int64 as Int64
    from jaxtyping import Integer as Integer
    from jaxtyping import Shaped as Shaped
    from jaxtyping import UInt8 as UInt8
    from jaxtyping import UInt16 as UInt16
    from jaxtyping import UInt32 as UInt32
    from jaxtyping import UInt64 as UInt64
else:

    class Shaped:
        """An array's type, whatever its shape."""

        def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
            """The array's type alone."""
            return item[0]

    # Names that mean the same: what they say is said to readers and to jaxtyping.
    Bool = Float = Float32 = Float64 = Int = Int8 = Int32 = Int64 = Shaped
    Integer = UInt8 = UInt16 = UInt32 = UInt64 = Shaped

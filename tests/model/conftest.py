"""What tests of the function share."""

import pytest

from partinr.model import kernel


@pytest.fixture(params=["kernel", "numpy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to evaluate: the native kernel where there is one, and NumPy."""
    if request.param == "numpy":
        monkeypatch.setattr(kernel, "why_missing", lambda: "the test says so")
    elif kernel.why_missing() is not None:
        pytest.skip(str(kernel.why_missing()))
    return str(request.param)

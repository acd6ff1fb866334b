"""Types and array shapes in annotations are checked while the tests run, and only then."""

import os
import signal

from hypothesis import settings
from jaxtyping import install_import_hook

# Several processes on as many cores: torch's threads would wait for one another, awake.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    _share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, _share)))

install_import_hook("partinr", "typechecking.checked")

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("any_time", settings(), deadline=None)
settings.load_profile("any_time")

# Tests send signals to processes that they start, which ignore what was ignored when the tests were started.
for _name, _default in (
    ("SIGINT", signal.default_int_handler),
    ("SIGTERM", signal.SIG_DFL),
    ("SIGHUP", signal.SIG_DFL),
):
    _number = getattr(signal, _name, None)  # Windows has no SIGHUP
    if _number is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _default)

"""Types and array shapes in annotations are checked while the tests run, and only then."""

import signal

from jaxtyping import install_import_hook

install_import_hook("partinr", "typechecking.checked")

# Tests send signals to processes that they start, which ignore what was ignored when the tests were started.
for _name, _default in (
    ("SIGINT", signal.default_int_handler),
    ("SIGTERM", signal.SIG_DFL),
    ("SIGHUP", signal.SIG_DFL),
):
    if signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _name), _default)

"""The one exception that means "what you gave me cannot be used"."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


class InputError(ValueError):
    """An input, an option or a file that partinr cannot work with.

    The message is one line: what was expected, what came, what to do. The command line prints it as it is and
    exits with code 2.
    """


def need(package: str, what: str, extra: str | None = None) -> None:
    """Make sure that a package is there which one of partinr's extras brings.

    Args:
        package: such as "torch".
        what: for what it is needed, such as "the torch engine".
        extra: its name; by default the package's.

    Raises:
        InputError: it is not; the message has the command to type.
    """
    if find_spec(package) is None:
        raise InputError(
            f'{what} needs the package {package}; run: pip install "partinr[{extra or package}]"'
        )


def loaded(package: str, otherwise: str) -> ModuleType:
    """A package that one of partinr's extras brings, with a library that may be missing for itself.

    Args:
        package: what it is imported as.
        otherwise: what is said where that is not possible.

    Raises:
        InputError: it is not.
    """
    try:
        return import_module(package)
    except (ImportError, OSError) as error:
        raise InputError(otherwise) from error

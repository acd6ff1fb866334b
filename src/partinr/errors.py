"""The one exception that means "what you gave me cannot be used"."""


class InputError(ValueError):
    """An input, an option or a file that partinr cannot work with.

    The message is one line: what was expected, what came, what to do. The command line prints it as it is and
    exits with code 2.
    """

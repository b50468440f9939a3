"""What is the user's to mend."""


class BadInput(Exception):  # noqa: N818 - reads as what it says: `raise BadInput("…")`
    """One sentence that names the file, key or layer, what is wrong with it and what to do.

    The command line prints it and exits with 2; it never shows a traceback for it.
    """


class InputWarning(UserWarning):
    """One sentence on something of the user's that is not used as they may expect.

    The command line prints it to stderr and goes on.
    """

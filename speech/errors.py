"""The one kind of error that is the user's to mend."""


class BadInput(Exception):  # noqa: N818 - reads as what it says: `raise BadInput("…")`
    """One sentence that names the file, key or layer, what is wrong with it and what to do.

    The command line prints it and exits with 2; it never shows a traceback for it.
    """

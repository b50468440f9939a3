"""Sparsities that there are not."""

from speech.errors import BadInput


class OutOfReach(BadInput):
    """The method cannot cut this model so far, or just so far: nothing but the wish can change."""

"""Processes that end with the one that began them, however that ends."""

import os
import threading
import time


def end_with(parent: int) -> None:
    """Without a parent nobody waits for the results."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)

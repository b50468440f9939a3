"""The Ray cluster that is worked on: one that is there, or one that is begun here for the run."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import ray

from pipeline.executors.work import Order
from pipeline.workers import cores
from speech.errors import BadInput

#: Seconds for the machine of a cluster to answer.
_PATIENCE = 10.0

_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


@contextmanager
def connected(address: str | None) -> Iterator[bool]:
    """Gives whether the cluster is begun here; it then ends with the run."""
    if ray.is_initialized():
        yield False
        return
    begun = not _found(address)
    if begun:
        ray.init("local", num_cpus=cores(), include_dashboard=False, **_QUIET)
    try:
        yield begun
    finally:
        ray.shutdown()


def _found(address: str | None) -> bool:
    """Ray itself looks at RAY_ADDRESS, and for a cluster of this machine."""
    named = address or os.environ.get("RAY_ADDRESS")
    try:
        if named:
            _knock(named)
        ray.init(address or "auto", **_QUIET)
    except (OSError, RuntimeError, ValueError) as error:  # a ConnectionError is an OSError
        if named is None:
            return False
        raise BadInput(
            f"There is no Ray cluster to be reached at {named}: begin one with `ray start --head`, "
            "or leave the address out and one is begun here for the run."
        ) from error
    return True


def _knock(address: str) -> None:
    """Ray itself would try for minutes where nobody answers."""
    place = urlsplit(address if "://" in address else f"ray://{address}")
    if place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), _PATIENCE).close()


def demands(order: Order) -> dict[str, Any]:
    """What Ray is to keep free for each task; raises for what no node has."""
    threads = order.threads or 1
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= threads for node in nodes):
        raise BadInput(
            f"No node of the Ray cluster has {threads} processors to work with: give it one."
        )
    gpus = any(node.get("GPU", 0) >= 1 for node in nodes)
    if order.device == "cuda" and not gpus:
        raise BadInput("No node of the Ray cluster has a GPU: use --device cpu or auto.")
    environment = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    return {
        "num_cpus": threads,
        "num_gpus": int(gpus and order.device in ("auto", "cuda")),
        "runtime_env": {"env_vars": environment},
        "max_retries": 0,
    }

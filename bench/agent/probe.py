"""What this machine is and how it feels right now, before anything is measured on it."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.agent import VERSION
from bench.agent.clock import stamp_now
from bench.agent.environment import describe_environment
from bench.agent.locks import cache_folder
from bench.agent.sampler import sensors_of_this_machine


def probe() -> dict[str, Any]:
    """Facts for JSON; sizes in MiB."""
    place = cache_folder()
    nearest = next(path for path in (place, *place.parents) if path.exists())
    return {
        "agent": VERSION,
        **asdict(stamp_now()),
        "environment": describe_environment(),
        "reading": asdict(sensors_of_this_machine().read()),
        "free_disk_mb": shutil.disk_usage(nearest).free // 2**20,
        "cache": str(place),
        "memory_cgroup": _has_memory_cgroup(Path("/sys/fs/cgroup/cgroup.controllers")),
    }


def _has_memory_cgroup(controllers: Path) -> bool | None:
    """Whether the kernel can hold a group of processes to an amount of memory."""
    try:
        return "memory" in controllers.read_text(encoding="ascii").split()
    except OSError:
        return None

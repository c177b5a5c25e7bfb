# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""How many physical cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_TOPOLOGY = Path('/sys/devices/system/cpu')
_QUOTA = Path('/sys/fs/cgroup/cpu.max')


def usable_cores(topology: Path = _TOPOLOGY, quota: Path = _QUOTA,
                 allowed: set[int] | None = None) -> int:
    """
    Count physical cores within the affinity mask and the container's CPU quota.

    Hyper-threads of one core count once: two of them share the units that inference keeps busy.

    :param allowed: numbers of logical CPUs; None = this process's affinity mask
    :returns: at least 1
    """
    allowed = os.sched_getaffinity(0) if allowed is None else allowed
    cores = {_siblings(topology, cpu) for cpu in allowed}
    return max(1, min(len(cores), _quota_cores(quota, len(cores))))


def _siblings(topology: Path, cpu: int) -> str:
    try:
        return (topology / f'cpu{cpu}' / 'topology' / 'thread_siblings_list').read_text().strip()
    except OSError:
        return str(cpu)  # no sysfs: every logical CPU counts


def _quota_cores(quota: Path, default: int) -> int:
    """Whole CPUs of a cgroup-v2 quota `MICROSECONDS PERIOD`, `default` where there is none."""
    try:
        limit, period = quota.read_text().split()[:2]
        return int(limit) // int(period)
    except (OSError, ValueError):
        return default  # no such file, or `max`

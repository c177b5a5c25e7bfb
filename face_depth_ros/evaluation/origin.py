# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Which code on which machine made a result."""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata
import os
from pathlib import Path
import platform
import shlex
import subprocess

import face_depth_ros


@lru_cache(maxsize=1)
def commit() -> str:
    """Return the package's git commit, with '-dirty' when files differ, or its version."""
    package = Path(face_depth_ros.__file__).resolve().parent
    # A package that is installed inside somebody else's checkout must not take its commit.
    if _git(package, 'ls-files', '--error-unmatch', '__init__.py') is None:
        return _version()
    head = _git(package, 'rev-parse', 'HEAD')
    if head is None:
        return _version()
    return head + ('-dirty' if _git(package, 'status', '--porcelain', '-uno') else '')


@lru_cache(maxsize=1)
def machine() -> str:
    """Return processor, cores, system and Python in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return (f'{_processor()}, {cores} cores, {platform.system()} {platform.release()}, Python '
            f'{platform.python_version()}')


def command_line(program: str, arguments: list[str]) -> str:
    """Return the command that repeats this run."""
    return shlex.join([program, *arguments])


def _processor() -> str:
    try:
        for line in Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _version() -> str:
    try:
        return f'v{metadata.version("face_depth_ros")}'
    except metadata.PackageNotFoundError:
        return 'unknown'


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(['git', '-C', str(folder), *arguments], capture_output=True,
                              text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

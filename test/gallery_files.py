# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Galleries for tests, and a process that enrols until it is killed."""

from __future__ import annotations

from multiprocessing.connection import Connection
import os
from pathlib import Path
import resource
import secrets  # noqa: F401
import sqlite3
import sys
import time
from typing import Any

from face_depth_ros.gallery.gallery import Gallery
from face_depth_ros.gallery.people import Template
from face_depth_ros.gallery.sealing import KeySeal
import numpy as np

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
MODEL = 'a' * 64
OTHER_MODEL = 'b' * 64


def open_gallery(path: Path, key: bytes | None = KEY, **options: Any) -> Gallery:
    """Open a gallery in a test's folder; `key=None` is plain storage."""
    return Gallery.open(path, key=key, plain=key is None, allow_temporary=True, **options)


def template(seed: int = 0, dimensions: int = 64, model: str = MODEL, quality: float = 0.5,
             **more: Any) -> Template:
    """Draw a template, another for every seed."""
    vector = np.random.default_rng(seed).normal(size=dimensions)
    return Template(vector / np.linalg.norm(vector), quality, model, **more)


def enrol_for_ever(path: str, first: int) -> None:
    """Enrol people and forget some; write a line to the output once each is acknowledged."""
    with open_gallery(Path(path)) as gallery:
        number = first
        while True:
            name = f'person {number}'
            gallery.enroll(name, [template(number), template(number + 10**6)])
            os.write(1, f'+{name}\n'.encode())
            if number % 3 == 0:
                os.write(1, f'?{name}\n'.encode())  # From here on either is right.
                gallery.forget(name)
                os.write(1, f'-{name}\n'.encode())
            number += 1


def fork_writers() -> None:
    """For each line `path|first` of the input: fork a writer, say its number, and when it ends."""
    KeySeal(KEY, b'').seal(b'', template().vector.tobytes())  # What is loaded once.
    for line in sys.stdin:
        path, first = line.rstrip('\n').split('|')
        child = os.fork()
        if not child:
            enrol_for_ever(path, int(first))
        os.write(1, f'#{child}\n'.encode())
        os.waitpid(child, 0)
        os.write(1, b'.\n')


def hold_the_lock(path: str, report: Connection) -> None:
    """Be the one writer until killed."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute('BEGIN IMMEDIATE')
    report.send('held')
    time.sleep(600)


def use_as(user: int, path: str, read_only: bool, answers: Any) -> None:
    """Open a gallery as another user and enrol; answer with the cause of the error."""
    new = template(99)  # All that is imported is imported by now.
    os.setgid(user)
    os.setuid(user)
    try:
        with open_gallery(Path(path), read_only=read_only) as gallery:
            answers.put(f'{len(gallery.people())} people')
            gallery.enroll('new', [new])
            answers.put('enrolled')
    except Exception as error:  # noqa: BLE001
        answers.put(f'{getattr(error, "cause", "")} {error}')


def enrol_with_little_space(path: str, limit: int, answers: Any) -> None:
    """Enrol until the file may not grow any more; answer with what was acknowledged."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    done = 0
    gallery = open_gallery(Path(path))
    try:
        while True:
            gallery.enroll(f'person {done}', [template(done, 512)])
            done += 1
    except Exception as error:  # noqa: BLE001
        answers.put((done, f'{getattr(error, "cause", "")} {error}'))


if __name__ == '__main__':
    fork_writers()

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Folders of drawn photos, and a describer of them that needs no model and tells what it saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import time

import cv2
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.datasets.image_faces import DescribedFace, FoundFace, LeftOut, NO_FACE
import numpy as np

SIZE = 16
FACELESS = 5
"""Every photo whose number is divisible by it has no face."""


def draw_photos(root: Path, people: int, each: int) -> list[str]:
    """Write photos of one colour each, its red and green tell their number; return the paths."""
    paths = []
    for number in range(people * each):
        path = root / f'n{number // each:06d}' / f'{number % each:04d}_01.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        photo = np.full((24, 24, 3), (77, number // 256, number % 256), np.uint8)
        cv2.imwrite(str(path), photo)
        paths.append(path.relative_to(root).as_posix())
    return paths


@dataclass(frozen=True)
class DrawnSource:
    """
    Opens the describer.

    :param log: file that gets a line 'process number' for each photo; '' = none
    :param seconds: that each photo takes
    :param kills: number of the photo that ends its process, -1 = none
    :param differs: the model is another one in each process
    """

    log: str = ''
    seconds: float = 0.0
    kills: int = -1
    sha256: str = 'a' * 64
    differs: bool = False

    def identity(self) -> dict[str, str | int]:
        sha256 = str(os.getpid()) if self.differs else self.sha256
        return {'model': 'drawn', 'model_sha256': sha256, 'crop_px': SIZE}

    def open(self) -> DrawnDescriber:
        return DrawnDescriber(self)


class DrawnDescriber:
    engines = {'estimator': 'drawn'}

    def __init__(self, source: DrawnSource) -> None:
        self._source = source

    def find(self, photo: np.ndarray) -> FoundFace | LeftOut:
        number = int(photo[0, 0, 0]) + 256 * int(photo[0, 0, 1])
        if self._source.log:
            with Path(self._source.log).open('a') as log:
                log.write(f'{os.getpid()} {number}\n')
        if number == self._source.kills:
            os._exit(9)
        time.sleep(self._source.seconds)
        if number % FACELESS == 0:
            return LeftOut(NO_FACE, 'drawn without')
        return FoundFace(np.ascontiguousarray(photo[:SIZE, :SIZE]), FaceBox(12.0, 12.0, 16.0, 0.1),
                         0.9)

    def estimate(self, faces: Sequence[FoundFace]) -> list[DescribedFace | LeftOut]:
        result: list[DescribedFace | LeftOut] = []
        for face in faces:
            relief = face.color[..., 0].astype(np.float32) * np.float32(1e-3) - np.float32(0.1)
            relief[0] = np.nan
            mask = np.ones((SIZE, SIZE), np.uint8)
            mask[0] = 0
            result.append(DescribedFace(face, relief, mask, np.full((68, 2), 3.25, np.float32),
                                        np.full(68, 0.5, np.float32), 0.8))
        return result

    def close(self) -> None:
        pass


def read_log(log: Path) -> Iterator[tuple[int, int]]:
    """Yield process and photo of each whole line."""
    text = log.read_text() if log.exists() else ''
    for line in text.splitlines(keepends=True):
        if line.endswith('\n'):
            process, number = line.split()
            yield int(process), int(number)


def contents(out: Path) -> dict[str, bytes]:
    """Return the visible files of a data set."""
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob('*'))
            if p.is_file() and not p.name.startswith('.')}

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The folder of the head model, skins, hair, glasses and lights: where it is, what it holds."""

from __future__ import annotations

from dataclasses import dataclass
import json
import os
from pathlib import Path

import cv2
from face_depth_ros.core.errors import AssetsError
import numpy as np

ASSETS_VARIABLE = 'FACE_DEPTH_ASSETS'
HEAD_FILE = 'ict_model.npz'
_CHECKOUT = Path(__file__).resolve().parents[2]


def find_assets(folder: str | Path | None = None) -> FaceAssets:
    """
    Find the assets: the given folder, else FACE_DEPTH_ASSETS, else ../shared/data/face_assets.

    The last is relative to the checkout. A folder that is named but does not hold the head model
    is an error, never skipped.

    :param folder: what the user gave as --assets, or None
    :raises AssetsError: there is no such folder, or it lacks the head model
    """
    if folder is not None:
        return FaceAssets(_checked(Path(folder), '--assets'))
    if os.environ.get(ASSETS_VARIABLE):
        return FaceAssets(_checked(Path(os.environ[ASSETS_VARIABLE]), ASSETS_VARIABLE))
    default = _CHECKOUT.parent / 'shared' / 'data' / 'face_assets'
    return FaceAssets(_checked(default, 'the default folder beside the checkout'))


def _checked(folder: Path, origin: str) -> Path:
    if not (folder / HEAD_FILE).is_file():
        raise AssetsError(
            f'no face assets: {origin} is {folder}, expected a folder with {HEAD_FILE}; give the '
            f'folder with --assets DIR or set {ASSETS_VARIABLE}, or make one from a checkout of '
            'ICT-FaceKit with python -m face_depth_ros.synthesis.import_ict_facekit')
    return folder.resolve()


@dataclass(frozen=True)
class FaceAssets:
    """
    A folder of face assets; files are read when asked for.

    :param folder: holds ict_model.npz; everything else (skins, hair, ...) is optional
    """

    folder: Path

    def names(self, kind: str, extension: str) -> list[str]:
        """Return the sorted file stems of one kind, such as ('hair', 'npz'); or none."""
        return sorted(path.stem for path in (self.folder / kind).glob(f'*.{extension}'))

    def skins(self) -> list[str]:
        """Return the names of the skins that have both a face and a head texture."""
        stems = set(self.names('albedo', 'jpg'))
        return sorted(name for name in stems if f'{name}_head' in stems)

    def arrays(self, *parts: str) -> dict[str, np.ndarray]:
        """
        Read an .npz file.

        :raises AssetsError: it is missing or damaged
        """
        path = self.folder.joinpath(*parts)
        try:
            with np.load(path) as data:
                return {key: data[key] for key in data.files}
        except (OSError, ValueError, KeyError) as error:
            raise AssetsError(f'cannot read the asset {path}: {error}; get a complete asset '
                              'folder') from error

    def table(self, *parts: str) -> dict:
        """
        Read a .json file.

        :raises AssetsError: it is missing or damaged
        """
        path = self.folder.joinpath(*parts)
        try:
            return json.loads(path.read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            raise AssetsError(f'cannot read the asset {path}: {error}; get a complete asset '
                              'folder') from error

    def image(self, *parts: str, channels: int = 3) -> np.ndarray:
        """
        Read an image.

        :param channels: 1 grey, 3 RGB, 4 RGBA
        :returns: (H, W, channels) uint8, (H, W) for one channel
        :raises AssetsError: it is missing, damaged or lacks the alpha channel
        """
        path = self.folder.joinpath(*parts)
        flag = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR, 4: cv2.IMREAD_UNCHANGED}[channels]
        image = cv2.imread(str(path), flag) if path.is_file() else None
        if image is None or (channels == 4 and (image.ndim != 3 or image.shape[2] != 4)):
            raise AssetsError(f'cannot read the asset {path} as an image of {channels} channels; '
                              'get a complete asset folder')
        if channels == 1:
            return image
        order = cv2.COLOR_BGRA2RGBA if channels == 4 else cv2.COLOR_BGR2RGB
        return cv2.cvtColor(image, order)

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
BU-3DFE, the Binghamton University 3D Facial Expression database, read from its own folders.

Source: Yin, Wei, Sun, Wang and Rosato, "A 3D Facial Expression Database for Facial Behavior
Research", FG 2006: 100 people, six expressions in four strengths each and one neutral face.

    <root>/F0001/F0001_AN01WH_F3D.wrl      mesh of the face, VRML
    <root>/F0001/F0001_AN01WH_F3D.bnd      83 landmarks: number, x, y, z per line
    <root>/F0001/F0001_AN01WH_F2D.bmp      its texture

F or M and a number, expression (AN, DI, FE, HA, NE, SA, SU), strength (00 for neutral, else 01 to
04), ethnicity (AE, AM, BL, IN, LA, WH).

Certain, since independent programs for the dataset agree on it: these folders and names; that the
points stand in a VRML list and lie within about 110 of 0, so in millimetres; that a line of the
landmarks is an index followed by x, y, z. Assumed, for want of the data: y points up and z to the
viewer; the mesh has places in its texture, which it names or else is the _F2D.bmp; the landmarks'
own x, y, z serve without the index. The _RAW files are not read.
"""

from __future__ import annotations

from collections.abc import Iterable
import os
from pathlib import Path
import re

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    existing,
    FaceDataset,
    first_as_gallery,
    GalleryProbe,
    NEUTRAL,
    read_color,
    read_numbers,
    Recording,
    RgbdFace,
)
from face_depth_ros.datasets.scan_images import front_view, METRES_PER_PIXEL, render, Surface
from face_depth_ros.datasets.vrml_mesh import read_vrml
import numpy as np

DATASET = 'bu_3dfe'
LANDMARKS = 83
EXPRESSIONS = {'AN': 'anger', 'DI': 'disgust', 'FE': 'fear', 'HA': 'happiness', 'NE': NEUTRAL,
               'SA': 'sadness', 'SU': 'surprise'}
GALLERY, PROBE = 100, 2400
"""How many scans the papers' split of the whole dataset has."""
DEPTHNET_IDENTITIES = 90

_TITLE = 'BU-3DFE'
_LAYOUT = 'F0001/F0001_AN01WH_F3D.wrl'
_NAME = re.compile(r'([FM]\d{4})_([A-Z]{2})(\d{2})([A-Z]{2})_F3D\.wrl')
_MM = 0.001


class Bu3dfe(FaceDataset):
    """
    The dataset's folder.

    :param root: the folder that holds F0001 and so on, or the one that holds that folder
    :param color: False leaves the textures unread
    :param metres_per_pixel: of the orthographic images
    :raises DatasetError: no such folder, nothing of the dataset in it, or a name that is not of it
    """

    def __init__(self, root: str | os.PathLike[str], *, color: bool = True,
                 metres_per_pixel: float = METRES_PER_PIXEL) -> None:
        self.root = dataset_root(root, lambda folder: any(folder.glob('[FM]*/*_F3D.wrl')),
                                 _TITLE, _LAYOUT)
        self.color, self.metres_per_pixel = color, metres_per_pixel
        self.recordings = tuple(_recording(p) for p in sorted(self.root.glob('[FM]*/*_F3D.wrl')))

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one recording.

        :returns: an orthographic view from the front, nominal yaw and pitch 0; landmarks (83, 2)
            in the dataset's order where there is a file of them
        :raises DatasetError: a file is missing or not what it should be
        """
        surface = self._surface(recording)
        view = front_view(surface, recording.name, self.metres_per_pixel)
        color, depth = render(surface, view)
        marks = recording.path.with_suffix('.bnd')
        landmarks = (view.landmarks(read_landmarks(marks), recording.name) if marks.is_file()
                     else None)
        return RgbdFace(DATASET, recording.subject, recording.session, recording.name,
                        recording.condition, color, depth, landmarks=landmarks,
                        metres_per_pixel=view.metres_per_pixel, yaw=0.0, pitch=0.0)

    def _surface(self, recording: Recording) -> Surface:
        mesh = read_vrml(existing(recording.path))
        points = mesh.points * _MM
        if not self.color:
            return Surface(points, mesh.triangles)
        if mesh.texture_places is None:
            raise DatasetError(f'{recording.path} has no TextureCoordinate; open the dataset with '
                               'color=False to read its depth alone')
        named = recording.path.with_name(mesh.texture_name or '?')
        texture = read_color(named if named.is_file() else recording.path.with_name(
            f'{recording.name}_F2D.bmp'))
        height, width = texture.shape[:2]
        texels = np.array([0.0, height]) + mesh.texture_places * np.array([width, -height])
        return Surface(points, mesh.triangles, texels, texture)


def read_landmarks(path: Path) -> np.ndarray:
    """
    Read a landmark file.

    :returns: metres, (83, 3) float64
    :raises DatasetError: missing, unreadable, or not 83 lines of number, x, y, z
    """
    lines = read_numbers(path, 4, 'number, x, y, z')
    if len(lines) != LANDMARKS:
        raise DatasetError(f'{path} has {len(lines)} landmarks, expected {LANDMARKS}')
    return lines[:, 1:] * _MM


def identification_split(recordings: Iterable[Recording]) -> GalleryProbe:
    """
    Put the neutral scan of each subject into the gallery and the rest into the probe.

    Of the whole dataset these are 100 and 2,400.
    """
    return first_as_gallery(recordings)


def expression_of(recording: Recording) -> tuple[str, int] | None:
    """
    Return the expression of a recording and its strength, 1 to 4.

    :returns: None of a neutral one
    """
    if recording.condition == NEUTRAL:
        return None
    word, _, strength = recording.condition.partition('_')
    return word, int(strength)


def depthnet_identities(recordings: Iterable[Recording]
                        ) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    Choose the subjects that DepthNet is trained on, 90 of 100, and those it is tested on.

    The paper does not say which; here every tenth in the order of the names is left for the test.

    :returns: for training, for testing
    """
    subjects = sorted({r.subject for r in recordings})
    test = tuple(subjects[9::10])
    return tuple(s for s in subjects if s not in test), test


def _recording(path: Path) -> Recording:
    found = _NAME.fullmatch(path.name)
    if not found or found[2] not in EXPRESSIONS or found[1] != path.parent.name:
        raise DatasetError(f'{path} is not a name of {_TITLE}, expected such as {_LAYOUT} with '
                           f'an expression of {", ".join(EXPRESSIONS)}')
    subject, expression, strength, _ = found.groups()
    condition = EXPRESSIONS[expression]
    if condition != NEUTRAL:
        condition = f'{condition}_{int(strength)}'
    return Recording(DATASET, subject, '', path.name.removesuffix('_F3D.wrl'), condition, path)

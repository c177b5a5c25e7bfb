# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The tables and pictures on real or rendered faces: sources in, one evaluation per table out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, count
from pathlib import Path
from typing import Protocol

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.evaluation.bag_faces import bag_faces
from face_depth_ros.evaluation.enhanced_faces import enhanced_faces, EnhancedFace
from face_depth_ros.evaluation.enhancement_report import absent_note
from face_depth_ros.evaluation.enhancer_rows import EnhancerRows
from face_depth_ros.evaluation.evaluation_result import Evaluation, Table
from face_depth_ros.evaluation.face_panels import FacePanels
from face_depth_ros.evaluation.falsification_protocol import FalsificationScores
from face_depth_ros.evaluation.kinect_faces import kinect_faces
from face_depth_ros.evaluation.landmark_protocol import LandmarkScores
from face_depth_ros.evaluation.real_faces import FaceSample, stored_faces
from face_depth_ros.evaluation.roughness_protocol import RoughnessScores
from tqdm import tqdm

_BAG_ENDINGS = ('*.db3', '*.mcap', 'metadata.yaml')


class FaceScores(Protocol):
    """What each protocol on faces offers."""

    def add(self, face: EnhancedFace) -> None:
        """Count one face."""
        ...

    def tables(self, dataset: str) -> dict[str, Table]:
        """Return the tables by id."""
        ...

    def blocks(self) -> list[str]:
        """Return the HTML."""
        ...


_SCORES: dict[str, Callable[[Sequence[str]], FaceScores]] = {
    'roughness': RoughnessScores, 'falsification': FalsificationScores,
    'landmarks': LandmarkScores, 'panels': FacePanels}
_TITLES = {'roughness': 'Roughness and holes', 'falsification': 'Falsification',
           'landmarks': 'Landmarks and a face check by them',
           'panels': 'Faces under every enhancer'}
_ABOUT = {
    'roughness': 'Roughness (mean absolute response of the 3 x 3 kernel of the paper) and holes '
                 'in the face area, before and after each enhancer.',
    'falsification': 'How far each enhancer moves what was measured: RMSE between input and '
                     'output in the face area, outside the holes of the input.',
    'landmarks': 'Landmarks without depth, and the geometric check of the paper, before and after '
                 'each enhancer; the same check on what is no face.',
    'panels': 'The same faces under every enhancer, masked to the face area.'}
FACE_PROTOCOLS = tuple(_SCORES)


@dataclass(frozen=True)
class FaceSource:
    """
    Where faces come from.

    :param dataset: for people
    :param key: short, for the ids of tables
    :param samples: begins to read
    """

    dataset: str
    key: str
    samples: Callable[[], Iterator[FaceSample]]

    @staticmethod
    def stored(path: Path, limit: int | None) -> FaceSource:
        """Return the source that reads a file of samples."""
        return FaceSource('rendered fixture', path.stem, lambda: stored_faces(path, limit))

    @staticmethod
    def recorded(path: Path, reference: Path | None, *, backend: str, precision: str,
                 limit: int | None) -> FaceSource:
        """
        Return the source that reads a bag, or a folder in the layout of KinectFaceDB.

        :param reference: true depth of the bag; None = what lies beside it, if anything
        """
        name = '/'.join(path.absolute().parts[-2:])
        if path.is_file() or any(next(path.glob(e), None) for e in _BAG_ENDINGS):
            return FaceSource(name, path.stem, lambda: bag_faces(
                path, reference, backend=backend, precision=precision, limit=limit))
        return FaceSource(f'KinectFaceDB in {name}', path.stem,
                          lambda: kinect_faces(path, limit=limit, backend=backend))


def score_faces(sources: Sequence[FaceSource], rows: EnhancerRows, protocols: Sequence[str],
                needed: bool = False) -> list[Evaluation]:
    """
    Run every row on every face of every source once, and make the tables.

    :param protocols: names of `FACE_PROTOCOLS`
    :param needed: a protocol for which no face fits is an error; else it is left out
    :returns: one evaluation for each protocol that had faces
    :raises DatasetError: no face fits any protocol
    """
    results = {name: Evaluation(name, _ABOUT[name], {}, title=_TITLES[name]) for name in protocols}
    for source in sources:
        scores = {name: _SCORES[name](rows.rows) for name in protocols}
        for face in enhanced_faces(tqdm(source.samples(), unit='face'), rows):
            for score in scores.values():
                score.add(face)
        for name, score in scores.items():
            _add(results[name], score, source, several=len(sources) > 1)
    made = [result for result in results.values() if result.tables]
    if not made or (needed and len(made) < len(results)):
        raise DatasetError(
            f'no face of {", ".join(s.dataset for s in sources)} fits '
            f'{", ".join(n for n, r in results.items() if not r.tables)}; the tables need faces '
            'with depth, the landmarks also a dataset or a detector that gives them')
    for result in made:
        result.blocks.append(absent_note(rows.absent))
        result.details['absent'] = dict(rows.absent)
    return made


def _add(result: Evaluation, score: FaceScores, source: FaceSource, *, several: bool) -> None:
    tables = {key: table for key, table in score.tables(source.dataset).items()
              if any(v is not None for row in table.rows.values() for v in row.values())}
    if not tables:
        return
    for key, table in tables.items():
        name = f'{key}_{source.key}' if several else key
        numbered = chain([name], (f'{name}_{i}' for i in count(2)))  # folders of equal names
        result.tables[next(n for n in numbered if n not in result.tables)] = table
    result.blocks += [f'<h3>{escape(source.dataset)}</h3>', *score.blocks()]

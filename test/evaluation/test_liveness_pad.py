# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The landmark error before and after enhancement, counted on images written by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from face_depth_ros.core.depth import DepthRange
from face_depth_ros.evaluation.enhanced_faces import EnhancedFace
from face_depth_ros.evaluation.enhancer_rows import Enhanced, EnhancerRows
from face_depth_ros.evaluation.face_tables import FaceSource
from face_depth_ros.evaluation.liveness_pad import pad_errors, PadErrors, with_landmarks
from face_depth_ros.evaluation.liveness_tables import pad_tables
from face_depth_ros.evaluation.liveness_verdict import pad_sentences
from face_depth_ros.evaluation.real_faces import ATTACK, FaceSample
from kinect_face_files import write_session
import numpy as np
import pytest

POINTS = np.stack([10.5 + 3 * np.arange(68), np.full(68, 40.5)], axis=1).astype(np.float32)
FACE = np.full(68, 0.4)
FACE[:17] = 0.5 + 0.02 * np.abs(np.arange(17) - 8)
FACE[30] = 0.2


def image(**changed: float) -> np.ndarray:
    """Return an image whose landmarks have the depths of a face, but for a few."""
    depths = FACE.copy()
    for name, value in changed.items():
        depths[int(name.removeprefix('p'))] = value
    d = np.ones((256, 256), np.float32)
    d[40, 10 + 3 * np.arange(68)] = depths
    return d


def face(variant: str, raw: np.ndarray, ours: np.ndarray, name: str = 'a',
         points: np.ndarray | None = POINTS) -> EnhancedFace:
    slab = DepthRange(0.5)
    sample = FaceSample(name, variant, slab.denormalise(raw), np.ones((256, 256), bool), points)
    support = np.ones((256, 256), bool)
    return EnhancedFace(sample, slab, raw, {'None': Enhanced(raw, support),
                                            'Ours': Enhanced(ours, support)})


def counted() -> PadErrors:
    result = PadErrors('drawn', 'drawn')
    result.add(face('neutral', image(p45=1.0, p46=1.0), image()))
    result.add(face('smile', image(p45=0.1), image(p45=0.1)))  # nearer than the nose, no hole
    result.add(face('mouth', image(p45=1.0), image(), 'covered'))
    result.add(face('neutral', image(p45=1.0), image(), 'no points', None))
    result.add(face(ATTACK + 'ball', image(p45=1.0, p46=1.0, p47=1.0), image(p45=1.0)))
    return result


def test_every_image_with_open_landmarks_counts() -> None:
    result = counted()
    assert result.names == ['a', 'a'] and result.with_holes == [True, False]
    rows = result.rows(['None', 'DL-Alpha', 'Ours'])
    assert list(rows) == ['None', 'DL-Alpha', 'Ours']
    none, ours = rows['None'], rows['Ours']
    assert 68 * none['mean'] == pytest.approx(1.5) and 68 * ours['mean'] == pytest.approx(0.5)
    assert (68 * none['min'], 68 * none['max'], none['images']) == pytest.approx((1, 2, 2))
    assert 68 * none['std'] == pytest.approx(np.std([1, 2], ddof=1))
    assert 68 * none['holes'] == pytest.approx(1.0) and ours['holes'] == 0.0
    assert rows['DL-Alpha']['mean'] is None
    # One attack: three landmarks fail before, one after.
    assert 68 * none['attacks_mean'] == pytest.approx(3) and none['worst_fall'] == 0.0
    assert 68 * ours['worst_fall'] == pytest.approx(2)


def test_the_papers_table_counts_images_with_holes_only() -> None:
    tables = pad_tables([counted()], ['None', 'Ours'])
    assert list(tables) == ['pad_error_drawn', 'pad_holes_drawn']
    rows = tables['pad_holes_drawn'].rows
    assert rows['None']['images'] == 1 and 68 * rows['None']['mean'] == pytest.approx(2)
    assert rows['Ours']['mean'] == 0.0
    open_only = PadErrors('drawn', 'drawn')
    open_only.add(face('neutral', image(), image()))
    assert list(pad_tables([open_only], ['None', 'Ours'])) == ['pad_error_drawn']
    assert open_only.hole_rows(['None']) == {}


def test_the_verdict_names_faces_and_attacks() -> None:
    (sentence,) = pad_sentences([counted()])
    assert 'lowers the landmark error from 0.022 to 0.007; the lowest of all rows' in sentence
    assert 'falls too, from 0.044 to 0.015, which helps the attacker' in sentence
    worse = PadErrors('drawn', 'drawn')
    worse.add(face('neutral', image(), image(p45=1.0)))
    assert 'does not lower the landmark error: 0.000 before, 0.015 after' in pad_sentences(
        [worse])[0]
    assert pad_sentences([PadErrors('nothing', 'nothing')]) == []


def test_a_folder_in_the_layout_of_kinect_face_db(tmp_path: Path) -> None:
    write_session(tmp_path, '0001', 's1')

    class Estimator:
        size = 256

        def estimate(self, crops: np.ndarray) -> Any:
            # A detector's landmarks: all on the flat side of the bulge, a nose on its top.
            points = np.full((1, 68, 2), 0.3, np.float32)
            points[0, 30] = 0.5
            return SimpleNamespace(landmarks=points, confidence=np.ones(1))

    source = FaceSource.recorded(tmp_path, None, backend='auto', precision='auto', limit=None)
    with EnhancerRows(rows=['None', 'De-M8']) as rows:
        (result,) = pad_errors([source], rows, Estimator())
    # The neutral face, a smile, an open mouth and another light; three more are covered.
    assert len(result.names) == 4 and result.dataset.startswith('KinectFaceDB in')
    assert set(result.faces) == {'None', 'De-M8'} and result.attacks == {}
    assert result.mean('None') == 0.0


def test_landmarks_are_estimated_where_there_are_none() -> None:
    class Estimator:
        size, calls = 128, 0

        def estimate(self, crops: np.ndarray) -> Any:
            assert crops.shape == (1, 128, 128, 3) and crops.dtype == np.uint8
            self.calls += 1
            return SimpleNamespace(landmarks=np.full((1, 68, 2), 0.25, np.float32),
                                   confidence=np.array([crops.max() / 255.0]))

    blank, mask = np.full((256, 256), 0.5, np.float32), np.ones((256, 256), bool)
    bright, dark = np.full((256, 256, 3), 255, np.uint8), np.zeros((256, 256, 3), np.uint8)
    samples = [FaceSample('a', 'neutral', blank, mask, color=bright),
               FaceSample('b', 'neutral', blank, mask, color=dark),  # no face is seen in it
               FaceSample('c', 'mouth', blank, mask, color=bright),
               FaceSample('d', 'neutral', blank, mask),
               FaceSample('e', 'neutral', blank, mask, POINTS, color=bright)]
    estimator = Estimator()
    found = {s.name: s.landmarks_68 for s in with_landmarks(samples, estimator)}
    assert (found['a'] == 64.0).all() and found['e'] is POINTS
    assert found['b'] is found['c'] is found['d'] is None and estimator.calls == 2

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Faces of liveness in files, and on the robot's way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from drawn_liveness import draw_face, draw_faces, SIDE
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_box import crop_depth
from face_depth_ros.core.frames import Provenance
from face_depth_ros.evaluation.liveness_faces import (
    load_liveness_faces,
    part_file,
    presentations,
    read_liveness_parts,
    save_liveness_faces,
)
from face_depth_ros.evaluation.liveness_views import as_measured, view_of
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
import numpy as np
import pytest


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    faces = draw_faces(2, 2)
    back = load_liveness_faces(save_liveness_faces(tmp_path / 'deep' / 'some.npz', faces))
    assert len(back) == 12 and not list((tmp_path / 'deep').glob('*.partial'))
    for one, other in zip(faces, back, strict=True):
        assert (np.isfinite(one.depth) == np.isfinite(other.depth)).all()
        assert np.nanmax(np.abs(one.depth - other.depth)) < 1.1e-4  # half a step
        for name in ('species', 'box', 'intrinsics', 'person', 'presentation', 'frame', 'sensor'):
            assert getattr(one, name) == getattr(other, name)
        assert (one.mask == other.mask).all() and (one.landmarks == other.landmarks).all()
        assert other.distance_m == pytest.approx(one.distance_m)
    assert [f.is_live for f in back[:3]] == [True, True, False]
    coarse = load_liveness_faces(save_liveness_faces(tmp_path / 'coarse.npz', faces[:1], 1000))
    off = coarse[0].depth * 1000.0 - np.rint(coarse[0].depth * 1000.0)
    assert np.nanmax(np.abs(off)) < 0.01 and np.isfinite(coarse[0].depth).any()


def test_frames_of_a_presentation_come_together_and_in_order() -> None:
    faces = [draw_face(presentation=p, frame=f) for p, f in ((4, 1), (4, 0), (2, 0))]
    assert [[(f.presentation, f.frame) for f in run] for run in presentations(faces)] == [
        [(4, 0), (4, 1)], [(2, 0)]]


def test_parts_are_read_one_after_the_other(tmp_path: Path) -> None:
    for number in range(3):
        save_liveness_faces(part_file(tmp_path, number), [
            draw_face(person=2 * number + i, presentation=10 * number + i) for i in range(2)])
    assert [len(part) for part in read_liveness_parts(tmp_path)] == [2, 2, 2]
    assert [[f.person for f in part] for part in read_liveness_parts(tmp_path, 2)] == [
        [0, 1], [2, 3]]


def test_what_is_no_such_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r'has no part_.*render_liveness_faces'):
        next(read_liveness_parts(tmp_path))
    (tmp_path / 'part_00000.npz').write_bytes(b'PK\x03\x04 and then nothing')
    with pytest.raises(DatasetError, match='remove it to render it anew'):
        next(read_liveness_parts(tmp_path))
    with pytest.raises(DatasetError, match='no faces to write'):
        save_liveness_faces(tmp_path / 'x.npz', [])
    path = save_liveness_faces(tmp_path / 'x.npz', [draw_face()])
    with np.load(path) as data:
        arrays = dict(data)
    for name, wrong in (('box', arrays['box'][:0]), ('depth', arrays['depth'][:-9]),
                        ('size', arrays['size'] + 1)):
        np.savez(path, **arrays | {name: wrong})
        with pytest.raises(DatasetError, match='cannot read the faces'):
            load_liveness_faces(path)
    np.savez(path, **{k: v for k, v in arrays.items() if k != 'landmarks'})
    with pytest.raises(DatasetError, match='landmarks'):
        load_liveness_faces(path)


@pytest.mark.parametrize(('changes', 'complaint'), [
    ({'depth': np.ones((SIDE, SIDE))}, 'float64, the camera has'),
    ({'depth': np.ones((9, SIDE), np.float32)}, r'depth is \(9, 120\) float32'),
    ({'mask': np.full((8, 8), 7, np.uint8)}, 'expected labels below 7'),
    ({'landmarks': np.zeros((5, 2), np.float32)}, r'landmarks are \(5, 2\)')])
def test_a_face_that_does_not_fit_is_refused(changes: dict[str, np.ndarray],
                                            complaint: str) -> None:
    with pytest.raises(DatasetError, match=complaint):
        replace(draw_face(), **changes)


def test_the_robots_way() -> None:
    enhancer = DepthEnhancer(method='None')
    try:
        face = draw_face(presentation=7, frame=2)
        face.depth[50:55, 50:55] = np.nan
        view = view_of(face, enhancer)
    finally:
        enhancer.close()
    assert view.stamp_ns == 66_666_666 and view.color.shape == (SIDE, SIDE, 3)
    assert view.estimate is not None and view.estimate.detection is view.detection
    assert view.detection.track_id == 'p00007'
    assert (view.estimate.mask == face.mask).all()
    assert view.raw.provenance[52, 52] == Provenance.LEFT_ALONE
    assert view.raw.provenance[60, 60] == Provenance.MEASURED
    assert np.isfinite(crop_depth(view.enhanced.depth, face.box, 64)).mean() > 0.3
    assert as_measured(face.depth).confidence[60, 60] == 255

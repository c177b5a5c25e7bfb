# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The shipped shape model: rendered people whom it has not seen, and a real recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.frames import Detection, EnhancedDepth
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.estimation_faces import intrinsics_of, real_faces
from face_depth_ros.evaluation.identity_faces import load_faces
from face_depth_ros.evaluation.identity_views import FaceLooker
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.estimator_methods import open_estimator
from face_depth_ros.predictors.face_embedder import Embedding, FaceEmbedder
from face_depth_ros.predictors.recognition_views import seen_face
import numpy as np
import pytest


@pytest.fixture(scope='module')
def embedder():
    opened = FaceEmbedder()
    yield opened
    opened.close()


def test_people_of_the_fixture_are_told_apart_by_shape_alone(embedder: FaceEmbedder) -> None:
    photos = load_faces(checkout_data('identity_faces.npz'))
    estimator = open_estimator('ours')
    looker = FaceLooker(estimator)
    cameras = list(zip(photos['position'], photos['camera'], strict=True))
    views = looker.look(photos['color'], photos['relief'].astype(np.float32), cameras).measured
    estimator.close()
    assert views is not None
    vectors = np.stack([embedder.layout.split(e.vector, 'shape') for e in embedder.embed(views)])
    gallery = photos['condition'] == 0
    found = photos['person'][gallery][(vectors[~gallery] @ vectors[gallery].T).argmax(axis=1)]
    assert (found == photos['person'][~gallery]).mean() > 0.85


def test_joint_is_told_by_measured_and_by_estimated_depth(embedder: FaceEmbedder) -> None:
    photos = load_faces(checkout_data('identity_faces.npz'))
    estimator = open_estimator('ours')
    cameras = list(zip(photos['position'], photos['camera'], strict=True))
    seen = FaceLooker(estimator).look(photos['color'], photos['relief'].astype(np.float32),
                                      cameras)
    estimator.close()
    assert seen.measured is not None
    measured, estimated = embedder.embed(seen.measured), embedder.embed(seen.estimated)
    assert {e.modalities for e in estimated} == {frozenset(('color', 'depth', 'joint'))}
    whole = [e.modalities == {'color', 'depth', 'shape', 'joint'} for e in measured]
    assert np.mean(whole) > 0.95
    # Whoever was introduced by a depth camera is found by a camera of colour alone.
    known, asked = (np.stack([embedder.layout.split(e.vector, 'joint') for e in found])
                    for found in (measured, estimated))
    gallery = photos['condition'] == 0
    found = photos['person'][gallery][(asked[~gallery] @ known[gallery].T).argmax(axis=1)]
    assert (found == photos['person'][~gallery]).mean() > 0.8
    # Depth that nobody measured in metres, nor estimated, tells nothing jointly.
    bare, = embedder.embed([replace(seen.measured[0], surface=None)])
    assert bare.modalities == {'color', 'depth'}


@pytest.mark.assets
def test_a_real_head_keeps_its_shape_while_it_turns(embedder: FaceEmbedder,
                                                    real_recording: Path) -> None:
    """
    A mannequin before a TrueDepth camera, yaw to 70 degrees.

    One of a hundred pairs of rendered strangers is as alike as the least alike frames here. The
    model was learned of rendered heads alone.
    """
    found = real_faces(real_recording / 'bag', limit=60, most_yaw=75.0).faces[::8]
    enhancer, estimator = DepthEnhancer(), DepthEstimator()
    shapes, joint, yaws = [], [], []
    for face in found:
        frame, camera = face.frame, intrinsics_of(face)
        detection = replace(face.detection, track_id='f00001')
        enhanced = enhancer.enhance(frame.depth, (detection,), intrinsics=camera)
        embedding = embedding_of(embedder, estimator, frame, detection, enhanced, camera)
        shapes.append(embedder.layout.split(embedding.vector, 'shape'))
        joint.append(embedder.layout.split(embedding.vector, 'joint'))
        yaws.append(face.yaw_deg)
    enhancer.close()
    estimator.close()
    assert np.ptp(yaws) > 50.0
    for modality, vectors in (('shape', shapes), ('joint', joint)):
        cosines = np.stack(vectors) @ np.stack(vectors).T
        assert cosines.min() > embedder.calibrations[modality].threshold(1e-2)
        assert np.median(cosines) > embedder.calibrations[modality].threshold(1e-4)


def embedding_of(embedder: FaceEmbedder, estimator: DepthEstimator, frame, detection: Detection,
                 enhanced: EnhancedDepth, camera: CameraIntrinsics) -> Embedding:
    estimated = estimator.estimate(frame.color, (detection,), intrinsics=camera,
                                   depth=frame.depth)
    seen = seen_face(frame.color, estimated.faces[0], enhanced, camera, framed=True,
                     surfaces=True)
    embedding, = embedder.embed([seen.view])
    assert {'shape', 'joint'} <= embedding.modalities and seen.depth == 'enhanced'
    return embedding

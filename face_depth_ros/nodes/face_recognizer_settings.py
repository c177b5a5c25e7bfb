# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The parameters of the node face_recognizer."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.nodes.face_join import JUDGE_WAIT_S, LOOK_S
from face_depth_ros.nodes.parameters import Change, EngineSettings, parameter
from face_depth_ros.predictors.estimator_methods import OURS
from face_depth_ros.predictors.face_embedder import SHIPPED
from face_depth_ros.predictors.face_recognizer import LEAST_QUALITY, MOST_FACES


@dataclass(frozen=True)
class FaceRecognizerSettings(EngineSettings):
    """Parameters of face_recognizer."""

    model: str = parameter(
        SHIPPED, 'name of the ModelSpec of a network that tells faces apart, or the path of its '
        'YAML; templates of another model are not compared')
    gallery: str = parameter(
        '', 'file with the people to recognise; empty = FACE_DEPTH_GALLERY, else '
        '~/.local/share/face_depth_ros/gallery.db')
    key_file: str = parameter(
        '', "file with the gallery's key; empty = the key in FACE_DEPTH_GALLERY_KEY")
    plain: bool = parameter(
        False, 'the gallery is stored without a key, readable for all who get the file')
    false_accept_rate: float = parameter(
        0.001, 'share of strangers that may be called by a name, whatever the number of people; '
        'below what the model was measured for, its strictest threshold holds',
        minimum=1e-9, maximum=0.5)
    min_quality: float = parameter(
        LEAST_QUALITY, 'views of a face below this quality are no evidence', minimum=0.0,
        maximum=1.0)
    max_faces: int = parameter(
        MOST_FACES, 'faces a frame, the largest first; others are unknown', minimum=1, maximum=100)
    enroll_seconds: float = parameter(
        3.0, 'how long views of a person are collected who is introduced', minimum=0.2,
        maximum=60.0)
    enroll_templates: int = parameter(
        5, 'at most so many views of a person are kept', minimum=1, maximum=16)
    enroll_keep_days: float = parameter(
        0.0, 'who is introduced is forgotten after so many days; 0 = never', minimum=0.0,
        maximum=36500.0)
    require_live: bool = parameter(
        False, 'everybody is unknown whom `liveness` does not call live', change=Change.START)
    use_depth: bool = parameter(
        True, 'look at depth too: enhanced where enough of a face is measured, else estimated',
        change=Change.START)
    estimator_model: str = parameter(
        OURS, 'estimates the faces that do not come from a depth_estimator in the same container')
    color_transport: str = parameter(
        'raw', 'compressed = JPEG or PNG from color/image_raw/compressed',
        choices=('raw', 'compressed'), change=Change.START)
    wait_s: float = parameter(
        JUDGE_WAIT_S, 'so many seconds a frame waits for enhanced depth that comes otherwise, '
        'twice as long for estimates, three times for liveness, before it goes on without',
        minimum=LOOK_S, maximum=5.0, change=Change.START)

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The shape of measured depth as a third embedding: when there is one, and what is refused."""

from __future__ import annotations

from dataclasses import replace
import hashlib
from pathlib import Path

from drawn_shapes import MODES, seen_surface, write_shape_model
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import ModelFileError, ModelSpecError
from face_depth_ros.core.frames import EnhancedDepth, Provenance
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.predictors.face_embedder import FaceEmbedder, FaceView
from face_depth_ros.predictors.recognition_views import measured_surface, seen_face
import numpy as np
import pytest
from recognizer_graph import CALIBRATION, Scene, write_brought, write_recognizer
import yaml

PEOPLE = np.random.default_rng(5).standard_normal((2, MODES))
CAMERA = CameraIntrinsics(320, 240, 300.0, 300.0, 160.0, 120.0)


def with_shape(folder: Path, path: Path | None = None, **said: object) -> str:
    """Write a recogniser, or take one, that names a shape model beside it."""
    path = write_recognizer(folder) if path is None else path
    model = write_shape_model(folder / 'shape.npz')
    spec = yaml.safe_load(path.read_text())
    spec['normalisation'] = {**spec['normalisation'], 'shape_model': model.name,
                             'shape_sha256': hashlib.sha256(model.read_bytes()).hexdigest(),
                             **said}
    spec['limits']['calibration'] |= dict.fromkeys(('color+depth+shape', 'color+shape'),
                                                   CALIBRATION)
    path.write_text(yaml.safe_dump(spec))
    return str(path)


def view(person: int, **options: object) -> FaceView:
    scene = Scene(person)
    seen = seen_face(scene.color, scene.estimated.faces[0], None, None).view
    return replace(seen, surface=seen_surface(PEOPLE[person], **options))


def test_the_vector_is_the_mean_of_three_cosines(tmp_path: Path) -> None:
    embedder = FaceEmbedder(with_shape(tmp_path))
    assert embedder.wants_surfaces and list(embedder.layout.parts) == ['color', 'depth', 'shape']
    assert embedder.layout.dimensions == 64 + MODES
    a, b, again = embedder.embed([view(0), view(1), view(0, yaw=0.2, noise=0.0005)])
    assert a.modalities == {'color', 'depth', 'shape'}
    assert np.linalg.norm(a.vector) == pytest.approx(1.0, abs=1e-5)
    part = embedder.layout.parts['shape']
    assert 3 * float(a.vector[part] @ again.vector[part]) > 0.9
    assert 3 * float(a.vector[part] @ b.vector[part]) < 0.8


def test_a_network_that_somebody_brings_may_have_one(tmp_path: Path) -> None:
    """It looks at colour alone, but depth is measured for the shape model."""
    embedder = FaceEmbedder(with_shape(tmp_path, write_brought(tmp_path)))
    assert list(embedder.layout.parts) == ['color', 'shape']
    assert embedder.layout.dimensions == 48 + MODES
    assert embedder.looks_at_depth and embedder.wants_surfaces and not embedder.wants_frames
    a, bare = embedder.embed([view(0), replace(view(0), surface=None)])
    assert a.modalities == {'color', 'shape'} and bare.modalities == {'color'}
    np.testing.assert_array_equal(a.vector[:48], bare.vector[:48])
    assert np.linalg.norm(a.vector) == pytest.approx(1.0, abs=1e-5)
    assert a.model_hash != FaceEmbedder(str(write_brought(tmp_path))).model_hash


def test_where_nothing_was_measured_shape_is_missing(tmp_path: Path) -> None:
    embedder = FaceEmbedder(with_shape(tmp_path))
    empty = replace(seen_surface(PEOPLE[0]), depth=np.full((96, 96), np.nan, np.float32))
    for seen in (replace(view(0), surface=None), replace(view(0), surface=empty)):
        found, = embedder.embed([seen])
        assert found.modalities == {'color', 'depth'}
        assert not found.vector[embedder.layout.parts['shape']].any()
        assert np.linalg.norm(found.vector) == pytest.approx(np.sqrt(2 / 3), abs=1e-5)


def test_another_shape_model_is_another_model(tmp_path: Path) -> None:
    plain = FaceEmbedder(str(write_recognizer(tmp_path)))
    assert plain.model_hash == plain.spec.sha256 and not plain.wants_surfaces
    (tmp_path / 'a').mkdir()
    shaped = FaceEmbedder(with_shape(tmp_path / 'a'))
    assert shaped.spec.sha256 == plain.spec.sha256
    assert shaped.model_hash != plain.model_hash and len(shaped.model_hash) == 64


def test_a_spec_may_weigh_the_cosines(tmp_path: Path) -> None:
    plain = FaceEmbedder(with_shape(tmp_path))
    (tmp_path / 'a').mkdir()
    weighed = FaceEmbedder(with_shape(tmp_path / 'a', weights={'shape': 2.0}))
    assert weighed.layout.weights == {'color': 0.25, 'depth': 0.25, 'shape': 0.5}
    assert weighed.model_hash != plain.model_hash
    a, b = weighed.embed([view(0), view(1)])
    cosines = {m: float(weighed.layout.split(a.vector, m) @ weighed.layout.split(b.vector, m))
               for m in weighed.layout.parts}
    assert float(a.vector @ b.vector) == pytest.approx(
        (cosines['color'] + cosines['depth'] + 2.0 * cosines['shape']) / 4.0, abs=1e-5)
    with pytest.raises(ModelSpecError, match='expected numbers > 0'):
        FaceEmbedder(with_shape(tmp_path / 'a', weights={'shape': -1.0}))


def test_a_network_whose_evidence_the_shape_model_does_not_take(tmp_path: Path) -> None:
    shipped = find_model('face_recognizer')
    spec = yaml.safe_load(shipped.path.read_text('utf-8'))
    shape = write_shape_model(tmp_path / 'shape.npz')
    spec['onnx'] = str(shipped.onnx)
    spec['normalisation'] |= {'shape_model': shape.name,
                              'shape_sha256': hashlib.sha256(shape.read_bytes()).hexdigest()}
    (tmp_path / 'other.yaml').write_text(yaml.safe_dump(spec), 'utf-8')
    with pytest.raises(ModelSpecError, match='export both together by solve_last_layers'):
        FaceEmbedder(str(tmp_path / 'other.yaml'))


def test_shape_models_that_are_missing_or_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match='cannot read the shape model'):
        FaceEmbedder(with_shape(tmp_path, shape_model='none.npz'))
    with pytest.raises(ModelFileError, match='corrupted or another file'):
        FaceEmbedder(with_shape(tmp_path, shape_sha256='0' * 64))
    with pytest.raises(ModelSpecError, match='expected the name of a file and its sha256'):
        FaceEmbedder(with_shape(tmp_path, shape_sha256=None))


def test_enhanced_depth_becomes_a_surface_in_metres() -> None:
    scene = Scene(0)
    landmarks = np.tile([70.0, 120.0], (68, 1))
    face = replace(scene.estimated.faces[0], landmarks=landmarks)
    provenance = np.full(scene.depth.shape, Provenance.MEASURED, np.uint8)
    enhanced = EnhancedDepth(scene.depth, np.full(scene.depth.shape, 255, np.uint8), provenance)
    seen = seen_face(scene.color, face, enhanced, CAMERA, surfaces=True)
    surface = seen.view.surface
    assert seen.depth == 'enhanced' and surface is not None
    np.testing.assert_allclose(surface.landmarks[0], (-0.3, 0.0), atol=1e-6)
    assert surface.depth.shape == (96, 96)
    inside = np.isfinite(surface.depth)
    assert 0.3 < inside.mean() < 0.7
    assert 0.95 < float(np.median(surface.depth[inside])) < 1.05
    # The middle of the face box, by the camera of the image and by that of the crop.
    middle = surface.pixel_of_slope @ ((70.0 - 160.0) / 300.0, 0.0, 1.0)
    np.testing.assert_allclose(middle, (48.0, 48.0), atol=1e-6)
    for missing in (seen_face(scene.color, face, enhanced, None, surfaces=True),
                    seen_face(scene.color, face, None, CAMERA, surfaces=True),
                    seen_face(scene.color, face, enhanced, CAMERA)):
        assert missing.view.surface is None
    unmarked = replace(face, landmarks=None)
    assert measured_surface(scene.depth, unmarked, face.relief, CAMERA) is None

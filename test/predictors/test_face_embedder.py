# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Vectors of faces by small networks, ours and brought ones; specs that do not fit."""

from __future__ import annotations

from dataclasses import replace

import cv2
from face_depth_ros.core.errors import AlignmentError, InvalidImageError, ModelSpecError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.predictors.face_embedder import (
    crop_by_five_points,
    FaceEmbedder,
    FIVE_POINTS,
    five_points_of,
    model_hash_of,
)
from face_depth_ros.predictors.recognition_views import seen_face
import numpy as np
import pytest
from recognizer_graph import CALIBRATION, Scene, write_brought, write_recognizer
import yaml


def view(person, **options):
    scene = Scene(person)
    return seen_face(scene.color, scene.estimated.faces[0], None, None, **options).view


def test_joined_vectors_are_the_mean_of_both_cosines(tmp_path):
    embedder = FaceEmbedder(str(write_recognizer(tmp_path)))
    assert embedder.layout.dimensions == 64
    a, b = embedder.embed([view(1), view(2)])
    assert np.linalg.norm(a.vector) == pytest.approx(1.0, abs=1e-5)
    assert a.modalities == {'color', 'depth'} and a.model_hash == embedder.spec.sha256
    halves = [slice(0, 48), slice(48, 64)]
    cosines = [2 * float(a.vector[h] @ b.vector[h]) for h in halves]
    assert float(a.vector @ b.vector) == pytest.approx(np.mean(cosines), abs=1e-6)
    again = embedder.embed([view(1)])[0]
    np.testing.assert_allclose(again.vector, a.vector, atol=1e-5)
    assert embedder.embed([]) == []


@pytest.mark.parametrize('held', ['color', 'depth'])
def test_what_is_missing_is_0_and_the_rest_stays_as_it_is(tmp_path, held):
    embedder = FaceEmbedder(str(write_recognizer(tmp_path)))
    whole, part = embedder.embed([view(1), replace(view(1), has=frozenset({held}))])
    other_one = 'depth' if held == 'color' else 'color'
    mine, other = (embedder.layout.parts[m] for m in (held, other_one))
    assert part.modalities == {held}
    np.testing.assert_allclose(part.vector[mine], whole.vector[mine], atol=1e-6)
    assert not part.vector[other].any()
    assert np.linalg.norm(part.vector) == pytest.approx(np.sqrt(0.5), abs=1e-5)


@pytest.mark.parametrize('outputs', ['color', 'depth'])
def test_a_network_of_one_modality_beside_the_mask(tmp_path, outputs):
    embedder = FaceEmbedder(str(write_recognizer(tmp_path, outputs=outputs)))
    found, = embedder.embed([view(1)])
    assert found.modalities == {outputs}
    assert np.linalg.norm(found.vector) == pytest.approx(1.0, abs=1e-5)
    assert embedder.looks_at_depth == (outputs == 'depth')


def test_a_face_without_anything_to_look_at_is_nobody(tmp_path):
    embedder = FaceEmbedder(str(write_recognizer(tmp_path, outputs='depth')))
    found, = embedder.embed([replace(view(1), has=frozenset({'color'}))])
    assert found.modalities == frozenset() and not found.vector.any()


def brought(tmp_path, **normalisation):
    calibration = {'calibration': {'color': CALIBRATION}}
    return str(write_brought(tmp_path, normalisation=normalisation, limits=calibration))


def test_brought_networks_get_their_normalisation_order_and_background(tmp_path):
    seen = view(1)
    plain = FaceEmbedder(brought(tmp_path)).embed([seen])[0].vector
    assert plain.shape == (48,)
    color = seen.inputs.color

    def expected(image):
        small = image.reshape(3, 4, 28, 4, 28).mean(axis=(2, 4)).ravel()
        return small / np.linalg.norm(small)

    np.testing.assert_allclose(plain, expected((color - 127.5) / 127.5), atol=1e-4)
    swapped = FaceEmbedder(brought(tmp_path, order='BGR', mean=[1.0, 2.0, 3.0],
                                   std=[4.0, 5.0, 6.0])).embed([seen])[0].vector
    mean, std = (np.reshape(v, (3, 1, 1)) for v in ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    np.testing.assert_allclose(swapped, expected((color[::-1] - mean) / std), atol=1e-4)
    masked = FaceEmbedder(brought(tmp_path, background='zero')).embed([seen])[0].vector
    zeroed = np.where(seen.inputs.mask > 0, color, 0.0)
    np.testing.assert_allclose(masked, expected((zeroed - 127.5) / 127.5), atol=1e-4)


@pytest.mark.parametrize('changed', [{'order': 'BGR'}, {'background': 'zero'},
                                     {'crop': 'five_points'}, {'std': [128.0] * 3}])
def test_templates_of_other_crops_are_of_another_model(tmp_path, changed):
    for name in ('first', 'same', 'other'):
        (tmp_path / name).mkdir()
    first, same, other = (find_model(str(write_brought(
        tmp_path / name, normalisation=changes))) for name, changes in (
            ('first', {}), ('same', {}), ('other', changed)))
    assert first.sha256 == same.sha256 == other.sha256
    assert model_hash_of(first) == model_hash_of(same) != model_hash_of(other)


def test_a_brought_network_may_use_our_names(tmp_path):
    """Its spec says how crops are normalised, so they are."""
    named = write_brought(tmp_path, 'named', normalisation={'order': 'BGR'},
                          names=('color', 'embedding_color'))
    other = write_brought(tmp_path, 'other', normalisation={'order': 'BGR'})
    vectors = []
    for model in (named, other):
        embedder = FaceEmbedder(str(model))
        vectors.append(embedder.embed([view(1)])[0].vector)
        embedder.close()
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


def test_brought_networks_may_want_five_points(tmp_path):
    embedder = FaceEmbedder(brought(tmp_path, crop='five_points'))
    assert embedder.wants_five_points
    seen = view(1, five_points=True)
    assert seen.aligned[0].shape == (112, 112, 3) and seen.aligned[1].shape == (112, 112)
    found, = embedder.embed([seen])
    assert np.linalg.norm(found.vector) == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(InvalidImageError, match='cut by five points, got one without'):
        embedder.embed([view(1)])


def test_networks_of_ours_may_see_faces_in_frames(tmp_path):
    """The frame of the landmarks is seen instead of the box, which serves where there is none."""
    plain = FaceEmbedder(str(write_recognizer(tmp_path)))
    path = write_recognizer(tmp_path)
    content = yaml.safe_load(path.read_text('utf-8'))
    content['normalisation'] = {**content.get('normalisation', {}), 'crop': 'landmarks'}
    path.write_text(yaml.safe_dump(content), 'utf-8')
    embedder = FaceEmbedder(str(path))
    assert embedder.wants_frames and not plain.wants_frames
    boxed, framed = view(1), view(1, framed=True)
    assert boxed.framed is None and framed.framed.color.shape == (3, 112, 112)
    assert framed.inputs is framed.framed  # nobody looks at the box then
    assert not np.allclose(framed.framed.color, boxed.inputs.color, atol=1.0)
    as_boxed, as_framed, without = embedder.embed([
        replace(framed, framed=boxed.inputs), framed, boxed])
    np.testing.assert_allclose(as_boxed.vector, without.vector, atol=1e-5)
    assert np.abs(as_framed.vector - without.vector).max() > 1e-3
    wanted, = plain.embed([replace(framed, inputs=framed.framed)])
    np.testing.assert_allclose(as_framed.vector, wanted.vector, atol=1e-5)


def test_five_points_come_to_their_places():
    image = np.zeros((240, 320), np.uint8)
    angle, scale = np.deg2rad(25), 0.8
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.array(FIVE_POINTS) @ turn.T + (120, 60)
    for x, y in points:
        cv2.circle(image, (round(x - 0.5), round(y - 0.5)), 3, 255, -1)
    cut = crop_by_five_points(image, points)
    for x, y in FIVE_POINTS:
        assert cut[int(y), int(x)] > 200
    assert five_points_of(np.tile(np.arange(68.0)[:, None], 2))[2].tolist() == [30.0, 30.0]
    with pytest.raises(AlignmentError, match='fix no crop'):
        crop_by_five_points(image, np.zeros((5, 2)))


@pytest.mark.parametrize(('changes', 'match'), [
    ({'order': 'GRB'}, "normalisation says 'GRB', expected one of RGB, BGR"),
    ({'background': 'grey'}, 'expected one of keep, zero'),
    ({'crop': 'loose'}, 'expected one of box, five_points'),
    ({'mean': [1.0]}, 'expected mean: .3 numbers'), ({'std': 'none'}, 'expected mean'),
    ({'std': [0.0, 1.0, 1.0]}, 'std > 0')])
def test_brought_specs_that_do_not_fit(tmp_path, changes, match):
    with pytest.raises(ModelSpecError, match=match):
        FaceEmbedder(brought(tmp_path, **changes))


@pytest.mark.parametrize(('change', 'match'), [
    ({'limits': {}}, 'limits have no calibration'),
    ({'limits': {'calibration': {'depth': CALIBRATION}}}, 'expected color')])
def test_specs_without_what_is_needed(tmp_path, change, match):
    with pytest.raises(ModelSpecError, match=match):
        FaceEmbedder(str(write_recognizer(tmp_path, outputs='color', **change)))


def test_models_that_tell_no_faces_apart(tmp_path):
    with pytest.raises(ModelSpecError, match='does not tell faces apart'):
        FaceEmbedder('face_detector')
    with pytest.raises(ModelSpecError, match='no model named'):
        FaceEmbedder('somebody_elses')


def test_the_message_says_how_to_make_a_missing_model(tmp_path, monkeypatch):
    monkeypatch.setattr('face_depth_ros.predictors.face_embedder.SHIPPED', 'no_such_recognizer')
    with pytest.raises(ModelSpecError, match='train_face_recognizer') as error:
        FaceEmbedder('no_such_recognizer')
    assert error.value.cause == 'model_missing'


def test_inputs_of_another_size(tmp_path):
    path = write_recognizer(tmp_path, outputs='color')
    path.write_text(path.read_text().replace('- 112', '- 96'))
    with pytest.raises(ModelSpecError, match=r'has shape \(-1, 1, 96, 96\)'):
        FaceEmbedder(str(path))

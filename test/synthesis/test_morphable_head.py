# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.synthesis.accessories import Glasses, HairStyle
from face_depth_ros.synthesis.assets import find_assets, HEAD_FILE
from face_depth_ros.synthesis.expressions import ExpressionTable
from face_depth_ros.synthesis.identity_splits import identity_coefficients
from face_depth_ros.synthesis.labels import HEAD_LABELS
from face_depth_ros.synthesis.morphable_head import landmarks_5, MorphableHead
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.assets


@pytest.fixture(scope='module')
def assets():
    return find_assets()


@pytest.fixture(scope='module')
def head(assets):
    return MorphableHead(assets)


def people(count: int) -> torch.Tensor:
    return torch.from_numpy(np.stack([identity_coefficients('train', i) for i in range(count)]))


def test_vertices_are_the_sum_of_the_shapes(assets, head):
    data = assets.arrays(HEAD_FILE)
    generator = np.random.default_rng(0)
    expression = generator.uniform(0.0, 0.5, (2, 57)).astype(np.float32)
    seen = head.vertices(people(2), torch.from_numpy(expression)).numpy()
    expected = (data['neutral'].astype(np.float64)
                + np.tensordot(people(2).numpy().astype(np.float64), data['identity'], 1)
                + np.tensordot(expression.astype(np.float64), data['expression'], 1))
    eyes = np.zeros(expected.shape[1], bool)
    for first, last in data['eye_vertex_range']:
        eyes[first:last] = True
    np.testing.assert_allclose(seen[:, ~eyes], expected[:, ~eyes], atol=2e-4)


def test_landmarks_are_where_the_model_says(head):
    neutral = torch.from_numpy(head.neutral_cm)[None]
    right_eye, left_eye, nose, right_mouth, left_mouth = landmarks_5(
        head.landmarks_68(neutral))[0]
    assert right_eye[0] < -2.5 and left_eye[0] > 2.5  # x is to the subject's left
    assert abs(float(right_eye[1]) - 3.5) < 0.3
    assert float(nose[2]) == pytest.approx(13.07, abs=0.05)
    assert right_mouth[0] < -2 and left_mouth[0] > 2 and right_mouth[1] < -3


def test_gaze_turns_the_eyeballs_about_their_centres_and_nothing_else(head):
    nobody, still = torch.zeros(1, 100), torch.zeros(1, 57)
    ahead = head.vertices(nobody, still)
    left = head.vertices(nobody, still, torch.tensor([[0.3, 0.0]]))
    up = head.vertices(nobody, still, torch.tensor([[0.0, 0.2]]))
    moved = ((ahead - left).norm(dim=2) > 1e-5)[0].nonzero()[:, 0]
    assert int(moved.min()) >= 21451 and int(moved.max()) < 24591
    front = ahead[0, 21451:23021, 2].argmax() + 21451
    assert float(left[0, front, 0] - ahead[0, front, 0]) > 0.2
    assert float(up[0, front, 1] - ahead[0, front, 1]) > 0.15


def test_labels_are_those_that_the_renderer_expects(head):
    assert tuple(head.label_names) == HEAD_LABELS


def test_every_published_expression_exists(assets, head):
    table = ExpressionTable(assets, head.expression_names)
    for name in EXPRESSIONS:
        weights = table.named(name, 0.5)
        assert weights.shape == (57,) and (weights.max() > 0) == (name != 'neutral')
    sampled = table.sample(50, np.random.default_rng(0))
    assert sampled.min() >= 0.0 and sampled.max() <= 1.0
    with pytest.raises(SettingsError, match="unknown expression 'joy'"):
        table.named('joy')
    with pytest.raises(SettingsError, match="unknown blendshape 'earWiggle'"):
        table.weights({'earWiggle': 1.0})


def test_hair_stays_near_the_scalp_of_other_heads(assets, head):
    identity = people(4)
    heads = head.identity_vertices(identity)
    for name in assets.names('hair', 'npz'):
        style = HairStyle(assets, head, name)
        rest = style.vertices(torch.zeros(1, 100))[0]
        neutral = torch.from_numpy(head.neutral_cm)
        before = torch.cdist(rest[::20], neutral).amin(dim=1)
        after = torch.cdist(style.vertices(identity)[:, ::20], heads).amin(dim=2)
        assert float((after - before).abs().median()) < 0.5
        assert 0 < len(style.opaque) <= len(style.triangles)


def test_glasses_sit_on_nose_and_ears_and_clear_the_skin(assets, head):
    heads = head.identity_vertices(people(6))
    for name in assets.names('glasses', 'npz'):
        glasses = Glasses(assets, head, name)
        anchors = assets.arrays('glasses', f'{name}.npz')['anchor_vertices']
        fitted = glasses.vertices(heads)
        width = fitted[..., 0].amax(dim=1) - fitted[..., 0].amin(dim=1)
        ears = heads[:, anchors[1], 0] - heads[:, anchors[2], 0]
        torch.testing.assert_close(width / ears, (width / ears).mean().expand(6), rtol=0.1,
                                   atol=0.0)
        lens = np.unique(glasses.triangles[glasses.is_lens])
        gap = torch.cdist(fitted[:, lens], heads).amin(dim=2)
        assert float(gap.amin()) > 0.05

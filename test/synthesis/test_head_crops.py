# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Crops of single heads: the same people again in other poses."""

from __future__ import annotations

from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_photos import head_angles
from face_depth_ros.synthesis.head_crops import HeadCropRenderer, HeadCrops
from face_depth_ros.synthesis.person import PersonModel
import numpy as np
import pytest

pytestmark = [pytest.mark.assets, pytest.mark.slow]


@pytest.fixture(scope='module')
def renderer():
    return HeadCropRenderer(PersonModel(find_assets()), 'test', size=64)


@pytest.fixture(scope='module')
def people(renderer) -> HeadCrops:
    return renderer.render_people(3, 2, 3, frontal=2)


def test_a_person_stays_who_it_is(people):
    assert people.identities[0] == people.identities[2] != people.identities[3]
    assert people.identities[3] == people.identities[5]
    # What is worn, the pose and the expression change.
    assert not np.array_equal(people.rgba[0], people.rgba[1])


def test_some_look_into_the_camera(people):
    angles = np.abs(np.rad2deg([head_angles(r) for r in people.rotation]))
    assert (angles[:2] <= 16.0).all()
    assert angles[:2].max() < angles[2:].max()


def test_equal_seeds_render_equal_people(renderer, people):
    again = renderer.render_people(3, 2, 3, frontal=2)
    assert np.array_equal(again.rgba, people.rgba)
    assert not np.array_equal(renderer.render_people(4, 2, 3, frontal=2).rgba, people.rgba)

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The messages that we build are the same types as those of a robot: DDS compares their hashes."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import pytest
from rosbags.typesys import get_types_from_msg, get_typestore, Stores
import yaml

ROOT = Path(__file__).resolve().parent.parent
HASHES = yaml.safe_load((ROOT / 'test' / 'data' / 'interface_hashes.yaml').read_text())
FILES = sorted((ROOT / 'interfaces').glob('*/msg/*.msg')) + sorted(
    (ROOT / 'interfaces').glob('*/srv/*.srv'))


def type_name(file: Path) -> str:
    return f'{file.parts[-3]}/{file.parts[-2]}/{file.stem}'


def test_every_interface_has_an_upstream_hash() -> None:
    assert {type_name(file) for file in FILES} == set(HASHES)


@pytest.mark.parametrize('name', [name for name in HASHES if '/msg/' in name])
def test_our_definition_hashes_as_the_upstream_one(name: str) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    definitions: dict = {}
    for file in FILES:
        if file.suffix == '.msg':
            definitions.update(get_types_from_msg(file.read_text(), type_name(file)))
    store.register(definitions)
    assert store.hash_rihs01(name) == HASHES[name]


@pytest.mark.ros
@pytest.mark.parametrize('name', list(HASHES))
def test_the_type_in_use_has_the_upstream_hash(name: str) -> None:
    if os.environ.get('ROS_DISTRO') == 'humble':
        pytest.skip('Humble has no type hashes')
    package, kind, stem = name.split('/')
    assert hasattr(importlib.import_module(f'{package}.{kind}'), stem)
    descriptions = [
        file for prefix in os.environ['AMENT_PREFIX_PATH'].split(os.pathsep)
        if (file := Path(prefix, 'share', package, kind, f'{stem}.json')).is_file()
    ]
    hashes = json.loads(descriptions[0].read_text())['type_hashes']
    assert {'type_name': name, 'hash_string': HASHES[name]} in hashes


@pytest.mark.ros
def test_constants_have_their_values() -> None:
    """Constants are no part of a type's hash."""
    from hri_msgs.msg import Expression, FacialLandmarks, IdsMatch
    assert (IdsMatch.UNSET, IdsMatch.PERSON, IdsMatch.FACE, IdsMatch.BODY, IdsMatch.VOICE) == (
        0, 1, 2, 3, 4)
    for name in ('angry', 'disgusted', 'scared', 'happy', 'sad', 'surprised', 'neutral'):
        assert getattr(Expression, name.upper()) == name
    points = FacialLandmarks
    assert (points.RIGHT_EAR, points.MENTON, points.LEFT_EAR, points.SELLION, points.NOSE) == (
        0, 8, 16, 27, 30)
    assert (points.RIGHT_EYE_BOTTOM_1, points.RIGHT_EYE_BOTTOM_2) == (41, 40)
    assert (points.LEFT_EYE_BOTTOM_1, points.LEFT_EYE_BOTTOM_2) == (46, 47)
    assert (points.RIGHT_PUPIL, points.LEFT_PUPIL) == (68, 69)
    assert len(FacialLandmarks().landmarks) == 70

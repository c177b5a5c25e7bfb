# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Names and templates that are taken, and those that are not."""

from __future__ import annotations

from typing import Any

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.people import checked_name, keep_best, Template
from face_depth_ros.gallery.records import (
    pack_person,
    pack_template,
    unpack_person,
    unpack_template,
    unpack_vector,
)
from gallery_files import MODEL, template
import numpy as np
import pytest


@pytest.mark.parametrize(('given', 'kept'), [
    ('Anna', 'Anna'), ('  Anna Maria\u00a0', 'Anna Maria'), ('Zoe\u0308', 'Zoë'),
    ('李小龍', '李小龍'), ('x' * 100, 'x' * 100), ('unknown person', 'unknown person'),
    ('می\u200cخواهم', 'می\u200cخواهم'), ('邊\U000e0101', '邊\U000e0101'),
])
def test_names(given: str, kept: str) -> None:
    assert checked_name(given) == kept


@pytest.mark.parametrize(('name', 'reason'), [
    ('', 'it has 0 characters, expected 1 to 100'), (' \t ', 'it has 0 characters'),
    ('x' * 101, 'it has 101 characters'), ('An\nna', r'invisible character U\+000A'),
    ('An\x00na', r'U\+0000'), ('Anna\u202e', r'U\+202E'), ('\ud800', r'U\+D800'),
    ('\u200d', 'nothing of it can be seen'), ('unknown', "'unknown' is what everybody else"),
    (' Unknown', 'everybody else'), ('ｕｎｋｎｏｗｎ', 'everybody else'),
    ('a\u2028b', r'U\+2028'), ('unk\u200dnown', 'everybody else'),
    ('unknown\ufe0f', 'everybody else'),
    ('\u3164', r'U\+3164'), ('\u2800', r'U\+2800'), ('Anna\u115f', r'U\+115F'),
    ('\u034f\ufe0f', 'nothing of it can be seen'),
])
def test_impossible_names(name: str, reason: str) -> None:
    with pytest.raises(GalleryError, match=f'cannot be a name: .*{reason}') as caught:
        checked_name(name)
    assert caught.value.cause == 'gallery_name'


@pytest.mark.parametrize(('change', 'message'), [
    ({'vector': np.ones((2, 2))}, r'a vector of shape \(2, 2\)'),
    ({'vector': np.ones(1)}, r'a vector of shape \(1,\)'),
    ({'vector': np.zeros(513)}, r'a vector of shape \(513,\), expected \(D,\), D from 2 to 512'),
    ({'vector': np.zeros(4)}, 'a vector of length 0, expected 0.01 to 1.001'),
    ({'vector': np.ones(4)}, 'a vector of length 2'),
    ({'vector': np.array([1, np.nan])}, 'a vector of length nan'),
    ({'vector': np.array([np.inf, 0])}, 'a vector of length inf'),
    ({'quality': 1.1}, 'quality 1.1, expected 0 to 1'),
    ({'quality': float('nan')}, 'quality nan'),
    ({'model_hash': 'A' * 64}, "model hash 'A*', expected 64 lower-case hex"),
    ({'model_hash': ''}, "model hash ''"),
    ({'created_ns': -1}, 'created_ns -1'),
    ({'source': 'x' * 1001}, 'a text of 1001 characters'),
])
def test_impossible_templates(change: dict[str, Any], message: str) -> None:
    values = {'vector': np.array([1.0, 0.0]), 'quality': 0.5, 'model_hash': MODEL} | change
    with pytest.raises(GalleryError, match=f'no template to enrol: got {message}') as caught:
        Template(**values)
    assert caught.value.cause == 'gallery_template'


def test_a_template_is_a_copy_and_stays_as_it_is() -> None:
    vector = np.array([1.0, 0.0], np.float32)
    kept = Template(vector, 0.5, MODEL)
    vector[0] = 0
    assert kept.vector[0] == 1
    with pytest.raises(ValueError, match='read-only'):
        kept.vector[0] = 0


def test_half_of_a_joined_vector_may_be_missing() -> None:
    Template(np.array([np.sqrt(0.5), 0.0]), 0.5, MODEL)


def test_the_best_and_most_different_are_kept() -> None:
    axes = np.eye(4)
    some = [Template(v, q, MODEL) for v, q in (
        (axes[0], 0.6), (axes[0], 0.9), (axes[1], 0.5), (axes[2], 0.1), (axes[1], 0.4))]
    assert keep_best(some, 5) == [0, 1, 2, 3, 4]
    assert keep_best(some, 3) == [1, 2, 3]
    assert keep_best(some, 1) == [1]
    assert keep_best([Template(axes[0], 0.0, MODEL)] * 3, 2) == [0, 1]


def test_records_round_trip() -> None:
    source = 'image:/home/\udcff/a.png'  # A file name that is no Unicode.
    there = template(1, 7, quality=0.25, source=source, model_name='ü', created_ns=12)
    back = unpack_template(pack_template(there), MODEL)
    assert (back.source, back.model_name, back.quality, back.created_ns) == (source, 'ü', 0.25, 12)
    np.testing.assert_array_equal(back.vector, there.vector)
    np.testing.assert_array_equal(unpack_vector(pack_template(there)), there.vector)
    for expires in (None, 0, 17):
        assert unpack_person(pack_person('Zoë', 1, 2, expires)) == ('Zoë', 1, 2, expires)


def test_records_that_are_none() -> None:
    whole = pack_template(template(1))
    for wrong in (b'', whole[:10], whole[:-1], whole + b'x'):
        with pytest.raises(ValueError, match='template'):
            unpack_template(wrong, MODEL)
    with pytest.raises(ValueError, match='template'):
        unpack_vector(whole[:30])
    with pytest.raises(ValueError, match='too short for a person'):
        unpack_person(b'abc')

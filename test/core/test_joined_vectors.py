# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Joined vectors: their inner products are weighed means of cosines."""

from __future__ import annotations

from face_depth_ros.core.errors import ModelSpecError
from face_depth_ros.core.joined_vectors import JoinedVectors, read_weights
import numpy as np
import pytest

SIZES = {'shape': 3, 'color': 4, 'depth': 2}
WEIGHTS = {'shape': 2.0}


def faces(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {m: 5.0 * rng.standard_normal(size) for m, size in SIZES.items()}


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_inner_product_is_the_weighed_mean_of_the_cosines() -> None:
    layout = JoinedVectors(SIZES, WEIGHTS)
    assert layout.parts == {'color': slice(0, 4), 'depth': slice(4, 6), 'shape': slice(6, 9)}
    assert layout.dimensions == 9 and layout.weights == {'color': .25, 'depth': .25, 'shape': .5}
    a, b = faces(1), faces(2)
    cosines = {m: cosine(a[m], b[m]) for m in SIZES}
    mean = (cosines['color'] + cosines['depth'] + 2 * cosines['shape']) / 4
    joined = layout.join(a)
    assert joined.dtype == np.float32 and np.linalg.norm(joined) == pytest.approx(1.0, abs=1e-6)
    assert float(joined @ layout.join(b)) == pytest.approx(mean, abs=1e-6)
    assert layout.mean_cosine(cosines) == pytest.approx(mean)


def test_what_both_have_counts_as_if_it_were_all() -> None:
    layout = JoinedVectors(SIZES, WEIGHTS)
    a, b = faces(1), faces(2)
    b.pop('color')
    whole, part = layout.join(a), layout.join(b)
    assert not layout.join({**a, 'color': np.zeros(4)})[:4].any()
    assert not part[:4].any() and np.linalg.norm(part) == pytest.approx(np.sqrt(0.75), abs=1e-6)
    wanted = (cosine(a['depth'], b['depth']) + 2 * cosine(a['shape'], b['shape'])) / 3
    for query, other in ((whole, part), (part, whole)):
        found = float(layout.query(query, {'depth', 'shape'}) @ other)
        assert found == pytest.approx(wanted, abs=1e-6)


def test_parts_come_back_with_length_one() -> None:
    layout = JoinedVectors(SIZES, WEIGHTS)
    both = np.stack([layout.join(faces(1)), layout.join({'color': faces(2)['color']})])
    shape = layout.split(both, 'shape')
    assert np.linalg.norm(shape[0]) == pytest.approx(1.0, abs=1e-6) and not shape[1].any()
    assert cosine(shape[0], faces(1)['shape']) == pytest.approx(1.0, abs=1e-6)


def test_weights_are_read_or_refused() -> None:
    assert read_weights('spec', None) == {}
    assert read_weights('spec', {'shape': 4}) == {'shape': 4.0}
    for wrong in ({'taste': 1.0}, {'color': 0.0}, {'color': 'much'}, {'color': float('nan')}, [1],
                  {}):
        with pytest.raises(ModelSpecError, match='expected numbers > 0 by which the cosines'):
            read_weights('spec', wrong)

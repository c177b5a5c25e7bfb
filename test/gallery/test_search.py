# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The search against brute force."""

from __future__ import annotations

from pathlib import Path
import sqlite3

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery import search
from face_depth_ros.gallery.search import FaceIndex
from gallery_files import KEY, MODEL, open_gallery, OTHER_MODEL, template
import numpy as np
import pytest


def unit(count: int, dimensions: int, seed: int = 1) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def brute_force(names: list[str], vectors: np.ndarray, query: np.ndarray, k: int
                ) -> list[tuple[str, float]]:
    """The k people with the best templates, by comparing with every one."""
    best: dict[str, float] = {}
    for name, cosine in zip(names, vectors.astype(np.float64) @ query, strict=True):
        best[name] = max(best.get(name, -2), cosine)
    return sorted(best.items(), key=lambda item: -item[1])[:k]


@pytest.fixture(params=['exact', 'large'])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways, on the same few thousand rows."""
    if request.param == 'large':
        monkeypatch.setattr(search, 'EXACT_ROWS', 500)
    return request.param


@pytest.mark.parametrize('dimensions', [33, 128, 256, 512])
def test_as_brute_force(kind: str, dimensions: int) -> None:
    vectors = unit(3000, dimensions)
    names = [f'person {i // 3}' for i in range(3000)]
    index = FaceIndex.build(dimensions, [(names[:1000], vectors[:1000]),
                                         (names[1000:], vectors[1000:])])
    assert len(index) == 3000 and index.people == 1000
    assert ('exact' in index.kind) is (kind == 'exact')
    queries = vectors[::100] + 0.7 * unit(30, dimensions, seed=2)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    for query, found in zip(queries, index.search(queries, 3), strict=True):
        expected = brute_force(names, vectors, query, 3)
        assert found[0].name == expected[0][0]
        assert found[0].cosine == pytest.approx(expected[0][1], abs=1e-3)
        if kind == 'exact':
            assert [m.name for m in found] == [name for name, _ in expected]
        assert len({m.name for m in found}) == 3
        assert index.search(query, 3)[0][0].name == found[0].name


def test_a_person_counts_by_the_best_of_many_templates(kind: str) -> None:
    query = unit(1, 64, seed=5)[0]
    crowd = query + 0.1 * unit(400, 64, seed=6)  # One person's, all nearer than the second's.
    second, others = query + 0.5 * unit(1, 64, seed=7), unit(2000, 64, seed=8)
    vectors = np.concatenate([crowd, second, others])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = ['crowd'] * 400 + ['second'] + [f'other {i}' for i in range(2000)]
    found, = FaceIndex.build(64, [(names, vectors)]).search(query, 2)
    assert [m.name for m in found] == ['crowd', 'second']


def test_changes_are_as_building_anew(kind: str) -> None:
    generator = np.random.default_rng(3)
    vectors, names = unit(1500, 64), [f'person {i // 2}' for i in range(1500)]
    index = FaceIndex.build(64, [(names, vectors)])
    for step in range(10):
        for gone in generator.choice(sorted(set(names)), 4, replace=False):
            assert index.remove(gone) == names.count(gone)
            keep = [i for i, name in enumerate(names) if name != gone]
            vectors, names = vectors[keep], [names[i] for i in keep]
        new = unit(5, 64, seed=100 + step)
        added = [f'new {step}', f'new {step}', names[0], names[-1], f'again {step}']
        index.add(added, new)
        vectors, names = np.concatenate([vectors, new]), names + added
        queries = np.concatenate([vectors[generator.choice(len(vectors), 50)], new])
        expected = [names[i] for i in (queries @ vectors.T).argmax(1)]
        assert [m[0].name for m in index.search(queries)] == expected
        assert (len(index), index.people) == (len(names), len(set(names)))
    assert index.remove('nobody') == 0


def test_an_index_that_grows_beyond_the_exact_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, 'EXACT_ROWS', 500)
    index, vectors = FaceIndex(64), unit(900, 64)
    for start in range(0, 900, 100):
        index.add([f'person {i}' for i in range(start, start + 100)], vectors[start:start + 100])
        assert ('exact' in index.kind) is (start < 500)
        assert index.search(vectors[start + 7])[0][0].name == f'person {start + 7}'


def test_what_is_removed_is_gone_from_memory(kind: str) -> None:
    index = FaceIndex.build(64, [([f'person {i}' for i in range(1000)], unit(1000, 64))])
    for i in range(1, 1000):
        index.remove(f'person {i}')
    assert sum(map(len, index._chunks)) == len(index) == index._scan.ntotal == 1
    assert set(index._names) == {'person 0', ''}
    index.remove('person 0')
    assert index.search(unit(2, 64), 3) == [[], []]
    index.add(['Anna'], unit(1, 64))
    assert index.search(unit(1, 64))[0][0].name == 'Anna'


def test_the_same_rows_give_the_same_results(kind: str) -> None:
    blocks = [([f'person {i}' for i in range(2000)], unit(2000, 64))]
    queries = unit(40, 64, seed=9)
    assert FaceIndex.build(64, blocks).search(queries, 4) == FaceIndex.build(
        64, blocks).search(queries, 4)
    twice = np.concatenate([unit(1, 64)] * 3)
    assert FaceIndex.build(64, [(['b', 'a', 'c'], twice)]).search(twice[0], 2)[0][0].name == 'b'


def test_one_modality_alone() -> None:
    """Half of the query is zero: twice the product is the cosine of the other halves."""
    color, depth, other = unit(1, 32)[0], unit(1, 32, 2)[0], unit(1, 32, 3)[0]
    joined = np.concatenate([color, depth]) / np.sqrt(2)
    query = np.concatenate([color + other, np.zeros(32)])
    query /= np.linalg.norm(query) * np.sqrt(2)
    (match,), = FaceIndex.build(64, [(['Anna'], joined[None])]).search(query)
    assert 2 * match.cosine == pytest.approx(
        color @ (color + other) / np.linalg.norm(color + other), abs=1e-6)


def test_nobody_there() -> None:
    index = FaceIndex(64)
    assert len(index) == 0 and index.people == 0
    assert index.search(unit(1, 64)) == [[]]
    assert index.search(np.empty((0, 64))) == []
    index.add([], np.empty((0, 64)))
    assert FaceIndex.build(64, []).search(unit(2, 64), 5) == [[], []]


def test_what_no_index_takes() -> None:
    index = FaceIndex.build(64, [(['Anna'], unit(1, 64))])
    wrong = unit(1, 64)
    wrong[0, 3] = np.nan
    for use in (lambda: index.search(wrong), lambda: index.add(['Ben'], wrong)):
        with pytest.raises(GalleryError, match='not finite; such a face is nobody') as caught:
            use()
        assert caught.value.cause == 'gallery_index'
    for use in (lambda: index.search(unit(1, 63)), lambda: index.add(['Ben'], unit(2, 64))):
        with pytest.raises(GalleryError, match=r'got vectors of shape .*, expected \(1, 64\)'):
            use()
    with pytest.raises(GalleryError, match='got k = 0'):
        index.search(unit(1, 64), 0)
    for dimensions in (1, 513):
        with pytest.raises(GalleryError, match=f'got {dimensions} dimensions'):
            FaceIndex(dimensions)
    assert index.people == 1


def test_of_a_gallery(tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'g.db') as gallery:
        for i in range(8):
            gallery.enroll(f'person {i}', [template(i), template(100 + i)])
        gallery.enroll('of another model', [template(50, 32, OTHER_MODEL)])
        index = FaceIndex.of_gallery(gallery, MODEL, 64)
        assert (len(index), index.people) == (16, 8)
        assert index.search(template(103).vector)[0][0].name == 'person 3'
        with pytest.raises(GalleryError, match='take them from the model of this index'):
            FaceIndex.of_gallery(gallery, OTHER_MODEL, 64)
        connection = sqlite3.connect(tmp_path / 'g.db')
        connection.execute('DELETE FROM templates WHERE id = 3')
        connection.commit()
        with pytest.raises(GalleryError, match='tampered with'):
            FaceIndex.of_gallery(gallery, MODEL, 64)
    assert KEY

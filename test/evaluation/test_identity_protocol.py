# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Rows, fusion, pairs and the words about them, on vectors that are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import shutil
from typing import Any

from drawn_identities import draw_people, write_recognizer
from estimator_models import write_grey_model, write_our_model
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.identity_metrics import true_accept_rate
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.datasets.photo_faces import FacePair
from face_depth_ros.datasets.rgbd_faces import Recording, RgbdFace
from face_depth_ros.evaluation.identity_datasets import Cropper, first_people
from face_depth_ros.evaluation.identity_pairs import (
    each_row,
    folds_line,
    Member,
    Pooled,
    Search,
    splits_line,
)
from face_depth_ros.evaluation.identity_protocol import (
    collect,
    condition_settings,
    curve_points,
    FaceBatch,
    IdentityScores,
    judge,
    RowScores,
    similarity,
)
from face_depth_ros.evaluation.identity_rows import (
    blank_view,
    FULL,
    IdentityEmbedder,
    IdentityRows,
    row_name,
    STUDENT,
)
from face_depth_ros.evaluation.identity_tables import identity_tables
from face_depth_ros.evaluation.identity_verdict import (
    fusion_sentence,
    goal_sentences,
    identity_verdict,
    student_sentence,
)
from face_depth_ros.evaluation.identity_views import (
    ESTIMATED,
    FaceLooker,
    MEASURED,
    SeenFaces,
    small_colors,
)
from face_depth_ros.predictors.estimator_methods import open_estimator
from face_depth_ros.predictors.face_embedder import FaceView
import numpy as np
import pytest
from recognizer_graph import CALIBRATION, write_brought
import yaml


class Known(IdentityEmbedder):
    """Says what its list says, of the first faces."""

    def __init__(self, **vectors: list[list[float]]) -> None:
        self.modalities = tuple(vectors)
        self._vectors = {m: np.array(v, np.float32) for m, v in vectors.items()}

    def embed(self, faces: Sequence[FaceView]) -> dict[str, np.ndarray]:
        return {m: v[:len(faces)] for m, v in self._vectors.items()}


class Rows:
    """The rows of a table without their networks."""

    def __init__(self, **methods: IdentityEmbedder) -> None:
        self.methods = methods
        self.absent: dict[str, str] = {}
        self.costs: dict[str, Any] = {}
        self.models: dict[str, Any] = {}


def known_faces(rows: Any, persons: list[int], kinds: list[str], yaws: list[float]) -> Any:
    views = [blank_view()] * len(persons)
    return collect([FaceBatch(SeenFaces(views, None, 1), persons, kinds, yaws)], rows)


def test_fusion_is_the_mean_of_what_both_faces_have() -> None:
    color = np.array([[1, 0], [0.6, 0.8], [0, 0]], np.float32)
    depth = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    table = similarity([color, depth], np.array([0, 1]), np.array([1, 2]))
    np.testing.assert_allclose(table, [[(0.6 + 0) / 2, 0], [1, 1]], atol=1e-6)
    assert similarity([color], np.array([0]), np.array([2])).tolist() == [[-1.0]]


def test_columns_bins_and_rates_by_hand() -> None:
    # Two people; the pose probe of person 1 looks like person 0 in colour, and is itself in depth.
    network = Known(color=[[1, 0], [0, 1], [1, 0], [1, 0.1]],
                    depth=[[1, 0], [0, 1], [1, 0], [0, 1]])
    rows: Any = Rows(Student=network)
    faces = known_faces(rows, [0, 1, 0, 1], ['gallery', 'gallery', 'expression', 'pose'],
                        [0.0, 0.0, -60.0, 29.9])
    settings = condition_settings(faces.kinds, ('expression', 'pose', 'occlusion'))
    scores = judge(faces, settings, rows)
    assert scores.columns == {'expression': 1, 'pose': 1} and scores.people == 2
    assert (scores.genuine, scores.impostor, scores.faceless) == (2, 2, 1)
    found = scores.rows[ESTIMATED]
    assert MEASURED not in scores.rows
    assert found[row_name(STUDENT, 'color')].rank_one == {'expression': 1.0, 'pose': 0.0}
    assert found[row_name(STUDENT, 'depth')].average == 1.0
    assert found[STUDENT].rank_one['pose'] == 1.0
    color = found[row_name(STUDENT, 'color')]
    assert color.by_yaw == {'0 to 15': None, '15 to 30': 0.0, '30 to 45': None, '45 to 60': 1.0}
    assert color.true_accept[0.1] is None and color.calibration is None
    with pytest.raises(DatasetError, match='none of time has a gallery and probes'):
        judge(faces, condition_settings(faces.kinds, ('time',)), rows)
    with pytest.raises(DatasetError, match='there are no faces to tell apart'):
        collect([], rows)


def test_probes_of_people_without_a_gallery_face_do_not_count() -> None:
    network = Known(color=[[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0]])
    rows: Any = Rows(Student=network)
    faces = known_faces(rows, [0, 0, 1, 1, 2], ['gallery', 'pose', 'pose', 'time', 'pose'],
                        [0.0, 20.0, 20.0, 0.0, 20.0])
    scores = judge(faces, condition_settings(faces.kinds, ('pose', 'time')), rows)
    assert scores.columns == {'pose': 1} and scores.mateless == 2
    assert scores.by_yaw == {'0 to 15': 0, '15 to 30': 1, '30 to 45': 0, '45 to 60': 0}
    found = scores.rows[ESTIMATED][STUDENT]
    assert found.rank_one == {'pose': 1.0} and found.average == found.by_yaw['15 to 30'] == 1.0
    assert (scores.genuine, scores.impostor) == (1, 2), 'as strangers they count'
    table = identity_tables(scores, 'drawn')['identity']
    assert '2 more, of people without a face in the gallery, do not count' in table.unit
    alone = known_faces(rows, [0, 1], ['gallery', 'pose'], [0.0, 0.0])
    with pytest.raises(DatasetError, match='none of pose has a gallery and probes'):
        judge(alone, condition_settings(alone.kinds, ('pose',)), rows)


def test_calibrations_are_of_faces_that_have_all_modalities() -> None:
    """Half of the faces lack depth; cosines of colour alone mean something else."""
    rng = np.random.default_rng(0)
    count = 120
    who = rng.standard_normal((count, 8))
    said = [who + noise * rng.standard_normal((2, count, 8)) for noise in (0.3, 1.0)]
    vectors = [(part / np.linalg.norm(part, axis=2, keepdims=True)).reshape(2 * count, 8)
               for part in said]
    partial = vectors[1].copy()
    partial[np.arange(2 * count) % 2 == 1] = 0.0

    def calibrations_of(depth: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
        rows: Any = Rows(Student=Known(color=vectors[0][chosen].tolist(),
                                       depth=depth[chosen].tolist()))
        persons = np.tile(np.arange(count), 2)[chosen].tolist()
        kinds = np.repeat(['gallery', 'pose'], count)[chosen].tolist()
        faces = known_faces(rows, persons, kinds, [0.0] * len(persons))
        judged = judge(faces, condition_settings(kinds, ('pose',)), rows).rows[ESTIMATED]
        return {name: row.calibration for name, row in judged.items()}

    everybody = np.arange(2 * count)
    mixed, pure = calibrations_of(partial, everybody), calibrations_of(partial, everybody[::2])
    for name in (STUDENT, row_name(STUDENT, 'depth')):
        assert mixed[name] is not None and mixed[name] == pure[name]
    assert mixed[row_name(STUDENT, 'color')] != pure[row_name(STUDENT, 'color')]


def row(average: float, **columns: float) -> RowScores:
    return RowScores(rank_one={k: v / 100 for k, v in columns.items()}, average=average / 100)


def scored(rows: dict[str, RowScores], depth: str = ESTIMATED) -> IdentityScores:
    return IdentityScores(rows={depth: rows}, columns={'pose': 1000, 'time': 1000}, probes=2000)


def test_whether_fusion_beats_each_modality_is_said() -> None:
    rows = {FULL: row(99, pose=98, time=99), row_name(FULL, 'color'): row(95, pose=94, time=96),
            row_name(FULL, 'depth'): row(80, pose=81, time=79)}
    assert fusion_sentence(scored(rows), FULL, ESTIMATED) == (
        'Full network, depth estimated: fusion beats each single modality in every column, as in '
        'Table VI.')
    rows[row_name(FULL, 'color')] = row(95, pose=98, time=96)
    assert 'it is level in pose (98.00 % like RGB only).' in fusion_sentence(
        scored(rows), FULL, ESTIMATED)
    rows[row_name(FULL, 'depth')] = row(80, pose=81, time=99.5)
    said = fusion_sentence(scored(rows), FULL, ESTIMATED)
    assert ('not beat each single modality everywhere: time: 99.00 % against 99.50 % by depth '
            'only, 0.50 points or 5 of 1000 probes. It is level in pose') in said
    assert fusion_sentence(scored({FULL: row(99, pose=98)}), FULL, ESTIMATED) == ''
    measured = scored(rows)
    measured.rows[MEASURED] = {FULL: row(99, pose=99, time=99.8),
                               row_name(FULL, 'depth'): row(97, pose=97, time=97)}
    assert fusion_sentence(measured, FULL, MEASURED).endswith('as in Table VI.')


@pytest.mark.parametrize(('average', 'words'), [
    (98.5, 'The student loses 0.50 points of averaged rank-1 against the full network, as asked; '
           'its largest loss is 2.00 points in pose.'),
    (97.5, 'loses 1.50 points of averaged rank-1 against the full network, more than the 1'),
    (99.5, 'gains 0.50 points')])
def test_what_the_student_loses_is_said(average: float, words: str) -> None:
    scores = scored({FULL: row(99, pose=98, time=99), STUDENT: row(average, pose=96, time=99)})
    assert words in student_sentence(scores)
    assert student_sentence(scored({FULL: row(99, pose=98)})) == ''
    better = scored({FULL: row(90, pose=90, time=90), STUDENT: row(95, pose=93, time=97)})
    assert student_sentence(better).endswith(
        'it loses in no column, and gains least, 3.00 points, in pose.')


def test_goals_are_said() -> None:
    student = row(96, pose=97, time=99)
    student.true_accept = {1e-3: 0.5}
    (said,) = goal_sentences(scored({STUDENT: student}))
    assert 'rank-1 average 96.00 % is enough (at least 95, goal 99)' in said
    assert 'rank-1 pose 97.00 % reaches the goal' in said
    assert 'TAR at FAR 0.001 50.00 % is too little (at least 88, goal 97)' in said
    assert identity_verdict(scored({STUDENT: student})) == [said]
    assert goal_sentences(scored({})) == []


def test_pairs_of_videos_are_compared_by_their_means() -> None:
    vectors = [np.array([[1, 0], [0, 1], [1, 0], [0, 0]], np.float32)]
    pooled = Pooled(vectors, [Member('a', '1', 0), Member('a', '2', 1), Member('b', '3', 2),
                              Member('c', '4', 3), Member('d', '5', None)])
    assert pooled.score('a', 'b') == pytest.approx(0.5 ** 0.5)
    assert pooled.score('a', 'c') == pooled.score('b', 'd') == -1.0
    assert pooled.table(['a', 'b'], ['b']).shape == (2, 1)


def ten_people() -> tuple[Any, Any, list[Member]]:
    rng = np.random.default_rng(0)
    people = rng.normal(size=(10, 32))
    noisy = np.concatenate([people, people + 0.1 * rng.normal(size=people.shape)])
    noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
    rows: Any = Rows(Student=Known(color=noisy.tolist(), depth=noisy.tolist()))
    faces = known_faces(rows, [*range(10), *range(10)], ['x'] * 20, [0.0] * 20)
    return rows, faces, [Member(f'{i // 10}/{i % 10}', str(i), i) for i in range(20)]


def test_folds_and_splits() -> None:
    rows, faces, members = ten_people()
    pairs = [FacePair(f'0/{i}', f'1/{j}', i == j, 1 + i % 2) for i in range(10)
             for j in range(10)]
    lines = each_row(faces, rows, members, lambda pooled: folds_line(pooled, pairs))
    assert list(lines) == [STUDENT, row_name(STUDENT, 'color'), row_name(STUDENT, 'depth')]
    assert lines[STUDENT]['accuracy'] == 100.0 and lines[STUDENT]['std'] == 0.0
    assert lines[STUDENT]['TAR at 0.1'] == 100.0 and lines[STUDENT]['TAR at 0.001'] is None
    gallery = {f'0/{i}': str(i) for i in range(8)}  # two probes are strangers
    search = Search(gallery, {f'1/{i}': str(i) for i in range(10)})
    line = each_row(faces, rows, members, lambda pooled: splits_line(
        pooled, {1: pairs, 2: pairs}, {1: search}))[STUDENT]
    assert line['TAR at 0.1'] == 100.0 and line['TAR at 0.1 std'] == 0.0
    assert line['rank-1'] == 100.0 and line['TPIR at 0.1'] is None
    with pytest.raises(DatasetError, match='1 of 1 pairs are of one person, expected pairs of'):
        each_row(faces, rows, members, lambda pooled: folds_line(pooled, pairs[:1]))


def test_networks_are_opened_described_or_absent(tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    write_recognizer(tmp_path, calibrated=False)
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(tmp_path))
    with IdentityRows(rows=(FULL, STUDENT)) as rows:
        assert 'training.export_face_recognizer' in rows.absent[FULL]
        assert list(rows.methods) == [STUDENT]
        network = rows.methods[STUDENT]
        assert network.modalities == ('color', 'depth') and not network.five_points
        said = network.embed([blank_view(), blank_view()])
        assert said['color'].shape == said['depth'].shape == (2, 64)
        assert rows.models[STUDENT].name == 'face_recognizer'


def test_a_network_calibrated_before_a_shape_model_came_beside_it(tmp_path: Path) -> None:
    """It is opened to be calibrated for both."""
    shape = find_model('face_recognizer')
    named = {key: shape.normalisation[key] for key in ('shape_model', 'shape_sha256')}
    shutil.copy(shape.path.parent / named['shape_model'], tmp_path)
    path = write_brought(tmp_path, normalisation=named)
    content = yaml.safe_load(path.read_text())
    content['limits'] = {'calibration': {'color': CALIBRATION}}
    path.write_text(yaml.safe_dump(content))
    with IdentityRows(rows=(str(path),)) as rows:
        assert rows.absent == {}
        assert rows.methods[str(path)].modalities == ('color', 'shape')


def test_faces_are_looked_at_as_a_robot_does(tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    write_our_model(tmp_path, size=96)
    write_grey_model(tmp_path, 'cgan', 96)
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(tmp_path))
    photos = draw_people(1)[:2]
    estimator = open_estimator('ours')
    seen = FaceLooker(estimator).look(photos['color'], photos['relief'].astype(np.float32))
    assert seen.faceless == 0 and seen.measured is not None
    view, measured = seen.estimated[0], seen.measured[0]
    assert view.aligned is None and seen.views(MEASURED) is seen.measured
    inside = view.inputs.mask[0] > 0
    assert 0.4 < inside.mean() < 0.6 and set(np.unique(view.inputs.mask)) == {0.0, 1.0}
    assert (view.inputs.depth[0][~inside] == -1.5).all()
    np.testing.assert_array_equal(view.inputs.mask, measured.inputs.mask)
    assert np.abs(view.inputs.depth - measured.inputs.depth)[0][inside].mean() > 0.01
    # All landmarks of the drawn estimator lie in one place: the frame is the box.
    assert view.framed is not None and measured.framed is not None
    assert (view.framed.mask != view.inputs.mask).mean() < 0.02
    assert np.abs(view.framed.depth - measured.framed.depth).max() > 0.01
    nothing = FaceLooker(estimator).look(photos['color'] * 0, None)
    assert nothing.faceless == 2 and nothing.measured is None
    holes = FaceLooker(estimator).look(photos['color'], np.full((2, 192, 192), np.nan))
    assert holes.measured is not None and holes.measured[0].has == {'color'}
    # ... and the whole crop is taken.
    aligned = FaceLooker(estimator, five_points=True).look(photos['color'], None)
    assert aligned.estimated[0].aligned is not None
    assert aligned.estimated[0].aligned[0].shape == (112, 112, 3)
    estimator.close()
    grey = open_estimator('cgan')
    with pytest.raises(DatasetError, match='tells no mask or no landmarks'):
        FaceLooker(grey).look(np.zeros((1, 96, 96, 3), np.uint8), None)
    grey.close()


def test_colours_are_shrunk_by_area() -> None:
    color = np.zeros((1, 224, 224, 3), np.uint8)
    color[0, ::2] = 100
    assert (small_colors(color) == 50).all()


def test_a_face_of_nothing_is_left_out() -> None:
    cropper = Cropper()
    face = RgbdFace('d', 's', '', 'n', 'c', None, np.full((4, 4), np.nan, np.float32))
    assert cropper.crop(face) is None
    assert cropper.left_out == {'n': 'd n has neither colour nor depth'}
    cropper.close()
    recordings = [Recording('d', s, '', s, 'c', Path()) for s in ('b', 'a', 'c')]
    assert [r.subject for r in first_people(recordings, 2)] == ['b', 'a']
    assert first_people(recordings, None) is recordings


def test_the_curve_never_exceeds_its_rates() -> None:
    rng = np.random.default_rng(1)
    genuine, impostor = rng.normal(2, 1, 300), np.round(rng.normal(0, 1, 1000), 2)
    points = curve_points(genuine, impostor)
    assert points[0][0] == pytest.approx(0.001) and points[-1] == (1.0, 1.0)
    for rate, accepted in points[:-1]:
        expected = true_accept_rate(genuine, impostor, rate * (1 + 1e-9))
        assert accepted == pytest.approx(expected)

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Roughness, holes and falsification of faces whose numbers can be written down."""

from __future__ import annotations

from face_depth_ros.core.depth import DepthRange
from face_depth_ros.evaluation.enhanced_faces import EnhancedFace
from face_depth_ros.evaluation.enhancer_rows import Enhanced, ROWS
from face_depth_ros.evaluation.falsification_protocol import FalsificationScores
from face_depth_ros.evaluation.real_faces import ATTACK, FaceSample
from face_depth_ros.evaluation.roughness_protocol import COLUMNS, RoughnessScores
import numpy as np
import pytest

NAMES = ('None', 'De-M8', 'DL-Delta-1', 'Ours')
MASK = np.zeros((256, 256), bool)
MASK[100:110, 100:110] = True


def face(outputs: dict[str, np.ndarray], variant: str = 'neutral', *,
         truth: np.ndarray | None = None, support: np.ndarray | None = None) -> EnhancedFace:
    slab = DepthRange(0.5)
    d = outputs['None']
    sample = FaceSample('a', variant, slab.denormalise(d), MASK,
                        truth=None if truth is None else slab.denormalise(truth))
    return EnhancedFace(sample, slab, d, {
        name: Enhanced(values, values < 1 if support is None else support)
        for name, values in outputs.items()})


def flat(value: float = 0.5) -> np.ndarray:
    return np.full((256, 256), value, np.float32)


def spiked(height: float) -> np.ndarray:
    d = flat()
    d[105, 105] += height
    return d


def test_roughness_is_the_kernels() -> None:
    scores = RoughnessScores(NAMES)
    scores.add(face({'None': spiked(0.08), 'Ours': flat()}))
    rows = scores.rows()
    # One pixel answers 0.08, its eight neighbours a share of 1/8 each: 0.16 over 100 pixels.
    assert rows['None']['roughness_mean'] == pytest.approx(100 * 0.16 / 100, rel=1e-4)
    assert rows['Ours']['roughness_mean'] == pytest.approx(0.0, abs=1e-6)
    assert rows['None']['holes_mean'] == 0.0


def test_holes_are_counted_and_kept_out_of_the_roughness() -> None:
    d = spiked(0.08)
    d[105, 106] = 1.0
    scores = RoughnessScores(NAMES)
    scores.add(face({'None': d, 'Ours': d}))
    row = scores.rows()['None']
    assert row['holes_mean'] == pytest.approx(1.0)
    # Nine pixels have the hole in their window; of the nine that see the spike, three do not:
    # those left of it.
    assert row['roughness_mean'] == pytest.approx(100 * 3 * 0.01 / 91, rel=1e-4)


def test_mean_and_spread_over_images_and_kinds() -> None:
    scores = RoughnessScores(NAMES)
    holes = flat()
    holes[100:105, 100:110] = 1.0
    scores.add(face({'None': holes, 'Ours': flat()}))
    scores.add(face({'None': flat(), 'Ours': flat()}, 'paper', support=np.zeros_like(MASK)))
    rows = scores.rows()
    assert rows['None']['holes_mean'] == pytest.approx(25.0)
    assert rows['None']['holes_std'] == pytest.approx(50 / np.sqrt(2))
    assert rows['None']['open_holes_mean'] == pytest.approx(50.0)
    assert rows['None']['allowed_holes_mean'] == pytest.approx(50.0)
    assert rows['Ours']['left_alone'] == pytest.approx(50.0)
    assert rows['None']['left_alone'] is None
    assert rows['Ours']['images'] == 2


def test_the_truth_judges_open_faces_only() -> None:
    scores = RoughnessScores(NAMES)
    truth = flat(0.4)
    truth[:, :105] = 1.0  # unknown
    hole = flat(0.4)
    hole[100:110, 105:110] = 1.0
    scores.add(face({'None': flat(0.5), 'De-M8': hole, 'Ours': flat(0.4)}, truth=truth))
    scores.add(face({'None': flat(0.9), 'De-M8': hole, 'Ours': flat(0.9)}, 'mouth', truth=truth))
    rows = scores.rows()
    assert rows['None']['truth_rmse_mean'] == pytest.approx(10.0, rel=1e-4)
    assert rows['De-M8']['truth_rmse_mean'] == pytest.approx(60.0, rel=1e-4)
    assert rows['Ours']['truth_rmse_mean'] == pytest.approx(0.0, abs=1e-4)
    tables = scores.tables('x')
    assert list(tables) == ['roughness', 'reference_roughness']
    assert 'The reference itself has a roughness of' in ''.join(scores.blocks())


def test_attacks_are_no_faces() -> None:
    outputs = {'None': flat(), 'Ours': flat()}
    for scores in (RoughnessScores(NAMES), FalsificationScores(NAMES)):
        scores.add(face(outputs, f'{ATTACK}flat print'))
        assert scores.images == 0
        assert scores.tables('x') == {}


def test_falsification_is_the_move_of_measured_pixels() -> None:
    d = flat()
    d[100:105, 100:110] = 1.0  # holes of the input: what fills them is not counted
    moved, lost = flat(0.53), flat()
    lost[109, 100:110] = 1.0  # ten of the fifty measured pixels
    scores = FalsificationScores(NAMES)
    scores.add(face({'None': d, 'De-M8': lost, 'DL-Delta-1': moved, 'Ours': flat(0.51)}))
    scores.add(face({'None': d, 'De-M8': d, 'DL-Delta-1': flat(0.51), 'Ours': flat(0.52)},
                    'paper'))
    rows = scores.rows()
    assert rows['None']['neutral_mean'] == 0.0
    assert rows['DL-Delta-1']['neutral_mean'] == pytest.approx(3.0, rel=1e-4)
    assert rows['De-M8']['neutral_mean'] == pytest.approx(100 * np.sqrt(0.25 * 10 / 50))
    assert rows['Ours']['paper_mean'] == pytest.approx(2.0, rel=1e-3)
    assert rows['Ours']['mouth_mean'] is None
    assert rows['Ours']['images'] == 2
    assert scores.lowest_learned() == {'neutral': 'Ours', 'paper': 'DL-Delta-1'}


def test_other_variants_have_no_column() -> None:
    scores = FalsificationScores(NAMES)
    scores.add(face({'None': flat(), 'Ours': flat()}, 'smile'))
    assert scores.images == 0


def test_absent_rows_stay_in_their_place_and_empty() -> None:
    rough, false = RoughnessScores(ROWS), FalsificationScores(ROWS)
    for scores in (rough, false):
        scores.add(face({'None': flat(), 'Ours': flat()}))
        rows = scores.rows()
        assert tuple(rows) == ROWS
        assert set(rows['DL-Beta'].values()) == {None}
        assert 'DL-Beta' in ''.join(scores.blocks())
    assert tuple(rough.rows()['DL-Beta']) == COLUMNS

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The temporal mode of the enhancer and the pipeline, on the shipped model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.frames import Detection, EnhancedDepth, Provenance
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.reference_depth import ReferenceDepth, ReferenceScore
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.pipeline import Pipeline
from moving_head import CAMERA, Head, jittered, sensed
import numpy as np
import pytest

FRAME_NS = 33_000_000
DATA = Path(__file__).parents[1] / 'data'


@pytest.fixture
def single() -> Iterator[DepthEnhancer]:
    """Every frame for itself."""
    predictor = DepthEnhancer(backend='openvino', precision='fp32')
    yield predictor
    predictor.close()


@pytest.fixture
def temporal() -> Iterator[DepthEnhancer]:
    """Frames joined."""
    predictor = DepthEnhancer(backend='openvino', precision='fp32', temporal=True)
    yield predictor
    predictor.close()


def rms(image: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    """Return the RMS error, metres."""
    return float(np.sqrt(np.mean((image - truth)[where] ** 2)))


def enhance(predictor: DepthEnhancer, depth: np.ndarray, found: Detection,
            index: int) -> EnhancedDepth:
    """Enhance frame `index` of a 30 Hz stream."""
    return predictor.enhance(depth, [found], stamp_ns=10 ** 18 + index * FRAME_NS,
                             intrinsics=CAMERA)


def test_published_depth_gains_and_stays_honest(single: DepthEnhancer,
                                                temporal: DepthEnhancer) -> None:
    """A turning head: nearer to the truth; holes are filled ones, moves are within the bound."""
    chance = np.random.default_rng(0)
    errors = []
    for i in range(6):
        head = Head(yaw=0.02 * i)
        truth, found = head.depth(), Detection(jittered(head.box(), chance), 0.9, None, 'f00001')
        depth = sensed(truth, chance)
        alone = enhance(single, depth, found, i)
        joined = enhance(temporal, depth, found, i)
        if i == 0:
            np.testing.assert_array_equal(joined.depth, alone.depth)
        where = (np.abs(depth - truth) < 0.015) & np.isfinite(alone.depth + joined.depth)
        errors.append((rms(alone.depth, truth, where), rms(joined.depth, truth, where)))
        hole = np.isnan(depth) & np.isfinite(joined.depth)
        assert hole.any() and (joined.provenance[hole] == Provenance.FILLED).all()
        known = np.isfinite(depth)
        assert not (joined.provenance[known] == Provenance.FILLED).any()
        move = np.abs(joined.depth - depth)[known]
        assert (move <= temporal.noise_bound.at(depth)[known] + 1e-6).all()
    assert all(joined <= 1.02 * alone for alone, joined in errors)
    assert errors[-1][1] < 0.9 * errors[-1][0]


def test_published_mouth_does_not_smear(single: DepthEnhancer, temporal: DepthEnhancer) -> None:
    """The first frame of an open mouth is published open: of 15 mm the past holds nothing back."""
    chance = np.random.default_rng(1)
    for i in range(6):
        head = Head(mouth_m=0.015 if i == 5 else 0.0)
        found = Detection(head.box(), 0.9, None, 'f00001')
        depth = sensed(head.depth(), chance)
        joined = enhance(temporal, depth, found, i)
    truth = head.depth()
    for result in (joined, enhance(single, depth, found, 5)):
        error = (result.depth - truth)[head.mouth() & np.isfinite(depth + result.depth)]
        assert abs(float(error.mean())) < 0.005
        assert float(np.sqrt(np.mean(error ** 2))) < 0.006


def test_off_is_stateless(single: DepthEnhancer) -> None:
    """Off: stamps and order change nothing, and nothing is kept."""
    chance = np.random.default_rng(2)
    depth = sensed(Head().depth(), chance)
    found = Detection(Head().box(), 0.9, None, 'f00001')
    first = single.enhance(depth, [found])
    for i in range(3):
        other = sensed(Head(yaw=0.02 * i).depth(), chance)
        enhance(single, other, found, i)
    again = enhance(single, depth, found, 3)
    for name in ('depth', 'confidence', 'provenance'):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not single.fusion.tracks


def test_two_methods_of_one_frame_share_the_past(temporal: DepthEnhancer) -> None:
    """Asking twice for one frame gives the same twice: nothing is counted double."""
    chance = np.random.default_rng(3)
    found = Detection(Head().box(), 0.9, None, 'f00001')
    for i in range(3):
        depth = sensed(Head().depth(), chance)
        first, again = (enhance(temporal, depth, found, i) for _ in range(2))
        np.testing.assert_array_equal(first.depth, again.depth)


def test_skipped_faces_lose_their_past(temporal: DepthEnhancer) -> None:
    """A face that is refused (here a flat picture) begins anew; so does every one on reset."""
    chance = np.random.default_rng(4)
    found = Detection(Head().box(), 0.9, None, 'f00001')
    enhance(temporal, sensed(Head().depth(), chance), found, 0)
    assert temporal.fusion.tracks == ('f00001',)
    flat = np.full((CAMERA.height, CAMERA.width), 0.6, np.float32)
    result = enhance(temporal, flat, found, 1)
    assert [s.cause for s in result.skipped] == ['no_face_relief']
    np.testing.assert_array_equal(result.depth, flat)
    assert not temporal.fusion.tracks
    enhance(temporal, sensed(Head().depth(), chance), found, 2)
    temporal.reset()
    assert not temporal.fusion.tracks


def test_a_stamp_is_needed(temporal: DepthEnhancer) -> None:
    """Without stamps there is no past: said, not guessed."""
    with pytest.raises(SettingsError, match='temporal mode got no stamp'):
        temporal.enhance(np.ones((8, 8), np.float32), [])


def test_sample_recording_gains() -> None:
    """People who walk and turn at 10 Hz: nearer to the truth on the whole, hardly worse in any."""
    single, joined = _scores(DATA / 'sample_bag', DATA / 'reference' / 'true_depth.npz', 26)
    assert np.mean(joined) < 0.93 * np.mean(single)
    assert max(j - s for s, j in zip(single, joined, strict=True)) < 0.25


@pytest.mark.assets
def test_real_recording_gains(real_recording: Path) -> None:
    """A camera that sweeps around a head, 30 Hz: every frame nearer to the fused reference."""
    single, joined = _scores(real_recording / 'bag',
                             real_recording / 'reference' / 'fused_depth.npz', 30)
    assert np.mean(joined) < 0.97 * np.mean(single)
    assert max(j - s for s, j in zip(single, joined, strict=True)) < 0.03


def _scores(bag: Path, reference: Path, limit: int) -> tuple[list[float], list[float]]:
    """Return each frame's RMSE against the reference, mm: alone and joined."""
    truth = ReferenceDepth(reference)
    scores: tuple[list[float], list[float]] = ([], [])
    for temporal, column in zip((False, True), scores, strict=True):
        pipeline = Pipeline.open(backend='openvino', precision='fp32', temporal=temporal)
        try:
            with Bag(bag) as source:
                for message in source.frames(source.camera_topics(), limit):
                    frame = message.decode()
                    result = pipeline.process(frame)
                    if frame.depth is not None and result.enhanced is not None:
                        score = truth.score(frame.stamp_ns, frame.depth, result.enhanced.depth,
                                            result.detections)
                        column.append(_rmse_of(score))
        finally:
            pipeline.close()
    known = [np.isfinite(s + j) for s, j in zip(*scores, strict=True)]
    assert sum(known) >= 10
    return ([s for s, k in zip(scores[0], known, strict=True) if k],
            [j for j, k in zip(scores[1], known, strict=True) if k])


def _rmse_of(score: ReferenceScore | None) -> float:
    return float('nan') if score is None else score.near_rmse_enhanced_mm

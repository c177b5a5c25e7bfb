# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The shipped liveness detector: its file is that of its network, and rendered attacks fail."""

from __future__ import annotations

from collections.abc import Iterator

from face_depth_ros.core.frames import (
    Detection,
    EstimatedDepth,
    FaceEstimate,
    Placement,
)
from face_depth_ros.core.live_identities import LIVE
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.networks.liveness_detector import build_liveness_detector
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.liveness_detector import LivenessDetector
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.liveness_attacks import SPECIES
from face_depth_ros.synthesis.liveness_samples import LivenessSample, LivenessSampler
from face_depth_ros.training.export import measure_parity
from face_depth_ros.training.export_liveness_detector import (
    Calibration,
    ExportedLivenessDetector,
    fixed_inputs,
)
from face_depth_ros.training.folding import folded
import numpy as np
import onnx
from onnx import numpy_helper
import pytest
import torch


def test_the_file_says_what_its_network_says() -> None:
    spec = find_model('liveness_detector')
    stored = {tensor.name.removesuffix('.half'): torch.tensor(numpy_helper.to_array(tensor))
              for tensor in onnx.load_from_string(spec.read_onnx()).graph.initializer}
    fitted = spec.limits['calibration']
    module = ExportedLivenessDetector(folded(build_liveness_detector()), Calibration(
        fitted['scale'], fitted['offset'], 0.5, 0.5, 1.0, 0, 0)).eval()
    module.load_state_dict({name: stored[name].float().reshape(value.shape)
                            for name, value in module.state_dict().items()})
    differences = measure_parity(module, fixed_inputs(), spec)['fp32']
    assert max(differences.values()) < 1e-3
    assert spec.parity['max_abs'] < 0.02, 'weights are rounded to float16'
    assert 0.0 < spec.number('spoof_threshold') <= spec.number('live_threshold') < 1.0
    assert spec.number('least_measured') == 0.6


@pytest.fixture(name='detector', scope='module')
def shipped_detector() -> Iterator[LivenessDetector]:
    detector = LivenessDetector.open()
    yield detector
    detector.close()


def shown(detector: LivenessDetector, enhancer: DepthEnhancer, sample: LivenessSample) -> str:
    detection = Detection(sample.box, 1.0, track_id='f00001')
    shape = sample.depth.shape
    estimate = FaceEstimate(
        detection, 1.0, np.zeros(sample.mask.shape, np.float32), sample.mask, sample.landmarks,
        np.ones(68, np.float32), Placement.NONE, float('nan'), float('nan'))
    nothing = np.full(shape, np.nan, np.float32)
    said, = detector.look(
        np.zeros((*shape, 3), np.uint8), [detection],
        EstimatedDepth(nothing, nothing, np.zeros(shape, np.uint8), (estimate,)),
        enhancer.enhance(sample.depth, (detection,)), intrinsics=sample.intrinsics)
    return said.label


@pytest.mark.assets
def test_people_are_live_and_attacks_are_not(detector: LivenessDetector) -> None:
    enhancer = DepthEnhancer()
    sampler = LivenessSampler(find_assets(), 'test')
    kinds = [*([LIVE] * len(SPECIES)), *SPECIES[1:], *SPECIES[1:]]
    labels = [shown(detector, enhancer, sampler.measure(scene, 900 + index))
              for index, scene in enumerate(sampler.scenes(77, kinds))]
    enhancer.close()
    live = labels[:len(SPECIES)]
    assert live.count('live') >= len(live) - 1
    assert 'live' not in labels[len(SPECIES):]

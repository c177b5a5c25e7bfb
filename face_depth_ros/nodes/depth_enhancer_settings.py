# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The parameters of the node depth_enhancer."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.depth_guard import NoiseBound
from face_depth_ros.nodes.parameters import Change, EngineSettings, parameter
from face_depth_ros.predictors.enhancer_methods import METHODS, NETWORK, NO_METHOD


@dataclass(frozen=True)
class DepthEnhancerSettings(EngineSettings):
    """Parameters of depth_enhancer."""

    method: str = parameter(
        NETWORK, 'our network, a filter of librealsense, a network of the paper (DL-*, DDRNet-dn; '
        'made by a command), or None = depth as measured', choices=METHODS)
    comparison_method: str = parameter(
        NO_METHOD, 'what depth_enhanced/comparison shows beside the method', choices=METHODS)
    model: str = parameter('depth_enhancer', "a ModelSpec's name, or the path of its YAML",
                           change=Change.UNCONFIGURED)
    confidence_threshold: float = parameter(
        0.0, "least support of a published pixel; 0 = the model's own threshold",
        minimum=0.0, maximum=1.0)
    guard: bool = parameter(
        True, 'hold learned methods to the noise bound, and leave alone what is no face')
    noise_base_mm: float = parameter(
        8.0, 'measured depth moves by at most base + per_m2 z^2 (z in m), and never by more than '
        'largest; this is base', minimum=0.0, maximum=100.0)
    noise_per_m2_mm: float = parameter(
        12.0, 'per_m2 of the noise bound: how the error of the sensor grows with distance',
        minimum=0.0, maximum=100.0)
    noise_largest_mm: float = parameter(
        20.0, 'largest of the noise bound, at any distance', minimum=0.0, maximum=200.0)
    temporal: bool = parameter(
        False, "join each tracked face's depth with that of the frames just before, while it "
        'keeps still')
    depth_transport: str = parameter(
        'raw', 'compressedDepth = PNG from depth/image_raw/compressedDepth',
        choices=('raw', 'compressedDepth'), change=Change.START)

    def noise_bound(self) -> NoiseBound:
        """Return how far measured depth may move."""
        return NoiseBound(base=0.001 * self.noise_base_mm, per_m2=0.001 * self.noise_per_m2_mm,
                          largest=0.001 * self.noise_largest_mm)

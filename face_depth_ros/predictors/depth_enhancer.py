# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Depth in, enhanced depth out: each face's crop through the network or a hand-crafted filter.

Depth only: no colour image reaches this file. Whatever a method says, the frame outside the faces
stays as it was, and a measured pixel moves by at most the spec's `max_correction_m`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from face_depth_ros.core.depth import DepthRange, fill_holes, nearest_surface
from face_depth_ros.core.errors import FaceDepthError, InvalidDepthError, SettingsError
from face_depth_ros.core.face_box import (
    covered_region,
    crop_depth,
    crop_from_region,
    FaceBox,
    warp_depth,
    warp_image,
)
from face_depth_ros.core.frames import Detection, EnhancedDepth, Provenance, SkippedFace
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.engines import Engine, open_engine
from face_depth_ros.filters import ENHANCER_FILTERS, make_filter
import numpy as np

NETWORK = 'network'
METHODS = (NETWORK, *ENHANCER_FILTERS)
SIZE = 256
MIN_VALID_PIXELS = 64
"""A crop with fewer valid pixels says nothing about a face."""
MEASURED_WITHIN_M = 0.001
"""A pixel that moved less counts as measured, not as corrected."""


@dataclass(frozen=True)
class EnhancedCrop:
    """
    One face's canonical crop after enhancement.

    :param depth: metres, (S, S) float32, NaN outside the method's support
    :param confidence: (S, S) float32, 0 to 1, 0 outside the support
    """

    depth: np.ndarray
    confidence: np.ndarray


class DepthEnhancer:
    """
    Enhances the depth of detected faces.

    :param method: `network`, or the name of one of the hand-crafted filters
    :param model: name or path of the network's ModelSpec
    :param confidence_threshold: least support of a pixel to be published, 0 to 1; None = the
        spec's, one for measured pixels and one for holes
    """

    def __init__(self, method: str = NETWORK, model: str = 'depth_enhancer',
                 backend: str = 'auto', precision: str = 'auto',
                 confidence_threshold: float | None = None) -> None:
        self._model, self._backend, self._precision = model, backend, precision
        self._threshold = confidence_threshold
        self._methods: dict[str, Callable[[np.ndarray, DepthRange], EnhancedCrop]] = {}
        self._closers: list[Callable[[], None]] = []
        self.engine: Engine | None = None
        self.max_correction_m = float('inf')
        self.method = ''
        self.set_method(method)

    def set_method(self, method: str) -> None:
        """
        Choose how to enhance from the next frame on; a failure leaves the old choice.

        :raises SettingsError: no such method
        :raises FaceDepthError: the method's model or library is missing
        """
        if method not in METHODS:
            raise SettingsError(
                f'method {method!r} is not known, expected one of {", ".join(METHODS)}')
        if method not in self._methods:
            self._methods[method] = self._open(method)
        self.method = method

    def enhance(self, depth: np.ndarray, detections: Sequence[Detection]) -> EnhancedDepth:
        """
        Enhance every detected face of a frame; where faces overlap the larger one wins.

        :param depth: metres, (H, W) float32, NaN where invalid; not changed
        :raises InvalidDepthError: not such an image
        """
        if depth.ndim != 2 or depth.dtype != np.float32 or 0 in depth.shape:
            raise InvalidDepthError(f'depth must be (H, W) float32 metres with pixels, got shape '
                                    f'{depth.shape} {depth.dtype}')
        result = EnhancedDepth(depth.copy(), np.zeros(depth.shape, np.uint8),
                               np.zeros(depth.shape, np.uint8))
        skipped = []
        for detection in sorted(detections, key=lambda d: d.box.side):
            try:
                crop = self.enhance_crop(crop_depth(depth, detection.box, SIZE))
            except FaceDepthError as error:
                skipped.append(SkippedFace(detection.track_id, error.cause, str(error)))
                continue
            self._paste(depth, result, detection.box, crop)
        return EnhancedDepth(result.depth, result.confidence, result.provenance, tuple(skipped))

    def enhance_crop(self, crop: np.ndarray) -> EnhancedCrop:
        """
        Enhance one canonical crop.

        :param crop: metres, (256, 256) float32, NaN where invalid
        :raises InvalidDepthError: fewer than `MIN_VALID_PIXELS` valid pixels
        """
        valid = int(np.isfinite(crop).sum())
        if valid < MIN_VALID_PIXELS:
            raise InvalidDepthError(
                f'the face has {valid} valid depth pixels of {crop.size}, expected at least '
                f'{MIN_VALID_PIXELS}; it is out of the range of the sensor or too reflective',
                cause='too_few_valid_pixels')
        return self._methods[self.method](crop, DepthRange(nearest_surface(crop)))

    def close(self) -> None:
        """Release engines and filters."""
        for closer in self._closers:
            closer()
        self._closers.clear()
        self._methods.clear()

    def _open(self, method: str) -> Callable[[np.ndarray, DepthRange], EnhancedCrop]:
        if method != NETWORK:
            depth_filter = make_filter(method)
            self._closers.append(depth_filter.close)
            return lambda crop, slab: _filter_crop(depth_filter, crop, slab)
        spec = find_model(self._model)
        self.max_correction_m = spec.number('max_correction_m')
        keep, fill = (spec.number(name) if self._threshold is None else self._threshold
                      for name in ('support_threshold', 'fill_threshold'))
        engine = open_engine(spec, backend=self._backend, precision=self._precision)
        self._closers.append(engine.close)
        self.engine = engine
        return lambda crop, slab: _network_crop(engine, crop, slab, keep, fill)

    def _paste(self, original: np.ndarray, result: EnhancedDepth, box: FaceBox,
               crop: EnhancedCrop) -> None:
        """Write a crop into the frame within its support."""
        height, width = original.shape
        x0, y0, x1, y1 = covered_region(box, width, height)
        if x1 <= x0 or y1 <= y0:
            return
        affine = crop_from_region(box, SIZE, x0, y0)
        new = warp_depth(crop.depth, affine, y1 - y0, x1 - x0)
        confidence = warp_image(crop.confidence, affine, y1 - y0, x1 - x0)
        region = np.s_[y0:y1, x0:x1]
        old = original[region]
        supported, measured = np.isfinite(new), np.isfinite(old)
        with np.errstate(invalid='ignore'):
            move = np.clip(new - old, -self.max_correction_m, self.max_correction_m)
        new = np.where(measured, old + move, new)
        provenance = np.where(
            measured, np.where(np.abs(move) <= MEASURED_WITHIN_M, Provenance.MEASURED,
                               Provenance.CORRECTED), Provenance.FILLED)
        np.copyto(result.depth[region], new, where=supported)
        np.copyto(result.confidence[region],
                  np.rint(confidence * 255.0).astype(np.uint8), where=supported)
        np.copyto(result.provenance[region], provenance.astype(np.uint8), where=supported)


def _network_crop(engine: Engine, crop: np.ndarray, slab: DepthRange, keep: float,
                  fill: float) -> EnhancedCrop:
    """
    Run the network; publish where it believes in a surface.

    :param keep: least support of a measured pixel; below it the measurement stands as it is
    :param fill: least support of a filled one; smaller, since nothing stands there otherwise, and
        its confidence says how doubtful it is
    """
    d = slab.normalise(crop)
    valid = d < 1.0
    filled = fill_holes(d, valid)
    outputs = engine({'depth': filled[None, None], 'valid': valid[None, None].astype(np.float32)})
    support = outputs['support'][0, 0]
    supported = support > np.where(np.isfinite(crop), np.float32(keep), np.float32(fill))
    metres = (filled + outputs['correction'][0, 0]) * np.float32(slab.span) + np.float32(
        slab.nearest)
    return EnhancedCrop(np.where(supported, metres, np.float32(np.nan)),
                        np.where(supported, outputs['confidence'][0, 0] * support,
                                 np.float32(0.0)))


def _filter_crop(depth_filter: Callable[[np.ndarray], np.ndarray], crop: np.ndarray,
                 slab: DepthRange) -> EnhancedCrop:
    """
    Run a hand-crafted filter; it fills without a notion of a face.

    What was measured behind the slab is a hole to the filter, but stays as it was. A filter does
    not say how sure it is: confidence is 1 where the input was measured and 0 where it filled.
    """
    d = slab.normalise(crop)
    metres = slab.denormalise(depth_filter(d))
    behind = np.isfinite(crop) & (d >= 1.0)
    metres[behind] = np.nan
    return EnhancedCrop(metres, ((d < 1.0) & np.isfinite(metres)).astype(np.float32))

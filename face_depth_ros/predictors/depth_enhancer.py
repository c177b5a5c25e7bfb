# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Depth in, enhanced depth out: each face's crop through one of the methods, under the guard.

Depth only: no colour image reaches this file. Whatever a method says, the frame outside the faces
stays as it was, a learned method moves measured pixels only as far as the sensor's noise reaches,
and a surface that is no face is left alone (core/depth_guard.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth import DepthRange, FACE_DEPTH_RANGE_M, nearest_surface
from face_depth_ros.core.depth_guard import (
    bound_correction,
    drop_unfounded_fills,
    NoiseBound,
    surface_shape,
)
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
from face_depth_ros.core.temporal_fusion import assumed_camera, TemporalFusion
from face_depth_ros.engines import Engine
from face_depth_ros.filters import ENHANCER_FILTERS
from face_depth_ros.predictors.enhancer_methods import (
    CropMethod,
    EnhancedCrop,
    FilterMethod,
    METHODS,
    NETWORK,
    NetworkMethod,
    PAPER_ENHANCERS,
    PaperEnhancer,
    PassThrough,
)
import numpy as np

SIZE = 256
MIN_VALID_PIXELS = 64
"""A crop with fewer valid pixels says nothing about a face."""
MEASURED_WITHIN_M = 0.001
"""A pixel that moved less counts as measured, not as corrected."""
PLAUSIBLE_M = (0.1, 10.0)
"""The median of a frame in metres lies between; else its unit is not what it says."""
MIN_RELIEF_M = 0.0025
MIN_BULGE_M = 0.005
"""A face leaves 3.4 mm and bulges by 14 mm or more, paper and balls leave 2.1 mm or less."""
STEPS_FROM_M = 0.011
"""More relief than a face has: something else covers a part, and the bulge says nothing."""
_FACE_SPAN_M = 0.1
_EVERY = 4
_CENTRE = slice(SIZE // 4, 3 * SIZE // 4)


class DepthEnhancer:
    """
    Enhances the depth of detected faces.

    :param method: one of `METHODS`
    :param model: name or path of the ModelSpec of the method `network`
    :param confidence_threshold: of the method `network`, see `NetworkMethod`
    :param guard: hold learned methods to core/depth_guard.py; off only to compare
    :param noise_bound: of the sensor, None = that of consumer depth cameras
    :param temporal: join each tracked face's measurement with those just before
        (core/temporal_fusion.py); frames must then come in order with their stamps
    """

    def __init__(self, method: str = NETWORK, model: str = 'depth_enhancer',
                 backend: str = 'auto', precision: str = 'auto',
                 confidence_threshold: float | None = None, guard: bool = True,
                 noise_bound: NoiseBound | None = None, temporal: bool = False) -> None:
        self._model, self._backend, self._precision = model, backend, precision
        self._threshold = confidence_threshold
        self._methods: dict[str, CropMethod] = {}
        self.guard, self.noise_bound = guard, noise_bound or NoiseBound()
        self.temporal, self.fusion = temporal, TemporalFusion()
        self.method = ''
        self.set_method(method)

    @property
    def engine(self) -> Engine | None:
        """Return the engine of the present method, None where no network runs."""
        return self._methods[self.method].engine

    def set_method(self, method: str) -> None:
        """
        Choose how to enhance from the next frame on; a failure leaves the old choice.

        :raises SettingsError: no such method
        :raises FaceDepthError: the method's model or library is missing
        """
        self.prepare(method)
        self.method = method

    def prepare(self, method: str) -> None:
        """
        Open a method, so that `enhance` may be asked for it.

        :raises FaceDepthError: as `set_method`
        """
        if method not in METHODS:
            raise SettingsError(
                f'method {method!r} is not known, expected one of {", ".join(METHODS)}')
        if method not in self._methods:
            self._methods[method] = self._open(method)

    def enhance(self, depth: np.ndarray, detections: Sequence[Detection],
                method: str | None = None, *, stamp_ns: int | None = None,
                intrinsics: CameraIntrinsics | None = None) -> EnhancedDepth:
        """
        Enhance every detected face of a frame; where faces overlap the larger one wins.

        :param depth: metres, (H, W) float32, NaN where invalid; not changed
        :param method: another one than the present, opened by `prepare`
        :param stamp_ns: capture time, needed with `temporal` only
        :param intrinsics: of the image, used with `temporal` only; None = those of a usual camera
        :raises InvalidDepthError: not such an image
        :raises SettingsError: `temporal` without a stamp, or a method that is not open
        """
        if depth.ndim != 2 or depth.dtype != np.float32 or 0 in depth.shape:
            raise InvalidDepthError(f'depth must be (H, W) float32 metres with pixels, got shape '
                                    f'{depth.shape} {depth.dtype}')
        if self.temporal and stamp_ns is None:
            raise SettingsError('temporal mode got no stamp, expected the capture time of the '
                                'frame; give stamp_ns, or set temporal to False')
        guarded = self._is_guarded(method or self.method)
        result = EnhancedDepth(depth.copy(), np.zeros(depth.shape, np.uint8),
                               np.zeros(depth.shape, np.uint8))
        skipped = []
        for detection in sorted(detections, key=lambda d: d.box.side):
            try:
                crop = crop_depth(depth, detection.box, SIZE)
                enhanced = self.enhance_crop(crop, method, self._fused(
                    crop, depth.shape, detection, stamp_ns, intrinsics))
            except FaceDepthError as error:
                if method is None:  # what a second method refuses is no reason to forget
                    self.fusion.forget(detection.track_id)
                skipped.append(SkippedFace(detection.track_id, error.cause, str(error)))
                continue
            self._paste(depth, result, detection.box, enhanced, guarded)
        return EnhancedDepth(result.depth, result.confidence, result.provenance, tuple(skipped))

    def enhance_crop(self, crop: np.ndarray, method: str | None = None,
                     fused: np.ndarray | None = None) -> EnhancedCrop:
        """
        Enhance one canonical crop.

        :param crop: metres, (256, 256) float32, NaN where invalid
        :param method: another one than the present, opened by `prepare`
        :param fused: what the method gets to see in place of `crop`; it is held to `crop`
        :raises InvalidDepthError: too little is valid, of another unit, or beyond the 25 cm; or
            the guard sees no face in it
        :raises SettingsError: a method that is not open
        """
        slab = _slab_of(crop)
        name = method or self.method
        guarded = self._is_guarded(name)
        if guarded:
            check_relief(crop)
        enhanced = self._opened(name)(crop if fused is None else fused, slab)
        if not guarded:
            return enhanced
        depth = drop_unfounded_fills(crop, enhanced.depth, slab.nearest + slab.span)
        return EnhancedCrop(bound_correction(crop, depth, self.noise_bound),
                            np.where(np.isfinite(depth), enhanced.confidence, np.float32(0.0)))

    def reset(self) -> None:
        """Forget the past of every face: the stream begins anew."""
        self.fusion.reset()

    def close(self) -> None:
        """Release engines and filters."""
        for method in self._methods.values():
            method.close()
        self._methods.clear()

    def _fused(self, crop: np.ndarray, shape: tuple[int, ...], detection: Detection,
               stamp_ns: int | None, camera: CameraIntrinsics | None) -> np.ndarray | None:
        """Return the crop joined with its past, None where every frame stands for itself."""
        if not self.temporal or stamp_ns is None:
            return None
        self.fusion.noise_bound = self.noise_bound
        camera = camera or assumed_camera(shape[1], shape[0])
        return self.fusion.fuse(detection.track_id, stamp_ns, detection.box, crop, camera).depth

    def _is_guarded(self, method: str) -> bool:
        return self._opened(method).learned and self.guard

    def _opened(self, method: str) -> CropMethod:
        if method not in self._methods:
            raise SettingsError(f'method {method!r} is not open, expected one of those that are: '
                                f'{", ".join(self._methods) or "none"}; open it by prepare')
        return self._methods[method]

    def _open(self, method: str) -> CropMethod:
        if method == NETWORK:
            return NetworkMethod(self._model, self._backend, self._precision, self._threshold)
        if method in PAPER_ENHANCERS:
            return PaperEnhancer(method, self._backend, self._precision)
        return FilterMethod(method) if method in ENHANCER_FILTERS else PassThrough()

    def _paste(self, original: np.ndarray, result: EnhancedDepth, box: FaceBox,
               crop: EnhancedCrop, guarded: bool) -> None:
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
            move = new - old
            if guarded:  # resampling may add to what the crop was held to
                limit = self.noise_bound.at(old)
                move = np.clip(move, -limit, limit)
        new = np.where(measured, old + move, new)
        provenance = np.where(
            measured, np.where(np.abs(move) <= MEASURED_WITHIN_M, Provenance.MEASURED,
                               Provenance.CORRECTED), Provenance.FILLED)
        np.copyto(result.depth[region], new, where=supported)
        np.copyto(result.confidence[region],
                  np.rint(confidence * 255.0).astype(np.uint8), where=supported)
        np.copyto(result.provenance[region], provenance.astype(np.uint8), where=supported)


def check_relief(crop: np.ndarray) -> None:
    """
    Check that the measured surface may be a face.

    :param crop: metres, (256, 256) float32, NaN where invalid
    :raises InvalidDepthError: it is as smooth as a sheet or a ball, or hollow
    """
    shape = surface_shape(crop, _FACE_SPAN_M)
    if shape.relief < MIN_RELIEF_M:
        raise InvalidDepthError(
            f'the surface has a relief of {1e3 * shape.relief:.1f} mm, a face at least '
            f'{1e3 * MIN_RELIEF_M:.1f} mm: it is a picture, flat or bent, or covered; it is left '
            'as it was measured', cause='no_face_relief')
    if shape.bulge < MIN_BULGE_M and shape.relief < STEPS_FROM_M:
        raise InvalidDepthError(
            f'the middle of the surface stands {1e3 * shape.bulge:.0f} mm before its rim, a face '
            f'at least {1e3 * MIN_BULGE_M:.0f} mm: it is flat or hollow, no face; it is left as '
            'it was measured', cause='no_face_relief')


def _slab_of(crop: np.ndarray) -> DepthRange:
    """Return the 25 cm of a crop, once it is sure that the face lies within."""
    valid = np.isfinite(crop)
    count = int(valid.sum())
    if count < MIN_VALID_PIXELS:
        raise InvalidDepthError(
            f'the face has {count} valid depth pixels of {crop.size}, expected at least '
            f'{MIN_VALID_PIXELS}; it is out of the range of the sensor or too reflective',
            cause='too_few_valid_pixels')
    some = crop[::_EVERY, ::_EVERY][valid[::_EVERY, ::_EVERY]]
    median = float(np.median(some if some.size else crop[valid]))
    if not PLAUSIBLE_M[0] <= median <= PLAUSIBLE_M[1]:
        raise InvalidDepthError(
            f'the median depth of the face is {median:.4g} m, expected {PLAUSIBLE_M[0]:g} to '
            f'{PLAUSIBLE_M[1]:g} m; the image is not in the unit that its encoding says (16UC1 = '
            'millimetres, 32FC1 = metres)', cause='depth_unit')
    slab = DepthRange(nearest_surface(crop))
    middle = crop[_CENTRE, _CENTRE]
    with np.errstate(invalid='ignore'):
        behind = int((middle >= slab.nearest + FACE_DEPTH_RANGE_M).sum())
    known = int(np.isfinite(middle).sum())
    if 2 * behind > known:
        raise InvalidDepthError(
            f'most of the middle of the face ({behind} of {known} valid pixels) lies '
            f'{FACE_DEPTH_RANGE_M:g} m or more behind the nearest surface at {slab.nearest:.2f} '
            'm; something (a hand) is held in front, or the box is not on a face',
            cause='depth_range')
    return slab

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The ways to enhance one canonical crop: our network, the paper's networks, filters, nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from face_depth_ros.core.depth import DepthRange, fill_holes
from face_depth_ros.core.errors import ModelSpecError, SettingsError
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.engines import Engine, open_engine
from face_depth_ros.filters import ENHANCER_FILTERS, make_filter
import numpy as np

NETWORK, NO_METHOD = 'network', 'None'
PAPER_ENHANCERS = {
    'DL-Alpha': 'dl_alpha', 'DL-Beta': 'dl_beta', 'DL-Gamma': 'dl_gamma',
    'DL-Delta-1': 'dl_delta_1', 'DL-Delta-2': 'dl_delta_2', 'DL-Delta-3': 'dl_delta_3',
    'DL-Delta-4': 'dl_delta_4', 'DDRNet-dn': 'ddrnet_dn'}
"""Method -> model: the networks of Schlett et al., and DDRNet's denoiser trained again."""
METHODS = (NETWORK, *ENHANCER_FILTERS, *PAPER_ENHANCERS, NO_METHOD)


@dataclass(frozen=True)
class EnhancedCrop:
    """
    One face's canonical crop after enhancement.

    :param depth: metres, (S, S) float32, NaN outside the method's support
    :param confidence: (S, S) float32, 0 to 1, 0 outside the support
    """

    depth: np.ndarray
    confidence: np.ndarray


class CropMethod(Protocol):
    """
    Enhances a canonical crop; `learned` ones are held to the guard, filters do what they do.

    `engine` is None where no network runs.
    """

    learned: bool
    engine: Engine | None

    def __call__(self, crop: np.ndarray, slab: DepthRange) -> EnhancedCrop:
        """
        Enhance.

        :param crop: metres, (256, 256) float32, NaN where invalid
        :param slab: the 25 cm to normalise by
        """

    def close(self) -> None:
        """Release what the method holds."""


class NetworkMethod:
    """
    Our network; publishes where it believes in a surface.

    :param threshold: least support of a pixel to be published, 0 to 1; None = the spec's: `keep`
        for measured pixels, below which the measurement stands as it is, and the smaller `fill`
        for holes, since nothing stands there otherwise and the confidence says how doubtful it is
    :raises SettingsError: a threshold out of its range
    """

    learned = True

    def __init__(self, model: str, backend: str, precision: str,
                 threshold: float | None) -> None:
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise SettingsError(f'confidence_threshold is {threshold}, expected 0 to 1')
        spec = find_model(model)
        self._keep, self._fill = (
            np.float32(spec.number(name) if threshold is None else threshold)
            for name in ('support_threshold', 'fill_threshold'))
        self._run = open_engine(spec, backend=backend, precision=precision)
        self.engine: Engine | None = self._run

    def __call__(self, crop: np.ndarray, slab: DepthRange) -> EnhancedCrop:
        """Run the network."""
        d = slab.normalise(crop)
        valid = d < 1.0
        filled = fill_holes(d, valid)
        outputs = self._run({'depth': filled[None, None],
                             'valid': valid[None, None].astype(np.float32)})
        support = outputs['support'][0, 0]
        supported = support > np.where(np.isfinite(crop), self._keep, self._fill)
        metres = (filled + outputs['correction'][0, 0]) * np.float32(slab.span) + np.float32(
            slab.nearest)
        return EnhancedCrop(np.where(supported, metres, np.float32(np.nan)),
                            np.where(supported, outputs['confidence'][0, 0] * support,
                                     np.float32(0.0)))

    def close(self) -> None:
        """Release the engine."""
        self._run.close()


class PaperEnhancer:
    """
    A network of the paper: one channel in, one out; called directly it answers as in its tables.

    :raises ModelSpecError: its model is not there; the message names the command that makes it
    """

    learned = True

    def __init__(self, name: str, backend: str = 'auto', precision: str = 'auto') -> None:
        self.name = name
        self.spec = find_paper_model(name)
        self.hole_threshold = np.float32(self.spec.number('hole_threshold'))
        self._run = open_engine(self.spec, backend=backend, precision=precision)
        self.engine: Engine | None = self._run

    def enhance(self, d: np.ndarray) -> np.ndarray:
        """
        Enhance normalised depth.

        :param d: (256, 256) float32 in [0, 1], holes = 1
        :returns: the same form; 1 from the spec's `hole_threshold` on
        """
        output = self._run({'depth': d[None, None]})['enhanced'][0, 0]
        return np.where(output < self.hole_threshold, np.maximum(output, np.float32(0.0)),
                        np.float32(1.0))

    def __call__(self, crop: np.ndarray, slab: DepthRange) -> EnhancedCrop:
        """Enhance metres; like a filter, the network does not say how sure it is."""
        return _crop_of(self.enhance(d := slab.normalise(crop)), d, crop, slab)

    def close(self) -> None:
        """Release the engine."""
        self._run.close()


class FilterMethod:
    """A hand-crafted filter of librealsense; it fills without a notion of a face."""

    learned = False
    engine: Engine | None = None

    def __init__(self, name: str) -> None:
        self._filter = make_filter(name)

    def __call__(self, crop: np.ndarray, slab: DepthRange) -> EnhancedCrop:
        """Run the filter."""
        d = slab.normalise(crop)
        return _crop_of(self._filter(d), d, crop, slab)

    def close(self) -> None:
        """Release the filter."""
        self._filter.close()


class PassThrough:
    """No enhancement: the measurement stands."""

    learned = False
    engine: Engine | None = None

    def __call__(self, crop: np.ndarray, slab: DepthRange) -> EnhancedCrop:
        """Claim nothing."""
        return EnhancedCrop(np.full_like(crop, np.nan), np.zeros_like(crop))

    def close(self) -> None:
        """Nothing is held."""


def find_paper_model(name: str) -> ModelSpec:
    """
    Return the spec of one of `PAPER_ENHANCERS`.

    :raises ModelSpecError: it is not there; the message says how to make it
    """
    model = PAPER_ENHANCERS[name]
    try:
        return find_model(model)
    except ModelSpecError as error:
        if error.cause != 'model_missing':
            raise
        raise ModelSpecError(
            f'method {name}: there is no model {model!r} in the model folders; make it with '
            f'`python -m face_depth_ros.training.train_paper_enhancer --network {model}` and '
            'put its files where FACE_DEPTH_MODELS points', cause='model_missing') from error


def _crop_of(enhanced: np.ndarray, d: np.ndarray, crop: np.ndarray,
             slab: DepthRange) -> EnhancedCrop:
    """
    Bring a method's normalised output back to metres.

    What was measured behind the slab is a hole to the method, but stays as it was. Such a
    method does not say how sure it is: confidence is 1 where the input was measured and 0 where
    it filled.
    """
    metres = slab.denormalise(enhanced)
    metres[np.isfinite(crop) & (d >= 1.0)] = np.nan
    return EnhancedCrop(metres, ((d < 1.0) & np.isfinite(metres)).astype(np.float32))

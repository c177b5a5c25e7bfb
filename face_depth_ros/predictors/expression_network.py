# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Views of faces in, what they say out: our network, or an AFNet-M; a frame in one inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_depth_ros.core.afnet_input import afnet_input
from face_depth_ros.core.errors import ModelSpecError
from face_depth_ros.core.expression_input import expression_input, SIZE
from face_depth_ros.core.expression_labels import ACTION_UNITS, EXPRESSIONS, VALENCE_AROUSAL
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.engines import Engine, open_engine
import numpy as np

SHIPPED = 'expression_recognizer'
_OURS = {'color': (-1, 3, SIZE, SIZE), 'depth': (-1, 2, SIZE, SIZE), 'face': (-1, 1, SIZE, SIZE)}
_OUTPUTS = {'probabilities': (-1, len(EXPRESSIONS)), 'affect': (-1, 2),
            'units': (-1, len(ACTION_UNITS))}
_AFNET = ('texture', 'depth', 'mask_1', 'mask_2')
_BASIC = len(EXPRESSIONS) - 1


@dataclass(frozen=True)
class ExpressionView:
    """
    One face as an expression recogniser gets it.

    :param color: (128, 128, 3) uint8 RGB of core.expression_input.part_box
    :param relief: (N, N) float32 metres over the canonical crop, NaN where nothing was measured;
        None = nothing was
    :param mask: (N, N) uint8 labels over the canonical crop
    :param landmarks: (68, 2) float32 pixels of `color`, None = there are none
    """

    color: np.ndarray
    relief: np.ndarray | None
    mask: np.ndarray
    landmarks: np.ndarray | None


@dataclass(frozen=True)
class Said:
    """
    What a network says of one face.

    :param probabilities: (7,) float32 of EXPRESSIONS
    :param affect: (2,) float32 valence and arousal
    :param units: (17,) float32 of ACTION_UNITS, None where the network tells none
    """

    probabilities: np.ndarray
    affect: np.ndarray
    units: np.ndarray | None


class ExpressionNetwork:
    """
    A network and its engine.

    :param model: ModelSpec by name or path: ours, or an AFNet-M
    :raises ModelSpecError: there is no such model, or it is none that tells expressions
    :raises FaceDepthError: the backend is missing
    """

    def __init__(self, model: str = SHIPPED, backend: str = 'auto',
                 precision: str = 'auto') -> None:
        self.spec = find_expression_model(model)
        self._afnet_size = _afnet_size(self.spec)
        if not self._afnet_size:
            _check_ours(self.spec)
        self.engine: Engine = open_engine(self.spec, backend, precision)

    @property
    def looks_at_depth(self) -> bool:
        """Whether depth matters to it."""
        return any(t.name == 'depth' for t in self.spec.inputs)

    def say(self, views: Sequence[ExpressionView]) -> list[Said]:
        """Look at all faces in one inference; in the order of the views."""
        if not views:
            return []
        feeds = [self._feed(view) for view in views]
        outputs = self.engine({t.name: np.stack([feed[t.name] for feed in feeds])
                               for t in self.spec.inputs})
        if self._afnet_size:
            return [_of_six(logits) for logits in outputs[self.spec.outputs[0].name]]
        return [Said(p.copy(), a.copy(), u.copy()) for p, a, u in zip(
            *(outputs[name] for name in _OUTPUTS), strict=True)]

    def close(self) -> None:
        """Release the engine; closing twice is allowed."""
        self.engine.close()

    def _feed(self, view: ExpressionView) -> dict[str, np.ndarray]:
        """Return the inputs of one face by name."""
        if self._afnet_size:
            return afnet_input(view.color, view.relief, view.mask, view.landmarks,
                               self._afnet_size)
        return expression_input(view.color, view.relief, view.mask)._asdict()


def find_expression_model(model: str) -> ModelSpec:
    """
    Return the spec of an expression recogniser.

    :raises ModelSpecError: there is none of that name; the message says how to make ours
    """
    try:
        return find_model(model)
    except ModelSpecError as error:
        script = {SHIPPED: 'expression_recognizer'}.get(
            model, 'afnet_m' if model.startswith('afnet_m') else '')
        if error.cause != 'model_missing' or not script:
            raise
        raise ModelSpecError(
            f'model {model} is not there; make it by: python -m '
            f'face_depth_ros.training.train_{script}, then python -m '
            f'face_depth_ros.training.export_{script} ({error})', cause='model_missing') from error


def _afnet_size(spec: ModelSpec) -> int:
    """Return the side of an AFNet-M's images, 0 where the model is none."""
    names = [t.name for t in spec.inputs]
    shown = [t for t in spec.inputs if t.name in ('texture', 'depth')]
    outputs = [t.shape for t in spec.outputs]
    if not set(names) <= set(_AFNET) or not shown or outputs != [(-1, _BASIC)]:
        return 0
    return int(shown[0].shape[2])


def _check_ours(spec: ModelSpec) -> None:
    """Check that a spec is of a network like ours."""
    inputs = {t.name: t.shape for t in spec.inputs}
    outputs = {t.name: t.shape for t in spec.outputs}
    if inputs != _OURS or outputs != _OUTPUTS:
        raise ModelSpecError(
            f'{spec.path}: the inputs are {inputs} and the outputs {outputs}; expected {_OURS} '
            f'and {_OUTPUTS}, or some of {", ".join(_AFNET)} and one output (-1, {_BASIC}): this '
            'model does not tell expressions')


def _of_six(logits: np.ndarray) -> Said:
    """Return what the logits of the six basic expressions say; neutral is none of them."""
    odds = np.exp(logits - logits.max())
    share = (odds / odds.sum()).astype(np.float32)
    affect = share @ np.array(VALENCE_AROUSAL[:_BASIC], np.float32)
    return Said(np.append(share, np.float32(0.0)), affect, None)

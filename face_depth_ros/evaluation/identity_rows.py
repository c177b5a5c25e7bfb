# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The recognisers that the tables compare, opened: the paper's network, its student, c_Id, others'.

A network of colour and depth makes three rows: both, RGB only, depth only; with a shape model
five: all, each alone, and without shape, or six with joint alone; a network of colour with a shape
model makes three. A row that cannot be opened (its model is not there) is listed with the reason.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import combinations
import os
from pathlib import Path
import tempfile
from types import MappingProxyType

import cv2
from face_depth_ros.core.errors import ModelSpecError
from face_depth_ros.core.identity_calibration import (
    COLOR,
    DEPTH,
    JOINT,
    MODALITIES,
    modalities_key,
    SHAPE,
)
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.core.recognition_input import RecognitionInput, SIZE
from face_depth_ros.evaluation.compared_rows import ComparedRows
from face_depth_ros.predictors.face_embedder import FaceEmbedder, FaceView, find_recognizer
from face_depth_ros.predictors.face_shape import FaceShape
import numpy as np
import yaml

FULL, STUDENT, C_ID = 'Full network', 'Student', 'c_Id'
MODELS = {FULL: 'mask_guided_recognizer', STUDENT: 'face_recognizer', C_ID: 'face_shape'}
"""Row -> model."""
ROWS = tuple(MODELS)
FUSED = 'fused'
RGB_ONLY, DEPTH_ONLY, SHAPE_ONLY = 'RGB only', 'depth only', 'shape only'
NETWORK = 'network'
VARIANTS = {FUSED: '', COLOR: f', {RGB_ONLY}', DEPTH: f', {DEPTH_ONLY}', SHAPE: f', {SHAPE_ONLY}',
            JOINT: ', joint only', NETWORK: ', without shape'}
"""What of a network's embeddings is compared -> what its row is called besides the network."""
_SHAPE_MADE_BY = ('python -m face_depth_ros.training.train_face_shape, then python -m '
                  'face_depth_ros.training.export_face_shape')


class IdentityEmbedder(ABC):
    """
    A network that tells faces apart.

    :ivar modalities: of its embeddings, some of color, depth and shape
    :ivar five_points: wants `FaceView.aligned`
    :ivar weights: modality -> what its cosine weighs in the mean; 1 for those that are not named
    """

    modalities: tuple[str, ...]
    five_points: bool = False
    weights: Mapping[str, float] = MappingProxyType({})

    @abstractmethod
    def embed(self, faces: Sequence[FaceView]) -> dict[str, np.ndarray]:
        """
        Embed all faces in one inference.

        :returns: by modality (B, D) float32 of length 1, 0 where the network says nothing
        """


class RecognizerEmbedder(IdentityEmbedder):
    """Our recognisers, and those that somebody brings."""

    def __init__(self, network: FaceEmbedder) -> None:
        self._network = network
        self.modalities = tuple(network.layout.parts)
        self.weights = network.layout.weights
        self.five_points = network.wants_five_points

    def embed(self, faces: Sequence[FaceView]) -> dict[str, np.ndarray]:
        """Embed all faces."""
        joined = np.stack([e.vector for e in self._network.embed(faces)])
        return {m: self._network.layout.split(joined, m) for m in self.modalities}


class ShapeEmbedder(IdentityEmbedder):
    """The identity code of the face shape, which sees colour alone."""

    modalities = (COLOR,)

    def __init__(self, network: FaceShape) -> None:
        self._network = network

    def embed(self, faces: Sequence[FaceView]) -> dict[str, np.ndarray]:
        """Embed all faces."""
        color = np.stack([f.inputs.color.transpose(1, 2, 0) for f in faces]).astype(np.uint8)
        mask = np.stack([f.inputs.mask[0] for f in faces]).astype(np.uint8)
        side = self._network.size
        if side != SIZE:
            color = np.stack([cv2.resize(c, (side, side)) for c in color])
            mask = np.stack([cv2.resize(m, (side, side), interpolation=cv2.INTER_NEAREST)
                             for m in mask])
        return {COLOR: self._network.reconstruct(color, mask).embeddings()}


class IdentityRows(ComparedRows[IdentityEmbedder]):
    """
    The networks of the tables, opened and warmed up; close it, or use it with `with`.

    :param rows: which, names of `ROWS` or paths of ModelSpecs of networks that somebody brings;
        ours keep the order of `ROWS` and brought ones come after them
    :raises SettingsError: a name that is neither
    """

    def __init__(self, backend: str = 'auto', precision: str = 'auto',
                 rows: Sequence[str] = ROWS) -> None:
        self._backend, self._precision = backend, precision
        brought = dict.fromkeys(r for r in rows if is_path(r))
        super().__init__((*ROWS, *brought), rows)

    def _open(self, name: str) -> IdentityEmbedder:
        model = MODELS.get(name, name)
        opened: IdentityEmbedder
        if name == C_ID:
            spec = _shape_spec(model)
            shape = FaceShape(str(spec.path), self._backend, self._precision)
            self._stack.callback(shape.close)
            opened, engine = ShapeEmbedder(shape), shape.engine
        else:
            spec = find_recognizer(model)
            network = FaceEmbedder(self._calibrated(spec), self._backend, self._precision)
            self._stack.callback(network.close)
            opened, engine = RecognizerEmbedder(network), network.engine
        opened.embed([blank_view()])
        self._describe(name, spec, engine)
        return opened

    def _calibrated(self, spec: ModelSpec) -> str:
        """
        Return the path of a spec with a calibration of all that it may tell.

        Who is measured here may have none, or one from before a shape model stood beside: for as
        long as it is open, its spec has neutral ones.
        """
        known = spec.limits.get('calibration')
        if known and ('shape_model' not in spec.normalisation
                      or any(SHAPE in key for key in known)):
            return str(spec.path)
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        content = yaml.safe_load(spec.path.read_text('utf-8'))
        neutral = {'slope': 1.0, 'offset': 0.0, 'false_accept': {'0.1': 1.0}}
        content['limits'] = {**spec.limits, 'calibration': {
            modalities_key(chosen): neutral for size in range(1, len(MODALITIES) + 1)
            for chosen in combinations(MODALITIES, size)}}
        content['onnx'] = str(spec.onnx.resolve())
        if 'shape_model' in spec.normalisation:
            shape = spec.path.parent / str(spec.normalisation['shape_model'])
            content['normalisation']['shape_model'] = str(shape.resolve())
        path = folder / spec.path.name
        path.write_text(yaml.safe_dump(content), 'utf-8')
        return str(path)


def _shape_spec(model: str) -> ModelSpec:
    try:
        return find_model(model)
    except ModelSpecError as error:
        if error.cause != 'model_missing':
            raise
        raise ModelSpecError(f'model {model} is not there; make it by: {_SHAPE_MADE_BY} '
                             f'({error})', cause='model_missing') from error


def blank_view() -> FaceView:
    """Return a grey face that is skin all over, to run a network once."""
    plane = np.zeros((1, SIZE, SIZE), np.float32)
    color = np.full((SIZE, SIZE, 3), 128, np.uint8)
    return FaceView(RecognitionInput(color.transpose(2, 0, 1).astype(np.float32), plane,
                                     plane + np.float32(1.0)),
                    aligned=(color, np.ones((SIZE, SIZE), np.uint8)))


def is_path(name: str) -> bool:
    """Whether a row is named by the path of a ModelSpec."""
    return name.endswith(('.yaml', '.yml')) or os.sep in name


def row_name(model_row: str, variant: str) -> str:
    """
    Return what a row of the tables is called.

    :param model_row: of `ROWS`, or a path
    :param variant: a key of `VARIANTS`
    """
    return f'{model_row}{VARIANTS[variant]}'

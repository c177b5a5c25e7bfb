# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Faces in, vectors out whose inner product says how alike they are; all of a frame in one inference.

Ours looks at colour, depth and mask and gives one embedding of colour and one of depth; where a
sensor measured depth, a shape model is laid on it (core.shape_model); its fit and what the network
sees make two more: of the shape of the head, and of all jointly. A network that
somebody brings looks at one RGB crop of 112 x 112, in the form that its spec says; a shape model
may stand beside it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import hashlib

import cv2
from face_depth_ros.core.errors import AlignmentError, InvalidImageError, ModelSpecError
from face_depth_ros.core.face_frame import FRAMED_CROP
from face_depth_ros.core.face_surface import FaceSurface
from face_depth_ros.core.identity_calibration import (
    Calibration,
    COLOR,
    DEPTH,
    JOINT,
    modalities_key,
    read_calibrations,
    SHAPE,
)
from face_depth_ros.core.joined_vectors import (
    EVIDENCE,
    JoinedVectors,
    JOINT_ESTIMATED,
    read_weights,
)
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.core.recognition_input import RecognitionInput, SIZE
from face_depth_ros.core.shape_fitting import ShapeFit
from face_depth_ros.core.shape_model import ShapeModel
from face_depth_ros.engines import Engine, open_engine
import numpy as np

SHIPPED = 'face_recognizer'
MOST_DIMENSIONS = 512
FIVE_POINTS = ((38.7946, 52.1963), (74.0318, 52.0014), (56.5252, 72.2366), (42.0493, 92.8655),
               (71.2299, 92.7041))
"""Where right eye, left eye, nose tip, mouth corners lie in the usual crop, corner-origin."""
_CROPS, _BACKGROUNDS, _ORDERS = ('box', 'five_points'), ('keep', 'zero'), ('RGB', 'BGR')
_OF_68 = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47), (30,), (48,), (54,))


@dataclass(frozen=True)
class FaceView:
    """
    One face as a recogniser gets it.

    :param inputs: colour, depth and mask of the canonical crop, or the same as `framed` where only
        that is looked at
    :param has: what of the inputs there really is, some of color and depth
    :param framed: the same in the frame of the landmarks (core.face_frame); for networks that
        ask for it, which else take `inputs`
    :param aligned: (112, 112, 3) uint8 RGB and (112, 112) uint8 mask, cut by five points; for
        networks that ask for it
    :param surface: the skin as a sensor measured it; None where none did
    :param estimated: whether depth is an estimator's
    """

    inputs: RecognitionInput
    has: frozenset[str] = frozenset((COLOR, DEPTH))
    aligned: tuple[np.ndarray, np.ndarray] | None = None
    framed: RecognitionInput | None = None
    surface: FaceSurface | None = None
    estimated: bool = False


@dataclass(frozen=True)
class Embedding:
    """
    What a network makes of one face.

    :param vector: (D,) float32: the embeddings of the modalities joined (core.joined_vectors), 0
        for one that is missing, of length 1 where none is
    :param modalities: that it holds
    :param model_hash: of the files of the model; embeddings of another cannot be compared
    """

    vector: np.ndarray
    modalities: frozenset[str]
    model_hash: str


@dataclass(frozen=True)
class _Brought:
    """How a network of one RGB input wants its crops."""

    mean: np.ndarray
    std: np.ndarray
    order: str
    background: str
    crop: str


class FaceEmbedder:
    """
    Makes vectors of faces.

    :param model: name or path of a ModelSpec: inputs some of color, depth and mask, outputs
        embedding_color or embedding_depth or both; or one input and one output of any name
    :param backend: of the engine
    :param precision: of the engine
    :raises ModelSpecError: there is no such model, or it is none that tells faces apart
    :raises FaceDepthError: the backend is missing
    """

    def __init__(self, model: str = SHIPPED, backend: str = 'auto',
                 precision: str = 'auto') -> None:
        spec = find_recognizer(model)
        self._brought = _brought(spec) if _is_foreign(spec) else None
        self.shape_model = _shape_model(spec)
        self.layout = _layout(spec, self._brought is not None, self.shape_model)
        """Of the joined vectors."""
        self.calibrations: dict[str, Calibration] = read_calibrations(
            str(spec.path), spec.limits.get('calibration'))
        unfit = {modalities_key(self.layout.parts)} - self.calibrations.keys()
        if unfit:
            raise ModelSpecError(
                f'{spec.path}: the calibration knows {", ".join(self.calibrations)}, expected '
                f'{", ".join(unfit)} too, which the model gives', cause='model_calibration')
        self.spec, self.model_hash = spec, model_hash_of(spec)
        self.engine: Engine = open_engine(spec, backend, precision)

    @property
    def wants_five_points(self) -> bool:
        """Whether faces are to come with `FaceView.aligned`."""
        return self._brought is not None and self._brought.crop == 'five_points'

    @property
    def wants_frames(self) -> bool:
        """Whether faces are to come with `FaceView.framed`."""
        return self._brought is None and self.spec.normalisation.get('crop') == FRAMED_CROP

    @property
    def wants_surfaces(self) -> bool:
        """Whether faces are to come with `FaceView.surface`, where depth was measured."""
        return self.shape_model is not None

    @property
    def looks_at_depth(self) -> bool:
        """Whether depth matters to it, to its network or to its shape model."""
        return DEPTH in self.layout.parts or self.wants_surfaces

    def embed(self, faces: Sequence[FaceView]) -> list[Embedding]:
        """
        Make the vectors of all faces in one inference.

        :returns: in the order of the faces; one that has nothing the model looks at holds no
            modality and is 0
        :raises InvalidImageError: a network wants faces cut by five points, and one is not
        """
        if not faces:
            return []
        feeds = self._foreign_feed(faces) if self._brought is not None else {
            t.name: np.stack([getattr(seen, t.name) for seen in self._seen(faces)])
            for t in self.spec.inputs}
        fits: list[ShapeFit | None] = [None] * len(faces)

        def fit() -> None:
            fits[:] = map(self._fit, faces)

        measured = self.shape_model is not None and any(f.surface is not None for f in faces)
        outputs = self.engine(feeds, fit if measured else None)
        if self._brought is not None:
            outputs = {'embedding_color': outputs[self.spec.outputs[0].name]}
        found = [self._of_face(face, {name: values[i] for name, values in outputs.items()}, fit)
                 for i, (face, fit) in enumerate(zip(faces, fits, strict=True))]
        return [Embedding(self.layout.join(vectors), frozenset(vectors), self.model_hash)
                for vectors in found]

    def _fit(self, face: FaceView) -> ShapeFit | None:
        """Lay the shape model, if there is one, on what was measured of a face, if anything."""
        if self.shape_model is None or face.surface is None:
            return None
        return self.shape_model.fit(face.surface)

    def _of_face(self, face: FaceView, said: Mapping[str, np.ndarray],
                 fit: ShapeFit | None) -> dict[str, np.ndarray]:
        """Return the embeddings of a face by modality, of those that it has."""
        found: dict[str, np.ndarray | None] = {m: said[f'embedding_{m}'] for m in (COLOR, DEPTH)
                                               if m in self.layout.parts and m in face.has}
        if self.shape_model is not None and face.surface is not None:
            if EVIDENCE not in said:
                found[SHAPE] = self.shape_model.embed(fit)
            elif {COLOR, DEPTH} <= face.has:
                found[SHAPE], found[JOINT] = self.shape_model.read(fit, said[EVIDENCE])
        elif face.estimated and JOINT in self.layout.parts and {COLOR, DEPTH} <= face.has:
            found[JOINT] = said[JOINT_ESTIMATED]
        return {modality: vector for modality, vector in found.items() if vector is not None
                and 1e-6 < float(np.linalg.norm(vector)) < np.inf}

    def _seen(self, faces: Sequence[FaceView]) -> list[RecognitionInput]:
        """Return the faces in their frames or boxes, as the network was trained."""
        return [face.framed if self.wants_frames and face.framed is not None else face.inputs
                for face in faces]

    def close(self) -> None:
        """Release the engine; closing twice is allowed."""
        self.engine.close()

    def _foreign_feed(self, faces: Sequence[FaceView]) -> dict[str, np.ndarray]:
        """Return the crops of the faces as a network wants them that somebody brought."""
        brought = self._brought
        if brought is None:
            return {}
        images = []
        for face in faces:
            color, mask = face.inputs.color, face.inputs.mask[0]
            if brought.crop == 'five_points':
                if face.aligned is None:
                    raise InvalidImageError(f'{self.spec.name} takes faces cut by five points, '
                                            'got one without; give their landmarks')
                color, mask = face.aligned[0].transpose(2, 0, 1), face.aligned[1]
            image = np.array(color, np.float32)
            if brought.background == 'zero':
                image[:, mask == 0] = 0.0
            if brought.order == 'BGR':
                image = image[::-1]
            images.append((image - brought.mean) / brought.std)
        return {self.spec.inputs[0].name: np.stack(images).astype(np.float32)}


def find_recognizer(model: str) -> ModelSpec:
    """
    Return the spec of a recogniser.

    :raises ModelSpecError: there is none of that name; the message says how to make ours
    """
    try:
        return find_model(model)
    except ModelSpecError as error:
        if error.cause != 'model_missing' or model not in (SHIPPED, 'mask_guided_recognizer'):
            raise
        raise ModelSpecError(
            f'model {model} is not there; make it by: python -m '
            'face_depth_ros.training.train_face_recognizer, then python -m '
            f'face_depth_ros.training.export_face_recognizer ({error})',
            cause='model_missing') from error


def five_points_of(landmarks: np.ndarray) -> np.ndarray:
    """
    Return the five points among 68 landmarks.

    :param landmarks: (68, 2)
    :returns: (5, 2) float64: right eye, left eye, nose tip, right and left mouth corner
    """
    return np.stack([np.asarray(landmarks, np.float64)[list(i)].mean(axis=0) for i in _OF_68])


def crop_by_five_points(image: np.ndarray, points: np.ndarray,
                        nearest: bool = False) -> np.ndarray:
    """
    Cut a face as the usual recognisers want it: 112 x 112, the points where they always are.

    :param image: (H, W[, 3]) uint8
    :param points: (5, 2) pixels of the image, as of `five_points_of`
    :param nearest: for labels
    :raises AlignmentError: the points are not finite, or all in one place
    """
    source = np.asarray(points, np.float64) @ (1.0, 1j)
    target = np.array(FIVE_POINTS) @ (1.0, 1j)
    a, b = source - source.mean(), target - target.mean()
    spread = float((np.abs(a) ** 2).sum())
    if not np.isfinite(spread) or spread < 1.0:
        raise AlignmentError(f'five points {np.round(points, 1).tolist()} fix no crop, expected '
                             'finite ones that differ')
    turn = (a.conj() @ b) / spread  # the similarity with least squares, as a complex factor
    # OpenCV counts from pixel centres.
    shift = target.mean() - turn * source.mean() + turn * (0.5 + 0.5j) - (0.5 + 0.5j)
    affine = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    return cv2.warpAffine(image, affine, (SIZE, SIZE),
                          flags=cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR)


def _is_foreign(spec: ModelSpec) -> bool:
    """Whether a network has not the outputs of ours, or its spec says how to normalise crops."""
    if {'mean', 'std', 'order'} <= spec.normalisation.keys():
        return True
    names = {t.name for t in spec.outputs}
    return not names <= {EVIDENCE, JOINT_ESTIMATED, *(f'embedding_{m}' for m in (COLOR, DEPTH))}


def model_hash_of(spec: ModelSpec) -> str:
    """
    Return what tells the templates of a model from those of another, 64 hex digits.

    Where somebody brings a network, how crops are made for it counts too.
    """
    shape, weights = (spec.normalisation.get(key) for key in ('shape_sha256', 'weights'))
    told = '' if weights is None else repr(sorted(read_weights(str(spec.path), weights).items()))
    if _is_foreign(spec):
        brought = _brought(spec)
        told += repr((brought.mean.tolist(), brought.std.tolist(), brought.order,
                      brought.background, brought.crop))
    if shape is None and not told:
        return spec.sha256
    return hashlib.sha256(f'{spec.sha256}{shape or ""}{told}'.encode()).hexdigest()


def _shape_model(spec: ModelSpec) -> ShapeModel | None:
    """Open the shape model that a spec names, None where it names none."""
    named = [spec.normalisation.get(key) for key in ('shape_model', 'shape_sha256')]
    if named == [None, None]:
        return None
    if not all(isinstance(value, str) for value in named):
        raise ModelSpecError(f'{spec.path}: normalisation says shape_model: {named[0]!r} and '
                             f'shape_sha256: {named[1]!r}, expected the name of a file and its '
                             'sha256, or neither')
    return ShapeModel.load(spec.path.parent / str(named[0]), named[1])


def _layout(spec: ModelSpec, foreign: bool, shape: ShapeModel | None) -> JoinedVectors:
    """Return how the embeddings make a vector."""
    if not foreign:
        shapes = {'color': (-1, 3, SIZE, SIZE), 'depth': (-1, 1, SIZE, SIZE),
                  'mask': (-1, 1, SIZE, SIZE)}
        for t in spec.inputs:
            if shapes.get(t.name) != t.shape:
                raise ModelSpecError(f'{spec.path}: the input {t.name!r} has shape {t.shape}, '
                                     f'expected some of {shapes}; export the model again')
    sizes, told = {}, {EVIDENCE: 0, JOINT_ESTIMATED: 0}
    for t in spec.outputs:
        if len(t.shape) != 2 or not 2 <= t.shape[1] <= MOST_DIMENSIONS:
            raise ModelSpecError(
                f'{spec.path}: the output {t.name!r} has shape {t.shape}, expected (-1, D), D '
                f'from 2 to {MOST_DIMENSIONS}: an embedding of each face')
        if t.name in told and not foreign:
            told[t.name] = t.shape[1]
        else:
            sizes[COLOR if foreign else t.name.removeprefix('embedding_')] = t.shape[1]
    if shape is not None:
        sizes[SHAPE] = shape.dimensions
    if any(told.values()):
        if shape is None or list(told.values()) != [shape.evidence,
                                                    shape.evidence - shape.dimensions]:
            raise ModelSpecError(
                f'{spec.path}: the outputs {told} do not fit the shape model beside, which takes '
                f'{"none" if shape is None else shape.evidence}; export both together by '
                'solve_last_layers')
        sizes[JOINT] = told[JOINT_ESTIMATED]
    layout = JoinedVectors(sizes, read_weights(str(spec.path), spec.normalisation.get('weights')))
    if not 0 < layout.dimensions <= MOST_DIMENSIONS:
        raise ModelSpecError(f'{spec.path}: the outputs have {layout.dimensions} dimensions '
                             f'together, expected 1 to {MOST_DIMENSIONS}')
    return layout


def _brought(spec: ModelSpec) -> _Brought:
    """Read how a network of one RGB input wants its crops."""
    inputs = [(t.name, t.dtype, t.shape) for t in spec.inputs]
    outputs = [(t.name, t.dtype, t.shape) for t in spec.outputs]
    if len(inputs) != 1 or inputs[0][1:] != ('float32', (-1, 3, SIZE, SIZE)) or len(outputs) != 1:
        raise ModelSpecError(
            f'{spec.path}: the inputs are {inputs} and the outputs {outputs}; expected one '
            f'float32 input (-1, 3, {SIZE}, {SIZE}) and one output (-1, D), or the inputs color, '
            'depth, mask with the outputs embedding_color, embedding_depth: this model does '
            'not tell faces apart')
    n = spec.normalisation
    try:
        mean, std = (np.array(n[k], np.float32).reshape(3, 1, 1) for k in ('mean', 'std'))
        brought = _Brought(mean, std, str(n['order']), str(n['background']), str(n['crop']))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelSpecError(
            f'{spec.path}: normalisation is {n} (a problem with {error}), expected mean: [3 '
            'numbers], std: [3 numbers], order: RGB|BGR, background: keep|zero, crop: '
            'box|five_points') from error
    for value, allowed in ((brought.order, _ORDERS), (brought.background, _BACKGROUNDS),
                           (brought.crop, _CROPS)):
        if value not in allowed:
            raise ModelSpecError(f'{spec.path}: normalisation says {value!r}, expected one of '
                                 f'{", ".join(allowed)}')
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
        raise ModelSpecError(f'{spec.path}: mean {mean.ravel()} and std {std.ravel()}, expected '
                             'finite numbers and std > 0')
    return brought

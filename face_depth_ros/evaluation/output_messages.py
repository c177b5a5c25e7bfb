# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The messages that one frame gives, written without ROS and read back from a bag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from face_depth_ros.core.depth import metres_to_depth
from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import LANDMARK_COUNT, MASK_LABELS
from face_depth_ros.core.frames import (
    Detection,
    EstimatedDepth,
    Expression,
    Frame,
    FrameResult,
    Identity,
    Liveness,
)
from face_depth_ros.core.image_decoding import decode_image, encode_image
from face_depth_ros.evaluation.bag_types import (
    CAMERA_INFO,
    DETECTIONS,
    IMAGE,
    LABEL_INFO,
    LANDMARKS,
    message_types,
)
from face_depth_ros.evaluation.bags import (
    Bag,
    BagMessage,
    decode_color_message,
    decode_depth_message,
    FrameMessages,
)
import numpy as np

NAMESPACE = '/face_depth'
DETECTIONS_TOPIC = f'{NAMESPACE}/detections'
ENHANCED_TOPIC = f'{NAMESPACE}/depth_enhanced/image_raw'
ENHANCED_INFO_TOPIC = f'{NAMESPACE}/depth_enhanced/camera_info'
CONFIDENCE_TOPIC = f'{NAMESPACE}/depth_enhanced/confidence'
PROVENANCE_TOPIC = f'{NAMESPACE}/depth_enhanced/provenance'
OUTPUT_TYPES = {
    DETECTIONS_TOPIC: DETECTIONS,
    ENHANCED_TOPIC: IMAGE,
    ENHANCED_INFO_TOPIC: CAMERA_INFO,
    CONFIDENCE_TOPIC: IMAGE,
    PROVENANCE_TOPIC: IMAGE,
}
"""Topics and types of what detector and enhancer publish for one frame."""
ESTIMATED_TOPIC = f'{NAMESPACE}/depth_estimated/image_raw'
ESTIMATED_INFO_TOPIC = f'{NAMESPACE}/depth_estimated/camera_info'
UNCERTAINTY_TOPIC = f'{NAMESPACE}/depth_estimated/uncertainty'
MASK_TOPIC = f'{NAMESPACE}/mask'
ESTIMATED_TYPES = {
    ESTIMATED_TOPIC: IMAGE,
    ESTIMATED_INFO_TOPIC: CAMERA_INFO,
    UNCERTAINTY_TOPIC: IMAGE,
    MASK_TOPIC: IMAGE,
}
"""Topics and types of what the estimator publishes for one frame."""
LABEL_INFO_TOPIC = f'{NAMESPACE}/mask/label_info'
"""Published once, for whoever comes later as well."""
LANDMARKS_PREFIX = f'{NAMESPACE}/landmarks/'
"""A topic for each face, which ends in its track id."""
IDENTITIES_TOPIC = f'{NAMESPACE}/identities'
EXPRESSIONS_TOPIC = f'{NAMESPACE}/expressions'
LIVENESS_TOPIC = f'{NAMESPACE}/liveness'
_OPTIONAL_TYPES = dict.fromkeys((IDENTITIES_TOPIC, EXPRESSIONS_TOPIC, LIVENESS_TOPIC), DETECTIONS)
_ALL_TYPES = OUTPUT_TYPES | ESTIMATED_TYPES | _OPTIONAL_TYPES | {LABEL_INFO_TOPIC: LABEL_INFO}
NOT_SEEN = 'not seen'
_EQUAL = 1e-4
_EYES = (slice(36, 42), slice(42, 48))


@dataclass(frozen=True)
class OutputMessage:
    """
    A serialised output.

    :param cdr: the message in CDR
    """

    topic: str
    msgtype: str
    cdr: bytes


@dataclass(frozen=True)
class OutputEstimate:
    """
    What the estimator said of one frame, read back.

    :param depth: metres, (H, W) float32, NaN outside faces
    :param uncertainty: metres, (H, W) float32, one sigma, NaN likewise; None where not recorded
    :param mask: (H, W) uint8 of `MASK_LABELS`
    :param landmarks: by track id, (68, 3) float32: pixels x, y, and how surely visible, 0 to 1
    """

    depth: np.ndarray
    uncertainty: np.ndarray | None
    mask: np.ndarray
    landmarks: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputExpression:
    """
    What a face says, read back.

    :param label: the expression shown, one of EXPRESSIONS
    :param probabilities: of all of them, in their order
    """

    label: str
    probabilities: dict[str, float]

    @property
    def probability(self) -> float:
        """Return that of the expression shown."""
        return self.probabilities[self.label]

    @property
    def shown(self) -> str:
        """Return what is shown, NOT_SEEN where all are equally likely: nothing could be seen."""
        chances = self.probabilities.values()
        return self.label if max(chances) - min(chances) > _EQUAL else NOT_SEEN


@dataclass(frozen=True)
class OutputLiveness:
    """
    Whether a face lives, read back.

    :param label: live, spoof or unsure
    :param score: probability of what the label says, 0 for unsure
    """

    label: str
    score: float


@dataclass(frozen=True)
class OutputFrame:
    """
    The outputs of one frame, read back.

    :param enhanced: metres, (H, W) float32, NaN where invalid; None where not published
    :param confidence: (H, W) uint8, or None
    :param provenance: (H, W) uint8 of `Provenance`, or None
    :param estimate: None where no estimator ran
    :param identities: person and probability by track id, None where no recogniser ran
    :param expressions: by track id, None where nobody read them
    :param liveness: by track id, None where nobody told it
    """

    stamp_ns: int
    detections: tuple[Detection, ...] = ()
    enhanced: np.ndarray | None = None
    confidence: np.ndarray | None = None
    provenance: np.ndarray | None = None
    estimate: OutputEstimate | None = None
    identities: dict[str, tuple[str, float]] | None = None
    expressions: dict[str, OutputExpression] | None = None
    liveness: dict[str, OutputLiveness] | None = None


def output_types(*, estimator: bool, recognizer: bool = False, expressions: bool = False,
                 liveness: bool = False) -> dict[str, str]:
    """Return topics and types of all that is published for each frame."""
    optional = ((IDENTITIES_TOPIC, recognizer), (EXPRESSIONS_TOPIC, expressions),
                (LIVENESS_TOPIC, liveness))
    return (OUTPUT_TYPES | (ESTIMATED_TYPES if estimator else {})
            | {topic: _OPTIONAL_TYPES[topic] for topic, there in optional if there})


def result_messages(source: FrameMessages, frame: Frame,
                    result: FrameResult) -> list[OutputMessage]:
    """Return what the nodes would publish for a frame."""
    header = source.color.message.header
    outputs = [_message(DETECTIONS_TOPIC, _detections(header, result.detections))]
    if result.identities is not None:
        outputs.append(_message(IDENTITIES_TOPIC, _identities(header, result.identities)))
    if result.expressions is not None:
        outputs.append(_message(EXPRESSIONS_TOPIC, _expressions(header, result.expressions)))
    if result.liveness is not None:
        outputs.append(_message(LIVENESS_TOPIC, _liveness(header, result.liveness)))
    if result.estimated is not None:
        outputs += _estimated_messages(source, result.estimated)
    if result.enhanced is None:
        return outputs
    depth_header = source.depth.message.header
    images = (
        (ENHANCED_TOPIC, metres_to_depth(result.enhanced.depth, _wire(frame.depth_encoding)),
         _wire(frame.depth_encoding)),
        (CONFIDENCE_TOPIC, result.enhanced.confidence, 'mono8'),
        (PROVENANCE_TOPIC, result.enhanced.provenance, 'mono8'))
    outputs += [_message(topic, _image(depth_header, array, encoding))
                for topic, array, encoding in images]
    info = source.depth_info or source.color_info
    if info is not None:
        outputs.append(OutputMessage(ENHANCED_INFO_TOPIC, CAMERA_INFO, info.cdr))
    return outputs


def label_info_message(source: FrameMessages) -> OutputMessage:
    """Return the names of the mask's classes, with the header of a colour image."""
    t = message_types().types
    classes = [t['vision_msgs/msg/VisionClass'](i, name) for i, name in enumerate(MASK_LABELS)]
    return _message(LABEL_INFO_TOPIC, t[LABEL_INFO](source.color.message.header, classes, 0.0))


def _estimated_messages(source: FrameMessages, estimated: EstimatedDepth) -> list[OutputMessage]:
    header = source.color.message.header
    outputs = [_message(topic, _image(header, array, encoding)) for topic, array, encoding in (
        (ESTIMATED_TOPIC, estimated.depth, '32FC1'),
        (UNCERTAINTY_TOPIC, estimated.uncertainty, '32FC1'),
        (MASK_TOPIC, estimated.mask, 'mono8'))]
    if source.color_info is not None:
        outputs.append(OutputMessage(ESTIMATED_INFO_TOPIC, CAMERA_INFO, source.color_info.cdr))
    height, width = estimated.mask.shape
    return outputs + [
        _landmarks(header, face.detection.track_id, face.landmarks, face.visibility, width, height)
        for face in estimated.faces if face.landmarks is not None and face.detection.track_id]


def image_messages(source: FrameMessages) -> tuple[bytes, bytes]:
    """
    Return a frame's colour and depth as serialised sensor_msgs/Image, as the nodes take them.

    What is an Image in the bag stays as it is, byte for byte; a CompressedImage is decoded.

    :raises InvalidImageError: a compressed image cannot be decoded
    """
    color, depth = source.color.cdr, source.depth.cdr
    if source.color.msgtype != IMAGE:
        color = _message_bytes(_image(source.color.message.header,
                                      decode_color_message(source.color), 'rgb8'), IMAGE)
    if source.depth.msgtype != IMAGE:
        metres, encoding = decode_depth_message(source.depth)
        depth = _message_bytes(_image(source.depth.message.header,
                                      metres_to_depth(metres, encoding), encoding), IMAGE)
    return color, depth


def read_outputs(bag: Bag) -> Iterator[OutputFrame]:
    """Return the outputs in a bag, frame by frame in the order of writing."""
    group: dict[str, BagMessage] = {}
    stamp = 0
    topics = {*OUTPUT_TYPES, *ESTIMATED_TYPES, *_OPTIONAL_TYPES}
    topics |= {topic for topic in bag.types() if topic.startswith(LANDMARKS_PREFIX)}
    for message in bag.messages(topics):
        if group and (message.stamp_ns != stamp or message.topic in group):
            yield _output_frame(stamp, group)
            group = {}
        stamp = message.stamp_ns
        group[message.topic] = message
    if group:
        yield _output_frame(stamp, group)


def detections_of(message: Any) -> tuple[Detection, ...]:
    """Return the faces of a Detection2DArray."""
    found = []
    for item in message.detections:
        center = item.bbox.center
        box = FaceBox(center.position.x, center.position.y, item.bbox.size_x, center.theta)
        score = item.results[0].hypothesis.score if len(item.results) else 0.0
        found.append(Detection(box, float(score), None, item.id))
    return tuple(found)


def landmarks_of(message: Any) -> np.ndarray:
    """Return the 68 points of a FacialLandmarks, (68, 3) float32: pixels x, y and confidence."""
    points = [(p.x * message.width, p.y * message.height, p.c)
              for p in message.landmarks[:LANDMARK_COUNT]]
    return np.array(points, np.float32)


def _output_frame(stamp_ns: int, group: dict[str, BagMessage]) -> OutputFrame:
    detections = group.get(DETECTIONS_TOPIC)
    enhanced = group.get(ENHANCED_TOPIC)
    return OutputFrame(
        stamp_ns,
        () if detections is None else detections_of(detections.message),
        None if enhanced is None else decode_depth_message(enhanced)[0],
        _mono8(group.get(CONFIDENCE_TOPIC)), _mono8(group.get(PROVENANCE_TOPIC)),
        _estimate(group), _read_identities(group.get(IDENTITIES_TOPIC)),
        _read_expressions(group.get(EXPRESSIONS_TOPIC)), _read_liveness(group.get(LIVENESS_TOPIC)))


def _results(item: BagMessage | None) -> dict[str, list[tuple[str, float]]] | None:
    """Return class and score of each result by track id, for faces that have any."""
    if item is None:
        return None
    return {d.id: [(r.hypothesis.class_id, float(r.hypothesis.score)) for r in d.results]
            for d in item.message.detections if len(d.results)}


def _read_identities(item: BagMessage | None) -> dict[str, tuple[str, float]] | None:
    found = _results(item)
    return None if found is None else {track: results[0] for track, results in found.items()}


def _read_expressions(item: BagMessage | None) -> dict[str, OutputExpression] | None:
    found = _results(item)
    if found is None:
        return None
    read = {}
    for track, results in found.items():
        known = dict(results)
        if set(known) == set(EXPRESSIONS):  # a face that says less than all of them says nothing
            read[track] = OutputExpression(results[0][0], {e: known[e] for e in EXPRESSIONS})
    return read


def _read_liveness(item: BagMessage | None) -> dict[str, OutputLiveness] | None:
    found = _results(item)
    return None if found is None else {track: OutputLiveness(*results[0])
                                       for track, results in found.items()}


def _estimate(group: dict[str, BagMessage]) -> OutputEstimate | None:
    depth, uncertainty = group.get(ESTIMATED_TOPIC), group.get(UNCERTAINTY_TOPIC)
    mask = _mono8(group.get(MASK_TOPIC))
    if depth is None or mask is None:
        return None
    landmarks = {topic[len(LANDMARKS_PREFIX):]: landmarks_of(item.message)
                 for topic, item in group.items() if topic.startswith(LANDMARKS_PREFIX)}
    return OutputEstimate(
        decode_depth_message(depth)[0],
        None if uncertainty is None else decode_depth_message(uncertainty)[0], mask, landmarks)


def _mono8(item: BagMessage | None) -> np.ndarray | None:
    if item is None:
        return None
    m = item.message
    return decode_image(m.data, m.encoding, m.width, m.height, m.step, bool(m.is_bigendian))


def _wire(encoding: str) -> str:
    return '32FC1' if encoding == '32FC1' else '16UC1'


def _message(topic: str, message: Any) -> OutputMessage:
    msgtype = _ALL_TYPES.get(topic, LANDMARKS)
    return OutputMessage(topic, msgtype, _message_bytes(message, msgtype))


def _message_bytes(message: Any, msgtype: str) -> bytes:
    return bytes(message_types().serialize_cdr(message, msgtype))


def _image(header: Any, array: np.ndarray, encoding: str) -> Any:
    encoding, width, height, step, data = encode_image(array, encoding)
    return message_types().types[IMAGE](
        header=header, height=height, width=width, encoding=encoding, is_bigendian=0, step=step,
        data=np.frombuffer(data, np.uint8))


def _detections(header: Any, detections: tuple[Detection, ...]) -> Any:
    t = message_types().types
    pose = t['geometry_msgs/msg/PoseWithCovariance'](
        t['geometry_msgs/msg/Pose'](
            t['geometry_msgs/msg/Point'](0.0, 0.0, 0.0),
            t['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0)), np.zeros(36))
    items = []
    for d in detections:
        center = t['vision_msgs/msg/Pose2D'](
            t['vision_msgs/msg/Point2D'](d.box.center_x, d.box.center_y), d.box.roll)
        items.append(t['vision_msgs/msg/Detection2D'](
            header, [_result('face', float(d.score), pose)],
            t['vision_msgs/msg/BoundingBox2D'](center, d.box.side, d.box.side), d.track_id))
    return t[DETECTIONS](header, items)


def _identities(header: Any, identities: tuple[Identity, ...]) -> Any:
    message = _detections(header, tuple(i.detection for i in identities))
    for item, identity in zip(message.detections, identities, strict=True):
        hypothesis = item.results[0].hypothesis
        hypothesis.class_id, hypothesis.score = identity.person, float(identity.probability)
    return message


def _expressions(header: Any, expressions: tuple[Expression, ...]) -> Any:
    """Return all seven of each face, best first: the one that is shown, then by probability."""
    message = _detections(header, tuple(e.detection for e in expressions))
    for item, expression in zip(message.detections, expressions, strict=True):
        chances = dict(zip(EXPRESSIONS, map(float, expression.probabilities), strict=True))
        order = sorted(EXPRESSIONS, key=lambda e: (e != expression.label, -chances[e]))
        first = item.results[0]
        item.results = [_result(name, chances[name], first.pose) for name in order]
    return message


def _liveness(header: Any, liveness: tuple[Liveness, ...]) -> Any:
    message = _detections(header, tuple(face.detection for face in liveness))
    for item, face in zip(message.detections, liveness, strict=True):
        hypothesis = item.results[0].hypothesis
        hypothesis.class_id, hypothesis.score = face.label, float(face.score)
    return message


def _result(name: str, score: float, pose: Any) -> Any:
    t = message_types().types
    return t['vision_msgs/msg/ObjectHypothesisWithPose'](
        t['vision_msgs/msg/ObjectHypothesis'](name, score), pose)


def _landmarks(header: Any, track_id: str, points: np.ndarray, visibility: np.ndarray | None,
               width: int, height: int) -> OutputMessage:
    """
    Return a face's 68 points; as its pupils the middles of the eyes' outlines, confidence 0.

    The message knows no points beyond the border: they are put on it, with confidence 0.
    """
    t = message_types().types
    places = np.asarray(points, np.float64) / (width, height)
    inside = np.clip(places, 0.0, 1.0)
    visible = np.ones(LANDMARK_COUNT) if visibility is None else np.clip(visibility, 0.0, 1.0)
    sure = np.where((places == inside).all(axis=1), visible, 0.0)
    rows = [*np.column_stack([inside, sure]), *((*inside[eye].mean(axis=0), 0.0) for eye in _EYES)]
    found = [t['hri_msgs/msg/NormalizedPointOfInterest2D'](*(float(v) for v in row))
             for row in rows]
    return _message(f'{LANDMARKS_PREFIX}{track_id}', t[LANDMARKS](header, found, height, width))

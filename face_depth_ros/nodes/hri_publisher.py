# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The node hri_publisher: faces as REP-155 lays them out under /humans, for all who speak ROS4HRI.

Nothing is joined: each message goes on by itself, under the stamp of its frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
import threading
from typing import Any

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.frames import Detection
from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame
from face_depth_ros.nodes.detection_messages import DetectionFrame
from face_depth_ros.nodes.diagnostics import PERIOD_S, Problem
from face_depth_ros.nodes.expression_messages import (
    EXPRESSION_FRAMES,
    ExpressionFrame,
    FACE_EXPRESSION,
    FaceExpression,
)
from face_depth_ros.nodes.face_outputs import FaceOutputs, FaceValues, usable_tracks
from face_depth_ros.nodes.hri_messages import FaceRegion, REGION, TRACKED, TrackedFaces
from face_depth_ros.nodes.hri_publisher_settings import HriPublisherSettings
from face_depth_ros.nodes.inside_topics import (
    EstimateFrame,
    ESTIMATES,
    ESTIMATES_TOPIC,
    InsideInput,
)
from face_depth_ros.nodes.landmark_inputs import LandmarkInputs
from face_depth_ros.nodes.landmark_messages import FaceLandmarks, landmarks_of
from face_depth_ros.nodes.outcome import Outcome
from face_depth_ros.nodes.process import run_node
from face_depth_ros.nodes.topic_adapters import Adapter, CAMERA_INFO, DETECTIONS, LANDMARKS
from face_depth_ros.nodes.topic_input import Arrival, TopicInput
from face_depth_ros.nodes.topic_output import Output, publish_together, TopicOutput
from face_depth_ros.nodes.worker_node import STEADY_CLOCK, WorkerNode

MOST_WAITING = 100
"""Messages that may wait for the worker; the oldest goes first."""
Values = list[tuple[Output, Any]]


class NoPredictor:
    """What a node has whose work needs no model."""

    def close(self) -> None:
        """Nothing is held."""


class HriPublisherNode(WorkerNode[HriPublisherSettings, NoPredictor, None]):
    """
    Publishes tracked faces, their regions, landmarks and expressions.

    Which faces there are is always published; landmarks and expressions are subscribed to only
    while somebody wants them here.

    :param kwargs: of `WorkerNode`
    """

    default_name = 'hri_publisher'
    settings_type = HriPublisherSettings

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(self.default_name, self.settings_type, **kwargs)
        self._intake = threading.Lock()
        self._waiting: deque[tuple[Callable[[Any], Values], Arrival[Any]]] = deque()
        self._called = False
        self._ids: tuple[str, ...] = ()
        self._size: tuple[int, int] | None = None
        self._frame_id, self._others = '', 0
        self._faces_input = self.add_input('detections', DETECTIONS,
                                           self._taker(self._on_detections))
        self.add_input('color/camera_info', CAMERA_INFO, self._on_info, required=False)
        self._expression_input = self.add_input(
            'expressions', EXPRESSION_FRAMES, self._taker(self._on_expressions), required=False)
        self._estimate_input = self.add_input(
            ESTIMATES_TOPIC, ESTIMATES, self._taker(self._on_estimate), required=False,
            make=InsideInput)
        self.landmark_inputs = LandmarkInputs(self, self._on_landmarks_message)
        faces = f'{self.settings.prefix.rstrip("/")}/faces'
        self._tracked = self.add_output(f'{faces}/tracked', TRACKED)
        self._regions = self._add_faces(faces, 'roi', REGION)
        self._landmarks = self._add_faces(faces, 'landmarks', LANDMARKS)
        self._expressions = self._add_faces(faces, 'expression', FACE_EXPRESSION)
        self.create_timer(PERIOD_S, self._on_look, clock=STEADY_CLOCK)
        self.start()

    @property
    def demanded(self) -> bool:
        """Whether it works: always, for the topics of faces tell by their being who is there."""
        return True

    def wants(self, source: TopicInput[Any]) -> bool:
        """Whether an input is of use: expressions and landmarks only for those who listen."""
        if source is self._expression_input:
            return self._expressions.demand > 0
        if source is self._estimate_input:
            return self._landmarks.demand > 0
        return True

    def open_predictor(self, settings: HriPublisherSettings) -> NoPredictor:
        """Return nothing of use: there is no model."""
        return NoPredictor()

    def reset(self) -> None:
        """Forget what waits, and who was there."""
        with self._intake:
            self._waiting.clear()
            self._called = False
        self._ids, self._size = (), None

    def stop_work(self) -> None:
        """Say that nobody is tracked any more, and close the topics of faces."""
        was_active = self._active
        super().stop_work()
        with self._intake:
            self._waiting.clear()
            self._called = False
        if was_active and self.context.ok():
            self._tell_nobody()
        self.on_executor(self._clear)

    def process(self, predictor: NoPredictor, job: None) -> Outcome:
        """Turn all messages that have come into those of REP-155."""
        with self._intake:
            arrivals, self._waiting, self._called = self._waiting, deque(), False
        values: Values = []
        problems: list[Problem] = []
        for turn, arrival in arrivals:
            try:
                values += turn(arrival.decode())
            except FaceDepthError as error:
                problems.append((error.cause, f'a message was left out: {error}'))
        if self._ids and self._size is None and self._regions.demand:
            problems.append(('image_size', (
                'no region of a face can be told: nobody says how large the image is; check that '
                'color/camera_info is remapped and published')))
        if self._others > 0:
            problems.append(('tracked_by_others', (
                f'{self._others} other publisher(s) on {self._tracked.topic}: listeners take the '
                'faces of each for gone in turn; give each camera a prefix of its own')))
        return Outcome(values, problems)

    def report_values(self, predictor: NoPredictor | None) -> dict[str, object]:
        """Return who is tracked, and where landmarks come from."""
        source = 'nobody wants them'
        if self._landmarks.demand:
            source = 'inside' if self._estimates_offered else 'topics'
        return {'tracked': ' '.join(self._ids), 'landmarks_from': source}

    @property
    def _estimates_offered(self) -> bool:
        """Whether a depth_estimator is in the same container."""
        source = self._estimate_input
        return isinstance(source, InsideInput) and source.offered

    def destroy_node(self) -> None:
        """Leave the topics of landmarks too."""
        self.landmark_inputs.follow(())
        super().destroy_node()

    def _add_faces(self, prefix: str, suffix: str, adapter: Adapter[Any]) -> FaceOutputs[Any]:
        """Declare an output that every face has for itself."""
        new: FaceOutputs[Any] = FaceOutputs(
            self, partial(self._open_output, adapter), prefix=prefix, suffix=suffix,
            health=self.health, on_executor=self.on_executor, on_demand=self._reconcile_soon,
            limit=lambda: self.settings.max_faces, away_s=lambda: self.settings.keep_seconds)
        self.outputs.append(new)
        return new

    def _open_output(self, adapter: Adapter[Any], topic: str) -> TopicOutput[Any]:
        return TopicOutput(self, topic, adapter, health=self.health, exchange=self._exchange,
                           on_demand=self._reconcile_soon, matched_events=False)

    def _taker(self, turn: Callable[[Any], Values]) -> Callable[[Arrival[Any]], None]:
        return lambda arrival: self._take(turn, arrival)

    def _take(self, turn: Callable[[Any], Values], arrival: Arrival[Any]) -> None:
        """Leave a message for the worker, who takes all that wait at once."""
        with self._intake:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                self.health.count('overflow', f'more than {MOST_WAITING} messages wait; the '
                                  'oldest was left out')
            self._waiting.append((turn, arrival))
            call, self._called = not self._called, True
            if call:
                self.submit(None, arrival.arrived)

    def _on_detections(self, frame: DetectionFrame) -> Values:
        """Return who is there and where, the largest faces if there are too many."""
        faces: dict[str, Detection] = {}
        for face in sorted(frame.detections, key=lambda d: d.box.side, reverse=True):
            faces.setdefault(face.track_id, face)
        before, self._frame_id = self._ids, frame.frame_id
        self._ids = tuple(usable_tracks(faces)[:self.settings.max_faces])
        values: Values = [(self._tracked, TrackedFaces(frame.stamp_ns, frame.frame_id,
                                                       self._ids))]
        self._regions.announce((*self._ids, *(faces.keys() - usable_tracks(faces))))
        for output in (self._landmarks, self._expressions):
            output.announce(self._ids)
        if not set(self._ids) <= set(before):
            self.on_executor(self._follow)
        if self._size is not None:
            regions = {t: FaceRegion(frame.stamp_ns, frame.frame_id, *self._size, faces[t])
                       for t in self._ids}
            values.append((self._regions, FaceValues(frame.stamp_ns, frame.frame_id, regions)))
        return values

    def _on_info(self, arrival: Arrival[CameraInfoFrame]) -> None:
        info = arrival.decode().message
        if info.width and info.height:
            self._size = info.width, info.height

    def _on_expressions(self, frame: ExpressionFrame) -> Values:
        """Return what each face says of which something could be seen."""
        said = {f.detection.track_id: FaceExpression(frame.stamp_ns, frame.frame_id, f)
                for f in frame.faces if not f.cause and f.detection.track_id in self._ids}
        return [(self._expressions, FaceValues(frame.stamp_ns, frame.frame_id, said))]

    def _on_estimate(self, frame: EstimateFrame) -> Values:
        height, width = frame.estimated.mask.shape
        self._size = width, height
        found = landmarks_of(frame.stamp_ns, frame.frame_id, frame.estimated)
        return [(self._landmarks, FaceValues(frame.stamp_ns, frame.frame_id, {
            t: face for t, face in found.items() if t in self._ids}))]

    def _on_landmarks_message(self, track: str, arrival: Arrival[FaceLandmarks]) -> None:
        if self._active:
            self._take(partial(self._on_landmarks, track), arrival)

    def _on_landmarks(self, track: str, face: FaceLandmarks) -> Values:
        self._size = face.width, face.height
        if track not in self._ids:
            return []
        return [(self._landmarks, FaceValues(face.stamp_ns, face.frame_id, {track: face}))]

    def _on_look(self) -> None:
        """Look who listens, and who else says who is tracked."""
        if not self._active:
            return
        for output in (self._regions, self._landmarks, self._expressions):
            output.look()
        self._follow()
        if self._ids and self._faces_input.silent_for > self.settings.silence_timeout:
            self._tell_nobody()
        self._others = self.count_publishers(self._tracked.topic) - 1

    def _follow(self) -> None:
        """Listen to landmarks of those in view where none come from inside; on the executor."""
        wanted = (self._active and self._landmarks.demand > 0
                  and not self._estimates_offered)
        self.landmark_inputs.follow(self._ids if wanted else ())

    def _tell_nobody(self) -> None:
        """Publish that nobody is tracked, under the present time: no frame says so."""
        self._ids = ()
        publish_together([(self._tracked, TrackedFaces(
            self.get_clock().now().nanoseconds, self._frame_id, ()))])

    def _clear(self) -> None:
        """Close the topics of faces; on the executor."""
        for output in (self._regions, self._landmarks, self._expressions):
            output.clear()
        self.landmark_inputs.follow(())


def main() -> int:
    """Run the node alone in its process."""
    return run_node(HriPublisherNode)

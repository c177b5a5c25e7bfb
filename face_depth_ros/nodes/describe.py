# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Tables of topics and parameters for the README, and config/face_depth.yaml, from the schemas.

python -m face_depth_ros.nodes.describe topics | parameters | yaml
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
import sys

from face_depth_ros.nodes import parameters
from face_depth_ros.nodes.depth_enhancer import DepthEnhancerNode
from face_depth_ros.nodes.depth_estimator import DepthEstimatorNode
from face_depth_ros.nodes.expression_recognizer import ExpressionRecognizerNode
from face_depth_ros.nodes.face_detector import FaceDetectorNode
from face_depth_ros.nodes.face_recognizer import FaceRecognizerNode
from face_depth_ros.nodes.hri_publisher import HriPublisherNode
from face_depth_ros.nodes.liveness_detector import LivenessDetectorNode

NODES = (FaceDetectorNode, DepthEnhancerNode, DepthEstimatorNode, FaceRecognizerNode,
         ExpressionRecognizerNode, LivenessDetectorNode, HriPublisherNode)

TOPICS = (
    ('color/image_raw', 'sensor_msgs/Image', 'in', 'face_detector',
     'colour image; with `color_transport: compressed` its topic `/compressed`'),
    ('detections', 'vision_msgs/Detection2DArray', 'out', 'face_detector',
     'faces of one colour image, empty when nobody is there: id = track, bbox = centre, side and '
     'roll, results[0] = ("face", score)'),
    ('depth/image_raw', 'sensor_msgs/Image', 'in', 'depth_enhancer',
     '16UC1 mm or 32FC1 m, aligned to colour; with `depth_transport: compressedDepth` its topic '
     '`/compressedDepth`'),
    ('depth/camera_info', 'sensor_msgs/CameraInfo', 'in', 'depth_enhancer',
     'calibration of the depth image: that of its stamp, else the latest'),
    ('color/camera_info', 'sensor_msgs/CameraInfo', 'in, optional', 'depth_enhancer',
     'only to check that colour and depth are of one size'),
    ('detections', 'vision_msgs/Detection2DArray', 'in', 'depth_enhancer',
     'faces of the stamp of the depth image'),
    ('depth_enhanced/image_raw', 'sensor_msgs/Image', 'out', 'depth_enhancer',
     'whole depth image in the encoding of the input, faces enhanced'),
    ('depth_enhanced/camera_info', 'sensor_msgs/CameraInfo', 'out', 'depth_enhancer',
     'calibration under the same stamp'),
    ('depth_enhanced/confidence', 'sensor_msgs/Image', 'out', 'depth_enhancer',
     'mono8, 0 to 255 = 0 to 1, 0 outside faces'),
    ('depth_enhanced/provenance', 'sensor_msgs/Image', 'out', 'depth_enhancer',
     'mono8: 0 left alone, 1 measured, 2 corrected, 3 filled'),
    ('depth_enhanced/comparison', 'sensor_msgs/Image', 'out', 'depth_enhancer',
     'rgb8: `method` and `comparison_method` side by side, 2 W wide; made only while subscribed'),
    ('color/image_raw', 'sensor_msgs/Image', 'in', 'depth_estimator',
     'as of face_detector; grey images become colour'),
    ('detections', 'vision_msgs/Detection2DArray', 'in', 'depth_estimator',
     'faces of the stamp of the colour image'),
    ('color/camera_info', 'sensor_msgs/CameraInfo', 'in, optional', 'depth_estimator',
     'calibration of the colour image; without it masks and landmarks alone, and depth only where '
     'the sensor measures the face'),
    ('depth/image_raw', 'sensor_msgs/Image', 'in, optional', 'depth_estimator',
     'as of depth_enhancer; places the estimated depth. That of the stamp is waited for at most '
     '0.1 s; not subscribed with `use_depth: false`'),
    ('depth_estimated/image_raw', 'sensor_msgs/Image', 'out', 'depth_estimator',
     'faces alone: 32FC1 m, NaN elsewhere, or with `encoding: 16UC1` mm, 0 elsewhere'),
    ('depth_estimated/camera_info', 'sensor_msgs/CameraInfo', 'out', 'depth_estimator',
     'calibration of the colour image under the same stamp; K = 0 where none has come'),
    ('depth_estimated/uncertainty', 'sensor_msgs/Image', 'out', 'depth_estimator',
     '32FC1 m, one sigma of the estimated depth, NaN where there is none'),
    ('mask', 'sensor_msgs/Image', 'out', 'depth_estimator',
     'mono8: 0 background, 1 skin, 2 brows, 3 eyes, 4 glasses, 5 nose, 6 mouth'),
    ('mask/label_info', 'vision_msgs/LabelInfo', 'out, latched', 'depth_estimator',
     'the names of these labels'),
    ('mask/color', 'sensor_msgs/Image', 'out', 'depth_estimator',
     'rgb8: the mask in colours; made only while subscribed'),
    ('landmarks/<track id>', 'hri_msgs/FacialLandmarks', 'out', 'depth_estimator',
     'one topic for each face in view: 68 points in shares of width and height, their visibility '
     'as confidence; pupils are not looked for (confidence 0); made only while subscribed'),
    ('color/image_raw', 'sensor_msgs/Image', 'in', 'face_recognizer',
     'as of face_detector; grey images become colour'),
    ('detections', 'vision_msgs/Detection2DArray', 'in', 'face_recognizer',
     'faces of the stamp of the colour image'),
    ('color/camera_info', 'sensor_msgs/CameraInfo', 'in, optional', 'face_recognizer',
     'calibration of the colour image; without it faces are taken to stand in its middle'),
    ('depth_enhanced/image_raw', 'sensor_msgs/Image', 'in, optional', 'face_recognizer',
     'as of depth_enhancer; looked at where at least 60 % of a face is measured or corrected, '
     'else the relief estimated from colour is. That of the stamp is waited for `wait_s` at most; '
     'not subscribed with `use_depth: false`'),
    ('depth_enhanced/provenance', 'sensor_msgs/Image', 'in, optional', 'face_recognizer',
     'says what of that is measured'),
    ('depth_estimated/faces', '- (inside the container alone)', 'in, optional', 'face_recognizer',
     'the whole estimate of depth_estimator; where it does not come, the node estimates itself'),
    ('liveness', 'vision_msgs/Detection2DArray', 'in, optional', 'face_recognizer',
     'subscribed with `require_live: true` alone: whoever is not ("live", score) is unknown. That '
     'of the stamp is waited for three times `wait_s` at most'),
    ('identities', 'vision_msgs/Detection2DArray', 'out', 'face_recognizer',
     'id and bbox of the detections, results[0] = (person or "unknown", probability); empty when '
     'nobody is there'),
    ('enroll', 'std_msgs/String', 'in', 'face_recognizer',
     'the name of the one person in view, who is introduced by the frames of the next seconds'),
    ('enroll/status', 'std_msgs/String', 'out', 'face_recognizer',
     'one line for each name: `ok NAME`, or why nobody was introduced'),
    ('color/image_raw', 'sensor_msgs/Image', 'in', 'expression_recognizer',
     'as of face_detector; grey images become colour'),
    ('detections', 'vision_msgs/Detection2DArray', 'in', 'expression_recognizer',
     'faces of the stamp of the colour image'),
    ('color/camera_info', 'sensor_msgs/CameraInfo', 'in, optional', 'expression_recognizer',
     'as of face_recognizer'),
    ('depth_enhanced/image_raw', 'sensor_msgs/Image', 'in, optional', 'expression_recognizer',
     'looked at where at least 60 % of a face is measured or corrected, else texture alone is. '
     'That of the stamp is waited for `wait_s` at most; not subscribed with `use_depth: false`'),
    ('depth_enhanced/provenance', 'sensor_msgs/Image', 'in, optional', 'expression_recognizer',
     'says what of that is measured'),
    ('depth_estimated/faces', '- (inside the container alone)', 'in, optional',
     'expression_recognizer', 'as of face_recognizer'),
    ('expressions', 'vision_msgs/Detection2DArray', 'out', 'expression_recognizer',
     'id and bbox of the detections, results = anger, disgust, fear, happiness, sadness, surprise '
     'and neutral with their probabilities, the one that is shown first; all 1/7 where nothing '
     'can be seen; empty when nobody is there'),
    ('color/image_raw', 'sensor_msgs/Image', 'in', 'liveness_detector',
     'only to find masks and landmarks where no estimate comes; no network for liveness sees it'),
    ('detections', 'vision_msgs/Detection2DArray', 'in', 'liveness_detector',
     'faces of the stamp of the colour image'),
    ('color/camera_info', 'sensor_msgs/CameraInfo', 'in, optional', 'liveness_detector',
     'calibration of the colour image; without it nobody is called live'),
    ('depth_enhanced/image_raw', 'sensor_msgs/Image', 'in, optional', 'liveness_detector',
     'that of the stamp, waited for `wait_s` at most; without it nobody is called live'),
    ('depth_enhanced/provenance', 'sensor_msgs/Image', 'in, optional', 'liveness_detector',
     'says what of that is measured; as necessary'),
    ('depth_estimated/faces', '- (inside the container alone)', 'in, optional',
     'liveness_detector', 'as of face_recognizer'),
    ('liveness', 'vision_msgs/Detection2DArray', 'out', 'liveness_detector',
     'id and bbox of the detections, results[0] = ("live" or "spoof", probability) or ("unsure", '
     '0); why stands in diagnostics; empty when nobody is there'),
    ('detections', 'vision_msgs/Detection2DArray', 'in', 'hri_publisher', 'as of face_detector'),
    ('color/camera_info', 'sensor_msgs/CameraInfo', 'in, optional', 'hri_publisher',
     'only for the size of the image; without it the size that landmarks tell'),
    ('expressions', 'vision_msgs/Detection2DArray', 'in, optional', 'hri_publisher',
     'as of expression_recognizer; listened to while somebody wants an `expression`'),
    ('depth_estimated/faces', '- (inside the container alone)', 'in, optional', 'hri_publisher',
     'landmarks of all faces; taken while somebody wants `landmarks`'),
    ('landmarks/<track id>', 'hri_msgs/FacialLandmarks', 'in, optional', 'hri_publisher',
     'as of depth_estimator, where that is in another process'),
    ('/humans/faces/tracked', 'hri_msgs/IdsList', 'out', 'hri_publisher',
     'the track ids of each frame of `detections`, largest first, empty when nobody is there; '
     'these topics are global, `prefix` takes the place of /humans'),
    ('/humans/faces/<track id>/roi', 'hri_msgs/NormalizedRegionOfInterest2D', 'out',
     'hri_publisher', 'the upright rectangle around the box, in shares of width and height'),
    ('/humans/faces/<track id>/landmarks', 'hri_msgs/FacialLandmarks', 'out', 'hri_publisher',
     'as landmarks/<track id>'),
    ('/humans/faces/<track id>/expression', 'hri_msgs/Expression', 'out', 'hri_publisher',
     'name in the words of hri_msgs (fear is scared), valence, arousal, probability as '
     'confidence; nothing where nothing could be seen'),
    ('/diagnostics', 'diagnostic_msgs/DiagnosticArray', 'out', 'all', '1 Hz, and when readiness '
     'changes'),
)
"""Topic, type, direction, node, content."""


def topics_table() -> str:
    """Return the topics as Markdown."""
    return _markdown(('topic', 'type', 'direction', 'node', 'content'), TOPICS)


def parameters_table() -> str:
    """Return the parameters of all nodes as Markdown."""
    rows = [(node.default_name, *row) for node in NODES
            for row in parameters.table(node.settings_type)]
    return _markdown(('node', 'parameter', 'type', 'default', 'values', 'may change', 'meaning'),
                     rows)


def parameters_yaml() -> str:
    """Return a parameter file with all parameters at their defaults."""
    lines = ['# Copyright 2026 face_depth_ros contributors', '# SPDX-License-Identifier: MIT',
             '# All parameters of all nodes at their defaults, whatever their namespace.',
             '# Made by: python -m face_depth_ros.nodes.describe yaml']
    for node in NODES:
        lines += [f'/**/{node.default_name}:', '  ros__parameters:']
        for name, kind, default, values, change, meaning in parameters.table(node.settings_type):
            allowed = f' [{values}]' if values else ''
            quoted = f'"{default}"' if kind == 'string' else default
            lines += [f'    # {meaning}{allowed}; {change}', f'    {name}: {quoted}']
    return '\n'.join(lines)


def main() -> int:
    """Print what was asked for."""
    texts = {'topics': topics_table, 'parameters': parameters_table, 'yaml': parameters_yaml}
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('what', choices=texts)
    sys.stdout.write(texts[parser.parse_args().what]() + '\n')
    return 0


def _markdown(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ['| ' + ' | '.join(row) + ' |' for row in (header, ('---',) * len(header), *rows)]
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())

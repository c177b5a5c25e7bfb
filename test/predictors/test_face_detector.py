# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The face detector as its users have it.

The oracle is a network made by hand that finds red squares: where they are is known.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
from face_depth_ros.core.errors import InvalidImageError, ModelSpecError, SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.predictors.face_detector import FaceDetector
from face_depth_ros.training.export import export_onnx
from face_depth_ros.training.export_face_detector import fixed_inputs, OUTPUTS, spec_mapping
import numpy as np
import pytest
from rosbags.highlevel import AnyReader
import torch
import yaml

SCENES = Path(__file__).resolve().parents[1] / 'data' / 'face_scenes'
SIDE = 24.0
CONTENT = {'settings': {'max_minutes': 1, 'threads': 1, 'seed': 0, 'precision': 'none'},
           'state': {'minutes': 0, 'samples': 0}, 'commit': 'none', 'metrics': {}}


class RedFinder(torch.nn.Module):
    """Says that every red cell holds a face of 24 px with a roll of 0.3."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the maps of the detector."""
        cells = torch.nn.functional.avg_pool2d(image, 8) / 255.0
        score = (cells[:, :1] - cells[:, 1:2]).clamp(0.0, 1.0)
        zero = torch.zeros_like(score)
        side = zero + float(np.log(SIDE / 32.0))
        box = torch.cat([zero, zero, side, zero + float(np.sin(0.3)), zero + float(np.cos(0.3))],
                        1)
        return score, box, torch.cat([zero + 0.25] * 10, 1)


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the spec of the hand-made network."""
    folder = tmp_path_factory.mktemp('models')
    digest = export_onnx(RedFinder(), fixed_inputs(320), folder / 'face_detector.onnx', OUTPUTS)
    (folder / 'red.yaml').write_text(yaml.safe_dump(spec_mapping(CONTENT, digest)))
    return folder / 'red.yaml'


@pytest.fixture(scope='module')
def detector(model: Path) -> FaceDetector:
    """Return a detector of red squares."""
    return FaceDetector(str(model), backend='openvino', precision='fp32')


@pytest.fixture(scope='module')
def shipped() -> FaceDetector:
    """Return the detector as it ships."""
    return FaceDetector(backend='openvino', precision='fp32')


def red_square(height: int, width: int, x: int, y: int, size: int) -> np.ndarray:
    """Return a grey image with a red square."""
    image = np.full((height, width, 3), 100, np.uint8)
    image[y:y + size, x:x + size] = (250, 0, 0)
    return image


@pytest.mark.parametrize('height, width, factor', [
    (240, 320, 1), (320, 240, 1), (480, 640, 2), (720, 1280, 4), (100, 77, 1), (33, 2000, 6.25)])
def test_faces_come_back_in_pixels_of_any_image(detector: FaceDetector, height: int, width: int,
                                                factor: float) -> None:
    cell = round(8 * factor)
    x, y = int(width // (2 * cell)) * cell, int(height // (2 * cell)) * cell
    (face,) = detector.detect(red_square(height, width, x, y, cell))
    assert face.box.center_x == pytest.approx(x + cell / 2, abs=factor)
    assert face.box.center_y == pytest.approx(y + cell / 2, abs=1.5 * factor)
    assert face.box.side == pytest.approx(SIDE * factor, rel=0.15)
    assert face.box.roll == pytest.approx(0.3, abs=1e-5)
    offset = face.landmarks[0] - (face.box.center_x, face.box.center_y)
    assert offset == pytest.approx(np.full(2, 0.25 * SIDE * factor), rel=0.15)
    assert face.track_id == ''


def test_an_image_without_red_has_no_faces(detector: FaceDetector) -> None:
    assert detector.detect(np.full((48, 64, 3), 200, np.uint8)) == ()


def test_the_image_is_left_alone(detector: FaceDetector) -> None:
    image = red_square(120, 160, 40, 40, 8)
    before = image.copy()
    detector.detect(image)
    np.testing.assert_array_equal(image, before)


def test_threshold_and_number_can_be_set_between_frames(model: Path) -> None:
    detector = FaceDetector(str(model), 'openvino', 'fp32', confidence_threshold=0.4)
    image = red_square(96, 160, 16, 16, 8)
    image[64:72, 120:128] = (200, 80, 80)
    assert len(detector.detect(image)) == 2
    detector.max_faces = 1
    assert [round(f.box.center_x) for f in detector.detect(image)] == [20]
    detector.max_faces, detector.confidence_threshold = 9, 0.9
    assert len(detector.detect(image)) == 1
    detector.close()
    detector.close()


def test_a_larger_input_sees_smaller_faces(model: Path) -> None:
    name = 'face_detector_640'
    digest = export_onnx(RedFinder(), fixed_inputs(640), model.with_name(f'{name}.onnx'), OUTPUTS)
    large = model.with_name(f'{name}.yaml')
    large.write_text(yaml.safe_dump(spec_mapping(CONTENT, digest, 640, name)))
    image = red_square(640, 640, 160, 160, 8)
    assert FaceDetector(str(model), 'openvino', 'fp32').detect(image) == ()
    assert len(FaceDetector(str(large), 'openvino', 'fp32').detect(image)) == 1


@pytest.mark.parametrize('image', [
    np.zeros((0, 10, 3), np.uint8), np.zeros((10, 10), np.uint8),
    np.zeros((10, 10, 4), np.uint8), np.zeros((10, 10, 3), np.float32)])
def test_what_is_no_colour_image_is_refused(detector: FaceDetector, image: np.ndarray) -> None:
    with pytest.raises(InvalidImageError, match=r'takes \(H, W, 3\) uint8 RGB'):
        detector.detect(image)


@pytest.mark.parametrize('settings, message', [
    ({'confidence_threshold': 1.5}, 'expected 0 to 1'),
    ({'max_faces': 0}, 'expected at least 1')])
def test_settings_out_of_range_are_refused(model: Path, settings: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        FaceDetector(str(model), **settings)


def test_a_spec_without_a_needed_number_is_named(model: Path) -> None:
    content = yaml.safe_load(model.read_text())
    del content['normalisation']['stride']
    broken = model.with_name('broken.yaml')
    broken.write_text(yaml.safe_dump(content))
    with pytest.raises(ModelSpecError, match='stride is None, expected a number'):
        FaceDetector(str(broken))
    for stride in (7.5, 0):
        content['normalisation']['stride'] = stride
        broken.write_text(yaml.safe_dump(content))
        with pytest.raises(ModelSpecError, match='expected a whole number >= 1'):
            FaceDetector(str(broken))
    content['normalisation']['stride'] = 8
    content['inputs'][0]['shape'] = [-1, 3, -1, -1]
    broken.write_text(yaml.safe_dump(content))
    with pytest.raises(ModelSpecError, match='with fixed H and W'):
        FaceDetector(str(broken))


def test_the_shipped_model_is_what_its_spec_says() -> None:
    spec = find_model('face_detector')
    assert spec.task == 'face detection'
    assert spec.read_onnx()
    assert spec.parity['max_abs'] < 1e-3


def matches(face: Detection, box: FaceBox) -> bool:
    """Whether a detection lies on a face: centre within a quarter, side within a third."""
    distance = math.hypot(face.box.center_x - box.center_x, face.box.center_y - box.center_y)
    return distance < 0.25 * box.side and 0.75 < face.box.side / box.side < 1.35


def test_the_shipped_model_finds_people_it_has_never_seen(shipped: FaceDetector) -> None:
    """The scenes are made by test/data/draw_face_scenes.py, no person of them is in training."""
    truth = json.loads((SCENES / 'truth.json').read_text())
    found, false, errors = 0, 0, []
    for name, faces in truth.items():
        image = cv2.cvtColor(cv2.imread(str(SCENES / name)), cv2.COLOR_BGR2RGB)
        detections = shipped.detect(image)
        for face in faces:
            box = FaceBox(*face['box'])
            hits = [d for d in detections if matches(d, box)]
            found += bool(hits)
            errors += [np.linalg.norm(d.landmarks - face['landmarks'], axis=1).mean() / box.side
                       for d in hits]
        false += sum(not any(matches(d, FaceBox(*f['box'])) for f in faces) for d in detections)
    assert found >= 0.7 * sum(len(faces) for faces in truth.values())
    assert false <= 2
    assert np.median(errors) < 0.08


@pytest.mark.parametrize('turn', [0, 1, 2])
def test_the_shipped_model_finds_nothing_in_plain_images(shipped: FaceDetector,
                                                         turn: int) -> None:
    ramp = np.linspace(0, 255, 320).astype(np.uint8)
    image = np.stack([np.tile(ramp, (240, 1))] * 3, axis=2)
    assert shipped.detect(np.ascontiguousarray(np.rot90(image, turn))) == ()


@pytest.mark.assets
def test_the_shipped_model_finds_the_real_head(shipped: FaceDetector,
                                               real_recording: Path) -> None:
    """Nearly all of 90 real frames that sweep from ear to ear, with the centre on the head."""
    head = np.load(real_recording / 'reference' / 'fused_depth.npz')['depth_mm'] > 0  # (90, H, W)
    hits = false = 0
    for mask, image in zip(head, real_frames(real_recording / 'bag'), strict=True):
        filled = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((15, 15)))
        on_head = [filled[int(d.box.center_y), int(d.box.center_x)] > 0
                   for d in shipped.detect(image)
                   if 0 <= d.box.center_x < 240 and 0 <= d.box.center_y < 320]
        hits += any(on_head)
        false += len(on_head) - any(on_head)
    assert hits >= 85
    assert false <= 2


def real_frames(bag: Path) -> list[np.ndarray]:
    """Return the colour images of a bag of rgb8 images."""
    with AnyReader([bag]) as reader:
        topics = [c for c in reader.connections if c.topic == '/camera/camera/color/image_raw']
        messages = (reader.deserialize(raw, c.msgtype)
                    for c, _, raw in reader.messages(connections=topics))
        return [np.asarray(m.data).reshape(m.height, m.width, 3) for m in messages]

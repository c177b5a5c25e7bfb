# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the sample bag, so that a demo needs neither a camera nor anybody's face.

    python -m face_depth_ros.evaluation.render_sample_bag test/data/sample_bag

Six seconds at 10 Hz of a stereo RGB-D camera, 320 x 240: Ada comes, smiles (0.8 to 1.4 s) and is
surprised (1.6 to 2.2 s), Bo joins and leaves again, nobody is there, a stranger passes, and last
(from 5.3 s) somebody holds up a print of Ada's face.
The true depth of the heads goes into reference/true_depth.npz beside the bag.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth import metres_to_depth
from face_depth_ros.evaluation.bag_types import message_types
from face_depth_ros.evaluation.bag_writer import BagWriter
from face_depth_ros.synthesis.appearance import Appearance
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.backgrounds import Background, environment_color, room_depth
from face_depth_ros.synthesis.head_pose import head_rotation
from face_depth_ros.synthesis.identity_splits import identity_coefficients
from face_depth_ros.synthesis.lighting import (
    camera_to_map,
    Lights,
    load_environments,
    make_lights,
)
from face_depth_ros.synthesis.person import Person, PersonModel, PersonState
from face_depth_ros.synthesis.scene import held_sheet, render_scene, SceneFrame
from face_depth_ros.synthesis.sensor_models import stereo_depth, StereoSettings
from face_depth_ros.synthesis.surface import Surface
import numpy as np
import torch

CAMERA = CameraIntrinsics(320, 240, 300.0, 300.0, 160.0, 120.0)
FRAME_ID = 'camera_color_optical_frame'
START_NS = 1_760_000_000_000_000_000
STEP_NS = 100_000_000
FRAMES = 60
_COLOR = '/camera/camera/color'
_DEPTH = '/camera/camera/aligned_depth_to_color'
_HIDDEN_BEHIND_M = 0.003
_PRINT_FRAME = 13
"""Ada looks into the camera here; the print shows what it saw."""


@dataclass(frozen=True)
class Visit:
    """
    One person's way through the picture.

    :param start: first frame, :param end: first frame without the person
    :param path: (K, 3) metres, head positions in the optical frame, evenly spaced in time
    :param yaw: (K,) degrees, positive = turned to the person's left
    :param moods: (L,) names of full expressions, evenly spaced in time, neutral = none; from one
        to the next the face changes evenly
    """

    person: Person
    start: int
    end: int
    path: tuple[tuple[float, float, float], ...]
    yaw: tuple[float, ...]
    moods: tuple[str, ...]

    def state(self, model: PersonModel, frame: int) -> PersonState:
        """Return the person at a frame: smooth ways, small sways of the head."""
        t = (frame - self.start) / (self.end - 1 - self.start)
        knots = np.linspace(0.0, 1.0, len(self.path))
        position = np.array([np.interp(t, knots, axis) for axis in zip(*self.path, strict=True)])
        yaw = np.deg2rad(np.interp(t, knots, self.yaw) + 2.0 * np.sin(1.1 * frame))
        pitch, roll = np.deg2rad(3.0 * np.sin(0.5 * frame)), np.deg2rad(4.0 * np.sin(0.35 * frame))
        expression = np.zeros(57, np.float32)
        for place, mood in zip(np.linspace(0.0, 1.0, len(self.moods)), self.moods, strict=True):
            nearness = max(0.0, 1.0 - abs(t - place) * (len(self.moods) - 1))
            if mood != 'neutral':
                expression += nearness * np.asarray(model.expressions.named(mood))
        return PersonState(rotation(yaw, pitch, roll), position, expression,
                           torso_rotation=rotation(0.5 * yaw, 0.0, 0.0))


def main() -> None:
    """Render from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('bag', type=Path)
    parser.add_argument('--assets', default='')
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = PersonModel(find_assets(arguments.assets or None))
    visits = cast_of(model)
    background, lights = room(model)
    generator = torch.Generator().manual_seed(7)
    printed: np.ndarray | None = None
    truths: list[np.ndarray] = []
    with BagWriter(arguments.bag) as bag:
        for index in range(FRAMES):
            people = [(v.person, v.state(model, index)) for v in visits
                      if v.start <= index < v.end]
            things = held_print(model, printed, index)
            frame = render_scene(model, CAMERA, people, background, lights, things)
            if index == _PRINT_FRAME:
                printed = face_picture(frame)
            seen = stereo_depth(torch.from_numpy(frame.depth)[None], CAMERA.fx, generator,
                                StereoSettings(noise_px=0.05, step_px=1 / 16))[0].numpy()
            write_frame(bag, START_NS + index * STEP_NS, frame.color, seen)
            hidden = frame.depth < frame.head_depth - _HIDDEN_BEHIND_M
            truths.append(np.where(hidden, np.nan, frame.head_depth))
    write_reference(arguments.bag.parent / 'reference' / 'true_depth.npz', np.stack(truths))


def cast_of(model: PersonModel) -> list[Visit]:
    """Return who comes when."""
    def look(seed: int, hair: str | None, glasses: str | None, skin: str) -> Appearance:
        drawn = model.library.sample(np.random.default_rng(seed))
        return Appearance(**{**drawn.__dict__, 'hair': hair, 'glasses': glasses,
                             'skins': (skin, skin), 'plain_skin': None})

    def person(index: int, drawn: Appearance) -> Person:
        return Person(identity_coefficients('test', index), drawn)

    ada = person(11, look(3, 'ponytail01', None, 'young_caucasian_female2'))
    bo = person(12, look(8, 'short02', 'round_metal', 'young_african_male'))
    stranger = person(13, look(5, 'short04', None, 'middleage_asian_male'))
    return [
        Visit(ada, 0, 27, ((-0.35, 0.05, 0.95), (-0.1, 0.03, 0.75), (-0.1, 0.03, 0.7),
                           (-0.14, 0.04, 0.72), (-0.5, 0.06, 0.9)), (40, 5, 0, 10, -60),
              (*['neutral'] * 4, *['happiness'] * 4, *['surprise'] * 4, *['neutral'] * 2)),
        Visit(bo, 12, 32, ((0.6, 0.0, 1.2), (0.22, 0.0, 1.0), (0.2, 0.0, 1.0), (0.65, 0.0, 1.1)),
              (-50, -10, 15, 70), ('neutral', 'neutral', 'neutral', 'neutral')),
        Visit(stranger, 38, 51, ((0.5, 0.02, 0.8), (0.05, 0.02, 0.8), (-0.5, 0.02, 0.8)),
              (-40, 0, 40), ('neutral', 'neutral', 'neutral')),
    ]


def room(model: PersonModel) -> tuple[Background, Lights]:
    """Return the background and the light in it."""
    environment = next(e for e in load_environments(model.assets) if e.name == 'lebombo')
    turn = camera_to_map(1.2)
    lights = make_lights(environment.harmonics, turn,
                         [(turn.T @ environment.lamp_direction, environment.lamp_rgb)], 0.55)
    color = environment_color(environment, CAMERA, turn, lights.exposure, 1.5)
    return Background(color, room_depth(CAMERA, 2.4, 0.1)), lights


def face_picture(frame: SceneFrame) -> np.ndarray:
    """Cut the first face out of a frame, (h, w, 3) uint8, as a photo to print."""
    box = frame.faces[0].box
    half = 0.62 * box.side
    x0, x1 = int(max(box.center_x - half, 0)), int(min(box.center_x + half, CAMERA.width))
    y0, y1 = int(max(box.center_y - half, 0)), int(min(box.center_y + half, CAMERA.height))
    return cv2.resize(frame.color[y0:y1, x0:x1], None, fx=3.0, fy=3.0,
                      interpolation=cv2.INTER_CUBIC)


def held_print(model: PersonModel, picture: np.ndarray | None, frame: int) -> list[Surface]:
    """Return the sheet of paper with Ada's face in the last frames, slightly bent."""
    if picture is None or frame < 53:
        return []
    sway = 0.04 * np.sin(0.9 * frame)
    return [held_sheet(model, picture, np.array([sway, 0.02, 0.62]),
                       rotation(0.25 * np.sin(0.6 * frame), 0.05, 0.04), 0.26, 0.05)]


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return the (3, 3) rotation from a head's frame to the optical frame; radians."""
    angles = (torch.tensor([a], dtype=torch.float32) for a in (yaw, pitch, roll))
    return head_rotation(*angles).numpy()[0]


def write_frame(bag: BagWriter, stamp_ns: int, color: np.ndarray, depth: np.ndarray) -> None:
    """
    Write the four messages of a frame.

    :param color: (H, W, 3) uint8 RGB
    :param depth: (H, W) float32 metres
    """
    types = message_types().types
    header = types['std_msgs/msg/Header'](
        types['builtin_interfaces/msg/Time'](stamp_ns // 10 ** 9, stamp_ns % 10 ** 9), FRAME_ID)
    roi = types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, do_rectify=False)
    k = CAMERA.to_k()
    projection = np.hstack([k, np.zeros((3, 1))])
    info = types['sensor_msgs/msg/CameraInfo'](
        header, CAMERA.height, CAMERA.width, 'plumb_bob', np.zeros(5), k.reshape(-1),
        np.eye(3).reshape(-1), projection.reshape(-1), 0, 0, roi)
    for topic, encoding, array in ((_COLOR, 'rgb8', color),
                                   (_DEPTH, '16UC1', metres_to_depth(depth, '16UC1'))):
        data = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        image = types['sensor_msgs/msg/Image'](header, CAMERA.height, CAMERA.width, encoding, 0,
                                               data.size // CAMERA.height, data)
        bag.write_message(f'{topic}/image_raw', 'sensor_msgs/msg/Image', stamp_ns, image)
        bag.write_message(f'{topic}/camera_info', 'sensor_msgs/msg/CameraInfo', stamp_ns, info)


def write_reference(path: Path, depth: np.ndarray) -> None:
    """
    Write the heads' true depth in the form of evaluation/reference_depth.py.

    :param depth: (N, H, W) metres, NaN where no head is seen
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    millimetres = np.round(np.nan_to_num(depth) * 1000.0, 1).astype(np.float32)
    stamps = START_NS + STEP_NS * np.arange(len(depth), dtype=np.int64)
    np.savez_compressed(path, depth_mm=millimetres, valid=np.isfinite(depth), stamp_ns=stamps)


if __name__ == '__main__':
    main()

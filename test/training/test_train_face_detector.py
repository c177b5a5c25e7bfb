# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training of the face detector, at toy size."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from drawn_heads import drawn_bank
from face_depth_ros.core.detection_decoding import decode_faces
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.networks.face_detector import FaceDetectorConfig, FaceMaps
from face_depth_ros.training import train_face_detector as script
from face_depth_ros.training.detection_data import DetectionBatches, make_targets
from face_depth_ros.training.detection_scene import Scene, SceneComposer, SceneRange
from face_depth_ros.training.detection_scoring import average_precision, match, score_detections
from face_depth_ros.training.export_face_detector import export_checkpoint
from face_depth_ros.training.run import load_checkpoint, Run, save_checkpoint
from lightning.fabric import Fabric
import numpy as np
import pytest
import torch

TINY = FaceDetectorConfig(stem=(4, 6), widths=(8, 10, 12), blocks=(1, 1, 1), neck=8)
SHAPES = ((64, 64, 0.5), (64, 96, 0.5))


@pytest.fixture(scope='module')
def composer() -> SceneComposer:
    """Return a composer without assets."""
    return SceneComposer(drawn_bank(), np.full((2, 64, 64, 3), 90, np.uint8),
                         SceneRange(side_px=16.0, largest=0.8))


def scene_of(rows: list[tuple[float, float, float, float]], seen: list[bool]) -> Scene:
    """Return a scene with given boxes and landmarks around their centres."""
    boxes = np.array(rows, np.float32).reshape(-1, 4)
    spread = np.array([(-0.2, -0.1), (0.2, -0.1), (0.0, 0.1), (-0.1, 0.2), (0.1, 0.2)])
    points = boxes[:, None, :2] + spread * boxes[:, None, 2:3]
    return Scene(np.zeros((96, 128, 3), np.uint8), boxes, points.astype(np.float32),
                 np.ones((len(boxes), 5), bool), np.zeros(len(boxes), np.float32),
                 np.array(seen, bool))


def detection(x: float, y: float, side: float, score: float, roll: float = 0.0) -> Detection:
    """Return a detection without landmarks."""
    return Detection(FaceBox(x, y, side, roll), score)


def test_decoding_the_targets_gives_the_truth(composer: SceneComposer) -> None:
    generator = np.random.default_rng(3)
    compared = 0
    for _ in range(40):
        scene = composer.compose(96, 128, generator)
        maps = make_targets(scene)
        found = decode_faces(maps['heat'][0], maps['box'], maps['landmarks'], stride=8,
                             side_unit=32.0, threshold=0.99, max_faces=9)
        faces = match(scene, found)
        assert -1 not in faces
        for k, face in zip(faces, found, strict=True):
            if k < 0 or (np.floor(scene.boxes[:, :2] / 8) == np.floor(
                    scene.boxes[k, :2] / 8)).all(axis=1).sum() > 1:
                continue
            x, y, side, roll = scene.boxes[k]
            assert (face.box.center_x, face.box.center_y) == pytest.approx((x, y), abs=0.01)
            assert face.box.side == pytest.approx(side, rel=1e-4)
            assert math.remainder(face.box.roll - roll, 2 * math.pi) == pytest.approx(0, abs=1e-4)
            np.testing.assert_allclose(face.landmarks, scene.landmarks[k], atol=0.02)
            compared += 1
    assert compared > 30


def test_each_face_weighs_the_same() -> None:
    maps = make_targets(scene_of([(30, 40, 90, 0), (100, 60, 20, 0)], [True, True]))
    assert maps['weight'].sum() == pytest.approx(2.0)


def test_a_face_that_is_hardly_seen_is_neither_right_nor_wrong() -> None:
    maps = make_targets(scene_of([(40, 40, 40, 0)], [False]))
    assert maps['heat'].max() == 0.0 and maps['weight'].sum() == 0.0
    assert maps['heat_weight'][0, 5, 5] == 0.0 and maps['heat_weight'][0, 0, 0] == 1.0


def perfect_maps(scene: Scene) -> tuple[FaceMaps, dict[str, torch.Tensor]]:
    """Return what a perfect network says of a scene, and the batch."""
    batch = {k: torch.from_numpy(v)[None] for k, v in make_targets(scene).items()}
    score = torch.where(batch['heat'] > 0.999, 20.0, -20.0)
    return FaceMaps(score, batch['box'], batch['landmarks']), batch


def test_losses_vanish_for_the_truth_and_grow_with_the_error() -> None:
    maps, batch = perfect_maps(scene_of([(40, 40, 40, 0.2)], [True]))
    for value in script.losses_of(maps, batch).values():
        assert float(value) == pytest.approx(0.0, abs=1e-5)
    worse = maps._replace(score=-maps.score, box=maps.box + 0.5, landmarks=maps.landmarks + 0.1)
    for value in script.losses_of(worse, batch).values():
        assert float(value) > 0.05


def test_an_image_without_faces_has_a_finite_loss() -> None:
    maps, batch = perfect_maps(scene_of([], []))
    losses = script.losses_of(maps._replace(score=maps.score * 0.0), batch)
    assert float(losses['score']) > 0.0 and float(losses['box']) == 0.0


def test_batches_depend_on_their_number_alone(composer: SceneComposer) -> None:
    batches = DetectionBatches(composer, 4 * 64 * 64, 10, seed=1, shapes=SHAPES)
    again = DetectionBatches(composer, 4 * 64 * 64, 10, seed=1, shapes=SHAPES)
    torch.testing.assert_close(batches[7], again[7])
    assert not torch.equal(batches[7]['image'][0, 0, :8, :8], batches[8]['image'][0, 0, :8, :8])
    assert {tuple(batches[k]['image'].shape[2:]) for k in range(10)} == {(64, 64), (64, 96)}


def test_shapes_must_fit_the_network(composer: SceneComposer) -> None:
    with pytest.raises(SettingsError, match='multiples of 32'):
        DetectionBatches(composer, 4096, 1, 0, shapes=((60, 64, 1.0),))


def steps(folder: Path, composer: SceneComposer, pause: bool) -> list[dict[str, float]]:
    """Train four steps in two epochs, with or without a stop after the first."""
    settings = script.Settings(max_steps=4, steps_per_epoch=2, pixels=2 * 64 * 64, workers=0,
                               precision='32-true', warmup_steps=2)
    fabric = Fabric(accelerator='cpu', devices=1, precision='32-true')

    def batches(first: int) -> object:
        data = DetectionBatches(composer, settings.pixels, 4, settings.seed, SHAPES)
        return iter(torch.utils.data.DataLoader(data, batch_size=None, sampler=range(first, 4)))

    source = batches(0)
    run = script.build(settings, fabric, TINY)
    losses = [script.train_one_epoch(fabric, settings, source, run)]
    if pause:
        save_checkpoint(folder / 'last.pt', settings, run, {})
        torch.manual_seed(99)
        run = script.build(dataclasses.replace(settings, seed=5), fabric, TINY)
        load_checkpoint(folder / 'last.pt', run)
        source = batches(run.state.step)
    losses.append(script.train_one_epoch(fabric, settings, source, run))
    assert run.state.step == 4
    return losses


def test_resuming_gives_the_same_next_loss(tmp_path: Path, composer: SceneComposer) -> None:
    assert steps(tmp_path, composer, pause=True) == steps(tmp_path, composer, pause=False)


def test_resuming_needs_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='no checkpoint at'):
        load_checkpoint(tmp_path / 'last.pt', Run(None, torch.nn.Identity(), None))


def test_all_problems_of_the_settings_at_once() -> None:
    with pytest.raises(SettingsError, match='(?s)max_minutes is 0.*ema_decay is 1.*precision is'):
        script.Settings(max_minutes=0, ema_decay=1, precision='fp8')


def test_the_whole_script_from_banks_to_onnx(tmp_path: Path) -> None:
    """Train two steps, go on for one, export; the checkpoint tells how it came about."""
    assets = tmp_path / 'assets'
    assets.mkdir()
    (assets / 'ict_model.npz').write_bytes(b'')  # present, never read
    for split in ('train', 'validation'):
        drawn_bank().save(tmp_path / 'bank' / split)
    command = ['--assets', str(assets), '--bank', str(tmp_path / 'bank'), '--run',
               str(tmp_path / 'run'), '--pixels', '4096', '--backgrounds', '2',
               '--validation-size', '2', '--workers', '0', '--steps-per-epoch', '2']
    script.main([*command, '--max-steps', '2'])
    script.main([*command, '--max-steps', '3', '--resume'])
    trained = torch.load(tmp_path / 'run' / 'last.pt', weights_only=True)
    script.main([*command, '--max-steps', '3', '--resume'])  # finished: scored again
    content = torch.load(tmp_path / 'run' / 'last.pt', weights_only=True)
    assert content['metrics'] == trained['metrics']
    assert content['state']['step'] == 3
    assert content['settings']['seed'] == script.Settings().seed
    assert content['commit'] and 'ap50' in content['metrics']
    spec = export_checkpoint(tmp_path / 'run' / 'last.pt', tmp_path / 'models')
    assert spec.parity['max_abs'] < 1e-3
    assert spec.read_onnx()
    assert spec.trained['samples'] == content['state']['samples']


def test_matching_gives_each_face_once_and_knows_what_does_not_count() -> None:
    scene = scene_of([(30, 30, 40, 0), (90, 40, 40, 0)], [True, False])
    found = [detection(31, 30, 40, 0.9), detection(30, 31, 38, 0.8), detection(90, 41, 40, 0.7),
             detection(60, 80, 30, 0.6)]
    assert match(scene, found) == [0, -1, -2, -1]


def test_average_precision_of_known_rankings() -> None:
    scores = np.array([0.9, 0.8, 0.7])
    assert average_precision(scores, np.array([True, True, True]), 3) == pytest.approx(1.0)
    assert average_precision(scores, np.array([True, False, True]), 2) == pytest.approx(5 / 6)
    assert average_precision(scores, np.array([False, False, False]), 2) == 0.0
    assert average_precision(np.zeros(0), np.zeros(0, bool), 2) == 0.0


def test_scores_of_known_detections() -> None:
    scenes = [scene_of([(30, 30, 40, 0.1), (90, 40, 20, 0)], [True, True]), scene_of([], [])]
    hit = dataclasses.replace(detection(30, 30, 44, 0.9, 0.2), landmarks=scenes[0].landmarks[0]
                              + np.array([4.0, 0.0], np.float32))
    result = score_detections(scenes, [[hit], [detection(50, 50, 30, 0.8)]], 0.5)
    assert result['recall'] == 0.5
    assert result['recall_side_24'] == 1.0 and result['recall_side_0'] == 0.0
    assert result['false_per_image'] == 0.5 and result['false_per_empty_image'] == 1.0
    assert result['side_error_percent'] == pytest.approx(10.0, abs=1e-3)
    assert result['nme_percent'] == pytest.approx(10.0, abs=1e-3)
    assert result['roll_error_deg'] == pytest.approx(math.degrees(0.1), abs=1e-3)

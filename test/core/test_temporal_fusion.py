# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Joining a face with its past, on a head of formulas whose true depth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import math

from face_depth_ros.core.crop_alignment import align, BlockSurface, CropCamera
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import crop_depth, FaceBox
from face_depth_ros.core.temporal_fusion import assumed_camera, FusedCrop, TemporalFusion
from moving_head import CAMERA, Head, jittered, sensed
import numpy as np
import pytest

SIZE = 256
FRAME_NS = 33_000_000
OFF_M = 0.015
"""What the sensor itself has farther off is an outline, not noise."""
Paint = Callable[[np.ndarray, np.ndarray], None]


@dataclass
class Seen:
    """One frame as measured, in truth and joined; crops in metres, NaN where invalid."""

    crop: np.ndarray
    truth: np.ndarray
    box: FaceBox
    fused: FusedCrop

    def rms(self, image: np.ndarray, where: np.ndarray | None = None) -> float:
        """Return the RMS error in metres on measured pixels."""
        known = self._known if where is None else self._known & where
        return float(np.sqrt(np.mean((image - self.truth)[known] ** 2)))

    def bias(self, image: np.ndarray, where: np.ndarray) -> float:
        """Return the mean error in metres on measured pixels."""
        return float(np.mean((image - self.truth)[self._known & where]))

    def part(self, mask: np.ndarray) -> np.ndarray:
        """Return a mask of the image in the crop."""
        image = np.where(mask, np.float32(1.0), np.float32(np.nan))
        return np.isfinite(crop_depth(image, self.box, SIZE))

    @property
    def _known(self) -> np.ndarray:
        with np.errstate(invalid='ignore'):
            return np.abs(self.crop - self.truth) < OFF_M


class Camera:
    """A sensor before a head, and the joining behind it."""

    def __init__(self, seed: int = 0, frame_ns: int = FRAME_NS) -> None:
        self.fusion = TemporalFusion()
        self.chance = np.random.default_rng(seed)
        self.frame_ns, self.stamp_ns = frame_ns, 10 ** 18

    def see(self, head: Head, paint: Paint | None = None, track: str = 'f00001',
            stamp_ns: int | None = None, box: FaceBox | None = None) -> Seen:
        """Take the next frame; `paint` changes measured and true depth."""
        self.stamp_ns = self.stamp_ns + self.frame_ns if stamp_ns is None else stamp_ns
        truth = head.depth()
        depth = sensed(truth, self.chance)
        if paint is not None:
            paint(depth, truth)
        box = box or jittered(head.box(), self.chance)
        crop = crop_depth(depth, box, SIZE)
        fused = self.fusion.fuse(track, self.stamp_ns, box, crop, CAMERA)
        return Seen(crop, crop_depth(truth, box, SIZE), box, fused)


def test_a_head_that_rests_gains() -> None:
    """Independent noise: after six frames less than 0.6 of it is left, and every frame gains."""
    camera = Camera()
    frames = [camera.see(Head()) for _ in range(7)]
    ratios = [f.rms(f.fused.depth) / f.rms(f.crop) for f in frames]
    assert ratios[0] == 1.0 and frames[0].fused.cause == 'new'
    assert all(ratio < 0.85 for ratio in ratios[1:])
    assert ratios[-1] < 0.6


@pytest.mark.parametrize('frame_ns, heads', [
    (FRAME_NS, [Head(yaw=math.radians(-12 + 1.3 * i)) for i in range(8)]),
    (FRAME_NS, [Head(z=0.9 - 0.0167 * i, x=-0.05 + 0.005 * i) for i in range(8)]),
    (10 ** 8, [Head(yaw=math.radians(-24 + 8 * i), pitch=0.02 * i) for i in range(6)]),
    (10 ** 8, [Head(z=1.0 - 0.07 * i, x=-0.06 + 0.02 * i) for i in range(6)]),
], ids=['40 degrees a second', 'half a metre a second', '80 degrees a second at 10 Hz',
        '0.7 m a second at 10 Hz'])
def test_a_head_that_moves_gains_in_every_frame(frame_ns: int, heads: list[Head]) -> None:
    """Motion is taken out: no frame is worse than by itself, the last ones are far better."""
    camera = Camera(1, frame_ns)
    frames = [camera.see(head) for head in heads]
    assert [f.fused.cause for f in frames] == ['new'] + [''] * (len(frames) - 1)
    ratios = [f.rms(f.fused.depth) / f.rms(f.crop) for f in frames]
    assert max(ratios) <= 1.0
    assert ratios[-1] < 0.75


def test_holes_are_filled_by_what_was_measured_there() -> None:
    """The past is as good in holes as elsewhere, and a pixel without past stays a hole."""
    camera = Camera(2)
    seen = [camera.see(Head()) for _ in range(4)][-1]
    hole = np.isnan(seen.crop) & np.isfinite(seen.truth)
    filled = hole & np.isfinite(seen.fused.depth)
    assert filled.sum() > 0.5 * hole.sum()
    assert np.sqrt(np.mean((seen.fused.depth - seen.truth)[filled] ** 2)) < 0.0025
    assert (seen.fused.weight[np.isnan(seen.fused.depth)] == 0).all()
    assert (seen.fused.weight[filled] > 0).all()


def test_a_hole_that_stays_is_not_filled_for_ever() -> None:
    """What was measured a second ago does not count as measured."""
    def blind(depth: np.ndarray, truth: np.ndarray) -> None:
        depth[115:123, 150:158] = np.nan

    camera = Camera(3)
    for _ in range(4):
        camera.see(Head())
    frames = [camera.see(Head(), blind) for _ in range(27)]
    inside = [f.part(_square(117, 121, 152, 156)) for f in frames]
    shares = [float(np.isfinite(f.fused.depth[i]).mean())
              for f, i in zip(frames, inside, strict=True)]
    assert shares[0] > 0.9
    assert shares[-1] == 0.0


@pytest.mark.parametrize('opens', [True, False])
@pytest.mark.parametrize('depth_m', [0.008, 0.015])
def test_a_mouth_never_smears(opens: bool, depth_m: float) -> None:
    """A mouth that opens or closes between two frames is the present's alone, then gains anew."""
    before, after = Head(mouth_m=0.0), Head(mouth_m=depth_m)
    if not opens:
        before, after = after, before
    camera = Camera(4)
    for _ in range(6):
        camera.see(before)
    frames = [camera.see(after) for _ in range(5)]
    for seen in frames:
        mouth = seen.part(after.mouth())
        assert seen.rms(seen.fused.depth, mouth) < 1.15 * seen.rms(seen.crop, mouth)
        assert abs(seen.bias(seen.fused.depth, mouth)
                   - seen.bias(seen.crop, mouth)) < 0.001
    mouth = frames[-1].part(after.mouth())
    assert frames[-1].rms(frames[-1].fused.depth, mouth) < 0.8 * frames[-1].rms(
        frames[-1].crop, mouth)
    assert frames[0].rms(frames[0].fused.depth) < 0.8 * frames[0].rms(frames[0].crop)


def test_a_hand_leaves_no_trace() -> None:
    """A hand passes: neither on it, nor where it has just been, does the past count."""
    camera = Camera(5)
    for _ in range(5):
        camera.see(Head())
    gone = None
    for i in range(10):
        hand = _square(95, 150, 110 + 10 * i, 140 + 10 * i)

        def hold(depth: np.ndarray, truth: np.ndarray, hand: np.ndarray = hand) -> None:
            depth[hand] = 0.5 + camera.chance.normal(0.0, 0.002, int(hand.sum()))
            truth[hand] = 0.5

        seen = camera.see(Head(), hold)
        for mask in (hand, gone & ~hand if gone is not None else hand):
            part = seen.part(mask) & np.isfinite(seen.truth)
            if (part & np.isfinite(seen.crop)).sum() > 500:
                assert seen.rms(seen.fused.depth, part) < 1.1 * seen.rms(seen.crop, part)
                assert abs(seen.bias(seen.fused.depth, part)
                           - seen.bias(seen.crop, part)) < 0.0005
        gone = hand


def test_another_face_under_the_same_number() -> None:
    """Swapped numbers: the joined crop is no worse than the new face alone, with no old nose."""
    camera = Camera(6)
    for _ in range(5):
        camera.see(Head(nose_m=0.014, x=0.02))
    seen = camera.see(Head(nose_m=0.032))
    assert seen.rms(seen.fused.depth) <= 1.02 * seen.rms(seen.crop)
    nose = seen.part(_square(118, 132, 155, 165))
    assert abs(seen.bias(seen.fused.depth, nose) - seen.bias(seen.crop, nose)) < 0.001


def test_tracks_have_their_own_past() -> None:
    """A new number begins anew; numbers that vanish are dropped; no number keeps nothing."""
    camera = Camera(7)
    camera.see(Head())
    assert camera.see(Head(), track='f00002').fused.cause == 'new'
    assert camera.fusion.tracks == ('f00001', 'f00002')
    assert camera.see(Head(), track='').fused.cause == 'no_track'
    for _ in range(8):
        camera.see(Head(), track='f00003', stamp_ns=camera.stamp_ns + 200_000_000)
    assert camera.fusion.tracks == ('f00003',)
    camera.fusion.forget('f00003')
    assert camera.see(Head(), track='f00003').fused.cause == 'new'
    camera.fusion.reset()
    assert not camera.fusion.tracks


@pytest.mark.parametrize('step_ns, cause', [(-FRAME_NS, 'stamp_backwards'), (0, 'stamp_backwards'),
                                            (250_000_001, 'gap'), (250_000_000, '')])
def test_stamps(step_ns: int, cause: str) -> None:
    """Stamps that run back, stand, or leave a gap: the frame stands for itself and is kept."""
    camera = Camera(8)
    camera.see(Head())
    seen = camera.see(Head(), stamp_ns=camera.stamp_ns + step_ns)
    assert seen.fused.cause == cause
    if cause:
        np.testing.assert_array_equal(seen.fused.depth, seen.crop)
    assert camera.see(Head()).fused.cause == ''


@pytest.mark.parametrize('box, head, cause', [
    (FaceBox(230.0, 120.0, 92.0), Head(), 'box_jump'),
    (FaceBox(160.0, 120.0, 130.0), Head(), 'box_jump'),
    (FaceBox(160.0, 120.0, 92.0, 0.8), Head(), 'box_jump'),
    (None, Head(yaw=0.35), 'turned')])
def test_abrupt_motion_stands_for_itself(box: FaceBox | None, head: Head, cause: str) -> None:
    """What alignment cannot take is left to the single frame, and is said."""
    camera = Camera(9)
    for _ in range(3):
        camera.see(Head())
    seen = camera.see(head, box=box or head.box())
    assert seen.fused.cause == cause
    np.testing.assert_array_equal(seen.fused.depth, seen.crop)


@pytest.mark.parametrize('yaw', [0.2, 0.5, -0.5, 0.7])
def test_a_wrong_alignment_does_no_harm(yaw: float) -> None:
    """After a turn of 11 to 40 degrees in one frame: aligned, refused, or no worse anyway."""
    camera = Camera(9)
    camera.see(Head())
    head = Head(yaw=yaw)
    seen = camera.see(head, box=head.box())
    assert seen.rms(seen.fused.depth) <= 1.02 * seen.rms(seen.crop)


def test_empty_crops_have_no_past() -> None:
    """Without depth nothing is kept, and nothing fails."""
    camera = Camera(10)
    camera.see(Head())
    empty = np.full((SIZE, SIZE), np.nan, np.float32)
    fused = camera.fusion.fuse('f00001', camera.stamp_ns + 1, Head().box(), empty, CAMERA)
    assert fused.cause == 'too_little_depth'
    assert np.isnan(fused.depth).all() and not fused.weight.any()
    assert not camera.fusion.tracks


@pytest.mark.parametrize('columns', [True, False])
@pytest.mark.filterwarnings('error')
def test_a_grid_of_holes_loses_no_measurement(columns: bool) -> None:
    """Every fourth row a hole: no block is compared over more than half of it."""
    camera = Camera(14)
    for _ in range(3):
        truth = Head().depth()
        box = jittered(Head().box(), camera.chance)
        crop = crop_depth(sensed(truth, camera.chance), box, SIZE)
        crop[::4] = np.nan
        if columns:
            crop[:, ::4] = np.nan
        camera.stamp_ns += FRAME_NS
        fused = camera.fusion.fuse('f00001', camera.stamp_ns, box, crop, CAMERA)
        assert np.isfinite(fused.depth[np.isfinite(crop)]).all()
        assert np.isfinite(fused.weight).all()
    assert fused.cause == ''


def test_a_crop_in_stripes_without_slopes_stands_for_itself() -> None:
    """Blocks without valid neighbours to both sides have no slope to be aligned by."""
    fusion, chance = TemporalFusion(), np.random.default_rng(15)
    box = Head().box()
    crop = crop_depth(sensed(Head().depth(), chance), box, SIZE)
    crop[:, np.arange(SIZE) % 24 >= 9] = np.nan
    causes = [fusion.fuse('f00001', i * FRAME_NS, box, crop, CAMERA).cause for i in (1, 2)]
    assert causes == ['new', 'not_aligned']


def test_the_same_frame_again_is_the_same() -> None:
    """Two methods look at one frame: the past is counted once."""
    camera = Camera(11)
    camera.see(Head())
    seen = camera.see(Head())
    again = camera.fusion.fuse('f00001', camera.stamp_ns, seen.box, seen.crop, CAMERA)
    assert again is seen.fused


def test_measured_pixels_move_within_the_noise_bound() -> None:
    """Joining alone never takes a pixel farther from the present than the sensor may err."""
    camera = Camera(12)
    for i in range(6):
        seen = camera.see(Head(mouth_m=0.012 * (i % 2)))
        measured = np.isfinite(seen.crop)
        move = np.abs(seen.fused.depth - seen.crop)[measured]
        assert (move <= camera.fusion.noise_bound.at(seen.crop[measured])).all()
        assert seen.fused.depth.dtype == seen.fused.weight.dtype == np.float32


@pytest.mark.parametrize('gap', [0.0, -1.0, float('nan'), float('inf')])
def test_settings(gap: float) -> None:
    """A gap is a time."""
    with pytest.raises(SettingsError, match='max_gap_s'):
        TemporalFusion(max_gap_s=gap)


def test_alignment_finds_the_motion() -> None:
    """Against the true pose: half a degree and 2 mm, from noisy depth and another box."""
    chance = np.random.default_rng(13)
    heads = (Head(yaw=0.05), Head(yaw=0.12, x=0.01, z=0.64))
    surfaces = []
    for head in heads:
        box = jittered(head.box(), chance)
        crop = crop_depth(sensed(head.depth(), chance), box, SIZE)
        surfaces.append(BlockSurface.of(crop, CropCamera.of(box, SIZE, CAMERA)))
    past, present = surfaces
    assert past is not None and present is not None
    found = align(present, past)
    assert found is not None
    assert found.turn == pytest.approx(0.07, abs=math.radians(0.6))
    middle = np.array([0.01, 0.0, 0.64 - 0.06], np.float32)[:, None, None]
    turn = heads[0].rotation() @ heads[1].rotation().T
    true = turn @ (middle[:, 0, 0] - [0.01, 0.0, 0.64]) + [0.0, 0.0, 0.65]
    np.testing.assert_allclose(found.moved(middle)[:, 0, 0], true, atol=0.003)


def test_assumed_camera_sees_sixty_degrees() -> None:
    """The longer side subtends 60 degrees, whichever it is."""
    for width, height in ((640, 480), (240, 320)):
        camera = assumed_camera(width, height)
        assert math.degrees(2 * math.atan(max(width, height) / 2 / camera.fx)) == pytest.approx(60)
        assert (camera.cx, camera.cy) == (width / 2, height / 2)


def _square(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
    mask = np.zeros((CAMERA.height, CAMERA.width), bool)
    mask[y0:y1, x0:x1] = True
    return mask

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Banks of photos as recognisers see them: on the device, in files, and by the robot's rules."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from drawn_identity_bank import drawn_bank
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.core.recognition_input import depth_input, DEPTH_LIMIT, SIZE
from face_depth_ros.engines import open_engine
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.identity_photos import IdentityPhotographer, IdentityPhotos, SESSIONS
from face_depth_ros.synthesis.photo_batches import PhotoBatch
from face_depth_ros.training import identity_bank
from face_depth_ros.training.identity_bank import (
    BankBuilder,
    batch_of,
    depth_inputs,
    IdentityBank,
    load_estimator,
    read_bank,
    rows_of_bank,
    without_depth,
)
from face_depth_ros.training.render_identity_bank import part_path, save_part
import numpy as np
import pytest
import torch


def same(first: IdentityBank, second: IdentityBank) -> bool:
    return all(torch.equal(getattr(first, f.name), getattr(second, f.name))
               for f in fields(IdentityBank))


@pytest.mark.parametrize('size', [192, 112, 96])
def test_depth_inputs_are_those_of_a_robot(size: int) -> None:
    """Holes, background, and a face without any depth; the median of an even number differs."""
    rng = np.random.default_rng(size)
    axis = np.linspace(-0.08, 0.08, size)
    relief = (axis[:, None] ** 2 * 8 + axis * rng.normal(0, 0.5, (5, 1, 1))
              + rng.normal(0, 0.001, (5, size, size))).astype(np.float32)
    relief[rng.random((5, size // 8, size // 8)).repeat(8, 1).repeat(8, 2) < 0.3] = np.nan
    relief[3] = np.nan
    relief[4, ::2] = np.nan
    labels = rng.integers(1, 7, (5, SIZE, SIZE)).astype(np.uint8)
    labels[:, :, :30] = 0
    labels[2] = 0
    found = depth_inputs(torch.from_numpy(relief), torch.from_numpy(labels)).numpy()
    assert found.dtype == np.float32 and np.isfinite(found).all()
    for k in range(5):
        np.testing.assert_allclose(found[k], depth_input(relief[k], labels[k]), atol=2e-3)
    assert (found[2] == -DEPTH_LIMIT).all()
    assert set(np.unique(found[3])) == {np.float32(-DEPTH_LIMIT), np.float32(0.0)}


def test_the_estimator_of_a_bank_is_the_shipped_one() -> None:
    spec = find_model('face_estimator')
    ys, xs = np.mgrid[:192, :192] / 192 - 0.5
    face = np.exp(-((xs / 0.3) ** 2 + (ys / 0.4) ** 2))
    crop = (np.stack([face * 200, face * 150, face * 130]) + 20).astype(np.float32)[None]
    with open_engine(spec, backend='openvino', precision='fp32') as engine:
        wanted = {k: v.copy() for k, v in engine({spec.inputs[0].name: crop}).items()}
    network = load_estimator(spec)
    assert not network.training
    with torch.no_grad():
        said = network(torch.from_numpy(crop))
    np.testing.assert_allclose(said.relief[0, 0], wanted['relief'].squeeze(), atol=1e-3)
    np.testing.assert_allclose(said.landmarks[0], wanted['landmarks'].squeeze(), atol=1e-3)
    assert (said.mask[0].argmax(0).numpy() == wanted['mask'].squeeze().argmax(0)).mean() > 0.999


def test_another_network_is_no_estimator() -> None:
    with pytest.raises(SettingsError, match=r'face_verifier.onnx lacks .*: it is of another '
                                            'network than FaceEstimator; export that again'):
        load_estimator(find_model('face_verifier'))


def test_a_batch_takes_the_depth_that_is_asked_for() -> None:
    bank = drawn_bank(3, 2)
    rows = torch.tensor([4, 0])
    color, depth, mask = batch_of(bank, rows, torch.tensor([True, False]))
    assert color.shape == (2, 3, SIZE, SIZE) and depth.shape == mask.shape == (2, 1, SIZE, SIZE)
    assert color.dtype == depth.dtype == mask.dtype == torch.float32
    assert torch.equal(color, bank.color[rows].float())
    assert torch.equal(mask[:, 0], bank.mask[rows].float())
    assert torch.equal(depth[0, 0], bank.measured[4].float())
    assert torch.equal(depth[1, 0], bank.estimated[0].float())


def test_some_rows_of_a_bank_keep_all_people() -> None:
    bank = drawn_bank(3, 2)
    part = rows_of_bank(bank, torch.tensor([5, 1]))
    assert len(part) == 2 and part.people == 3
    assert torch.equal(part.identity, bank.identity)
    assert part.person.tolist() == [2, 1]
    assert torch.equal(part.expression, bank.expression[[5, 1]])


def test_parts_are_read_as_one_bank_with_people_numbered_through(tmp_path: Path) -> None:
    first, second = drawn_bank(3, 2, seed=1), drawn_bank(2, 3, seed=2)
    save_part(part_path(tmp_path / 'bank', 0), first)
    save_part(part_path(tmp_path / 'bank', 12), second)
    assert sorted(p.name for p in (tmp_path / 'bank').iterdir()) == [
        'part_00000.npz', 'part_00012.npz']
    whole = read_bank(tmp_path / 'bank')
    assert len(whole) == 12 and whole.people == 5
    assert whole.person.tolist() == [0, 1, 2] * 2 + [3, 4] * 3
    assert same(rows_of_bank(replace(whole, identity=whole.identity[:3], look=whole.look[:3]),
                             torch.arange(6)), first)
    assert torch.equal(whole.color[6:], second.color)
    assert torch.equal(whole.identity[3:], second.identity)
    for f in fields(IdentityBank):
        assert getattr(whole, f.name).dtype == getattr(first, f.name).dtype
    flat = read_bank(tmp_path / 'bank', depth=False)
    assert flat.estimated.shape == flat.measured.shape == (12, 0)
    assert same(flat, without_depth(whole))


def test_folders_without_a_whole_bank_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='no photos in .*render_identity_bank'):
        read_bank(tmp_path)
    path = part_path(tmp_path, 0)
    save_part(path, drawn_bank(2, 1))
    content = path.read_bytes()
    for damaged in (b'', b'no archive', content[:len(content) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(SettingsError, match='part_00000.npz is damaged .*; delete it and '
                                                'render again'):
            read_bank(tmp_path)
    np.savez(path, color=np.zeros(3))
    with pytest.raises(SettingsError, match='part_00000.npz is damaged'):
        read_bank(tmp_path)


class Estimates:
    """What a drawn estimator says: skin where a photo is bright, and a relief of 1 cm per 100."""

    def __init__(self, color: torch.Tensor) -> None:
        grey = color.mean(dim=1, keepdim=True)
        self.mask = torch.cat([90.0 - grey, grey - 90.0], dim=1)
        self.relief = grey / 100.0 * 0.01 / 0.22
        self.landmarks = torch.full((len(color), 68, 2), torch.nan)  # frames are the boxes


class Photographer:
    """Takes photos of squares; the brightness is that of the person, a dark one shows no face."""

    device = torch.device('cpu')

    def __init__(self) -> None:
        self.moments: list[object] = []

    def take(self, people: list[float], rows: torch.Tensor, moments: object) -> IdentityPhotos:
        self.moments.append(moments)
        count = len(rows)
        color = torch.zeros(count, 3, 192, 192, dtype=torch.uint8)
        color[:, :, 48:144, 48:144] = torch.tensor(people.brightness)[rows][
            :, None, None, None].to(torch.uint8)
        relief = torch.full((count, 192, 192), 0.05)
        return IdentityPhotos(
            PhotoBatch(color, (color[:, 0] > 0).to(torch.uint8), relief,
                       torch.zeros(count, dtype=torch.bool)), rows,
            torch.full((count,), 3.0), torch.zeros(count), torch.zeros(count, 57),
            torch.tensor([[0.0, 0.0, 0.8]]).repeat(count, 1),
            torch.tensor([[[700.0, 0.0, 96.0], [0.0, 700.0, 96.0]]]).repeat(count, 1, 1))


class Crowd:
    """People by their brightness."""

    brightness = (200, 250, 20, 150, 220)
    coefficients = torch.randn(5, 100)
    code = torch.randn(5, 7)

    def __len__(self) -> int:
        return 5


@pytest.fixture(name='builder')
def drawn_builder(monkeypatch: pytest.MonkeyPatch) -> BankBuilder:
    monkeypatch.setattr(identity_bank, 'load_estimator', lambda _: torch.nn.Identity())
    builder = BankBuilder(Photographer())
    builder.estimator = Estimates
    return builder


def test_a_bank_is_taken_round_by_round(builder: BankBuilder) -> None:
    bank = builder.build(Crowd(), 3, ('first', 'later'), batch=2)
    assert builder.photographer.moments == ['first'] * 3 + ['later'] * 6
    assert bank.person.tolist() == [0, 1, 3, 4] * 3  # the dark one shows no face
    assert bank.people == 5 and torch.equal(bank.identity, Crowd.coefficients)
    assert bank.color.shape == (12, 3, SIZE, SIZE) and bank.color.dtype == torch.uint8
    assert bank.color[0, :, 56, 56].tolist() == [200] * 3
    assert int(bank.mask[0].sum()) == 56 ** 2
    inside = bank.mask[0] > 0
    assert bank.estimated.dtype == bank.measured.dtype == torch.float16
    for depth in (bank.estimated[0], bank.measured[0]):
        assert bool((depth[~inside] == -DEPTH_LIMIT).all())
        assert float(depth[inside].abs().max()) < 0.01
    assert bank.yaw.tolist() == [3.0] * 12 and bank.expression.shape == (12, 57)


def test_a_bank_ends_when_the_time_is_up(builder: BankBuilder,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a single round is an error; later, what was taken is the bank."""
    ticks = iter(range(0, 10_000, 60))
    monkeypatch.setattr(identity_bank.time, 'monotonic', lambda: float(next(ticks)))
    bank = builder.build(Crowd(), 50, ('always',), batch=5, max_minutes=3.5)
    assert bank.person.tolist() == [0, 1, 3, 4] * 3
    with pytest.raises(SettingsError, match='0.5 minutes do not suffice for one photo of each of '
                                            '5 people; give more'):
        builder.build(Crowd(), 2, ('always',), batch=5, max_minutes=0.5)


@pytest.mark.assets
def test_rendered_people_are_seen_by_the_shipped_estimator(assets_folder: Path) -> None:
    """Mask and relief that it tells from colour are near those that were rendered."""
    photographer = IdentityPhotographer(FaceAssets(assets_folder), 'cpu', 3, backgrounds=2)
    builder = BankBuilder(photographer)
    people = photographer.people('validation', range(2), mannequins=0.0)
    bank = builder.build(people, 2, (SESSIONS['gallery'],), batch=2)
    assert bank.person.tolist() == [0, 1, 0, 1]
    both = (bank.estimated > -DEPTH_LIMIT) & (bank.measured > -DEPTH_LIMIT)
    assert float(both.float().mean()) > 0.2
    apart = (bank.estimated.float() - bank.measured.float())[both].abs()
    assert float(apart.median()) < 0.15  # 9 mm

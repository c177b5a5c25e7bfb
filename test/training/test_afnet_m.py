# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training, ablations and export of AFNet-M on drawn faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
import json
from pathlib import Path
import sys

from drawn_expression_bank import drawn_expressions
from face_depth_ros.core.afnet_input import afnet_input, afnet_planes
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_labels import NEUTRAL
from face_depth_ros.core.face_photo import MIRRORED_68
from face_depth_ros.engines import open_engine
from face_depth_ros.networks import afnet_m as networks
from face_depth_ros.training import (
    afnet_data,
    afnet_lessons,
    afnet_m_ablations,
    export_afnet_m,
)
from face_depth_ros.training import train_afnet_m as script
from face_depth_ros.training.expression_bank import save_bank
import numpy as np
import pytest
import torch

CPU = torch.device('cpu')
SIZE = 32
WIDTHS = (8, 12, 16, 24)


@pytest.fixture(name='folders')
def banks_in_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, count in (('bank', 42), ('validation', 21)):
        save_bank(tmp_path / name / 'part_00000.npz', drawn_expressions(count))
    monkeypatch.setattr(networks, 'WIDTHS', WIDTHS)
    monkeypatch.setattr(afnet_lessons, 'WIDTHS', WIDTHS)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def options(folders: Path, run: str) -> list[str]:
    return ['train', '--run', str(folders / run), '--bank', str(folders / 'bank'), '--validation',
            str(folders / 'validation'), '--size', str(SIZE), '--batch', '12', '--threads', '1']


def test_the_defaults_are_the_papers() -> None:
    settings = script.Settings()
    assert (settings.size, settings.learning_rate, settings.epochs) == (224, 1e-4, 70)
    assert script.BETAS == (0.9, 0.999) and settings.weight_decay == settings.ema_decay == 0.0
    assert script.scheduled(settings) == settings
    reduced = script.scheduled(script.Settings(schedule='reduced', learning_rate=1e-3))
    assert (reduced.size, reduced.learning_rate, reduced.max_minutes) == (112, 1e-3, 45.0)


def test_it_learns_what_faces_show_and_is_exported(
        folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [*options(folders, 'run'), '--schedule', 'reduced', '--learning-rate', '0.01',
             '--steps-per-epoch', '20', '--warmup-steps', '2', '--ema-decay', '0.8',
             '--config', 'afnet_m']
    monkeypatch.setattr(sys, 'argv', [*given, '--max-steps', '20'])
    script.main()
    monkeypatch.setattr(sys, 'argv', [*given, '--max-steps', '60', '--resume'])
    script.main()
    checkpoint = folders / 'run' / 'last.pt'
    content = torch.load(checkpoint, weights_only=True)
    assert content['state']['step'] == 60 and content['state']['samples'] == 60 * 12
    assert content['metrics']['all'] >= 60.0, 'chance is 17'
    spec = export_afnet_m.export_checkpoint(checkpoint, folders / 'models')
    assert spec.name == 'afnet_m' and spec.parity['max_abs'] < 5e-3
    assert [t.shape for t in spec.inputs] == [
        (-1, 3, 32, 32), (-1, 3, 32, 32), (-1, 1, 8, 8), (-1, 1, 4, 4)]
    network = networks.AFNetM()
    network.load_state_dict(content['average'])
    batch = afnet_data.batch_of(afnet_data.afnet_data_of(drawn_expressions(7, 3), SIZE), CPU)
    with torch.no_grad(), open_engine(spec, 'openvino', 'fp32') as engine:
        wanted = network.eval()(*batch.images).numpy()
        said = engine({t.name: image.numpy() for t, image in zip(spec.inputs, batch.images,
                                                                 strict=True)})
    np.testing.assert_allclose(said['logits'], wanted, atol=0.02)
    assert str(folders) not in spec.path.read_text(), 'no path of a machine'


def test_an_epoch_of_the_paper_sees_each_photo_at_a_fixed_rate(
        folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'argv', [*options(folders, 'paper'), '--epochs', '2', '--config',
                                      'afnet_m_3d_no_mask'])
    script.main()
    content = torch.load(folders / 'paper' / 'last.pt', weights_only=True)
    assert content['state']['step'] == 2 * 3, '36 photos that are not neutral, 12 a step'
    assert content['optimizer']['param_groups'][0]['lr'] == 1e-4
    assert content['optimizer']['param_groups'][0]['betas'] == (0.9, 0.999)
    settings = script.Settings(batch=12)
    seen = torch.cat([script.rows_of_step(36, settings, step) for step in range(3)])
    assert sorted(seen.tolist()) == list(range(36))
    assert not torch.equal(seen[:12], script.rows_of_step(36, settings, 3))


def test_all_rows_start_from_the_same_branches_get_as_many_steps_and_are_resumed(
        folders: Path) -> None:
    names = 'afnet_m,afnet_m_s1,afnet_m_s2,afnet_m_s3,afnet_m_2d'
    settings = afnet_m_ablations.Settings(
        run=str(folders / 'rows'), configs=names, size=SIZE, batch=12, branch_steps=4, steps=2,
        threads=1)
    fabric = script.open_fabric(settings)
    data, validation = (afnet_data.read_afnet_data(folders / name, SIZE)
                        for name in ('bank', 'validation'))
    some = afnet_m_ablations.train_all(replace(settings, configs='afnet_m,afnet_m_s1'), fabric,
                                       data, validation)
    assert list(some) == ['afnet_m', 'afnet_m_s1']
    with pytest.raises(SettingsError, match='--resume'):
        afnet_m_ablations.train_all(settings, fabric, data, validation)
    kept = (folders / 'rows' / 'afnet_m' / 'last.pt').stat().st_mtime_ns
    results = afnet_m_ablations.train_all(settings, fabric, data, validation, resume=True)
    assert (folders / 'rows' / 'afnet_m' / 'last.pt').stat().st_mtime_ns == kept
    assert {(row['steps'], row['samples']) for row in results.values()} == {(2, 24)}
    assert json.loads((folders / 'rows' / 'plan.json').read_text())['steps'] == 2
    steps = [torch.load(folders / 'rows' / f'branch_{name}' / 'last.pt', weights_only=True)[
        'state']['step'] for name in ('depth', 'texture')]
    assert steps == [4, 8], 'texture is the harder'
    text = afnet_m_ablations.tables_text(results, len(validation))
    assert f'| S2, decision | {results["afnet_m_s2"]["six"]:.1f} |' in text
    assert text.count('not trained') > 0
    exported = export_afnet_m.checkpoints_of(folders / 'rows')
    assert {path.parent.name for path in exported} == set(names.split(','))


def test_a_budget_is_divided_so_that_all_rows_get_equal_steps(folders: Path) -> None:
    settings = afnet_m_ablations.Settings(
        run=str(folders / 'timed'), configs='afnet_m_2d_no_mask,afnet_m_s4', size=SIZE, batch=12,
        max_minutes=0.08, threads=1)
    data = afnet_data.read_afnet_data(folders / 'bank', SIZE)
    results = afnet_m_ablations.train_all(settings, script.open_fabric(settings), data, data)
    plan = json.loads((folders / 'timed' / 'plan.json').read_text())
    assert plan['branch_steps'] >= 1 and plan['steps'] >= 1
    assert {row['steps'] for row in results.values()} == {plan['steps']}
    assert not (folders / 'timed' / 'timing').exists()
    assert afnet_m_ablations.cost(('afnet_m_2d', 'afnet_m_s1', 'afnet_m_3d')) == 3.0
    assert len(afnet_m_ablations.Settings().chosen()) == len(networks.ABLATIONS)


def test_branches_and_classifiers_begin_as_they_were_trained(folders: Path) -> None:
    torch.manual_seed(3)
    for name in ('2d', '3d'):
        network = networks.AFNetM(networks.ABLATIONS[f'afnet_m_{name}_no_mask'])
        torch.save({'average': network.state_dict()}, folders / f'{name}.pt')
    texture, depth = (torch.load(folders / f'{name}.pt', weights_only=True)['average']
                      for name in ('2d', '3d'))
    settings = script.Settings(initial_texture=str(folders / '2d.pt'),
                               initial_depth=str(folders / '3d.pt'))
    weights = {name: script.started(replace(settings, config=name)).state_dict()
               for name in ('afnet_m', 'afnet_m_s1', 'afnet_m_s2', 'afnet_m_s3', 'afnet_m_3d')}
    stem = 'stem.0.weight'
    own = weights['afnet_m']
    assert torch.equal(own[f'texture.{stem}'], texture[f'texture.{stem}'])
    assert torch.equal(own[f'depth.{stem}'], depth[f'depth.{stem}'])
    assert torch.equal(own['heads.0.0.weight'], texture['heads.0.0.weight'])
    joint = weights['afnet_m_s1'][f'texture.{stem}']
    assert torch.equal(2 * joint[:, :3], texture[f'texture.{stem}'])
    assert torch.equal(2 * joint[:, 3:], depth[f'depth.{stem}'])
    assert torch.equal(weights['afnet_m_s2']['heads.1.0.weight'], depth['heads.0.0.weight'])
    wide = weights['afnet_m_s3']['heads.0.0.weight']
    assert torch.equal(wide[:, :WIDTHS[-1]], texture['heads.0.0.weight'])
    assert not wide[:, WIDTHS[-1]:].any()
    assert torch.equal(weights['afnet_m_3d']['heads.0.0.weight'], depth['heads.0.0.weight'])
    with pytest.raises(SettingsError, match='no checkpoint'):
        script.started(replace(settings, initial_depth='none.pt'))
    taught = script.started(replace(settings, config='afnet_m_2d_no_mask', lessons=1))
    torch.save({'average': taught.state_dict()}, folders / '2d.pt')
    other = script.started(replace(settings, config='afnet_m_2d',
                                   initial_texture=str(folders / '3d.pt'))).state_dict()
    assert torch.equal(other[f'texture.{stem}'], depth[f'depth.{stem}']), 'the other modality'
    again = script.started(settings).state_dict()
    assert torch.equal(again[f'texture.{stem}'], texture[f'texture.{stem}']), 'lessons left out'
    with pytest.raises(SettingsError, match='lessons are for one modality'):
        script.Settings(lessons=1)


@pytest.mark.usefixtures('folders')
def test_lessons_teach_landmarks_and_action_units() -> None:
    data = afnet_data.afnet_data_of(drawn_expressions(14), SIZE)
    mean = torch.from_numpy(afnet_lessons.mean_landmarks())
    assert float(mean[8, 1]) > float(mean[57, 1]) > float(mean[30, 1]) > float(mean[19, 1]) > 0
    placed = replace(data, landmarks=mean + 0.04 * (data.label - 2.5)[:, None, None])
    torch.manual_seed(0)
    network = afnet_lessons.TaughtBranch(
        networks.AFNetM(networks.ABLATIONS['afnet_m_3d_no_mask']))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    batch = afnet_data.batch_of(placed, CPU)
    losses = []
    for _ in range(60):
        losses.append(afnet_lessons.loss_of(network, batch))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1].item() < 0.3 * losses[0].item()
    with torch.no_grad():
        _, units, landmarks = network(*batch.images)
    assert float((units - batch.units).abs().mean()) < 0.1
    error = mean + afnet_lessons.LANDMARK_UNIT * landmarks - batch.landmarks
    assert float(error.abs().mean()) < 0.02, 'they stray by 0.06'
    plain = afnet_lessons.loss_of(network.network, batch)
    assert plain.item() < losses[0].item(), 'the cross entropy alone'


def test_the_bank_and_the_run_time_make_the_same_images() -> None:
    bank = drawn_expressions(14)
    data = afnet_data.afnet_data_of(bank, 64)
    assert len(data) == 12 and not (data.label == NEUTRAL).any()
    batch = afnet_data.batch_of(data, CPU)
    depth = bank.depth[1].float().numpy()
    known = np.isfinite(depth)
    color = bank.color[1].permute(1, 2, 0).numpy()
    planes = afnet_planes(color, np.stack([np.where(known, depth, 0), known]).astype(np.float32),
                          bank.mask[1].numpy(), bank.landmarks[1].numpy(), 64)
    np.testing.assert_allclose(batch.texture[1].permute(1, 2, 0), planes.texture / 255.0,
                               atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(batch.depth[1, 2], planes.depth, atol=1e-3)
    whole = np.zeros((160, 160), np.uint8)
    whole[20:150, 10:150] = 1
    seen = afnet_input(color, None, whole, None, 64)
    assert {n: v.shape for n, v in seen.items()} == {
        n: tuple(v.shape[1:]) for n, v in zip(('texture', 'depth', 'mask_1', 'mask_2'),
                                              batch.images, strict=True)}


def test_variation_moves_texture_depth_and_regions_together() -> None:
    data = afnet_data.afnet_data_of(drawn_expressions(14), SIZE)
    place = torch.arange(SIZE).float()
    grid = torch.stack([place.expand(SIZE, -1), place[:, None].expand(-1, SIZE)])
    count = len(data)
    marked = replace(
        data, texture=torch.cat([grid, grid[:1]]).to(torch.uint8).expand(count, -1, -1, -1),
        depth=grid[0].half().expand(count, -1, -1), salient=(grid[0] < 10).expand(count, -1, -1))
    varied = afnet_data.vary(marked, torch.Generator().manual_seed(0))
    across = varied.texture[:, 0].float()
    assert torch.equal(varied.depth.float(), across)
    assert torch.equal(varied.salient, across < 10)
    mirrored = across[:, 0, 0] > across[:, 0, -1]
    assert 0 < int(mirrored.sum()) < count
    middle = across[:, SIZE // 2, SIZE // 2] - torch.where(mirrored, SIZE / 2 - 1, SIZE / 2)
    assert float(middle.abs().max()) <= afnet_data.SHIFT_PX and middle.unique().numel() > 2
    points = replace(marked, landmarks=torch.rand(count, 68, 2))
    there = afnet_data.vary(points, torch.Generator().manual_seed(0)).landmarks
    for row in range(count):
        if mirrored[row]:
            offset = there[row][:, 0] + points.landmarks[row][list(MIRRORED_68), 0] - 1.0
        else:
            offset = there[row][:, 0] - points.landmarks[row][:, 0]
        shown = float(across[row, 0, SIZE // 2]) - (
            SIZE - 1 - SIZE // 2 if mirrored[row] else SIZE // 2)
        wanted = shown / SIZE * (1.0 if mirrored[row] else -1.0)
        torch.testing.assert_close(offset, torch.full((68,), wanted), atol=1e-5, rtol=0)
    gone = afnet_data.vary(marked, torch.Generator().manual_seed(0), without_depth=1.0)
    assert not gone.depth.any() and torch.equal(gone.texture, varied.texture)


def test_settings_and_missing_banks_are_told(tmp_path: Path) -> None:
    for wrong in ({'config': 'b'}, {'schedule': 'fast'}, {'size': 100}, {'without_depth': 2.0}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            script.Settings(**wrong)
    for wrong in ({'configs': 'afnet_m,b'}, {'branch_share': 1.0}, {'steps': -1}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            afnet_m_ablations.Settings(**wrong)
    with pytest.raises(SettingsError, match='render_expression_bank'):
        afnet_data.read_afnet_data(tmp_path, SIZE)
    with pytest.raises(SettingsError, match='no checkpoint'):
        export_afnet_m.checkpoints_of(tmp_path)

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training of the face shape network on hand-made photos: phases, ablation, checkpoints."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from drawn_banks import drawn_bank
from face_depth_ros.core.errors import ModelSpecError, SettingsError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.networks.face_shape import build_face_shape, FaceShapeConfig
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.training import train_face_shape as script
from face_depth_ros.training.autocast import fabric_precision
from face_depth_ros.training.face_shape_start import begin_with
from face_depth_ros.training.folding import folded, load_in_order
from face_depth_ros.training.identity_bank import IdentityBank, without_depth
from face_depth_ros.training.render_identity_bank import part_path, save_part
from face_depth_ros.training.shape_scoring import mean_codes, rank_1, validate
from face_depth_ros.training.shape_targets import shape_modes, ShapeModes
from lightning.fabric import Fabric
import pytest
import torch

FABRIC = Fabric(accelerator='cpu', devices=1, precision=fabric_precision())
VERTICES = 200


def settings(tmp_path: Path, **changes: Any) -> script.Settings:
    """Return the settings of a run of a few steps."""
    values = {'run': str(tmp_path), 'batch': 8, 'max_steps': 3, 'phase_minutes': '9,9,9',
              'warmup_steps': 1, 'ema_decay': 0.5, 'vertices': VERTICES, **changes}
    return script.Settings(**values)


@pytest.fixture(scope='module')
def modes(assets_folder) -> ShapeModes:
    return shape_modes(MorphableHead(FaceAssets(assets_folder)), VERTICES)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller encoder; the last layer is solved for in the cube of the features before it."""
    monkeypatch.setattr(script, 'FaceShapeConfig', partial(
        FaceShapeConfig, widths=(16, 32, 64, 128), last=8))


@pytest.mark.assets
@pytest.mark.usefixtures('narrow')
def test_the_ablation_is_trained_and_saved(tmp_path: Path, assets_folder) -> None:
    own = settings(tmp_path, compare=1, assets=str(assets_folder))
    results = script.train(drawn_bank(), drawn_bank(seed=1), own, FABRIC)
    assert list(results) == ['phase_2', 'joint', 'no_identification', 'phase_2_no_disentangling',
                             'no_disentangling']
    for name, metrics in results.items():
        first = name.startswith('phase_2')
        assert {'rmse', 'identity_rmse', 'mean_face_rmse', 'rmse_to_91', 'rank_1'} <= set(metrics)
        content = torch.load(tmp_path / f'{name}.pt', weights_only=True)
        small = torch.load(tmp_path / f'{name}_half.pt', weights_only=True)
        assert content['settings']['compare'] == 0 and ('optimizer' in content) != first
        assert content['metrics'] == metrics and content['variant'] == name
        assert content['times']['steps_III'] == (0 if first else 3) and content['commit']
        network = build_face_shape(FaceShapeConfig(**small['config']))
        network.load_state_dict(small['average'])
        assert network.config.disentangled == (not name.endswith('no_disentangling'))
        full = content['average']['encoder.codes.weight']
        torch.testing.assert_close(network.encoder.codes.weight.data, full, atol=1e-3, rtol=1e-3)
        assert int(network.triangles.max()) == VERTICES - 1
        assert content['people'] == 8 and content['photos'] == 32 and 'CPU' in content['hardware']
        assert first or ('classes.weight' in content['model']) == (name == 'joint')


@pytest.mark.assets
@pytest.mark.usefixtures('narrow')
def test_one_variant_is_trained_by_the_switches(tmp_path: Path, assets_folder) -> None:
    own = settings(tmp_path, disentangle=0, assets=str(assets_folder), max_steps=1)
    assert list(script.train(drawn_bank(), drawn_bank(seed=1), own, FABRIC)) == [
        'phase_2_no_disentangling', 'no_disentangling_but_identification']


@pytest.mark.assets
@pytest.mark.parametrize('disentangle', [1, 0])
def test_decoders_learn_the_shapes_of_the_codes(tmp_path: Path, modes: ShapeModes,
                                                disentangle: int) -> None:
    own = settings(tmp_path, disentangle=disentangle, max_steps=100)
    bank = drawn_bank(64, 4)
    to_codes, shapes = script.code_targets(own, bank, modes)
    assert (to_codes is None) == bool(disentangle)
    sizes = {} if disentangle else {'identity': 157, 'residual': 0}
    network = build_face_shape(FaceShapeConfig(VERTICES, len(modes.mesh.triangles), **sizes))
    script.train_decoders(own, network, shapes, 9.0)
    learnt = [d.weight.T for d in (network.identity, network.residual) if d is not None]
    torch.testing.assert_close(torch.cat(learnt), shapes, atol=1e-3, rtol=0.0)


@pytest.mark.assets
@pytest.mark.usefixtures('narrow')
def test_a_phase_ends_with_its_minutes(tmp_path: Path, modes: ShapeModes) -> None:
    own = settings(tmp_path, phase_minutes='0.02,1e-6,0.02', max_steps=100_000)
    bank = drawn_bank()
    begun = script.pretrain(own, FABRIC, bank, modes)
    assert 0 < begun.steps < 10_000
    run, times = script.train_jointly(own, FABRIC, bank, modes, begun)
    assert 0 < times['steps_III'] < 10_000 and run.state.minutes >= 0.0


@pytest.mark.assets
@pytest.mark.usefixtures('narrow')
def test_the_joint_training_lowers_the_error(tmp_path: Path, modes: ShapeModes) -> None:
    """Photos whose colours are the first coefficients: better than the mean face."""
    own = settings(tmp_path, max_steps=40, warmup_steps=5)
    bank = drawn_bank(16, 2)
    begun = script.pretrain(own, FABRIC, bank, modes)
    run, _ = script.train_jointly(own, FABRIC, bank, modes, begun)
    metrics = validate(run.average.network, bank, modes)
    assert metrics['rmse'] < metrics['mean_face_rmse']
    assert mean_codes(begun.codes, bank).shape == (16, 157)


@pytest.mark.assets
@pytest.mark.parametrize('measured', [1, 0])
def test_normalisation_goes_on_measuring_or_stays(tmp_path: Path, modes: ShapeModes,
                                                  measured: int) -> None:
    own = settings(tmp_path, joint_statistics=measured, initial='face_shape', max_steps=2)
    bank = drawn_bank()
    begun = script.pretrain(own, FABRIC, bank, modes)
    before = begun.network.encoder.narrow[1]
    run, _ = script.train_jointly(own, FABRIC, bank, modes, begun)
    after = run.model.module.network.encoder.narrow[1]
    assert torch.equal(before.running_mean, after.running_mean) == (not measured)
    assert not torch.equal(before.weight, after.weight)


@pytest.mark.assets
def test_another_runs_encoder_is_begun_with(tmp_path: Path, modes: ShapeModes) -> None:
    bank, triangles = drawn_bank(), len(modes.mesh.triangles)
    torch.manual_seed(4)
    other = build_face_shape(FaceShapeConfig(VERTICES, triangles, identity=157, residual=0))
    torch.save({'average': other.state_dict()}, tmp_path / 'other.pt')
    begun = script.pretrain(settings(tmp_path, initial=str(tmp_path / 'other.pt')), FABRIC, bank,
                            modes)
    assert begun.steps == 0 and begun.codes.shape == (32, 157)
    torch.testing.assert_close(begun.network.encoder.stages.state_dict(),
                               other.encoder.stages.state_dict())
    assert begun.network.encoder.codes.weight.any()
    for content, message in (({'a': torch.zeros(1)}, 'no checkpoint of train_face_shape'),
                             ({'encoder.narrow.0.weight': torch.zeros(1)}, 'another network')):
        torch.save({'average': content}, tmp_path / 'bad.pt')
        with pytest.raises(SettingsError, match=message):
            begin_with(begun.network.encoder, str(tmp_path / 'bad.pt'), bank)
    with pytest.raises(SettingsError, match='no checkpoint at'):
        begin_with(begun.network.encoder, str(tmp_path / 'none.pt'), bank)
    with pytest.raises(ModelSpecError, match='no model named'):
        begin_with(begun.network.encoder, 'nobody', bank)


@pytest.mark.assets
def test_the_shipped_encoder_is_gone_on_from(tmp_path: Path, modes: ShapeModes) -> None:
    """With depth inputs or without; the weights are those of the file, made larger by channels."""
    bank = drawn_bank()
    begun = [script.pretrain(settings(tmp_path, initial='face_shape'), FABRIC, photos, modes)
             for photos in (bank, without_depth(bank))]
    for one in begun:
        assert one.steps == 0
        shipped = folded(build_face_shape(one.network.config).encoder)
        load_in_order(shipped, find_model('face_shape'))
        was, now = shipped.stages[0][0].weight, one.network.encoder.stages[0][0].weight
        ratio = (now / was).flatten(1)
        torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), atol=0.0, rtol=1e-3)
    torch.testing.assert_close(begun[0].codes, begun[1].codes)


@pytest.mark.assets
def test_a_bank_alone_is_enough(tmp_path: Path, assets_folder,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    save_part(part_path(tmp_path / 'bank', 0), drawn_bank())
    taken: list[int] = []

    class Builder:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def build(self, people: Any, *_: Any) -> IdentityBank:
            taken.append(len(people))
            return drawn_bank(seed=2)

    monkeypatch.setattr(script, 'BankBuilder', Builder)
    own = settings(tmp_path, assets=str(assets_folder), bank=str(tmp_path / 'bank'),
                   validation_people=3, people=0)
    bank, _ = script.render_banks(own, FABRIC)
    assert taken == [3] and bank.people == 8 and bank.measured.shape == (len(bank), 0)
    both, _ = script.render_banks(replace(own, people=5), FABRIC)
    assert taken == [3, 3, 5] and both.people == 16 and len(both) == 2 * len(bank)


def test_half_a_cosine_after_the_warm_up(tmp_path: Path) -> None:
    own = settings(tmp_path, max_steps=100, warmup_steps=10)
    shares = [script.slowed(own, script.TrainingState(step), 1e9) for step in (0, 10, 50, 100)]
    assert shares == pytest.approx([0.1, 0.976, 0.505, 0.01], abs=2e-3)
    late = script.TrainingState(step=50, minutes=3.0)
    assert script.slowed(own, late, 3.0) == pytest.approx(0.01)


def test_rank_1_takes_the_first_photo_of_each_person_as_the_gallery() -> None:
    codes = torch.eye(3)[[0, 1, 2, 0, 1, 1]]
    person = torch.tensor([4, 7, 9, 4, 7, 9])
    assert rank_1(codes, person) == pytest.approx(100.0 * 2 / 3)
    assert rank_1(codes[:3], person[:3]) == 0.0


@pytest.mark.parametrize(('changes', 'message'), [
    ({'phase_minutes': '1,2'}, "phase_minutes is '1,2', expected three numbers"),
    ({'phase_minutes': '1,x,2'}, 'phase_minutes is'),
    ({'phase_minutes': '1,0,2'}, 'phase_minutes is'),
    ({'phase_minutes': '1,nan,2'}, 'phase_minutes is'),
    ({'disentangle': 2}, 'disentangle is 2, expected 0 or 1'),
    ({'compare': -1}, 'compare is -1, expected 0 or 1'),
    ({'people': 0}, 'people is 0, expected > 0'),
    ({'people': -1, 'bank': 'somewhere'}, 'people is -1, expected >= 0'),
    ({'lambda_r': 0.0}, 'lambda_r is 0.0, expected > 0'),
    ({'identity_weight': -1.0}, 'identity_weight is -1.0, expected >= 0'),
])
def test_settings_that_contradict_are_refused(tmp_path: Path, changes: dict[str, Any],
                                              message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(tmp_path, **changes)


def test_the_run_is_not_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('sys.argv', ['train_face_shape', '--resume'])
    with pytest.raises(SettingsError, match='start without it'):
        script.main()

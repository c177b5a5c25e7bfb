# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A recogniser made cheaper: what is pruned and learned, what stays, last layers carried over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import re
from typing import Any

from drawn_identity_bank import drawn_bank, drawn_bank_with_surfaces
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.predictors.face_embedder import FaceEmbedder
from face_depth_ros.training import compress_face_recognizer as script
from face_depth_ros.training import export_compressed_recognizer as export
from face_depth_ros.training.face_readings import FaceReadings, open_student, student_config
from face_depth_ros.training.identity_bank import IdentityBank
from face_depth_ros.training.last_layers import Affine, LastLayers, layers_of
from face_depth_ros.training.render_identity_bank import save_part
from face_depth_ros.training.run import open_fabric
from face_depth_ros.training.solve_last_layers import person_means
import numpy as np
import pytest
import torch

RANKS = '12,20,24'


def widths(branch: str) -> list[int]:
    """Return the inner channels of the shipped student's blocks."""
    student = getattr(open_student(find_model('face_recognizer')), branch)
    return [block.first.out_channels for stage in student.stages for block in stage]


def settings(tmp_path: Path, branch: str, **changes: Any) -> script.Settings:
    """Return settings that take half of the first block."""
    kept = widths(branch)
    kept[0] //= 2
    values = {'run': str(tmp_path / branch), 'branch': branch, 'batch': 6, 'pruned_by': 12,
              'inner': ','.join(map(str, kept)), 'max_steps': 12, 'warmup_steps': 2,
              'steps_per_epoch': 6, 'ema_decay': 0.1, 'learning_rate': 1e-4, **changes}
    return script.Settings(**values)


def compressed(chosen: script.Settings, bank: IdentityBank) -> dict[str, Any]:
    """Compress a branch, return its checkpoint."""
    metrics = script.compress(chosen, open_fabric(chosen), bank)
    content: dict[str, Any] = torch.load(Path(chosen.run) / 'last.pt', weights_only=True)
    assert content['metrics'] == metrics
    return content


def test_all_problems_of_settings_are_said_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        script.Settings(branch='smell', inner='4,none', pruned_by=0, batch=0, measured=2.0,
                        ranks='8,-1', shared=-0.1, vectors=2.0)
    for problem in ("branch is 'smell', expected one of color, depth", 'pruned_by is 0',
                    'batch is 0', 'measured is 2.0, expected 0 to 1',
                    "inner is '4,none', expected numbers above zero",
                    "ranks is '8,-1', expected nothing, or numbers above zero",
                    'shared is -0.1, expected 0 to 1', 'vectors is 2.0, expected 0 to 1'):
        assert problem in str(error.value)


def test_the_default_and_the_commands_suit_the_shipped_file() -> None:
    shown = re.findall(r'--branch (\w+)\s+--inner ([\d,]+)', str(script.__doc__))
    assert [branch for branch, _ in shown] == list(script.BRANCHES)
    for branch, inner in (*shown, (script.Settings().branch, script.Settings().inner)):
        kept, known = [int(number) for number in inner.split(',')], widths(branch)
        assert len(kept) == len(known)
        assert all(k <= w for k, w in zip(kept, known, strict=True)) and kept != known


def test_blocks_that_the_branch_has_not_are_refused(tmp_path: Path) -> None:
    for inner in ('8,8', ','.join(['999', *map(str, widths('color')[1:])])):
        chosen = settings(tmp_path, 'color', inner=inner)
        with pytest.raises(SettingsError, match='which can keep at most'):
            script.compress(chosen, open_fabric(chosen), drawn_bank(30, 2))
    for ranks in ('8,8', '8,8,999'):
        chosen = settings(tmp_path, 'color', ranks=ranks)
        with pytest.raises(SettingsError, match='the branch has 3 steps down'):
            script.compress(chosen, open_fabric(chosen), drawn_bank(30, 2))


def test_a_branch_learns_what_it_told_before(tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """The mask branch, the attention and the other branch stay."""
    # Of drawn photos, a dozen steps learn nothing through variations.
    monkeypatch.setattr(script, 'erased', lambda mask, generator: mask)
    monkeypatch.setattr(script, '_SHIFT_PX', 0)
    bank = drawn_bank(50, 2)
    narrow = ','.join(str(max(width // 4, 4)) for width in widths('depth'))
    chosen = settings(tmp_path, 'depth', inner=narrow, learning_rate=3e-5)
    first = compressed(replace(chosen, max_steps=1, learning_rate=1e-9), bank)
    content = compressed(chosen, bank)
    assert content['metrics']['outputs'] < first['metrics']['outputs']
    assert content['state']['samples'] == 72
    before = open_student(find_model('face_recognizer')).state_dict()
    after = {name.removeprefix('network.'): v for name, v in content['average'].items()}
    assert all(torch.equal(after[name], before[name]) for name in before
               if not name.startswith('depth.'))
    block = 'depth.stages.0.0.first.weight'
    kept = max(len(before[block]) // 4, 4)
    assert len(after[block]) == kept == content['config']['inner_depth'][0]
    fabric = open_fabric(chosen)
    script.compress(replace(chosen, max_steps=14), fabric, bank, resume=True)
    resumed = torch.load(Path(chosen.run) / 'last.pt', weights_only=True)
    assert resumed['state']['step'] == 14


def test_a_share_of_what_is_taught_is_the_mean_over_a_persons_photos() -> None:
    values, person = np.array([[1.0, 0.0], [5.0, 2.0], [3.0, 4.0], [7.0, 7.0]]), [4, 9, 4, 2]
    means = person_means(values, np.array(person))(np.array(person))
    assert means.tolist() == [[2.0, 2.0], [5.0, 2.0], [2.0, 2.0], [7.0, 7.0]]
    network, bank = open_student(find_model('face_recognizer')), drawn_bank(4, 2)
    branch = script.Branch(network, 'color')
    layers = network.color.linear.weight.T.detach()
    own, half, shared = (script.teach(branch, bank, layers, share).vectors[:, 0]
                         for share in (0.0, 0.5, 1.0))
    ids = bank.person.numpy()
    means = torch.from_numpy(person_means(own.numpy(), ids)(ids)).float()
    torch.testing.assert_close(shared, means)
    torch.testing.assert_close(half, (own + shared) / 2.0)
    assert float((own - shared).abs().max()) > 1e-3


def test_errors_of_vectors_count_as_much_as_is_said(tmp_path: Path) -> None:
    bank = drawn_bank(30, 2)
    found = []
    for count in (1.0, 0.0):
        chosen = settings(tmp_path, 'color', vectors=count, max_steps=12, learning_rate=1e-3)
        found.append(compressed(chosen, bank)['metrics'])
    assert found[1]['vectors'] > found[0]['vectors']


def test_rank_1_is_of_people_who_are_there_twice() -> None:
    axes = torch.eye(4)[[0, 0, 1, 2, 3]]
    assert script.rank_1(axes, torch.tensor([5, 5, 6, 6, 7])) == 50.0


@pytest.fixture(scope='module')
def contents(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp('compressed')
    return [compressed(settings(folder, branch, max_steps=1, ranks=RANKS), drawn_bank(30, 2))
            for branch in script.BRANCHES]


def test_branches_are_joined_and_open_again(tmp_path: Path,
                                            contents: list[dict[str, Any]]) -> None:
    bank = drawn_bank_with_surfaces(12, noise=0.05)
    save_part(tmp_path / 'bank' / 'part_00000.npz', bank)
    before = find_model('face_recognizer')
    spec = export.export(before, contents, tmp_path / 'out', tmp_path / 'bank',
                         tmp_path / 'readings', bank)
    half = [widths(branch)[0] // 2 for branch in script.BRANCHES]
    config = student_config(spec)
    assert [config.inner_color[0], config.inner_depth[0]] == half
    assert config.ranks_color == config.ranks_depth == (12, 20, 24)
    assert spec.trained['parameters'] < before.trained['parameters']
    assert spec.trained['command'].count('compress_face_recognizer') >= 2
    assert [o.shape for o in spec.outputs] == [o.shape for o in before.outputs]
    with_model = FaceEmbedder(str(spec.path))
    assert list(with_model.layout.parts) == ['color', 'depth', 'shape', 'joint']
    with_model.close()


def test_checkpoints_of_other_branches_are_refused(contents: list[dict[str, Any]]) -> None:
    spec = find_model('face_recognizer')
    with pytest.raises(SettingsError, match="got one of 'depth' for color"):
        export.joined(spec, contents[::-1])
    changed = {**contents[1], 'average': {name: value + name.endswith('attention.0.weigh.bias')
                                          for name, value in contents[1]['average'].items()}}
    with pytest.raises(SettingsError, match='depth was compressed beside another mask'):
        export.joined(spec, [contents[0], changed])


def test_a_spec_without_solved_layers_is_refused(tmp_path: Path) -> None:
    spec = find_model('face_recognizer')
    shape = tmp_path / 'shape.npz'
    np.savez(shape, mean=np.zeros((1, 3)))
    with pytest.raises(SettingsError, match='run solve_last_layers on it first'):
        layers_of(spec, shape)


def test_corrections_lead_back_to_what_was_told() -> None:
    """Branches that tell the same turned, and less: answers stay nearly as they were."""
    rng = np.random.default_rng(0)
    count, width, fits = 1200, 6, 5
    who = np.repeat(rng.standard_normal((count // 2, width)), 2, axis=0)
    said = [who + 0.1 * rng.standard_normal((count, width)) for _ in range(3)]
    fit = np.concatenate([np.ones((count, 1)), rng.standard_normal((count, fits))], axis=1)
    before = FaceReadings(said[0], said[1], said[2], fit, np.arange(count) % 7 > 0,
                          np.repeat(np.arange(count // 2), 2), np.zeros((count // 2, 2)))
    drawn = [rng.standard_normal(shape) for shape in (
        (width, 4), (2 * width, 5), (1 + fits, 5), (2 * width, 3))]
    drawn[2][1:] *= 0.1
    layers = LastLayers(np.eye(2, dtype=np.float32), Affine(drawn[0], np.zeros(4)), drawn[1],
                        drawn[2], Affine(drawn[3], np.zeros(3)))
    turn = np.linalg.qr(rng.standard_normal((width, width)))[0]
    after = replace(before, **{name: getattr(before, name) @ turn for name in (
        'color', 'measured', 'estimated')})
    found = export.corrected(layers, before, after, 1e-3)

    def told(which: LastLayers, readings: FaceReadings) -> np.ndarray:
        both = np.concatenate([readings.color, readings.measured], axis=1)
        return np.asarray(readings.fit @ which.reading + both @ which.evidence)

    wanted = told(layers, before)[before.fitted]
    assert np.corrcoef(told(layers, after)[before.fitted].ravel(), wanted.ravel())[0, 1] < 0.6
    assert np.corrcoef(told(found, after)[before.fitted].ravel(), wanted.ravel())[0, 1] > 0.97
    assert np.corrcoef(found.depth(after.measured).ravel(),
                       layers.depth(before.measured).ravel())[0, 1] > 0.97
    stiff = export.corrected(layers, before, after, 1e9)
    np.testing.assert_allclose(stiff.evidence, layers.evidence, atol=1e-3)

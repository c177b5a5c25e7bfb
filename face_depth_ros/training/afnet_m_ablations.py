# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train all rows of AFNet-M's Tables II and III and Figure 5 under one equal, reduced budget.

    python -m face_depth_ros.training.afnet_m_ablations --max-minutes 60 --threads 1
    python -m face_depth_ros.training.afnet_m_ablations --resume

First the two branches are trained alone, 3D and then 2D without mask attention, by the lessons of
training.afnet_lessons. Texture is the harder to learn from: it starts from the branch of depth and
gets twice its steps. Then each network, those two as well, starts from these branches and their
classifiers, with attention and importance weights drawn anew, and gets the same number of steps on
the same photos in the same order. How many the time allows is measured and kept in plan.json;
results.json has a line for each network as soon as it is trained. The budget is time on the clock.
With --resume, what is done is not done again, and the time counts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
import json
import logging
from pathlib import Path
import time
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.networks.afnet_m import ABLATIONS
from face_depth_ros.training import train_afnet_m
from face_depth_ros.training.afnet_data import AfnetData, read_afnet_data
from face_depth_ros.training.run import open_fabric, parse_settings, RunSettings, write_checkpoint
from lightning.fabric import Fabric
import torch

LOG = logging.getLogger('afnet_m_ablations')
BRANCHES = {'depth': ('afnet_m_3d_no_mask', 1), 'texture': ('afnet_m_2d_no_mask', 2)}
"""What a branch is trained as before all else, in this order, and its share of the steps."""
TABLES: dict[str, tuple[tuple[str, str, tuple[float, float] | None], ...]] = {
    'Table II, without MA': (
        ('S1, data', 'afnet_m_s1', (86.54, 85.08)), ('S2, decision', 'afnet_m_s2', (86.28, 84.36)),
        ('S3, feature', 'afnet_m_s3', (87.61, 85.54)),
        ('S4, convolution', 'afnet_m_s4', (88.12, 86.17)),
        ('ours, with IWC', 'afnet_m_no_mask_attention', (88.89, 87.11))),
    'Table III': (
        ('2D', 'afnet_m_2d_no_mask', (85.06, 82.69)), ('2D, MA', 'afnet_m_2d', (87.68, 85.42)),
        ('3D', 'afnet_m_3d_no_mask', (84.37, 80.58)), ('3D, MA', 'afnet_m_3d', (86.97, 82.06)),
        ('2D+3D', 'afnet_m_no_mask_attention', (88.89, 87.11)),
        ('2D+3D, MA', 'afnet_m', (90.08, 88.31))),
    'Figure 5, without MA': (
        ('layers 1234', 'afnet_m_layers_1234', None), ('layers 234', 'afnet_m_layers_234', None),
        ('layers 34', 'afnet_m_no_mask_attention', None), ('layer 4', 'afnet_m_layers_4', None)),
    'beyond the paper': (
        ('MA without IWC', 'afnet_m_no_importance_weights', None),
        ('MA, equation 1 as printed', 'afnet_m_equation_1', None))}
"""Row, network, and the paper's accuracies on BU-3DFE and Bosphorus where it tells them."""
_FIRST_STEPS = 6
_TWO_BRANCHES, _VALIDATION_SHARE = 2.25, 0.1
_SLIM = ('average', 'state', 'settings', 'config', 'commit', 'metrics')


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    Budget of the whole.

    :param max_minutes: on the clock
    :param configs: of ABLATIONS, in the order in which they are trained, with commas between;
        '' = all rows of TABLES, AFNet-M first
    :param limit: of the bank's photos, 0 = all
    :param branch_share: of the time, for the branches alone
    :param branch_steps, steps: of the branch of depth and of a network; 0 = as many as the time
        allows
    :param branch_rate, learning_rate: highest rates of both
    """

    run: str = 'runs/afnet_m_ablations'
    bank: str = 'runs/expression_bank'
    validation: str = 'runs/expression_validation'
    configs: str = ''
    max_minutes: float = 60.0
    limit: int = 0
    size: int = 112
    batch: int = 32
    branch_share: float = 0.4
    branch_steps: int = 0
    steps_per_epoch: int = 200
    steps: int = 0
    branch_rate: float = 1e-3
    learning_rate: float = 3e-4
    warmup_steps: int = 10
    ema_decay: float = 0.95

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems()
        found += self.below(('branch_steps', 'steps', 'limit'), zero_allowed=True)
        found += self.below(('branch_rate', 'batch', 'size'), zero_allowed=False)
        if not 0 < self.branch_share < 1:
            found.append(f'branch_share is {self.branch_share}, expected 0 < branch_share < 1')
        if set(self.chosen()) - set(ABLATIONS):
            found.append(f'configs is {self.configs!r}, expected some of {", ".join(ABLATIONS)}')
        return found

    def chosen(self) -> tuple[str, ...]:
        """Return the networks in their order."""
        if self.configs:
            return tuple(self.configs.split(','))
        rows = [name for table in TABLES.values() for _, name, _ in table]
        return tuple(dict.fromkeys(('afnet_m', *rows)))


def main() -> None:
    """Train the branches, then all networks; print the tables."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    data = read_afnet_data(Path(settings.bank), settings.size, settings.limit or None)
    validation = read_afnet_data(Path(settings.validation), settings.size)
    LOG.info('%d photos, %d to validate on', len(data), len(validation))
    results = train_all(settings, fabric, data, validation, resume=resume)
    LOG.info('%s', tables_text(results, len(validation)))


def train_all(settings: Settings, fabric: Fabric, data: AfnetData, validation: AfnetData, *,
              resume: bool = False) -> dict[str, dict[str, Any]]:
    """
    Train what is not trained yet, as far as the time goes.

    :returns: by network's name what results.json has of it
    :raises SettingsError: the folder has results, but they are not to be gone on from
    """
    began, folder = time.monotonic(), Path(settings.run)
    plan, results = (_read(folder / name) for name in ('plan.json', 'results.json'))
    if plan and not resume:
        raise SettingsError(f'{folder} holds results; go on with --resume or name another --run')

    def left() -> float:
        return 60.0 * settings.max_minutes - (time.monotonic() - began)

    if 'branch_steps' not in plan:
        seconds = seconds_of_a_step(settings, fabric, data)
        plan['branch_steps'] = settings.branch_steps or max(
            1, int(settings.branch_share * left() / (seconds * sum(
                share for _, share in BRANCHES.values()))))
        _write(folder / 'plan.json', plan)
    since, done = time.monotonic(), 0
    for modality, (name, share) in BRANCHES.items():
        done += _branch(settings, fabric, data, validation, modality, name,
                        share * plan['branch_steps'])
    if 'steps' not in plan:
        seconds = ((time.monotonic() - since) / done if done
                   else seconds_of_a_step(settings, fabric, data))
        plan['steps'] = settings.steps or max(1, int(
            (1.0 - _VALIDATION_SHARE) * left() / (seconds * cost(settings.chosen()))))
        _write(folder / 'plan.json', plan)
    LOG.info('plan: %s', json.dumps(plan))
    for name in settings.chosen():
        if name in results:
            continue
        if left() <= 0:
            LOG.warning('the time is over; --resume goes on with %s', name)
            break
        results[name] = _network(settings, fabric, data, validation, name, plan['steps'])
        _write(folder / 'results.json', results)
    return results


def cost(names: tuple[str, ...]) -> float:
    """Return what a step of all the networks costs, in steps of a branch alone."""
    return sum(1.0 if c.modality != '2D+3D' or c.fusion == 'data' else _TWO_BRANCHES
               for c in (ABLATIONS[name] for name in names))


def seconds_of_a_step(settings: Settings, fabric: Fabric, data: AfnetData) -> float:
    """Measure a step of a branch alone, on the clock, with a network that is thrown away."""
    own = _settings(settings, BRANCHES['texture'][0], 'timing', _FIRST_STEPS, settings.branch_rate)
    began = time.monotonic()
    train_afnet_m.train(own, fabric, data, None)
    (Path(own.run) / 'last.pt').unlink()
    Path(own.run).rmdir()
    return (time.monotonic() - began) / _FIRST_STEPS


def _branch(settings: Settings, fabric: Fabric, data: AfnetData, validation: AfnetData,
            modality: str, name: str, steps: int) -> int:
    """Train a branch alone unless that is done; return how many steps were made."""
    own = _settings(settings, name, f'branch_{modality}', steps, settings.branch_rate)
    own = replace(own, steps_per_epoch=min(steps, settings.steps_per_epoch), lessons=1)
    if modality == 'texture':
        own = replace(own, initial_texture=str(Path(settings.run) / 'branch_depth' / 'last.pt'))
    path = Path(own.run) / 'last.pt'
    before = 0
    if path.exists():
        before = int(torch.load(path, weights_only=True)['state']['step'])
    if before < steps:
        train_afnet_m.train(own, fabric, data, validation, resume=before > 0)
    return steps - before


def _network(settings: Settings, fabric: Fabric, data: AfnetData, validation: AfnetData,
             name: str, steps: int) -> dict[str, Any]:
    """Train one network from the branches; keep what an export needs."""
    folder = Path(settings.run)
    own = replace(
        _settings(settings, name, name, steps, settings.learning_rate),
        initial_texture=str(folder / 'branch_texture' / 'last.pt'),
        initial_depth=str(folder / 'branch_depth' / 'last.pt'))
    run = train_afnet_m.train(own, fabric, data, validation)
    path = Path(own.run) / 'last.pt'
    content = torch.load(path, map_location='cpu', weights_only=True)
    write_checkpoint(path, {key: content[key] for key in _SLIM})
    return {**content['metrics'], 'steps': run.state.step, 'samples': run.state.samples,
            'minutes': round(run.state.minutes, 2)}


def _settings(settings: Settings, config: str, folder: str, steps: int,
              rate: float) -> train_afnet_m.Settings:
    return train_afnet_m.Settings(
        run=str(Path(settings.run) / folder), config=config, schedule='reduced',
        bank=settings.bank, validation=settings.validation, size=settings.size,
        batch=settings.batch, max_steps=steps, steps_per_epoch=steps, epochs=1_000_000,
        learning_rate=rate, warmup_steps=settings.warmup_steps, ema_decay=settings.ema_decay,
        seed=settings.seed, threads=settings.threads)


def tables_text(results: Mapping[str, Mapping[str, Any]], validated: int) -> str:
    """
    Return the tables, Markdown.

    :param validated: how many photos the accuracies are of
    """
    lines = [f"Accuracy in percent on {validated} photos of people not trained on; the paper's "
             'are of other data.']
    for title, rows in TABLES.items():
        lines += ['', f'{title}', '', '| Row | strong, from ahead | all levels and poses | paper: '
                  'BU-3DFE | paper: Bosphorus |', '|---|---|---|---|---|']
        for row, name, paper in rows:
            found = results.get(name)
            own = ['not trained'] * 2 if found is None else [
                f'{found["six"]:.1f}', f'{found["all"]:.1f}']
            theirs = ['-'] * 2 if paper is None else [f'{value:.2f}' for value in paper]
            lines.append('| ' + ' | '.join([row, *own, *theirs]) + ' |')
    return '\n'.join(lines)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    return content


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    partial.write_text(json.dumps(content, indent=1), encoding='utf-8')
    partial.replace(path)


__all__ = ['main', 'Settings', 'tables_text', 'train_all']

if __name__ == '__main__':
    main()

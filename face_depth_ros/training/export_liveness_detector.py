# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn a checkpoint of the liveness detector into liveness_detector.{onnx,yaml}.

    python -m face_depth_ros.training.export_liveness_detector \
        runs/liveness_detector/last.pt models

Batch normalisation is folded, weights are stored as float16. On people of the validation split
the log-odds are made true (a scale and an offset, attacks and living faces counting the same), and
become part of the network; then the thresholds are chosen, single frames alone: of living faces,
1 % are not called live, and 0.3 % are called an attack.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
import logging
from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.liveness_input import (
    PLANES,
    POINT_VALUES,
    RELIEF_LIMIT,
    SCALARS,
    SIZE,
)
from face_depth_ros.core.liveness_metrics import MAIN_BPCER, threshold_at_bpcer
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.liveness_detector import LivenessDetector, LivenessDetectorConfig
from face_depth_ros.synthesis.liveness_attacks import SPECIES
from face_depth_ros.training.autocast import precision_words
from face_depth_ros.training.export import (
    export_onnx,
    OPSET,
    store_half,
    write_checked_spec,
    write_spec,
)
from face_depth_ros.training.folding import folded
from face_depth_ros.training.liveness_bank import LivenessBank, read_liveness_bank
from face_depth_ros.training.run import training_command
from face_depth_ros.training.train_liveness_detector import (
    answers,
    LEAST_MEASURED,
    Settings,
    validate,
)
import numpy as np
import torch
from torch import nn
from torch.nn import functional

NAME = 'liveness_detector'
OUTPUTS = ('log_odds', 'species')
SPOOF_BPCER = 0.003
_PATHS = ('bank', 'validation', 'initial')


@dataclass(frozen=True)
class Calibration:
    """
    What the validation split tells.

    :param scale, offset: log-odds are scale * logit + offset
    :param live_threshold, spoof_threshold: probabilities
    :param most_pad_error: share of failing landmarks that no more than 0.3 % of the living
        faces seen from ahead have
    :param faces: living faces that tell it; attacks: the same
    """

    scale: float
    offset: float
    live_threshold: float
    spoof_threshold: float
    most_pad_error: float
    faces: int
    attacks: int


class ExportedLivenessDetector(nn.Module):
    """The network with its calibration."""

    def __init__(self, network: nn.Module, calibration: Calibration) -> None:
        super().__init__()
        self.network = network
        self.scale, self.offset = calibration.scale, calibration.offset

    def forward(self, planes: torch.Tensor, points: torch.Tensor, scalars: torch.Tensor,
                ) -> tuple[torch.Tensor, torch.Tensor]:
        """Tell log-odds of living (B, 1) and probabilities of the species (B, K)."""
        live, species = self.network(planes, points, scalars)
        return self.scale * live + self.offset, species.softmax(dim=1)


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--validation', type=Path, default=Path(Settings.validation))
    parser.add_argument('--hardware', default=f'CPU, {platform.machine()}, {precision_words()}',
                        help='that the checkpoint was trained on, and in which precision')
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    spec = export_checkpoint(options.checkpoint, options.folder,
                             read_liveness_bank(options.validation), options.hardware)
    logging.info('%s %s parity %s', spec.onnx, spec.sha256[:12], spec.parity['max_abs'])


def export_checkpoint(checkpoint: Path, folder: Path, bank: LivenessBank,
                      hardware: str = '') -> ModelSpec:
    """Write the ONNX file and the spec; calibration and parity are measured and written in."""
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    network = LivenessDetector(LivenessDetectorConfig(**content['config']))
    network.load_state_dict(content['average'])
    calibration = calibrate(network, bank)
    module = ExportedLivenessDetector(folded(network), calibration).eval()
    example = fixed_inputs()
    path = folder / f'{NAME}.onnx'
    export_onnx(module, example, path, OUTPUTS)
    content['metrics'] = validate(network, bank, torch.device('cpu'))
    mapping = spec_mapping(content, store_half(path),
                           sum(p.numel() for p in module.parameters()), hardware)
    mapping['limits'] |= limits_of(calibration)
    spec = write_checked_spec(
        folder / f'{NAME}.yaml', mapping, module, example,
        'of log-odds and probabilities, torch float32 against the CPU engine with the weights '
        'rounded to float16')
    return write_spec(folder / f'{NAME}.yaml', {**mapping, 'parity': spec.parity})


def calibrate(network: nn.Module, bank: LivenessBank) -> Calibration:
    """
    Make log-odds true and choose the thresholds, on what is measured well enough.

    :raises SettingsError: too few living faces to tell 1 %, or no attacks
    """
    bank = bank.take(bank.measured_share >= LEAST_MEASURED)
    logits = answers(network, bank, torch.device('cpu'))[0].double()
    live = bank.species == 0
    if int(live.sum()) < round(1.0 / MAIN_BPCER) or not bool((~live).any()):
        raise SettingsError(f'the validation has {int(live.sum())} living faces and '
                            f'{int((~live).sum())} attacks that are measured, expected at least '
                            f'{round(1.0 / MAIN_BPCER)} and 1; render more of it')
    scale, offset = fit_log_odds(logits, live)
    odds = (scale * logits + offset)[live].numpy()
    accepting = threshold_at_bpcer(odds, MAIN_BPCER)
    refusing = np.quantile(odds, SPOOF_BPCER, method='lower')
    thresholds = [1.0 / (1.0 + np.exp(-x)) for x in (accepting or 0.0, refusing)]
    errors = bank.pad_error[live & bank.pad_error.isfinite()].numpy()
    most = np.quantile(errors, 1.0 - SPOOF_BPCER, method='higher') if errors.size else 1.0
    return Calibration(scale, offset, round(float(thresholds[0]), 4),
                       round(float(min(thresholds)), 4),
                       round(float(most), 4),
                       int(live.sum()), int((~live).sum()))


def fit_log_odds(logits: torch.Tensor, live: torch.Tensor) -> tuple[float, float]:
    """
    Fit scale and offset that make what is true most likely, both classes weighing the same.

    :param logits: (N,) float64; live: (N,) bool
    """
    weight = torch.where(live, 0.5 / live.sum(), 0.5 / (~live).sum())
    values = torch.tensor([0.0, 0.0], dtype=torch.float64, requires_grad=True)  # log scale, offset
    optimizer = torch.optim.LBFGS([values], max_iter=100, line_search_fn='strong_wolfe')

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        odds = values[0].exp() * logits + values[1]
        # Kept from running away where both can be told apart without any error.
        total = functional.binary_cross_entropy_with_logits(
            odds, live.double(), weight, reduction='sum') + 1e-3 * values.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    found = values.detach()
    return round(float(found[0].exp()), 4), round(float(found[1]), 4)


def limits_of(calibration: Calibration) -> dict[str, Any]:
    """Return what of a calibration is written into the spec."""
    c = calibration
    return {
        'live_threshold': c.live_threshold, 'spoof_threshold': c.spoof_threshold,
        'least_measured': LEAST_MEASURED, 'most_pad_error': c.most_pad_error,
        'calibration': {'scale': c.scale, 'offset': c.offset, 'faces': c.faces,
                        'attacks': c.attacks}}


def fixed_inputs() -> dict[str, torch.Tensor]:
    """Return three fixed looks: a dome with a nose, a sheet, and noise."""
    axis = torch.linspace(-1.0, 1.0, SIZE)
    x, y = axis[None, :].expand(SIZE, SIZE), axis[:, None].expand(SIZE, SIZE)
    radius = (y / 0.9) ** 2 + (x / 0.7) ** 2
    face = (radius < 1.0).float()
    dome = 1.0 - 2.0 * radius + 0.8 * torch.exp(-40.0 * (x ** 2 + (y - 0.1) ** 2))
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(4, SIZE, SIZE, generator=generator)
    known = (noise[1] < 0.8).float()
    planes = torch.stack([
        torch.stack([dome.clamp(-RELIEF_LIMIT, RELIEF_LIMIT) * face, face, face, face]),
        torch.stack([0.3 * x * face, face, 0.0 * face, face]),
        torch.stack([(6.0 * noise[0] - 3.0) * known, known, (noise[2] < 0.5) * known,
                     (noise[3] < 0.9).float()])])
    points = torch.rand(3, 68, len(POINT_VALUES), generator=generator) * 2.0 - 1.0
    points[..., 3] = (points[..., 3] > -0.8).float()
    return {'planes': planes, 'points': points,
            'scalars': torch.tensor([[0.0, -0.5, 0.0], [-0.4, -0.2, 0.3], [0.3, 0.4, -0.6]])}


def spec_mapping(content: dict[str, Any], digest: str, parameters: int,
                 hardware: str) -> dict[str, Any]:
    """Return the spec of a checkpoint; calibration and parity come after."""
    state = content['state']
    settings = {key: value for key, value in content['settings'].items() if key not in _PATHS}
    return {
        'name': NAME, 'task': 'detection of attacks on face recognition by depth',
        'source': 'own network, networks/liveness_detector.py',
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) alone',
        'onnx': f'{NAME}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [
            {'name': 'planes', 'dtype': 'float32', 'layout': 'NCHW',
             'shape': [-1, len(PLANES), SIZE, SIZE], 'unit': '3 cm, and 1',
             'range': [-RELIEF_LIMIT, RELIEF_LIMIT],
             'meaning': ', '.join(PLANES) + ' as core/liveness_input.py makes them of enhanced '
                        'depth'},
            {'name': 'points', 'dtype': 'float32', 'layout': 'NPC',
             'shape': [-1, 68, len(POINT_VALUES)], 'unit': '5 cm, and 1', 'range': None,
             'meaning': ', '.join(POINT_VALUES) + ' of the 68 landmarks in space'},
            {'name': 'scalars', 'dtype': 'float32', 'layout': 'NC', 'shape': [-1, len(SCALARS)],
             'unit': 'logarithm', 'range': None,
             'meaning': ', '.join(SCALARS)}],
        'outputs': [
            {'name': 'log_odds', 'dtype': 'float32', 'shape': [-1, 1], 'layout': 'NC',
             'unit': '1', 'range': None,
             'meaning': 'logarithm of the odds that the face lives, where both are as likely'},
            {'name': 'species', 'dtype': 'float32', 'shape': [-1, len(SPECIES)], 'layout': 'NC',
             'unit': '1', 'range': [0.0, 1.0], 'meaning': ', '.join(SPECIES)}],
        'normalisation': {'planes': 'core/liveness_input.py'},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': training_command('train_liveness_detector', settings, Settings()),
            'commit': content['commit'], 'seed': settings['seed'],
            'data': 'rendered people of the train split and attacks with their faces, measured '
                    'by simulated cameras (synthesis/liveness_samples.py), through the shipped '
                    'depth enhancer',
            'hardware': f'{hardware}; models/TRAINING.md',
            'minutes': round(state['minutes'], 1), 'samples': state['samples'],
            'parameters': parameters},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'unit': 'percent of each kind of attack that is accepted, frame by frame, '
                            'where 1 % of the living faces are not (APCER at BPCER 1 %); '
                            'threshold: logit of the network; see models/TRAINING.md'},
        'limits': {
            'input': 'enhanced depth of one face of at least 40 pixels, 0.3 to 2 m away, within '
                     '45 degrees of frontal, with landmarks and intrinsics',
            'solids': 'a solid head of natural size and shape, as a mannequin or a whole mask of '
                      'a face, is called live: depth cannot tell it from a person',
            'covered': 'a living face half of which is covered, as by a medical mask, looks like '
                       'a half mask and is not called live',
            'people': 'trained on rendered people and simulated cameras alone; nobody has '
                      'measured it on real attacks'},
    }


if __name__ == '__main__':
    main()

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Cross-validate AFNet-M on BU-3DFE or Bosphorus by the papers' protocol.

    python -m face_depth_ros.training.cross_validate_expression --data bu_3dfe --root DIR
    python -m face_depth_ros.training.cross_validate_expression --data bosphorus --root DIR \
        --repeats 1 --folds 10 --config afnet_m_2d --initial-texture runs/branch/last.pt

60 fixed subjects, 10 folds in which no subject is trained on and tested, 100 times (see
datasets.expression_protocol, which also tells where the surface is processed); other options as of
train_afnet_m. Each fold's confusion matrix is written to the run's folder as soon as it is there,
and what is there is not trained again. At the end stand the mean accuracy of the repetitions and
the mean of their confusion matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
import json
import logging
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.expression_metrics import confusion_matrix
from face_depth_ros.datasets.expression_protocol import (
    BASIC,
    FOLDS,
    folds,
    open_models,
    OPENERS,
    protocol_recordings,
    ProtocolFaces,
    REPEATS,
    SUBJECTS,
)
from face_depth_ros.training import train_afnet_m
from face_depth_ros.training.afnet_data import afnet_data_from, AfnetData
from face_depth_ros.training.run import open_fabric, parse_settings
from lightning.fabric import Fabric
import numpy as np
import torch

LOG = logging.getLogger('cross_validate_expression')


@dataclass(frozen=True)
class Settings(train_afnet_m.Settings):
    """
    Settings of each training, and of the protocol.

    :param data: of datasets.expression_protocol.OPENERS
    :param root: folder of the dataset
    :param subjects, folds, repeats: of the protocol
    :param surface: 'enhanced' = processed by the depth enhancer, 'scanned' = as it is
    """

    run: str = 'runs/cross_validation'
    data: str = 'bu_3dfe'
    root: str = ''
    subjects: int = SUBJECTS
    folds: int = FOLDS
    repeats: int = REPEATS
    surface: str = 'enhanced'

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        return (super().problems() + self.unlike('data', tuple(OPENERS))
                + self.unlike('surface', ('enhanced', 'scanned'))
                + self.below(('subjects', 'folds', 'repeats'), zero_allowed=False))


def main() -> None:
    """Read the faces, train and test all folds, print the means."""
    settings, _ = parse_settings(Settings, __doc__)
    settings = replace(settings, **vars(train_afnet_m.scheduled(settings)))
    fabric = open_fabric(settings)
    data, subjects = read_faces(settings)
    results = cross_validate(settings, fabric, data, subjects)
    LOG.info('%s', summary_text(results, settings))


def read_faces(settings: Settings) -> tuple[AfnetData, list[str]]:
    """
    Read the protocol's faces.

    :returns: the images, and whose each is
    :raises DatasetError: the dataset's folder is not there or incomplete
    """
    dataset = OPENERS[settings.data](Path(settings.root))
    shown = protocol_recordings(dataset.recordings, settings.subjects)
    faces = ProtocolFaces(*open_models(enhance=settings.surface == 'enhanced'), settings.size)
    found = list(faces.planes(dataset, shown))
    for name, why in faces.left_out.items():
        LOG.warning('%s is left out: %s', name, why)
    if not found:
        raise DatasetError(f'none of {len(shown)} faces of {settings.data} can be cropped')
    items = [item for item, _ in found]
    data = afnet_data_from([planes for _, planes in found],
                           torch.tensor([item.label for item in items]),
                           torch.tensor([item.level for item in items]))
    return data, [item.recording.subject for item in items]


def cross_validate(settings: Settings, fabric: Fabric, data: AfnetData,
                   subjects: list[str]) -> dict[str, list[list[int]]]:
    """
    Train and test each fold that is not done yet.

    :returns: 'repeat/fold' -> its confusion matrix, a row for each true expression
    """
    path = Path(settings.run) / f'{settings.data}_{settings.config}.json'
    results: dict[str, list[list[int]]] = (json.loads(path.read_text(encoding='utf-8'))
                                           if path.exists() else {})
    for repeat in range(settings.repeats):
        for index, tested in enumerate(folds(subjects, repeat, settings.folds)):
            key = f'{repeat}/{index}'
            if key in results:
                continue
            is_test = torch.tensor([s in tested for s in subjects])
            own = replace(settings, seed=settings.seed + 1000 * repeat + index)
            run = train_afnet_m.train(own, fabric, data.take((~is_test).nonzero()[:, 0]), None,
                                      keep=False)
            test = data.take(is_test.nonzero()[:, 0])
            said = train_afnet_m.answers(run.average, test, fabric.device).argmax(1)
            results[key] = confusion_matrix(test.label.numpy(), said.numpy(),
                                            len(BASIC)).tolist()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(results), encoding='utf-8')
            LOG.info('repetition %d, fold %d: %s', repeat, index, _right(results[key]))
    return results


def summary(results: Mapping[str, Any], settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """
    Average the repetitions.

    :returns: accuracy of each repetition, (R,) percent; the mean confusion matrix, (6, 6) percent
        of each true expression
    """
    accuracies, matrices = [], []
    for repeat in range(settings.repeats):
        counts = np.sum([results[f'{repeat}/{i}'] for i in range(settings.folds)], axis=0)
        accuracies.append(100.0 * np.trace(counts) / counts.sum())
        matrices.append(100.0 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    return np.array(accuracies), np.mean(matrices, axis=0)


def summary_text(results: Mapping[str, Any], settings: Settings) -> str:
    """Return the means, Markdown."""
    accuracies, matrix = summary(results, settings)
    lines = [f'{settings.config} on {settings.data}: {accuracies.mean():.2f} % right, deviation '
             f'of {len(accuracies)} repetitions {accuracies.std():.2f}', '',
             '| True | ' + ' | '.join(BASIC) + ' |', '|---' * (len(BASIC) + 1) + '|']
    return '\n'.join(lines + ['| ' + ' | '.join([name, *(f'{v:.1f}' for v in row)]) + ' |'
                              for name, row in zip(BASIC, matrix, strict=True)])


def _right(counts: list[list[int]]) -> str:
    matrix = np.array(counts)
    return f'{np.trace(matrix)} of {matrix.sum()} right'


if __name__ == '__main__':
    main()

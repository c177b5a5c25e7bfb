# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Measure the package by its protocols.

    evaluate enhancement|latency|transport --out DIR [--quick]

Each writes DIR/<protocol>.json and its section of DIR/report.html; several protocols share a DIR.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
import importlib
import importlib.util
import logging
from pathlib import Path
import sys
from typing import Any

import face_depth_ros
from face_depth_ros.core.errors import FaceDepthError, SettingsError
from face_depth_ros.core.model_spec import PRECISIONS
from face_depth_ros.evaluation.bag_pairs import bag_frames, published_rows
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.depth_pairs import DepthPair, stored_pairs
from face_depth_ros.evaluation.enhancement_protocol import OURS, score_methods
from face_depth_ros.evaluation.enhancement_report import enhancement_blocks
from face_depth_ros.evaluation.evaluation_result import Evaluation, Table, text_table
from face_depth_ros.evaluation.latency_protocol import (
    DETECTOR_HEIGHT,
    DETECTOR_WIDTH,
    evaluate_latency,
)
from face_depth_ros.evaluation.origin import command_line
from face_depth_ros.evaluation.overlay import resized
from face_depth_ros.evaluation.reference_depth import ReferenceScore
from face_depth_ros.evaluation.replay_settings import BACKENDS
from face_depth_ros.evaluation.report import table
from face_depth_ros.evaluation.transport_protocol import evaluate_transport
import numpy as np
from tqdm import tqdm

SYNTHETIC = 'synthetic'
_MM = 250.0
_QUICK_RUNS, _RUNS = 10, 200
_QUICK_FRAMES, _FRAMES = 30, 300


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format='%(levelname)s %(message)s')
    options = _parser().parse_args(arguments)
    try:
        result = options.run(options)
        path = result.write(options.out, command_line('evaluate', arguments))
    except FaceDepthError as error:
        sys.stderr.write(f'evaluate: {error}\n')
        return 1
    for item in result.tables.values():
        sys.stdout.write(f'\n{item.title} ({item.dataset}; {item.unit})\n'
                         f'{text_table(item.rows)}\n')
    sys.stdout.write(f'\n{path} and {options.out / "report.html"}\n')
    return 0


def enhancement(options: argparse.Namespace) -> Evaluation:
    """Compare no enhancement, the filters and the network on pairs or on a bag."""
    if options.quick:
        return _on_pairs(stored_pairs(fixture(), options.pairs), 'rendered fixture', options)
    if options.data == SYNTHETIC:
        count = options.pairs or 2000
        pairs = _synthesis().rendered_pairs(count, options.assets)
        return _on_pairs(tqdm(pairs, total=count, unit='pair'),
                         f'{count} rendered faces of the test split', options)
    return _on_bag(Path(options.data), options)


def latency(options: argparse.Namespace) -> Evaluation:
    """Time the networks."""
    pair = next(stored_pairs(fixture()))
    return evaluate_latency(_QUICK_RUNS if options.quick else options.runs, pair,
                            _color_image(), backend=options.backend)


def transport(options: argparse.Namespace) -> Evaluation:
    """Time the two ways of a hop."""
    return evaluate_transport(_QUICK_FRAMES if options.quick else options.frames)


def fixture() -> Path:
    """
    Return the rendered pairs that come with a checkout.

    :raises SettingsError: this is an installed package without its tests
    """
    path = _test_data() / 'enhancement_pairs.npz'
    if not path.is_file():
        raise SettingsError(f'{path} is missing: this needs a checkout of the source, in which it '
                            'is test data')
    return path


def _on_pairs(pairs: Iterator[DepthPair], dataset: str,
              options: argparse.Namespace) -> Evaluation:
    scores = score_methods(pairs, backend=options.backend, precision=options.precision)
    rows = scores.rows()
    title = 'Face depth enhancement'
    result = Evaluation(
        'enhancement',
        f'{dataset}, damaged as in the paper (holes, noise, blur). RMSE over the true face area, '
        'depth in [0, 1] (1 = 25 cm), holes count as 1. Ours is judged by the published output.',
        {'synthetic': Table(title, dataset, 'depth in [0, 1]; ms per face', rows)},
        details=_ratio(scores))
    result.blocks = enhancement_blocks(scores, rows, 'depth in [0, 1]')
    return result


def _on_bag(path: Path, options: argparse.Namespace) -> Evaluation:
    published: list[ReferenceScore] = []

    def pairs() -> Iterator[DepthPair]:
        frames = bag_frames(path, options.reference, _synthesis().damage,
                            backend=options.backend, precision=options.precision,
                            limit=options.pairs)
        for frame in tqdm(frames, unit='frame'):
            published.append(frame.score)
            yield frame.pair

    scores = score_methods(pairs(), backend=options.backend, precision=options.precision,
                           scale=_MM)
    rows, real = scores.rows(), published_rows(published)
    name = '/'.join(path.absolute().parts[-2:])
    with Bag(path) as bag:
        digest = bag.sha256()
    result = Evaluation(
        'enhancement',
        f'{len(published)} real frames of {name} with a face, against their reference depth where '
        "it holds. First with the holes, noise and blur of the paper added to the face's crop, "
        'then as they are, on measured pixels.',
        {'damaged': Table('Real frames with damage added', name, 'mm; ms per face', rows),
         'real': Table('Real frames as they are', name, 'mm', real)},
        details={**_ratio(scores), 'input_sha256': digest})
    result.blocks = [*enhancement_blocks(scores, rows, 'mm'),
                     '<h3>The frames as they are</h3>', table(real, '', 'published')]
    return result


def _ratio(scores: Any) -> dict[str, Any]:
    return {'best_filter': scores.best_filter(), 'ratio_to_best_filter': scores.ratio(),
            'pairs': len(scores.methods[OURS].rmse)}


def _synthesis() -> Any:
    """Return the module of rendered pairs, which needs the packages of training."""
    missing = [p for p in ('torch', 'numba') if importlib.util.find_spec(p) is None]
    if missing:
        raise SettingsError(
            f'synthetic pairs and damage need {" and ".join(missing)}, which the run time does '
            'not have; install requirements/ for development (`make test` does), or use --quick')
    return importlib.import_module('face_depth_ros.evaluation.synthetic_pairs')


def _color_image() -> np.ndarray:
    """Return a frame of the sample bag at the detector's benchmark size."""
    path = _test_data() / 'sample_bag'
    with Bag(path) as bag:
        frame = next(bag.frames(bag.camera_topics(), 1)).decode()
    if frame.color is None:
        raise SettingsError(f'{path} has no colour')
    return resized(frame.color, DETECTOR_WIDTH, DETECTOR_HEIGHT)


def _test_data() -> Path:
    return Path(face_depth_ros.__file__).resolve().parents[1] / 'test' / 'data'


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument('--out', required=True, type=Path, metavar='DIR')
    shared.add_argument('--quick', action='store_true',
                        help='the shipped models on the fixture of the checkout, in seconds')
    shared.add_argument('--backend', choices=BACKENDS, default='auto')
    parser = argparse.ArgumentParser(prog='evaluate', description='Measure by a protocol.')
    commands = parser.add_subparsers(required=True, metavar='PROTOCOL')
    command = commands.add_parser('enhancement', parents=[shared], help=enhancement.__doc__)
    command.add_argument('--pairs', type=int, metavar='N',
                         help='pairs to render (default 2000), or frames of the bag (all)')
    command.add_argument('--data', default=SYNTHETIC, metavar='synthetic|BAG')
    command.add_argument('--reference', type=Path, metavar='FILE.npz',
                         help='true depth of the bag; default: ../reference beside it')
    command.add_argument('--assets', default='', metavar='DIR',
                         help='head assets; default: FACE_DEPTH_ASSETS or the known places')
    command.add_argument('--precision', choices=('auto', *PRECISIONS), default='auto')
    command.set_defaults(run=enhancement)
    command = commands.add_parser('latency', parents=[shared], help=latency.__doc__)
    command.add_argument('--runs', type=int, default=_RUNS, metavar='N')
    command.set_defaults(run=latency)
    command = commands.add_parser('transport', parents=[shared], help=transport.__doc__)
    command.add_argument('--frames', type=int, default=_FRAMES, metavar='N')
    command.set_defaults(run=transport)
    return parser


if __name__ == '__main__':
    raise SystemExit(main())

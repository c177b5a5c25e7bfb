# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Measure the package by its protocols.

    evaluate enhancement|roughness|falsification|landmarks|panels|estimation|identity|
        expression|liveness|latency|transport --out DIR [--quick]

Each writes DIR/<protocol>.json and its section of DIR/report.html; several protocols share a DIR.
`enhancement` makes all tables on enhancers, the next four one of them each; `estimation` those on
depth, masks and landmarks estimated from colour; `identity` those on people told apart,
`expression` those on what faces say, `liveness` those on attacks told from living faces.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
import logging
from pathlib import Path
import sys

from face_depth_ros.core.errors import FaceDepthError, SettingsError
from face_depth_ros.core.model_spec import PRECISIONS
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.command_types import count, counts
from face_depth_ros.evaluation.depth_pairs import stored_pairs
from face_depth_ros.evaluation.enhancement_commands import (
    enhancement,
    face_command,
    PAIRS,
    row_names,
    SYNTHETIC,
)
from face_depth_ros.evaluation.enhancer_rows import ROWS
from face_depth_ros.evaluation.estimation_commands import add_estimation_options, estimation
from face_depth_ros.evaluation.evaluation_result import Evaluation, text_table
from face_depth_ros.evaluation.expression_commands import add_expression_options, expression
from face_depth_ros.evaluation.face_tables import FACE_PROTOCOLS
from face_depth_ros.evaluation.identity_commands import add_identity_options, identity
from face_depth_ros.evaluation.interruption import INTERRUPTED, signals_interrupt
from face_depth_ros.evaluation.latency_protocol import (
    DETECTOR_HEIGHT,
    DETECTOR_WIDTH,
    evaluate_latency,
)
from face_depth_ros.evaluation.liveness_commands import add_liveness_options, liveness
from face_depth_ros.evaluation.load_protocol import evaluate_load
from face_depth_ros.evaluation.origin import command_line
from face_depth_ros.evaluation.output_folder import check_writable
from face_depth_ros.evaluation.overlay import resized
from face_depth_ros.evaluation.replay_settings import BACKENDS
from face_depth_ros.evaluation.transport_protocol import evaluate_transport
import numpy as np

_QUICK_RUNS, _RUNS = 10, 200
_QUICK_FRAMES, _FRAMES = 30, 300
_QUICK_LOAD, _LOAD = ((5,), 4), ((5, 10, 15, 30), 20)
"""Rates in Hz, and for how many seconds each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format='%(levelname)s %(message)s')
    options = _parser().parse_args(arguments)
    try:
        check_writable(options.out)
        # Each is written as it comes: a later one that fails does not take hours along.
        with signals_interrupt():
            for result in options.run(options):
                path = result.write(options.out, command_line('evaluate', arguments))
    except FaceDepthError as error:
        sys.stderr.write(f'evaluate: {error}\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f'evaluate: interrupted; {options.out} holds what was done by then\n')
        return INTERRUPTED
    # The last one of several holds the tables of all.
    for item in result.tables.values():
        _show(f'\n{item.title} ({item.dataset}; {item.unit})\n{text_table(item.rows)}\n')
    for row, reason in result.details.get('absent', {}).items():
        _show(f'\n{row} is empty: {reason}')
    for remark in result.remarks:
        _show(f'\n{remark}')
    _show(f'\n{path} and {options.out / "report.html"}\n')
    return 0


def _show(text: str) -> None:
    """Print text; what the terminal's encoding lacks, as an escape."""
    encoding = sys.stdout.encoding or 'utf-8'
    sys.stdout.write(text.encode(encoding, 'backslashreplace').decode(encoding))


def latency(options: argparse.Namespace) -> Iterator[Evaluation]:
    """Time the networks."""
    pair = next(stored_pairs(checkout_data('enhancement_pairs.npz')))
    yield evaluate_latency(_QUICK_RUNS if options.quick else options.runs, pair, _color_image(),
                           backend=options.backend)


def transport(options: argparse.Namespace) -> Iterator[Evaluation]:
    """Time the two ways of a hop."""
    yield evaluate_transport(_QUICK_FRAMES if options.quick else options.frames)


def load(options: argparse.Namespace) -> Iterator[Evaluation]:
    """Count what all nodes together do of a camera's frames on this machine."""
    rates, seconds = _QUICK_LOAD if options.quick else (options.rates, options.seconds)
    yield evaluate_load(rates, seconds, backend=options.backend, max_rate=options.max_rate,
                        bag=options.bag)


def _color_image() -> np.ndarray:
    """Return a frame of the sample bag at the detector's benchmark size."""
    path = checkout_data('sample_bag')
    with Bag(path) as bag:
        frame = next(bag.frames(bag.camera_topics(), 1)).decode()
    if frame.color is None:
        raise SettingsError(f'{path} has no colour')
    return resized(frame.color, DETECTOR_WIDTH, DETECTOR_HEIGHT)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument('--out', required=True, type=Path, metavar='DIR')
    shared.add_argument('--quick', action='store_true',
                        help='the shipped models on the fixture of the checkout, in seconds')
    shared.add_argument('--backend', choices=BACKENDS, default='auto')
    parser = argparse.ArgumentParser(prog='evaluate', description='Measure by a protocol.')
    commands = parser.add_subparsers(required=True, metavar='PROTOCOL')
    enhancers = _enhancer_options()
    command = commands.add_parser('enhancement', parents=[shared, enhancers],
                                  help=enhancement.__doc__)
    command.add_argument('--pairs', type=count(1), metavar='N',
                         help=f'pairs to render (default {PAIRS}), or frames of the bag (all)')
    command.set_defaults(run=enhancement)
    for protocol in FACE_PROTOCOLS:
        command = commands.add_parser(protocol, parents=[shared, enhancers],
                                      help=f'the part {protocol} of enhancement alone')
        command.set_defaults(run=face_command(protocol))
    add_estimation_options(commands.add_parser('estimation', parents=[shared],
                                               help=estimation.__doc__))
    add_identity_options(commands.add_parser('identity', parents=[shared],
                                             help=identity.__doc__))
    add_expression_options(commands.add_parser('expression', parents=[shared],
                                               help=expression.__doc__))
    add_liveness_options(commands.add_parser('liveness', parents=[shared],
                                             help=liveness.__doc__))
    command = commands.add_parser('latency', parents=[shared], help=latency.__doc__)
    command.add_argument('--runs', type=count(1), default=_RUNS, metavar='N')
    command.set_defaults(run=latency)
    command = commands.add_parser('transport', parents=[shared], help=transport.__doc__)
    command.add_argument('--frames', type=count(1), default=_FRAMES, metavar='N')
    command.set_defaults(run=transport)
    command = commands.add_parser('load', parents=[shared], help=load.__doc__)
    command.add_argument('--rates', type=counts, default=_LOAD[0], metavar='HZ,HZ')
    command.add_argument('--seconds', type=count(1), default=_LOAD[1], metavar='S',
                         help=f'at each rate (default {_LOAD[1]})')
    command.add_argument('--max-rate', type=count(0), default=0, metavar='HZ',
                         help='of face_detector (default 0: no limit)')
    command.add_argument('--bag', type=Path, metavar='BAG',
                         help='a recording of another camera (default: the sample bag)')
    command.set_defaults(run=load)
    return parser


def _enhancer_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument('--data', default=SYNTHETIC, metavar='synthetic|BAG')
    options.add_argument('--faces', action='append', metavar='synthetic|BAG|DIR',
                         help='faces for roughness, falsification, landmarks and panels: '
                              'rendered, of a bag, or of a folder in the layout of KinectFaceDB; '
                              'may be given several times; default: as --data')
    options.add_argument('--samples', type=count(1), metavar='N',
                         help='people to render, or faces of each recording (default all)')
    options.add_argument('--rows', type=row_names, default=ROWS, metavar='A,B,C',
                         help='compare these enhancers alone')
    options.add_argument('--reference', type=Path, metavar='FILE.npz',
                         help='true depth of the bag; default: ../reference beside it')
    options.add_argument('--assets', default='', metavar='DIR',
                         help='head assets; default: FACE_DEPTH_ASSETS or the known places')
    options.add_argument('--precision', choices=('auto', *PRECISIONS), default='auto')
    return options


if __name__ == '__main__':
    raise SystemExit(main())

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Build the engines of models ahead of their first use: `build_engines [MODEL...]`.

With TensorRT the plans are kept for the nodes; with OpenVINO there is nothing to keep, and the
command shows that the models compile and in which precision they run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import logging
import sys
import time

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.model_spec import find_model, known_models
from face_depth_ros.engines.engine import BACKENDS
from face_depth_ros.engines.engine_factory import open_engine

_COLUMNS = ('model', 'backend', 'precision', 'device', 'plan', 'seconds')


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: None = those of the process
    :returns: exit status: 0, or 1 if any model failed
    """
    args = _parse(arguments)
    logging.basicConfig(level=logging.INFO if args.verbose else logging.WARNING,
                        format='%(levelname)s %(message)s')
    names = args.models or known_models()
    if not names:
        sys.stderr.write('no models found; give the path of a spec or set FACE_DEPTH_MODELS\n')
        return 1
    rows, failures = [], []
    for name in names:
        try:
            rows.append(_build(name, args))
        except FaceDepthError as error:
            failures.append(f'{name}: {error}')
    if rows:
        sys.stdout.write(_table(rows))
    for failure in failures:
        sys.stderr.write(f'error: {failure}\n')
    return 1 if failures else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser('build_engines', description=__doc__.split('\n\n')[0])
    parser.add_argument('models', nargs='*', metavar='MODEL',
                        help='names or paths of model specs; default: all that are found')
    parser.add_argument('--backend', default='tensorrt', choices=('auto', *BACKENDS))
    parser.add_argument('--precision', default='auto',
                        choices=('auto', 'fp32', 'fp16', 'bf16', 'int8'))
    parser.add_argument('--batch', type=int, metavar='N',
                        help="largest batch of one run; default: the nodes'")
    parser.add_argument('--verbose', action='store_true', help='say what is being done')
    return parser.parse_args(arguments)


def _build(name: str, args: argparse.Namespace) -> tuple[str, ...]:
    start = time.monotonic()
    with open_engine(find_model(name), args.backend, args.precision,
                     max_batch=args.batch) as engine:
        return (engine.name, engine.backend, engine.precision, engine.device, engine.origin,
                f'{time.monotonic() - start:.1f}')


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = [_COLUMNS, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_COLUMNS))]
    return ''.join('  '.join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() + '\n'
                   for line in lines)


if __name__ == '__main__':
    sys.exit(main())

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What the commands of `evaluate` take on the command line: rows, data, counts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from face_depth_ros.core.model_spec import PRECISIONS
from face_depth_ros.evaluation.identity_rows import is_path

SYNTHETIC = 'synthetic'


def row_names(rows: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """
    Return the type of --rows.

    :param rows: that there are; paths of specs are rows too
    """
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(',') if name.strip())
        unknown = [name for name in names if name not in rows and not is_path(name)]
        if unknown or not names:
            raise argparse.ArgumentTypeError(
                f'{", ".join(unknown) or "nothing"} is no row, expected some of '
                f'{", ".join(rows)}, or the path of a ModelSpec (name.yaml)')
        return names
    return parse


def data_source(datasets: Collection[str]) -> Callable[[str], str | tuple[str, Path]]:
    """Return the type of --data: `SYNTHETIC`, or a dataset and its folder."""
    def parse(text: str) -> str | tuple[str, Path]:
        name, colon, root = text.partition(':')
        if text == SYNTHETIC:
            return SYNTHETIC
        if name not in datasets or not colon or not root:
            raise argparse.ArgumentTypeError(
                f'{text!r} is no data, expected synthetic or NAME:ROOT with a name of '
                f'{", ".join(datasets)}')
        return name, Path(root)
    return parse


def count(least: int) -> Callable[[str], int]:
    """Return the type of a number of at least so much."""
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f'{text} is no number of at least {least}')
        return int(text)
    return parse


def add_people_options(command: argparse.ArgumentParser, rows: Sequence[str],
                       datasets: Collection[str], bank: Path) -> None:
    """Declare the options of the protocols on rendered people or on a dataset of people."""
    command.add_argument('--data', type=data_source(datasets), default=SYNTHETIC,
                         metavar='synthetic|NAME:ROOT',
                         help='rendered people (the default), or a dataset and its folder: '
                              f'{", ".join(datasets)}')
    command.add_argument('--bank', type=Path, default=bank, metavar='DIR',
                         help='rendered people; what is missing is rendered into it')
    command.add_argument('--rows', type=row_names(rows), default=rows, metavar='A,B,C',
                         help=f'compare these alone, of {", ".join(rows)}, or paths of specs of '
                              'networks that you bring')
    command.add_argument('--assets', default='', metavar='DIR',
                         help='head assets; default: FACE_DEPTH_ASSETS or the known places')
    command.add_argument('--precision', choices=('auto', *PRECISIONS), default='auto')


def counts(text: str) -> tuple[int, ...]:
    """Read numbers of at least 1, with commas between."""
    return tuple(count(1)(part.strip()) for part in text.split(','))

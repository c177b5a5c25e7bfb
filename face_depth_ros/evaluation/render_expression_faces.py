# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the people on whom expressions are measured: neither they nor their skins were trained on.

As in BU-3DFE each person shows each of the six basic expressions at four levels, and nothing, from
the front (to 15 degrees of yaw). Further photos differ from these by one thing each: mouths that
speak, pose (15 to 45 degrees), something held before the face, and uneven light with a poor
camera; in them expressions are at levels 3 and 4.

    python -m face_depth_ros.evaluation.render_expression_faces --people 100
    python -m face_depth_ros.evaluation.render_expression_faces --fixture FILE.npz --people 6

The first fills runs/expression_faces (`evaluate expression` does so by itself), the second writes
a file with a few people of the validation split, for `evaluate expression --quick`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
import logging
from pathlib import Path

from face_depth_ros.core.expression_labels import NEUTRAL
from face_depth_ros.evaluation.expression_faces import (
    CONDITIONS,
    MOST_LEVEL,
    PHOTO_PX,
    record_type,
    save_faces,
    write_part,
)
from face_depth_ros.evaluation.photo_store import part_path
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.expressive_photos import ExpressivePhotographer, SESSIONS
from face_depth_ros.synthesis.identity_photos import People
import numpy as np
import torch

LOG = logging.getLogger(__name__)
PEOPLE_OF_PART = 10
_SPLIT = 'test'
_FIRST_SEED = 8_000_000
_BATCH = 25
_STRONG = (3, 4)
_POSED = SESSIONS['posed']
SITTINGS = {**SESSIONS, 'light': replace(_POSED, moments=replace(
    _POSED.moments, style=replace(_POSED.moments.style, degraded=1.0, shadows=1.0)))}


def main(arguments: list[str] | None = None) -> None:
    """Render from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bank', type=Path, default=Path('runs/expression_faces'))
    parser.add_argument('--people', type=int, default=100)
    parser.add_argument('--assets', default='')
    parser.add_argument('--fixture', type=Path, help='write this file instead')
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    if options.fixture is None:
        fill_bank(options.bank, options.people, options.assets)
        return
    photos = render_part(options.assets, 0, 'validation')
    save_faces(options.fixture, a_few(photos[photos['person'] < options.people]))


def plan(condition: str, person: int) -> list[tuple[int, int]]:
    """
    Return what a person shows in a condition: labels and levels.

    Where an expression is shown once, it is at level 3 or 4, which changes from one to the next.
    """
    basic = range(NEUTRAL)
    if condition == 'posed':
        return [(label, level) for label in basic for level in range(1, MOST_LEVEL + 1)] + [
            (NEUTRAL, 0)] * 2
    if condition == 'pose':
        return [(label, level) for label in basic for level in _STRONG] + [(NEUTRAL, 0)]
    shown = [(label, _STRONG[(person + label) % 2]) for label in basic]
    return shown + [(NEUTRAL, 0)] * (2 if condition == 'speech' else 1)


def render_part(assets: str, number: int, split: str = _SPLIT) -> np.ndarray:
    """
    Render the photos of 10 people; the same number renders the same.

    :returns: records of `evaluation.expression_faces`
    """
    photographer = ExpressivePhotographer(find_assets(assets or None), 'cpu',
                                          _FIRST_SEED + number, backgrounds=40, size=PHOTO_PX,
                                          part=False)
    first = number * PEOPLE_OF_PART
    people = photographer.people(split, range(first, first + PEOPLE_OF_PART), mannequins=0.0)
    return np.concatenate([_records(photographer, people, name, first) for name in CONDITIONS])


def _records(photographer: ExpressivePhotographer, people: People, condition: str,
             first: int) -> np.ndarray:
    wanted = [(row, *shown) for row in range(PEOPLE_OF_PART)
              for shown in plan(condition, first + row)]
    records = np.zeros(len(wanted), record_type())
    for start in range(0, len(wanted), _BATCH):
        rows, labels, levels = zip(*wanted[start:start + _BATCH], strict=True)
        taken = photographer.take_shown(people, torch.tensor(rows), SITTINGS[condition],
                                        labels=labels, levels=[max(level, 1) for level in levels])
        part = records[start:start + _BATCH]
        part['color'] = taken.photos.color.permute(0, 2, 3, 1).numpy()
        part['relief'] = taken.photos.relief.numpy()
        part['person'] = taken.person.numpy() + first
        part['yaw'] = taken.yaw.numpy()
        for name in ('label', 'level', 'strength', 'action_units'):
            part[name] = getattr(taken.shown, name)
    records['condition'] = CONDITIONS.index(condition)
    return records


def a_few(photos: np.ndarray) -> np.ndarray:
    """Return of each person the strong posed expressions, and one photo of each other thing."""
    posed = photos['condition'] == CONDITIONS.index('posed')
    strong = np.flatnonzero(posed & (photos['level'] >= _STRONG[0]))
    chosen = [strong]
    for person in np.unique(photos['person']):
        own = photos['person'] == person
        neutral = own & (photos['label'] == NEUTRAL)
        speaking = photos['condition'] == CONDITIONS.index('speech')
        chosen += [np.flatnonzero(neutral & posed)[:1], np.flatnonzero(neutral & speaking)[:1]]
        for name in ('pose', 'occlusion'):
            of = np.flatnonzero(own & (photos['condition'] == CONDITIONS.index(name))
                                & (photos['label'] == person % NEUTRAL))
            chosen.append(of[-1:])
    return photos[np.sort(np.concatenate(chosen))]


def fill_bank(folder: Path, people: int, assets: str, split: str = _SPLIT) -> None:
    """
    Render what a folder lacks.

    :param folder: gets `part_00000.npy` and so on, 10 people each
    """
    for number in _missing(folder, people):
        records = render_part(assets, number, split)
        LOG.info('%s: %d photos', write_part(folder, number, records), len(records))


def _missing(folder: Path, people: int) -> Iterator[int]:
    for number in range(-(-people // PEOPLE_OF_PART)):
        if not part_path(folder, number).exists():
            yield number


if __name__ == '__main__':
    main()

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the people on whom face recognition is measured: none of them, nor their blends of skins,
were trained on.

The structure is that of Lock3DFace: one neutral, frontal photo of each person in the gallery;
probes that differ from it by one thing each, expression, pose (15 to 60 degrees of yaw) or
occlusion, all in the light of any place; and a second session, in which light, camera, hair,
glasses, expression and pose may all be others.

    python -m face_depth_ros.evaluation.render_identity_faces --people 500
    python -m face_depth_ros.evaluation.render_identity_faces --fixture FILE.npz --people 16

The first fills runs/identity_faces/test (`evaluate identity` does so by itself), the second writes
a file with a few people of the validation split, for `evaluate identity --quick`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import logging
from pathlib import Path

from face_depth_ros.evaluation.identity_faces import (
    CONDITIONS,
    record_type,
    save_faces,
    write_part,
)
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_photos import (
    IdentityPhotographer,
    People,
    PROBES_EACH,
    SESSIONS,
)
import numpy as np
import torch

LOG = logging.getLogger(__name__)
PEOPLE_OF_PART = 20
_SPLIT = 'test'
_FIRST_SEED = 7_000_000


def main(arguments: list[str] | None = None) -> None:
    """Render from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bank', type=Path, default=Path('runs/identity_faces/test'))
    parser.add_argument('--people', type=int, default=500)
    parser.add_argument('--assets', default='')
    parser.add_argument('--fixture', type=Path, help='write this file instead')
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    if options.fixture is None:
        fill_bank(options.bank, options.people, options.assets)
        return
    photos = render_part(options.assets, 0, 'validation')
    photos = photos[photos['person'] < options.people]
    first = np.unique(np.stack([photos['person'], photos['condition']]), axis=1,
                      return_index=True)[1]
    save_faces(options.fixture, photos[np.sort(first)])


def render_part(assets: str, number: int, split: str = _SPLIT) -> np.ndarray:
    """
    Render the photos of 20 people; the same number renders the same.

    :returns: records of `evaluation.identity_faces`, gallery first
    """
    return _render(IdentityPhotographer(find_assets(assets or None), 'cpu', _FIRST_SEED + number,
                                        backgrounds=40), number, split)


def _render(photographer: IdentityPhotographer, number: int, split: str) -> np.ndarray:
    first = number * PEOPLE_OF_PART
    numbers = range(first, first + PEOPLE_OF_PART)
    people = photographer.people(split, numbers, mannequins=0.0)
    rows = torch.arange(PEOPLE_OF_PART)
    parts = [_records(photographer, people, rows, name, first)
             for name in CONDITIONS for _ in range(1 if name == 'gallery' else PROBES_EACH)]
    return np.concatenate(parts)


def _records(photographer: IdentityPhotographer, people: People, rows: torch.Tensor,
             condition: str, first: int) -> np.ndarray:
    taken = photographer.take(people, rows, SESSIONS[condition])
    records = np.zeros(len(rows), record_type())
    records['color'] = taken.photos.color.permute(0, 2, 3, 1).numpy()
    records['relief'] = taken.photos.relief.numpy()
    records['mask'] = taken.photos.mask.numpy()
    records['person'] = rows.numpy() + first
    records['condition'] = CONDITIONS.index(condition)
    records['yaw'], records['pitch'] = taken.yaw.numpy(), taken.pitch.numpy()
    records['position'] = taken.position.numpy()
    records['camera'] = taken.pixel_of_slope.numpy()
    return records


def fill_bank(folder: Path, people: int, assets: str, split: str = _SPLIT) -> None:
    """
    Render what a folder lacks.

    :param folder: gets `part_00000.npy` and so on, 20 people each
    """
    for number in _missing(folder, people):
        records = render_part(assets, number, split)
        LOG.info('%s: %d photos', write_part(folder, number, records), len(records))


def _missing(folder: Path, people: int) -> Iterator[int]:
    for number in range(-(-people // PEOPLE_OF_PART)):
        if not (folder / f'part_{number:05d}.npy').exists():
            yield number


if __name__ == '__main__':
    main()

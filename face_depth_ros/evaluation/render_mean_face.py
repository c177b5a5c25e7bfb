# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The mean face of the training faces: what an estimator says that does not look at its image.

    python -m face_depth_ros.evaluation.render_mean_face test/data/mean_face.npz --faces 4096

Each pixel is face where more than half of the faces, and of the same faces mirrored, have it; its
class is the most frequent one of those, its relief and the landmarks are means.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from face_depth_ros.core.face_box import FaceBox, transform_points
from face_depth_ros.core.face_photo import CROP_PX, MASK_LABELS, MIRRORED_68
from face_depth_ros.synthesis import face_photo_bank
from face_depth_ros.synthesis.face_photo_bank import BOX_PX, FacePhotoBank
from face_depth_ros.synthesis.face_photos import warp_record
import numpy as np

TRAINING_BANK = Path('runs/face_photos/train')


def main(arguments: Sequence[str] | None = None) -> None:
    """Average from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', type=Path)
    parser.add_argument('--bank', type=Path, default=TRAINING_BANK, metavar='DIR')
    parser.add_argument('--faces', type=int, default=4096, metavar='N')
    options = parser.parse_args(arguments)
    bank = FacePhotoBank(options.bank)
    relief, mask, landmarks = mean_face(bank, min(options.faces, len(bank)))
    np.savez_compressed(options.file, relief=relief.astype(np.float16), mask=mask,
                        landmarks=landmarks)


def mean_face(bank: FacePhotoBank, faces: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Average the first faces of a bank.

    :returns: relief (256, 256) float32 metres, NaN outside the mean face; mask (256, 256) uint8;
        landmarks (68, 2) float32 pixels
    """
    middle = face_photo_bank.CROP_PX / 2
    box = FaceBox(middle, middle, BOX_PX)
    to_crop = box.crop_from_image(CROP_PX)
    votes = np.zeros((len(MASK_LABELS), CROP_PX, CROP_PX), np.int64)
    total = np.zeros((CROP_PX, CROP_PX))
    landmarks = np.zeros((len(MIRRORED_68), 2))
    for index in range(faces):
        record = bank.read(np.array([index]))[0]
        _, mask, relief = warp_record(record, box, CROP_PX)
        votes += np.arange(len(votes))[:, None, None] == mask
        total += np.where(mask > 0, relief, 0.0)
        landmarks += transform_points(to_crop, record['landmarks'])
    votes, total = votes + votes[..., ::-1], total + total[:, ::-1]
    mirrored = landmarks[list(MIRRORED_68)] * (-1.0, 1.0) + (CROP_PX * faces, 0.0)
    shown = votes[1:].sum(axis=0)
    face = shown > faces  # of 2 * faces
    relief = np.where(face, total / np.maximum(shown, 1), np.nan)
    mask = np.where(face, 1 + votes[1:].argmax(axis=0), 0)
    return (relief.astype(np.float32), mask.astype(np.uint8),
            ((landmarks + mirrored) / (2 * faces)).astype(np.float32))


if __name__ == '__main__':
    main()

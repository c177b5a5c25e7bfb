# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.synthesis.labels import FINE, FINE_LABELS, MASK_OF_FINE
import pytest

BACKGROUND, SKIN, BROWS, EYES, GLASSES, NOSE, MOUTH = range(7)
"""The published order."""


@pytest.mark.parametrize(('mask', 'names'), [
    (BACKGROUND, ('background', 'left_ear', 'right_ear', 'scalp', 'neck', 'hair', 'hidden',
                  'body', 'occluder')),
    (SKIN, ('skin',)), (BROWS, ('left_brow', 'right_brow')),
    (EYES, ('left_eye', 'right_eye', 'eyelash')), (GLASSES, ('glasses_frame', 'glasses_lens')),
    (NOSE, ('nose',)), (MOUTH, ('upper_lip', 'lower_lip', 'mouth_interior'))])
def test_mask_class_of_every_fine_label(mask, names):
    assert {name for name in FINE_LABELS if MASK_OF_FINE[FINE[name]] == mask} == set(names)

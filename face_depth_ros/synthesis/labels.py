# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Labels of rendered pixels: the seven published mask classes, and the fine ones behind them."""

from __future__ import annotations

from face_depth_ros.core.face_photo import MASK_LABELS
import numpy as np

HEAD_LABELS = ('skin', 'left_brow', 'right_brow', 'left_eye', 'right_eye', 'nose', 'upper_lip',
               'lower_lip', 'mouth_interior', 'left_ear', 'right_ear', 'scalp', 'neck', 'hair',
               'glasses_frame', 'glasses_lens', 'eyelash', 'hidden')
"""As the head model names its triangles, in its order."""
FINE_LABELS = ('background', *HEAD_LABELS, 'body', 'occluder')
FINE = {name: index for index, name in enumerate(FINE_LABELS)}
_MASK_OF = {'skin': 'skin', 'left_brow': 'brows', 'right_brow': 'brows', 'left_eye': 'eyes',
            'right_eye': 'eyes', 'eyelash': 'eyes', 'glasses_frame': 'glasses',
            'glasses_lens': 'glasses', 'nose': 'nose', 'upper_lip': 'mouth',
            'lower_lip': 'mouth', 'mouth_interior': 'mouth'}
MASK_OF_FINE = np.array([MASK_LABELS.index(_MASK_OF.get(name, 'background'))
                         for name in FINE_LABELS], np.uint8)
"""Indexed by a fine label, gives the mask class."""

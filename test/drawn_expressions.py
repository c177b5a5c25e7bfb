# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Drawn people who show something, for the small networks of expression_graph and estimator_models.

Anger is a red face, happiness a green one and surprise a blue one, as the network takes them; the
others are drawn like the expression that `SAID` names, so that it is known what is said of all.
"""

from __future__ import annotations

from face_depth_ros.core.expression_labels import EXPRESSIONS, NEUTRAL
from face_depth_ros.evaluation.expression_faces import CONDITIONS, PHOTO_PX, record_type
import numpy as np

SAID = {'anger': 'anger', 'disgust': 'anger', 'fear': 'surprise', 'happiness': 'happiness',
        'sadness': 'anger', 'surprise': 'surprise', 'neutral': 'happiness'}
"""What the small network says of a face."""
COLORS = {'anger': (250, 110, 140), 'happiness': (60, 250, 140), 'surprise': (60, 110, 250)}


def draw_expressions(people: int = 2, first: int = 0) -> np.ndarray:
    """Draw expressions at levels 1, 3 and 4, one neutral face, and all else once at level 4."""
    ys, xs = (np.mgrid[:PHOTO_PX, :PHOTO_PX] + 0.5) / PHOTO_PX - 0.5
    face = (xs / 0.35) ** 2 + (ys / 0.45) ** 2 < 1
    wanted = [(0, label, level) for label in range(NEUTRAL) for level in (1, 3, 4)]
    wanted += [(condition, label, 4) for condition in range(1, len(CONDITIONS))
               for label in range(NEUTRAL)]
    wanted += [(0, NEUTRAL, 0), (CONDITIONS.index('speech'), NEUTRAL, 0)]
    records = []
    for person in range(first, first + people):
        for condition, label, level in wanted:
            record = np.zeros((), record_type())
            record['color'] = np.where(
                face[..., None], COLORS[SAID[EXPRESSIONS[label]]], (0, 0, 140))
            record['relief'] = np.where(face, -0.05 - 0.02 * (1 - (xs / 0.35) ** 2), np.nan)
            record['person'], record['condition'] = person, condition
            record['label'], record['level'] = label, level
            record['strength'] = level / 4
            record['action_units'][0] = label / NEUTRAL
            record['yaw'] = 40.0 if CONDITIONS[condition] == 'pose' else -5.0
            records.append(record)
    return np.array(records, record_type())

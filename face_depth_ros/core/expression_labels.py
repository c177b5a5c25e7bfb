# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Names and orders of what a face can say: expressions, action units, valence and arousal."""

from __future__ import annotations

EXPRESSIONS = ('anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise', 'neutral')
"""In the order of the published labels; the first six are the basic ones."""
NEUTRAL = EXPRESSIONS.index('neutral')
HRI_EXPRESSIONS = ('angry', 'disgusted', 'scared', 'happy', 'sad', 'surprised', 'neutral')
"""The same in the words of hri_msgs/Expression."""
VALENCE_AROUSAL = ((-0.51, 0.59), (-0.60, 0.35), (-0.64, 0.60), (0.81, 0.51), (-0.63, -0.27),
                   (0.40, 0.67), (0.0, 0.0))
"""
Where a full expression lies, each -1 to 1: the ratings of Russell and Mehrabian, "Evidence for a
three-factor theory of emotions", 1977. A weaker one lies nearer to neutral in proportion.
"""
ACTION_UNITS = {
    'AU01': 'browInnerUp', 'AU02': 'browOuterUp', 'AU04': 'browDown', 'AU05': 'eyeWide',
    'AU06': 'cheekSquint', 'AU07': 'eyeSquint', 'AU09': 'noseSneer', 'AU10': 'mouthUpperUp',
    'AU12': 'mouthSmile', 'AU14': 'mouthDimple', 'AU15': 'mouthFrown', 'AU16': 'mouthLowerDown',
    'AU17': 'mouthShrugLower', 'AU20': 'mouthStretch', 'AU24': 'mouthPress', 'AU26': 'jawOpen',
    'AU45': 'eyeBlink'}
"""Action units in their order, and the blendshape (both sides) whose weight is their intensity."""

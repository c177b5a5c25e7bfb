# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What a face check by landmarks sees: landmarks without depth, and depth that fits no face.

Protocol: Schlett et al., "Deep Learning-based Single Image Face Depth Data Enhancement", section
IV.G and Table VII, on the images of which at least one landmark has no depth. Beyond the paper,
the same check on prints and other things held up in place of a face, with the landmarks of a face:
there its error must not fall, else the enhancement would help the attacker.
"""

from __future__ import annotations

from collections.abc import Sequence

from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M
from face_depth_ros.core.depth_guard import surface_shape
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.landmark_liveness import landmark_test
from face_depth_ros.core.metrics import Distribution
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.enhanced_faces import EnhancedFace
from face_depth_ros.evaluation.enhancer_rows import NONE, OURS
from face_depth_ros.evaluation.evaluation_result import Rows, Table
from face_depth_ros.evaluation.real_faces import ATTACK, MOUTH, PAPER
from face_depth_ros.evaluation.report import figure, paragraph, table
from face_depth_ros.evaluation.spread import mean_std_cells
import numpy as np

FEW_HOLES, HOLES_68, PAD_ERROR, ATTACKS = 'few_holes', 'holes_68', 'pad_error', 'attacks'
COVERED = (MOUTH, PAPER, 'eyes')
"""Variants whose 68 landmarks a detector gets wrong, as the paper found: not counted for them."""
_TITLES = {FEW_HOLES: 'Landmark holes, few landmarks', HOLES_68: 'Landmark holes, 68 landmarks',
           PAD_ERROR: 'Geometric landmark PAD error'}
_SHORT = {FEW_HOLES: 'holes, few', HOLES_68: 'holes, 68', PAD_ERROR: 'PAD error'}
_FACES_NOTE = (
    'Mean (sample standard deviation) over the images of which at least one landmark has no depth '
    'in the input; the 68 landmarks only where the face is not covered. A landmark fails the '
    'check when it has no depth, is nearer than the nose tip, or, on the jawline, nearer than its '
    'neighbour towards the chin.')
_ATTACKS_NOTE = (
    'Mean error by kind: here a high error is right, and one far below that of '
    f'{NONE} means that the enhancement helps the attacker. worst fall: the largest such '
    'difference of one image. relief gain: how much more the surface stands off from the smooth '
    'one that fits it best.')
_MM = 1e3


def landmark_depths(d: np.ndarray, points: np.ndarray) -> np.ndarray:
    """
    Read the depth under landmarks.

    :param d: (H, W), normalised depth, 1 where there is nothing
    :param points: pixels, (N, 2), corner-origin
    :returns: (N,); 1 also where a landmark lies outside the image or is not known (NaN)
    """
    if d.ndim != 2 or points.ndim != 2 or points.shape[1] != 2:
        raise InvalidImageError(f'expected an (H, W) image and (N, 2) points, got {d.shape} and '
                                f'{points.shape}')
    depths = np.ones(len(points))
    pixels = np.floor(np.nan_to_num(points, nan=-1.0)).astype(int)
    inside = ((pixels >= 0) & (pixels < (d.shape[1], d.shape[0]))).all(axis=1)
    depths[inside] = d[pixels[inside, 1], pixels[inside, 0]]
    return depths


def landmark_holes(d: np.ndarray, points: np.ndarray) -> float:
    """Return the share of landmarks without depth, 0 to 1; arguments as landmark_depths."""
    return float(np.mean(landmark_depths(d, points) >= 1.0))


def pad_error(d: np.ndarray, points: np.ndarray) -> float:
    """
    Share of the 68 landmarks whose depth fits no frontal face (section IV.G).

    A landmark is invalid when it has no depth; when it is nearer than the nose tip; or, on the
    jawline, when it is nearer than its neighbour on the way to the chin. A hole counts as the
    farthest depth in these comparisons, as in the paper's images.

    :param d: (H, W), normalised depth, 1 where there is nothing
    :param points: pixels, (68, 2), the usual order
    :returns: 0 to 1
    """
    return landmark_test(np.where(d < 1.0, d, np.nan), points).error


class LandmarkScores:
    """
    Table VII, and the same check on attacks, over any number of samples.

    :param rows: names of the rows, in their order
    """

    def __init__(self, rows: Sequence[str]) -> None:
        self._names = tuple(rows)
        self._values: dict[str, dict[str, list[float]]] = {
            key: {name: [] for name in rows} for key in _TITLES}
        self._open: dict[str, list[float]] = {name: [] for name in rows}
        self._attacks: dict[str, dict[str, list[tuple[float, float]]]] = {}

    def add(self, face: EnhancedFace) -> None:
        """Count one sample."""
        sample = face.sample
        if sample.is_attack:
            self._add_attack(face)
            return
        if sample.landmarks_few is not None and landmark_holes(face.d, sample.landmarks_few) > 0:
            self._note(FEW_HOLES, face, sample.landmarks_few)
        if sample.landmarks_68 is None or sample.variant in COVERED:
            return
        for name, output in face.outputs.items():
            self._open[name].append(pad_error(output.d, sample.landmarks_68))
        if landmark_holes(face.d, sample.landmarks_68) > 0:
            self._note(HOLES_68, face, sample.landmarks_68)
            self._note(PAD_ERROR, face, sample.landmarks_68)

    def tables(self, dataset: str) -> dict[str, Table]:
        """Return the tables by id, only those with samples."""
        tables = {key: Table(title, dataset, 'share of the landmarks', self.rows(key))
                  for key, title in _TITLES.items() if self.images(key)}
        if self._attacks:
            tables[ATTACKS] = Table(
                'The landmark check on what is no face', dataset,
                'error as a share of the landmarks; relief gained, mm', self.attack_rows())
        return tables

    def images(self, key: str) -> int:
        """Return how many images a table was made of."""
        return max(len(values) for values in self._values[key].values())

    def rows(self, key: str) -> Rows:
        """Return one of the paper's tables; a row whose enhancer is absent has empty cells."""
        rows: Rows = {}
        for name, values in self._values[key].items():
            shape = Distribution.of(values)
            rows[name] = {'mean': shape.mean, 'std': shape.std, 'min': min(values),
                          'max': max(values), 'images': len(values)} if values else dict.fromkeys(
                              ('mean', 'std', 'min', 'max', 'images'))
            if key == PAD_ERROR:
                every = self._open[name]
                rows[name]['all_images_mean'] = float(np.mean(every)) if every else None
        return rows

    def attack_rows(self) -> Rows:
        """
        Return the check on attacks: its mean error by kind, and the relief that each row adds.

        `worst_fall`: the largest fall of the error below that of the unenhanced input.
        """
        rows: Rows = {}
        for name in self._names:
            row = rows[name] = {}
            falls, gains = [], []
            for kind, by_row in self._attacks.items():
                values = by_row.get(name, [])
                row[kind] = float(np.mean([v[0] for v in values])) if values else None
                for (error, relief), (raw_error, raw_relief) in zip(
                        values, by_row.get(NONE, []), strict=False):
                    falls.append(raw_error - error)
                    gains.append(_MM * (relief - raw_relief))
            known = [g for g in gains if np.isfinite(g)]
            row['worst_fall'] = max(falls, default=None)
            row['mean_relief_gain_mm'] = float(np.mean(known)) if known else None
            row['worst_relief_gain_mm'] = max(known, default=None)
        return rows

    def blocks(self) -> list[str]:
        """Return the HTML: a plot of the error, the tables side by side, and the attacks."""
        blocks = []
        if self.images(PAD_ERROR):
            rows = {n: r for n, r in self.rows(PAD_ERROR).items() if r['images']}
            blocks.append(figure(plots.method_bars(
                {n: r['mean'] for n, r in rows.items()}, {n: r['std'] for n, r in rows.items()},
                'PAD error', OURS), 'Mean geometric PAD error of faces: lower is better.'))
        if any(map(self.images, _TITLES)):
            blocks += [table(self._side_by_side(), 'enhancer', OURS), paragraph(_FACES_NOTE,
                                                                              'note')]
        if self._attacks:
            blocks += ['<h3>The same check on what is no face</h3>',
                       table(self.attack_rows(), 'enhancer', OURS),
                       paragraph(_ATTACKS_NOTE, 'note')]
        return blocks or [paragraph('No sample had landmarks.', 'note')]

    def _side_by_side(self) -> Rows:
        """Return the paper's tables in one."""
        rows: Rows = {name: {} for name in self._names}
        for key in _TITLES:
            if not self.images(key):
                continue
            for name, row in self.rows(key).items():
                label = _SHORT[key]
                spread = {'x_mean': row['mean'], 'x_std': row['std']}
                rows[name] |= {label: mean_std_cells(spread, 'x'), f'{label}: min': row['min'],
                               f'{label}: max': row['max'], f'{label}: images': row['images']}
        return rows

    def _note(self, key: str, face: EnhancedFace, points: np.ndarray) -> None:
        measure = pad_error if key == PAD_ERROR else landmark_holes
        for name, output in face.outputs.items():
            self._values[key][name].append(measure(output.d, points))

    def _add_attack(self, face: EnhancedFace) -> None:
        points = face.sample.landmarks_68
        if points is None:
            return
        by_row = self._attacks.setdefault(face.sample.variant.removeprefix(ATTACK), {})
        for name, output in face.outputs.items():
            shape = surface_shape(face.slab.denormalise(output.d), FACE_DEPTH_RANGE_M)
            by_row.setdefault(name, []).append((pad_error(output.d, points), shape.relief))

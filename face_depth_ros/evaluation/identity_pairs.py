# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The protocols of pairs: LFW and YTF in folds, IJB-A in splits with templates of several images.

What is compared has a name (a photo, a video, a template) and one or more faces; its vector is
their mean. A pair of which a side has no face counts as of two people: it is not let in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.identity_calibration import JOINT, SHAPE
from face_depth_ros.core.identity_metrics import (
    area_under_curve,
    equal_error_rate,
    FALSE_ACCEPT_RATES,
    fold_accuracy,
    open_set_rate,
    pooled_templates,
    rank_one,
    Spread,
    true_accept_rate,
)
from face_depth_ros.datasets.photo_faces import FacePair
from face_depth_ros.evaluation.identity_protocol import Collected, HELD, variants
from face_depth_ros.evaluation.identity_rows import IdentityRows, NETWORK, row_name
from face_depth_ros.evaluation.identity_views import ESTIMATED
import numpy as np

_SILENT = -1.0
Line = dict[str, float | None]


@dataclass(frozen=True)
class Member:
    """
    A face of something that is compared.

    :param name: of what it belongs to
    :param media: members of one medium are averaged first
    :param face: its number among the collected ones, None if it was left out
    """

    name: str
    media: str
    face: int | None


@dataclass(frozen=True)
class Search:
    """A split of search: names in the gallery and of the probes, with their persons."""

    gallery: Mapping[str, str]
    probe: Mapping[str, str]


class Pooled:
    """
    The vectors of what is compared, for one row.

    :param vectors: of each modality, (N, D) of the collected faces
    :param members: the faces of each name
    :param weights: of the modalities; None = all the same
    """

    def __init__(self, vectors: Sequence[np.ndarray], members: Iterable[Member],
                 weights: Sequence[float] | None = None) -> None:
        self._weights = tuple(weights or [1.0] * len(vectors))
        self._parts: list[dict[str, np.ndarray]] = []
        members = tuple(members)
        for part in vectors:
            known = np.linalg.norm(part, axis=1) > HELD
            own = [m for m in members if m.face is not None and known[m.face]]
            if not own:
                self._parts.append({})
                continue
            names, pooled = pooled_templates(
                part[[m.face for m in own if m.face is not None]], [m.name for m in own],
                [m.media for m in own])
            self._parts.append(dict(zip(names.tolist(), pooled, strict=True)))

    def score(self, first: str, second: str) -> float:
        """
        Return the weighed mean of the cosines of the modalities that both have.

        :returns: -1 if there is none
        """
        found = [(weight, float(part[first] @ part[second]))
                 for part, weight in zip(self._parts, self._weights, strict=True)
                 if first in part and second in part]
        total = sum(weight for weight, _ in found)
        return sum(weight * cosine for weight, cosine in found) / total if found else _SILENT

    def table(self, first: Sequence[str], second: Sequence[str]) -> np.ndarray:
        """Return the scores of all pairs, (N, M)."""
        return np.array([[self.score(a, b) for b in second] for a in first])


def each_row(faces: Collected, rows: IdentityRows, members: Iterable[Member],
             line: Callable[[Pooled], Line]) -> dict[str, Line]:
    """Make the line of every row in which a network says anything."""
    members, result = tuple(members), {}
    for name, network in rows.methods.items():
        for variant, used in variants(network.modalities).items():
            found = [(v, network.weights.get(m, 1.0)) for m in told(faces, name, variant, used)
                     if (v := faces.of(name, ESTIMATED, m)) is not None]
            if found:
                result[row_name(name, variant)] = line(Pooled(
                    [vectors for vectors, _ in found], members, [weight for _, weight in found]))
    return result


def told(faces: Collected, network: str, variant: str, used: Sequence[str]) -> tuple[str, ...]:
    """
    Return the modalities in which a network says anything of the faces.

    :param variant: a key of `identity_rows.VARIANTS`
    :param used: modalities that it compares
    :returns: empty where they make no row, as in `identity_protocol.judge`
    """
    known = tuple(m for m in used if faces.of(network, ESTIMATED, m) is not None)
    without_shape = variant == NETWORK and faces.of(network, ESTIMATED, SHAPE) is None
    return () if set(used) - set(known) - {SHAPE, JOINT} or without_shape else known


def row_modalities(faces: Collected, rows: IdentityRows) -> dict[str, tuple[str, ...]]:
    """Return by row the modalities whose cosines are compared."""
    return {row_name(name, variant): known for name, network in rows.methods.items()
            for variant, used in variants(network.modalities).items()
            if (known := told(faces, name, variant, used))}


def folds_line(pooled: Pooled, pairs: Sequence[FacePair]) -> Line:
    """
    Return accuracy over the folds, and the curve's numbers; percent.

    :raises DatasetError: no pairs of a kind
    """
    scores, same = scored(pooled, pairs)
    accuracy = fold_accuracy(scores, same, np.array([p.fold for p in pairs]))
    genuine, impostor = scores[same], scores[~same]
    return {'accuracy': 100.0 * accuracy.mean, 'std': 100.0 * accuracy.std,
            **{f'TAR at {rate:g}': _percent(true_accept_rate(genuine, impostor, rate))
               for rate in FALSE_ACCEPT_RATES[:3]},
            'EER': 100.0 * equal_error_rate(genuine, impostor),
            'AUC': 100.0 * area_under_curve(genuine, impostor)}


def splits_line(pooled: Pooled, comparisons: Mapping[int, Sequence[FacePair]],
                searches: Mapping[int, Search]) -> Line:
    """Return means and deviations over the splits of comparisons and of search; percent."""
    values: dict[str, list[float | None]] = {}
    for pairs in comparisons.values():
        scores, same = scored(pooled, pairs)
        for rate in FALSE_ACCEPT_RATES[:3]:
            values.setdefault(f'TAR at {rate:g}', []).append(
                true_accept_rate(scores[same], scores[~same], rate))
    for search in searches.values():
        gallery, probe = list(search.gallery), list(search.probe)
        table = pooled.table(gallery, probe)
        people = list(search.gallery.values()), list(search.probe.values())
        values.setdefault('rank-1', []).append(rank_one(table, *people))
        if not set(people[1]) <= set(people[0]):
            for rate in (0.1, 0.01):
                values.setdefault(f'TPIR at {rate:g}', []).append(
                    open_set_rate(table, *people, rate))
    line: Line = {}
    for column, found in values.items():
        known = [v for v in found if v is not None]
        spread = Spread.of(known) if known and len(known) == len(found) else None
        line[column] = None if spread is None else 100.0 * spread.mean
        line[f'{column} std'] = None if spread is None else 100.0 * spread.std
    return line


def scored(pooled: Pooled, pairs: Sequence[FacePair]) -> tuple[np.ndarray, np.ndarray]:
    """
    Score pairs.

    :returns: scores and whether they are of one person, (N,) each
    :raises DatasetError: no pairs of a kind
    """
    check_kinds(pairs)
    return (np.array([pooled.score(p.first, p.second) for p in pairs]),
            np.array([p.same for p in pairs], bool))


def check_kinds(pairs: Sequence[FacePair]) -> None:
    """
    Check that there are pairs of one person and pairs of two.

    :raises DatasetError: pairs of a kind are missing
    """
    same = sum(p.same for p in pairs)
    if not 0 < same < len(pairs):
        raise DatasetError(f'{same} of {len(pairs)} pairs are of one person, expected pairs '
                           'of both kinds, which needs two people or more')


def _percent(value: float | None) -> float | None:
    return None if value is None else 100.0 * value

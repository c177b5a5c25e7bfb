# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How well people are told apart: identification and verification, gallery against probes.

Protocol: Chiu et al., "High-Accuracy RGB-D Face Recognition via Segmentation-Aware Face Depth
Estimation and Mask-Guided Attention Network", IV.D and V.B, Tables II to IV and VI; and the rates
of verification of the other papers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
import time
from typing import Any, NamedTuple

from face_depth_ros.core.errors import DatasetError, ScoreError
from face_depth_ros.core.identity_calibration import (
    DEPTH,
    JOINT,
    MODALITIES,
    modalities_key,
    SHAPE,
)
from face_depth_ros.core.identity_metrics import (
    area_under_curve,
    calibrate,
    equal_error_rate,
    FALSE_ACCEPT_RATES,
    mate_ranks,
    roc,
    split_scores,
    true_accept_rate,
)
from face_depth_ros.engines.openvino_graph_cost import GraphCost
from face_depth_ros.evaluation.compared_rows import RowModel
from face_depth_ros.evaluation.identity_rows import (
    FUSED,
    IdentityRows,
    NETWORK,
    row_name,
)
from face_depth_ros.evaluation.identity_views import DEPTHS, ESTIMATED, MEASURED, SeenFaces
import numpy as np

YAW_BINS = ((0, 15), (15, 30), (30, 45), (45, 60))
"""Degrees to either side; the last one takes its end in."""
COVERED = 'occlusion'
"""Probes of this kind, or of one that begins so, do not count by yaw."""
_SILENT = -1.0
HELD = 0.5
"""Lengths of embeddings are 1, or 0 where a face lacks a modality."""
_CURVE_POINTS = 60


@dataclass(frozen=True)
class FaceBatch:
    """
    Some faces, and what is known of them.

    :param persons: (B,)
    :param kinds: of each, for the columns: 'gallery', 'pose' and so on
    :param yaws: degrees, NaN where unknown
    """

    seen: SeenFaces
    persons: list[Any]
    kinds: list[str]
    yaws: list[float]


@dataclass(frozen=True)
class Setting:
    """
    A column of identification.

    :param gallery: numbers of faces, one of each person
    :param probe: numbers of faces
    """

    gallery: np.ndarray
    probe: np.ndarray


@dataclass
class Collected:
    """
    The vectors of all faces by all networks.

    :param vectors: network -> (depth, modality) -> one (B, D) of each batch
    :param faceless: faces in which the estimator sees none
    """

    persons: list[Any] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    yaws: list[float] = field(default_factory=list)
    vectors: dict[str, dict[tuple[str, str], list[np.ndarray]]] = field(default_factory=dict)
    faceless: int = 0

    def of(self, network: str, depth: str, modality: str) -> np.ndarray | None:
        """Return (N, D) vectors, None where there are none of all faces, or all are 0."""
        parts = self.vectors[network].get((depth, modality), [])
        if sum(map(len, parts)) != len(self.persons) or not any(p.any() for p in parts):
            return None
        return np.concatenate(parts)


@dataclass
class RowScores:
    """
    What a row reaches; rates are 0 to 1.

    :param rank_one: by column; probes: how many it has
    :param average: over the probes of all columns
    :param by_yaw: of the probes of a bin, None where there are none
    :param true_accept: by false-accept rate, None where pairs are too few
    :param curve: false-accept and true-accept rates, from the rarest that can be told to 1
    :param calibration: slope, offset and thresholds, None where pairs are too few
    :param modalities: whose cosines it is the weighed mean of
    """

    rank_one: dict[str, float] = field(default_factory=dict)
    average: float = 0.0
    by_yaw: dict[str, float | None] = field(default_factory=dict)
    true_accept: dict[float, float | None] = field(default_factory=dict)
    equal_error: float = 1.0
    area: float = 0.0
    curve: list[tuple[float, float]] = field(default_factory=list)
    calibration: dict[str, Any] | None = None
    modalities: tuple[str, ...] = ()


@dataclass
class IdentityScores:
    """
    All rows of the tables.

    :param rows: depth -> row -> scores
    :param network_of: row -> the network it is of
    :param columns: how many probes each has; people: in the gallery
    :param mateless: probes whose person has no face in the gallery; they do not count there, and
        are strangers in verification
    :param absent: network -> why it has no rows
    :param ms: of one face in one inference, median, by depth and network
    """

    rows: dict[str, dict[str, RowScores]] = field(default_factory=dict)
    network_of: dict[str, str] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    by_yaw: dict[str, int] = field(default_factory=dict)
    people: int = 0
    probes: int = 0
    mateless: int = 0
    genuine: int = 0
    impostor: int = 0
    faceless: int = 0
    absent: dict[str, str] = field(default_factory=dict)
    ms: dict[str, dict[str, float]] = field(default_factory=dict)
    costs: dict[str, GraphCost | None] = field(default_factory=dict)
    models: dict[str, RowModel] = field(default_factory=dict)


def collect(batches: Iterable[FaceBatch], rows: IdentityRows) -> Collected:
    """
    Let every network embed every face, one batch in memory at a time.

    Networks that look at depth, or have a shape model, embed faces with measured relief too.

    :raises DatasetError: there are no faces
    """
    result = Collected(vectors={name: {} for name in rows.methods})
    for batch in batches:
        result.persons += batch.persons
        result.kinds += batch.kinds
        result.yaws += batch.yaws
        result.faceless += batch.seen.faceless
        for name, network in rows.methods.items():
            for depth in DEPTHS if {DEPTH, SHAPE} & set(network.modalities) else (ESTIMATED,):
                views = batch.seen.views(depth)
                for modality, vectors in (network.embed(views) if views else {}).items():
                    result.vectors[name].setdefault((depth, modality), []).append(vectors)
    if not result.persons:
        raise DatasetError('there are no faces to tell apart')
    return result


def judge(faces: Collected, settings: Mapping[str, Setting], rows: IdentityRows,
          ) -> IdentityScores:
    """
    Compare the gallery with the probes, and make all rows.

    :param settings: by column; verification takes the gallery of the first, and the probes of all
    :raises DatasetError: no column has probes
    """
    persons = np.asarray(faces.persons)
    filled = {name: s for name, s in settings.items() if _mated(persons, s).any()}
    if not filled:
        raise DatasetError(f'none of {", ".join(settings) or "the columns"} has a gallery and '
                           'probes; people need one face for the gallery and others to find')
    probes = np.unique(np.concatenate([s.probe for s in filled.values()]))
    first = next(iter(filled.values()))
    mated = np.unique(np.concatenate([s.probe[_mated(persons, s)] for s in filled.values()]))
    scores = IdentityScores(
        columns={name: int(_mated(persons, s).sum()) for name, s in filled.items()},
        people=len(first.gallery), probes=len(probes), mateless=len(probes) - len(mated),
        faceless=faces.faceless, absent=dict(rows.absent), costs=dict(rows.costs),
        models=dict(rows.models),
        by_yaw={name: int(inside.sum()) for name, inside in _yaw_bins(faces, mated).items()})
    same = persons[first.gallery][:, None] == persons[probes][None, :]
    scores.genuine, scores.impostor = int(same.sum()), int((~same).sum())
    for name, network in rows.methods.items():
        for depth in DEPTHS:
            for variant, used in variants(network.modalities).items():
                vectors = [faces.of(name, depth, modality) for modality in used]
                known = [v for v, m in zip(vectors, used, strict=True) if v is not None]
                missing = {m for v, m in zip(vectors, used, strict=True) if v is None}
                if missing - {SHAPE, JOINT} or not known or (variant == NETWORK and faces.of(
                        name, depth, SHAPE) is None):
                    continue
                row = row_name(name, variant)
                scores.network_of[row] = name
                judged = scores.rows.setdefault(depth, {})[row] = _judge_row(
                    faces, _Weighed(known, [network.weights.get(m, 1.0) for m in used
                                            if m not in missing]), filled, probes)
                judged.modalities = tuple(m for m in used if m not in missing)
    return scores


def variants(modalities: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return what of a network's embeddings makes a row: all of them, and each if several."""
    if len(modalities) < 2:
        return {FUSED: modalities}
    singles = {m: (m,) for m in MODALITIES if m in modalities}
    without = tuple(m for m in modalities if m not in (SHAPE, JOINT))
    return {FUSED: modalities, **singles,
            **({NETWORK: without} if SHAPE in modalities and len(without) > 1 else {})}


def similarity(vectors: Sequence[np.ndarray], gallery: np.ndarray, probe: np.ndarray,
               weights: Sequence[float] | None = None) -> np.ndarray:
    """
    Return the weighed mean of the modalities' cosines, of those that both faces have.

    :param vectors: of each modality (N, D) of length 1, or 0 where a face lacks it
    :param gallery, probe: numbers of faces
    :param weights: of the modalities; None = all the same
    :returns: (G, P) float64, -1 where two faces have nothing in common
    """
    total = np.zeros((len(gallery), len(probe)))
    count = np.zeros((len(gallery), len(probe)))
    for part, weight in zip(vectors, weights or [1.0] * len(vectors), strict=True):
        known = np.linalg.norm(part, axis=1) > HELD
        total += weight * (part[gallery].astype(np.float64) @ part[probe].astype(np.float64).T)
        count += weight * (known[gallery][:, None] & known[probe][None, :])
    with np.errstate(invalid='ignore'):
        return np.where(count > 0, total / count, _SILENT)


def time_networks(rows: IdentityRows, views: Mapping[str, Any],
                  runs: int) -> dict[str, dict[str, float]]:
    """
    Return the median times of each network for one face, ms, without the cutting of its crops.

    :param views: a face by depth; a shape model has work on measured depth alone
    """
    return {depth: {name: _median_ms(partial(network.embed, [view]), runs)
                    for name, network in rows.methods.items()} for depth, view in views.items()}


def condition_settings(kinds: list[str], names: Iterable[str], gallery: str = 'gallery',
                       ) -> dict[str, Setting]:
    """
    Make a column of each kind of probes, with one gallery.

    :param kinds: of all faces
    :param names: kinds of probes, in the order of the columns
    """
    table = np.asarray(kinds)
    return {name: Setting(np.flatnonzero(table == gallery), np.flatnonzero(table == name))
            for name in names}


class _Weighed(NamedTuple):
    """The vectors of some modalities, (N, D) each, and what their cosines weigh."""

    vectors: list[np.ndarray]
    weights: list[float]

    def compare(self, gallery: np.ndarray, probe: np.ndarray) -> np.ndarray:
        """Return `similarity`."""
        return similarity(self.vectors, gallery, probe, self.weights)


def _judge_row(faces: Collected, weighed: _Weighed, settings: Mapping[str, Setting],
               probes: np.ndarray) -> RowScores:
    persons = np.asarray(faces.persons)
    row = RowScores()
    places = np.zeros(len(persons), np.int64)
    for name, setting in settings.items():
        found = mate_ranks(weighed.compare(setting.gallery, setting.probe),
                           persons[setting.gallery], persons[setting.probe])
        row.rank_one[name] = float(np.mean(found[found > 0] == 1))
        places[setting.probe] = found
    mated = probes[places[probes] > 0]
    row.average = float(np.mean(places[mated] == 1))
    for name, inside in _yaw_bins(faces, mated).items():
        row.by_yaw[name] = float(np.mean(places[mated][inside] == 1)) if inside.any() else None
    gallery = next(iter(settings.values())).gallery
    genuine, impostor = split_scores(weighed.compare(gallery, probes), persons[gallery],
                                     persons[probes])
    row.true_accept = {rate: true_accept_rate(genuine, impostor, rate)
                       for rate in FALSE_ACCEPT_RATES}
    row.equal_error = equal_error_rate(genuine, impostor)
    row.area = area_under_curve(genuine, impostor)
    row.curve = curve_points(genuine, impostor)
    row.calibration = _calibration(weighed, persons, gallery, probes)
    return row


def _mated(persons: np.ndarray, setting: Setting) -> np.ndarray:
    """Return which probes of a column have a face of their person in its gallery, (P,) bool."""
    found: np.ndarray = np.isin(persons[setting.probe], persons[setting.gallery])
    return found


def curve_points(genuine: np.ndarray, impostor: np.ndarray,
                 points: int = _CURVE_POINTS) -> list[tuple[float, float]]:
    """Return false-accept and true-accept rates, evenly spaced over the logarithm of the first."""
    curve = roc(genuine, impostor)
    wanted = np.geomspace(1.0 / impostor.size, 1.0, points)
    # False accepts fall along the curve: the first place that is rare enough.
    at = np.searchsorted(-curve.false_accept, -wanted * (1.0 + 1e-12), 'left')
    return [(float(rate), float(curve.true_accept[i])) for rate, i in zip(wanted, at, strict=True)]


def _calibration(weighed: _Weighed, persons: np.ndarray, gallery: np.ndarray,
                 probes: np.ndarray) -> dict[str, Any] | None:
    """Calibrate by faces that have all modalities: cosines over others mean something else."""
    whole = np.all([np.linalg.norm(part, axis=1) > HELD for part in weighed.vectors], axis=0)
    gallery, probes = gallery[whole[gallery]], probes[whole[probes]]
    try:
        return calibrate(*split_scores(weighed.compare(gallery, probes), persons[gallery],
                                       persons[probes]))
    except ScoreError:
        return None


def _yaw_bins(faces: Collected, probes: np.ndarray) -> dict[str, np.ndarray]:
    """Return which probes lie in each bin, without covered faces."""
    yaw = np.abs(np.asarray(faces.yaws, np.float64)[probes])
    free = np.array([not faces.kinds[i].startswith(COVERED) for i in probes], bool)
    last = YAW_BINS[-1][1]
    with np.errstate(invalid='ignore'):
        return {f'{low} to {high}': free & (yaw >= low) & ((yaw < high) | (
            (high == last) & (yaw <= high))) for low, high in YAW_BINS}


def _median_ms(call: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return float(np.median(times) * 1000.0)


def calibrations(scores: IdentityScores) -> dict[str, dict[str, Any]]:
    """
    Return what stands under `limits: calibration` of a spec, by network, as measured here.

    Of every set of modalities that makes a row; what has no shape in it on estimated depth, the
    rest on measured depth.
    """
    result: dict[str, dict[str, Any]] = {}
    for depth in DEPTHS:
        for row, found in scores.rows.get(depth, {}).items():
            if found.calibration is not None and (depth == MEASURED) == (
                    SHAPE in found.modalities):
                result.setdefault(scores.network_of[row], {})[
                    modalities_key(found.modalities)] = found.calibration
    return result

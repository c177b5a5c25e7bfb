# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""`summary.json`: a replay in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
import datetime
import json
import math
from pathlib import Path
from typing import Any

from face_depth_ros.core.metrics import percentiles
from face_depth_ros.evaluation.estimate_analysis import summarise_estimates
from face_depth_ros.evaluation.identity_analysis import summarise_identities
from face_depth_ros.evaluation.origin import commit, machine
from face_depth_ros.evaluation.reference_depth import ReferenceDepth
from face_depth_ros.evaluation.replay_analysis import FrameScore
from face_depth_ros.evaluation.replay_face_states import (
    summarise_expressions,
    summarise_liveness,
)
from face_depth_ros.evaluation.replay_settings import (
    EngineReport,
    EnrollResult,
    OFF,
    PlayedFrame,
    ReplaySettings,
)
import numpy as np

WORSE_BY_MM = 0.3
"""An enhanced frame counts as worse than the raw one from this RMSE difference on."""


def summarise(settings: ReplaySettings, played: Sequence[PlayedFrame],
              scores: Sequence[FrameScore], engines: Sequence[EngineReport],
              outputs: Mapping[str, Mapping[str, Any]], *, input_sha256: str, command: str,
              wall_s: float, unmatched: Mapping[str, int],
              stages: Mapping[str, Mapping[str, float]],
              reference: ReferenceDepth | None = None,
              refusals: Mapping[str, int] | None = None,
              enrollments: Sequence[EnrollResult] = (),
              notes: Sequence[str] = ()) -> dict[str, Any]:
    """
    Return the content of summary.json.

    :param scores: one per played frame
    :param outputs: {topic: {type, count}} of the recorded bag
    :param stages: {stage: {p50, p95}} in ms that no frame carries
    :param unmatched: messages of the input bag without a partner of equal stamp, by cause
    :param refusals: faces that the estimator left out, by cause
    :param enrollments: what became of the people to be introduced
    :param notes: what a reader should know, stages that are off for want of a model
    """
    done = [p for p in played if not p.cause]
    durations: dict[str, list[float]] = {}
    for frame in done:
        for stage, duration in frame.stage_ms.items():
            durations.setdefault(stage, []).append(duration)
    summary = {
        'frames_in': len(played),
        'frames_processed': len(done),
        'frames_dropped': len(played) - len(done),
        'frames_with_face': sum(1 for s in scores if s.faces),
        'transport': settings.transport,
        'backend': _common(e.backend for e in engines),
        'precision': _common(e.precision for e in engines),
        'latency_ms': percentiles(p.latency_ms for p in done if p.latency_ms is not None),
        'stage_ms': {name: percentiles(v, (50, 95)) for name, v in durations.items()}
        | {name: dict(v) for name, v in stages.items()},
        'outputs': {topic: dict(entry) for topic, entry in outputs.items()},
        'models': {e.name: e.sha256 for e in engines},
        'input_sha256': input_sha256,
        'commit': commit(),
        'wall_s': round(wall_s, 3),
        **_stages_of(settings),
        'notes': list(notes),
        'dropped_by_cause': dict(Counter(p.cause for p in played if p.cause)),
        'unmatched_messages': dict(unmatched),
        'tracks': sorted({track for s in scores for track, _ in s.faces}),
        'faces': _face_measures(scores),
        'engines': {e.name: {'backend': e.backend, 'precision': e.precision, 'device': e.device}
                    for e in engines},
        'bag': _name(settings.bag),
        'command': command,
        'machine': machine(),
        'date': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
    }
    if reference is not None:
        summary['reference'] = _against_reference(reference, scores)
    return summary | _of_faces(settings, scores, reference, dict(refusals or {}), enrollments)


def counted(causes: Mapping[str, int]) -> str:
    """Return counts by cause in words."""
    return ', '.join(f'{count} {cause}' for cause, count in causes.items())


def _name(bag: Path) -> str:
    """Return what a reader knows a bag by; the folder's name too where its own says nothing."""
    if bag.name in ('', '..'):
        bag = bag.resolve()
    return bag.name if bag.name != 'bag' else '/'.join(bag.absolute().parts[-2:])


def _stages_of(settings: ReplaySettings) -> dict[str, Any]:
    """Return what ran."""
    return {
        'method': settings.method,
        'temporal': settings.temporal,
        'estimator': settings.estimator,
        'recognizer': settings.recognizer_model if settings.recognizes else OFF,
        'expression_recognizer': settings.expression_model or OFF,
        'liveness_detector': settings.liveness_model or OFF,
        'require_live': settings.require_live,
        'realtime': settings.realtime,
    }


def _of_faces(settings: ReplaySettings, scores: Sequence[FrameScore],
              reference: ReferenceDepth | None, refusals: dict[str, int],
              enrollments: Sequence[EnrollResult]) -> dict[str, Any]:
    """Return what the stages that look at single faces said of them, as far as they ran."""
    found: dict[str, Any] = {}
    if settings.estimator != OFF:
        found['estimation'] = summarise_estimates(
            [(s.index, s.estimates) for s in scores], refusals) | (
            {} if reference is None else _estimates_against_reference(scores))
    if settings.recognizes:
        found['identities'] = summarise_identities(
            [(s.index, s.identities) for s in scores], enrollments)
    if settings.expression_model:
        found['expressions'] = summarise_expressions(scores)
    if settings.liveness_model:
        found['liveness'] = summarise_liveness(scores)
    return found


def to_json(value: Any) -> str:
    """Return JSON text in which NaN, which JSON does not know, is null."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + '\n'


def _face_measures(scores: Sequence[FrameScore]) -> dict[str, float]:
    names = ('holes_raw', 'holes_enhanced', 'roughness_raw_mm', 'roughness_enhanced_mm')
    return {name: _mean([getattr(s, name) for s in scores]) for name in names}


def _against_reference(reference: ReferenceDepth, scores: Sequence[FrameScore]) -> dict[str, Any]:
    known = [s for s in scores if s.reference is not None]
    found = [s.reference for s in known if s.reference is not None]
    compared = [r for r in found if r.pixels]
    change = [r.rmse_enhanced_mm - r.rmse_raw_mm for r in compared]
    return {
        'file': '/'.join(reference.path.absolute().parts[-2:]),
        'frames_compared': len(compared),
        'rmse_raw_mm': _mean([r.rmse_raw_mm for r in compared]),
        'rmse_enhanced_mm': _mean([r.rmse_enhanced_mm for r in compared]),
        'near_rmse_raw_mm': _mean([r.near_rmse_raw_mm for r in compared]),
        'near_rmse_enhanced_mm': _mean([r.near_rmse_enhanced_mm for r in compared]),
        'worst_change_mm': max(change, default=float('nan')),
        'frames_worse_by_0.3_mm': sum(1 for c in change if c > WORSE_BY_MM),
        'frames_box_on_head': sum(1 for r in found if r.on_head),
        'lost_share': _mean([r.lost for r in compared]),
    }


def _estimates_against_reference(scores: Sequence[FrameScore]) -> dict[str, Any]:
    compared = [s.estimate_reference for s in scores
                if s.estimate_reference is not None and s.estimate_reference.pixels]
    return {'reference_frames': len(compared),
            'reference_rmse_mm': _mean([r.rmse_enhanced_mm for r in compared]),
            'reference_near_rmse_mm': _mean([r.near_rmse_enhanced_mm for r in compared])}


def _mean(values: Sequence[float]) -> float:
    finite = [v for v in values if math.isfinite(v)]
    return float(np.mean(finite)) if finite else float('nan')


def _common(values: Any) -> str:
    """Return the one value of all, or all that occur."""
    return '+'.join(dict.fromkeys(values)) or 'none'


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The commands of `evaluate` that compare enhancers: all tables at once, or one of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
import importlib
import logging
import os
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import BagError, DatasetError
from face_depth_ros.evaluation.bag_pairs import bag_frames, published_rows
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.depth_pairs import DepthPair, stored_pairs
from face_depth_ros.evaluation.enhancement_protocol import EnhancementScores, score_methods
from face_depth_ros.evaluation.enhancement_report import enhancement_blocks
from face_depth_ros.evaluation.enhancement_verdict import verdict
from face_depth_ros.evaluation.enhancer_rows import EnhancerRows, ROWS
from face_depth_ros.evaluation.evaluation_result import Evaluation, Table
from face_depth_ros.evaluation.face_tables import FACE_PROTOCOLS, FaceSource, score_faces
from face_depth_ros.evaluation.reference_depth import ReferenceScore
from face_depth_ros.evaluation.rendering import check_rendering
from face_depth_ros.evaluation.report import table
from tqdm import tqdm

_LOG = logging.getLogger(__name__)
SYNTHETIC = 'synthetic'
PAIRS = 2000
_SYNTHESIS = {'pairs': 'face_depth_ros.evaluation.synthetic_pairs',
              'faces': 'face_depth_ros.evaluation.synthetic_faces'}
_MM = 250.0
_PEOPLE, _ATTACKS_EACH = 40, 5
_SURROUNDED_EVERY = 4
"""As many pairs for each one with all that is around a head, which takes longer to render."""


def enhancement(options: argparse.Namespace) -> Iterator[Evaluation]:
    """Compare all enhancers: error on pairs, then roughness, falsification and landmarks."""
    with _rows(options) as rows:
        on_pairs = _on_pairs(options, rows)
        yield on_pairs
        try:
            on_faces = score_faces(_face_sources(options), rows, FACE_PROTOCOLS)
        except (BagError, DatasetError) as error:
            if options.faces:  # asked for by name
                raise
            on_pairs.details['face_tables_missing'] = str(error)
            _LOG.warning('no tables on faces: %s', error)
            on_faces = []
        for result in on_faces:
            yield result
            on_pairs.tables.update(result.tables)
    # Once more: its JSON holds every table of the command; the sections stay apart.
    yield on_pairs


def face_command(protocol: str) -> Callable[[argparse.Namespace], Iterator[Evaluation]]:
    """Return the command that makes one of the tables on faces."""
    def run(options: argparse.Namespace) -> Iterator[Evaluation]:
        with _rows(options) as rows:
            yield from score_faces(_face_sources(options), rows, (protocol,), needed=True)
    return run


def _rows(options: argparse.Namespace) -> EnhancerRows:
    return EnhancerRows(options.backend, options.precision, options.rows)


def row_names(text: str) -> tuple[str, ...]:
    """Return the rows named on the command line, by commas."""
    names = tuple(name.strip() for name in text.split(',') if name.strip())
    unknown = [name for name in names if name not in ROWS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f'{", ".join(unknown) or "nothing"} is no row, expected some of {", ".join(ROWS)}')
    return names


def _on_pairs(options: argparse.Namespace, rows: EnhancerRows) -> Evaluation:
    if options.quick:
        return _on_synthetic(stored_pairs(checkout_data('enhancement_pairs.npz'), options.pairs),
                             'rendered fixture', options, rows)
    if options.data == SYNTHETIC:
        count = options.pairs or PAIRS
        synthesis, few = _synthesis('pairs'), max(1, count // _SURROUNDED_EVERY)
        pairs = synthesis.rendered_pairs(count, options.assets)
        surrounded = synthesis.surrounded_pairs(few, options.assets)
        return _on_synthetic(tqdm(pairs, total=count, unit='pair'),
                             f'{count} rendered faces of the test split', options, rows,
                             tqdm(surrounded, total=few, unit='scene'))
    return _on_bag(Path(options.data), options, rows)


def _on_synthetic(pairs: Iterator[DepthPair], dataset: str, options: argparse.Namespace,
                  rows: EnhancerRows, surrounded: Iterable[DepthPair] | None = None) -> Evaluation:
    scores = score_methods(pairs, rows)
    result = Evaluation(
        'enhancement',
        f'{dataset}, damaged as in the paper (holes, noise, blur). RMSE over the true face area, '
        "depth in [0, 1] (1 = 25 cm), holes count as 1. The paper's networks are judged by their "
        'raw output, ours by what the node publishes.',
        {'synthetic': Table('Face depth enhancement', dataset, 'depth in [0, 1]; ms per face',
                            scores.rows()), **_further_tables(scores, dataset)},
        details=_details(scores, options), lead=' '.join(verdict(scores)))
    in_view = None
    if surrounded is not None:
        further = score_methods(surrounded, rows)
        in_view = further.rows()
        result.tables['surrounded'] = Table(
            'With hair, glasses, clothes, hands and walls in view',
            f'{further.pairs} rendered scenes of the test split', 'depth in [0, 1]',
            {name: {key: row[key] for key in ('rmse_mean', 'rmse_std')}
             for name, row in in_view.items()})
    result.blocks = enhancement_blocks(scores, result.tables['synthetic'].rows, 'depth in [0, 1]',
                                       in_view)
    return result


def _further_tables(scores: EnhancementScores, dataset: str) -> dict[str, Table]:
    tables = {'costs': Table('What each enhancer costs', dataset, 'depth in [0, 1]; ms per face',
                             scores.cost_rows())}
    if scores.regions.squared:
        tables['rmse_by_region'] = Table('RMSE by region of the face', dataset, 'depth in [0, 1]',
                                         scores.regions.rmse_rows())
        tables['share_by_region'] = Table('Share of the squared error by region', dataset,
                                          'percent', scores.regions.share_rows())
    return tables


def _on_bag(path: Path, options: argparse.Namespace, rows: EnhancerRows) -> Evaluation:
    published: list[ReferenceScore] = []

    def pairs() -> Iterator[DepthPair]:
        frames = bag_frames(path, options.reference, _synthesis('pairs').damage,
                            backend=options.backend, precision=options.precision,
                            limit=options.pairs)
        for frame in tqdm(frames, unit='frame'):
            published.append(frame.score)
            yield frame.pair

    scores = score_methods(pairs(), rows, _MM)
    real = published_rows(published)
    name = '/'.join(path.absolute().parts[-2:])
    with Bag(path) as bag:
        digest = bag.sha256()
    result = Evaluation(
        'enhancement',
        f'{len(published)} real frames of {name} with a face, against their reference depth where '
        "it holds. First with the holes, noise and blur of the paper added to the face's crop, "
        'then as they are, on measured pixels.',
        {'damaged': Table('Real frames with damage added', name, 'mm; ms per face',
                          scores.rows()),
         'real': Table('Real frames as they are', name, 'mm', real)},
        details={**_details(scores, options), 'input_sha256': digest})
    result.lead = ' '.join(verdict(scores, ' mm'))
    result.blocks = [*enhancement_blocks(scores, result.tables['damaged'].rows, 'mm'),
                     '<h3>The frames as they are</h3>', table(real, '', 'published')]
    return result


def _details(scores: EnhancementScores, options: argparse.Namespace) -> dict[str, Any]:
    return {'best_filter': scores.best_filter(),
            'ratio_to_best_filter': scores.ratio(scores.best_filter()),
            'best_of_paper': scores.best_of_paper(),
            'ratio_to_best_of_paper': scores.ratio(scores.best_of_paper()),
            'load_average': os.getloadavg()[0],
            'pairs': scores.pairs,
            'absent': scores.absent,
            'rows_left_out': [name for name in ROWS if name not in options.rows],
            'models': {name: asdict(model) for name, model in scores.models.items()}}


def _face_sources(options: argparse.Namespace) -> Sequence[FaceSource]:
    """Return where the faces come from: the fixture, renderings, bags, KinectFaceDB."""
    if options.quick:
        return [FaceSource.stored(checkout_data('face_samples.npz'), options.samples)]
    sources = []
    for name in options.faces or [options.data]:
        if name == SYNTHETIC:
            people = options.samples or _PEOPLE
            sources.append(FaceSource(
                f'{people} rendered people', 'rendered',
                partial(_rendered, _synthesis('faces'), people, options.assets)))
        else:
            sources.append(FaceSource.recorded(
                Path(name), options.reference, backend=options.backend,
                precision=options.precision, limit=options.samples))
    return sources


def _rendered(synthesis: Any, people: int, assets: str) -> Iterator[Any]:
    yield from synthesis.rendered_faces(people, assets)
    yield from synthesis.rendered_attacks(max(1, min(_ATTACKS_EACH, people)), assets)


def _synthesis(what: str) -> Any:
    check_rendering(f'synthetic {what} and damage')
    return importlib.import_module(_SYNTHESIS[what])


# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The command of `evaluate` that measures how well living faces are told from attacks."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
import importlib
import os
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import PRECISIONS
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.enhancement_commands import row_names as enhancer_names
from face_depth_ros.evaluation.enhancer_rows import EnhancerRows
from face_depth_ros.evaluation.enhancer_rows import ROWS as ENHANCERS
from face_depth_ros.evaluation.evaluation_result import Evaluation, Table
from face_depth_ros.evaluation.face_tables import FaceSource
from face_depth_ros.evaluation.liveness_capture import (
    Capture,
    capture_sentences,
    judge_capture,
)
from face_depth_ros.evaluation.liveness_faces import (
    LivenessFace,
    load_liveness_faces,
    part_file,
    read_liveness_parts,
)
from face_depth_ros.evaluation.liveness_pad import pad_errors, PadErrors
from face_depth_ros.evaluation.liveness_protocol import collect, judge, LivenessScores
from face_depth_ros.evaluation.liveness_report import (
    capture_blocks,
    Examples,
    highlighted,
    liveness_blocks,
)
from face_depth_ros.evaluation.liveness_rows import LivenessRows, ROWS
from face_depth_ros.evaluation.liveness_tables import liveness_tables, pad_tables
from face_depth_ros.evaluation.liveness_verdict import (
    detector_sentences,
    pad_sentences,
    row_sentence,
)
from face_depth_ros.evaluation.rendering import check_rendering
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.liveness_network import SHIPPED
from tqdm import tqdm

SYNTHETIC = 'synthetic'
ROUNDS, PAD_PEOPLE, PAD_ATTACKS = 100, 100, 20
BANK = Path('runs/liveness_faces/test')
FIXTURE, PAD_FIXTURE = 'liveness_faces.npz', 'face_samples.npz'
_RENDERING = {'attacks': 'face_depth_ros.evaluation.synthetic_liveness',
              'faces': 'face_depth_ros.evaluation.synthetic_faces'}
_ABOUT = (
    'people and attacks that were not trained on, as a depth camera shows them; each goes the way '
    "of a robot's frame, through the depth enhancer to the detector, with the mask and the "
    'landmarks of the face that it is or shows. ISO/IEC 30107-3: APCER is the share of the '
    'attacks of one species that is accepted, BPCER that of the living faces that is not. The '
    'landmark error before and after each enhancer is that of Schlett et al.')


def liveness(options: argparse.Namespace) -> Iterator[Evaluation]:
    """Measure how well living faces are told from attacks, and what enhancement does for it."""
    _check_paths(options)
    with ExitStack() as stack:
        rows = stack.enter_context(LivenessRows(options.backend, options.precision, options.rows,
                                                model=options.model))
        enhancer = DepthEnhancer(backend=options.backend, precision=options.precision)
        stack.callback(enhancer.close)
        estimator = DepthEstimator(backend=options.backend, precision=options.precision)
        stack.callback(estimator.close)
        examples = Examples()
        dataset, parts = _faces(options)
        scores = judge(*collect(parts, rows, enhancer, examples.see))
        capture = None if options.mannequin is None else judge_capture(
            options.mannequin, rows, enhancer, estimator, backend=options.backend,
            precision=options.precision)
        with EnhancerRows(options.backend, options.precision, options.enhancers) as enhancers:
            pads = pad_errors(_pad_sources(options), enhancers, estimator.network)
            absent = {**rows.absent, **enhancers.absent}
        yield _result(scores, pads, capture, dataset, options, examples, absent)


def add_liveness_options(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes besides --out, --quick and --backend."""
    command.add_argument('--rounds', type=_count, metavar='N',
                         help='rounds to show, each two living people and an attack of each '
                              f'species (default {ROUNDS}; the fixture has its own)')
    command.add_argument('--bank', type=Path, default=BANK, metavar='DIR',
                         help='rendered faces and attacks; what is missing is rendered into it')
    command.add_argument('--faces', action='append', metavar='synthetic|BAG|DIR',
                         help='where the landmark error is measured: rendered, of a bag, or of a '
                              'folder in the layout of KinectFaceDB; may be given several times')
    command.add_argument('--mannequin', type=Path, metavar='BAG',
                         help='a recording of a mannequin head, looked at frame by frame; its '
                              'landmark error is measured too')
    command.add_argument('--samples', type=_count, metavar='N',
                         help=f'people to render for the landmark error (default {PAD_PEOPLE}), '
                              'or frames of each recording (all)')
    command.add_argument('--rows', type=row_names, default=ROWS, metavar='A,B,C',
                         help=f'compare these detectors alone, of {", ".join(ROWS)}')
    command.add_argument('--enhancers', type=enhancer_names, default=ENHANCERS, metavar='A,B,C',
                         help='compare these enhancers alone')
    command.add_argument('--model', default=SHIPPED, metavar='NAME|FILE.yaml',
                         help='the network')
    command.add_argument('--assets', default='', metavar='DIR',
                         help='head assets; default: FACE_DEPTH_ASSETS or the known places')
    command.add_argument('--precision', choices=('auto', *PRECISIONS), default='auto')
    command.set_defaults(run=liveness)


def row_names(text: str) -> tuple[str, ...]:
    """
    Return the detectors named on the command line, by commas.

    A name may itself have a comma, as those of the tables have.
    """
    names, rest = [], text.strip()
    while rest:
        name = next((row for row in sorted(ROWS, key=len, reverse=True)
                     if rest == row or rest.startswith(f'{row},')), None)
        if name is None:
            break
        names.append(name)
        rest = rest[len(name):].lstrip(', ')
    if rest or not names:
        raise argparse.ArgumentTypeError(f'{rest or "nothing"} is no row, expected some of '
                                         f'{", ".join(map(repr, ROWS))}')
    return tuple(names)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} is no number of at least 1')
    return int(text)


def _faces(options: argparse.Namespace) -> tuple[str, Iterable[Sequence[LivenessFace]]]:
    """Return what the detectors are shown, and how it is called."""
    if options.quick:
        return 'rendered fixture', [load_liveness_faces(checkout_data(FIXTURE))]
    rounds = options.rounds or ROUNDS
    if not part_file(options.bank, rounds - 1).exists() or len(
            list(options.bank.glob('part_*.npz'))) < rounds:
        _rendering('attacks').fill_bank(options.bank, rounds, options.assets)
    return (f'{rounds} rendered rounds of the test split',
            tqdm(read_liveness_parts(options.bank, rounds), unit='part', total=rounds))


def _check_paths(options: argparse.Namespace) -> None:
    """
    Check that recordings are there before hours are spent.

    :raises SettingsError: one is not
    """
    named = [Path(name) for name in options.faces or () if name != SYNTHETIC]
    missing = [str(path) for path in (*named, *filter(None, [options.mannequin]))
               if not path.exists()]
    if missing:
        raise SettingsError(f'{", ".join(missing)} not found; --faces and --mannequin take '
                            'recordings that are there')


def _pad_sources(options: argparse.Namespace) -> Iterator[FaceSource]:
    """Return where the landmark error is measured."""
    named = list(options.faces or ([] if options.quick else [SYNTHETIC]))
    if options.quick:
        yield FaceSource.stored(checkout_data(PAD_FIXTURE), options.samples)
    for name in named:
        if name == SYNTHETIC:
            people = options.samples or PAD_PEOPLE
            yield FaceSource(f'{people} rendered people', 'rendered',
                             partial(_rendered, _rendering('faces'), people, options.assets))
        else:
            yield FaceSource.recorded(Path(name), None, backend=options.backend,
                                      precision=options.precision, limit=options.samples)
    if options.mannequin is not None and str(options.mannequin) not in named:
        yield FaceSource.recorded(options.mannequin, None, backend=options.backend,
                                  precision=options.precision, limit=None)


def _rendered(synthesis: Any, people: int, assets: str) -> Iterator[Any]:
    yield from synthesis.rendered_faces(people, assets)
    yield from synthesis.rendered_attacks(max(1, min(PAD_ATTACKS, people)), assets)


def _result(scores: LivenessScores, pads: Sequence[PadErrors], capture: Capture | None,
            dataset: str, options: argparse.Namespace, examples: Examples,
            absent: dict[str, str]) -> Evaluation:
    tables = liveness_tables(scores, dataset) | pad_tables(pads, options.enhancers)
    verdict = [*pad_sentences(pads), *detector_sentences(scores)]
    details: dict[str, Any] = {
        'verdict': verdict, 'absent': absent, 'people': scores.people, 'frames': scores.faces,
        'presentations': scores.presentations, 'load_average': os.getloadavg()[0],
        'attacks_not_accepted_because': {n: row.reasons for n, row in scores.rows.items()},
        'models': {name: asdict(model) for name, model in scores.models.items()}}
    blocks = liveness_blocks(scores, pads, tables, examples, absent, verdict)
    if capture is not None:
        rows = capture.rows()
        tables['mannequin'] = Table('What the detectors say of a mannequin head', capture.name,
                                    'frames; percent', rows)
        verdict += capture_sentences(rows)
        details |= {'mannequin_frames': capture.by_frame(), 'mannequin_missed': capture.missed}
        if capture.frames:
            blocks += capture_blocks(capture, rows, highlighted(scores))
    return Evaluation('liveness', f'{dataset}: {_ABOUT}', tables, blocks, details,
                      title='Living faces and attacks', lead=' '.join(_lead(scores, pads)))


def _lead(scores: LivenessScores, pads: Sequence[PadErrors]) -> list[str]:
    """Return what is said first: of the last source, which is real if any is, and what ships."""
    shown = highlighted(scores)
    return [*pad_sentences(pads[-1:]), *([row_sentence(shown, scores.rows[shown])]
                                         if shown else [])]


def _rendering(what: str) -> Any:
    check_rendering(f'rendered {what}')
    return importlib.import_module(_RENDERING[what])


# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Make RGB-D and masks of any folder of face images, one sub-folder per person (as VGGFace2 has it).

    python -m face_depth_ros.datasets.augment_dataset IMAGES OUT --workers 8
    python -m face_depth_ros.datasets.augment_dataset IMAGES OUT --ray 10.0.0.1:6379

Each image's face is found, cropped upright, and described by the estimator: relief, mask,
landmarks. OUT is read by datasets.augmented_faces; datasets.face_shards tells what its files hold.
A run that was cut off in any way is taken up by the same command: what is whole stays, the rest is
made, and the result has the same bytes as that of one run in one process. Images without a face to
use are named in the manifests, with the cause.

On a cluster every machine must see IMAGES and OUT under the same path, and have this package.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import fcntl
import importlib
import importlib.util
import json
import logging
import os
from pathlib import Path
import secrets
import time
from typing import Any

from face_depth_ros.core.errors import DatasetError, FaceDepthError, SettingsError
from face_depth_ros.core.model_spec import PRECISIONS
from face_depth_ros.datasets.face_image_list import as_lines, FaceImages, list_face_images
from face_depth_ros.datasets.face_shards import (
    clear_partials,
    FORM,
    json_lines,
    LIST,
    MANIFEST,
    PLAN,
    read_done,
    SHARDS,
    write_file,
)
from face_depth_ros.datasets.image_faces import DescriberModels, DescriberSource
from face_depth_ros.datasets.shard_work import (
    make_in_pool,
    make_in_process,
    ShardJob,
    ShardTask,
)
from face_depth_ros.engines.engine import BACKENDS

LOCAL = 'local'
_RAY_MODULE = 'face_depth_ros.datasets.ray_work'
_LOG = logging.getLogger('augment_dataset')
_UNFINISHED = 3
"""Exit status of a run whose time is over."""


@dataclass(frozen=True)
class AugmentSettings:
    """
    How to do it; only the first two decide what comes out.

    :param shard_size: images of a shard, at most
    :param limit: take the first so many images; 0 = all
    :param workers: processes; 0 = one for each CPU of this machine or of the cluster
    :param ray: '' = this machine alone, without Ray; address of a Ray cluster; 'local' = a Ray
        cluster of this machine
    :param max_minutes: begin no shard after that; 0 = until all is done
    """

    shard_size: int = 1000
    limit: int = 0
    workers: int = 1
    ray: str = ''
    max_minutes: float = 0.0

    def __post_init__(self) -> None:
        problems = [f'{name} is {getattr(self, name)}, expected {least} or more'
                    for name, least in (('shard_size', 1), ('limit', 0), ('workers', 0),
                                        ('max_minutes', 0)) if not getattr(self, name) >= least]
        if problems:
            raise SettingsError('augment_dataset: ' + '; '.join(problems))


@dataclass(frozen=True)
class AugmentReport:
    """
    What there is after a run.

    :param shards: all of the data set; `done` of them are there, `made` by this run
    :param images: of the shards that are done
    :param faces: of these
    :param left_out: cause -> images of these without a face to use
    """

    shards: int
    done: int
    made: int
    images: int
    faces: int
    left_out: dict[str, int]

    @property
    def finished(self) -> bool:
        """Whether the data set is whole."""
        return self.done == self.shards


def augment_dataset(images: str | os.PathLike[str], out: str | os.PathLike[str],
                    settings: AugmentSettings | None = None,
                    source: DescriberSource | None = None) -> AugmentReport:
    """
    Make a data set, or go on with it.

    :param images: folder of one sub-folder per person
    :param out: folder of the data set; is made; a finished one is left as it is
    :param source: of what describes faces; None = our models
    :raises DatasetError: no such images; `out` is something else, lies among the images, cannot be
        written, holds shards of other images, of another model or settings, or another run works
        on it; workers die on a shard
    :raises FaceDepthError: a model or a backend is missing
    """
    settings = settings or AugmentSettings()
    source = source or DescriberModels()
    out = Path(out).absolute()
    if Path(os.path.realpath(out)).is_relative_to(os.path.realpath(images)):
        raise DatasetError(f'{out} is or lies in the folder of images, {images}: its files would '
                           'be taken for images of a person; choose a folder beside it')
    listed = list_face_images(Path(images).absolute(), settings.limit)
    identity = source.identity()
    shards = -(-len(listed.images) // settings.shard_size)
    plan = {'form': FORM, **identity, 'shard_size': settings.shard_size, 'limit': settings.limit,
            'images': len(listed.images), 'images_sha256': listed.sha256, 'shards': shards,
            'persons': list(listed.persons)}
    with _locked(out):
        _begin(out, plan, listed)
        missing = [n for n in range(shards) if read_done(out, n) is None]
        if missing:
            with _writing(out):
                (out / MANIFEST).unlink(missing_ok=True)
        _LOG.info('%d images of %d people, %d shards, %d of them to make', len(listed.images),
                  len(listed.persons), shards, len(missing))
        job = ShardJob(listed.root, out, source, tuple(sorted(identity.items())))
        tasks = (ShardTask(n, tuple((i, listed.images[i])
                                    for i in range(n, len(listed.images), shards)))
                 for n in missing)
        made = _make(job, _in_time(tasks, settings.max_minutes), settings, len(missing))
        return _finish(out, shards, made)


def _make(job: ShardJob, tasks: Iterable[ShardTask], settings: AugmentSettings,
          missing: int) -> int:
    """Make the shards that are missing; return how many."""
    if not missing:
        return 0
    workers = settings.workers or len(os.sched_getaffinity(0))
    workers = min(workers, missing)
    if settings.ray:
        lines = _on_ray(job, tasks, min(settings.workers, missing), settings.ray)
    elif workers == 1:
        lines = make_in_process(job, tasks)
    else:
        lines = make_in_pool(job, tasks, workers)
    started, images, made = time.monotonic(), 0, 0
    for line in lines:
        images, made = images + int(line['images']), made + 1
        rate = images / max(time.monotonic() - started, 1e-9)
        rest = (missing - made) * images / made / rate
        _LOG.info('shard %d: %d faces in %d images; %d of %d shards, %.1f images/s, %s left',
                  line['shard'], line['faces'], line['images'], made, missing, rate,
                  f'{rest / 60:.0f} min' if rest < 7200 else f'{rest / 3600:.1f} h')
    return made


def _on_ray(job: ShardJob, tasks: Iterable[ShardTask], workers: int,
            address: str) -> Iterator[dict[str, Any]]:
    """Bring Ray in, with all that it reads from the environment as it is imported."""
    if importlib.util.find_spec('ray') is None:
        raise SettingsError('--ray needs the package ray, which is not installed: `pip install '
                            'ray`; or leave --ray out and give --workers', cause='ray')
    os.environ['RAY_USAGE_STATS_ENABLED'] = '0'
    if address == LOCAL:
        # Ray has no other way to stay on 127.0.0.1, and to keep its token out of the home folder.
        os.environ.setdefault('RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER', '0')
        if os.environ.setdefault('RAY_AUTH_MODE', 'token') == 'token':
            os.environ.setdefault('RAY_AUTH_TOKEN', secrets.token_hex(32))
    module = importlib.import_module(_RAY_MODULE)
    lines: Iterator[dict[str, Any]] = module.make_on_ray(job, tasks, workers, address)
    return lines


def _in_time(tasks: Iterable[ShardTask], max_minutes: float) -> Iterator[ShardTask]:
    """Yield tasks until the time is over."""
    end = time.monotonic() + max_minutes * 60.0
    for task in tasks:
        if max_minutes and time.monotonic() >= end:
            _LOG.info('%g minutes are over: no further shard is begun', max_minutes)
            return
        yield task


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Keep other runs off a folder, which is made; the lock ends with this process."""
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
        handle = os.open(out / '.lock', os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DatasetError(f'another run works on {out}; wait for it, or end it',
                               cause='dataset_busy') from error
        yield
    finally:
        os.close(handle)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Say of a folder that it cannot be written: the disk is full, or it is another's."""
    try:
        yield
    except OSError as error:
        raise DatasetError(f'{out} cannot be written: {error}; see to the disk and run it again'
                           ) from error


def _begin(out: Path, plan: dict[str, Any], listed: FaceImages) -> None:
    """Write what the data set is made of, or see that it is the same or nothing is made yet."""
    path = out / PLAN
    if path.is_file():
        unlike = _unlike(out, plan, listed)
        if unlike is not None and any((out / SHARDS).glob('*.jsonl')):
            raise unlike
    else:
        unlike = None
        others = [p.name for p in out.iterdir() if p.name != LIST and not p.name.startswith('.')]
        if others and others != [SHARDS]:
            raise DatasetError(f'{out} holds {others[0]!r} but no {PLAN}: it is no data set of '
                               'this command; choose another folder')
        if others and any((out / SHARDS).iterdir()):
            raise DatasetError(f'{out} holds shards but no {PLAN}: what they are made of is not '
                               'known; choose another folder, or delete this one')
    with _writing(out):
        (out / SHARDS).mkdir(exist_ok=True)
        clear_partials(out)
        if unlike is not None:
            _LOG.info('%s is of another run that made no shard: it is replaced', path)
            # The plan last: what a run that is killed here leaves can be taken up.
            (out / MANIFEST).unlink(missing_ok=True)
            for tar in (out / SHARDS).glob('*.tar'):
                tar.unlink()
            path.unlink()
        if not path.is_file():
            write_file(out / LIST, as_lines(listed.images))
            write_file(path, json.dumps(plan, indent=1).encode('ascii'))


def _unlike(out: Path, plan: dict[str, Any], listed: FaceImages) -> DatasetError | None:
    """
    Say in what a data set is unlike what is to be made; None = in nothing.

    :raises DatasetError: its plan is damaged or another program's
    """
    path = out / PLAN
    try:
        known = json.loads(path.read_text('ascii'))
        unlike = [name for name in plan if known.get(name) != plan[name]]
    except (OSError, ValueError, AttributeError) as error:
        raise DatasetError(f'{path} is damaged: {error}; choose another folder') from error
    if not unlike:
        return None
    if not {'form', 'shard_size', 'images_sha256'} <= known.keys():
        raise DatasetError(f'{path} is not of this command: it says nothing of form, shard_size '
                           'and images_sha256; choose another folder')
    if 'images_sha256' in unlike and known.get('limit') == plan['limit']:
        return DatasetError(f'{out} is made of other images: {_change(out, listed)}; choose '
                            'another folder', cause='other_images')
    name = min(unlike, key=lambda n: n in ('shards', 'images', 'images_sha256', 'persons'))
    return DatasetError(
        f'{out} is made with {name} {known.get(name)!r}, this run has {plan[name]!r}: they '
        'would mix; choose another folder, or delete this one', cause='other_settings')


def _change(out: Path, listed: FaceImages) -> str:
    """Say in what a list of images differs from the one that a data set is made of."""
    try:
        before = [json.loads(line) for line in (out / LIST).read_text('ascii').splitlines()]
    except (OSError, ValueError):
        return f'its list {LIST} is damaged'
    known, now = set(before), set(listed.images)
    parts = [f'{len(names)} {what}, such as {min(names)}' for names, what in
             ((now - known, 'are new'), (known - now, 'are gone')) if names]
    return ', '.join(parts) or 'their order'


def _finish(out: Path, shards: int, made: int) -> AugmentReport:
    """Sum up all shards; with the last one, write the manifest of the whole."""
    heads, left_out = [], Counter[str]()
    for number in range(shards):
        if (known := read_done(out, number)) is not None:
            head, *lines = known
            heads.append(head)
            left_out.update(line['cause'] for line in lines if 'cause' in line)
    report = AugmentReport(shards, len(heads), made, sum(h['images'] for h in heads),
                           sum(h['faces'] for h in heads), dict(sorted(left_out.items())))
    if report.finished:
        engines = [json.loads(e) for e in sorted({json.dumps(h['engines'], sort_keys=True)
                                                  for h in heads})]
        if len(engines) > 1:
            _LOG.warning('the shards come from unlike engines: %s; name --backend and --precision '
                         'to have the same everywhere', engines)
        whole = {'images': report.images, 'faces': report.faces, 'left_out': report.left_out,
                 'shards': shards, 'engines': engines}
        content = json_lines([whole, *heads])
        with _writing(out):
            if not (out / MANIFEST).is_file() or (out / MANIFEST).read_bytes() != content:
                write_file(out / MANIFEST, content)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 0 = finished, 1 = an error, 3 = time is over before the end."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', help='folder with one sub-folder per person')
    parser.add_argument('out', help='folder of the data set; work in it is taken up')
    parser.add_argument('--workers', type=int, default=0,
                        help='processes (default: one for each CPU)')
    parser.add_argument('--ray', default='', metavar='ADDRESS|local',
                        help='work on this Ray cluster; local = start one of this machine')
    parser.add_argument('--shard-size', type=int, default=1000, help='images of a shard')
    parser.add_argument('--model', default='face_estimator', help='estimator')
    parser.add_argument('--detector', default='face_detector')
    parser.add_argument('--backend', choices=('auto', *BACKENDS), default='auto')
    parser.add_argument('--precision', choices=('auto', *PRECISIONS), default='auto')
    parser.add_argument('--limit', type=int, default=0, help='take the first so many images')
    parser.add_argument('--max-minutes', type=float, default=0.0,
                        help='begin no shard after that; run again to go on')
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    try:
        report = augment_dataset(
            options.images, options.out,
            AugmentSettings(options.shard_size, options.limit, options.workers, options.ray,
                            options.max_minutes),
            DescriberModels(options.model, options.detector, options.backend, options.precision))
    except FaceDepthError as error:
        parser.exit(1, f'{error}\n')
    except KeyboardInterrupt:
        parser.exit(130, 'interrupted; the same command goes on\n')
    causes = ', '.join(f'{count} {cause}' for cause, count in report.left_out.items()) or 'none'
    _LOG.info('%d faces of %d images in %d of %d shards; left out: %s', report.faces,
              report.images, report.done, report.shards, causes)
    if not report.finished:
        _LOG.info('unfinished; the same command goes on')
    return 0 if report.finished else _UNFINISHED


if __name__ == '__main__':
    raise SystemExit(main())

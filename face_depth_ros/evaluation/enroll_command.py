# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The command `gallery`, with what needs the recogniser beside what does not.

    gallery enroll --name NAME --images FOLDER|FILE ... [--model MODEL]
    gallery enroll --name NAME --bag BAG [--from S] [--to S] [--keep-days N]
    gallery enroll --name NAME --images FOLDER --existing replace
    gallery list | show | rename | keep | forget | ...
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
import sys

import cv2
from face_depth_ros.core.errors import DatasetError, FaceDepthError, GalleryError
from face_depth_ros.core.frames import Frame
from face_depth_ros.core.image_decoding import MAX_PIXELS, promised_size
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.gallery import command
from face_depth_ros.gallery.gallery import EXISTING, Existing
from face_depth_ros.gallery.people import checked_name
from face_depth_ros.predictors.estimator_methods import OURS
from face_depth_ros.predictors.face_embedder import SHIPPED
from face_depth_ros.predictors.face_recognizer import FaceRecognizer
from face_depth_ros.predictors.known_people import GalleryAccess
from face_depth_ros.predictors.pipeline import Pipeline
import numpy as np

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
_IMAGE_STEP_NS = 10**9
_FOR_EVER_S = 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    return command.main(arguments, [add_commands])


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add `enroll`."""
    parser = command.add_command(subparsers, 'enroll', _enroll,
                                 'introduce a person by images, or by the frames of a bag')
    parser.add_argument('--name', required=True, metavar='NAME')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--images', nargs='+', type=Path, metavar='FOLDER|FILE',
                        help='with the one person in each of them')
    source.add_argument('--bag', type=Path, metavar='BAG', help='rosbag2 folder or storage file')
    parser.add_argument('--from', type=float, default=0.0, dest='start', metavar='S',
                        help='seconds from the begin of the bag')
    parser.add_argument('--to', type=float, dest='end', metavar='S', help='default: its end')
    parser.add_argument('--templates', type=int, default=5, metavar='N',
                        help='at most so many views are kept (default: %(default)s)')
    parser.add_argument('--existing', default='refuse', choices=EXISTING,
                        help='if NAME is taken: refuse unless the face is seen to be the same '
                             '(default), add to the templates, or replace all of them; a face '
                             'that does not look like theirs is always refused')
    parser.add_argument('--keep-days', type=command.days, metavar='N',
                        help='forget the person after N days; default: never, or as it was')
    parser.add_argument('--model', default=SHIPPED, help='ModelSpec (default: %(default)s)')
    parser.add_argument('--backend', default='auto', choices=('auto', 'tensorrt', 'openvino'))


def image_files(paths: Sequence[Path]) -> list[Path]:
    """
    Return the images that are meant, those of folders by name.

    :raises DatasetError: a path is not there or cannot be read, or there is no image
    """
    found: list[Path] = []
    for path in paths:
        try:
            if path.is_dir():
                found += sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            elif path.is_file():
                found.append(path)
            else:
                raise DatasetError(f'{path} is not there; expected an image or a folder with '
                                   'images')
        except OSError as error:
            raise DatasetError(f'{path} cannot be read ({error.strerror}); expected an image or '
                               'a folder with images') from error
    if not found:
        raise DatasetError(f'no image in {", ".join(map(str, paths))}; expected files '
                           f'{" ".join(SUFFIXES)}')
    return found


def image_frames(files: Sequence[Path]) -> Iterator[Frame]:
    """
    Read images as frames one second apart, so that none continues another.

    :raises DatasetError: a file cannot be read, is no image, or has too many pixels
    """
    for i, file in enumerate(files):
        yield Frame(i * _IMAGE_STEP_NS, 'camera', _read_image(file))


def _read_image(file: Path) -> np.ndarray:
    """Return an image file as (H, W, 3) uint8 RGB; OpenCV takes no path that is not Unicode."""
    try:
        content = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError as error:
        raise DatasetError(f'{file} cannot be read ({error.strerror})') from error
    width, height = promised_size(content)
    if width * height > MAX_PIXELS:
        raise DatasetError(f'{file} has {width} x {height} pixels, expected at most {MAX_PIXELS} '
                           'in all; make it smaller')
    try:
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except cv2.error:
        image = None
    if image is None:
        raise DatasetError(f'{file} is no image that can be read')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def bag_frames(bag: Bag, start_s: float, end_s: float | None) -> Iterator[Frame]:
    """
    Read the frames of a part of a bag.

    :raises DatasetError: no frame lies in it
    """
    first: int | None = None
    count = 0
    for messages in bag.frames(bag.camera_topics()):
        first = messages.stamp_ns if first is None else first
        since = (messages.stamp_ns - first) * 1e-9
        if end_s is not None and since > end_s:
            break
        if since >= start_s:
            count += 1
            yield messages.decode()
    if not count:
        raise DatasetError(f'{bag.path} has no frame from {start_s:g} s to '
                           f'{"its end" if end_s is None else f"{end_s:g} s"}')


def enroll_frames(pipeline: Pipeline, recognizer: FaceRecognizer, frames: Iterator[Frame],
                  name: str, source: str, *, templates: int = 5, least_views: int = 1,
                  existing: Existing = 'refuse', retention_s: float | None = None) -> str:
    """
    Introduce a person by frames.

    :param pipeline: with this recogniser
    :param source: of the templates
    :param existing: as of `Enroller`, and `retention_s`
    :returns: 'ok NAME', or why nobody was enrolled
    """
    recognizer.begin_enrollment(name, seconds=_FOR_EVER_S, templates=templates,
                                least_views=least_views, source=source, existing=existing,
                                retention_s=retention_s)
    for frame in frames:
        pipeline.process(frame)
    enroller = recognizer.take_enrollment(at_once=True)
    return 'nobody is in view' if enroller is None else enroller.finish()


def _enroll(options: argparse.Namespace) -> int:
    """Enrol; 0 when it is done."""
    access = GalleryAccess('' if options.gallery is None else str(options.gallery),
                           '' if options.key_file is None else str(options.key_file),
                           options.plain, options.allow_temporary)
    checked_name(options.name)
    files = image_files(options.images) if options.images else []
    _check_gallery(access)
    kept = {'templates': options.templates, 'existing': options.existing,
            'retention_s': options.keep_days}
    # Of a bag the same depth is looked at as on a robot; images have none.
    pipeline = Pipeline.open(method='None' if files else 'network', backend=options.backend,
                             estimator=OURS)
    try:
        pipeline.recognizer = recognizer = FaceRecognizer.open(
            options.model, options.backend, access=access, watch=False)
        if files:
            line = enroll_frames(pipeline, recognizer, image_frames(files), options.name,
                                 'image', **kept)
        else:
            with Bag(options.bag) as bag:
                line = enroll_frames(
                    pipeline, recognizer, bag_frames(bag, options.start, options.end),
                    options.name, f'bag:{options.bag.name}', least_views=2, **kept)
    finally:
        pipeline.close()
    if not line.startswith('ok '):
        raise FaceDepthError(f'{options.name} was not enrolled: {line}', cause='enrollment')
    command.say(f'{line}\n')
    return 0


def _check_gallery(access: GalleryAccess) -> None:
    """
    Say what is wrong with the gallery before any model is loaded.

    One that is not there is made with the first person. Who is to be forgotten is forgotten here,
    so that nobody whose time is over stands in the way.

    :raises GalleryError: as `Gallery.open`
    """
    try:
        with access.open(create=False, read_only=False) as gallery:
            command.forget_overdue(gallery)
    except GalleryError as error:
        if error.cause != 'gallery_missing':
            raise


if __name__ == '__main__':
    sys.exit(main())

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The people of a gallery as a recogniser sees them, kept up to date beside the frames.

Frames are compared with a snapshot in memory. A thread looks for changes twice a second; where
the gallery cannot be read, or cannot be trusted, the snapshot is empty: nobody is let in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import threading
import time
from typing import Any

from face_depth_ros.core.errors import FaceDepthError, GalleryError
from face_depth_ros.core.identity_calibration import modalities_key
from face_depth_ros.core.joined_vectors import JoinedVectors
from face_depth_ros.gallery.gallery import Existing, Gallery
from face_depth_ros.gallery.keys import find_key
from face_depth_ros.gallery.people import Template
from face_depth_ros.gallery.search import FaceIndex
import numpy as np

LOOK_S = 0.5
RETRY_S = 2.0
_NOTHING = 1e-6
"""Square of the length of a part that is missing, at most."""
_LENGTH_ERROR = 2e-3
OpenGallery = Callable[..., Gallery]
"""Opens the gallery; takes `create` and `read_only` of `Gallery.open`."""


@dataclass(frozen=True)
class Candidate:
    """
    A person that a face resembles.

    :param cosine: over the modalities that both have
    :param modalities: which these are, a key of the calibration
    """

    name: str
    cosine: float
    modalities: str


@dataclass(frozen=True)
class Snapshot:
    """
    The gallery at one moment; nothing of it changes.

    :param indices: of templates that hold the same modalities, by them
    :param names: everybody who can be recognised
    :param templates: how many of them there are
    :param stale: how many templates are of other models
    :param revision: of the gallery, -1 where none could be read
    """

    indices: Mapping[frozenset[str], FaceIndex] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    templates: int = 0
    stale: int = 0
    revision: int = -1


EMPTY = Snapshot()


@dataclass(frozen=True)
class GalleryAccess:
    """
    Where the gallery is and how it opens.

    :param path: '' = the default place
    :param key_file: '' = the key in the environment
    :param plain: not encrypted
    :param allow_temporary: also under /tmp; for tests
    """

    path: str = ''
    key_file: str = ''
    plain: bool = False
    allow_temporary: bool = False

    def open(self, *, create: bool, read_only: bool) -> Gallery:
        """
        Open it.

        :raises GalleryError: as `Gallery.open`
        """
        if self.plain and self.key_file:
            raise GalleryError('the gallery was given a key file and asked for plain storage; '
                               'choose one of both', cause='gallery_key')
        key = None if self.plain else find_key(self.key_file or None)
        return Gallery.open(self.path or None, key=key, plain=self.plain, create=create,
                            read_only=read_only, allow_temporary=self.allow_temporary)


class KnownPeople:
    """
    Follows a gallery.

    :param open_gallery: for instance `GalleryAccess.open`
    :param model_hash: of the model whose templates are compared
    :param layout: of joined vectors
    :param watch: look for changes on a thread of its own; else only `refresh` does
    """

    def __init__(self, open_gallery: OpenGallery, model_hash: str, layout: JoinedVectors, *,
                 watch: bool = True) -> None:
        self._open_gallery, self._model_hash, self._layout = open_gallery, model_hash, layout
        self._snapshot = EMPTY
        self._problem: tuple[str, str] | None = None
        self._gallery: Gallery | None = None
        self._expires_ns: int | None = None
        self._newest: dict[bytes, int] = {}
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._retry_at = 0.0
        self.refresh()
        self._thread = None
        if watch:
            self._thread = threading.Thread(target=self._watch, name='gallery watch', daemon=True)
            self._thread.start()

    @property
    def snapshot(self) -> Snapshot:
        """The people as last read; empty where that failed."""
        return self._snapshot

    @property
    def problem(self) -> tuple[str, str] | None:
        """Cause and message of why nobody can be recognised, None when all is well."""
        return self._problem

    def refresh(self) -> None:
        """Look for changes and follow them; errors become the `problem`."""
        with self._lock:
            try:
                self._follow()
                self._problem = None
            except FaceDepthError as error:
                self._lose(error.cause, str(error))
            except Exception as error:  # noqa: BLE001  (whatever it is: nobody is let in)
                self._lose('gallery', f'the gallery cannot be read: {error!r}')

    def search(self, vector: np.ndarray, modalities: frozenset[str], count: int = 2,
               snapshot: Snapshot | None = None) -> list[Candidate]:
        """
        Return the people most alike, each by the best of the templates.

        :param vector: (D,) float32, joined as of `Embedding`
        :param snapshot: None = the present one
        :returns: at most `count` of them for each set of modalities, best cosine first
        """
        best: dict[str, Candidate] = {}
        for held, index in (snapshot or self._snapshot).indices.items():
            shared = held & modalities
            if not shared:
                continue
            query = self._layout.query(vector, shared)
            for match in index.search(query, count)[0]:
                found = Candidate(match.name, float(np.clip(match.cosine, -1.0, 1.0)),
                                  modalities_key(shared))
                if match.name not in best or best[match.name].cosine < found.cosine:
                    best[match.name] = found
        return sorted(best.values(), key=lambda c: -c.cosine)

    def enroll(self, name: str, templates: Sequence[Template], *, add: bool = False,
               existing: Existing = 'refuse', retention_s: float | None = None) -> None:
        """
        Write a person into the gallery, which is made where there is none.

        Whose time is over is removed from the file by the way.

        :param add: to the templates that a person of this name has
        :param existing: what else to do with a person of this name, as of `Gallery.enroll`
        :param retention_s: as of `Gallery.enroll`
        :raises GalleryError: as `Gallery.enroll` and `Gallery.open`
        """
        with self._open_gallery(create=True, read_only=False) as gallery:
            gallery.forget_expired()
            gallery.enroll(name, templates, retention_s=retention_s,
                           existing='add' if add and existing == 'refuse' else existing)
        self._retry_at = 0.0
        self.refresh()

    def close(self) -> None:
        """Stop following; nobody is known any more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10.0)
        with self._lock:
            self._snapshot = EMPTY
            self._close_gallery()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.refresh()

    def _follow(self) -> None:
        if self._gallery is None:
            if self._problem is not None and time.monotonic() < self._retry_at:
                raise GalleryError(self._problem[1], cause=self._problem[0])
            self._gallery = self._open_gallery(create=False, read_only=True)
        revision = self._gallery.revision
        identity = self._gallery.identity
        newest = self._newest.get(identity, revision)
        if revision < newest:
            raise GalleryError(
                f'the gallery {self._gallery.path} is at revision {revision}, and was at {newest} '
                'before: an old copy was put in its place; put the newer one back, or start anew '
                'to trust this one', cause='gallery_tampered')
        self._newest[identity] = revision
        over = self._expires_ns is not None and time.time_ns() >= self._expires_ns
        if revision != self._snapshot.revision or over:
            self._snapshot, self._expires_ns = self._read(self._gallery)

    def _read(self, gallery: Gallery) -> tuple[Snapshot, int | None]:
        """Read all templates of the model; returns them and when the first of them expires."""
        groups: dict[frozenset[str], list[tuple[list[str], np.ndarray]]] = {}
        rest: dict[str, Any] = {}
        names: set[str] = set()
        rows = 0
        dimensions = self._layout.dimensions
        for owners, vectors in gallery.template_blocks(self._model_hash, rest=rest):
            if vectors.shape[1] != dimensions:
                raise GalleryError(
                    f'the gallery {gallery.path} has templates of {vectors.shape[1]} dimensions '
                    f'for the model of {dimensions}; enrol these people again',
                    cause='gallery_template')
            self._check_parts(gallery, owners, vectors)
            names.update(owners)
            rows += len(owners)
            for held, chosen in self._by_modalities(vectors).items():
                groups.setdefault(held, []).append(
                    ([owners[i] for i in chosen], vectors[chosen]))
        indices = {held: FaceIndex.build(dimensions, blocks) for held, blocks in groups.items()}
        counts = gallery.manifest().models
        stale = sum(count for model, (count, _) in counts.items() if model != self._model_hash)
        return (Snapshot(indices, frozenset(names), rows, stale, rest['revision']),
                rest['next_expiry_ns'])

    def _check_parts(self, gallery: Gallery, owners: Sequence[str], vectors: np.ndarray) -> None:
        """Refuse templates one of whose parts is too long or too short: cosines would be false."""
        for modality, part in self._layout.parts.items():
            length = np.linalg.norm(self._layout.split(vectors, modality), axis=1)
            good = (np.square(vectors[:, part]).sum(axis=1) <= _NOTHING) | (
                np.abs(length - 1.0) < _LENGTH_ERROR)
            if not good.all():
                worst = int(np.flatnonzero(~good)[0])
                raise GalleryError(
                    f'the gallery {gallery.path} has a template of {owners[worst]!r} whose '
                    f'{modality} has length {float(length[worst]):.4g}, expected 1: no recogniser '
                    'made it; forget this person and enrol them again', cause='gallery_template')

    def _by_modalities(self, vectors: np.ndarray) -> dict[frozenset[str], np.ndarray]:
        """Return the rows that hold each set of modalities."""
        code = np.zeros(len(vectors), np.int64)
        for bit, part in enumerate(self._layout.parts.values()):
            code |= (np.square(vectors[:, part]).sum(axis=1) > _NOTHING).astype(np.int64) << bit
        keys = list(self._layout.parts)
        return {frozenset(m for bit, m in enumerate(keys) if c >> bit & 1):
                np.flatnonzero(code == c) for c in np.unique(code).tolist() if c}

    def _lose(self, cause: str, message: str) -> None:
        """Let nobody in any more."""
        if self._gallery is not None or self._problem is None or (
                time.monotonic() >= self._retry_at):
            self._retry_at = time.monotonic() + RETRY_S
        self._snapshot, self._problem, self._expires_ns = EMPTY, (cause, message), None
        self._close_gallery()

    def _close_gallery(self) -> None:
        gallery, self._gallery = self._gallery, None
        if gallery is not None:
            gallery.close()

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Whose template is nearest: cosines of a face with everybody in a gallery.

Small galleries are searched exactly. In large ones every template is looked at too, by four-bit
product codes that take half a byte for two dimensions; the best candidates are then measured
exactly on vectors in half precision. Nothing is left out by a coarse partition, so recall does not
depend on how the people are distributed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
import threading
from typing import NamedTuple

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.gallery import Gallery
import faiss
import numpy as np

EXACT_ROWS = 20_000
"""
Up to here every template is compared as it is: 2 ms a query, IndexFlatIP.

At 100,000 rows of 256 dimensions that takes 8.6 ms on one core; the limit is 5.
"""

CODE_DIMENSIONS = 2
"""
Dimensions per four-bit code, IndexPQFastScan: 64 bytes a template of 256 dimensions.

With 4 the scan is 1.6 times as fast, but for strangers, whose nearest template is hardly nearer
than the next hundred, recall at 1 in 1,000,000 is 0.92 for 100 candidates; with 2 it is 0.998.
"""

CANDIDATES = 128
"""Rows measured exactly after the scan: recall at 1 of 0.99 and more from 50 on."""

CANDIDATES_PER_PERSON = 32
"""More of them where several people are asked for, who may have 16 templates each."""

TRAINING_ROWS = 65_536
"""For 16 centres per code: 256 rows a centre are enough for k-means, this is plenty."""

SEED = 1
_CHUNK_ROWS = 65_536


class Match(NamedTuple):
    """
    A person that a face resembles.

    :param cosine: with the person's nearest template, -1 to 1
    """

    name: str
    cosine: float


class FaceIndex:
    """
    Templates of one model, searchable. Several threads may search; changes wait for them.

    The same rows in the same order give the same results. `add` and `remove` keep it up to date
    without reading the gallery again; what is removed is gone from memory as well.

    :param dimensions: of a vector, 2 to 512
    """

    def __init__(self, dimensions: int) -> None:
        if not 2 <= dimensions <= 512:
            raise GalleryError(f'got {dimensions} dimensions for an index, expected 2 to 512',
                               cause='gallery_index')
        self.dimensions = dimensions
        self._names: list[str] = []
        self._number: dict[str, int] = {}
        self._owner = np.empty(0, np.int32)
        self._most_templates = 0
        self._chunks: list[np.ndarray] = []
        self._scan: faiss.Index = faiss.IndexFlatIP(dimensions)
        self._lock = threading.RLock()

    @staticmethod
    def build(dimensions: int, blocks: Iterable[tuple[Sequence[str], np.ndarray]]) -> FaceIndex:
        """
        Make an index of all rows of all blocks.

        :param blocks: names, and vectors (n, D)
        """
        index = FaceIndex(dimensions)
        owners = []
        for names, vectors in blocks:
            owners.append(index._owners(names))
            for start in range(0, len(names), _CHUNK_ROWS):
                index._chunks.append(
                    index._checked(vectors, len(names))[start:start + _CHUNK_ROWS])
                if sum(map(len, index._chunks)) > EXACT_ROWS:
                    index._chunks = [chunk.astype(np.float16, copy=False)
                                     for chunk in index._chunks]
        index._owner = np.concatenate([index._owner, *owners])
        index._renew()
        return index

    @staticmethod
    def of_gallery(gallery: Gallery, model_hash: str, dimensions: int) -> FaceIndex:
        """
        Make an index of a gallery's templates of one model, of people not expired.

        :raises GalleryError: also if the gallery was tampered with; then there is no index
        """
        with closing(gallery.template_blocks(model_hash)) as blocks:
            return FaceIndex.build(dimensions, blocks)

    def __len__(self) -> int:
        return len(self._owner)

    @property
    def people(self) -> int:
        with self._lock:
            return len(self._number)

    @property
    def kind(self) -> str:
        """What it is made of, for reports."""
        if self._is_exact:
            return 'IndexFlatIP (exact)'
        codes = -(-self.dimensions // CODE_DIMENSIONS)
        return f'IndexPQFastScan {codes} x 4 bit, {CANDIDATES} candidates measured in float16'

    def search(self, queries: np.ndarray, k: int = 1) -> list[list[Match]]:
        """
        Find the people nearest to each face.

        :param queries: (B, D) or (D,), as `Template.vector`
        :param k: number of people wanted, >= 1
        :returns: for each query up to k people, nearest first, nobody twice
        :raises GalleryError: another number of dimensions, or values that are not finite
        """
        queries = np.atleast_2d(np.asarray(queries, np.float32))
        queries = self._checked(queries, len(queries))
        if k < 1:
            raise GalleryError(f'got k = {k}, expected at least 1', cause='gallery_index')
        with self._lock:
            if not len(self) or not len(queries):
                return [[] for _ in queries]
            rows = k * self._most_templates
            if not self._is_exact:
                rows = max(CANDIDATES, CANDIDATES_PER_PERSON * k, rows)
            rows = min(len(self), rows)
            with _one_thread():
                cosines, found = self._scan.search(self._padded(queries), rows)
            if not self._is_exact:
                cosines = np.stack([self._gathered(f) @ q
                                    for q, f in zip(queries, found, strict=True)])
            return [self._matches(c, f, k) for c, f in zip(cosines, found, strict=True)]

    def add(self, names: Sequence[str], vectors: np.ndarray) -> None:
        """
        Add templates, to new people or to known ones.

        :param vectors: (n, D)
        """
        vectors = self._checked(vectors, len(names))
        with self._lock:
            if not len(names):
                return
            self._owner = np.concatenate([self._owner, self._owners(names)])
            self._chunks.append(vectors)
            if self._is_exact and len(self) > EXACT_ROWS:
                self._renew()
                return
            if not self._is_exact:
                self._chunks[-1] = vectors.astype(np.float16)
            with _one_thread():
                self._scan.add(self._padded(vectors))
            self._count_most()

    def remove(self, name: str) -> int:
        """
        Remove a person.

        :returns: number of templates removed, 0 if there is no such person
        """
        with self._lock:
            number = self._number.pop(name, None)
            if number is None:
                return 0
            self._names[number] = ''
            gone = self._owner == number
            self._owner = self._owner[~gone]
            start = 0
            for i, chunk in enumerate(self._chunks):
                of_chunk = gone[start:start + len(chunk)]
                start += len(chunk)
                if of_chunk.any():
                    self._chunks[i] = chunk[~of_chunk]
            self._scan.remove_ids(faiss.IDSelectorBatch(np.flatnonzero(gone)))
            if isinstance(self._scan, faiss.IndexPQFastScan):
                with _one_thread():
                    self._clear_tail(self._scan)
            self._count_most()
            return int(gone.sum())

    @property
    def _is_exact(self) -> bool:
        return isinstance(self._scan, faiss.IndexFlatIP)

    def _renew(self) -> None:
        """Make what is scanned from the vectors."""
        self._count_most()
        with _one_thread():
            self._fill()

    def _fill(self) -> None:
        if len(self) <= EXACT_ROWS:
            self._scan = faiss.IndexFlatIP(self.dimensions)
        else:
            self._chunks = [chunk.astype(np.float16, copy=False) for chunk in self._chunks]
            codes = -(-self.dimensions // CODE_DIMENSIONS)
            self._scan = faiss.IndexPQFastScan(
                codes * CODE_DIMENSIONS, codes, 4, faiss.METRIC_INNER_PRODUCT)
            self._scan.pq.cp.seed = SEED
            rows = np.arange(len(self))
            if len(rows) > TRAINING_ROWS:
                rows = np.random.default_rng(SEED).choice(len(rows), TRAINING_ROWS, replace=False)
            self._scan.train(self._padded(self._gathered(np.sort(rows))))
        for chunk in self._chunks:
            self._scan.add(self._padded(chunk.astype(np.float32)))

    def _clear_tail(self, scan: faiss.IndexPQFastScan) -> None:
        """
        Write the last codes anew after rows were removed.

        FAISS leaves old codes behind the last row, and mixes them into those added later.
        """
        blocks = len(self) // scan.bbs
        codes = faiss.rev_swig_ptr(scan.codes.get(), scan.codes.size())
        codes[blocks * scan.bbs * scan.M2 // 2:] = 0
        rows = np.arange(blocks * scan.bbs, len(self))
        scan.ntotal = blocks * scan.bbs
        if len(rows):
            scan.add(self._padded(self._gathered(rows)))

    def _gathered(self, rows: np.ndarray) -> np.ndarray:
        """Return some vectors, (n, D) float32."""
        ends = np.cumsum([len(chunk) for chunk in self._chunks])
        chunk_of = np.searchsorted(ends, rows, side='right')
        out = np.empty((len(rows), self.dimensions), np.float32)
        for i in np.unique(chunk_of):
            here = chunk_of == i
            chunk = self._chunks[i]
            out[here] = chunk[rows[here] - (ends[i] - len(chunk))]
        return out

    def _padded(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors with as many dimensions as are scanned, contiguous float32."""
        missing = self._scan.d - vectors.shape[1]
        if missing:
            vectors = np.pad(vectors, ((0, 0), (0, missing)))
        return np.ascontiguousarray(vectors, np.float32)

    def _matches(self, cosines: np.ndarray, rows: np.ndarray, k: int) -> list[Match]:
        matches: dict[str, float] = {}
        # Equal ones in the order of the gallery.
        for i in np.lexsort((rows, -cosines)):
            name = self._names[self._owner[rows[i]]]
            if name not in matches:
                matches[name] = float(cosines[i])
                if len(matches) == k:
                    break
        return [Match(name, cosine) for name, cosine in matches.items()]

    def _owners(self, names: Sequence[str]) -> np.ndarray:
        """Return the number of each name, given to new ones here."""
        numbers = np.empty(len(names), np.int32)
        for i, name in enumerate(names):
            number = self._number.get(name)
            if number is None:
                number = self._number[name] = len(self._names)
                self._names.append(name)
            numbers[i] = number
        return numbers

    def _count_most(self) -> None:
        self._most_templates = int(np.bincount(self._owner).max()) if len(self._owner) else 0

    def _checked(self, vectors: np.ndarray, count: int) -> np.ndarray:
        """Return a copy of ours, float32."""
        vectors = np.array(vectors, np.float32)
        if vectors.shape != (count, self.dimensions):
            raise GalleryError(f'got vectors of shape {vectors.shape}, expected ({count}, '
                               f'{self.dimensions}); take them from the model of this index',
                               cause='gallery_index')
        if not np.isfinite(vectors).all():
            raise GalleryError('got a vector that is not finite; such a face is nobody',
                               cause='gallery_index')
        return vectors


@contextmanager
def _one_thread() -> Iterator[None]:
    """
    Let FAISS work in the calling thread.

    Its many short parallel parts wait for each other: on two cores that others use too, training
    took 10 s instead of 1, and a search no less. The setting belongs to the calling thread.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Measure the search among many people.

    python -m face_depth_ros.gallery.search_benchmark --people 100000 1000000

Embeddings are drawn as recognisers make them: variance falls from dimension to dimension, and
people come in groups that resemble each other. Half of the queries are known faces, at a cosine
of 0.6 to 0.8 to their template, the other half strangers, whose nearest template is hardly nearer
than the next ones. Recall is the share whose nearest template the index finds; the truth is
computed by brute force in float32. Every size is measured in a process of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
import json
from multiprocessing import get_context
import os
from pathlib import Path
import sys
import time

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.gallery.search import FaceIndex
import numpy as np

_DECAY = 0.7
"""Variance of dimension k is k^-0.7: 256 dimensions spread like 80 equal ones."""

_GROUPS = 64
_GROUP_SPREAD = 0.5
_COSINES = (0.6, 0.8)
_BLOCK = 65_536
_WARM_UP = 20


@dataclass(frozen=True)
class SearchBenchmark:
    """
    One size, measured.

    :param milliseconds_median: of one query at a time in one thread, as `milliseconds_p95`
    :param build_seconds: drawing the embeddings included
    :param memory_mib: by which the process grew for the index, names included
    :param peak_mib: largest size of the process while building and searching, all included
    :param recall_known: recall at 1 against exact search, of known faces
    :param rank_1: share of known faces whose own template is found
    """

    people: int
    dimensions: int
    queries: int
    index: str
    milliseconds_median: float
    milliseconds_p95: float
    memory_mib: float
    peak_mib: float
    recall_known: float
    recall_strangers: float
    rank_1: float
    build_seconds: float

    @property
    def recall_at_1(self) -> float:
        """Of all queries, half of them known faces."""
        return (self.recall_known + self.recall_strangers) / 2


class _Population:
    """Where people are drawn from; the same for the same seed, block by block."""

    def __init__(self, dimensions: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        axes = np.linalg.qr(generator.normal(size=(dimensions, dimensions)))[0]
        spread = (np.arange(dimensions) + 1.0) ** (-_DECAY / 2)
        self._mixing = (spread[:, None] * axes).astype(np.float32)
        self._groups = _GROUP_SPREAD * generator.standard_normal(
            (_GROUPS, dimensions), dtype=np.float32)
        self._seed = seed

    def draw(self, count: int, number: int) -> np.ndarray:
        """Return one block, (count, D) float32 of length 1."""
        generator = np.random.default_rng((self._seed, number))
        faces = generator.standard_normal((count, len(self._mixing)), dtype=np.float32)
        faces += self._groups[generator.integers(_GROUPS, size=count)]
        return _unit(faces @ self._mixing)

    def blocks(self, people: int) -> Iterator[tuple[list[str], np.ndarray]]:
        """Return all people in blocks, one template each."""
        for start in range(0, people, _BLOCK):
            count = min(_BLOCK, people - start)
            yield [f'person {i}' for i in range(start, start + count)], \
                self.draw(count, start // _BLOCK)


def benchmark_search(people: int, dimensions: int = 256, queries: int = 1000, seed: int = 1
                     ) -> SearchBenchmark:
    """
    Measure one size, in a fresh process so that nothing else counts into its memory.

    :param people: with one template each
    :param queries: half of them known faces, half strangers
    :raises SettingsError: a number out of its range
    """
    if not (people >= 2 and 2 <= dimensions <= 512 and queries >= 2):
        raise SettingsError(f'got people = {people}, dimensions = {dimensions}, queries = '
                            f'{queries}, expected at least 2, 2 to 512, and at least 2')
    with get_context('spawn').Pool(1) as pool:
        return pool.apply(_measure, (people, dimensions, queries, seed))


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    :param arguments: None = those of the process
    :returns: exit status
    """
    parser = argparse.ArgumentParser('search_benchmark', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--people', type=int, nargs='+', default=[100_000, 1_000_000])
    parser.add_argument('--dimensions', type=int, default=256)
    parser.add_argument('--queries', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers there too')
    options = parser.parse_args(arguments)
    results = []
    for people in options.people:
        try:
            result = benchmark_search(people, options.dimensions, options.queries, options.seed)
        except SettingsError as error:
            sys.stderr.write(f'error: {error}\n')
            return 1
        results.append(result)
        sys.stdout.write(
            f'{people} people, {result.dimensions} dimensions: {result.index}\n'
            f'  {result.milliseconds_median:.2f} ms a query (95 %: '
            f'{result.milliseconds_p95:.2f} ms), in one thread\n'
            f'  {result.memory_mib:.0f} MiB for the index, {result.peak_mib:.0f} MiB at most\n'
            f'  recall at 1: {result.recall_at_1:.4f} (known {result.recall_known:.4f}, strangers '
            f'{result.recall_strangers:.4f}); rank 1 of known {result.rank_1:.4f}\n'
            f'  built in {result.build_seconds:.1f} s\n')
        sys.stdout.flush()
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    return 0


def _measure(people: int, dimensions: int, queries: int, seed: int) -> SearchBenchmark:
    population = _Population(dimensions, seed)
    known, strangers, owners = _queries(population, people, queries, seed)
    faces = np.concatenate([known, strangers])
    warm = FaceIndex.build(dimensions, population.blocks(1000))  # What FAISS needs once.
    warm.search(faces[:2])
    before = _memory_mib('VmRSS')
    start = time.perf_counter()
    index = FaceIndex.build(dimensions, population.blocks(people))
    build_seconds = time.perf_counter() - start
    times, found = [], []
    for face in [*faces[:_WARM_UP], *faces]:
        start = time.perf_counter()
        match, = index.search(face)
        times.append(time.perf_counter() - start)
        found.append(match[0].name)
    memory, peak = _memory_mib('VmRSS') - before, _memory_mib('VmHWM')
    milliseconds = np.array(times[_WARM_UP:]) * 1e3
    names = np.array(found[_WARM_UP:])
    kind = index.kind
    del index
    nearest = np.array([f'person {i}' for i in _exact(population, people, faces)])
    right = names == nearest
    half = len(known)
    return SearchBenchmark(
        people, dimensions, len(faces), kind,
        float(np.median(milliseconds)), float(np.percentile(milliseconds, 95)), memory, peak,
        float(right[:half].mean()), float(right[half:].mean()),
        float((names[:half] == np.array([f'person {i}' for i in owners])).mean()), build_seconds)


def _queries(population: _Population, people: int, queries: int, seed: int
             ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return known faces (Q/2, D), strangers (Q/2, D), and the numbers of the known."""
    generator = np.random.default_rng((seed, 2**31))
    owners = np.sort(generator.choice(people, min(queries // 2, people), replace=False))
    templates = np.concatenate([
        population.draw(min(_BLOCK, people - b * _BLOCK), int(b))[owners[owners // _BLOCK == b]
                                                                 % _BLOCK]
        for b in np.unique(owners // _BLOCK)])
    others = population.draw(len(owners), 2**31)
    others = _unit(others - (others * templates).sum(1, keepdims=True) * templates)
    cosines = generator.uniform(*_COSINES, (len(owners), 1)).astype(np.float32)
    known = cosines * templates + np.sqrt(1 - cosines ** 2) * others
    return known, population.draw(len(owners), 2**31 + 1), owners


def _exact(population: _Population, people: int, faces: np.ndarray) -> np.ndarray:
    """Return the number of the person nearest to each face, (Q,)."""
    best, nearest = np.full(len(faces), -2.0), np.zeros(len(faces), np.int64)
    for start in range(0, people, _BLOCK):
        block = population.draw(min(_BLOCK, people - start), start // _BLOCK)
        cosines = faces @ block.T  # (Q, n)
        here = cosines.argmax(1)
        value = cosines[np.arange(len(faces)), here]
        better = value > best
        best[better], nearest[better] = value[better], start + here[better]
    return nearest


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _memory_mib(which: str) -> float:
    """Return a line of the kernel's record of this process: VmRSS now, VmHWM at most."""
    for line in Path(f'/proc/{os.getpid()}/status').read_text().splitlines():
        if line.startswith(which):
            return int(line.split()[1]) / 1024
    return float('nan')


if __name__ == '__main__':
    sys.exit(main())

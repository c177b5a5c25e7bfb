# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What a gallery holds: people, their templates, and the rules for names and templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
import re
import time
import unicodedata

from face_depth_ros.core.errors import GalleryError
import numpy as np

UNKNOWN = 'unknown'
"""Reserved: what a recogniser calls everybody else."""

LONGEST_NAME = 100
LONGEST_TEXT = 1000
MOST_DIMENSIONS = 512
LEAST_LENGTH, MOST_LENGTH = 0.01, 1.001
"""Of a vector: 1, or less where some of the joined modalities are missing; what each weighs is the
model's (core/joined_vectors.py)."""

LONGEST_RETENTION_S = 36500 * 86400.0
"""A hundred years."""

_JOINERS = '\u200c\u200d'
_BLANKS = '\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0'
"""Letters and a symbol by Unicode's categories, but drawn as nothing, or as a space."""

_UNSEEN = re.compile(f'[{_JOINERS}\u034f\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]')
"""
Drawn as nothing: joiners and variation selectors, which at most shape what stands beside them.

They are kept, because Persian, Japanese and emoji need them, and do not tell names apart.
"""

_SHA256 = re.compile('[0-9a-f]{64}')


@dataclass(frozen=True)
class Template:
    """
    What a recognition model made of one face.

    :param vector: (D,) float32, of length 1; shorter where a modality is missing
    :param quality: 0 to 1
    :param model_hash: of the model's files and of how it is fed (face_embedder.model_hash_of), hex
    :param source: 'live', 'image:...' or 'bag:...'
    :param created_ns: UTC, nanoseconds
    :raises GalleryError: any of them out of its range
    """

    vector: np.ndarray
    quality: float
    model_hash: str
    model_name: str = ''
    source: str = 'live'
    created_ns: int = field(default_factory=time.time_ns)

    def __post_init__(self) -> None:
        vector = np.array(self.vector, dtype=np.float32)  # a copy of our own
        if vector.ndim != 1 or not 2 <= len(vector) <= MOST_DIMENSIONS:
            raise _template_error(f'a vector of shape {vector.shape}',
                                  f'(D,), D from 2 to {MOST_DIMENSIONS}')
        length = float(np.linalg.norm(vector.astype(np.float64)))
        if not LEAST_LENGTH <= length <= MOST_LENGTH:  # NaN as well
            raise _template_error(f'a vector of length {length:.4g}',
                                  f'{LEAST_LENGTH} to {MOST_LENGTH}')
        vector.flags.writeable = False
        object.__setattr__(self, 'vector', vector)
        if not 0 <= self.quality <= 1:
            raise _template_error(f'quality {self.quality}', '0 to 1')
        if not _SHA256.fullmatch(self.model_hash):
            raise _template_error(f'model hash {self.model_hash!r}', '64 lower-case hex digits')
        if not 0 <= self.created_ns < 2**63:
            raise _template_error(f'created_ns {self.created_ns}', '0 to 2^63')
        for text in (self.model_name, self.source):
            if len(text.encode('utf-8', 'surrogatepass')) > LONGEST_TEXT:
                raise _template_error(f'a text of {len(text)} characters',
                                      f'at most {LONGEST_TEXT} bytes')


@dataclass(frozen=True)
class Person:
    """
    A person as listed.

    :param enrolled_ns: UTC, nanoseconds; as `changed_ns`, the last time templates came in
    :param expires_ns: from then on never recognised, and removed by `forget_expired`; None = never
    :param models: number of templates by model hash
    """

    name: str
    enrolled_ns: int
    changed_ns: int
    expires_ns: int | None
    models: dict[str, int]

    @property
    def templates(self) -> int:
        return sum(self.models.values())

    def is_expired(self, now_ns: int) -> bool:
        return self.expires_ns is not None and self.expires_ns <= now_ns


@dataclass(frozen=True)
class ModelTemplates:
    """
    All templates of one model, of people that are not expired.

    :param names: of each row
    :param vectors: (N, D) float32
    :param revision: of the gallery when they were read
    :param next_expiry_ns: when the first of these people expires; read again then; None = never
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    revision: int
    next_expiry_ns: int | None


def checked_name(name: str) -> str:
    """
    Return a name in the form in which it is kept: Unicode NFC, no white space around.

    :raises GalleryError: empty, too long, reserved, or with characters that cannot be seen
    """
    kept = unicodedata.normalize('NFC', name).strip()
    hidden = next((c for c in kept if c in _BLANKS or (c not in _JOINERS and (
        unicodedata.category(c)[0] == 'C' or unicodedata.category(c) in ('Zl', 'Zp')))), None)
    problem = ''
    if not 1 <= len(kept) <= LONGEST_NAME:
        problem = f'it has {len(kept)} characters, expected 1 to {LONGEST_NAME}'
    elif hidden is not None:
        problem = f'it holds the invisible character U+{ord(hidden):04X}'
    elif not skeleton(kept):
        problem = 'nothing of it can be seen'
    elif skeleton(unicodedata.normalize('NFKC', kept)).casefold() == UNKNOWN:
        problem = f'{UNKNOWN!r} is what everybody else is called'
    if problem:
        raise GalleryError(f'{name[:LONGEST_NAME]!r} cannot be a name: {problem}; choose another',
                           cause='gallery_name')
    return kept


def skeleton(name: str) -> str:
    """Return a name without what is drawn as nothing; two people's differ in it."""
    return _UNSEEN.sub('', name).strip()


def keep_best(templates: Sequence[Template], limit: int) -> list[int]:
    """
    Choose which templates of one model stand for a person: good ones that differ.

    The best in quality first, then each time the one with the largest product of its quality and
    its distance, 1 - cosine, from those chosen.

    :returns: indices of at most `limit`, in the order of `templates`
    """
    if len(templates) <= limit:
        return list(range(len(templates)))
    vectors = np.stack([t.vector for t in templates])
    quality = np.array([max(t.quality, 1e-6) for t in templates])
    chosen = [int(np.argmax(quality))]
    nearest = vectors @ vectors[chosen[0]]
    while len(chosen) < limit:
        value = quality * np.clip(1 - nearest, 1e-6, None)
        value[chosen] = -1
        chosen.append(int(np.argmax(value)))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return sorted(chosen)


def _template_error(got: str, expected: str) -> GalleryError:
    return GalleryError(f'no template to enrol: got {got}, expected {expected}; take it from the '
                        'recogniser as it is', cause='gallery_template')

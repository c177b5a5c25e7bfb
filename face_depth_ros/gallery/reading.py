# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What is read from a whole gallery; every row is checked on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import time
from typing import Any

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.ledger import Ledger, PersonRow
from face_depth_ros.gallery.people import Person
from face_depth_ros.gallery.records import unpack_template, unpack_vector
from face_depth_ros.gallery.store import Store
import numpy as np

BLOCK_ROWS = 65536


@dataclass(frozen=True)
class GalleryReport:
    """
    What was read and found in order.

    :param models: number of templates by model hash
    :param created_ns: UTC, nanoseconds
    """

    people: int
    templates: int
    models: dict[str, int]
    revision: int
    created_ns: int


def as_person(row: PersonRow, models: dict[str, int]) -> Person:
    """Return a person as listed."""
    return Person(row.name, row.enrolled_ns, row.changed_ns, row.expires_ns, models)


def all_people(ledger: Ledger) -> list[Person]:
    """Return everybody by name."""
    found: dict[int, PersonRow] = {}
    models: dict[int, dict[str, int]] = {}
    for person, template in ledger.checked_rows():
        if person is not None:
            found[person.row], models[person.row] = person, {}
        elif template is not None:
            of_person = models.setdefault(template[0], {})
            of_person[template[1]] = of_person.get(template[1], 0) + 1
    return sorted((as_person(row, models[i]) for i, row in found.items()),
                  key=lambda person: person.name)


def template_blocks(ledger: Ledger, model_hash: str, now_ns: int | None,
                    rest: dict[str, Any] | None) -> Iterator[tuple[list[str], np.ndarray]]:
    """
    Read the vectors of one model, of people not expired.

    :param now_ns: None = the clock
    :param rest: gets `revision` and `next_expiry_ns` at the end
    :returns: names, and vectors (n, D) float32, n <= 65536
    """
    now = time.time_ns() if now_ns is None else now_ns
    people: dict[int, str] = {}
    expiries: list[int] = []
    names: list[str] = []
    vectors: list[np.ndarray] = []
    for person, template in ledger.checked_rows():
        if person is not None:
            if person.expires_ns is not None and person.expires_ns <= now:
                continue
            people[person.row] = person.name
            if person.expires_ns is not None:
                expiries.append(person.expires_ns)
        elif template is not None and template[1] == model_hash and template[0] in people:
            names.append(people[template[0]])
            vectors.append(unpack_vector(template[2]))
            if len(names) == BLOCK_ROWS:
                yield names, np.stack(vectors)
                names, vectors = [], []
    if names:
        yield names, np.stack(vectors)
    if rest is not None:
        rest.update(revision=ledger.manifest.revision,
                    next_expiry_ns=min(expiries, default=None))


def checked_report(store: Store, ledger: Ledger) -> GalleryReport:
    """
    Read everything, with SQLite's own check before.

    :raises GalleryError: anything that is not as it was written
    """
    if problems := store.integrity():
        raise GalleryError(f'the gallery {store.path} is damaged: {problems[0]}; take the '
                           'last export into a new one', cause='gallery_damaged')
    models: dict[str, int] = {}
    for _, template in ledger.checked_rows():
        if template is not None:
            unpack_template(template[2], template[1])
            models[template[1]] = models.get(template[1], 0) + 1
    manifest = ledger.manifest
    return GalleryReport(manifest.people, manifest.templates, models, manifest.revision,
                         ledger.created_ns)

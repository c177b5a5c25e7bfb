# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""People and templates as bytes, before they are sealed."""

from __future__ import annotations

import struct

from face_depth_ros.gallery.people import Template
import numpy as np

_PERSON = struct.Struct('<qqq')
"""Enrolled, changed, expires; -1 = never."""

_TEMPLATE = struct.Struct('<dqHHH')
"""Quality, created, dimensions, bytes of the source, bytes of the model's name."""


def pack_person(name: str, enrolled_ns: int, changed_ns: int, expires_ns: int | None) -> bytes:
    """Return a person as bytes."""
    expires = -1 if expires_ns is None else expires_ns
    return _PERSON.pack(enrolled_ns, changed_ns, expires) + name.encode()


def unpack_person(payload: bytes) -> tuple[str, int, int, int | None]:
    """
    Return name, enrolled_ns, changed_ns, expires_ns.

    :raises ValueError: no person
    """
    try:
        enrolled, changed, expires = _PERSON.unpack_from(payload)
    except struct.error as error:
        raise ValueError('too short for a person') from error
    return payload[_PERSON.size:].decode(), enrolled, changed, None if expires < 0 else expires


def pack_template(template: Template) -> bytes:
    """Return all of a template but its model hash as bytes."""
    source, model = _bytes(template.source), _bytes(template.model_name)
    head = _TEMPLATE.pack(template.quality, template.created_ns, len(template.vector),
                          len(source), len(model))
    return head + source + model + template.vector.astype('<f4').tobytes()


def unpack_template(payload: bytes, model_hash: str) -> Template:
    """
    Return a template.

    :raises ValueError: no template
    :raises GalleryError: a template with impossible values
    """
    try:
        quality, created, size, source_size, model_size = _TEMPLATE.unpack_from(payload)
    except struct.error as error:
        raise ValueError('too short for a template') from error
    source = _TEMPLATE.size
    model = source + source_size
    if len(payload) != model + model_size + 4 * size:
        raise ValueError(f'{len(payload)} bytes for a template of {size} dimensions')
    return Template(unpack_vector(payload), quality, model_hash,
                    _text(payload[model:model + model_size]),
                    _text(payload[source:model]), created)


def unpack_vector(payload: bytes) -> np.ndarray:
    """
    Return the vector of a template alone, (D,) float32.

    :raises ValueError: no template
    """
    size = int.from_bytes(payload[16:18], 'little')
    if not size or len(payload) < _TEMPLATE.size + 4 * size:
        raise ValueError(f'{len(payload)} bytes for a template of {size} dimensions')
    return np.frombuffer(payload, '<f4', size, len(payload) - 4 * size)


def _bytes(text: str) -> bytes:
    return text.encode('utf-8', 'surrogatepass')  # file names need not be Unicode


def _text(content: bytes) -> str:
    return content.decode('utf-8', 'surrogatepass')

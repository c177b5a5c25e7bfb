# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How records are made unreadable and unchangeable.

With a key: AES-256-GCM, a random nonce for each record, bound to the row it stands in; names are
found by a keyed hash. A keyed sum over all rows shows rows that were taken out, doubled or put
back. Without a key the same places hold plain bytes and checksums, which show damage, not intent.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES, CHECK_BYTES = 12, 16
SUM_MODULUS = 1 << 256


class SealBrokenError(Exception):
    """A record is not what was sealed for its place."""


class Seal(ABC):
    """
    One way to seal records.

    A place is the bytes that name where a record stands: table, row, gallery. A record opens in
    its place alone.
    """

    @abstractmethod
    def seal(self, place: bytes, payload: bytes) -> bytes:
        """Return the record of a payload."""

    @abstractmethod
    def unseal(self, place: bytes, record: bytes) -> bytes:
        """
        Return the payload of a record.

        :raises SealBrokenError: changed, or of another place or key
        """

    @abstractmethod
    def leaf(self, place: bytes, record: bytes) -> int:
        """Return what one row adds to the sum over all rows, modulo `SUM_MODULUS`."""

    @abstractmethod
    def tag(self, name: str) -> bytes:
        """Return under what a name is found, the same for equal names."""

    @abstractmethod
    def check(self) -> bytes:
        """Return what shows whether a key is the right one."""


class KeySeal(Seal):
    """
    Sealing with a key.

    :param key: 32 bytes
    :param salt: of the gallery or export; its keys are derived from both
    """

    def __init__(self, key: bytes, salt: bytes) -> None:
        keys = HKDF(SHA256(), 128, salt, b'face_depth_ros gallery 1').derive(key)
        self._cipher = AESGCM(keys[:32])
        self._tag_key, self._sum_key, self._check = keys[32:64], keys[64:96], keys[96:112]

    def seal(self, place: bytes, payload: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, payload, place)

    def unseal(self, place: bytes, record: bytes) -> bytes:
        try:
            return self._cipher.decrypt(record[:NONCE_BYTES], record[NONCE_BYTES:], place)
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError from error

    def leaf(self, place: bytes, record: bytes) -> int:
        return int.from_bytes(hmac.digest(self._sum_key, _joined(place, record), 'sha256'), 'big')

    def tag(self, name: str) -> bytes:
        return hmac.digest(self._tag_key, _encoded(name), 'sha256')

    def check(self) -> bytes:
        return self._check


class PlainSeal(Seal):
    """Plain bytes and checksums."""

    def seal(self, place: bytes, payload: bytes) -> bytes:
        return payload + self._checksum(place, payload)

    def unseal(self, place: bytes, record: bytes) -> bytes:
        payload = record[:-CHECK_BYTES]
        if len(record) < CHECK_BYTES or record[-CHECK_BYTES:] != self._checksum(place, payload):
            raise SealBrokenError
        return payload

    def leaf(self, place: bytes, record: bytes) -> int:
        return int.from_bytes(hashlib.sha256(_joined(place, record)).digest(), 'big')

    def tag(self, name: str) -> bytes:
        return _encoded(name)

    def check(self) -> bytes:
        return b''

    @staticmethod
    def _checksum(place: bytes, payload: bytes) -> bytes:
        return hashlib.sha256(_joined(place, payload)).digest()[:CHECK_BYTES]


def _encoded(name: str) -> bytes:
    return name.encode('utf-8', 'surrogatepass')  # What is looked up may be anything.


def _joined(place: bytes, content: bytes) -> bytes:
    return len(place).to_bytes(4, 'big') + place + content

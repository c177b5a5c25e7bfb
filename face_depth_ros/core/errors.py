# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Every exception of the package; a message says what was wrong, got, expected, and what to do."""

from __future__ import annotations


class FaceDepthError(Exception):
    """
    Base of all errors that this package raises on purpose.

    `cause` is a short snake_case key, the same for every instance of one cause, under which
    diagnostics count the error.
    """

    cause = 'error'

    def __init__(self, message: str, *, cause: str | None = None) -> None:
        super().__init__(message)
        if cause is not None:
            self.cause = cause


class InvalidImageError(FaceDepthError):
    """An image message or array has a wrong size, step, length, encoding or shape."""

    cause = 'invalid_image'


class InvalidDepthError(InvalidImageError):
    """A depth image cannot be what it says: colourised, all invalid, wrong unit, wrong size."""

    cause = 'invalid_depth'


class InvalidCameraInfoError(FaceDepthError):
    """Camera intrinsics are missing, zero, or do not fit the image."""

    cause = 'invalid_camera_info'


class InvalidFaceBoxError(FaceDepthError):
    """A face box is not finite, has no size, or lies outside the image."""

    cause = 'invalid_face_box'


class AlignmentError(FaceDepthError):
    """Points to be aligned do not fit each other, or do not fix the alignment."""

    cause = 'alignment'


class StampError(FaceDepthError):
    """Stamps repeat where they must not, or do not belong together."""

    cause = 'stamp'


class ModelSpecError(FaceDepthError):
    """A model's YAML is missing, incomplete, or does not fit what uses it."""

    cause = 'model_spec'


class ModelFileError(FaceDepthError):
    """A model's ONNX file is missing, corrupted, or not the one its spec describes."""

    cause = 'model_file'


class EngineError(FaceDepthError):
    """An engine could not be built or loaded, or was fed inputs that it does not take."""

    cause = 'engine'


class BackendUnavailableError(EngineError):
    """The requested inference backend is not usable on this machine."""

    cause = 'backend_unavailable'


class FilterError(FaceDepthError):
    """A hand-crafted depth filter could not be made or run."""

    cause = 'filter'


class BagError(FaceDepthError):
    """A bag cannot be read or written, or lacks a needed topic."""

    cause = 'bag'


class DatasetError(FaceDepthError):
    """A dataset's folder or file is missing, unreadable, or not of its known layout."""

    cause = 'dataset'


class AssetsError(FaceDepthError):
    """The assets for synthesis are missing or incomplete."""

    cause = 'assets'


class SettingsError(FaceDepthError):
    """Settings or parameters contradict each other or leave their range."""

    cause = 'settings'


class ScoreError(FaceDepthError):
    """Scores of face comparisons are too few, not finite, or do not belong together."""

    cause = 'scores'


class GalleryError(FaceDepthError):
    """
    The gallery of known people could not do what it was asked for; nothing in it has changed.

    Causes: `gallery_name`, `gallery_name_taken`, `gallery_unknown_person`, `gallery_template`;
    `gallery_place`, `gallery_missing`, `gallery_permissions`, `gallery_read_only`,
    `gallery_locked`, `gallery_full`, `gallery_replaced`, `gallery_closed`; `gallery_key`,
    `gallery_storage`, `gallery_schema`, `gallery_file`, `gallery_damaged`, `gallery_tampered`;
    `gallery_transfer`, `gallery_index`. With `gallery_purge` the change was made, but old bytes
    still lie in the file.
    """

    cause = 'gallery'

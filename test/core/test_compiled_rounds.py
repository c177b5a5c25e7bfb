# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The compiled rounds of a fit say what those in NumPy say; without them NumPy does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import logging
from pathlib import Path
import sysconfig

from drawn_shapes import MODES, MOODS, seen_surface, shape_arrays
from face_depth_ros.core import compiled_rounds, native_library, shape_fitting
from face_depth_ros.core.face_surface import FaceSurface
from face_depth_ros.core.shape_fitting import ShapeFit
from face_depth_ros.core.shape_model import ShapeModel
import numpy as np
import pytest

PEOPLE = np.random.default_rng(4).standard_normal((3, MODES)).clip(-2.0, 2.0)
MOOD = np.array([1.0, -1.0, 0.5])[:MOODS]


@pytest.fixture(scope='module')
def compiled() -> ShapeModel:
    assert compiled_rounds.rounds_library() is not None, 'set-up did not build the rounds'
    return ShapeModel(shape_arrays())


@pytest.fixture(scope='module')
def in_numpy() -> ShapeModel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shape_fitting, 'rounds_library', lambda: None)
        return ShapeModel(shape_arrays())


def seen(number: int, **options: object) -> FaceSurface:
    return seen_surface(PEOPLE[number], MOOD, **options)


def with_hole(surface: FaceSurface) -> FaceSurface:
    depth = surface.depth.copy()
    depth[20:40, 30:50] = np.nan
    return replace(surface, depth=depth)


def with_landmarks_off(surface: FaceSurface) -> FaceSurface:
    off = 0.02 * np.random.default_rng(0).standard_normal((68, 2))
    return replace(surface, landmarks=surface.landmarks + off)


@pytest.mark.parametrize('surface', [
    seen(0), seen(1, yaw=0.4, position=(0.1, -0.05, 0.6), noise=0.001),
    seen(2, yaw=-0.3, position=(-0.1, 0.02, 1.4), noise=0.002, seed=3), with_hole(seen(0)),
    with_landmarks_off(seen(1))])
def test_both_say_the_same(compiled: ShapeModel, in_numpy: ShapeModel,
                           surface: FaceSurface) -> None:
    first, second = compiled.fit(surface), in_numpy.fit(surface)
    assert first is not None and second is not None and first.good
    assert abs(first.points - second.points) <= 1  # one may lie on a gate
    for name, tolerance in (('identity', 0.02), ('expression', 0.02), ('rotation', 1e-3),
                            ('position', 2e-5), ('landmarks', 1e-4), ('residual_m', 1e-5)):
        one, other = getattr(first, name), getattr(second, name)
        np.testing.assert_allclose(one, other, atol=tolerance, err_msg=name)
        assert np.asarray(one).dtype == np.asarray(other).dtype


@pytest.mark.parametrize('spoil', [
    lambda s: replace(s, depth=np.full_like(s.depth, np.nan)),
    lambda s: replace(s, depth=s.depth + np.float32(np.inf)),
    lambda s: replace(s, depth=np.where(np.arange(s.depth.size).reshape(s.depth.shape) % 97,
                                        np.nan, s.depth).astype(np.float32)),
    lambda s: replace(s, landmarks=s.landmarks + 5.0),
    lambda s: replace(s, landmarks=np.where(np.arange(68)[:, None] == 3, np.nan, s.landmarks))])
def test_both_refuse_the_same(compiled: ShapeModel, in_numpy: ShapeModel,
                              spoil: Callable[[FaceSurface], FaceSurface]) -> None:
    surface = spoil(seen(0))
    assert compiled.fit(surface) is None and in_numpy.fit(surface) is None


def test_several_threads_fit_at_once(compiled: ShapeModel) -> None:
    surfaces = [seen(number % 3, yaw=0.1 * number) for number in range(6)]
    alone = [identity_of(compiled.fit(surface)) for surface in surfaces]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for one, other in zip(alone, pool.map(compiled.fit, surfaces), strict=True):
                np.testing.assert_array_equal(one, identity_of(other))


def identity_of(fit: ShapeFit | None) -> np.ndarray:
    assert fit is not None
    return fit.identity


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Yield an empty folder where compiled libraries are looked for."""
    monkeypatch.setattr(native_library, 'FOLDER', tmp_path)
    for cached in (native_library.native_library, compiled_rounds.rounds_library):
        cached.cache_clear()
    yield tmp_path
    for cached in (native_library.native_library, compiled_rounds.rounds_library):
        cached.cache_clear()


@pytest.mark.usefixtures('no_library')
def test_a_library_that_was_not_built_is_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert compiled_rounds.rounds_library() is None
        fit = ShapeModel(shape_arrays()).fit(seen(0))
    assert fit is not None and fit.good and not caplog.records


def test_a_library_that_is_damaged_is_named(no_library: Path,
                                            caplog: pytest.LogCaptureFixture) -> None:
    suffix = sysconfig.get_config_var('EXT_SUFFIX')
    damaged = no_library / f'_shape_fitting{suffix}'
    damaged.write_text('no library')
    with caplog.at_level(logging.WARNING):
        assert compiled_rounds.rounds_library() is None
    assert str(damaged) in caplog.text and 'install the package again' in caplog.text

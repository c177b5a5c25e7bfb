# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The verifier's predictor on a small graph whose answer is known."""

from __future__ import annotations

from collections.abc import Iterator
import hashlib
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import InvalidDepthError, ModelSpecError
from face_depth_ros.predictors.depth_verifier import DepthVerifier
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import pytest
import yaml

SIZE = 96


def write_model(folder: Path, **changes: Any) -> Path:
    """Write a model whose similarity is 1 - |difference of the means| / 255."""
    value = helper.make_tensor_value_info
    shape = ['n', 1, SIZE, SIZE]
    nodes = [helper.make_node('Sub', ['first', 'second'], ['difference']),
             helper.make_node('ReduceMean', ['difference'], ['mean'], axes=[2, 3], keepdims=0),
             helper.make_node('Abs', ['mean'], ['distance']),
             helper.make_node('Div', ['distance', 'scale'], ['part']),
             helper.make_node('Sub', ['one', 'part'], ['similarity'])]
    graph = helper.make_graph(
        nodes, 'net', [value(n, TensorProto.FLOAT, shape) for n in ('first', 'second')],
        [value('similarity', TensorProto.FLOAT, ['n', 1])],
        [numpy_helper.from_array(np.float32([v]), n) for n, v in (('scale', 255.0),
                                                                  ('one', 1.0))])
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    content = model.SerializeToString()
    (folder / 'verifier.onnx').write_bytes(content)

    def tensor(name: str, shape: list[int]) -> dict[str, Any]:
        return {'name': name, 'dtype': 'float32', 'shape': shape, 'layout': 'NCHW', 'unit': '1',
                'range': None, 'meaning': 'test'}

    spec = {'name': 'verifier', 'task': 'test', 'source': 'test', 'license': 'MIT',
            'onnx': 'verifier.onnx', 'sha256': hashlib.sha256(content).hexdigest(), 'opset': 17,
            'inputs': [tensor(n, [-1, 1, SIZE, SIZE]) for n in ('first', 'second')],
            'outputs': [tensor('similarity', [-1, 1])], 'normalisation': {},
            'precisions': ['fp32'], 'trained': {}, 'parity': {}, 'metrics': {},
            'limits': {'threshold': 0.5}, **changes}
    path = folder / 'verifier.yaml'
    path.write_text(yaml.safe_dump(spec), encoding='utf-8')
    return path


@pytest.fixture(scope='module')
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DepthVerifier]:
    opened = DepthVerifier(str(write_model(tmp_path_factory.mktemp('model'))), 'openvino')
    yield opened
    opened.close()


def images(*values: float) -> np.ndarray:
    return np.stack([np.full((SIZE, SIZE), v, np.float32) for v in values])


def test_each_pair_gets_its_own_answer(verifier: DepthVerifier) -> None:
    likeness = verifier.similarity(images(0, 255, 51), images(0, 0, 102))
    assert likeness.dtype == np.float32
    np.testing.assert_allclose(likeness, [1.0, 0.0, 0.8], atol=1e-5)
    assert (verifier.size, verifier.threshold) == (SIZE, 0.5)


def test_more_pairs_than_one_run_takes_keep_their_order(verifier: DepthVerifier) -> None:
    values = np.arange(130) % 100
    likeness = verifier.similarity(images(*values), images(*np.zeros(130)))
    np.testing.assert_allclose(likeness, 1.0 - values / 255.0, atol=1e-4)


def test_whole_numbers_and_no_pairs_are_taken(verifier: DepthVerifier) -> None:
    grey = images(0, 51).astype(np.uint8)
    np.testing.assert_allclose(verifier.similarity(grey[:1], grey[1:]), [0.8], atol=1e-5)
    assert verifier.similarity(grey[:0], grey[:0]).shape == (0,)


@pytest.mark.parametrize(('first', 'second', 'message'), [
    (images(1)[:, :95], images(1), r'first images .* shape \(1, 95, 96\)'),
    (images(1), images(1)[0], r'second images .* shape \(96, 96\)'),
    (images(1).astype(np.float64), images(1), 'float64, expected .* float32 or uint8'),
    (images(1, 2), images(1), 'got 2 first and 1 second'),
    (images(1), images(256), 'second images .* from 256.0 to 256.0'),
    (images(-1), images(0), 'first images .* expected grey depth of 0 to 255'),
    (images(np.nan), images(0), 'first images .* from nan to nan')])
def test_other_arrays_are_refused(verifier: DepthVerifier, first: np.ndarray, second: np.ndarray,
                                  message: str) -> None:
    with pytest.raises(InvalidDepthError, match=message):
        verifier.similarity(first, second)


def test_models_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelSpecError, match='no model named') as caught:
        DepthVerifier('no_such_verifier')
    assert caught.value.cause == 'model_missing'
    shape = {'dtype': 'float32', 'layout': 'NCHW', 'unit': '1', 'range': None, 'meaning': 'test'}
    one = [{'name': 'first', 'shape': [-1, 1, SIZE, SIZE], **shape}]
    for inputs in (one, [*one, {'name': 'second', 'shape': [-1, 1, SIZE, SIZE + 1], **shape}],
                   [*one, {'name': 'second', 'shape': [-1, 3, SIZE, SIZE], **shape}],
                   [*one, {'name': 'other', 'shape': [-1, 1, SIZE, SIZE], **shape}]):
        with pytest.raises(ModelSpecError, match='expected first and second'):
            DepthVerifier(str(write_model(tmp_path, inputs=inputs)))
    with pytest.raises(ModelSpecError, match='threshold is None, expected a number'):
        DepthVerifier(str(write_model(tmp_path, limits={})))

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The OpenVINO engine against ONNX's own reference evaluator, and its errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
import subprocess
import sys
from typing import Any

from face_depth_ros.core.errors import EngineError, ModelFileError, ModelSpecError
from face_depth_ros.engines import open_engine
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
import openvino as ov
import pytest
from small_network import conv_model, feeds, quantised_model

TOLERANCE = {'fp32': 1e-5, 'bf16': 6e-2}
"""bfloat16 has 8 bits: 2^-8 of sums up to about 8."""


def cpu_has(precision: str) -> bool:
    """Whether this machine's CPU runs it."""
    names = {'bf16': 'BF16', 'fp16': 'FP16', 'fp32': 'FP32'}
    return names[precision] in ov.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')


@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
@pytest.mark.parametrize('max_batch', [None, 2])
def test_agrees_with_the_reference_evaluator(make_spec: Any, precision: str,
                                             max_batch: int | None) -> None:
    spec = make_spec()
    reference = ReferenceEvaluator(onnx.load_from_string(conv_model()))
    if not cpu_has(precision):
        with pytest.raises(EngineError, match=f'cannot run {precision}'):
            open_engine(spec, 'openvino', precision)
        return
    with open_engine(spec, 'openvino', precision, max_batch=max_batch) as engine:
        assert engine.precision == precision
        for batch in (1, 2, 5, 1):
            expected = reference.run(['out', 'mean'], feeds(batch, batch))
            got = engine(feeds(batch, batch))
            for name, value in zip(('out', 'mean'), expected, strict=True):
                assert got[name].dtype == np.float32 and got[name].shape == value.shape
                np.testing.assert_allclose(got[name], value, atol=TOLERANCE[precision])


def test_auto_is_the_best_that_spec_and_cpu_allow(make_spec: Any) -> None:
    best = 'bf16' if cpu_has('bf16') else 'fp16' if cpu_has('fp16') else 'fp32'
    with open_engine(make_spec(), 'openvino') as engine:
        assert engine.precision == best and f'openvino ({best})' in engine.choice
    with open_engine(make_spec(precisions=['fp32']), 'openvino') as engine:
        assert engine.precision == 'fp32'


def test_int8_of_a_network_that_is_not_quantised(make_spec: Any) -> None:
    spec = make_spec(precisions=['int8', 'fp32'])
    with open_engine(spec, 'openvino') as engine:
        assert engine.precision == 'fp32'  # what runs, not what the spec hopes for
    with pytest.raises(EngineError, match='asked to run in int8 .* but runs in fp32'):
        open_engine(spec, 'openvino', 'int8')


def test_quantised_network_runs_in_int8(make_spec: Any) -> None:
    tensors = {key: [vars(t) | {'shape': shape} for t in getattr(make_spec(), key)[:1]]
               for key, shape in (('inputs', [-1, 2, 16, 16]), ('outputs', [-1, 32, 16, 16]))}
    spec = make_spec(quantised_model(), precisions=['int8'], **tensors)
    image = {'image': feeds(3)['image']}
    expected = ReferenceEvaluator(onnx.load_from_string(quantised_model())).run(['out'], image)[0]
    with open_engine(spec, 'openvino') as engine:
        assert engine.precision == 'int8'
        np.testing.assert_allclose(engine(image)['out'], expected, atol=0.02)


def test_says_what_it_has(make_spec: Any) -> None:
    with open_engine(make_spec(), 'openvino') as engine:
        assert [(t.name, t.dtype, t.shape) for t in engine.inputs] == [
            ('image', np.float32, (-1, 2, 16, 16)), ('gain', np.float32, (-1, 1))]
        assert [(t.name, t.shape) for t in engine.outputs] == [
            ('out', (-1, 2, 16, 16)), ('mean', (-1,))]
        assert engine.backend == 'openvino' and engine.device.endswith('threads')


def test_inputs_may_be_views_and_outputs_are_owned(make_spec: Any) -> None:
    with open_engine(make_spec(), 'openvino', 'fp32') as engine:
        wide = np.random.default_rng(1).random((2, 16, 16, 2), np.float32)
        image = wide.transpose(0, 3, 1, 2)
        image.flags.writeable = False
        gain = np.ones((2, 1), np.float32)
        first = engine({'image': image, 'gain': gain})['out']
        kept = first.copy()
        dense = engine({'image': np.ascontiguousarray(image), 'gain': gain})['out']
        np.testing.assert_array_equal(dense, kept)
        engine(feeds(2, 7))
        np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize('batch', [1, 2, 5])
def test_work_of_the_caller_is_done_meanwhile(make_spec: Any, batch: int) -> None:
    done: list[int] = []
    with open_engine(make_spec(), 'openvino', 'fp32', max_batch=2) as engine:
        got = engine(feeds(batch, 3), lambda: done.append(batch))
        assert done == [batch]
        for name, value in engine(feeds(batch, 3)).items():
            np.testing.assert_array_equal(got[name], value)

        def fail() -> None:
            raise KeyError('work')
        with pytest.raises(KeyError, match='work'):
            engine(feeds(batch, 4), fail)
        np.testing.assert_array_equal(engine(feeds(batch, 3))['out'], got['out'])


def test_one_alone_is_as_one_of_many(make_spec: Any) -> None:
    with open_engine(make_spec(), 'openvino', 'fp32') as engine:
        many = engine(feeds(3, 5))
        for i in range(3):
            alone = engine({name: array[i:i + 1] for name, array in feeds(3, 5).items()})
            np.testing.assert_allclose(alone['out'][0], many['out'][i], atol=1e-6)


def test_calls_from_many_threads(make_spec: Any) -> None:
    with open_engine(make_spec(), 'openvino', 'fp32') as engine:
        expected = [engine(feeds(1 + i % 3, i))['out'] for i in range(24)]
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(lambda i: engine(feeds(1 + i % 3, i))['out'], range(24)))
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize('change, message', [
    ({'image': None}, r"given the inputs \['gain'\], expected \['gain', 'image'\]"),
    ({'extra': np.zeros(1)}, r"given the inputs \['extra', 'gain', 'image'\]"),
    ({'image': np.zeros((1, 2, 16, 16))}, "'image' of model net is float64, expected a float32"),
    ({'image': [[1.0]]}, "'image' of model net is list, expected a float32"),
    ({'image': np.zeros((1, 2, 16, 15), np.float32)}, r'shape \(1, 2, 16, 15\), expected \(-1, 2'),
    ({'image': np.zeros((2, 16, 16), np.float32)}, r'shape \(2, 16, 16\), expected'),
    ({'image': np.zeros((0, 2, 16, 16), np.float32)}, r'shape \(0, 2, 16, 16\), expected'),
    ({'gain': np.zeros((2, 1), np.float32)}, "differ in batch: {'image': 1, 'gain': 2}")])
def test_bad_inputs(make_spec: Any, change: dict[str, Any], message: str) -> None:
    with open_engine(make_spec(), 'openvino') as engine:
        inputs = {k: v for k, v in (feeds(1) | change).items() if v is not None}
        with pytest.raises(EngineError, match=message):
            engine(inputs)
        assert engine(feeds(1))['mean'].shape == (1,)


def test_closed_engine(make_spec: Any) -> None:
    engine = open_engine(make_spec(), 'openvino')
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match='engine of model net is closed'):
        engine(feeds(1))


@pytest.mark.parametrize('precision, message', [
    ('fp64', "may not run in 'fp64', its spec allows fp32, bf16"),
    ('int8', "may not run in 'int8'")])
def test_precision_that_the_spec_does_not_allow(make_spec: Any, precision: str,
                                                message: str) -> None:
    with pytest.raises(EngineError, match=message):
        open_engine(make_spec(), 'openvino', precision)


def test_damaged_model_files(make_spec: Any) -> None:
    spec = make_spec()
    content = spec.onnx.read_bytes()
    spec.onnx.write_bytes(content[:-100])
    with pytest.raises(ModelFileError, match='the file is corrupted or not the one described'):
        open_engine(spec, 'openvino')
    spec.onnx.unlink()
    with pytest.raises(ModelFileError, match='cannot read .*No such file'):
        open_engine(spec, 'openvino')
    for rubbish in (content[:len(content) // 2], b'', b'rubbish' * 50):
        with pytest.raises(ModelFileError, match='is not an ONNX file that OpenVINO'):
            open_engine(make_spec(rubbish), 'openvino')


@pytest.mark.parametrize('key, index, field, value', [
    ('inputs', 0, 'name', 'picture'), ('inputs', 0, 'dtype', 'uint8'),
    ('inputs', 0, 'shape', [-1, 2, 16, 17]), ('inputs', 1, 'shape', [-1]),
    ('outputs', 0, 'shape', [-1, 1, 16, 16]), ('outputs', 1, 'name', 'average')])
def test_network_that_is_not_its_spec(make_spec: Any, key: str, index: int, field: str,
                                      value: Any) -> None:
    tensors = [vars(t) | {'shape': list(t.shape)} for t in getattr(make_spec(), key)]
    tensors[index][field] = value
    with pytest.raises(ModelSpecError, match=f'the network has the {key} .*its spec says'):
        open_engine(make_spec(**{key: tensors}), 'openvino')


_AT_ONCE = """
import sys, threading
sys.setswitchinterval(1e-6)
from face_depth_ros.engines import openvino_engine
import numpy as np
import openvino as ov
start = threading.Barrier(8)

def work():
    start.wait()
    for _ in range(50):
        ov.Type.f32.to_dtype()
    ov.Tensor(np.zeros(1, np.float32)).data

threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print('done')
"""


def test_threads_that_begin_at_once_do_not_wait_for_each_other() -> None:
    """Without what the module does at its import, seven of eight such processes stood still."""
    for _ in range(3):
        done = subprocess.run([sys.executable, '-c', _AT_ONCE], capture_output=True, text=True,
                              timeout=120, check=True)
        assert done.stdout == 'done\n'

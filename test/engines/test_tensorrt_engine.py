# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The TensorRT engine over stand-ins that are strict about order and memory, and on a GPU."""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
from types import SimpleNamespace
from typing import TYPE_CHECKING

from face_depth_ros.core.errors import EngineError, ModelFileError, ModelSpecError
from face_depth_ros.engines import open_engine
import numpy as np
import pytest
from small_network import conv_model, feeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from face_depth_ros.core.model_spec import ModelSpec

    MakeSpec = Callable[..., ModelSpec]


def test_agrees_with_openvino_for_every_batch_size(fake_gpu: SimpleNamespace,
                                                   make_spec: MakeSpec) -> None:
    spec = make_spec()
    with open_engine(spec, 'tensorrt', 'fp32') as engine, \
            open_engine(spec, 'openvino', 'fp32') as reference:
        for batch in (1, 3, 1, 4, 9, 2, 9):
            got, expected = engine(feeds(batch, batch)), reference(feeds(batch, batch))
            for name in ('out', 'mean'):
                np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=1e-5)


def test_each_batch_size_is_captured_once_and_replayed(fake_gpu: SimpleNamespace,
                                                       make_spec: MakeSpec) -> None:
    with open_engine(make_spec(), 'tensorrt') as engine:
        for _ in range(3):
            for batch in (1, 2):
                engine(feeds(batch))
        calls = fake_gpu.cudart.calls
        assert calls.count('cudaStreamBeginCapture') == 2
        assert calls.count('cudaGraphLaunch') == 2 * 3 - 1  # warm-up was the first run of batch 1
    # The first run of a size is enqueued plainly, before anything is captured.
    first = calls.index('cudaStreamBeginCapture')
    assert 'cudaMemcpyAsync' in calls[:first] and 'cudaStreamSynchronize' in calls[:first]


def test_work_of_the_caller_is_done_between_launch_and_waiting(fake_gpu: SimpleNamespace,
                                                               make_spec: MakeSpec) -> None:
    calls: list[str] = fake_gpu.cudart.calls
    seen: list[str] = []
    with open_engine(make_spec(), 'tensorrt', 'fp32') as engine:
        for _ in range(2):  # of the first run of a batch of 2, and of its graph
            got = engine(feeds(2, 3), lambda: seen.append(calls[-1]))
            np.testing.assert_array_equal(got['out'], engine(feeds(2, 3))['out'])
        assert len(seen) == 2 and seen[1] == 'cudaGraphLaunch'

        def fail() -> None:
            raise KeyError('work')
        with pytest.raises(KeyError, match='work'):
            engine(feeds(2, 4), fail)
        assert calls[-1] == 'cudaStreamSynchronize'
        np.testing.assert_array_equal(engine(feeds(2, 3))['out'], got['out'])


def test_outputs_belong_to_the_caller(fake_gpu: SimpleNamespace, make_spec: MakeSpec) -> None:
    with open_engine(make_spec(), 'tensorrt') as engine:
        first = engine(feeds(1, 0))
        kept = first['out'].copy()
        engine(feeds(1, 1))
        np.testing.assert_array_equal(first['out'], kept)
    np.testing.assert_array_equal(first['out'], kept)


def test_fixed_batch_needs_no_profile(fake_gpu: SimpleNamespace, make_spec: MakeSpec) -> None:
    with open_engine(make_spec(conv_model(2), batch=2), 'tensorrt') as engine:
        assert engine.max_batch == 2 and engine(feeds(2))['mean'].shape == (2,)
        with pytest.raises(EngineError, match=r'shape \(1, 2, 16, 16\), expected \(2, 2, 16'):
            engine(feeds(1))


def test_works_without_a_graph_and_says_so_once(fake_gpu: SimpleNamespace, make_spec: MakeSpec,
                                                caplog: pytest.LogCaptureFixture) -> None:
    error = fake_gpu.cudart.cudaError_t.cudaErrorStreamCaptureUnsupported
    fake_gpu.cudart.fail['cudaStreamEndCapture'] = error
    with open_engine(make_spec(), 'tensorrt', 'fp32') as engine:
        first = engine(feeds(1))
        np.testing.assert_array_equal(first['out'], engine(feeds(1))['out'])
    assert caplog.text.count('runs without a CUDA graph on batches of 1') == 1
    assert 'cudaErrorStreamCaptureUnsupported' in caplog.text


@pytest.mark.parametrize('version, wanted, runs', [
    ('8.6.0', 'auto', 'fp16'), ('8.6.0', 'fp32', 'fp32'), ('10.3.0', 'bf16', 'bf16'),
    ('10.3.0', 'auto', 'fp16'), ('11.0.0', 'auto', 'fp32'), ('11.0.0', 'fp32', 'fp32')])
def test_precisions_of_the_releases(monkeypatch: pytest.MonkeyPatch, version: str, wanted: str,
                                    runs: str, request: pytest.FixtureRequest,
                                    make_spec: MakeSpec) -> None:
    monkeypatch.setenv('FAKE_TENSORRT', version)
    fake = request.getfixturevalue('fake_gpu')
    with open_engine(make_spec(), 'tensorrt', wanted) as engine:
        assert engine.precision == runs
        assert f'TensorRT {version}' in engine.device and 'Fake Orin (SM 8.7)' in engine.device
    config = fake.trt.builds[0]
    sources = fake.trt.TacticSource
    assert config.tactic_sources == (1 << sources.EDGE_MASK_CONVOLUTIONS
                                     | 1 << sources.JIT_CONVOLUTIONS)
    assert ('TF32' in config.flags) == (runs != 'fp32')  # TF32 is not float32


def test_key_of_a_plan(fake_gpu: SimpleNamespace, make_spec: MakeSpec) -> None:
    spec = make_spec()
    with open_engine(spec, 'tensorrt', 'fp16', max_batch=3) as engine:
        key = json.loads(engine.plan.path.with_suffix('.json').read_text())['key']
    assert key['onnx_sha256'] == spec.sha256 and key['tensorrt'] == '10.3.0'
    assert key['gpu'] == 'Fake Orin (SM 8.7)' and key['precision'] == 'fp16'
    assert key['shapes'][1] == ['gain', [1, 1], [1, 1], [3, 1]]
    assert {'FP16', 'tactics=EDGE_MASK_CONVOLUTIONS'} <= set(key['flags'])


@pytest.mark.parametrize('version, wanted, message', [
    ('8.6.0', 'bf16', r'TensorRT 8\.6\.0 on Fake Orin \(SM 8\.7\) cannot run bf16'),
    ('11.0.0', 'fp16', r'types of their ONNX files\) cannot run fp16, it can .*fp32')])
def test_precision_that_the_release_lacks(monkeypatch: pytest.MonkeyPatch, version: str,
                                          wanted: str, message: str,
                                          request: pytest.FixtureRequest,
                                          make_spec: MakeSpec) -> None:
    monkeypatch.setenv('FAKE_TENSORRT', version)
    request.getfixturevalue('fake_gpu')
    with pytest.raises(EngineError, match=message):
        open_engine(make_spec(), 'tensorrt', wanted)


def test_reports_what_the_builder_chose(fake_gpu: SimpleNamespace, make_spec: MakeSpec,
                                        caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fake_gpu.trt.behaviour['runs'] = 'Float'
    with open_engine(make_spec(), 'tensorrt', 'fp16') as engine:
        assert engine.precision == 'fp32' and 'tensorrt (fp32)' in engine.choice
    assert 'may run in fp16; TensorRT found fp32 faster' in caplog.text


def test_int8_spec_of_a_network_that_is_not_quantised(fake_gpu: SimpleNamespace,
                                                      make_spec: MakeSpec) -> None:
    fake_gpu.trt.behaviour['runs'] = 'Float'
    with pytest.raises(EngineError, match='said to be int8, but its ONNX file is not quantised'):
        open_engine(make_spec(precisions=['int8']), 'tensorrt')


def test_second_opening_takes_the_plan_from_the_cache(fake_gpu: SimpleNamespace,
                                                      make_spec: MakeSpec) -> None:
    spec = make_spec()
    for origin in ('built', 'cache'):
        with open_engine(spec, 'tensorrt') as engine:
            assert engine.origin == origin
    with open_engine(spec, 'tensorrt', max_batch=2) as engine:
        assert engine.origin == 'built'
    assert len(fake_gpu.trt.builds) == 2


def test_plan_of_another_release_under_the_same_key_is_rebuilt(
        fake_gpu: SimpleNamespace, make_spec: MakeSpec, caplog: pytest.LogCaptureFixture) -> None:
    """The file is whole and its hash right; only TensorRT can tell that it is of no use."""
    spec = make_spec()
    with open_engine(spec, 'tensorrt') as engine:
        path = engine.plan.path
    plan = pickle.dumps(pickle.loads(path.read_bytes()) | {'version': '9.9'})
    sidecar = json.loads(path.with_suffix('.json').read_text())
    sidecar['sha256'] = hashlib.sha256(plan).hexdigest()
    path.write_bytes(plan)
    path.with_suffix('.json').write_text(json.dumps(sidecar))
    with open_engine(spec, 'tensorrt') as engine:
        assert engine.origin == 'rebuilt'
    with open_engine(spec, 'tensorrt') as engine:
        assert engine.origin == 'cache'
    assert 'does not load; it is built again' in caplog.text


@pytest.mark.parametrize('behaviour, error, message', [
    ('unsupported', ModelFileError, r'cannot read its ONNX file: node 3 \(FancyOp\).*\| graph is'),
    ('build_fails', EngineError, 'cannot build model net for Fake Orin.*no tactic for layer'),
    ('load_fails', EngineError, 'plan just built for model net does not load'),
    ('no_memory', EngineError, 'could not make an execution context'),
    ('run_fails', EngineError, 'could not run model net on a batch of 1')])
def test_failing_steps(fake_gpu: SimpleNamespace, make_spec: MakeSpec, behaviour: str,
                       error: type[Exception], message: str) -> None:
    fake_gpu.trt.behaviour[behaviour] = True
    with pytest.raises(error, match=message):
        open_engine(make_spec(), 'tensorrt')
    fake_gpu.trt.behaviour.clear()
    open_engine(make_spec(), 'tensorrt').close()


@pytest.mark.parametrize('function', ['cudaMallocHost', 'cudaMalloc', 'cudaStreamCreateWithFlags'])
def test_cuda_failure_frees_what_was_taken(fake_gpu: SimpleNamespace, make_spec: MakeSpec,
                                           function: str) -> None:
    error = fake_gpu.cudart.cudaError_t.cudaErrorMemoryAllocation
    fake_gpu.cudart.fail[function] = [0, error] if 'Malloc' in function else error
    with pytest.raises(EngineError, match=f'{function} failed: cudaErrorMemoryAllocation'):
        open_engine(make_spec(), 'tensorrt')
    if function == 'cudaStreamCreateWithFlags':
        fake_gpu.cudart.live.clear()  # the stand-in made it although it says that it did not


def test_network_that_is_not_its_spec(fake_gpu: SimpleNamespace, make_spec: MakeSpec) -> None:
    spec = make_spec(conv_model(2))
    with pytest.raises(ModelSpecError, match='the network has the inputs'):
        open_engine(spec, 'tensorrt')


def test_dynamic_size_other_than_batch(fake_gpu: SimpleNamespace, make_spec: MakeSpec) -> None:
    spec = make_spec()
    inputs = [vars(t) | {'shape': [-1, 2, -1, 16] if t.name == 'image' else list(t.shape)}
              for t in spec.inputs]
    with pytest.raises(EngineError, match=r'\(-1, 2, -1, 16\); TensorRT is given models in which'):
        open_engine(make_spec(inputs=inputs), 'tensorrt')


def test_a_logger_keeps_the_latest_errors_alone(fake_gpu: SimpleNamespace) -> None:
    """A GPU that fails on every frame for a day must not fill the memory."""
    from face_depth_ros.engines.tensorrt_builder import Logger
    logger = Logger()
    for number in range(1000):
        logger.log(Logger.Severity.ERROR, f'error {number}')
    assert len(logger.errors) == 3
    assert logger.last_errors() == 'error 997 | error 998 | error 999'
    assert logger.last_errors() == 'TensorRT gave no reason'


@pytest.mark.parametrize('layers, expected', [
    ([{'LayerType': 'CaskConvolution',
       'Inputs': [{'Format/Datatype': 'Channel major FP16 format where channel % 8 == 0'}]}],
     'fp16'),
    ([{'LayerType': 'CaskConvolution', 'Inputs': [{'Format/Datatype': 'Row major linear FP32'}]},
      {'LayerType': 'PointWise', 'Inputs': [{'Format/Datatype': 'Half'}]},
      {'LayerType': 'PointWise', 'Inputs': [{'Format/Datatype': 'Half'}]}], 'fp32'),
    ([{'LayerType': 'gemm', 'Inputs': [{'Format/Datatype': 'BFloat16'}]}], 'bf16'),
    ([{'LayerType': 'CaskConvolution', 'Inputs': [
        {'Format/Datatype': 'Four wide channel vectorized row major Int8 format'},
        {'Format/Datatype': 'Half'}]}], 'int8'),
    ([{'LayerType': 'Reformat', 'Inputs': [{'Format/Datatype': 'Half'}]}], None),
    (['conv_1', 'conv_2'], None)])
def test_precision_from_the_inspector(fake_gpu: SimpleNamespace, layers: list[object],
                                      expected: str | None) -> None:
    from face_depth_ros.engines.tensorrt_builder import precision_of_layers
    assert precision_of_layers(json.dumps({'Layers': layers})) == expected
    assert precision_of_layers('not JSON') is None


@pytest.mark.gpu
@pytest.mark.parametrize('precision, tolerance', [('fp32', 1e-4), ('fp16', 2e-2)])
def test_agrees_with_openvino_on_a_gpu(make_spec: MakeSpec, precision: str, tolerance: float,
                                       monkeypatch: pytest.MonkeyPatch,
                                       tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv('FACE_DEPTH_CACHE', str(tmp_path_factory.mktemp('cache')))
    spec = make_spec(conv_model(channels=64))
    with open_engine(spec, 'openvino', 'fp32') as reference:
        for origin in ('built', 'cache'):
            with open_engine(spec, 'tensorrt', precision) as engine:
                assert engine.origin == origin
                for batch in (1, 2, 1, 4, 7):
                    got, expected = engine(feeds(batch)), reference(feeds(batch))
                    np.testing.assert_allclose(got['out'], expected['out'], atol=tolerance)

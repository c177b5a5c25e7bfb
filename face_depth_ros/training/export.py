# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
From a trained network to the pair of files that ships: `<name>.onnx` and `<name>.yaml`.

Export ends by running the file in the CPU engine and comparing it with torch; the largest
difference stands in the spec.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
import hashlib
import logging
from pathlib import Path
import subprocess
from typing import Any
import warnings

from face_depth_ros.core.errors import EngineError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.engines import open_engine
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import torch
from torch import nn
import yaml

LOG = logging.getLogger('export')
OPSET = 17
_HALF_FROM = 1024  # values; smaller tensors stay as they are
"""Smaller tensors stay float32: they weigh nothing."""


def export_onnx(module: nn.Module, example: Mapping[str, torch.Tensor], path: Path,
                outputs: Sequence[str], dynamic: Mapping[str, Mapping[int, str]] | None = None,
                ) -> str:
    """
    Write an ONNX file with a dynamic batch dimension.

    :param module: takes the tensors of `example` in order, returns `outputs` in order
    :param example: input name -> tensor, batch first
    :param dynamic: further dynamic axes, tensor name -> {axis: name}
    :returns: sha256 of the file, hex
    """
    axes: dict[str, dict[int, str]] = {n: {0: 'batch'} for n in (*example, *outputs)}
    for name, extra in (dynamic or {}).items():
        axes[name].update(extra)
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore', DeprecationWarning)
        warnings.filterwarnings('ignore', 'Constant folding')
        torch.onnx.export(module.eval(), tuple(example.values()), str(path), opset_version=OPSET,
                          dynamo=False, input_names=list(example), output_names=list(outputs),
                          dynamic_axes=axes)
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def store_half(path: Path) -> str:
    """
    Store the weights of an ONNX file as float16, to be read as float32.

    :returns: sha256 of the file, hex
    """
    model = onnx.load(str(path))
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _HALF_FROM:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f'{name}.half'))
        casts.append(helper.make_node('Cast', [f'{name}.half'], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def measure_parity(module: nn.Module, example: Mapping[str, torch.Tensor], spec: ModelSpec,
                   precisions: Sequence[str] = ('fp32',)) -> dict[str, dict[str, float]]:
    """
    Largest absolute difference between torch and the exported file in the CPU engine.

    :returns: precision that ran -> {output name: largest difference}; one that this processor
        cannot run is left out with a warning
    :raises EngineError: it cannot run fp32
    """
    with torch.no_grad():
        expected = [t.float().numpy() for t in module.eval()(*example.values())]
    result: dict[str, dict[str, float]] = {}
    for precision in precisions:
        try:
            engine = open_engine(spec, backend='openvino', precision=precision)
        except EngineError as error:
            if precision == 'fp32' or error.cause != 'precision':
                raise
            LOG.warning('parity of %s in %s is not measured: %s', spec.name, precision, error)
            continue
        with engine:
            got = engine({name: tensor.numpy() for name, tensor in example.items()})
            names = [o.name for o in spec.outputs]
            result[engine.precision] = {
                name: float(np.abs(got[name] - want).max())
                for name, want in zip(names, expected, strict=True)}
    return result


def write_checked_spec(path: Path, content: dict[str, Any], module: nn.Module,
                       example: Mapping[str, torch.Tensor], unit: str) -> ModelSpec:
    """
    Write a spec, measure how far the engine is from torch, write that into the spec too.

    :param content: of the spec; its `parity` is set, in fp32 and, where the spec has it, bf16
    :param unit: of the differences, and what is compared
    """
    measured = [p for p in ('fp32', 'bf16') if p in content['precisions']]
    differences = measure_parity(module, example, write_spec(path, content), measured)
    content['parity'] = {'max_abs': max(differences['fp32'].values()), 'unit': unit,
                         'by_precision': differences}
    return write_spec(path, content)


def export_from_command_line(description: str | None,
                             export_checkpoint: Callable[[Path, Path], ModelSpec]) -> None:
    """
    Export the checkpoint that the command line names into its folder.

    :param export_checkpoint: takes both paths
    """
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('folder', type=Path)
    arguments = parser.parse_args()
    spec = export_checkpoint(arguments.checkpoint, arguments.folder)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    logging.info('%s %s parity %s', spec.onnx, spec.sha256[:12], spec.parity)


def write_spec(path: Path, content: Mapping[str, Any]) -> ModelSpec:
    """
    Write a spec and read it back.

    :raises ModelSpecError: the content is not a complete spec
    """
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False, width=96), encoding='utf-8')
    return ModelSpec.load(path)


def current_commit() -> str:
    """Return the short hash of the checkout, with '+' when files differ from it."""
    root = Path(__file__).resolve().parents[2]
    try:
        commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=root, check=True,
                                capture_output=True, text=True).stdout.strip()
        dirty = subprocess.run(['git', 'status', '--porcelain', '--untracked-files=no'], cwd=root,
                               check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'
    return commit + ('+' if dirty else '')

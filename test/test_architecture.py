# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The layers of the package, held by reading every import; and the few rules on the shape of files.

The tables say what is allowed. Whoever needs more changes a table here, for all to see.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
import subprocess
import sys
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = 'face_depth_ros'

# What each layer may import of the others.
LAYERS = {
    'core': set(),
    'networks': {'core'},
    'synthesis': {'core'},
    'engines': {'core'},
    'filters': {'core'},
    'gallery': {'core'},
    'predictors': {'core', 'engines', 'filters', 'gallery'},
    'datasets': {'core', 'engines', 'predictors'},
    'training': {'core', 'networks', 'synthesis', 'datasets', 'engines'},
    'evaluation': {
        'core', 'engines', 'predictors', 'filters', 'gallery', 'datasets', 'synthesis',
    },
    'nodes': {'core', 'engines', 'predictors', 'filters', 'gallery'},
}

# The evaluation on synthetic data renders, so it needs torch too; what a robot runs does not.
SYNTHETIC_PROTOCOLS = ('evaluation/render_*.py', 'evaluation/synthetic_*.py')

# Where a package from outside may be imported: patterns of paths within face_depth_ros.
OWNERS = {
    'numpy': ('*',),
    'yaml': ('*',),
    # Nodes hold no geometry and no numerics.
    'cv2': tuple(f'{layer}/*' for layer in LAYERS if layer != 'nodes'),
    'torch': ('networks/*', 'synthesis/*', 'training/*', *SYNTHETIC_PROTOCOLS),
    'numba': ('synthesis/*',),
    'openvino': ('engines/openvino_*.py',),
    'tensorrt': ('engines/tensorrt_*.py',),
    'cuda': ('engines/tensorrt_*.py', 'engines/cuda_*.py'),
    'pyrealsense2': ('filters/*',),
    'sqlite3': ('gallery/*',),
    'faiss': ('gallery/*',),
    'cryptography': ('gallery/*',),
    'threadpoolctl': ('core/shape_rounds.py',),
    'ray': ('datasets/*',),
    'lightning': ('training/*',),
    'onnx': ('training/*',),
    'rosbags': ('evaluation/*',),
    'matplotlib': ('evaluation/*',),
    'PIL': ('evaluation/*',),
    'av': ('evaluation/*',),
    'tqdm': ('evaluation/*', 'training/*', 'synthesis/benchmark*.py'),
}
ROS_PACKAGES = {
    'rclpy', 'ament_index_python', 'cv_bridge', 'sensor_msgs_py', 'rcl_interfaces',
    'builtin_interfaces', 'composition_interfaces', 'rosidl_runtime_py', 'std_srvs',
}
ROS_FILES = ('nodes/*', 'evaluation/replay_ros.py', 'evaluation/load_player.py')

# Own layers that only some files of another may import.
NARROW = {
    ('evaluation', 'synthesis'): SYNTHETIC_PROTOCOLS,
    ('training', 'engines'): ('training/export*.py',),
}

# Factories report the package that is missing, with the way to install it: they alone may try to
# import, and then only modules of ours.
FACTORIES = {'engines/engine_factory.py', 'filters/filter_factory.py', 'evaluation/replay.py'}

MOST_LINES_OF_FILE = 500
MOST_LINES_OF_FUNCTION = 60


class Import(NamedTuple):
    """One imported module, with its place in the source."""

    module: str
    line: int
    inside_function: bool
    inside_try: bool


def imports_of(tree: ast.Module, package: str) -> Iterator[Import]:
    """
    Walk all imports of a file, those by `importlib.import_module` too.

    :param package: dotted name of the package that the file lies in, for relative imports.
    :returns: one entry per module; an empty name where the source does not tell which it is.
    """
    constants = {
        target.id: node.value for node in tree.body if isinstance(node, ast.Assign)
        for target in node.targets if isinstance(target, ast.Name)
    }

    def walk(node: ast.AST, in_function: bool, in_try: bool) -> Iterator[Import]:
        for module in modules_of(node, package, constants):
            yield Import(module, node.lineno, in_function, in_try)
        in_function |= isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        guarded = node.body if isinstance(node, ast.Try) else []
        for child in ast.iter_child_nodes(node):
            yield from walk(child, in_function, in_try or child in guarded)

    yield from walk(tree, False, False)


def modules_of(node: ast.AST, package: str, constants: dict[str, ast.expr]) -> list[str]:
    """
    Return the modules that one statement or call imports.

    :param constants: what the names at the top of the file stand for.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = package.split('.')[:len(package.split('.')) - node.level + 1] if node.level else []
        module = '.'.join([*base, *([node.module] if node.module else [])])
        if module == PACKAGE:  # `from face_depth_ros import core`
            return [f'{module}.{alias.name}' for alias in node.names]
        return [module]
    if isinstance(node, ast.Call):
        function = node.func
        name = getattr(function, 'attr', getattr(function, 'id', ''))
        if name in ('import_module', '__import__'):
            return strings_of(node.args[0], constants) if node.args else ['']
    return []


def strings_of(value: ast.expr, constants: dict[str, ast.expr]) -> list[str]:
    """Return all texts that an expression can have, an empty one if the source does not tell."""
    parts: list[ast.expr] = []
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return [value.value]
    if isinstance(value, ast.IfExp):
        parts = [value.body, value.orelse]
    elif isinstance(value, ast.Dict):
        parts = value.values
    elif isinstance(value, ast.Subscript):
        parts = [value.value]
    elif isinstance(value, ast.Name) and value.id in constants:
        parts = [constants[value.id]]
        constants = {k: v for k, v in constants.items() if k != value.id}
    return [text for part in parts for text in strings_of(part, constants)] or ['']


def complaint(path: str, found: Import) -> str | None:
    """
    Judge one import.

    :param path: of the file, within the package: `nodes/face_detector.py`.
    :returns: what is wrong with it, None if it is allowed.
    """
    top, *rest = found.module.split('.')
    layer = path.split('/')[0]
    if not found.module:
        return 'imports a module whose name stands nowhere in this file'
    if found.inside_try and not (path in FACTORIES and top == PACKAGE):
        return f'tries to import {found.module}; ask importlib.util.find_spec in a factory'
    if top == PACKAGE:
        other = rest[0] if rest else ''
        if other and other not in LAYERS:
            return f'imports {found.module}, which belongs to no layer'
        if other and other != layer and other not in LAYERS[layer]:
            return f'{layer} may not import {other}'
        if not allowed(path, NARROW.get((layer, other), ('*',))):
            return f'only {", ".join(NARROW[layer, other])} may import {other}'
    elif top in OWNERS or is_ros(top):
        files = OWNERS.get(top, ROS_FILES)
        if not allowed(path, files):
            return f'imports {top}, which belongs to {", ".join(files)}'
        if found.inside_function and top not in ('rclpy', 'cv_bridge'):
            return f'imports {top} inside a function; heavy packages are imported at the top'
    elif top not in sys.stdlib_module_names:
        return f'imports {top}, which no layer owns'
    return None


def is_ros(top: str) -> bool:
    return top in ROS_PACKAGES or top.endswith('_msgs')


def allowed(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def violations(package: Path) -> list[str]:
    """
    Read every file of the package.

    :param package: the folder `face_depth_ros`.
    :returns: one line for each thing that is not allowed: `path:line: what`.
    """
    lines = []
    for file in sorted(package.rglob('*.py')):
        path = file.relative_to(package).as_posix()
        if '/' not in path:
            layer_known = path == '__init__.py'
        else:
            layer_known = path.split('/')[0] in LAYERS
        if not layer_known:
            lines.append(f'{path}:1: belongs to no layer')
            continue
        dotted = '.'.join([PACKAGE, *path.split('/')[:-1]])
        for found in imports_of(ast.parse(file.read_text()), dotted):
            what = complaint(path, found) if '/' in path else f'imports {found.module}'
            if what is not None:
                lines.append(f'{path}:{found.line}: {what}')
    return lines


def oversized(file: Path) -> list[str]:
    """Return one line for a file, and one for each function in it, that is too long."""
    text = file.read_text()
    lines = []
    if (count := len(text.splitlines())) > MOST_LINES_OF_FILE:
        lines.append(f'{file}:1: {count} lines, more than {MOST_LINES_OF_FILE}')
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            count = node.end_lineno - node.lineno + 1
            if count > MOST_LINES_OF_FUNCTION:
                lines.append(f'{file}:{node.lineno}: {node.name} has {count} lines, more than '
                             f'{MOST_LINES_OF_FUNCTION}')
    return lines


def tracked(*patterns: str) -> list[Path]:
    """
    Return the files under version control, so that left-overs do not count.

    :param patterns: of git; none means all files.
    """
    done = subprocess.run(
        ['git', 'ls-files', '-z', '--', *patterns], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip('not a git checkout')
    return [ROOT / name for name in done.stdout.split('\0') if name and (ROOT / name).exists()]


def test_every_import_is_allowed() -> None:
    found = violations(ROOT / PACKAGE)
    assert not found, 'the layers are broken:\n' + '\n'.join(found)


def test_every_layer_is_looked_at() -> None:
    """A package that moved away would make the test above pass with nothing read."""
    present = {path.name for path in (ROOT / PACKAGE).iterdir() if (path / '__init__.py').exists()}
    assert {'core', 'engines', 'nodes', 'predictors'} <= present <= set(LAYERS)


def test_nobody_may_import_training_or_nodes() -> None:
    assert not any({'training', 'nodes'} & others for others in LAYERS.values())


@pytest.mark.parametrize(('path', 'source', 'expected'), [
    ('nodes/depth_enhancer.py', 'import os\nimport torch\n', ':2: imports torch'),
    ('nodes/depth_enhancer.py', 'from torch.nn import functional\n', ':1: imports torch'),
    ('nodes/depth_enhancer.py', 'def f():\n    import torch\n', ':2: imports torch'),
    ('nodes/depth_enhancer.py', 'import cv2\n', ':1: imports cv2'),
    ('nodes/depth_enhancer.py', 'from face_depth_ros.networks import x\n',
     'nodes may not import networks'),
    ('nodes/depth_enhancer.py', 'from face_depth_ros import training\n',
     'nodes may not import training'),
    ('nodes/depth_enhancer.py', 'from ..training import x\n', 'nodes may not import training'),
    ('nodes/depth_enhancer.py', "import importlib\nimportlib.import_module('torch')\n",
     ':2: imports torch'),
    ('nodes/depth_enhancer.py', 'import importlib\nimportlib.import_module(name)\n',
     ':2: imports a module whose name stands nowhere'),
    ('nodes/depth_enhancer.py', "import importlib\nM = {'a': 'json', 'b': 'torch.nn'}\n"
                                'importlib.import_module(M[key])\n', ':3: imports torch'),
    ('nodes/depth_enhancer.py', "import importlib\nM = 'json' if ready else 'torch'\n"
                                'importlib.import_module(M)\n', ':3: imports torch'),
    ('filters/filter_factory.py', 'try:\n    import pyrealsense2\nexcept OSError:\n    raise\n',
     ':2: tries to import pyrealsense2'),
    ('core/depth.py', 'import rclpy\n', 'imports rclpy'),
    ('core/depth.py', 'from sensor_msgs.msg import Image\n', 'imports sensor_msgs'),
    ('core/depth.py', 'from face_depth_ros.engines import engine\n',
     'core may not import engines'),
    ('networks/unet.py', 'import rclpy\n', 'imports rclpy'),
    ('engines/engine.py', 'import openvino\n', 'imports openvino, which belongs to engines/openv'),
    ('engines/engine.py', 'try:\n    import json\nexcept ImportError:\n    json = None\n',
     ':2: tries to import json'),
    ('engines/openvino_engine.py', 'def f():\n    import openvino\n', 'inside a function'),
    ('evaluation/plots.py', 'import rclpy\n', 'imports rclpy'),
    ('evaluation/plots.py', 'from face_depth_ros.synthesis import scenes\n',
     'only evaluation/render_'),
    ('training/train_x.py', 'from face_depth_ros.engines import engine\n', 'only training/export'),
    ('predictors/pipeline.py', 'import pandas\n', 'imports pandas, which no layer owns'),
    ('predictors/pipeline.py', 'from face_depth_ros.helpers import x\n', 'belongs to no layer'),
    ('helpers/things.py', '', 'belongs to no layer'),
    ('things.py', '', 'belongs to no layer'),
    ('__init__.py', 'import numpy\n', 'imports numpy'),
])
def test_a_broken_rule_is_named_by_file_and_line(
        tmp_path: Path, path: str, source: str, expected: str) -> None:
    file = tmp_path / PACKAGE / path
    file.parent.mkdir(parents=True)
    file.write_text(source)
    found = violations(tmp_path / PACKAGE)
    assert len(found) == 1
    assert found[0].startswith(f'{path}:')
    assert expected in found[0]


@pytest.mark.parametrize(('path', 'source'), [
    ('__init__.py', ''),
    ('core/depth.py', 'import math\nimport numpy as np\nimport cv2\n'),
    ('nodes/depth_enhancer.py', 'import rclpy\nfrom vision_msgs.msg import Detection2D\n'
                                'from face_depth_ros.predictors import depth_enhancer\n'),
    ('evaluation/replay_ros.py', 'import rclpy\n'),
    ('evaluation/synthetic_enhancement.py', 'from face_depth_ros.synthesis import degradation\n'),
    ('engines/engine_factory.py', "import importlib\nM = {'a': 'face_depth_ros.engines.b'}\n"
                                  'def f():\n    try:\n        importlib.import_module(M[k])\n'
                                  '    except ImportError:\n        raise\n'),
    ('training/export_x.py', 'import torch\nfrom face_depth_ros.engines import engine\n'),
])
def test_what_the_tables_allow_is_not_reported(tmp_path: Path, path: str, source: str) -> None:
    file = tmp_path / PACKAGE / path
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert violations(tmp_path / PACKAGE) == []


def test_no_file_and_no_function_is_too_long() -> None:
    found = [line for file in tracked('*.py') for line in oversized(file)]
    assert not found, '\n'.join(found)


def test_an_oversized_file_is_named_by_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / 'long.py'
    file.write_text('\n\ndef f():\n' + '    x = 1\n' * 60)
    assert oversized(file) == [f'{file}:3: f has 61 lines, more than 60']
    file.write_text('x = 1\n' * 501)
    assert oversized(file) == [f'{file}:1: 501 lines, more than 500']


def test_every_source_file_names_its_licence() -> None:
    bare = [
        str(file) for file in tracked('*.py')
        if '# SPDX-License-Identifier: MIT' not in file.read_text().splitlines()[:3]
    ]
    assert bare == []


def test_the_top_level_holds_nothing_unforeseen() -> None:
    foreseen = {
        'package.xml', 'setup.py', 'setup.cfg', 'README.md', 'LICENSE', 'CHANGELOG.rst',
        'Makefile', 'pyproject.toml', '.gitignore', '.gitattributes', '.ci', 'face_depth_ros',
        'launch', 'config', 'models', 'docs', 'interfaces', 'test', 'requirements', 'resource',
    }
    found = {file.relative_to(ROOT).parts[0] for file in tracked()}
    assert found <= foreseen

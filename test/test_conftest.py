# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Tests of the ground that the other tests stand on."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run_pytest(folder: Path, source: str, variables: dict[str, str]) -> str:
    """Run one test file under our conftest, as if it stood beside it; return what pytest wrote."""
    checkout = folder / 'checkout'
    (checkout / 'test').mkdir(parents=True)
    (checkout / 'test' / 'conftest.py').write_text((ROOT / 'test' / 'conftest.py').read_text())
    (checkout / 'pyproject.toml').write_text((ROOT / 'pyproject.toml').read_text())
    (checkout / 'test' / 'test_one.py').write_text(source)
    environment = {k: v for k, v in os.environ.items() if k != 'FACE_DEPTH_ASSETS'} | variables
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider'], cwd=checkout,
        env=environment, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


ASSETS_TEST = """
import pytest
@pytest.mark.assets
def test_it(assets_folder):
    assert assets_folder.is_dir()
"""


def test_without_assets_a_test_that_needs_them_is_skipped_with_the_reason(tmp_path: Path) -> None:
    written = run_pytest(tmp_path, ASSETS_TEST, {})
    assert '1 skipped' in written
    assert 'FACE_DEPTH_ASSETS is not set' in written


def test_with_assets_a_test_that_needs_them_runs(tmp_path: Path) -> None:
    written = run_pytest(tmp_path, ASSETS_TEST, {'FACE_DEPTH_ASSETS': str(tmp_path)})
    assert '1 passed' in written


def test_a_misspelt_marker_is_an_error(tmp_path: Path) -> None:
    written = run_pytest(
        tmp_path, 'import pytest\n@pytest.mark.assetts\ndef test_it():\n    pass\n', {})
    assert "'assetts' not found in `markers`" in written


def test_two_test_processes_have_different_domains(tmp_path: Path) -> None:
    source = "import os\ndef test_it():\n    assert os.environ['ROS_DOMAIN_ID'] == 'none'\n"
    written = run_pytest(tmp_path, source, {})
    assert "!= 'none'" in written or "== 'none'" in written
    assert f"'{os.environ['ROS_DOMAIN_ID']}' ==" not in written


def test_ros_stays_on_this_machine() -> None:
    assert os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert 1 <= int(os.environ['ROS_DOMAIN_ID']) <= 101
    assert Path(os.environ['FASTRTPS_DEFAULT_PROFILES_FILE']).is_file()


def test_every_test_directory_may_hold_files_of_the_same_name(tmp_path: Path) -> None:
    """Tests mirror the package, where a network, a predictor and a node share a name."""
    for layer in ('nodes', 'predictors'):
        folder = tmp_path / 'checkout' / 'test' / layer
        folder.mkdir(parents=True)
        (folder / 'test_same.py').write_text('def test_it():\n    pass\n')
    (tmp_path / 'checkout' / 'pyproject.toml').write_text((ROOT / 'pyproject.toml').read_text())
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider'], cwd=tmp_path / 'checkout',
        capture_output=True, text=True, timeout=120)
    assert '2 passed' in done.stdout


@pytest.mark.ros
def test_ros_is_here() -> None:
    """Fails, and does not skip, where the set-up went wrong."""
    import rclpy
    assert rclpy.ok() in (True, False)

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The command that repeats a run."""

from __future__ import annotations

import shlex

from face_depth_ros.evaluation.origin import command_line
import pytest


@pytest.mark.parametrize('argument', [
    'bag', '', 'my bag', "Ada's $HOME", 'a*', '`b`', 'x>y', '#1', 'back\\slash', '--rows=A,B'])
def test_a_shell_gives_the_same_arguments(argument: str) -> None:
    assert shlex.split(command_line('replay', [argument, '--out', 'o'])) == [
        'replay', argument, '--out', 'o']
    assert command_line('replay', ['bag', '--out', 'o/b']) == 'replay bag --out o/b'


def test_nothing_is_left_for_the_shell_to_expand() -> None:
    assert command_line('replay', ["Ada's $HOME"]) == """replay 'Ada'"'"'s $HOME'"""

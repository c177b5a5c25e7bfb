# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A graph for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ros_graph import Graph


@pytest.fixture
def graph() -> Iterator[Graph]:
    made = Graph()
    yield made
    made.close()

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Reports: what goes in is shown, escaped, and can be found again."""

from __future__ import annotations

import base64
import io
import json
import re

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.evaluation_result import Evaluation, Table, text_table
from face_depth_ros.evaluation.report import (
    cards,
    image,
    number,
    paragraph,
    picture_grid,
    Report,
    Section,
    sections_of,
    table,
)
from face_depth_ros.evaluation.surface_viewer import surface_viewer, SurfaceView
import numpy as np
from PIL import Image
import pytest

NASTY = 'a < b & "c" <script>'


def test_sections_are_found_again() -> None:
    sections = [Section('one', NASTY, ['<p>1</p>', '<p>2</p>']), Section('two', '', ['<b>3</b>'])]
    found = sections_of(Report('title', 'sub', sections).html())
    assert [(s.key, s.title) for s in found] == [('one', NASTY), ('two', '')]
    assert found[0].blocks == ['<p>1</p>\n<p>2</p>']
    again = sections_of(Report('title', 'sub', found).html())
    assert [s.html() for s in again] == [s.html() for s in found]


def test_text_is_escaped() -> None:
    page = Report(NASTY, NASTY, [Section('a', NASTY, [
        paragraph(NASTY), cards([(NASTY,) * 3]), table({NASTY: {NASTY: NASTY}}, NASTY)])]).html()
    assert '<script>' not in page


def test_table_marks_ours_and_leaves_gaps() -> None:
    page = table({'x': {'a': 1.0}, 'Ours': {'a': 2.0, 'b': float('nan')}}, 'row', 'Ours')
    assert page.count('<tr class="ours">') == 1
    assert page.count('–') == 1
    assert '<td></td>' in page


@pytest.mark.parametrize(('value', 'text'), [
    (None, '–'), (float('nan'), '–'), ('x', 'x'), (True, 'True'), (1234, '1 234'),
    (0.012345, '0.0123'), (1.23456, '1.235'), (12.3456, '12.35'), (123456.7, '123 457'),
    (1284505600, '1.28 G'), (2117040, '2.12 M'), (np.float64(0.5), '0.5000'), (np.int64(7), '7')])
def test_numbers(value: object, text: str) -> None:
    assert number(value) == text


def test_pictures_are_embedded() -> None:
    picture = np.zeros((10, 20, 3), np.uint8)
    picture[:, 10:] = (250, 10, 10)
    tag = image(picture, NASTY)
    data = base64.b64decode(re.search('base64,([^"]+)', tag).group(1))
    read = np.asarray(Image.open(io.BytesIO(data)))
    assert read.shape == (10, 20, 3)
    assert np.abs(read.astype(int) - picture).mean() < 6
    assert '<script>' not in tag
    grid = picture_grid(['a', 'b'], [('row', [picture, picture])])
    assert grid.count('<img') == 2


def test_equal_plots_are_equal_text() -> None:
    def draw() -> list[str]:
        x = [0.0, 0.1, 0.2]
        return [
            plots.lines(x, {'a': [1.0, float('nan'), 2.0], 'b': x}, 'x', 'y'),
            plots.histogram([1.0, 2.0, float('nan')], {'p50': 1.5}, 'x'),
            plots.stage_bars({'s': {'p50': 1.0, 'p95': 2.0}}),
            plots.faces_timeline(x, [[('f00001', 0.5)], [], [('f00002', 1.0)]],
                                 [False, True, False]),
            plots.method_bars({'a': 1.0, 'b': 2.0}, {'a': 0.1}, 'y', 'a'),
            plots.box_plot({'a': [1.0, 2.0], 'b': [2.0, 3.0]}, 'y', 'a')]
    first = draw()
    assert first == draw()
    assert all(text.startswith('<svg') and text.rstrip().endswith('</svg>') for text in first)


def test_plots_of_nothing() -> None:
    assert plots.histogram([], {'p50': float('nan')}, 'x').startswith('<svg')
    assert plots.faces_timeline([0.0], [[]], [False]).startswith('<svg')
    assert plots.lines([0.0], {'a': [float('nan')]}, 'x', 'y').startswith('<svg')


def test_surface_viewer_carries_the_depth() -> None:
    depth = np.full((60, 80), 2.0, np.float32)
    depth[10:50, 20:60] = 0.5
    raw = depth.copy()
    raw[30, 40] = np.nan
    camera = CameraIntrinsics(80, 60, 90.0, 90.0, 40.0, 30.0)
    color = np.full((60, 80, 3), 77, np.uint8)
    page = surface_viewer([SurfaceView('7', color, raw, depth, FaceBox(40.0, 30.0, 36.0),
                                       camera)])
    frame, = json.loads(re.search(r'const frames = (\[.*?\]), W = ', page, re.DOTALL).group(1))
    new, old = (np.frombuffer(base64.b64decode(frame[k]), '<u2').reshape(frame['h'], frame['w'])
                for k in ('new', 'raw'))
    assert set(np.unique(new)) == {0, 5000}  # tenths of a millimetre; the wall is left out
    assert (new != old).sum() == 1
    # The pixel under the principal point lies on the axis.
    assert (frame['cx'], frame['cy'], frame['f']) == (
        pytest.approx(40.0 - (80 - frame['w']) // 2), pytest.approx(
            30.0 - (60 - frame['h']) // 2), 90.0)
    nothing = SurfaceView('7', color, raw, np.full_like(depth, np.nan), FaceBox(40, 30, 36),
                          camera)
    assert surface_viewer([nothing]) == surface_viewer([]) == ''
    view = SurfaceView('7', color, raw, depth, FaceBox(40.0, 30.0, 36.0), camera)
    assert 'enhanced depth</figcaption>' in surface_viewer([view])
    assert 'by a < b</figcaption>' not in surface_viewer([view], 'by a < b')
    assert 'by a &lt; b</figcaption>' in surface_viewer([view], 'by a < b')


def test_evaluation_renews_its_own_section_only(tmp_path) -> None:
    def write(protocol: str, text: str) -> None:
        rows = {'row': {'a': 1.0, 'b': float('nan')}}
        Evaluation(protocol, text, {'t': Table(f'Title {protocol}', 'data', 'ms', rows)}).write(
            tmp_path, 'evaluate x')
    write('latency', 'about-1')
    write('transport', 'about-2')
    write('latency', 'about-3')
    page = (tmp_path / 'report.html').read_text()
    assert [word in page for word in ('about-1', 'about-2', 'about-3')] == [
        False, True, True]
    content = json.loads((tmp_path / 'latency.json').read_text())
    assert content['rows'] == {'row': {'a': 1.0, 'b': None}}
    assert content['command'] == 'evaluate x'


def test_text_table_is_aligned() -> None:
    lines = text_table({'a': {'x': 1.23456}, 'long': {'x': None, 'y': 'z'}}).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split() == ['a', '1.235', '-']

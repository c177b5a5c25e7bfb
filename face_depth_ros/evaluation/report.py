# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Self-contained HTML reports: one file with its pictures and plots inside.

`replay` and `evaluate` build theirs from the same few pieces. Each section is fenced by comments,
so that `evaluate` can renew one protocol's section and keep the others.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
import io
import math
import re

from face_depth_ros.evaluation.report_style import STYLE
import numpy as np
from PIL import Image


@dataclass
class Report:
    """
    A page under construction.

    :param subtitle: one line below the title, plain text
    """

    title: str
    subtitle: str = ''
    sections: list[Section] = field(default_factory=list)

    def html(self) -> str:
        """Return the whole page."""
        body = '\n'.join(s.html() for s in self.sections)
        links = ''.join(f'<a href="#{s.key}">{escape(s.title)}</a>' for s in self.sections
                        if s.title)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{escape(self.title)}</title><style>{STYLE}</style></head><body>\n'
            f'<header><h1>{escape(self.title)}</h1><p>{escape(self.subtitle)}</p>'
            f'<nav>{links}</nav></header>\n<main>\n{body}\n</main></body></html>\n')


@dataclass
class Section:
    """
    A titled part of a page.

    :param key: unique in the page, letters, digits and dashes
    :param blocks: HTML
    """

    key: str
    title: str
    blocks: list[str] = field(default_factory=list)

    def html(self) -> str:
        """Return the section between its fences."""
        heading = f'<h2>{escape(self.title)}</h2>' if self.title else ''
        return (f'<!-- section {self.key} {escape(self.title)} -->\n<section id="{self.key}">'
                f'{heading}\n' + '\n'.join(self.blocks)
                + f'\n</section>\n<!-- end {self.key} -->')


def sections_of(page: str) -> list[Section]:
    """Return the sections of a page that `Report.html` made, each as one block."""
    pattern = re.compile(
        r'<!-- section ([\w-]+) (.*?) -->\n<section id="\1">(?:<h2>.*?</h2>)?\n(.*?)\n</section>\n'
        r'<!-- end \1 -->', re.DOTALL)
    return [Section(key, _unescape(title), [content])
            for key, title, content in pattern.findall(page)]


def paragraph(text: str, kind: str = '') -> str:
    """Return a paragraph of plain text; kind 'note' is set smaller."""
    return f'<p class="{kind}">{escape(text)}</p>'


def cards(items: Sequence[tuple[str, str, str]]) -> str:
    """
    Key figures in a row.

    :param items: figure, what it is, and a remark below (or '')
    """
    return '<div class="cards">' + ''.join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(label)}</span>'
        f'<small>{escape(remark)}</small></div>' for value, label, remark in items) + '</div>'


def table(rows: Mapping[str, Mapping[str, object]], first: str = '',
          highlight: str | None = None, units: Mapping[str, str] | None = None) -> str:
    """
    Table with one line per row and one column per key of any row.

    :param first: heading of the first column
    :param highlight: the row to emphasise
    :param units: shown below the heading of a column
    """
    columns = list(dict.fromkeys(c for r in rows.values() for c in r))
    head = ''.join(f'<th>{escape(c.replace("_", " "))}<small>{escape((units or {}).get(c, ""))}'
                   '</small></th>' for c in columns)
    lines = []
    for name, row in rows.items():
        cells = ''.join(f'<td>{escape(number(row.get(c, "")))}</td>' for c in columns)
        mark = ' class="ours"' if name == highlight else ''
        lines.append(f'<tr{mark}><th>{escape(name)}</th>{cells}</tr>')
    return (f'<div class="scroll"><table><thead><tr><th>{escape(first)}</th>{head}</tr></thead>'
            f'<tbody>{"".join(lines)}</tbody></table></div>')


def folded(summary: str, *blocks: str) -> str:
    """Put blocks behind a line of plain text that opens them."""
    return f'<details><summary>{escape(summary)}</summary>{"".join(blocks)}</details>'


def key_values(items: Mapping[str, object]) -> str:
    """Two-column table of settings."""
    return '<table class="pairs"><tbody>' + ''.join(
        f'<tr><th>{escape(k)}</th><td>{escape(number(v))}</td></tr>'
        for k, v in items.items()) + '</tbody></table>'


def figure(content: str, caption: str) -> str:
    """Return a plot (SVG) or picture (img) with its caption, plain text."""
    return f'<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>'


def columns(*blocks: str) -> str:
    """Put blocks side by side where there is room."""
    return f'<div class="columns">{"".join(blocks)}</div>'


def picture_grid(headings: Sequence[str], rows: Sequence[tuple[str, Sequence[np.ndarray]]],
                 ) -> str:
    """
    Pictures in rows and columns.

    :param headings: one per column
    :param rows: label and pictures, (h, w, 3) uint8 RGB
    """
    head = '<th></th>' + ''.join(f'<th>{escape(h)}</th>' for h in headings)
    lines = ''.join(
        f'<tr><th>{escape(label)}</th>'
        + ''.join(f'<td>{image(p, f"{label}, {h}")}</td>'
                  for h, p in zip(headings, pictures, strict=True)) + '</tr>'
        for label, pictures in rows)
    return (f'<div class="scroll"><table class="pictures"><thead><tr>{head}</tr></thead><tbody>'
            f'{lines}</tbody></table></div>')


def thumbnails(pictures: Sequence[tuple[np.ndarray, str]]) -> str:
    """
    Return small pictures in a row, as many lines as it takes.

    :param pictures: (h, w, 3) uint8 RGB, and a caption
    """
    return '<div class="thumbnails">' + ''.join(
        figure(image(picture, caption), caption) for picture, caption in pictures) + '</div>'


def image(picture: np.ndarray, description: str, quality: int = 88) -> str:
    """Return an embedded JPEG of an (h, w, 3) uint8 RGB picture."""
    height, width = picture.shape[:2]
    return (f'<img src="{data_url(picture, quality)}" width="{width}" height="{height}" '
            f'alt="{escape(description, quote=True)}">')


def data_url(picture: np.ndarray, quality: int = 88) -> str:
    """Return an (h, w, 3) uint8 RGB picture as the URL of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, 'JPEG', quality=quality, subsampling=0)
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode('ascii')


def number(value: object) -> str:
    """Return a value as a person reads it: few digits, thousands apart, a dash for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return '–'
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return str(value)
    if isinstance(value, (int, np.integer)):
        if abs(value) >= 10 ** 6:
            return f'{value / 1e9:.2f} G' if abs(value) >= 10 ** 9 else f'{value / 1e6:.2f} M'
        return f'{int(value):,}'.replace(',', ' ')
    size = abs(float(value))
    if size >= 1000:
        return f'{float(value):,.0f}'.replace(',', ' ')
    digits = 2 if size >= 10 else 3 if size >= 1 else 4
    return f'{float(value):.{digits}f}'


def _unescape(text: str) -> str:
    for entity, character in (('&lt;', '<'), ('&gt;', '>'), ('&quot;', '"'), ('&#x27;', "'"),
                              ('&amp;', '&')):
        text = text.replace(entity, character)
    return text

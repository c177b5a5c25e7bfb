# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The one form of all evaluations: `<protocol>.json`, and a section of `report.html`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
import datetime
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.evaluation.origin import commit, machine
from face_depth_ros.evaluation.output_folder import write_complete
from face_depth_ros.evaluation.replay_summary import to_json
from face_depth_ros.evaluation.report import paragraph, Report, Section, sections_of

REPORT_FILE = 'report.html'
_ORDER = ('enhancement', 'roughness', 'falsification', 'landmarks', 'panels', 'estimation',
          'estimation_real', 'identity', 'expression', 'liveness', 'latency', 'transport')
"""Of the sections; unknown ones come last."""
Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Table:
    """
    Rows of measured columns.

    :param dataset: what it was measured on
    :param unit: of its numbers, or how the columns differ
    """

    title: str
    dataset: str
    unit: str
    rows: Rows


@dataclass
class Evaluation:
    """
    The result of one protocol.

    :param protocol: its name on the command line
    :param about: how it was measured
    :param tables: by id; the first is the main one
    :param blocks: HTML of plots, pictures and tables
    :param details: further entries of the JSON
    :param title: of the section; '' = that of the main table
    :param lead: what a reader takes away, in two or three sentences
    :param remarks: what the terminal shows below the tables
    """

    protocol: str
    about: str
    tables: dict[str, Table]
    blocks: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    title: str = ''
    lead: str = ''
    remarks: list[str] = field(default_factory=list)

    def json(self, command: str) -> dict[str, Any]:
        """Return the content of `<protocol>.json`."""
        main = next(iter(self.tables.values()))
        return {
            'command': command, 'commit': commit(), 'machine': machine(),
            'date': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
            'protocol': self.protocol, 'about': self.about,
            'lead': self.lead, 'tables': {key: vars(table) for key, table in self.tables.items()},
            'rows': main.rows, **self.details}

    def write(self, folder: Path, command: str) -> Path:
        """
        Write the JSON, and this protocol's section of the folder's report; others stay.

        :returns: the path of the JSON
        :raises SettingsError: they cannot be written
        """
        content = self.json(command)
        path = folder / f'{self.protocol}.json'
        # First what cannot be made again from the other.
        write_complete(path, to_json(content))
        report_path = folder / REPORT_FILE
        sections = sections_of(_old_page(report_path))
        footer = paragraph('  |  '.join(
            [command, *(str(content[key]) for key in ('commit', 'machine', 'date'))]), 'note')
        lead = [paragraph(self.lead, 'lead'), paragraph(self.about, 'note')] if self.lead else [
            paragraph(self.about)]
        own = Section(self.protocol, self.title or next(iter(self.tables.values())).title,
                      [*lead, *self.blocks, footer])
        kept = [s for s in sections if s.key != self.protocol]
        page = Report('Evaluation', 'face_depth_ros, with the command that repeats each part',
                      sorted([*kept, own], key=_place))
        write_complete(report_path, page.html())
        return path


def _old_page(path: Path) -> str:
    """Return the report as it is, '' where there is none."""
    try:
        return path.read_text('utf-8') if path.is_file() else ''
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f'cannot read {path}: {error}; expected a report of this command; '
                            'remove it or choose another --out') from error


def _place(section: Section) -> tuple[int, str]:
    known = section.key in _ORDER
    return (_ORDER.index(section.key) if known else len(_ORDER), section.key)


def text_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return rows as aligned lines for a terminal."""
    columns = list(dict.fromkeys(c for r in rows.values() for c in r))
    cells = [['', *columns]] + [
        [name, *(_short(row.get(c)) for c in columns)] for name, row in rows.items()]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns) + 1)]
    return '\n'.join(
        '  '.join(text.ljust(w) if i == 0 else text.rjust(w)
                  for i, (text, w) in enumerate(zip(line, widths, strict=True)))
        for line in cells)


def _short(value: Any) -> str:
    if value is None:
        return '-'
    return f'{value:.4g}' if isinstance(value, float) else str(value)

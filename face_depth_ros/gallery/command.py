# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Look after the people a robot knows.

    gallery list | show | rename | forget | forget-expired | export | import | key | verify | stats

The gallery is encrypted by the key in --key-file, else in FACE_DEPTH_GALLERY_KEY; `gallery key
FILE` makes one. A command that enrols lives where faces are found; it takes its options from here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
import logging
from pathlib import Path
import sys
import time

from face_depth_ros.core.errors import FaceDepthError, GalleryError
from face_depth_ros.gallery.gallery import Gallery
from face_depth_ros.gallery.keys import find_key, KEY_VARIABLE, write_key_file
from face_depth_ros.gallery.people import Person
from face_depth_ros.gallery.places import default_gallery
from face_depth_ros.gallery.store import SCHEMA
from face_depth_ros.gallery.transfer import CONFLICTS

Command = Callable[[argparse.Namespace], int]
AddCommands = Callable[[argparse._SubParsersAction], None]


def main(arguments: Sequence[str] | None = None, more_commands: Sequence[AddCommands] = ()) -> int:
    """
    Run the command line.

    :param arguments: None = those of the process
    :param more_commands: each adds commands of its own, as `add_commands` does
    :returns: exit status: 0, or 1 after an error
    """
    logging.basicConfig(level=logging.WARNING, format='%(levelname)s %(message)s')
    parser = argparse.ArgumentParser('gallery', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for add in (add_commands, *more_commands):
        add(subparsers)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except FaceDepthError as error:
        sys.stderr.write(f'error: {error}\n')
        return 1


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add all commands that need no recogniser; each sets `run`, options to exit status."""
    add_command(subparsers, 'list', _list, 'everybody, with templates and dates')
    show = add_command(subparsers, 'show', _show, 'one person, with all templates')
    show.add_argument('name', metavar='NAME')
    rename = add_command(subparsers, 'rename', _rename, 'give a person another name')
    rename.add_argument('name', metavar='NAME')
    rename.add_argument('new_name', metavar='NEW_NAME')
    forget = add_command(subparsers, 'forget', _forget, 'remove people for good')
    forget.add_argument('names', nargs='+', metavar='NAME')
    forget.add_argument('--yes', action='store_true', help='do not ask')
    add_command(subparsers, 'forget-expired', _forget_expired,
                'remove for good those whose retention time is over')
    export = add_command(subparsers, 'export', _export, 'write everybody into a new file')
    take_in = add_command(subparsers, 'import', _import, 'take in an export, all or nothing')
    for command in (export, take_in):
        command.add_argument('file', type=Path, metavar='FILE')
        command.add_argument('--export-key-file', type=Path, metavar='FILE',
                             help="the export's key; default: the gallery's")
        command.add_argument('--plain-export', action='store_true', help='it is not encrypted')
    take_in.add_argument('--conflict', default='refuse', choices=CONFLICTS,
                         help='for people who are there already; default: import nobody')
    add_command(subparsers, 'verify', _verify, 'read and check everything')
    add_command(subparsers, 'purge', _purge, 'take the last bytes of what was removed away')
    add_command(subparsers, 'stats', _stats, 'numbers of people, templates and bytes')
    key = subparsers.add_parser('key', help='make a key in a new file that only you can read')
    key.add_argument('file', type=Path, metavar='NEW_FILE')
    key.add_argument('--allow-temporary', action='store_true', help=argparse.SUPPRESS)
    key.set_defaults(run=_key)


def add_command(subparsers: argparse._SubParsersAction, name: str, run: Command,
                summary: str) -> argparse.ArgumentParser:
    """Add a command that works on a gallery, with the options that say which."""
    parser = subparsers.add_parser(name, help=summary, description=summary)
    add_gallery_options(parser)
    parser.set_defaults(run=run)
    return parser


def add_gallery_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `open_from_options` reads."""
    group = parser.add_argument_group('which gallery')
    group.add_argument('--gallery', type=Path, metavar='FILE',
                       help=f'default: FACE_DEPTH_GALLERY, else {default_gallery()}')
    group.add_argument('--key-file', type=Path, metavar='FILE',
                       help=f'default: the key in {KEY_VARIABLE}')
    group.add_argument('--plain', action='store_true',
                       help='names and faces are stored readable for all who get the file')
    group.add_argument('--allow-temporary', action='store_true', help=argparse.SUPPRESS)


def open_from_options(options: argparse.Namespace, *, create: bool = False,
                      read_only: bool = False) -> Gallery:
    """
    Open the gallery that the options of `add_gallery_options` name.

    :raises GalleryError: as `Gallery.open`
    """
    if options.plain and options.key_file is not None:
        raise GalleryError('got --plain and --key-file; give one of both', cause='gallery_key')
    # Asked for plainly: a key in the environment is for another gallery.
    key = None if options.plain else find_key(options.key_file)
    return Gallery.open(options.gallery, key=key, plain=options.plain, create=create,
                        read_only=read_only, allow_temporary=options.allow_temporary)


def _list(options: argparse.Namespace) -> int:
    with open_from_options(options, read_only=True) as gallery:
        people = gallery.people()
    now = time.time_ns()
    rows = [('name', 'templates', 'enrolled', 'expires', 'models')]
    rows += [(p.name, str(p.templates), _date(p.enrolled_ns), _expiry(p, now),
              ' '.join(model[:12] for model in p.models)) for p in people]
    sys.stdout.write(_table(rows))
    return 0


def _show(options: argparse.Namespace) -> int:
    with open_from_options(options, read_only=True) as gallery:
        person = gallery.person(options.name)
        templates = gallery.templates_of(options.name)
    sys.stdout.write(f'{person.name}: enrolled {_date(person.enrolled_ns)}, changed '
                     f'{_date(person.changed_ns)}, expires {_expiry(person, time.time_ns())}\n')
    rows = [('quality', 'created', 'dimensions', 'model', 'hash', 'source')]
    rows += [(f'{t.quality:.2f}', _date(t.created_ns), str(len(t.vector)), t.model_name or '-',
              t.model_hash[:12], t.source) for t in templates]
    sys.stdout.write(_table(rows))
    return 0


def _rename(options: argparse.Namespace) -> int:
    with open_from_options(options) as gallery:
        gallery.rename(options.name, options.new_name)
    return 0


def _forget(options: argparse.Namespace) -> int:
    with open_from_options(options) as gallery:
        people = [gallery.person(name) for name in options.names]
        if not options.yes:
            sys.stdout.write(f'forget {", ".join(p.name for p in people)} with '
                             f'{sum(p.templates for p in people)} templates for good? [y/N] ')
            sys.stdout.flush()
            if sys.stdin.readline().strip().casefold() not in ('y', 'yes'):
                sys.stderr.write('nobody was forgotten\n')
                return 1
        gallery.forget(*dict.fromkeys(p.name for p in people))
    sys.stdout.write('gone from this file; exports made before still hold them\n')
    return 0


def _forget_expired(options: argparse.Namespace) -> int:
    with open_from_options(options) as gallery:
        names = gallery.forget_expired()
    sys.stdout.write(''.join(f'{name}\n' for name in names))
    return 0


def _export(options: argparse.Namespace) -> int:
    with open_from_options(options, read_only=True) as gallery:
        count = gallery.export(options.file, key=_export_key(options), plain=options.plain_export)
    sys.stdout.write(f'{count} people in {options.file}\n')
    return 0


def _import(options: argparse.Namespace) -> int:
    with open_from_options(options, create=True) as gallery:
        counts = gallery.import_(options.file, conflict=options.conflict,
                                 key=_export_key(options), plain=options.plain_export)
    sys.stdout.write(', '.join(f'{number} {what}' for what, number in counts.items()) + '\n')
    return 0


def _verify(options: argparse.Namespace) -> int:
    with open_from_options(options, read_only=True) as gallery:
        report = gallery.verify()
    sys.stdout.write(f'ok: {report.people} people, {report.templates} templates\n')
    return 0


def _purge(options: argparse.Namespace) -> int:
    with open_from_options(options) as gallery:
        gallery.purge()
    return 0


def _stats(options: argparse.Namespace) -> int:
    with open_from_options(options, read_only=True) as gallery:
        report = gallery.verify()
        people = gallery.people()
        path, storage = gallery.path, 'encrypted' if gallery.encrypted else 'plain'
    now = time.time_ns()
    files = [f'{file.name} {file.stat().st_size}' for file in sorted(path.parent.glob(
        f'{path.name}*')) if file.name in (path.name, f'{path.name}-wal', f'{path.name}-shm')]
    rows = [('file', str(path)), ('storage', storage), ('schema', str(SCHEMA)),
            ('created', _date(report.created_ns)), ('revision', str(report.revision)),
            ('people', str(report.people)),
            ('expired', str(sum(p.is_expired(now) for p in people))),
            ('templates', str(report.templates)),
            *((f'  of {model[:12]}', str(count)) for model, count in report.models.items()),
            ('bytes', ', '.join(files))]
    sys.stdout.write(_table(rows))
    return 0


def _key(options: argparse.Namespace) -> int:
    path = write_key_file(options.file, allow_temporary=options.allow_temporary)
    sys.stdout.write(f'a key is in {path}; without it the gallery cannot be read, keep a copy\n')
    return 0


def _export_key(options: argparse.Namespace) -> bytes | None:
    return None if options.export_key_file is None else find_key(options.export_key_file)


def _date(stamp_ns: int) -> str:
    return datetime.fromtimestamp(stamp_ns * 1e-9, timezone.utc).strftime('%Y-%m-%dT%H:%MZ')


def _expiry(person: Person, now_ns: int) -> str:
    if person.expires_ns is None:
        return 'never'
    return _date(person.expires_ns) + (' (over)' if person.is_expired(now_ns) else '')


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ''.join('  '.join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() + '\n'
                   for row in rows)


if __name__ == '__main__':
    sys.exit(main())

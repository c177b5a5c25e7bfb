# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Look after the people a robot knows.

    gallery list | show | rename | keep | forget | forget-expired | export | import | key | verify
            | purge | stats

The gallery is encrypted by the key in --key-file, else in FACE_DEPTH_GALLERY_KEY; `gallery key
FILE` makes one. Every command that changes people also removes for good those whose retention
time is over. A command that enrols lives where faces are found; it takes its options from here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
import io
import logging
from pathlib import Path
import sys
import time

from face_depth_ros.core.errors import FaceDepthError, GalleryError
from face_depth_ros.gallery.gallery import Gallery
from face_depth_ros.gallery.keys import find_key, KEY_VARIABLE, write_key_file
from face_depth_ros.gallery.people import LONGEST_RETENTION_S, Person
from face_depth_ros.gallery.store import COMPANIONS, SCHEMA
from face_depth_ros.gallery.transfer import CONFLICTS, read_export, transfer_key

_DAY_S = 86400.0
_JOINERS = '\u200c\u200d'
"""Part of names in some scripts."""

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
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')  # Names, where there is only ASCII.
    parser = argparse.ArgumentParser('gallery', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for add in (add_commands, *more_commands):
        add(subparsers)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except FaceDepthError as error:
        complain(f'error: {error}')
        return 1


def say(text: str) -> None:
    """
    Write to the standard output, if there is one.

    :raises FaceDepthError: it takes nothing, as a full disk
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None  # who reads has had enough, as `head`
    except OSError as error:
        sys.stdout = None  # it would fail again at the end
        raise FaceDepthError(f'the output cannot be written ({error.strerror}); free space, or '
                             'write it elsewhere', cause='output') from error


def complain(text: str) -> None:
    """Write lines to the standard error output, if there is one."""
    if sys.stderr is not None:
        sys.stderr.write('\n'.join(printable(line) for line in text.split('\n')) + '\n')


def printable(text: str) -> str:
    """Return a text of which nothing moves the cursor or hides: such characters as escapes."""
    return ''.join(c if c.isprintable() or c in _JOINERS
                   else c.encode('unicode_escape').decode() for c in text)


def days(text: str) -> float:
    """
    Read how long a person is kept, for `type` of an option.

    :param text: a number of days
    :returns: seconds
    :raises argparse.ArgumentTypeError: no number, or out of its range
    """
    try:
        seconds = float(text) * _DAY_S
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_RETENTION_S:  # NaN as well
        raise argparse.ArgumentTypeError(f'got {text!r}, expected a number of days above 0 and '
                                         f'at most {LONGEST_RETENTION_S / _DAY_S:.0f}')
    return seconds


def forget_overdue(gallery: Gallery) -> None:
    """Remove for good those whose retention time is over; say who it was, or why it failed."""
    try:
        names = gallery.forget_expired()
    except GalleryError as error:
        complain(f'warning: those whose time is over: {error}')
        return
    for name in names:
        complain(f'{name} was forgotten: the time to keep them is over')


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add all commands that need no recogniser; each sets `run`, options to exit status."""
    add_command(subparsers, 'list', _list, 'everybody, with templates and dates')
    show = add_command(subparsers, 'show', _show, 'one person, with all templates')
    show.add_argument('name', metavar='NAME')
    rename = add_command(subparsers, 'rename', _rename, 'give a person another name')
    rename.add_argument('name', metavar='NAME')
    rename.add_argument('new_name', metavar='NEW_NAME')
    keep = add_command(subparsers, 'keep', _keep, 'set how long from now a person is kept')
    keep.add_argument('name', metavar='NAME')
    keep.add_argument('retention', type=lambda text: None if text == 'forever' else days(text),
                      metavar='DAYS|forever')
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
                       help='default: FACE_DEPTH_GALLERY, else face_depth_ros/gallery.db in '
                            'XDG_DATA_HOME or ~/.local/share')
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
    say(_table(rows))
    return 0


def _show(options: argparse.Namespace) -> int:
    with open_from_options(options, read_only=True) as gallery:
        person = gallery.person(options.name)
        templates = gallery.templates_of(options.name)
    rows = [('quality', 'created', 'dimensions', 'model', 'hash', 'source')]
    rows += [(f'{t.quality:.2f}', _date(t.created_ns), str(len(t.vector)), t.model_name or '-',
              t.model_hash[:12], t.source) for t in templates]
    say(f'{printable(person.name)}: enrolled {_date(person.enrolled_ns)}, changed '
        f'{_date(person.changed_ns)}, expires {_expiry(person, time.time_ns())}\n{_table(rows)}')
    return 0


def _rename(options: argparse.Namespace) -> int:
    with open_from_options(options) as gallery:
        gallery.rename(options.name, options.new_name)
        forget_overdue(gallery)
    return 0


def _keep(options: argparse.Namespace) -> int:
    expires = None if options.retention is None else (
        time.time_ns() + int(options.retention * 1e9))
    with open_from_options(options) as gallery:
        gallery.set_expiry(options.name, expires)
        forget_overdue(gallery)
    return 0


def _forget(options: argparse.Namespace) -> int:
    with open_from_options(options) as gallery:
        people = [gallery.person(name) for name in options.names]
        if not options.yes:
            say(f'forget {", ".join(printable(p.name) for p in people)} with '
                f'{sum(p.templates for p in people)} templates for good? [y/N] ')
            if _answer().strip().casefold() not in ('y', 'yes'):
                complain('nobody was forgotten')
                return 1
        gallery.forget(*dict.fromkeys(p.name for p in people))
        forget_overdue(gallery)
    say('gone from this file; exports made before still hold them\n')
    return 0


def _answer() -> str:
    """Read a line from the standard input, '' where there is none or it cannot be read."""
    try:
        return '' if sys.stdin is None else sys.stdin.readline()
    except (OSError, ValueError):
        return ''


def _forget_expired(options: argparse.Namespace) -> int:
    with open_from_options(options) as gallery:
        names = gallery.forget_expired()
    say(''.join(f'{printable(name)}\n' for name in names))
    return 0


def _export(options: argparse.Namespace) -> int:
    with open_from_options(options, read_only=True) as gallery:
        count = gallery.export(options.file, key=_export_key(options), plain=options.plain_export)
    say(f'{count} people in {printable(str(options.file))}\n')
    return 0


def _import(options: argparse.Namespace) -> int:
    key, plain = _export_key(options), options.plain_export
    with _opened_for_import(options, key) as gallery:
        counts = gallery.import_(options.file, conflict=options.conflict, key=key, plain=plain)
        forget_overdue(gallery)
    say(', '.join(f'{number} {what}' for what, number in counts.items()) + '\n')
    return 0


def _opened_for_import(options: argparse.Namespace, key: bytes | None) -> Gallery:
    """Open the gallery; it is made only for an export that can be read."""
    try:
        return open_from_options(options)
    except GalleryError as error:
        if error.cause != 'gallery_missing':
            raise
    own = None if options.plain else find_key(options.key_file)
    read_export(options.file, transfer_key(own, key, options.plain_export))
    return open_from_options(options, create=True)


def _verify(options: argparse.Namespace) -> int:
    with open_from_options(options, read_only=True) as gallery:
        report = gallery.verify()
    say(f'ok: {report.people} people, {report.templates} templates\n')
    return 0


def _purge(options: argparse.Namespace) -> int:
    with open_from_options(options) as gallery:
        gallery.purge()
        forget_overdue(gallery)
    return 0


def _stats(options: argparse.Namespace) -> int:
    with open_from_options(options, read_only=True) as gallery:
        report = gallery.verify()
        people = gallery.people()
        path, storage = gallery.path, 'encrypted' if gallery.encrypted else 'plain'
    now = time.time_ns()
    beside = [path.with_name(path.name + suffix) for suffix in ('', *COMPANIONS)]
    files = [f'{file.name} {file.stat().st_size}' for file in beside if file.exists()]
    rows = [('file', str(path)), ('storage', storage), ('schema', str(SCHEMA)),
            ('created', _date(report.created_ns)), ('revision', str(report.revision)),
            ('people', str(report.people)),
            ('expired', str(sum(p.is_expired(now) for p in people))),
            ('templates', str(report.templates)),
            *((f'  of {model[:12]}', str(count)) for model, count in report.models.items()),
            ('bytes', ', '.join(files))]
    say(_table(rows))
    return 0


def _key(options: argparse.Namespace) -> int:
    path = write_key_file(options.file, allow_temporary=options.allow_temporary)
    say(f'a key is in {printable(str(path))}; without it the gallery cannot be read, keep a '
        'copy\n')
    return 0


def _export_key(options: argparse.Namespace) -> bytes | None:
    return None if options.export_key_file is None else find_key(options.export_key_file)


def _date(stamp_ns: int) -> str:
    return datetime.fromtimestamp(stamp_ns * 1e-9, timezone.utc).strftime('%Y-%m-%dT%H:%MZ')


def _expiry(person: Person, now_ns: int) -> str:
    if person.expires_ns is None:
        return 'never'
    return _date(person.expires_ns) + (' (over)' if person.is_expired(now_ns) else '')


def _table(raw: Sequence[tuple[str, ...]]) -> str:
    rows = [tuple(map(printable, row)) for row in raw]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ''.join('  '.join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() + '\n'
                   for row in rows)


if __name__ == '__main__':
    sys.exit(main())

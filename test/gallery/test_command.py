# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The command gallery."""

from __future__ import annotations

import argparse
from collections.abc import Callable
import io
import os
from pathlib import Path
import sqlite3
import subprocess
import sys
import time

from face_depth_ros.gallery import command
from face_depth_ros.gallery.keys import KEY_VARIABLE
from gallery_files import KEY, MODEL, open_gallery, OTHER_KEY, template
import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
        ) -> Run:
    """Run the command on a gallery of two people; returns exit status, output and errors."""
    with open_gallery(tmp_path / 'g.db') as gallery:
        gallery.enroll('Anna', [template(1, model_name='face_recognizer', source='bag:hall'),
                                template(2)])
        gallery.enroll('Ben', [template(3)], retention_s=3600)
    monkeypatch.setenv(KEY_VARIABLE, KEY.hex())
    monkeypatch.setenv('FACE_DEPTH_GALLERY', str(tmp_path / 'g.db'))

    def run(*arguments: str) -> tuple[int, str, str]:
        status = command.main([*arguments, '--allow-temporary'])
        return status, *capsys.readouterr()
    return run


def test_list_and_show(run: Run) -> None:
    status, out, _ = run('list')
    title, anna, ben = out.splitlines()
    assert status == 0 and title.split() == ['name', 'templates', 'enrolled', 'expires', 'models']
    assert anna.split()[:2] == ['Anna', '2'] and anna.split()[3:] == ['never', MODEL[:12]]
    assert ben.split()[:2] == ['Ben', '1'] and ben.split()[3].endswith('Z')
    status, out, _ = run('show', 'Anna')
    assert status == 0 and out.startswith('Anna: enrolled 2')
    assert out.splitlines()[2].split()[2:] == ['64', 'face_recognizer', MODEL[:12], 'bag:hall']
    status, _, err = run('show', 'Nobody')
    assert status == 1 and "error: there is no person named 'Nobody'" in err


def test_rename(run: Run) -> None:
    assert run('rename', 'Anna', 'Hannah') == (0, '', '')
    assert 'Hannah' in run('list')[1]
    status, _, err = run('rename', 'Hannah', 'Ben')
    assert status == 1 and "a person named 'Ben' already" in err


def test_forget_asks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in ('', 'n\n', 'maybe\n'):
        monkeypatch.setattr('sys.stdin', io.StringIO(answer))
        status, out, err = run('forget', 'Anna')
        assert (status, err) == (1, 'nobody was forgotten\n')
        assert out == 'forget Anna with 2 templates for good? [y/N] '
    monkeypatch.setattr('sys.stdin', io.StringIO('yes\n'))
    assert run('forget', 'Anna')[0] == 0
    status, out, _ = run('forget', 'Ben', 'Ben', '--yes')
    assert status == 0 and out == 'gone from this file; exports made before still hold them\n'
    assert len(run('list')[1].splitlines()) == 1


def test_forget_expired(run: Run, tmp_path: Path) -> None:
    assert run('forget-expired') == (0, '', '')
    with open_gallery(tmp_path / 'g.db') as gallery:
        gallery.set_expiry('Ben', 1)
    assert '(over)' in run('list')[1]
    assert run('forget-expired')[1] == 'Ben\n'


def test_export_and_import(run: Run, tmp_path: Path) -> None:
    file, other = str(tmp_path / 'people'), str(tmp_path / 'other.db')
    assert run('export', file)[:2] == (0, f'2 people in {file}\n')
    assert run('import', file, '--gallery', other)[:2] == (
        0, '2 added, 0 changed, 0 skipped, 0 expired\n')
    status, _, err = run('import', file)
    assert status == 1 and 'nobody was imported' in err
    assert '2 skipped' in run('import', file, '--conflict', 'skip')[1]
    key = str(tmp_path / 'key')
    assert run('key', key)[0] == 0
    assert run('export', file + '2', '--export-key-file', key)[0] == 0
    assert 'does not open the export' in run('import', file + '2')[2]
    assert run('import', file + '2', '--export-key-file', key, '--conflict', 'add')[0] == 0
    assert run('export', file + '3', '--plain-export')[0] == 0
    assert run('import', file + '3', '--plain-export', '--gallery', other, '--conflict',
               'replace')[:2] == (0, '0 added, 2 changed, 0 skipped, 0 expired\n')


def test_verify_purge_and_stats(run: Run, tmp_path: Path) -> None:
    assert run('verify')[:2] == (0, 'ok: 2 people, 3 templates\n')
    assert run('purge')[0] == 0
    status, out, _ = run('stats')
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert status == 0 and lines['storage'] == 'encrypted' and lines['people'] == '2'
    assert lines['file'] == str(tmp_path / 'g.db') and lines['templates'] == '3'
    connection = sqlite3.connect(tmp_path / 'g.db')
    connection.execute('DELETE FROM templates WHERE id = 1')
    connection.commit()
    connection.close()
    status, out, err = run('verify')
    assert (status, out) == (1, '') and 'was damaged or tampered with' in err


def test_keys(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, _ = run('key', str(tmp_path / 'key'))
    assert status == 0 and 'keep a copy' in out
    assert 'does not open the gallery' in run('list', '--key-file', str(tmp_path / 'key'))[2]
    monkeypatch.setenv(KEY_VARIABLE, OTHER_KEY.hex())
    assert 'does not open the gallery' in run('list')[2]
    monkeypatch.delenv(KEY_VARIABLE)
    assert 'the gallery has no key' in run('list')[2]
    assert 'is encrypted; give its key' in run('list', '--plain')[2]
    assert 'give one of both' in run('list', '--plain', '--key-file', 'x')[2]


def test_plain_storage_only_when_asked_for(run: Run, tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'plain.db', None) as gallery:
        gallery.enroll('Zoë', [template(1)])
    plain = ('--gallery', str(tmp_path / 'plain.db'))
    assert 'is stored plainly' in run('list', *plain)[2]
    assert 'Zoë' in run('list', *plain, '--plain')[1]


def test_nothing_is_made_by_looking(run: Run, tmp_path: Path) -> None:
    for arguments in (('list',), ('forget-expired',), ('forget', 'Anna', '--yes')):
        status, _, err = run(*arguments, '--gallery', str(tmp_path / 'new.db'))
        assert status == 1 and 'there is no gallery at' in err
    assert not (tmp_path / 'new.db').exists()


def test_temporary_folders_are_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(['list']) == 1
    assert 'lies under /tmp' in capsys.readouterr().err


def test_commands_of_others(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def enrol(options: argparse.Namespace) -> int:
        with command.open_from_options(options, create=True) as gallery:
            gallery.enroll(options.name, [template(8)])
        return 0

    def add(subparsers: argparse._SubParsersAction) -> None:
        parser = command.add_command(subparsers, 'enroll', enrol, 'introduce a person')
        parser.add_argument('name')
    assert command.main(['enroll', 'Cleo', '--allow-temporary'], [add]) == 0
    assert 'Cleo' in run('list')[1]
    with pytest.raises(SystemExit):
        command.main(['enroll', 'Cleo'])
    assert 'invalid choice' in capsys.readouterr().err


def test_keep(run: Run, tmp_path: Path) -> None:
    before = time.time_ns()
    assert run('keep', 'Anna', '30')[0] == 0
    with open_gallery(tmp_path / 'g.db') as gallery:
        expires = gallery.person('Anna').expires_ns
    assert expires is not None
    assert before <= expires - 30 * 86400 * 10**9 <= time.time_ns()
    assert 'expires 2' in run('show', 'Anna')[1]
    assert run('keep', 'Anna', 'forever')[0] == 0
    assert 'expires never' in run('show', 'Anna')[1]
    assert "no person named 'Nobody'" in run('keep', 'Nobody', '1')[2]


@pytest.mark.parametrize('days', ['0', '-1', 'nan', 'inf', '36501', '1e308', 'soon'])
def test_impossible_times_to_keep_somebody(
        run: Run, capsys: pytest.CaptureFixture[str], days: str) -> None:
    with pytest.raises(SystemExit):
        run('keep', '--allow-temporary', '--', 'Anna', days)
    assert f"got '{days}', expected a number of days above 0 and at most 36500" in (
        capsys.readouterr().err)


@pytest.mark.parametrize('arguments', [
    ('rename', 'Anna', 'Hannah'), ('keep', 'Anna', '1'), ('forget', 'Anna', '--yes'), ('purge',),
    ('import', 'people', '--plain-export')])
def test_commands_that_change_people_forget_those_whose_time_is_over(
        run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
        ) -> None:
    monkeypatch.chdir(tmp_path)
    with open_gallery(tmp_path / 'g.db') as gallery:
        gallery.set_expiry('Ben', 1)
    with open_gallery(tmp_path / 'other.db') as other:
        other.enroll('Cleo', [template(7)])
        other.export(tmp_path / 'people', plain=True)
    status, _, err = run(*arguments)
    assert status == 0 and err == 'Ben was forgotten: the time to keep them is over\n'
    assert 'Ben' not in run('list')[1]


def test_keeping_somebody_longer_whose_time_is_over(run: Run, tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'g.db') as gallery:
        gallery.set_expiry('Ben', 1)
    assert run('keep', 'Ben', '2') == (0, '', '')
    assert 'Ben' in run('list')[1] and '(over)' not in run('list')[1]


def test_a_change_that_was_made_is_no_error_where_the_expired_cannot_be_removed(
        run: Run, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / 'g.db')
    connection.execute("UPDATE people SET record = x'00' WHERE id = 2")
    connection.commit()
    connection.close()
    status, out, err = run('forget', 'Anna', '--yes')
    assert status == 0 and out.startswith('gone') and 'warning: those whose time is over' in err


def test_no_gallery_is_made_for_an_export_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    new = str(tmp_path / 'new.db')
    (tmp_path / 'text').write_text('no export')
    for file in ('none', 'text'):
        status, _, err = run('import', str(tmp_path / file), '--gallery', new)
        assert status == 1 and 'export' in err
        assert not (tmp_path / 'new.db').exists()


def test_homes_that_are_not_there(run: Run) -> None:
    for arguments in (('list', '--gallery', '~nosuchuser/g.db'), ('key', '~nosuchuser/key'),
                      ('list', '--key-file', '~nosuchuser/key'), ('export', '~nosuchuser/x'),
                      ('import', '~nosuchuser/x')):
        status, _, err = run(*arguments)
        assert status == 1 and 'error: ~nosuchuser' in err and 'has no home folder' in err


@pytest.mark.parametrize('gallery', ['~nosuchuser/g.db', '/home/100%d/g.db'])
def test_help_needs_no_gallery(run: Run, monkeypatch: pytest.MonkeyPatch,
                               capsys: pytest.CaptureFixture[str], gallery: str) -> None:
    monkeypatch.setenv('FACE_DEPTH_GALLERY', gallery)
    for arguments in (['--help'], ['list', '--help'], ['import', '--help']):
        with pytest.raises(SystemExit) as caught:
            command.main(arguments)
        assert caught.value.code == 0
    assert 'XDG_DATA_HOME' in capsys.readouterr().out


def test_help_needs_no_home(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('FACE_DEPTH_GALLERY', 'XDG_DATA_HOME', 'HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('pwd.getpwuid', lambda _: {}['no entry'])
    with pytest.raises(SystemExit) as caught:
        command.main(['list', '--help'])
    assert caught.value.code == 0
    status, _, err = run('list')
    assert status == 1 and 'give a path without ~, or set HOME' in err


@pytest.mark.parametrize('answers', [None, io.TextIOWrapper(io.BytesIO(b'\xff\n'), 'utf-8')])
def test_no_answer_is_no(run: Run, monkeypatch: pytest.MonkeyPatch,
                         answers: io.TextIOWrapper | None) -> None:
    monkeypatch.setattr('sys.stdin', answers)
    status, _, err = run('forget', 'Anna')
    assert (status, err) == (1, 'nobody was forgotten\n')
    assert 'Anna' in run('list')[1]


def test_names_where_only_ascii_can_be_written(
        run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run('rename', 'Anna', 'Zoë')
    written = io.TextIOWrapper(io.BytesIO(), 'ascii')
    with monkeypatch.context() as patched:
        patched.setattr('sys.stdout', written)
        assert run('list')[0] == 0
    assert b'Zo\\xeb' in written.buffer.getvalue()  # type: ignore[attr-defined]


def test_no_output_at_all(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in ('sys.stdout', 'sys.stderr'):
        monkeypatch.setattr(stream, None)
    assert run('list')[0] == 0 and run('show', 'Nobody')[0] == 1


@pytest.mark.parametrize(('shell', 'status', 'error'), [
    ('"$@" > /dev/full', 1, 'error: the output cannot be written (No space left on device); free '
                            'space, or write it elsewhere\n'),
    ('"$@" | true; exit ${PIPESTATUS[0]}', 0, ''),
])
def test_an_output_that_takes_nothing(run: Run, shell: str, status: int, error: str) -> None:
    listed = subprocess.run(
        ['bash', '-c', shell, 'bash', sys.executable, '-m', 'face_depth_ros.gallery.command',
         'list', '--allow-temporary'], capture_output=True, text=True, env=dict(os.environ))
    assert (listed.returncode, listed.stderr) == (status, error)


def test_nothing_that_is_shown_moves_the_cursor(run: Run, tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'g.db') as gallery:
        gallery.enroll('Zoë', [template(5, source='\x1b[31mred\nforged line', model_name='a\rb'),
                               template(6, source='bag:\udcff')])
        with gallery._change():  # As the import of earlier versions took it in.
            gallery._ledger.put_person('Eve\x1b[2J', 1, 1, None)
    out = run('show', 'Zoë')[1]
    assert len(out.splitlines()) == 4 and 'Zoë: enrolled' in out
    for shown in (r'\x1b[31mred\nforged line', r'a\rb', r'bag:\udcff'):
        assert shown in out
    for text in (run('list')[1], run('show', 'Eve\x1b[2J')[1], run('forget', 'x\x1b[2J')[2]):
        assert '\x1b' not in text and r'\x1b[2J' in text


def test_names_of_two_scripts_are_shown_as_they_are(run: Run) -> None:
    run('rename', 'Anna', 'می\u200cخواهم')
    assert 'می\u200cخواهم' in run('list')[1]

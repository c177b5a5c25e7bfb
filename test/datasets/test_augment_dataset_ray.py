# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""augment_dataset on a Ray cluster of this machine, one of whose two workers is killed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
import os
from pathlib import Path
import signal
import subprocess
import threading
import time

from drawn_describer import contents, draw_photos, DrawnSource, FACELESS, read_log
from face_depth_ros.core.errors import DatasetError, FaceDepthError
from face_depth_ros.datasets.augment_dataset import augment_dataset, AugmentSettings
from face_depth_ros.datasets.augmented_faces import AugmentedFaces
from face_depth_ros.datasets.face_image_list import list_face_images
import pytest

SETTINGS = AugmentSettings(shard_size=10)
COUNT = 60


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers import what lies beside the tests."""
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).resolve().parents[1]))


def listening() -> set[str]:
    """Return the addresses on which this machine listens."""
    lines = subprocess.run(['ss', '-Hltn'], capture_output=True, text=True, check=True).stdout
    return {line.split()[3] for line in lines.splitlines()}


class Killer(threading.Thread):
    """Kills the first worker in the middle of its second shard; looks at the ports meanwhile."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log
        self.killed = -1
        self.photos: list[int] = []
        self.ports: set[str] = set()

    def run(self) -> None:
        end = time.monotonic() + 100.0
        while self.killed < 0 and time.monotonic() < end:
            time.sleep(0.01)
            seen = list(read_log(self._log))
            mine = [number for process, number in seen if process == seen[0][0]]
            if len(mine) == 14:
                os.kill(seen[0][0], signal.SIGKILL)
                self.killed, self.photos = seen[0][0], mine
        self.ports = listening()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_nothing_is_lost_or_doubled_when_a_worker_is_killed(importable: None,
                                                            tmp_path: Path) -> None:
    photos, log, out = tmp_path / 'photos', tmp_path / 'log', tmp_path / 'ray'
    draw_photos(photos, 10, 6)
    augment_dataset(photos, tmp_path / 'single', SETTINGS, DrawnSource())
    home = Path.home() / '.ray'
    home_before, before = home.exists(), listening()
    killer = Killer(log)
    killer.start()
    report = augment_dataset(photos, out, replace(SETTINGS, workers=2, ray='local'),
                             DrawnSource(str(log), seconds=0.1))
    killer.join()

    assert report.finished and report.made == report.shards == 6
    assert contents(out) == contents(tmp_path / 'single')
    listed = list_face_images(photos).images
    seen = Counter(image for shard in AugmentedFaces(out) for image in shard.images)
    assert seen == Counter(listed[n] for n in range(COUNT) if n % FACELESS)

    assert killer.killed > 0
    times = Counter(number for _, number in read_log(log))
    assert set(times) == set(range(COUNT))
    # What the killed worker had begun was begun again, and nothing else.
    assert [n for n, count in times.items() if count > 1] == killer.photos[10:]
    assert len({process for process, _ in read_log(log)}) == 3
    opened = killer.ports - before
    assert opened and all(a.startswith(('127.0.0.1:', '[::ffff:127.0.0.1]:', '[::1]:'))
                          for a in opened), opened
    assert home.exists() == home_before


@pytest.mark.slow
@pytest.mark.parametrize(('source', 'message'), [
    (DrawnSource(kills=7), 'shard 1, from n000000/0001_01.png on, failed on its worker'),
    (DrawnSource(differs=True), 'a worker has model_sha256 .*install the same version'),
])
def test_what_the_cluster_cannot_do_is_named(importable: None, tmp_path: Path,
                                             source: DrawnSource, message: str) -> None:
    draw_photos(tmp_path / 'photos', 2, 6)
    with pytest.raises(DatasetError, match=message):
        augment_dataset(tmp_path / 'photos', tmp_path / 'out',
                        AugmentSettings(shard_size=6, workers=2, ray='local'), source)


@pytest.mark.parametrize(('address', 'message'), [
    ('127.0.0.1:1', "no Ray cluster at '127.0.0.1:1': .*refused; start one with `ray start"),
    ('ray://host:1', "is 'ray://host:1', expected HOST:PORT, auto"),
    ('here', "is 'here', expected HOST:PORT"),
    ('host:²', "is 'host:²', expected HOST:PORT"),
])
def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path, address: str,
                                                 message: str) -> None:
    draw_photos(tmp_path / 'photos', 1, 1)
    with pytest.raises(FaceDepthError, match=message):
        augment_dataset(tmp_path / 'photos', tmp_path / 'out', replace(SETTINGS, ray=address),
                        DrawnSource())

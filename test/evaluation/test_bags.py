# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Bags of both storages, whole and damaged, read as frames."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

from face_depth_ros.core.errors import BagError, InvalidDepthError
from face_depth_ros.evaluation import bag_writer
from face_depth_ros.evaluation.bag_types import message_types
from face_depth_ros.evaluation.bag_writer import BagWriter
from face_depth_ros.evaluation.bags import Bag, FrameMessages
import numpy as np
import pytest
import rgbd_bags
from rosbags.rosbag2 import CompressionMode, StoragePlugin

FRAMES = 4


def frames_of(path: Path, limit: int | None = None) -> list[FrameMessages]:
    with Bag(path) as bag:
        return list(bag.frames(bag.camera_topics(), limit))


def entries(count: int = FRAMES) -> list[rgbd_bags.Entry]:
    return [e for i in range(count) for e in rgbd_bags.frame_entries(i)]


@pytest.fixture
def bag_path(tmp_path: Path) -> Path:
    return rgbd_bags.write_bag(tmp_path / 'bag', entries())


@pytest.mark.parametrize(('storage', 'compression'), [
    (StoragePlugin.MCAP, CompressionMode.NONE), (StoragePlugin.MCAP, CompressionMode.STORAGE),
    (StoragePlugin.SQLITE3, CompressionMode.NONE), (StoragePlugin.SQLITE3, CompressionMode.FILE),
    (StoragePlugin.SQLITE3, CompressionMode.MESSAGE)])
def test_frames_of_every_storage(tmp_path: Path, storage: StoragePlugin,
                                 compression: CompressionMode) -> None:
    path = rgbd_bags.write_bag(tmp_path / 'bag', entries(), storage=storage,
                               compression=compression)
    found = frames_of(path)
    assert [f.stamp_ns for f in found] == [rgbd_bags.stamp(i) for i in range(FRAMES)]
    for i, messages in enumerate(found):
        frame = messages.decode()
        np.testing.assert_array_equal(frame.color, rgbd_bags.color_array(i))
        expected = rgbd_bags.depth_array(i).astype(np.float32) * np.float32(0.001)
        np.testing.assert_array_equal(np.nan_to_num(frame.depth), expected)
        assert np.isnan(frame.depth[expected == 0]).all()
        assert frame.depth_encoding == '16UC1'
        assert frame.frame_id == 'camera'
        assert (frame.intrinsics.fx, frame.intrinsics.cx) == (60.0, 32.0)


def test_compressed_images_give_the_same_frames(tmp_path: Path) -> None:
    path = rgbd_bags.write_bag(
        tmp_path / 'bag', [e for i in range(2) for e in rgbd_bags.compressed_frame_entries(i)])
    for i, messages in enumerate(frames_of(path)):
        frame = messages.decode()
        np.testing.assert_array_equal(frame.color, rgbd_bags.color_array(i))
        np.testing.assert_allclose(np.nan_to_num(frame.depth),
                                   rgbd_bags.depth_array(i) / 1000.0, rtol=1e-6)


def test_a_storage_file_is_a_bag_too(bag_path: Path) -> None:
    assert len(frames_of(bag_path / 'bag.mcap')) == FRAMES


def test_limit_and_join_of_unequal_stamps(tmp_path: Path) -> None:
    some = [e for e in entries() if not (
        e.stamp_ns == rgbd_bags.stamp(1) and e.topic == f'{rgbd_bags.DEPTH}/image_raw')]
    path = rgbd_bags.write_bag(tmp_path / 'bag', some)
    assert [f.stamp_ns for f in frames_of(path)] == [rgbd_bags.stamp(i) for i in (0, 2, 3)]
    assert [f.index for f in frames_of(path, limit=2)] == [0, 1]
    with Bag(path) as bag:
        list(bag.frames(bag.camera_topics()))
        assert bag.join_drops == {'incomplete': 1}


def test_camera_info_that_came_once_is_given_the_stamp_of_each_frame(tmp_path: Path) -> None:
    late = [e for e in entries() if e.msgtype == rgbd_bags.IMAGE]
    late.append(rgbd_bags.info_entry(f'{rgbd_bags.COLOR}/camera_info', rgbd_bags.stamp(9)))
    for messages in frames_of(rgbd_bags.write_bag(tmp_path / 'bag', late)):
        assert messages.color_info.stamp_ns == messages.stamp_ns
        info = message_types().deserialize_cdr(messages.color_info.cdr, rgbd_bags.INFO)
        assert info.header.stamp.nanosec == messages.stamp_ns % 10 ** 9
        assert messages.depth_info is None
        assert messages.decode().intrinsics.fx == 60.0


def test_bag_without_camera_info_has_no_intrinsics(tmp_path: Path) -> None:
    images = [e for e in entries() if e.msgtype == rgbd_bags.IMAGE]
    assert frames_of(rgbd_bags.write_bag(tmp_path / 'bag', images))[0].decode().intrinsics is None


def test_sha256_of_one_file_is_that_of_the_file(bag_path: Path) -> None:
    with Bag(bag_path) as bag:
        assert bag.sha256() == hashlib.sha256((bag_path / 'bag.mcap').read_bytes()).hexdigest()
        assert bag.counts()[f'{rgbd_bags.COLOR}/image_raw'] == FRAMES


def test_unequal_sizes_are_refused_by_frame(tmp_path: Path) -> None:
    s = rgbd_bags.stamp(0)
    small = rgbd_bags.image_entry(f'{rgbd_bags.DEPTH}/image_raw', s,
                                  rgbd_bags.depth_array(0)[:24], '16UC1')
    path = rgbd_bags.write_bag(tmp_path / 'bag', [rgbd_bags.frame_entries(0)[0], small])
    with pytest.raises(InvalidDepthError, match='depth is 64 x 24 and colour 64 x 48'):
        frames_of(path)[0].decode()


def test_decoded_leaves_out_what_cannot_be_decoded(tmp_path: Path,
                                                   caplog: pytest.LogCaptureFixture) -> None:
    some = entries(3)
    some[5] = rgbd_bags.image_entry(some[5].topic, some[5].stamp_ns, rgbd_bags.color_array(1),
                                    'rgb8')
    with Bag(rgbd_bags.write_bag(tmp_path / 'bag', some)) as bag:
        topics = bag.camera_topics()
        assert [source.index for source, _ in bag.decoded(topics)] == [0, 2]
    assert 'are left out (depth_encoding); frame 1: depth encoding' in caplog.text
    with Bag(rgbd_bags.write_bag(tmp_path / 'bad', some[4:8])) as bag, pytest.raises(
            BagError, match='no frame of .*bad can be used; frame 0: depth encoding') as caught:
        list(bag.decoded(topics))
    assert caught.value.cause == 'depth_encoding'


def test_no_bag() -> None:
    with pytest.raises(BagError, match='there is no bag at nowhere'):
        Bag('nowhere')


def test_another_file_is_no_bag(tmp_path: Path) -> None:
    (tmp_path / 'x.txt').write_text('x')
    with pytest.raises(BagError, match='not a rosbag2 storage file'):
        Bag(tmp_path / 'x.txt')


def test_bag_without_metadata_says_how_to_go_on(bag_path: Path) -> None:
    (bag_path / 'metadata.yaml').unlink()
    with pytest.raises(BagError, match=r'no metadata.yaml.*reindex.*pass .*bag.mcap itself'):
        Bag(bag_path)


@pytest.mark.parametrize('storage', [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize('share', [0.0, 0.3, 0.95])
def test_truncated_bag(tmp_path: Path, storage: StoragePlugin, share: float) -> None:
    path = rgbd_bags.write_bag(tmp_path / 'bag', entries(), storage=storage)
    file = next(p for p in path.iterdir() if p.suffix in ('.mcap', '.db3'))
    content = file.read_bytes()
    file.write_bytes(content[:int(share * len(content))])
    with pytest.raises(BagError, match='recover it with'):
        frames_of(path)


def test_corrupted_chunk_tells_how_much_was_read(tmp_path: Path) -> None:
    path = rgbd_bags.write_bag(tmp_path / 'bag', entries(40),
                               compression=CompressionMode.STORAGE)
    file = path / 'bag.mcap'
    content = bytearray(file.read_bytes())
    for at in range(200, len(content) * 2 // 3, 97):
        content[at] ^= 0xff
    file.write_bytes(bytes(content))
    with pytest.raises(BagError, match=r'(damaged after \d+ messages|cannot open)'):
        frames_of(path)


def test_reading_needs_an_open_bag(bag_path: Path) -> None:
    with pytest.raises(BagError, match='is not open'):
        Bag(bag_path).types()


def test_written_bag_reads_back_byte_for_byte(tmp_path: Path, bag_path: Path) -> None:
    with Bag(bag_path) as bag, BagWriter(tmp_path / 'copy') as writer:
        originals = list(bag.messages())
        for m in originals:
            writer.write(m.topic, m.msgtype, m.log_ns, m.cdr)
        writer.announce('/quiet', rgbd_bags.IMAGE)
    with Bag(tmp_path / 'copy') as copy:
        assert [(m.topic, m.log_ns, m.cdr) for m in copy.messages()] == [
            (m.topic, m.log_ns, m.cdr) for m in originals]
        assert copy.counts()['/quiet'] == 0
        assert copy.types()['/quiet'] == rgbd_bags.IMAGE


def test_a_failing_writer_leaves_nothing(tmp_path: Path) -> None:
    entry = rgbd_bags.frame_entries(0)[0]
    with pytest.raises(RuntimeError, match='stop'), BagWriter(tmp_path / 'bag') as writer:
        writer.write_message(entry.topic, entry.msgtype, 1, entry.message)
        raise RuntimeError('stop')
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    entry = rgbd_bags.frame_entries(0)[0]
    for method in ('write', 'close'):
        with monkeypatch.context() as patch, pytest.raises(
                BagError, match='cannot write a bag at .*bag: No space left.*make room'):
            patch.setattr(bag_writer.Writer, method, full)
            with BagWriter(tmp_path / 'bag') as writer:
                writer.write_message(entry.topic, entry.msgtype, 1, entry.message)
    assert not list(tmp_path.iterdir())


def test_writer_refuses_what_would_break_a_bag(tmp_path: Path, bag_path: Path) -> None:
    with pytest.raises(BagError, match='exists already'), BagWriter(bag_path):
        pass
    with BagWriter(tmp_path / 'new') as writer:
        writer.announce('/a', rgbd_bags.IMAGE)
        with pytest.raises(BagError, match='one topic has one type'):
            writer.announce('/a', rgbd_bags.INFO)
        with pytest.raises(BagError, match='cannot record /b'):
            writer.announce('/b', 'no_msgs/msg/Such')
    with pytest.raises(BagError, match='not open for writing'):
        writer.announce('/c', rgbd_bags.IMAGE)

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""LFW, YTF, VGGFace2 and IJB-A, written small and read back; and all that may be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.ijb_a import IjbA, SEARCH, VERIFY
from face_depth_ros.datasets.lfw import Lfw, read_pairs
from face_depth_ros.datasets.photo_faces import (
    FacePair,
    has_depth,
    HeadBox,
    photo_face,
    read_rows,
)
from face_depth_ros.datasets.rgbd_faces import Recording
from face_depth_ros.datasets.vggface2 import identification_split, read_list, VggFace2
from face_depth_ros.datasets.ytf import read_labels, read_splits, video_of, YouTubeFaces
import numpy as np
import pytest

COLUMNS = 'TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,SIGHTING_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT'


def write_photo(path: Path, width: int = 120, height: int = 90, red: int = 200) -> None:
    """Write a photo whose green tells the column and whose blue tells the row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 2], image[..., 1] = red, np.arange(width)
    image[..., 0] = np.arange(height)[:, None]
    ending = '.png'  # exact, whatever the name says
    path.write_bytes(cv2.imencode(ending, image)[1].tobytes())


def recording(name: str = 'photo') -> Recording:
    return Recording('test', 'somebody', '', name, 'unknown', Path())


def test_a_photo_is_a_face_without_depth() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    face = photo_face(recording(), image)
    assert face.depth.shape == (40, 60) and face.depth.dtype == np.float32
    assert not has_depth(face) and face.head_center is None
    face.depth[3, 3] = 1.0
    assert has_depth(face)


def test_a_photo_is_cut_around_the_head() -> None:
    ys, xs = np.mgrid[:80, :100]
    image = np.stack([xs, ys, xs], -1).astype(np.uint8)
    face = photo_face(recording(), image, HeadBox(40, 30, 20, 10))
    assert face.color is not None and face.color.shape == (40, 40, 3)  # 30..70, 15..55
    assert face.color[0, 0].tolist() == [30, 15, 30]
    assert face.head_center == (20.0, 20.0)
    edge = photo_face(recording(), image, HeadBox(0, 0, 20, 20))
    assert edge.color is not None and edge.color.shape == (30, 30, 3)
    assert edge.head_center == (10.0, 10.0)


@pytest.mark.parametrize('box', [HeadBox(200, 0, 20, 20), HeadBox(5, 5, 0, 0),
                                 HeadBox(-50, 5, 20, 20)])
def test_a_head_outside_the_photo_is_an_error(box: HeadBox) -> None:
    with pytest.raises(DatasetError, match='test photo: the head at .* lies outside the photo'):
        photo_face(recording(), np.zeros((80, 100, 3), np.uint8), box)


def test_rows_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / 'rows.csv'
    path.write_text('A, B,C\n1, 2,\n')
    assert read_rows(path, ('A', 'B')) == [{'A': '1', 'B': '2', 'C': ''}]
    with pytest.raises(DatasetError, match='has the columns A, B, C, expected D too'):
        read_rows(path, ('D',))
    with pytest.raises(DatasetError, match='line 2 has no C'):
        read_rows(path, ('C',))
    path.write_text('')
    with pytest.raises(DatasetError, match=r'has the columns \(none\), expected A too'):
        read_rows(path, ('A',))


PAIRS = '2 1\nAnn 1 2\nAnn 1 Bob 1\nBob 1 2\nAnn 2 Bob 2\n'


def write_lfw(root: Path, pairs: str = PAIRS) -> None:
    for name in ('Ann', 'Bob'):
        for number in (1, 2):
            write_photo(root / name / f'{name}_{number:04d}.jpg')
    (root / 'pairs.txt').write_text(pairs)


def test_lfw(tmp_path: Path) -> None:
    write_lfw(tmp_path / 'lfw')
    dataset = Lfw(tmp_path)
    assert [(r.subject, r.name) for r in dataset.recordings] == [
        ('Ann', 'Ann_0001'), ('Ann', 'Ann_0002'), ('Bob', 'Bob_0001'), ('Bob', 'Bob_0002')]
    assert dataset.pairs() == (
        FacePair('Ann_0001', 'Ann_0002', True, 1), FacePair('Ann_0001', 'Bob_0001', False, 1),
        FacePair('Bob_0001', 'Bob_0002', True, 2), FacePair('Ann_0002', 'Bob_0002', False, 2))
    face = next(dataset.faces())
    assert face.color is not None and face.color.shape == (90, 120, 3) and not has_depth(face)
    assert face.color[7, 9].tolist() == [200, 9, 7]


def test_lfw_whose_photos_are_not_all_there(tmp_path: Path) -> None:
    write_lfw(tmp_path, '2 1\nAnn 1 2\nAnn 1 Eve 1\nBob 1 2\nAnn 2 Bob 2\n')
    with pytest.raises(DatasetError, match='lacks 1 photos that pairs.txt names, such as Eve_'):
        Lfw(tmp_path).pairs()
    (tmp_path / 'pairs.txt').unlink()
    with pytest.raises(DatasetError, match='pairs.txt is missing'):
        Lfw(tmp_path).pairs()
    with pytest.raises(DatasetError, match='expected files such as Aaron_Eckhart/'):
        Lfw(tmp_path / 'Ann')


def test_lfw_of_the_whole_size(tmp_path: Path) -> None:
    lines = ['10\t300']
    for fold in range(10):
        lines += [f'p{fold}_{i}\t1\t2' for i in range(300)]
        lines += [f'p{fold}_{i}\t1\tq{fold}_{i}\t3' for i in range(300)]
    path = tmp_path / 'pairs.txt'
    path.write_text('\n'.join(lines))
    pairs = read_pairs(path)
    assert len(pairs) == 6000 and sum(p.same for p in pairs) == 3000
    assert {p.fold for p in pairs} == set(range(1, 11))
    assert pairs[-1] == FacePair('p9_299_0001', 'q9_299_0003', False, 10)


@pytest.mark.parametrize(('text', 'reason'), [
    ('', "begins with '', expected the number of folds"),
    ('ten 300', "begins with 'ten 300'"),
    ('1 1\nAnn 1 2', 'has 1 pairs, expected 2: 1 folds of 1 of one person'),
    ('1 1\nAnn 1 Bob 2\nAnn 1 Bob 2', "'Ann 1 Bob 2' in fold 1 is no pair, expected 'name 1 4'"),
    ('1 1\nAnn 1 2\nAnn 1 Ann 2', "'Ann 1 Ann 2' in fold 1 is no pair, expected 'name 1 other"),
    ('1 1\nAnn 1 x\nAnn 1 Bob 2', "'Ann 1 x' in fold 1 is no pair"),
    ('²\nAnn 1 2\nAnn 1 Bob 2', "begins with '²', expected"),  # a digit, of which int() is none
    ('1 1\nAnn 1 ²\nAnn 1 Bob 2', "'Ann 1 ²' in fold 1 is no pair"),
    ('1 1\nAnn 1 2\nAnn ² Bob 2', "'Ann ² Bob 2' in fold 1 is no pair")])
def test_pairs_that_are_none(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'pairs.txt'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_pairs(path)


def write_ytf(root: Path) -> None:
    frames = root / 'frame_images_DB'
    for person, video in (('Ann', 0), ('Ann', 1), ('Bob', 3)):
        for frame in (9, 10, 11):
            write_photo(frames / person / str(video) / f'{video}.{frame}.jpg')
    (frames / 'Ann.labeled_faces.txt').write_text('Ann\\0\\0.9.jpg,0,60,45,20,20,0,0\n')
    (root / 'splits.txt').write_text('split number, first name, second name, is same\n'
                                     '1, Ann/0, Ann/1, 1\n2, Ann/0, Bob/3, 0, 0\n')


def test_ytf(tmp_path: Path) -> None:
    write_ytf(tmp_path)
    dataset = YouTubeFaces(tmp_path, every=2)
    assert [r.name for r in dataset.recordings] == [
        'Ann/0/0.9', 'Ann/0/0.11', 'Ann/1/1.9', 'Ann/1/1.11', 'Bob/3/3.9', 'Bob/3/3.11']
    assert video_of(dataset.recordings[-1]) == 'Bob/3'
    assert dataset.pairs() == (FacePair('Ann/0', 'Ann/1', True, 1),
                               FacePair('Ann/0', 'Bob/3', False, 2))
    first, second = list(dataset.faces())[:2]
    assert first.head_center == (20.0, 20.0) and first.depth.shape == (40, 40)
    assert first.color is not None and first.color[0, 0].tolist() == [200, 40, 25]
    assert second.head_center is None and second.depth.shape == (90, 120)


def test_ytf_that_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='every is 0, expected 1 or more'):
        YouTubeFaces(tmp_path, every=0)
    with pytest.raises(DatasetError, match='expected files such as frame_images_DB/'):
        YouTubeFaces(tmp_path)
    write_ytf(tmp_path)
    (tmp_path / 'splits.txt').write_text('1, Ann/0, Eve/1, 1\n')
    with pytest.raises(DatasetError, match='lacks 1 videos that splits.txt names, such as Eve/1'):
        YouTubeFaces(tmp_path).pairs()
    (tmp_path / 'splits.txt').unlink()
    with pytest.raises(DatasetError, match='splits.txt is missing'):
        YouTubeFaces(tmp_path).pairs()


@pytest.mark.parametrize(('text', 'reason'), [
    ('heading\n', 'holds no pairs'), ('1, a/0, b/0, yes\n', "'1, a/0, b/0, yes' is no pair"),
    ('1, a/0, b/0, 1\n², a/0, b/0, 1\n', "'², a/0, b/0, 1' is no pair, expected"),
    ('1, a/0, b/0\n', 'is no pair, expected'), ('1, a/0, , 1\n', 'is no pair, expected')])
def test_splits_that_are_none(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'splits.txt'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_splits(path)


@pytest.mark.parametrize(('text', 'reason'), [
    ('a,0,1,2\n', 'is no label, expected the frame'),
    ('a\\0\\0.1.jpg,0,x,2,3,4,0,0\n', "a label is 'x', expected a number"),
    ('a\\0\\0.1.jpg,0,nan,2,3,4,0,0\n', "a label is 'nan', expected a finite number")])
def test_labels_that_are_none(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'labels.txt'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_labels(path)


def test_vggface2(tmp_path: Path) -> None:
    for person in ('n000001', 'n000009'):
        for number in (1, 2, 3):
            write_photo(tmp_path / 'test' / person / f'{number:04d}_01.jpg')
    assert len(VggFace2(tmp_path).recordings) == 6
    (tmp_path / 'test_list.txt').write_text('n000001/0002_01.jpg\nn000001/0001_01.jpg\n'
                                            'n000009/0003_01.jpg\n')
    (tmp_path / 'bb_landmark').mkdir()
    (tmp_path / 'bb_landmark' / 'loose_bb_test.csv').write_text(
        'NAME_ID,X,Y,W,H\n"n000001/0001_01",50,35,20,20\n')
    dataset = VggFace2(tmp_path)
    assert [r.name for r in dataset.recordings] == ['n000001/0001_01', 'n000001/0002_01',
                                                    'n000009/0003_01']
    split = identification_split(dataset.recordings)
    assert [len(split.gallery), len(split.probe)] == [2, 1]
    first, second, _ = dataset.faces()
    assert first.head_center == (20.0, 20.0) and first.depth.shape == (40, 40)
    assert second.head_center is None
    assert len(VggFace2(tmp_path / 'test').recordings) == 3  # the list lies above it
    (tmp_path / 'test_list.txt').unlink()
    assert len(VggFace2(tmp_path / 'test').recordings) == 6


def test_vggface2_that_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="part is 'all', expected one of train, test"):
        VggFace2(tmp_path, part='all')
    with pytest.raises(DatasetError, match='expected files such as test/n000001/0001_01.jpg'):
        VggFace2(tmp_path)
    for text, reason in (('', 'is empty'), ('../secret.jpg', r"has the line '\.\./secret\.jpg'"),
                         ('a/b.png', "has the line 'a/b.png'")):
        (tmp_path / 'list.txt').write_text(text)
        with pytest.raises(DatasetError, match=reason):
            read_list(tmp_path / 'list.txt')


def write_ijb_a(root: Path, comparisons: str = '1,2\n1,3\n') -> None:
    for name in ('img/1.jpg', 'img/2.jpg', 'frame/3.png'):
        write_photo(root / 'images' / name)
    faces = ['1,100,img/1.jpg,7,1,50,35,20,20', '2,100,frame/3.png,8,2,50,35,20,20',
             '3,200,img/1.jpg,9,3,10,10,20,20', '3,200,img/2.jpg,10,4,50,35,20,20']
    for kind, name in ((VERIFY, 'verify_metadata'), (SEARCH, 'search_gallery'),
                       (SEARCH, 'search_probe')):
        folder = root / kind / 'split1'
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f'{name}_1.csv').write_text('\n'.join([COLUMNS, *faces]) + '\n')
    (root / VERIFY / 'split1' / 'verify_comparisons_1.csv').write_text(comparisons)


def test_ijb_a(tmp_path: Path) -> None:
    write_ijb_a(tmp_path / 'IJB-A')
    dataset = IjbA(tmp_path)
    (tmp_path / 'IJB-A' / VERIFY / 'split²').mkdir()  # a digit, of which int() is none
    assert dataset.splits() == dataset.splits(SEARCH) == (1,)
    assert [(r.subject, r.name) for r in dataset.recordings] == [
        ('100', 'frame/3.png@50,35'), ('200', 'img/1.jpg@10,10'), ('100', 'img/1.jpg@50,35'),
        ('200', 'img/2.jpg@50,35')]
    templates = dataset.templates(1)
    assert [(t.template, t.media) for t in templates] == [('1', '7'), ('2', '8'), ('3', '9'),
                                                          ('3', '10')]
    assert dataset.comparisons(1) == (FacePair('1', '2', True, 1), FacePair('1', '3', False, 1))
    gallery, probe = dataset.search(1)
    assert len(gallery) == len(probe) == 4
    face = dataset.read(templates[2].recording)
    assert face.color is not None and face.color[0, 0].tolist() == [200, 0, 0]
    assert face.head_center == (20.0, 20.0)


@pytest.mark.parametrize(('comparisons', 'reason'), [
    ('', 'holds no pairs'), ('1,9\n', "'1,9' is no pair of templates of verify_metadata_1.csv"),
    ('1\n', "'1' is no pair of templates")])
def test_comparisons_that_are_none(tmp_path: Path, comparisons: str, reason: str) -> None:
    write_ijb_a(tmp_path, comparisons)
    with pytest.raises(DatasetError, match=reason):
        IjbA(tmp_path).comparisons(1)


def test_ijb_a_that_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='expected files such as IJB-A_11_sets/split1/'):
        IjbA(tmp_path)
    write_ijb_a(tmp_path)
    dataset: Any = IjbA(tmp_path)
    with pytest.raises(DatasetError, match='verify_metadata_2.csv is missing'):
        dataset.templates(2)
    path = tmp_path / VERIFY / 'split1' / 'verify_metadata_1.csv'
    path.write_text(f'{COLUMNS}\n1,100,../../secret.jpg,7,1,50,35,20,20\n')
    with pytest.raises(DatasetError, match='lies outside the dataset'):
        IjbA(tmp_path)
    path.write_text(f'{COLUMNS}\n1,100,img/1.jpg,7,1,x,35,20,20\n')
    with pytest.raises(DatasetError, match="FACE_X is 'x', expected a number"):
        IjbA(tmp_path)

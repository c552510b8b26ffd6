import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from passreid.rendering import Scene, write_scene


@pytest.fixture(scope='module')
def scene(tmp_path_factory):
    return write_scene(tmp_path_factory.mktemp('scene'), Scene(people=3, cameras=2, seconds=14))


def arguments(scene, small):
    tracks, frames, truth = (
        [scene / f'c{camera}' / part for camera in (1, 2)]
        for part in ('tracks.txt', 'img1', 'gt/gt.txt')
    )
    model = ['--model', small.config, '--weights', small.weights]
    return [*tracks, '--frames', *frames, '--truth', *truth, '--fps', 5, *model]


def test_links_and_writes(run, scene, small):
    Path('travel.csv').write_text('0,3\n3,0\n')
    text = run('link_tracks', *arguments(scene, small), '--travel-times', 'travel.csv')
    assert 'none was found, which takes more tracks' in text and 'IDF1' in text
    with open('people/people.csv') as stream:
        rows = list(csv.DictReader(stream))
    assert {row['camera'] for row in rows} == {'c1', 'c2'}
    people = {int(row['person']) for row in rows}
    assert sorted(people) == list(range(1, len(people) + 1))
    for camera in ('c1', 'c2'):
        given = (scene / camera / 'tracks.txt').read_text().splitlines()
        found = Path(f'people/{camera}.txt').read_text().splitlines()
        table = {row['track']: row['person'] for row in rows if row['camera'] == camera}
        for one, other in zip(given, found, strict=True):
            frame, track, *rest = one.split(',')
            assert other == ','.join([frame, table[track], *rest])
    for person in people:
        picture = cv2.imread(f'people/person_{person:04d}.png')
        assert len(np.unique(picture)) > 50


def test_threshold_and_constraints(run, scene, small):
    Path('people').mkdir()
    Path('people/person_0002.png').touch()
    Path('people/person_new.png').touch()
    options = ['--threshold', '2', '--no-constraints', '--names', 'door', 'hall']
    text = run('link_tracks', *arguments(scene, small), *options)
    assert 'are 1 people (threshold 2.000, given)' in text
    pages = ['door.txt', 'hall.txt', 'people.csv', 'person_0001.png', 'person_new.png']
    assert sorted(path.name for path in Path('people').iterdir()) == pages


def test_bad_arguments(run, scene, small, capsys):
    given = arguments(scene, small)
    with pytest.raises(SystemExit):
        run('link_tracks', given[0], *given[2:])
    assert '--frames has 2 values, for 1' in capsys.readouterr().err
    Path('travel.csv').write_text('0,3,1\n3,0,1\n')
    with pytest.raises(ValueError, match=r'travel.csv has shape \(2, 3\)'):
        run('link_tracks', *given, '--travel-times', 'travel.csv')
    for text in ('0,three\n', '0,-1\n-1,0\n', '0,nan\n3,0\n'):
        Path('travel.csv').write_text(text)
        with pytest.raises(ValueError, match='travel.csv'):
            run('link_tracks', *given, '--travel-times', 'travel.csv')
    with pytest.raises(FileExistsError, match='tracks.txt would be overwritten'):
        run('link_tracks', *given, '--out', scene / 'c1', '--names', 'tracks', 'c2')
    for names in (['c1', 'c1'], ['c1', '../c2'], ['c1', '']):
        with pytest.raises(SystemExit):
            run('link_tracks', *given, '--names', *names)
        assert 'a file of its own' in capsys.readouterr().err

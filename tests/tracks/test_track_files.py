import numpy as np
import pytest

from passreid.tracks.track_files import read_tracks, write_tracks

LINES = ['1,7,10,20,30,60,0.9,-1,-1,-1', '2,7,12,20,30,60,0.9,-1,-1,-1', '2,8,0,0,5,5,1,-1,-1,-1']


def test_round_trip(tmp_path):
    path = tmp_path / 'tracks.txt'
    path.write_text('\ufeff' + '\n'.join(LINES) + '\n', encoding='utf-8')
    tracks = read_tracks(path)
    assert tracks.frames.tolist() == [1, 2, 2] and tracks.ids.tolist() == [7, 7, 8]
    np.testing.assert_array_equal(tracks.boxes[0], [10, 20, 40, 80])
    write_tracks(tmp_path / 'new' / 'out.txt', tracks, np.array([1, 1, 3]))
    expected = [LINES[0].replace(',7,', ',1,'), LINES[1].replace(',7,', ',1,'), LINES[2]]
    expected[2] = expected[2].replace(',8,', ',3,')
    assert (tmp_path / 'new' / 'out.txt').read_text().splitlines() == expected


@pytest.mark.parametrize(
    'lines, message',
    [
        (['1,2,3,4,5'], 'line 1 has 5 values.*frame,id,left,top,width,height'),
        (['1,2,3,4,5,6', 'frame,id,left,top,width,height'], 'line 2: .*frame'),
        (['1,2,3,4,0,6'], 'line 1: the box has no size'),
        (['1,2,3,4,nan,6'], 'line 1: the box has no size'),
        (['5,2,3,4,5,6', '', '5,2,1,1,5,6'], 'line 3: id 2 has a box in frame 5 in line 1'),
        (['1,2,3,4,5,6', '2,2.5,3,4,5,6'], 'line 2: 2, 2.5 are no frame and id'),
        (['1,-1,3,4,5,6'], 'line 1: 1, -1 are no frame and id'),
        ([''], 'no tracks'),
    ],
)
def test_bad_files(tmp_path, lines, message):
    path = tmp_path / 'tracks.txt'
    path.write_text('\n'.join(lines))
    with pytest.raises(ValueError, match=f'{path}.*{message}'):
        read_tracks(path)


def test_no_text(tmp_path):
    path = tmp_path / 'tracks.txt'
    path.write_bytes('1,2,3,4,5,6'.encode('utf-16'))
    with pytest.raises(ValueError, match=f'{path} is no text of tracks'):
        read_tracks(path)

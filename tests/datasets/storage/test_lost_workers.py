import pytest
from mmengine.dataset import DefaultSampler
from processes import Fate, bus_error, hang, killed, left
from torch.utils.data import DataLoader

from passreid.datasets import LUPerson
from passreid.datasets.storage.lost_workers import LostWorkerError, named_lost_samples


@pytest.fixture
def crops(tmp_path, write_images):
    return write_images(tmp_path / 'crops', [f'{number:02d}.jpg' for number in range(12)])


def read(dataset, **options):
    sampler = DefaultSampler(dataset, shuffle=False)
    with named_lost_samples():
        return list(DataLoader(dataset, 2, sampler=sampler, num_workers=2, **options))


def test_nothing_lost(crops):
    assert len(read(LUPerson(str(crops), pipeline=[Fate('none', left)]))) == 6


@pytest.mark.parametrize(
    ('act', 'expected'),
    [
        (killed, r'was killed by a signal \(Killed\).*07\.jpg.*[Mm]emory ran out'),
        (bus_error, r'signal \(Bus error\).*07\.jpg.*/dev/shm'),
        (left, r'died: process \d+, .*07\.jpg\. Look at that image'),
    ],
)
@pytest.mark.parametrize('persistent', [False, True])
def test_names_what_a_dead_worker_had_begun(crops, act, expected, persistent):
    dataset = LUPerson(str(crops), pipeline=[Fate('07.jpg', act)])
    with pytest.raises(LostWorkerError, match=expected):
        read(dataset, persistent_workers=persistent)


@pytest.mark.parametrize('part', ['copy', 'subset', pytest.param('spawn', marks=pytest.mark.slow)])
def test_copies_of_data_sets(crops, part):
    fate = Fate('07.jpg', left)
    options = {}
    if part == 'copy':
        dataset = LUPerson(str(crops)).with_pipeline([fate])
    elif part == 'subset':
        dataset = LUPerson(str(crops), pipeline=[fate]).get_subset([3, 7, 1])
    else:
        dataset = LUPerson(str(crops), pipeline=[fate])
        options = dict(multiprocessing_context='spawn')
    with pytest.raises(LostWorkerError, match=r'07\.jpg'):
        read(dataset, **options)


@pytest.mark.slow
def test_names_what_a_worker_hangs_in(crops):
    dataset = LUPerson(str(crops), pipeline=[Fate('07.jpg', hang)])
    with pytest.raises(LostWorkerError, match=r'timed out after 1 seconds.*07\.jpg'):
        read(dataset, timeout=1)


def test_other_errors_stay():
    with pytest.raises(RuntimeError, match='^something else$'), named_lost_samples():
        raise RuntimeError('something else')


def test_error_of_a_transform_names_the_sample(crops, log):
    def fail():
        raise KeyError('absent')

    dataset = LUPerson(str(crops), pipeline=[Fate('07.jpg', fail)])
    with pytest.raises(KeyError, match='absent'):
        read(dataset)
    assert f'{crops}/07.jpg, could not be made' in log()

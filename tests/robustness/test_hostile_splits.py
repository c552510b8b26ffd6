"""Splits without images, persons without matches, pictures of two persons."""

import re
import shutil
from pathlib import Path

import pytest
from hostile_images import encode, plain
from tiny_runs import quick_start, reid_config, write_people

from passreid.apis import build_runner
from passreid.datasets.bad_images import BadImageError, TooManyBadImagesError
from passreid.registry import DATASETS
from passreid.utils import register_all_modules

AREA = 'hostile input'
ROOT = Path(__file__).parents[2]
KINDS = {
    'Market1501': ('bounding_box_train', 'query', 'bounding_box_test'),
    'DukeMTMCReID': ('bounding_box_train', 'query', 'bounding_box_test'),
    'OccludedDuke': ('bounding_box_train', 'query', 'bounding_box_test'),
    'CUHK03NP': tuple(
        f'detected/{name}' for name in ('bounding_box_train', 'query', 'bounding_box_test')
    ),
    'FolderReID': ('train', 'query', 'gallery'),
}
SPLITS = ('train', 'query', 'gallery')


def build(kind, root, split='train', **options):
    register_all_modules(init_default_scope=False)
    if kind == 'FolderReID':
        options.setdefault('pattern', r'(?P<pid>\d+)_c(?P<camera>\d)')
    return DATASETS.build(
        dict(type=f'passreid.{kind}', data_root=str(root), split=split, **options)
    )


def write(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        (folder / name).write_bytes(encode(plain(colour=(number, 0, 0)), 'PNG'))


@pytest.mark.parametrize('content', ['nothing', 'junk alone', 'other files'])
@pytest.mark.parametrize('split', SPLITS)
@pytest.mark.parametrize('kind', KINDS)
def test_empty_splits(tmp_path, tried, kind, split, content):
    for name in KINDS[kind]:
        write(tmp_path / name, '0001_c1.png')
    folder = tmp_path / KINDS[kind][SPLITS.index(split)]
    shutil.rmtree(folder)
    write(folder, *{'junk alone': ['-1_c1.png'], 'other files': ['Thumbs.db']}.get(content, []))
    if kind == 'FolderReID' and content == 'junk alone':
        (folder / '-1_c1.png').unlink()
    with pytest.raises(ValueError, match='is empty|no images in') as caught:
        build(kind, tmp_path, split)
    assert str(tmp_path) in str(caught.value)
    tried(AREA, 'splits without images', 'refused: named the split')


@pytest.mark.parametrize('split', [*SPLITS, 'test'])
@pytest.mark.parametrize('kind', [*KINDS, 'MSMT17'])
def test_missing_folders(tmp_path, tried, kind, split):
    (tmp_path / 'notes').mkdir()
    with pytest.raises((FileNotFoundError, ValueError)) as caught:
        build(kind, tmp_path, split)
    assert str(tmp_path) in str(caught.value)
    tried(AREA, 'splits whose folders are missing', 'refused: showed what belongs there')


def config(people, folder, **changes):
    return reid_config(ROOT, people, folder / 'run', train_cfg__max_epochs=1, **changes)


@pytest.fixture
def people(tmp_path):
    return write_people(tmp_path / 'people')


def test_training_on_one_person(people, tmp_path, tried):
    for path in (people / 'bounding_box_train').iterdir():
        if not path.name.startswith('0001'):
            path.unlink()
    with quick_start(), pytest.raises(ValueError, match='1 ids|one id|1 id|needs|persons'):
        build_runner(config(people, tmp_path)).train()
    tried(AREA, 'training on a single id', 'refused: said how many it needs')


def rename_gallery(people, pattern, replacement):
    for path in sorted((people / 'bounding_box_test').iterdir()):
        path.rename(path.with_name(re.sub(pattern, replacement, path.name)))


def figures_of(people, tmp_path, capfd):
    cfg = config(people, tmp_path)
    with quick_start():
        runner = build_runner(cfg)
        runner.model.init_weights()
        figures = runner.test()
    return figures, capfd.readouterr().out


@pytest.mark.parametrize(
    ('pattern', 'replacement', 'left_out'),
    [
        ('^0101', '0201', 1),
        ('^010[123]', '0201', 3),
        ('^0101_c[234]', '0101_c1', 1),
        ('^010[12345]', '0201', 5),
    ],
    ids=['one person', 'three persons', 'one camera', 'all but one'],
)
def test_queries_without_a_match(people, tmp_path, tried, capfd, pattern, replacement, left_out):
    gallery = people / 'bounding_box_test'
    for number, path in enumerate(sorted(gallery.iterdir())):
        # Names that stay different after the change.
        path.rename(path.with_name(re.sub('_00', f'_{number:02}', path.name)))
    rename_gallery(people, pattern, replacement)
    figures, text = figures_of(people, tmp_path, capfd)
    assert f'Queries: 6, of which {left_out} are left out' in text
    assert 0 <= figures['reid/mAP'] <= 100
    tried(AREA, 'queries without a match in the gallery', 'counted, logged, left out of mAP')


def test_no_query_with_a_match(people, tmp_path, tried, capfd):
    rename_gallery(people, '^01', '02')
    with pytest.raises(ValueError, match='no quer|match'):
        figures_of(people, tmp_path, capfd)
    tried(AREA, 'queries without a match in the gallery', 'refused when none has one')


@pytest.mark.parametrize('copies', [1, 2, 5])
@pytest.mark.parametrize('split', ['train', 'test'])
def test_pictures_of_several_persons(people, tried, log, copies, split):
    source = sorted((people / 'bounding_box_train').iterdir())[0]
    if split == 'test':
        source = shutil.copy(source, people / 'query' / '0301_c1.jpg')
    folder = people / {'train': 'bounding_box_train', 'test': 'bounding_box_test'}[split]
    for number in range(copies):
        shutil.copy(source, folder / f'05{number:02}_c1.jpg')
    dataset = build('Market1501', people, split)
    assert len(dataset) == {'train': 32, 'test': 26}[split] + copies
    assert f'has 1 pictures, byte for byte, under several ids, in {copies + 1} files' in log()
    assert '(id 500)' in log()
    tried(AREA, 'one picture under several ids', 'counted and logged, nothing dropped')


def test_training_with_a_few_broken_images(people, tmp_path, tried):
    torn = sorted((people / 'bounding_box_train').iterdir())[5]
    torn.write_bytes(torn.read_bytes()[:-30])
    cfg = config(people, tmp_path)
    cfg.train_dataloader.dataset.update(max_bad_share=0.2, bad_grace=20)
    with quick_start():
        runner = build_runner(cfg)
        runner.train()
    summary = runner.train_loop.dataloader.dataset.bad_image_summary()
    assert summary['names'] == [str(torn)]
    tried(AREA, 'training on torn images', 'trained, counted and logged')


def test_training_on_broken_images_alone(people, tmp_path, tried):
    for path in (people / 'bounding_box_train').iterdir():
        path.write_bytes(b'')
    with quick_start(), pytest.raises(TooManyBadImagesError, match='bounding_box_train'):
        build_runner(config(people, tmp_path)).train()
    tried(AREA, 'training on torn images', 'stopped: said how many, named the last')


@pytest.mark.parametrize('folder', ['query', 'bounding_box_test'])
def test_torn_images_in_a_test(people, tmp_path, tried, capfd, folder):
    path = sorted((people / folder).iterdir())[2]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadImageError, match=path.name):
        figures_of(people, tmp_path, capfd)
    tried(AREA, 'torn images in a test', 'refused: named the file')

"""What docs/unlabelled.md shows must work."""

import re
import shutil

from documentation import ROOT, marked_block
from mmengine.config import Config
from tiny_runs import cluster_config, quick_start, shrink, write_people

from passreid.apis import build_runner, prepare_test
from passreid.utils import config_path

PAGE = ROOT / 'docs' / 'unlabelled.md'


def test_published_figures_are_those_of_the_configs():
    pattern = r'^\| `(usl|uda)/(\S+\.py)` \| (\w+) \|.*\| ([^|]+) \|$'
    rows = re.findall(pattern, PAGE.read_text(), re.MULTILINE)
    files = [path for kind in ('usl', 'uda') for path in (ROOT / 'configs' / kind).glob('*.py')]
    assert {(folder, name) for folder, name, *_ in rows} == {(p.parent.name, p.name) for p in files}
    for folder, name, task, shown in rows:
        assert task == folder.upper()
        first = (ROOT / 'configs' / folder / name).read_text().splitlines()[0]
        figures = re.findall(r'(\d+\.\d) (?:mAP|Rank-1)', first)
        assert shown == (' / '.join(figures) or 'none')


def write_own_crops(root):
    """Fill the folders that the page speaks of: crops without labels, and people to test on."""
    people = write_people(root / 'people')
    shutil.copytree(people / 'bounding_box_train', root / 'data' / 'my_crops')
    for split, folder in (('query', 'query'), ('gallery', 'bounding_box_test')):
        for file in (people / folder).iterdir():
            person = root / 'data' / 'my_test' / split / file.name.split('_')[0]
            person.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, person)


def make_small(cfg, root):
    """Change what makes a run long, and leave alone whose images it reads."""
    small = cluster_config(ROOT, root, root / 'none')
    cfg.model = small.model
    own, hook = cfg.default_hooks.pseudo_labels, small.default_hooks.pseudo_labels
    own.update({name: hook[name] for name in ('k1', 'k2', 'min_samples')})
    shrink(own.pipeline)
    for loader in (cfg.train_dataloader, cfg.get('val_dataloader'), cfg.get('test_dataloader')):
        if loader:
            loader.update(batch_size=8, num_workers=0)
            loader.pop('persistent_workers', None)
            shrink(loader.dataset.pipeline)
    cfg.train_dataloader.sampler.update(images_per_id=2, iterations=2)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    return cfg


def test_own_folder_is_trained_on_and_tested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_own_crops(tmp_path)
    shutil.copytree(config_path(), tmp_path / 'configs')
    path = tmp_path / 'configs' / 'usl' / 'own.py'
    path.write_text(marked_block(PAGE, 'config'))
    with quick_start():
        runner = build_runner(make_small(Config.fromfile(path), tmp_path))
        runner.train()
    assert type(runner.train_dataloader.dataset).__name__ == 'LUPerson'
    assert len(runner.train_dataloader.dataset) == 32
    figures = runner.message_hub.runtime_info
    trained = runner.message_hub.get_scalar('val/reid/mAP').current()
    assert 0 < trained <= 100
    assert {name for name in figures if name.startswith('figures_')} == {
        'figures_before_training',
        'figures_after_training',
    }
    # The same test set as a file of its own, on the model of the config for Market-1501.
    (tmp_path / 'my_test.py').write_text(marked_block(PAGE, 'test-set'))
    usl = tmp_path / 'configs' / 'usl' / 'usl_vit-s16_market1501-256x128.py'
    cfg = make_small(Config.fromfile(usl), tmp_path)
    prepare_test(cfg, tmp_path / 'work_dirs/own/epoch_1.pth', test_sets=['my_test.py'])
    with quick_start():
        tested = build_runner(cfg).test()
    assert tested['my_test/reid/mAP'] == trained

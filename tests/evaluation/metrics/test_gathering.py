"""Several processes give exactly what one gives."""

import json

import numpy as np
import pytest
from processes import run_in_processes
from toy_models import validation_config

from passreid.apis import build_runner

COUNT = 23
METRIC = dict(save_topk=20, save_dir='saved')
PROGRAM = """
import json
import numpy as np
from mmengine.dist import get_rank
from passreid.apis import build_runner
from passreid.evaluation.metrics.person_features import gather_features, read_batch
from passreid.utils import close_process_group
from toy_models import people, validation_config

metric = {metric}
for name, round_up in (('padded', True), ('uneven', False)):
    metric['save_dir'] = f'{{name}}/saved'
    config = validation_config(name, metric, 5, round_up, count={count}) | dict(launcher='pytorch')
    runner = build_runner(config)
    figures = runner.val()
    with open(f'{{name}}_{{get_rank()}}.json', 'w') as file:
        json.dump(figures, file)

samples = [sample | dict(img_path=f'ü {{n}}.jpg') for n, sample in enumerate(people(count=5))]
gathered = gather_features(read_batch(samples) if get_rank() == 1 else None)
assert (gathered is None) == (get_rank() == 1)
if gathered:
    assert gathered.img_paths == [f'ü {{n}}.jpg' for n in range(5)]
    np.testing.assert_array_equal(gathered.features, np.stack([s['feature'] for s in samples]))
assert gather_features(None) is None
close_process_group(runner)
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Where two processes and one have evaluated the same data."""
    folder = tmp_path_factory.mktemp('processes')
    run_in_processes(PROGRAM.format(metric=METRIC, count=COUNT), folder)
    metric = METRIC | dict(save_dir=str(folder / 'one' / 'saved'))
    runner = build_runner(validation_config(folder / 'one', metric, 4, count=COUNT))
    (folder / 'one.json').write_text(json.dumps(runner.val()))
    return folder


@pytest.mark.parametrize('split', ['padded', 'uneven'])
def test_figures_and_saved_arrays_of_two_processes(folder, split):
    whole = json.loads((folder / 'one.json').read_text())
    assert 0 < whole['reid/mAP'] < 100
    for rank in (0, 1):
        assert json.loads((folder / f'{split}_{rank}.json').read_text()) == whole
    with (
        np.load(folder / split / 'saved' / 'result.npz') as found,
        np.load(folder / 'one' / 'saved' / 'result.npz') as whole,
    ):
        assert set(found.files) == set(whole.files)
        assert len(whole['features']) == COUNT
        for name in whole.files:
            np.testing.assert_array_equal(found[name], whole[name], err_msg=name)

"""Two processes with the images of one in each step end with the same numbers.

Batch normalization takes its running statistics, the supervised loss is that of the classifier, and
nothing is drawn at random by a process: what is left to differ is the order of sums.
"""

import pytest
import torch
from tiny_runs import other_than_key_biases

PLAIN = dict(
    train_cfg__max_epochs=2,
    model__backbone__drop_path_rate=0.0,
    model__data_preprocessor__erasing=None,
)
# Without labels there are 31 images, which processes cannot share evenly, and 4 clusters x 4 images
# a step.
SHARED = dict(train_dataloader__dataset__indices=31, train_dataloader__sampler__images_per_id=4)
CASES = {
    'fine-tuning': dict(model__head__metric_loss=None, train_cfg__val_interval=1),
    'USL': SHARED,
    'refined USL': SHARED,
}


def figures(checkpoint):
    scalars = checkpoint['message_hub']['log_scalars']
    found = {name: value for name, value in scalars.items() if 'reid/' in name}
    return {name: value['history_buffer'][0].tolist() for name, value in found.items()}


@pytest.mark.parametrize('task', CASES)
def test_two_processes(tiny_run, task):
    runs = []
    for number in (1, 2):
        size = 16 // number
        run = tiny_run(task, **PLAIN, **CASES[task], train_dataloader__batch_size=size)
        runs.append(run)
        run.cfg.custom_hooks = [*(run.cfg.get('custom_hooks') or []), dict(type='FixedNorms')]
        ended = run.go(number=number)
        assert ended.status == 0, ended.output + ended.report
    whole, shared = (run.last() for run in runs)
    if task == 'fine-tuning':
        assert figures(whole) == figures(shared) != {}
    else:
        labels, others = (one['pseudo_labels'] for one in (whole, shared))
        torch.testing.assert_close(others, labels, atol=1e-5, rtol=0)
    assert whole['state_dict'].keys() == shared['state_dict'].keys()
    for name, value in whole['state_dict'].items():
        torch.testing.assert_close(
            other_than_key_biases(name, shared['state_dict'][name]),
            other_than_key_biases(name, value),
            atol=1e-5,
            rtol=0,
            msg=lambda text, name=name: f'{name}: {text}',
        )

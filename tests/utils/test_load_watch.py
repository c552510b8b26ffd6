import pytest
import torch
from torch import nn

from passreid.utils.load_report import LoadNotes
from passreid.utils.load_watch import LoadWatch, unneeded_names


class Resizing(nn.Linear):
    """A layer that changes what it loads, and says so."""

    def __init__(self):
        super().__init__(2, 3)
        self._register_load_state_dict_pre_hook(self._fit)

    def _fit(self, state_dict, prefix, *_):
        self.load_notes = LoadNotes(
            resized={'weight': ((1, 2), (3, 2))},
            initialised={'bias': 'one'},
            merged=['scale'],
        )
        weight, scale = (state_dict.pop(prefix + name) for name in ('weight', 'scale'))
        state_dict[prefix + 'weight'] = weight.expand(3, 2) * scale
        state_dict[prefix + 'bias'] = torch.ones(3)


def load(model, weights):
    watch = LoadWatch(model, weights)
    model.load_state_dict(weights, strict=False)
    return watch.report('a.pth', 'Net', 'Recognised.')


def test_notes_are_reported_below_the_name_of_the_module():
    model = nn.ModuleDict({'backbone': nn.Sequential(Resizing()), 'head': nn.Linear(1, 1)})
    report = load(
        model, {'backbone.0.weight': torch.ones(1, 2), 'backbone.0.scale': torch.tensor(2.0)}
    )
    assert report.loaded == ('backbone.0.weight',)
    assert report.resized == {'backbone.0.weight': ((1, 2), (3, 2))}
    assert report.initialised == {
        'backbone.0.bias': 'one',
        'head.weight': 'missing in the file',
        'head.bias': 'missing in the file',
    }
    assert report.expected == {'backbone.0.bias'}
    assert report.merged == ('backbone.0.scale',) and report.unused == ()
    assert (report.source, report.model, report.recognised) == ('a.pth', 'Net', 'Recognised.')
    # 6 of the 9 values of the backbone; the head does not count.
    assert report.share == pytest.approx(6 / 9)


def test_every_teacher_counts():
    model = nn.ModuleDict({'backbone': nn.Linear(2, 2), 'teacher': nn.ModuleDict()})
    model['teacher']['backbone'] = nn.Linear(2, 2)
    weights = {f'backbone.{name}': torch.ones(s) for name, s in (('weight', (2, 2)), ('bias', 2))}
    assert load(model, weights).share == 0.5


def test_without_backbone_everything_counts():
    report = load(nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1)), {'0.weight': torch.ones(1, 2)})
    assert report.share == pytest.approx(2 / 5)


def test_old_notes_of_a_module_that_was_not_filled_do_not_count_as_loaded():
    model = Resizing()
    load(model, {'weight': torch.ones(1, 2), 'scale': torch.ones(1)})
    report = LoadWatch(model, {}).report()
    assert report.loaded == () and not report.has_loaded_parameters
    assert report.initialised == {
        'weight': 'missing in the file',
        'bias': 'missing in the file',
    }
    assert report.merged == () and report.resized == {}


def test_needless_weights():
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    model[0].unneeded_keys = ('bias',)
    model[1].unneeded_keys = ('classifier.weight',)
    assert unneeded_names(model) == {'0.bias', '1.classifier.weight'}
    weights = {name: torch.ones(value.shape) for name, value in model.state_dict().items()}
    del weights['0.bias']
    report = load(model, weights | {'1.classifier.weight': torch.ones(1)})
    assert report.initialised == {'0.bias': 'not needed'} and report.clean


def test_buffers_alone_are_no_parameters():
    model = nn.BatchNorm1d(2)
    report = load(model, {'running_mean': torch.ones(2), 'num_batches_tracked': torch.tensor(3)})
    assert report.loaded == ('running_mean',) and not report.has_loaded_parameters
    assert 'num_batches_tracked' not in report.table(None)

import pytest
from mmengine.config import Config
from mmengine.registry import Registry

from passreid.utils.config_error import ConfigError
from passreid.utils.config_mistakes import explained_mistakes

PARENT = Registry('thing', scope='mmengine')
THINGS = Registry('thing', parent=PARENT, scope='passreid')


class Base:
    def __init__(self, width, height=1):
        self.width = int(width)


@THINGS.register_module()
class Box(Base):
    def __init__(self, depth, **kwargs):
        super().__init__(**kwargs)


@PARENT.register_module()
class Crate:
    def __init__(self, lid):
        self.lid = {'open': 1}[lid]


def build(**entries):
    cfg = Config(entries)
    with explained_mistakes(cfg):
        return [THINGS.build(dict(entry)) for entry in cfg.values() if isinstance(entry, dict)]


def test_nothing_wrong():
    box, crate = build(a=dict(type='Box', depth=1, width=2), b=dict(type='Crate', lid='open'))
    assert (box.width, crate.lid) == (2, 1)


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (
            dict(type='Bax'),
            "the type 'Bax' is not known (a): the registry passreid::thing does not have it; "
            "did you mean 'Box'?",
        ),
        (dict(type='Crat'), "did you mean 'Crate'?"),
        (dict(type='Qqqq'), 'does not have it. Types of your own are registered by custom_imports'),
        (
            dict(type='Box', depth=1, widht=2),
            "Box has no argument 'widht' (a); did you mean 'width'?",
        ),
        (dict(type='Box', depth=1, width=1, xyz=2), "Box has no argument 'xyz' (a)"),
        (dict(type='Box'), "Box needs 'depth' (a)"),
        (dict(depth=1), 'an entry has no `type` (a)'),
    ],
)
def test_mistakes_are_explained(entry, message):
    with pytest.raises(ConfigError) as caught:
        build(a=entry)
    assert str(caught.value).endswith(message)
    assert isinstance(caught.value.__cause__, KeyError | TypeError)


def test_many_places_are_counted():
    wrong = dict(type='Bax')
    with pytest.raises(ConfigError, match=r'\(a, b, c and 2 more\)'):
        build(a=wrong, b=wrong, c=wrong, d=wrong, e=wrong)


def test_other_errors_stay_and_the_log_names_the_place(log):
    with pytest.raises(ValueError, match='invalid literal'):
        build(a=dict(type='Box', depth=1, width='wide'))
    assert 'Box of the config could not be built (a)' in log()
    with pytest.raises(KeyError, match='ajar'):
        build(a=dict(type='Crate', lid='ajar'))


def test_errors_of_code_that_the_config_has_nothing_to_do_with():
    with pytest.raises(TypeError, match='widht'), explained_mistakes({'model': {'depth': 1}}):
        Base(widht=1)
    with pytest.raises(KeyError, match='nothing'), explained_mistakes({}):
        {}['nothing']


def test_classes_that_are_called_without_a_registry():
    with (
        pytest.raises(ConfigError, match=r"Base has no argument 'widht' \(loader\); .* 'width'\?"),
        explained_mistakes({'loader': {'widht': 1}}),
    ):
        Base(widht=1)

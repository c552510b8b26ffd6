import pytest
from mmengine.registry import MODELS, DefaultScope, Registry

from passreid import registry
from passreid.utils import register_all_modules


@pytest.fixture(autouse=True)
def own_scopes(monkeypatch):
    """Leave no scope behind for other tests."""
    monkeypatch.setattr(DefaultScope, '_instance_dict', DefaultScope._instance_dict.copy())


def test_notebook_resolves_unprefixed_types():
    DefaultScope.get_instance('another', scope_name='mmengine')
    register_all_modules()
    register_all_modules()
    assert DefaultScope.get_current_instance().scope_name == 'passreid'
    assert MODELS.build({'type': 'LinearNeck', 'in_channels': 2, 'out_channels': 2}) is not None


def test_scope_is_left_alone_on_request():
    scope = DefaultScope.get_instance('untouched', scope_name='mmengine')
    register_all_modules(init_default_scope=False)
    assert DefaultScope.get_current_instance() is scope


def test_one_call_fills_every_registry(monkeypatch):
    nodes = [node for node in vars(registry).values() if isinstance(node, Registry)]
    nodes = [node for node in nodes if node.scope == 'passreid']
    for node in nodes:
        monkeypatch.setattr(node, '_imported', False)
    register_all_modules(init_default_scope=False)
    assert len(nodes) > 15
    assert all(node._imported for node in nodes)

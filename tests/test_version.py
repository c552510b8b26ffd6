import shutil
import subprocess

import pytest

from passreid.version import git_commit


def raise_permission_error(*args, **kwargs):
    raise PermissionError


@pytest.mark.skipif(not shutil.which('git'), reason='needs git')
def test_commit_of_a_checkout(tmp_path, monkeypatch):
    def git(*words):
        own = ['git', '-C', tmp_path, '-c', 'user.name=x', '-c', 'user.email=x']
        return subprocess.run([*own, *words], check=True, capture_output=True, text=True).stdout

    assert git_commit(tmp_path) == ''
    git('init')
    (tmp_path / 'file').write_text('1')
    git('add', 'file')
    git('commit', '-m', 'x')
    git('tag', 'v1')
    commit = git('rev-parse', '--short', 'HEAD').strip()
    assert git_commit(tmp_path) == commit
    with monkeypatch.context() as patch:
        # As git sets it for its hooks, here of another repository.
        patch.setenv('GIT_DIR', str(tmp_path / 'other' / '.git'))
        assert git_commit(tmp_path) == commit
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, 'run', raise_permission_error)
        assert git_commit(tmp_path) == ''
    (tmp_path / 'file').write_text('2')
    assert git_commit(tmp_path) == f'{commit}-dirty'
    # Of a repository around an installed package nothing is said.
    (tmp_path / 'below').mkdir()
    assert git_commit(tmp_path / 'below') == ''

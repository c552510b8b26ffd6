"""The container and the notebook."""

from pathlib import Path

import nbformat
import pytest
from dockerfile_parse import DockerfileParser
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]


def test_container():
    lines = DockerfileParser(str(ROOT / 'docker' / 'Dockerfile')).structure
    steps = [line['instruction'] for line in lines if line['instruction'] != 'COMMENT']
    assert steps == ['ARG', 'FROM', 'RUN', 'WORKDIR', 'COPY', 'RUN', 'CMD']
    text = (ROOT / 'docker' / 'Dockerfile').read_text()
    assert (ROOT / 'tools' / 'quickstart.py').exists() and 'tools/quickstart.py' in text
    extras = text.split("'.[")[1].split(']')[0].split(',')
    assert all((ROOT / 'requirements' / f'{extra}.txt').exists() for extra in extras)


@pytest.mark.slow
def test_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    book = nbformat.read(ROOT / 'docs' / 'tutorial.ipynb', as_version=4)
    assert not any(cell.get('outputs') for cell in book.cells)
    run = NotebookClient(book, timeout=300, resources=dict(metadata=dict(path=str(tmp_path))))
    run.execute()
    pictures = [
        output
        for cell in book.cells
        for output in cell.get('outputs', ())
        if 'image/png' in output.get('data', ())
    ]
    assert len(pictures) == 2

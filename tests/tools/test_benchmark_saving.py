import importlib
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[2] / 'tools' / 'benchmarks'


def test_table(monkeypatch, capsys, tmp_path):
    """The peak of memory needs processes of their own: not here."""
    monkeypatch.syspath_prepend(str(TOOLS))
    tool = importlib.import_module('benchmark_saving')
    monkeypatch.setattr(tool, 'peak_memory', lambda *args: (0, 3_000_000_000))
    arguments = ['--folder', str(tmp_path), '--gigabytes', '0.001', '--rounds', '1']
    monkeypatch.setattr(sys, 'argv', ['benchmark_saving.py', *arguments])
    tool.main()
    # mmengine has something to say of its own backends before.
    header, *rows, check = capsys.readouterr().out.splitlines()[-4:]
    assert header.split() == ['side', 'seconds', 'peak,', 'GB']
    assert [row.split()[0] for row in rows] == ['mmengine', 'passreid']
    assert all(row.endswith('3.00') for row in rows)
    assert 'checkpoint of 0.001 GB' in check
    assert list(tmp_path.iterdir()) == []

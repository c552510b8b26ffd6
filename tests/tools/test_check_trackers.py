import importlib.util
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

INSTALLED = all(importlib.util.find_spec(name) for name in ('boxmot', 'ultralytics'))
# In place of an environment with the trackers: the pixels of the crop, and of the margin around.
PROGRAM = """
import sys, numpy, cv2
sys.path.insert(0, {folder!r})
import tracker_features as program
sys.argv = sys.argv[1:]
program.boxmot_encoder = program.ultralytics_encoder = lambda model: lambda frame, box: cv2.resize(
    frame[box[1] : box[3], box[0] : box[2]], (2, 4)
).ravel().astype(float)
program.main()
"""


def figures(text):
    rows = re.findall(r'^\| (.+) \| ([\d.]+) \| ([\d.]+) \|$', text, re.MULTILINE)
    return {name: (float(mAP), float(rank1)) for name, mAP, rank1 in rows}


def test_table(run, small, tmp_path):
    folder = str(Path(__file__).parents[2] / 'tools' / 'deployment')
    (tmp_path / 'fake.py').write_text(PROGRAM.format(folder=folder))
    python = tmp_path / 'python'
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/fake.py "$@"\n')
    python.chmod(0o755)
    text = run('deployment/check_trackers', small.config, small.weights, '--python', python)
    found = figures(text)
    names = ['passreid', 'boxmot', 'ultralytics', 'ultralytics, margin cut off']
    assert list(found) == names
    # Whatever the file, these are features of the same pixels.
    assert found['boxmot'] == found['ultralytics'] and 0 < found['boxmot'][0] <= 100


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason='needs boxmot and ultralytics')
def test_trackers_see_what_we_see(run, small):
    python = ['--python', sys.executable]
    text = run('deployment/check_trackers', small.config, small.weights, *python)
    ours, boxmot, _, ultralytics = (mAP for mAP, _ in figures(text).values())
    assert boxmot == pytest.approx(ours, abs=3) and ultralytics == pytest.approx(ours, abs=6)


def test_crops_lie_in_frames(load_tool, tmp_path, monkeypatch):
    program = load_tool('deployment/tracker_features')
    crop = np.random.default_rng(0).integers(0, 256, (20, 10, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'crop.png'), crop)
    seen = []
    monkeypatch.setattr(program, 'boxmot_encoder', lambda model: lambda *a: seen.append(a) or [0.0])
    words = ['program', 'boxmot', 'model.onnx', str(tmp_path / 'out.npy')]
    monkeypatch.setattr(sys, 'argv', words)
    monkeypatch.setattr(sys.stdin, 'read', lambda: str(tmp_path / 'crop.png'), raising=False)
    program.main()
    ((frame, (x1, y1, x2, y2)),) = seen
    np.testing.assert_array_equal(frame[y1:y2, x1:x2], crop)
    assert x1 >= 12 and frame.shape == (20 + 2 * y1, 10 + 2 * x1, 3)

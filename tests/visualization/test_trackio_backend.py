import json
import os
import sqlite3
import subprocess
import sys

PROGRAM = """
from mmengine.config import Config
from mmengine.visualization import Visualizer
from passreid.utils import register_all_modules

register_all_modules()
backends = [dict(type='TrackioVisBackend')]
visualizer = Visualizer('trackio', vis_backends=backends, save_dir='work_dirs/tiny/today')
visualizer.add_config(Config(dict(answer=42)))
for step in range(3):
    visualizer.add_scalars(dict(loss=1 / (step + 1)), step)
visualizer.close()
"""


def test_figures_of_a_run(tmp_path):
    environment = os.environ | {'TRACKIO_DIR': str(tmp_path / 'trackio')}
    subprocess.run([sys.executable, '-c', PROGRAM], cwd=tmp_path, env=environment, check=True)
    with sqlite3.connect(tmp_path / 'trackio' / 'passreid.db') as database:
        rows = database.execute('SELECT run_name, step, metrics FROM metrics').fetchall()
        ((config,),) = database.execute('SELECT config FROM configs').fetchall()
    losses = [(name, step, json.loads(text)['loss']) for name, step, text in rows]
    assert losses == [('tiny', 0, 1.0), ('tiny', 1, 0.5), ('tiny', 2, 1 / 3)]
    assert 'answer = 42' in json.loads(config)['config']

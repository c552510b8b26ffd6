"""Test what trackers get out of an exported model: mAP and Rank-1 of features by their own code.

BoxMOT and Ultralytics are under the AGPL and no dependency: install them into an environment of
their own, and name its Python.

Example:
    python -m venv trackers && trackers/bin/pip install boxmot ultralytics
    python tools/deployment/check_trackers.py configs/supervised/vit-t8_synthetic.py \
        work_dirs/vit-t8_synthetic/epoch_30.pth --python trackers/bin/python
"""

import subprocess
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from mmengine.registry import DefaultScope

from passreid import ReIDInferencer
from passreid.apis import load_config
from passreid.deployment import ExportableModel, export_onnx
from passreid.deployment.trackers import TRACKERS, ultralytics_margin
from passreid.evaluation.functional import rank_features
from passreid.registry import DATASETS
from passreid.utils.config import add_config_options, apply_config_options

PROGRAM = Path(__file__).with_name('tracker_features.py')


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('config', help='config file, for example configs/supervised/NAME.py')
    option('checkpoint', help='weights, as for tools/test.py')
    option('--python', required=True, help='Python of the environment of the trackers')
    trackers = ['boxmot', 'ultralytics']
    option('--trackers', nargs='+', choices=trackers, default=trackers, help='default: both')
    add_config_options(parser)
    return parser.parse_args()


def main() -> None:
    """Export for each tracker and for none, extract, rank, and print the table."""
    args = parse_args()
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    with DefaultScope.overwrite_default_scope('passreid'):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    samples = [dataset.get_data_info(index) for index in range(len(dataset))]
    paths = [sample['img_path'] for sample in samples]
    inferencer = ReIDInferencer(cfg, args.checkpoint)

    def report(name: str, features: np.ndarray) -> None:
        is_query = np.array([sample['is_query'] for sample in samples])
        pids = np.array([sample['gt_label'] for sample in samples])
        cam_ids = np.array([sample['cam_id'] for sample in samples])
        unit = torch.nn.functional.normalize(torch.from_numpy(features)).numpy()
        sides = [(unit[s], pids[s], cam_ids[s]) for s in (is_query, ~is_query)]
        (q, q_pids, q_cams), (g, g_pids, g_cams) = sides
        result = rank_features(q, g, q_pids, g_pids, q_cams, g_cams)
        print(f'| {name} | {100 * result.mAP:.2f} | {100 * result.cmc[0]:.2f} |')

    print('| features by | mAP | Rank-1 |\n|---|---|---|')
    report('passreid', inferencer.extract(paths))
    boxes = np.array([cv2.imread(path).shape[:2] for path in paths])
    height, width = np.median(boxes, axis=0)
    margin = ultralytics_margin((height, width))
    with TemporaryDirectory() as folder:
        out = Path(folder) / 'features.npy'
        for tracker in args.trackers:
            options = TRACKERS[tracker].options
            variants = {tracker: options}
            if tracker == 'ultralytics':
                variants[f'{tracker}, margin cut off'] = dict(options, margin=margin)
            for name, variant in variants.items():
                model = Path(folder) / 'model.onnx'
                export_onnx(ExportableModel(inferencer.model, **variant), model)
                command = [args.python, PROGRAM, tracker, model, out]
                subprocess.run(command, input='\n'.join(paths), text=True, check=True)
                report(name, np.load(out))


if __name__ == '__main__':
    main()

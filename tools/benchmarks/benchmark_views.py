"""Compare the making of views with a plain composition of torchvision transforms.

One process and one thread, on the same generated JPEG images. The worker part is what data loader
workers do: decode and cut here, everything in the plain composition. The whole path ends with a
normalised batch and runs on the CPU alone. ``--device`` also times the part that runs on the
device, transfer included.

Example:
    python tools/benchmarks/benchmark_views.py --device cuda
"""

import argparse
from collections.abc import Callable

import cv2
import numpy as np
import torch
from measure import best_seconds
from mmengine.dataset import default_collate
from plain_multi_crop import PlainMultiCrop

from passreid.datasets.transforms import LoadPersonImage, PackViews, PartAwareMultiCrop
from passreid.models import PASSDataPreprocessor


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--image-size', type=int, nargs=2, default=(256, 128), metavar=('H', 'W'))
    parser.add_argument('--global-size', type=int, nargs=2, default=(256, 128), metavar=('H', 'W'))
    parser.add_argument('--local-size', type=int, nargs=2, default=(128, 64), metavar=('H', 'W'))
    parser.add_argument('--num-parts', type=int, default=3)
    parser.add_argument('--local-per-part', type=int, default=3)
    parser.add_argument('--batch-size', type=int, default=32, help='images of a batch')
    parser.add_argument('--rounds', type=int, default=12, help='the best round of each counts')
    parser.add_argument('--device', default='cpu', help='also time this device, such as cuda')
    return parser.parse_args()


def generate_images(number: int, height: int, width: int) -> list[bytes]:
    """Encode smooth random images as JPEG."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (number, height // 8, width // 8, 3), dtype=np.uint8)
    images = [cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC) for image in coarse]
    return [cv2.imencode('.jpg', image)[1].tobytes() for image in images]


def best_rates(
    paths: dict[str, Callable[[], object]], rounds: int, num_images: int
) -> dict[str, float]:
    """Best images/s of each path, timed in turn."""
    seconds = best_seconds(paths, rounds)
    return {name: num_images / taken for name, taken in seconds.items()}


def main() -> None:
    """Time both and print their rates and ratios."""
    args = parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    encoded = generate_images(args.batch_size, *args.image_size)
    shape = {
        'global_size': tuple(args.global_size),
        'local_size': tuple(args.local_size),
        'num_parts': args.num_parts,
        'local_per_part': args.local_per_part,
    }
    load, crop, pack = LoadPersonImage(), PartAwareMultiCrop(**shape), PackViews()
    plain, preprocessor = PlainMultiCrop(**shape), PASSDataPreprocessor()

    def cut(image: bytes) -> dict:
        return pack(crop(load({'img_bytes': image})))

    def cut_all() -> None:
        for image in encoded:
            cut(image)

    def plain_all() -> None:
        for image in encoded:
            plain(image)

    rates = best_rates(
        {
            'plain worker': plain_all,
            'our worker': cut_all,
            'plain whole': lambda: default_collate([plain(image) for image in encoded]),
            'our whole': lambda: preprocessor(default_collate([cut(i) for i in encoded]), True),
        },
        args.rounds,
        len(encoded),
    )
    print(f'{"images/s on one core":24}{"plain":>10}{"ours":>10}{"ratio":>8}')
    for part, title in (('worker', 'worker part'), ('whole', 'whole view path on CPU')):
        slow, fast = rates[f'plain {part}'], rates[f'our {part}']
        print(f'{title:24}{slow:10.0f}{fast:10.0f}{fast / slow:7.1f}x')
    if args.device != 'cpu':
        print(f'augmentation on {args.device}: {device_rate(args, cut, encoded):.0f} images/s')


def device_rate(
    args: argparse.Namespace, cut: Callable[[bytes], dict], encoded: list[bytes]
) -> float:
    """Time transfer and augmentation of a pinned batch on the device, in images/s."""
    device = torch.device(args.device)
    preprocessor = PASSDataPreprocessor().to(device)
    batch = default_collate([cut(image) for image in encoded])
    batch['inputs'] = {name: views.pin_memory() for name, views in batch['inputs'].items()}

    def run() -> None:
        preprocessor(batch, True)
        torch.accelerator.synchronize(device)

    run()
    return best_rates({'device': run}, args.rounds, len(encoded))['device']


if __name__ == '__main__':
    main()

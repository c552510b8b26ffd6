"""Compare the making of views with a plain composition of torchvision transforms.

On one thread, for the same generated JPEG images. Workers decode and cut here, and do everything in
the plain composition; the whole path ends with a normalised batch. ``--device`` also times what
runs on the device, transfer included. The views of both must have the same sizes and, on average,
the same colors.
"""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from measure import best_seconds, check_agreement, make_parser, print_head, print_row
from mmengine.dataset import default_collate
from plain_multi_crop import PlainMultiCrop

from passreid.datasets.transforms import LoadPersonImage, PackViews, PartAwareMultiCrop
from passreid.models import PASSDataPreprocessor

# Standard errors: all work is random on both sides.
TOLERANCE = 6


def generate_images(number: int, height: int, width: int) -> list[bytes]:
    """Encode smooth random images as JPEG."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (number, height // 8, width // 8, 3), dtype=np.uint8)
    images = [cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC) for image in coarse]
    return [cv2.imencode('.jpg', image)[1].tobytes() for image in images]


def compare_views(plain: list[torch.Tensor], ours: dict[str, torch.Tensor]) -> float:
    """Return by how many standard errors the mean colors of global or of local views differ."""
    errors = []
    for kind, batches in (('global_views', plain[:2]), ('local_views', plain[2:])):
        views = torch.cat(batches)
        if views.shape != ours[kind].shape:
            raise RuntimeError(
                f'the sides differ: sizes of views {views.shape}, {ours[kind].shape}'
            )
        colors, others = views.mean((2, 3)), ours[kind].mean((2, 3))
        spread = ((colors.var(0) + others.var(0)) / len(colors)).sqrt()
        errors.append(float(((colors.mean(0) - others.mean(0)) / spread).abs().max()))
    return max(errors)


def main() -> None:
    """Time both and print their rates and ratios."""
    parser = make_parser(__doc__)
    option, size = parser.add_argument, dict(type=int, nargs=2, metavar=('H', 'W'))
    option('--image-size', default=(256, 128), **size)
    option('--global-size', default=(256, 128), **size)
    option('--local-size', default=(128, 64), **size)
    option('--batch-size', type=int, default=32, help='images of a batch')
    option('--rounds', type=int, default=12, help='the best round of each counts')
    option('--device', default='cpu', help='also time this device, such as cuda')
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    encoded = generate_images(args.batch_size, *args.image_size)
    shape = dict(global_size=tuple(args.global_size), local_size=tuple(args.local_size))
    load, crop, pack = LoadPersonImage(), PartAwareMultiCrop(**shape), PackViews()
    plain, preprocessor = PlainMultiCrop(**shape), PASSDataPreprocessor()

    def cut() -> list[dict]:
        return [pack(crop(load({'img_bytes': image}))) for image in encoded]

    def cut_plainly() -> list[list[torch.Tensor]]:
        return [plain(image) for image in encoded]

    works: dict[str, dict[str, Callable]] = {
        'worker part': {'plain': cut_plainly, 'ours': cut},
        'whole view path on CPU': {
            'plain': lambda: default_collate(cut_plainly()),
            'ours': lambda: preprocessor(default_collate(cut()), True)['inputs'],
        },
    }
    difference = compare_views(*(work() for work in works['whole view path on CPU'].values()))
    check_agreement('mean colors, in standard errors', difference, TOLERANCE)
    print_head(f'{args.batch_size} images, images/s on one core')
    for title, sides in works.items():
        seconds = best_seconds(sides, args.rounds)
        rates = {side: args.batch_size / taken for side, taken in seconds.items()}
        print_row(title, rates, '.0f', by_plain=True)
    if args.device != 'cpu':
        preprocessor, batch = preprocessor.to(args.device), default_collate(cut())
        batch['inputs'] = {kind: views.pin_memory() for kind, views in batch['inputs'].items()}

        def augment() -> None:
            preprocessor(batch, True)
            torch.accelerator.synchronize()

        augment()
        rate = args.batch_size / best_seconds({'device': augment}, args.rounds)['device']
        print_row(f'augmentation on {args.device}', {'ours': rate}, '.0f')


if __name__ == '__main__':
    main()

r"""Show a page on this machine where one drops a crop and sees who looks like it.

The gallery is a folder of crops, whose features are kept (see ``ReIDInferencer``), or a store that
was filled before. CONFIG and CHECKPOINT are what ``tools/test.py`` takes. Nothing leaves the
machine: the page is served to 127.0.0.1 alone and fetches nothing from elsewhere. It needs
``pip install gradio``.

Example:
    python tools/demo/gradio_demo.py CONFIG CHECKPOINT --gallery my_crops
"""

import os
import re
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from result_cards import CSS, Found, note, results

from passreid import ReIDInferencer
from passreid.datasets.folder_reid import parse_id
from passreid.search import GalleryRecord, SearchFilter, open_store

_MAX_TOPK = 50
_HINT = 'Drop a picture of a person on the left: a crop, as those of the gallery.'


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('config', help='config file of the model, or its name in the model zoo')
    option('checkpoint', help='its weights')
    option('--gallery', metavar='FOLDER', help='crops to search')
    option(
        '--store',
        metavar='WHERE',
        help='where features are kept, as for tools/search_gallery.py (default: the cache of the '
        'user); without --gallery it is searched as it is',
    )
    text = (
        'regular expression that finds the camera in the names of the crops (default: %(default)s)'
    )
    option('--camera-pattern', default=r'_c(?P<camera>\d+)', metavar='REGEX', help=text)
    option('--flip', action='store_true', help='average in the mirror image')
    option('--device', help='where the model runs (default: the accelerator, if any)')
    option('--num-workers', type=int, default=0, help='processes that read the crops')
    text = 'address to serve; 0.0.0.0 lets others of the network in'
    option('--host', default='127.0.0.1', help=text)
    option('--port', type=int, default=7860, help='port to serve')
    args = parser.parse_args()
    if not (args.gallery or args.store):
        parser.error('name a --gallery, a --store, or both')
    return args


def import_gradio() -> Any:
    """Import gradio, told to send nothing home."""
    # Read when gradio is imported.
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    try:
        import gradio
    except ImportError as error:
        raise ImportError('the demo needs gradio: pip install gradio') from error
    return gradio


def camera_records(pattern: str) -> Callable[[str], GalleryRecord]:
    r"""Return what reads the camera out of the name of an image; -1 when it has none.

    Examples:
        >>> camera_records(r'_c(?P<camera>\d+)')('crops/0042_c3s1_000017.jpg').cam_id
        3
    """
    regex = re.compile(pattern)
    if 'camera' not in regex.groupindex:
        raise ValueError(f'--camera-pattern {pattern!r} lacks the group (?P<camera>...)')

    def record(path: str) -> GalleryRecord:
        found = regex.search(os.path.basename(path))
        return GalleryRecord(path, cam_id=parse_id(found['camera']) if found else -1)

    return record


def open_search(args: Namespace) -> ReIDInferencer:
    """Build the model and open the gallery of a command line."""
    options = dict(device=args.device, flip=args.flip, num_workers=args.num_workers)
    records = camera_records(args.camera_pattern)
    if not args.store:
        gallery = dict(gallery=args.gallery, records=records)
        return ReIDInferencer(args.config, args.checkpoint, **gallery, **options)
    inferencer = ReIDInferencer(args.config, args.checkpoint, **options)
    store = open_store(args.store, inferencer.dim, inferencer.fingerprint)
    if args.gallery:
        print(inferencer.index(args.gallery, store, records))
    return ReIDInferencer(inferencer.model, gallery=store, **options)


def find(
    inferencer: ReIDInferencer,
    crop: np.ndarray,
    topk: int,
    least: float | None = None,
    not_cameras: Sequence[int] = (),
) -> Found:
    """Search for a crop ``(H, W, 3)`` uint8 in RGB, for images at least so similar."""
    start = time.perf_counter()
    (every,) = inferencer(crop[..., ::-1], topk, SearchFilter(not_cameras=tuple(not_cameras)))
    matches = [match for match in every if least is None or match.similarity >= least]
    return Found(matches, every[0] if every else None, time.perf_counter() - start)


def show(
    inferencer: ReIDInferencer,
    crop: np.ndarray | None,
    topk: float,
    least: float,
    not_cameras: Sequence[str | int],
) -> str:
    """Return what :func:`find` finds as HTML; without a crop, what to do."""
    if crop is None:
        return note(_HINT)
    try:
        cameras = [int(camera) for camera in not_cameras]
    except ValueError:
        return note('A camera is a number.')
    found = find(inferencer, crop, int(topk), least or None, cameras)
    return results(found, len(inferencer.gallery))


def build_page(inferencer: ReIDInferencer, cameras: Sequence[int]) -> Any:
    """Lay out the page, a ``gradio.Blocks``, with these cameras to choose from."""
    gr = import_gradio()
    with gr.Blocks(title='passreid', analytics_enabled=False, fill_width=True) as page:
        gr.HTML(
            f'<h1>Who looks like this?</h1><p>{len(inferencer.gallery)} images in the gallery. The '
            'pictures stay on this machine.</p>',
            elem_id='heading',
        )
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                crop = gr.Image(
                    label='Person to look for',
                    show_label=False,
                    placeholder='# Drop a person here\nor click to choose a picture',
                    type='numpy',
                    sources=['upload', 'clipboard'],
                    height=320,
                    buttons=[],
                    elem_id='query',
                )
                button = gr.Button('Search', variant='primary', elem_id='search')
                topk = gr.Slider(1, _MAX_TOPK, 12, step=1, label='Images to show')
                text = '0 shows everything'
                least = gr.Slider(0, 1, 0, step=0.0005, label='Least similarity', info=text)
                not_cameras = gr.Dropdown(
                    [str(camera) for camera in cameras],
                    multiselect=True,
                    allow_custom_value=True,
                    label='Cameras to leave out',
                    elem_id='cameras',
                    info='such as the one that took the picture',
                )
            with gr.Column(scale=4, min_width=320):
                found = gr.HTML(note(_HINT), elem_id='results')
        inputs = [crop, topk, least, not_cameras]
        events = [button.click, crop.change, topk.release, least.release, not_cameras.change]
        search = partial(show, inferencer)
        gr.on(events, search, inputs, found, show_progress='minimal')
    return page


def launch(page: Any, host: str, port: int, wait: bool = True) -> str:
    """Serve the page and return its address; with ``wait`` when the page is closed only."""
    fonts = dict(font=('system-ui', 'sans-serif'), font_mono=('ui-monospace', 'monospace'))
    theme = import_gradio().themes.Default(primary_hue='blue', **fonts)
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        share=False,
        prevent_thread_lock=True,
        # It would advise to share the page with the world.
        quiet=True,
        theme=theme,
        css=CSS,
        footer_links=[],
        enable_monitoring=False,
        ssr_mode=False,
    )
    print(f'The page is at {address}; Ctrl+C ends it.', flush=True)
    if wait:
        page.block_thread()
    return address


def main() -> None:
    """Serve the page until it is interrupted."""
    args = parse_args()
    import_gradio()
    inferencer = open_search(args)
    # The first search pays for what is set up once.
    find(inferencer, np.zeros((64, 32, 3), np.uint8), 1)
    record = camera_records(args.camera_pattern)
    with inferencer.gallery as gallery:
        cameras = {record(path).cam_id for path in gallery.stamps()} - {-1}
        launch(build_page(inferencer, sorted(cameras)), args.host, args.port)


if __name__ == '__main__':
    main()

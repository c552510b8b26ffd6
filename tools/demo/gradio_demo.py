r"""Show a page on this machine where one drops a crop and sees who looks like it.

The gallery is a folder of crops, whose features are kept (see ``ReIDInferencer``), or a store that
was filled before. CONFIG and CHECKPOINT are what ``tools/test.py`` takes. Nothing leaves the
machine: the page is served to 127.0.0.1 alone and fetches nothing from elsewhere. It needs
``pip install gradio``.

Example:
    python tools/demo/gradio_demo.py CONFIG CHECKPOINT --gallery my_crops
"""

import argparse
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from crop_search import CameraNames, CropSearch
from result_cards import CSS, note, results

from passreid import ReIDInferencer
from passreid.search import open_store

_MAX_TOPK = 50
_HINT = 'Drop a picture of a person on the left: a crop, as those of the gallery.'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the model, or its name in the model zoo')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--gallery', metavar='FOLDER', help='crops to search')
    parser.add_argument(
        '--store',
        metavar='WHERE',
        help='where features are kept, as for tools/search_gallery.py (default: with the crops); '
        'without --gallery it is searched as it is',
    )
    parser.add_argument(
        '--camera-pattern',
        default=r'_c(?P<camera>\d+)',
        metavar='REGEX',
        help='regular expression that finds the camera in the names of the crops '
        '(default: %(default)s)',
    )
    parser.add_argument('--flip', action='store_true', help='average in the mirror image')
    parser.add_argument('--device', help='where the model runs (default: the accelerator, if any)')
    parser.add_argument(
        '--num-workers', type=int, default=0, help='processes that read the crops of the gallery'
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to serve; 0.0.0.0 lets others of the network in',
    )
    parser.add_argument('--port', type=int, default=7860, help='port to serve')
    args = parser.parse_args()
    if not (args.gallery or args.store):
        parser.error('name a --gallery, a --store, or both')
    return args


def import_gradio() -> Any:
    """Import gradio, told to send nothing home.

    Raises:
        ImportError: When it is not installed; says how to.
    """
    # Read when gradio is imported.
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    try:
        import gradio
    except ImportError as error:
        raise ImportError('the demo needs gradio: pip install gradio') from error
    return gradio


def open_search(args: argparse.Namespace) -> CropSearch:
    """Build the model and open the gallery.

    Args:
        args (argparse.Namespace): The command line.
    """
    options = dict(device=args.device, flip=args.flip, num_workers=args.num_workers)
    records = CameraNames(args.camera_pattern)
    if not args.store:
        gallery = dict(gallery=args.gallery, records=records)
        return CropSearch(ReIDInferencer(args.config, args.checkpoint, **gallery, **options))
    inferencer = ReIDInferencer(args.config, args.checkpoint, **options)
    store = open_store(args.store, inferencer.dim, inferencer.fingerprint)
    if args.gallery:
        print(inferencer.index(args.gallery, store, records))
    return CropSearch(ReIDInferencer(inferencer.model, gallery=store, **options))


def show(
    search: CropSearch,
    crop: np.ndarray | None,
    topk: float,
    least: float,
    not_cameras: Sequence[str | int],
) -> str:
    """Return the results as HTML.

    Args:
        search (CropSearch): The gallery.
        crop (np.ndarray, optional): ``(H, W, 3)`` uint8 in RGB; None before there is one.
        topk (float): At most so many images.
        least (float): Least similarity; 0 for any.
        not_cameras (Sequence[str | int]): Cameras to leave out.
    """
    if crop is None:
        return note(_HINT)
    try:
        cameras = [int(camera) for camera in not_cameras]
    except ValueError:
        return note('A camera is a number.')
    return results(search.find(crop, int(topk), least or None, cameras), len(search))


def build_page(search: CropSearch, cameras: Sequence[int]) -> Any:
    """Lay out the page.

    Args:
        search (CropSearch): The gallery.
        cameras (Sequence[int]): Cameras to choose from.

    Returns:
        gradio.Blocks: To be launched by :func:`launch`.
    """
    gr = import_gradio()
    with gr.Blocks(title='passreid', analytics_enabled=False, fill_width=True) as page:
        gr.HTML(
            f'<h1>Who looks like this?</h1><p>{len(search)} images in the gallery. The pictures '
            'stay on this machine.</p>',
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
                least = gr.Slider(
                    0, 1, 0, step=0.0005, label='Least similarity', info='0 shows everything'
                )
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
        gr.on(events, lambda *values: show(search, *values), inputs, found, show_progress='minimal')
    return page


def launch(page: Any, host: str, port: int, wait: bool = True) -> str:
    """Serve the page.

    Args:
        page (gradio.Blocks): The page.
        host (str): Address to serve.
        port (int): Port to serve; 0 for any that is free.
        wait (bool): Whether to return when it is closed only. Defaults to True.

    Returns:
        str: Its address.
    """
    gr = import_gradio()
    theme = gr.themes.Default(
        primary_hue='blue',
        font=('system-ui', 'sans-serif'),
        font_mono=('ui-monospace', 'monospace'),
    )
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
    search = open_search(args)
    paths = search.inferencer.gallery.stamps()
    cameras = {CameraNames(args.camera_pattern)(path).cam_id for path in paths} - {-1}
    with search.inferencer.gallery:
        launch(build_page(search, sorted(cameras)), args.host, args.port)


if __name__ == '__main__':
    main()

r"""Show a page on this machine where one drops a crop and sees who looks like it.

The gallery is a folder of crops, whose features are kept (see ``ReIDInferencer``), or a store that
was filled before. A second tab takes videos with the tracks of people in them, one of each a
camera, and shows who was before which camera; --scene gives it a folder that has for each camera a
folder with ``tracks.txt`` and frames ``img1``. CONFIG and CHECKPOINT are what ``tools/test.py``
takes. Nothing leaves the machine: the page is served to 127.0.0.1 alone and fetches nothing from
elsewhere. It needs ``pip install gradio``.
"""

import importlib
import os
import re
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from passreid import ReIDInferencer
from passreid.apis.track_features import link_cameras
from passreid.datasets.folder_reid import parse_id
from passreid.search import GalleryRecord, SearchFilter, open_store
from passreid.tracks.track_files import read_tracks
from passreid.visualization import png_bytes, similarity_text
from passreid.visualization.report import match_cards

MAX_TOPK = 50
# Files of tracks, videos or folders of frames, and frames a second.
Scene = tuple[Sequence[str | Path], Sequence[str | Path], float] | None
VIDEOS_HINT = 'Drop the tracks of some cameras and their videos on the left.'
HINT = 'Drop a picture of a person on the left: a crop, as those of the gallery.'
CSS = """
#heading h1 { font-size: 24px; margin: 0 0 2px; }
#heading p, .found-line, .note { color: #5b6270; }
#query .image-frame img { width: 100%; height: 100%; object-fit: contain; }
.found-line { margin: 0 0 10px; font-size: 15px; }
.found figure:first-child { border-color: #0072b2; box-shadow: 0 0 0 1px #0072b2; }
.note { padding: 40px 20px; text-align: center; border: 1px dashed var(--border-color-primary);
  border-radius: 8px; }
.person { width: 100%; max-width: 900px; display: block; margin-bottom: 1rem; }
.dark .found figcaption { color: inherit; }
.dark #heading p, .dark .found-line, .dark .note, .dark .found .line { color: #a9b0bd; }
"""


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('config', help='config file of the model, or its name in the model zoo')
    option('checkpoint', help='its weights')
    option('--gallery', metavar='FOLDER', help='crops to search')
    text = 'where features are kept (default: the cache); without --gallery searched as it is'
    option('--store', metavar='WHERE', help=text)
    text = 'cameras to show at once: folders cN/tracks.txt, cN/img1, as of tools/rendered_scene.py'
    option('--scene', metavar='FOLDER', type=Path, help=text)
    option('--fps', type=float, default=5.0, help='frames a second of the scene (default: 5)')
    text = 'regular expression that finds the camera in file names (default: %(default)s)'
    option('--camera-pattern', default=r'_c(?P<camera>\d+)', metavar='REGEX', help=text)
    option('--flip', action='store_true', help='average in the mirror image')
    option('--device', help='where the model runs (default: the accelerator, if any)')
    option('--num-workers', type=int, default=0, help='processes that read the crops')
    option('--host', default='127.0.0.1', help='address to serve; 0.0.0.0 lets the network in')
    option('--port', type=int, default=7860, help='port to serve')
    args = parser.parse_args()
    if not (args.gallery or args.store or args.scene):
        parser.error('name a --gallery, a --store, or a --scene')
    return args


def import_gradio() -> Any:
    """Import gradio, told to send nothing home."""
    # Read when gradio is imported.
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    try:
        return importlib.import_module('gradio')
    except ImportError as error:
        raise ImportError('the demo needs gradio: pip install gradio') from error


def camera_records(pattern: str) -> Callable[[str], GalleryRecord]:
    """Return what reads the camera out of the name of an image; -1 when it has none."""
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


def png_uri(figure: Any) -> str:
    """Return a figure as an address that holds it."""
    return f'data:image/png;base64,{b64encode(png_bytes(figure)).decode()}'


def note(text: str) -> str:
    """Return a message in place of results."""
    return f'<div class="note">{escape(text)}</div>'


def show(
    inferencer: ReIDInferencer,
    crop: np.ndarray | None,
    topk: float,
    least: float,
    not_cameras: Sequence[str | int],
) -> str:
    """Search for a crop ``(H, W, 3)`` in RGB, for images at least so similar; return HTML."""
    if crop is None:
        return note(HINT)
    start = time.perf_counter()
    try:
        cameras = SearchFilter(not_cameras=[int(camera) for camera in not_cameras])
    except ValueError:
        return note('A camera is a number.')
    (every,) = inferencer(crop[..., ::-1], int(topk), cameras)
    matches = [match for match in every if not least or match.similarity >= least]
    if not every:
        return note('The gallery has no image under the other cameras.')
    if not matches:
        best = similarity_text(every[0].similarity)
        return note(f'No image is that similar. The most similar one has {best}.')
    line = (
        f'<p class="found-line"><b>{len(matches)}</b> of {len(inferencer.gallery)} images, most '
        f'similar first &middot; {1000 * (time.perf_counter() - start):.0f} ms</p>'
    )
    return f'{line}<div class="found">{match_cards(matches)[0]}</div>'


def show_people(
    inferencer: ReIDInferencer,
    tracks: Sequence[str | Path] | None,
    sources: Sequence[str | Path] | None,
    fps: float,
) -> str:
    """Link the tracks of cameras, and return a picture of each person as HTML."""
    if not tracks or not sources or len(tracks) != len(sources):
        given = f'{len(tracks or ())} files of tracks and {len(sources or ())} videos'
        return note(f'There are {given}: give one of each for each camera, in the same order.')
    try:
        linked = link_cameras(inferencer, [read_tracks(path) for path in tracks], sources, fps=fps)
    except (OSError, ValueError) as error:
        return note(str(error))
    count = linked.people.max()
    line = f'<p class="found-line"><b>{count}</b> people in {len(linked.people)} tracks</p>'
    return line + ''.join(
        f'<img class="person" alt="Person {person}" src="{png_uri(linked.timeline(person))}">'
        for person in range(1, count + 1)
    )


def build_page(inferencer: ReIDInferencer, cameras: Sequence[int], scene: Scene = None) -> Any:
    """Lay out the page, a ``gradio.Blocks``: the tabs of the search and of cameras."""
    gr = import_gradio()
    with gr.Blocks(title='passreid', analytics_enabled=False, fill_width=True) as page:
        if inferencer.gallery is not None:
            with gr.Tab('Search'):
                build_search(gr, inferencer, cameras)
        with gr.Tab('Over cameras'):
            build_cameras(gr, inferencer, scene)
    return page


def build_cameras(gr: Any, inferencer: ReIDInferencer, scene: Scene) -> None:
    """Lay out what shows one identity over several cameras."""
    gr.HTML('<h1>Who was before which camera?</h1>', elem_id='heading')
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            text = 'Tracks: a file a camera of frame,id,left,top,width,height'
            tracks = gr.File(label=text, file_count='multiple', file_types=['.txt', '.csv'])
            videos = gr.File(label='Videos, in the same order', file_count='multiple')
            fps = gr.Number(25, label='Frames a second')
            button = gr.Button('Find people', variant='primary', elem_id='link')
        with gr.Column(scale=4, min_width=320):
            first = note(VIDEOS_HINT) if scene is None else show_people(inferencer, *scene)
            people = gr.HTML(first, elem_id='people')
    button.click(partial(show_people, inferencer), [tracks, videos, fps], people)


def build_search(gr: Any, inferencer: ReIDInferencer, cameras: Sequence[int]) -> None:
    """Lay out the search, with these cameras to choose from."""
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
            topk = gr.Slider(1, MAX_TOPK, 12, step=1, label='Images to show')
            least = gr.Slider(0, 1, 0, step=0.0005, label='Least similarity (0: any)')
            not_cameras = gr.Dropdown(
                [str(camera) for camera in cameras],
                multiselect=True,
                allow_custom_value=True,
                label='Cameras to leave out',
                elem_id='cameras',
                info='such as the one that took the picture',
            )
        with gr.Column(scale=4, min_width=320):
            found = gr.HTML(note(HINT), elem_id='results')
    inputs = [crop, topk, least, not_cameras]
    events = [button.click, crop.change, topk.release, least.release, not_cameras.change]
    search = partial(show, inferencer)
    gr.on(events, search, inputs, found, show_progress='minimal')


def launch(page: Any, host: str, port: int) -> str:
    """Serve the page and return its address."""
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
        css=match_cards([])[1] + CSS,
        footer_links=[],
        enable_monitoring=False,
        ssr_mode=False,
    )
    print(f'The page is at {address}; Ctrl+C ends it.', flush=True)
    return address


def main() -> None:
    """Serve the page until it is interrupted."""
    args = parse_args()
    import_gradio()
    inferencer = open_search(args)
    scene: Scene = None
    if args.scene:
        tracks = sorted(args.scene.glob('*/tracks.txt'))
        scene = tracks, [path.with_name('img1') for path in tracks], args.fps
    record = camera_records(args.camera_pattern)
    with inferencer.gallery or nullcontext() as gallery:
        cameras = set()
        if gallery is not None:
            # The first search pays for what is set up once.
            show(inferencer, np.zeros((64, 32, 3), np.uint8), 1, 0, [])
            cameras = {record(path).cam_id for path in gallery.stamps()} - {-1}
        page = build_page(inferencer, sorted(cameras), scene)
        launch(page, args.host, args.port)
        page.block_thread()


if __name__ == '__main__':
    main()

import os
import re
import shutil
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from passreid.rendering import Scene, write_scene
from passreid.search import GalleryRecord

CHROMIUM = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None
)


@pytest.fixture
def demo(load_tool):
    return load_tool('demo/gradio_demo')


@pytest.fixture(scope='session')
def crops(small, tmp_path_factory):
    """A gallery of 19 crops under cameras 2 to 5."""
    return shutil.copytree(
        small.people / 'bounding_box_test', tmp_path_factory.mktemp('demo') / 'crops'
    )


@pytest.fixture
def open_search(demo, small, monkeypatch):
    def call(*options):
        words = ['gradio_demo.py', small.config, small.weights, *options]
        monkeypatch.setattr('sys.argv', [str(word) for word in words])
        return demo.open_search(demo.parse_args())

    return call


@pytest.fixture
def search(open_search, crops):
    return open_search('--gallery', crops)


@pytest.fixture(scope='session')
def path(crops):
    """A crop of camera 3."""
    return crops / '0103_c3s1_000003_00.jpg'


@pytest.fixture(scope='session')
def crop(path):
    """Its pixels in RGB."""
    return np.asarray(Image.open(path))


def names_in(html):
    return re.findall('class="line" title="(.*?)"', html)


def test_what_the_page_shows(demo, search, path, crop):
    assert 'Drop a picture' in demo.show(search, None, 5, 0, [])
    html = demo.show(search, crop, 5, 0, [])
    assert re.search(r'<b>5</b> of 19 images, most similar first &middot; \d+ ms', html)
    # RGB was turned to BGR: else the crop would not be its own best match.
    assert names_in(html)[0] == str(path) and '1.0000' in html.split('<figure>')[1]
    assert len(names_in(html)) == 5 and 'cam 3' in html
    html = demo.show(search, crop, 19.0, 0.0, ['3', '2'])
    assert {name.split('_c')[1][0] for name in names_in(html)} == {'4', '5'}
    (matches,) = search(crop[..., ::-1], 19)
    least = (matches[2].similarity + matches[3].similarity) / 2
    assert len(names_in(demo.show(search, crop, 19, least, []))) == 3
    assert 'most similar one has 1.0000' in demo.show(search, crop, 5, 1.01, [])
    assert 'no image under the other cameras' in demo.show(search, crop, 5, 0, range(6))
    assert 'A camera is a number' in demo.show(search, crop, 5, 0, ['door'])


def test_kept_in_a_store(open_search, search, crops, crop, tmp_path):
    kept = open_search('--gallery', crops, '--store', tmp_path / 'kept')
    expected = search(crop, 4)
    assert kept(crop, 4) == expected
    kept.gallery.close()
    assert open_search('--store', tmp_path / 'kept')(crop, 4) == expected


def test_no_gallery(run, capsys):
    with pytest.raises(SystemExit):
        run('demo/gradio_demo', 'config.py', 'weights.pth')
    assert 'name a --gallery, a --store, or a --scene' in capsys.readouterr().err


def test_cameras_in_names(demo):
    read = demo.camera_records(r'_c(?P<camera>\w+?)_')
    assert read('_c9_/0001_c07_x.jpg') == GalleryRecord('_c9_/0001_c07_x.jpg', cam_id=7)
    assert read('a.jpg').cam_id == -1
    with pytest.raises(ValueError, match='camera'):
        demo.camera_records('_c(.)')


@pytest.fixture(scope='module')
def scene(tmp_path_factory):
    """A rendered scene of two cameras, as the demo takes it."""
    folder = tmp_path_factory.mktemp('scene')
    write_scene(folder, Scene(people=3, cameras=2, seconds=14))
    tracks = sorted(folder.glob('*/tracks.txt'))
    return tracks, [path.with_name('img1') for path in tracks], 5.0


def test_people_over_cameras(demo, search, scene):
    tracks, sources, fps = scene
    html = demo.show_people(search, *scene)
    count = int(re.search('<b>(.*?)</b> people', html)[1])
    assert html.count('src="data:image/png;base64,') == count > 0
    for wrong in ((None, None), (tracks, sources[:1])):
        assert 'one of each for each camera' in demo.show_people(search, *wrong, fps)
    assert 'no video' in demo.show_people(search, tracks, ['a.mp4', 'b.mp4'], fps)


def test_without_gradio(demo, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    with pytest.raises(ImportError, match='pip install gradio'):
        demo.import_gradio()


@pytest.mark.slow
def test_main_serves_this_machine_alone(run, small, crops, monkeypatch):
    served, waited = {}, []

    def launch(page, **options):
        served.update(options)
        return None, 'http://127.0.0.1:7860', None

    gradio = pytest.importorskip('gradio')
    monkeypatch.setattr(gradio.Blocks, 'launch', launch)
    monkeypatch.setattr(gradio.Blocks, 'block_thread', lambda page: waited.append(page))
    text = run('demo/gradio_demo', small.config, small.weights, '--gallery', crops)
    assert len(waited) == 1 and 'http://127.0.0.1:7860' in text
    assert served['server_name'] == '127.0.0.1'
    assert not served['share'] and served['quiet']
    assert os.environ['GRADIO_ANALYTICS_ENABLED'] == 'False'


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason='no browser is installed')
def test_in_a_browser(demo, search, path, scene):
    pytest.importorskip('gradio')
    playwright = pytest.importorskip('playwright.sync_api')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    page = demo.build_page(search, [2, 3, 4, 5], scene)
    address, asked = demo.launch(page, '127.0.0.1', port), []

    def look():
        with playwright.sync_playwright() as started:
            browser = started.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
            tab = browser.new_page(viewport=dict(width=1280, height=800))
            tab.on('request', lambda request: asked.append(request.url))
            tab.goto(address)
            tab.wait_for_selector('#results .note')
            tab.set_input_files('#query input[type=file]', str(path))
            tab.wait_for_selector('#query img')
            tab.click('#search')
            tab.wait_for_selector('#results figure')
            figures = tab.locator('#results figure')
            assert figures.count() == 12
            shown = figures.first.inner_text().split('\n')
            assert shown == ['1', '1.0000', 'cam 3', path.name]
            picture = figures.first.locator('img')
            assert picture.evaluate('image => image.naturalHeight') == 32
            # Without the camera of the crop.
            tab.locator('#cameras input').fill('3')
            tab.locator('#cameras input').press('Enter')
            tab.wait_for_selector(f'#results img[alt="{path.name}"]', state='detached')
            assert 'cam 3' not in tab.inner_text('#results')
            assert figures.count() == 12
            tab.get_by_role('tab', name='Over cameras').click()
            tab.wait_for_selector('#people img.person')
            width = 'image => image.naturalWidth'
            assert tab.locator('#people img.person').first.evaluate(width) > 600
            browser.close()

    # Greenlets of playwright leave the stack of the thread that they ran in broken.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(look).result()
    page.close(verbose=False)
    hosts = {url.split('/')[2] for url in asked if url.startswith('http')}
    assert hosts == {address.split('/')[2]}

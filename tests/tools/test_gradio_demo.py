import os
import re
import shutil
import socket
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from passreid.search import GalleryRecord, Match
from passreid.visualization import similarity_text

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


def test_search(demo, search, path, crop):
    found = demo.find(search, crop, 5)
    assert len(search.gallery) == 19 and len(found.matches) == 5
    # RGB was turned to BGR: else the crop would not be its own best match.
    assert found.matches[0] == found.best
    assert found.best.record.path == str(path)
    assert found.best.record.cam_id == 3
    assert found.best.similarity == pytest.approx(1, abs=1e-5)
    found = demo.find(search, crop, 19, not_cameras=[3, 2])
    assert {match.record.cam_id for match in found.matches} == {4, 5}
    threshold = found.matches[2].similarity
    assert demo.find(search, crop, 19, threshold, [3, 2]).matches == found.matches[:3]
    above = demo.find(search, crop, 19, 1.5)
    assert (above.matches, above.best) == ([], demo.find(search, crop, 1).best)
    nothing = demo.find(search, crop, 19, not_cameras=[2, 3, 4, 5])
    assert (nothing.matches, nothing.best) == ([], None)


def test_kept_in_a_store(demo, open_search, search, crops, crop, tmp_path):
    kept = open_search('--gallery', crops, '--store', tmp_path / 'kept')
    expected = demo.find(search, crop, 4).matches
    assert demo.find(kept, crop, 4).matches == expected
    kept.gallery.close()
    alone = open_search('--store', tmp_path / 'kept')
    assert demo.find(alone, crop, 4).matches == expected


def test_no_gallery(run, capsys):
    with pytest.raises(SystemExit):
        run('demo/gradio_demo', 'config.py', 'weights.pth')
    assert 'name a --gallery, a --store, or both' in capsys.readouterr().err


def test_cameras_in_names(demo):
    read = demo.camera_records(r'_c(?P<camera>\w+?)_')
    assert read('_c9_/0001_c07_x.jpg') == GalleryRecord('_c9_/0001_c07_x.jpg', cam_id=7)
    assert read('a.jpg').cam_id == -1
    assert read('_cdoor_.jpg').cam_id > 1000
    with pytest.raises(ValueError, match='camera'):
        demo.camera_records('_c(.)')


def test_cards(load_tool, path, tmp_path):
    cards = load_tool('demo/result_cards')
    name = '<b>"quoted" & torn.jpg'
    (tmp_path / name).write_bytes(b'no image')
    matches = [
        Match(GalleryRecord(str(path), cam_id=3, time=61.0), 0.834),
        Match(GalleryRecord(str(tmp_path / name)), 0.5),
    ]
    html = cards.results(cards.Found(matches, matches[0], 0.0123), 19)
    assert '<b>2</b> of 19 images, most similar first &middot; 12 ms' in html
    first, second = html.split('<figure>')[1:]
    for text in ('>1<', '0.83', 'cam 3', '0:01:01', path.name, 'data:image/jpeg;base64,'):
        assert text in first
    for text in (
        '>2<',
        '0.50',
        'cam ?',
        'cannot be read',
        '&lt;b&gt;&quot;quoted&quot; &amp; torn',
    ):
        assert text in second
    assert '<b>"' not in html
    assert not re.search(r'(src|href)="(?!data:)', html)


def test_what_the_page_shows(demo, search, path, crop):
    assert 'Drop a picture' in demo.show(search, None, 5, 0, [])
    html = demo.show(search, crop, 5, 0, [])
    assert html.count('<figure>') == 5
    assert path.name in html
    assert path.name not in demo.show(search, crop, 5.0, 0.0, ['3'])
    assert 'most similar one has 1.0000' in demo.show(search, crop, 5, 1.01, [])
    assert 'no image under the other cameras' in demo.show(search, crop, 5, 0, range(6))
    assert 'A camera is a number' in demo.show(search, crop, 5, 0, ['door'])


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


@pytest.fixture
def address(demo, search):
    """The page, served."""
    pytest.importorskip('gradio')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    page = demo.build_page(search, [2, 3, 4, 5])
    yield demo.launch(page, '127.0.0.1', port, wait=False)
    page.close(verbose=False)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason='no browser is installed')
def test_in_a_browser(demo, address, search, path, crop, tmp_path):
    playwright = pytest.importorskip('playwright.sync_api')
    expected = demo.find(search, crop, 12).matches
    asked = []
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
        best = expected[0]
        assert shown == ['1', similarity_text(best.similarity), 'cam 3', path.name]
        picture = figures.first.locator('img')
        assert picture.evaluate('image => image.naturalHeight') == 32
        # Without the camera of the crop.
        tab.locator('#cameras input').fill('3')
        tab.locator('#cameras input').press('Enter')
        tab.wait_for_selector(f'#results img[alt="{path.name}"]', state='detached')
        assert 'cam 3' not in tab.inner_text('#results')
        assert figures.count() == 12
        tab.screenshot(path=str(tmp_path / 'page.png'))
        browser.close()
    hosts = {url.split('/')[2] for url in asked if url.startswith('http')}
    assert hosts == {address.split('/')[2]}
    screenshot = cv2.imread(str(tmp_path / 'page.png'))
    assert screenshot.shape == (800, 1280, 3)
    assert len(np.unique(screenshot.reshape(-1, 3), axis=0)) > 1000

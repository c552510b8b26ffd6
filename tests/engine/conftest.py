import pytest
from tiny_runs import quick_start, write_people


@pytest.fixture(scope='package', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='package')
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp('people'))

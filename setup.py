"""Package passreid; requirements are read from ``requirements/*.txt``."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list[str]:
    """Read one requirements file, without blank lines and comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in map(str.strip, lines) if line and not line.startswith('#')]


version: dict[str, str] = {}
exec((ROOT / 'passreid' / 'version.py').read_text(), version)

setup(
    name='passreid',
    version=version['__version__'],
    description='Part-aware self-supervised pre-training for person re-identification',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['passreid', 'passreid.*']),
    include_package_data=True,
    python_requires='>=3.10',
    install_requires=requirements('mminstall') + requirements('runtime'),
    extras_require={
        'optional': requirements('optional'),
        'tests': requirements('tests') + requirements('optional'),
        'docs': requirements('docs'),
    },
)

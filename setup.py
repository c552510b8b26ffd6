"""Package passreid: requirements from ``requirements/*.txt``, configs and tools in the wheel."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# What only some programs need: each has a file in requirements/.
EXTRAS = ('search', 'export', 'tracks', 'demo', 'optional')


class BuildWithConfigs(build_py):
    """Put configs, tools and the model index below ``passreid/.mim``, as OpenMMLab packages do.

    An editable installation needs no copy: ``passreid.utils.config_path`` finds the folders
    of the checkout.
    """

    def run(self) -> None:
        """Build the modules, then copy the folders."""
        super().run()
        if self.editable_mode:
            return
        for name in ('configs', 'tools'):
            target = Path(self.build_lib) / 'passreid' / '.mim' / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy(ROOT / 'model-index.yml', Path(self.build_lib) / 'passreid' / '.mim')


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
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The passreid authors',
    license='Apache-2.0',
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    packages=find_packages(include=['passreid', 'passreid.*']),
    package_data={'passreid.visualization': ['*.html']},
    cmdclass={'build_py': BuildWithConfigs},
    python_requires='>=3.11',
    install_requires=requirements('mminstall') + requirements('runtime'),
    extras_require={
        **{name: requirements(name) for name in EXTRAS},
        'all': [package for name in EXTRAS for package in requirements(name)],
        'tests': [package for name in (*EXTRAS, 'docs', 'tests') for package in requirements(name)],
        'docs': requirements('docs'),
    },
)

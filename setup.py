"""Package passreid: requirements from ``requirements/*.txt``, configs and tools in the wheel."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithConfigs(build_py):
    """Put configs and tools below ``passreid/.mim``, where OpenMMLab packages keep them.

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
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    packages=find_packages(include=['passreid', 'passreid.*']),
    cmdclass={'build_py': BuildWithConfigs},
    python_requires='>=3.10',
    install_requires=requirements('mminstall') + requirements('runtime'),
    extras_require={
        'optional': requirements('optional'),
        'tests': requirements('tests') + requirements('optional') + requirements('docs'),
        'docs': requirements('docs'),
    },
)

"""Version of the package."""

import os
import subprocess
from pathlib import Path

__version__ = '0.1.0'


def git_commit(root: str | Path | None = None) -> str:
    """Return the commit of a checkout, abbreviated, with '-dirty' if a file of it was changed.

    Args:
        root (str | Path, optional): Its folder. Defaults to None: that of this package.

    Returns:
        str: '' for an installed package, or without git.
    """
    root = Path(root or Path(__file__).parents[1])
    # Or it may be a folder within the repository of something else.
    if not (root / '.git').exists():
        return ''
    command = ['git', '--no-optional-locks', '-C', str(root), 'describe', '--always', '--dirty']
    # Those that name another repository, as in the hooks of git.
    environment = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}
    try:
        return subprocess.run(
            [*command, '--exclude=*'], capture_output=True, text=True, env=environment
        ).stdout.strip()
    except OSError:
        return ''

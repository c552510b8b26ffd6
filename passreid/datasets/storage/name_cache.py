"""A list of names that is made once and kept on disk until its source changes."""

import json
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock
from mmengine.logging import MMLogger

from passreid.utils.cache_folder import cache_folder, source_digest
from passreid.utils.printable import printable

from .name_table import NameTable

# Figures, by file or folder of the source, of which one changes when the source does.
Stamps = dict[str, list[int]]
FORMAT_VERSION = 1


class NameCache:
    """Keep the names that were found in a source.

    The files lie in :func:`cache_folder` of the root, under a hash of the source's path.
    A lock lets one process do the work while others, such as the ranks of a distributed run,
    wait for it. A new table never overwrites one that is in use.

    Args:
        root (str): Folder of the data set.
        source (str): File or folder in which the names are found.
    """

    def __init__(self, root: str, source: str) -> None:
        self.source = os.path.realpath(source)
        self.stem = source_digest(source)
        self.folder = cache_folder(root)

    def load(
        self,
        find: Callable[[], tuple[Iterable[str], Stamps]],
        is_fresh: Callable[[Stamps], bool],
        rescan: bool = False,
    ) -> NameTable:
        """Return the names, from disk if the source has not changed since.

        Args:
            find (Callable): Lists the names; returns them and the stamps of the source, which
                may be filled in while the names are read.
            is_fresh (Callable): Tells from recorded stamps whether the source is unchanged.
            rescan (bool): Use no names that were listed before this call. Defaults to False.

        Raises:
            ValueError: When no names are found.
        """
        asked = time.time_ns()
        with FileLock(self.folder / f'{self.stem}.lock'):
            state = self._read_state()
            # Another process may have listed them while this one waited for the lock.
            recent = state and (not rescan or state['finished'] > asked)
            if recent and is_fresh(state['stamps']):
                return NameTable(str(self.folder / state['table']))
            return self._renew(find)

    def _renew(self, find: Callable[[], tuple[Iterable[str], Stamps]]) -> NameTable:
        start = time.time_ns()
        logger = MMLogger.get_current_instance()
        logger.info(f'Listing the images of {printable(self.source)}; this happens once')
        table = f'{self.stem}-{start:x}'
        names, stamps = find()
        count = NameTable.write(str(self.folder / table), names)
        if not count:
            raise ValueError(f'no images found in {self.source}')
        finished = time.time_ns()
        written = self.folder / f'{self.stem}.tmp'
        written.write_text(
            json.dumps(
                {
                    'version': FORMAT_VERSION,
                    'source': self.source,
                    'table': table,
                    'finished': finished,
                    'stamps': stamps,
                }
            )
        )
        os.replace(written, self._state_file)
        for old in self.folder.glob(f'{self.stem}-*.npy'):
            # Who has an old table mapped keeps it: its files only lose their names.
            if not old.name.startswith(table):
                old.unlink()
        logger.info(
            f'{count} images listed in {(finished - start) / 1e9:.1f} s; kept in '
            f'{printable(str(written.parent))}'
        )
        return NameTable(str(self.folder / table))

    @property
    def _state_file(self) -> Path:
        return self.folder / f'{self.stem}.json'

    def _read_state(self) -> dict:
        # A pipe would be waited for.
        if not self._state_file.is_file():
            return {}
        try:
            state = json.loads(self._state_file.read_text())
        except (OSError, ValueError, RecursionError):
            return {}
        return state if self._is_sound(state) else {}

    def _is_sound(self, state: Any) -> bool:
        """Whether a state that lay beside somebody's images is one of ours, table and all."""
        if not isinstance(state, dict) or state.get('version') != FORMAT_VERSION:
            return False
        table, stamps = state.get('table'), state.get('stamps')
        if not (isinstance(table, str) and re.fullmatch(f'{self.stem}-[0-9a-f]+', table)):
            return False
        if not isinstance(state.get('finished'), int) or not isinstance(stamps, dict):
            return False
        lists = stamps.values()
        if not all(isinstance(own, list) and own for own in lists):
            return False
        return NameTable.is_sound(str(self.folder / table))

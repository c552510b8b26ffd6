"""Person and camera in the name of a crop."""

import re

from .text_number import text_number

_GROUPS = {'pid', 'camera'}


class CropNames:
    r"""Read person and camera from paths.

    Args:
        pattern (str, optional): Regular expression with the named groups ``pid`` and
            ``camera``, matched from the beginning of the file name or, if it contains a '/',
            of the whole path. Defaults to None.
        pid_from (str): 'name', which needs the group ``pid``, or 'folder', which excludes it:
            the outermost folder of the path is the person. Defaults to 'name'.

    Raises:
        ValueError: When ``pattern`` is no regular expression or has other groups.

    Examples:
        >>> CropNames(r'(?P<pid>\w+?)_cam(?P<camera>\d+)').read('monday/anna_cam3_17.jpg')
        ('anna', 3)
        >>> CropNames(pid_from='folder').read('anna/17.jpg')
        ('anna', -1)
    """

    def __init__(self, pattern: str | None = None, pid_from: str = 'name') -> None:
        if pid_from not in ('name', 'folder'):
            raise ValueError(f"pid_from must be 'name' or 'folder', but is {pid_from!r}")
        try:
            self._regex = re.compile(pattern or '')
        except re.error as error:
            raise ValueError(f'pattern {pattern!r} is no regular expression: {error}') from error
        groups = set(self._regex.groupindex)
        if groups - _GROUPS or ('pid' in groups) != (pid_from == 'name'):
            needed = (
                'the person needs the group (?P<pid>...), or pid_from="folder"'
                if pid_from == 'name'
                else 'pid_from="folder" excludes the group "pid"'
            )
            raise ValueError(
                f'pattern {pattern!r} has the named groups {sorted(groups)}: {needed}; the '
                'camera may have (?P<camera>...)'
            )
        self.pattern = pattern
        self.pid_from = pid_from

    @property
    def mismatch(self) -> str:
        """What is wrong with the paths for which :meth:`read` returns None."""
        if self.pattern is None:
            return 'the image is in no folder that names its person'
        inside = ' or lies in no folder that names its person' if self.pid_from == 'folder' else ''
        return f'the name does not match {self.pattern!r}{inside}'

    def read(self, path: str) -> tuple[str, int] | None:
        """Read a path.

        Args:
            path (str): Path of a crop, folders separated by '/' or as on Windows.

        Returns:
            tuple[str, int] | None: Text of the person, and number of the camera (-1 when the
            pattern has none or finds none); None when the path does not match.
        """
        path = path.replace('\\', '/')
        folder, _, rest = path.partition('/')
        found = self._regex.match(path if '/' in self._regex.pattern else path.rpartition('/')[2])
        if found is None:
            return None
        groups = found.groupdict()
        person = groups['pid'] if self.pid_from == 'name' else rest and folder
        if not person:
            return None
        camera = groups.get('camera')
        return person, text_number(camera) if camera else -1

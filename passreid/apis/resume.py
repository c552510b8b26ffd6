"""The choice of the checkpoint that a run is resumed from."""

import zipfile
from pathlib import Path

from passreid.utils.checkpoint_loading import load_checkpoint_file


def latest_checkpoint(work_dir: str | Path) -> tuple[str | None, str]:
    """Choose the checkpoint to resume from: that of ``last_checkpoint`` if it is whole.

    If it is not, it is the latest of the work directory that is. The directory may have been moved.

    Args:
        work_dir (str | Path): The work directory of a run.

    Returns:
        tuple[str | None, str]: The checkpoint, None when no run has begun here; and what the user
        should know about, '' when all is well.

    Raises:
        FileNotFoundError: When ``last_checkpoint`` names a file that is gone and there is no other.
        RuntimeError: When there are checkpoints and none is whole.
    """
    pointer = Path(work_dir) / 'last_checkpoint'
    named = pointer.read_text(errors='replace').strip('\0 \n') if pointer.is_file() else None
    if named and '://' in named:
        return named, ''
    # That in the work directory first: a copied directory names a file of the original.
    places = [Path(work_dir) / Path(named).name, Path(named)] if named else []
    pointed = next((path for path in places if path.is_file()), None)
    folders = {Path(work_dir), *(path.parent for path in places)}
    files = {path for folder in folders for path in folder.glob('*.pth')} - {pointed}
    whole, damaged = {}, ''
    for path in [*([pointed] if pointed else []), *sorted(files)]:
        try:
            progress = examine(path)
        except Exception as error:  # Whatever a damaged file makes of a reader.
            damaged += f' {path} is damaged: {error}.'
            continue
        if path == pointed:
            return str(path), ''
        if progress is not None:
            whole[path] = progress
    problem = (
        damaged if pointed else f'{work_dir}/last_checkpoint names no file ({named}).{damaged}'
    )
    if whole:
        chosen = max(whole, key=lambda path: (whole[path], path.name))
        return str(chosen), f'{problem} Resuming from {chosen}, the latest that is whole.'
    if damaged or named is not None:
        raise (RuntimeError if damaged else FileNotFoundError)(
            f'{problem} There is no other to resume from. Name a checkpoint, or remove '
            'last_checkpoint and what is damaged to start afresh.'
        )
    return None, f'Nothing to resume in {work_dir}: starting afresh.'


def examine(path: str | Path) -> tuple[str, int] | None:
    """Look whether each byte of a checkpoint is as it was written, and how far its run was.

    Args:
        path (str | Path): A local file.

    Returns:
        tuple[str, int] | None: When it was saved, and the iteration; None for what cannot be
        resumed, such as weights alone.

    Raises:
        Exception: When the file is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        if (name := archive.testzip()) is not None:
            raise RuntimeError(f'the checksum of {name} is wrong')
    content = load_checkpoint_file(path, mmap=True)
    parts = ('state_dict', 'optimizer', 'message_hub', 'meta')
    if not isinstance(content, dict) or any(part not in content for part in parts):
        return None
    return str(content['meta'].get('time', '')), int(content['meta']['iter'])

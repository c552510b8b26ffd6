"""The choice of the checkpoint that ``resume='auto'`` continues from."""

from pathlib import Path

from mmengine.config import Config

from passreid.utils.last_checkpoint import examine, latest_whole, read_last_checkpoint


def resolve_auto_resume(cfg: Config) -> list[str]:
    """Turn ``resume='auto'`` into a checkpoint, or into a fresh start, in place.

    So one command serves the first start of a job and every restart: ``load_from`` is used
    as long as there is nothing to resume. ``resume=True`` without ``load_from`` means the same. A
    work directory may have been moved.

    The choice is the checkpoint that ``last_checkpoint`` names, if each of its bytes is as it was
    written; else, with a warning, the latest of the work directory that is whole.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Returns:
        list[str]: What the user should know about, one sentence each.

    Raises:
        FileNotFoundError: When the latest checkpoint of the work directory is gone, and there is no
            other.
        RuntimeError: When there are checkpoints and none is whole.
    """
    if cfg.get('resume') != 'auto' and (cfg.get('resume') is not True or cfg.get('load_from')):
        return []
    cfg.resume = False
    work_dir = Path(cfg.work_dir)
    named = read_last_checkpoint(work_dir)
    if named is not None and '://' in named:
        cfg.resume, cfg.load_from = True, named
        return []
    # That in the work directory first: a copied directory names a file of the original.
    candidates = [work_dir / Path(named).name, Path(named)] if named else []
    found = next((path for path in candidates if path.is_file()), None)
    complaint = _complaint(named, found)
    if complaint is None:
        cfg.resume, cfg.load_from = True, str(found)
        return []
    return _fall_back(cfg, candidates, complaint, started=named is not None)


def _complaint(named: str | None, found: Path | None) -> str | None:
    """Return what keeps a run from being resumed from the checkpoint that is named, if anything."""
    if named is None:
        return 'is missing'
    if not named:
        return 'is empty or damaged'
    if found is None:
        return f'names {named}, which is gone'
    damage = examine(found).damage
    return None if damage is None else f'names {found}, which is damaged: {damage}'


def _fall_back(cfg: Config, candidates: list[Path], complaint: str, started: bool) -> list[str]:
    """Resume from the latest whole checkpoint, or start afresh where there is none at all."""
    folders = {Path(cfg.work_dir), *(path.parent for path in candidates)}
    chosen, damaged = latest_whole(sorted({path for one in folders for path in one.glob('*.pth')}))
    pointer = f'{cfg.work_dir}/last_checkpoint {complaint}.'
    broken = ''.join(f' {path} is damaged: {damage}.' for path, damage in damaged.items())
    if chosen is not None:
        cfg.resume, cfg.load_from = True, str(chosen)
        return [f'{pointer}{broken} Resuming from {chosen}, the latest that is whole.']
    advice = (
        'Name a checkpoint to resume from, or remove last_checkpoint and what is damaged to start '
        'afresh.'
    )
    if damaged:
        raise RuntimeError(f'{pointer}{broken} There is no other to resume from. {advice}')
    if started:
        raise FileNotFoundError(f'{pointer} There is no other to resume from. {advice}')
    return [f'Nothing to resume in {cfg.work_dir}: starting afresh.']

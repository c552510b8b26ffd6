"""The choice of the checkpoint that ``resume='auto'`` continues from."""

from pathlib import Path

from mmengine.config import Config
from mmengine.runner import find_latest_checkpoint


def resolve_auto_resume(cfg: Config) -> list[str]:
    """Turn ``resume='auto'`` into a checkpoint, or into a fresh start, in place.

    So one command serves the first start of a job and every restart: ``load_from`` is used
    as long as there is nothing to resume. A work directory may have been moved.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Returns:
        list[str]: What the user should know about, one sentence each.

    Raises:
        FileNotFoundError: When the latest checkpoint of the work directory is gone.
    """
    if cfg.get('resume') != 'auto':
        return []
    cfg.resume = False
    if not (Path(cfg.work_dir) / 'last_checkpoint').is_file():
        return [f'Nothing to resume in {cfg.work_dir}: starting afresh.']
    latest = Path(find_latest_checkpoint(cfg.work_dir))
    candidates = (latest, Path(cfg.work_dir) / latest.name)
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise FileNotFoundError(
            f'{cfg.work_dir}/last_checkpoint names {latest}, which is gone. Name a checkpoint '
            'to resume from, or remove last_checkpoint to start afresh.'
        )
    cfg.resume, cfg.load_from = True, str(found)
    return []

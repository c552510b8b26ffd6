"""Learning rates that follow the number of images an optimiser step really sees."""

from mmengine.config import Config


def count_accumulated_batches(cfg: Config) -> None:
    """Let ``auto_scale_lr`` count gradient accumulation, in place.

    mmengine scales learning rates by (processes x batch size) / ``base_batch_size``. With
    accumulation a step sees more images than that, so the base is divided by the number
    of accumulated batches.

    Args:
        cfg (Config): The config of a runner. It is changed.
    """
    scale = cfg.get('auto_scale_lr')
    wrapper = cfg.get('optim_wrapper')
    if not (scale and scale.get('enable') and isinstance(wrapper, dict)):
        return
    if 'base_batch_size' not in scale:
        raise KeyError('auto_scale_lr.enable needs auto_scale_lr.base_batch_size')
    accumulated = wrapper.get('accumulative_counts', 1)
    if accumulated > 1:
        scale.base_batch_size = scale.base_batch_size / accumulated


def describe_total_batch(cfg: Config, world_size: int) -> str | None:
    """Say what learning rate a run starts from, before its schedule.

    Args:
        cfg (Config): The config as its author wrote it, accumulation not yet counted.
        world_size (int): Number of processes.

    Returns:
        str | None: One sentence, or None when the rate is not scaled.
    """
    scale = cfg.get('auto_scale_lr')
    wrapper = cfg.get('optim_wrapper')
    if not (scale and scale.get('enable') and isinstance(wrapper, dict)):
        return None
    optimizer = wrapper.get('optimizer')
    if not (isinstance(optimizer, dict) and 'lr' in optimizer):
        return None
    rate = optimizer['lr']
    batch = cfg.train_dataloader.batch_size
    accumulated = wrapper.get('accumulative_counts', 1)
    total = world_size * batch * accumulated
    return (
        f'Learning rate {rate * total / scale.base_batch_size:.4g} = {rate:g} x '
        f'{total} / {scale.base_batch_size}: a step sees {total} images (processes {world_size} '
        f'x batch {batch} x accumulated {accumulated}).'
    )

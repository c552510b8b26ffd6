"""A whole run without labels, small enough for a test."""

from mmengine.config import Config
from mmengine.hooks import Hook
from reid_run import ARCH, HEIGHT, WIDTH, shrink

from passreid.utils.unwrap import unwrap_model


def cluster_config(root, people, work_dir, **changes):
    """Return the Market-1501 recipe of USL at a size for tests: 3 epochs of 3 batches of 4 x 2.

    Args:
        root (Path): Root of the repository.
        people (Path): Folder of :func:`reid_run.write_people`.
        work_dir (Path): Work directory.
        **changes: Entries by dotted key, with ``__`` for the dots.
    """
    cfg = Config.fromfile(root / 'configs' / 'usl' / 'usl_vit-s16_market1501-256x128.py')
    cfg.model.backbone.update(
        arch=ARCH, img_size=(HEIGHT, WIDTH), patch_size=8, drop_path_rate=0.2, init_cfg=None
    )
    cfg.model.neck.in_channels = ARCH['embed_dims']
    hook = cfg.default_hooks.pseudo_labels
    # A neighbourhood for the 32 images of 8 people.
    hook.update(eps=0.5, k1=6, k2=2, min_samples=3)
    shrink(hook.pipeline)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(batch_size=8, num_workers=0, persistent_workers=False, pin_memory=False)
        loader.dataset.data_root = str(people)
        shrink(loader.dataset.pipeline)
    cfg.train_dataloader.sampler.update(images_per_id=2, iterations=3)
    cfg.train_cfg.update(max_epochs=3, val_interval=3)
    cfg.param_scheduler = []
    cfg.optim_wrapper.optimizer.lr = 0.002
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(work_dir)
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in changes.items()})
    return cfg


class SeenClusters(Hook):
    """Remember the labels and the memory that each epoch starts and ends with."""

    # After the hook that sets them.
    priority = 'LOWEST'

    def __init__(self):
        self.starts, self.ends = [], []

    def before_train_epoch(self, runner):
        self.starts.append(self._state(runner))

    def after_train_epoch(self, runner):
        self.ends.append(self._state(runner))

    def _state(self, runner):
        state = unwrap_model(runner.model).pseudo_label_state()
        return {name: value.clone() for name, value in state.items()}

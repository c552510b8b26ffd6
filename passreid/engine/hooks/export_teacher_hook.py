"""The teacher's backbone as a file of its own."""

from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.atomic_file import save_atomically
from passreid.utils.distributed import unwrap_model


@HOOKS.register_module()
class ExportTeacherHook(Hook):
    """Write the teacher's backbone after training, for fine-tuning.

    The file holds ``state_dict`` under the names of the backbone, and in ``meta``
    the grid of its positions. It loads with
    ``init_cfg=dict(type='Pretrained', checkpoint=...)``.

    Args:
        filename (str): Name in the work directory. Defaults to
            ``'teacher_backbone.pth'``.
    """

    def __init__(self, filename: str = 'teacher_backbone.pth') -> None:
        self.filename = filename

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Write the file; a reader never sees half of it.

        Args:
            runner (Runner): The runner.

        Raises:
            NotSavedError: When it cannot be written. A resumed run tries again.
        """
        backbone = unwrap_model(runner.model).teacher['backbone']
        weights = {name: value.cpu() for name, value in backbone.state_dict().items()}
        meta = {'epoch': runner.epoch, 'pos_embed_grid': tuple(backbone.patch_resolution)}
        path = Path(runner.work_dir) / self.filename
        save_atomically({'state_dict': weights, 'meta': meta}, path)
        runner.logger.info(f"The teacher's backbone is in {path}")

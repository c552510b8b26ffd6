"""The pre-trained weights that ``init_cfg`` of a module names."""

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log

from .load_report import LoadReport
from .read_checkpoint import read_checkpoint


def read_pretrained(checkpoint: str) -> Mapping[str, Any]:
    """Read the file.

    Args:
        checkpoint (str): Path or address of the weights.

    Returns:
        Mapping[str, Any]: Its content.

    Raises:
        FileNotFoundError: When ``checkpoint`` is a local path and not there.
    """
    try:
        return read_checkpoint(checkpoint)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'The pre-trained weights {checkpoint} are not there. Name yours with '
            'model.backbone.init_cfg.checkpoint=FILE, or train from scratch with '
            'model.backbone.init_cfg=None'
        ) from error


def report_pretrained(report: LoadReport, min_share: float) -> None:
    """Log what a module got, and fail when that is not enough.

    Args:
        report (LoadReport): Of the load.
        min_share (float): Least share of the values of the module that the file has to give.

    Raises:
        RuntimeError: When less was loaded.
    """
    report.check(
        min_share,
        'The keys or shapes of the file are those of another model. If it holds several networks, '
        'choose one by init_cfg.prefix; if so little is what you want, lower init_cfg.min_share',
    )
    print_log(
        report.table(), logger='current', level=logging.INFO if report.clean else logging.WARNING
    )

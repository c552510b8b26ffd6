"""Schedules of learning rates."""

import math

from mmengine.optim import _ParamScheduler

from passreid.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(_ParamScheduler):
    """Linear warm-up into a cosine that has been running since the start.

    With the rate ``r`` of a parameter group, the rate ``b`` of the first group, and
    ``t`` epochs (or iterations) done::

        t < warmup    start_factor * b + t / warmup * (r - start_factor * b)
        then          end_factor * b + (r - end_factor * b) * (1 + cos(pi t / T_max)) / 2

    Both ends are the same for all groups, as in the released recipe of `PASS
    <https://arxiv.org/abs/2203.03931>`_. mmengine's schedules scale each group by itself and start
    the cosine after the warm-up.
    """

    def __init__(
        self,
        optimizer,
        T_max: int,  # noqa: N803  (mmengine's name)
        warmup: int = 0,
        start_factor: float = 0.01,
        end_factor: float = 0.002,
        **kwargs,
    ) -> None:
        self.T_max = T_max
        self.warmup = warmup
        self.start_factor = start_factor
        self.end_factor = end_factor
        super().__init__(optimizer, param_name='lr', **kwargs)

    def _get_value(self) -> list[float]:
        step = min(self.last_step, self.T_max)
        if step < self.warmup:
            edge, share = self.start_factor * self.base_values[0], step / self.warmup
        else:
            edge = self.end_factor * self.base_values[0]
            share = (1 + math.cos(math.pi * step / self.T_max)) / 2
        return [edge + share * (rate - edge) for rate in self.base_values]

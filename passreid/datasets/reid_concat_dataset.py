"""Training on several labelled data sets together."""

from collections.abc import Sequence
from typing import Any

from passreid.registry import DATASETS

from .reid_dataset import IdentityColumns, ReIDDataset
from .robust_dataset import RobustDataset


@DATASETS.register_module()
class ReIDConcatDataset(IdentityColumns, RobustDataset):
    """Several labelled data sets, of different persons and cameras, as one.

    The persons of the first data set become 0, 1, ... in the order of their pids, those of the
    second follow, and so on; so do the cameras. -1 (no person, unknown camera) stays. A person
    who is in two of the data sets becomes two. ``sample_idx`` counts through all data sets, and
    so do the indices that determine the random numbers of a sample, which goes through the
    pipeline of its own data set. It also has ``dataset`` (int), its place among the data sets.

    Args:
        datasets (Sequence[ReIDDataset | dict]): The data sets, or their configs. The largest of
            their ``max_bad_share`` and ``bad_grace`` hold for all.
        seed (int): Seed of the samples' random numbers, instead of those of the data sets.
            Defaults to 0.
        **kwargs: The other arguments of :class:`.RobustDataset`.
    """

    def __init__(self, datasets: Sequence[ReIDDataset | dict], seed: int = 0, **kwargs) -> None:
        # Built here: mmengine would look a type up in the default scope of the moment.
        built = [DATASETS.build(entry) if isinstance(entry, dict) else entry for entry in datasets]
        for entry in built:
            if not isinstance(entry, ReIDDataset):
                raise TypeError(f'{type(entry).__name__} is no ReIDDataset: it has no persons')
        self.parts = built
        limits: dict[str, Any] = dict(
            max_bad_share=max(dataset.max_bad_share for dataset in built),
            bad_grace=max(dataset.bad_grace for dataset in built),
            test_mode=any(dataset.test_mode for dataset in built),
        )
        super().__init__(pipeline=[self._run_own_pipeline], seed=seed, **limits | kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the samples of all data sets, their persons and cameras numbered through."""
        samples = []
        firsts = {'gt_label': 0, 'cam_id': 0}
        for position, dataset in enumerate(self.parts):
            infos = [dataset.get_data_info(idx) for idx in range(len(dataset))]
            for name, first in firsts.items():
                values = sorted({info[name] for info in infos} - {-1})
                numbers = {-1: -1} | {old: new for new, old in enumerate(values, first)}
                for info in infos:
                    info[name] = numbers[info[name]]
                firsts[name] += len(values)
            samples += [info | {'dataset': position} for info in infos]
        return samples

    def _run_own_pipeline(self, results: dict[str, Any]) -> Any:
        return self.parts[results['dataset']].pipeline(results)

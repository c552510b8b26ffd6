"""Occluded-Duke."""

from passreid.registry import DATASETS

from .dukemtmc_reid import DukeMTMCReID


@DATASETS.register_module()
class OccludedDuke(DukeMTMCReID):
    """Occluded-Duke: DukeMTMC-reID divided anew, so that every query is partly hidden.

    It lies in ``data_root`` or ``data_root/Occluded_Duke``. The note on consent of
    :class:`DukeMTMCReID` holds here too.

    Source: Miao et al., `Pose-Guided Feature Alignment for Occluded Person Re-Identification
    <https://yu-wu.net/pdf/ICCV2019_Occluded-reID.pdf>`_, ICCV 2019.
    """

    root_names = ('Occluded_Duke', 'Occluded-Duke', 'occluded_duke')
    expected_counts = {'train': (702, 15618), 'query': (519, 2210), 'gallery': (1110, 17661)}

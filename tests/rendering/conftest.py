import pytest

from passreid.rendering import SyntheticSettings


@pytest.fixture
def tiny_settings():
    """A data set of 32 small pictures."""
    return SyntheticSettings(
        image_size=(32, 16),
        train_ids=3,
        train_images_per_id=4,
        test_ids=2,
        test_images_per_id=4,
        unlabelled_ids=4,
        unlabelled_images_per_id=3,
        unlabelled_cameras=5,
    )

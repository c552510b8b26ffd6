from passreid.datasets import OccludedDuke


def test_counts_are_published_or_quoted(tmp_path, write_images, log):
    root = tmp_path / 'Occluded_Duke'
    for folder in ('bounding_box_train', 'query', 'bounding_box_test'):
        write_images(root / folder, ['0005_c2_f0046985.jpg', '0009_c5_f1.jpg'])
    train = OccludedDuke(str(tmp_path))
    assert (train.pids.tolist(), train.cam_ids.tolist()) == ([0, 1], [1, 4])
    assert len(OccludedDuke(str(root), 'test')) == 4
    assert 'was published with 15618 images of 702 ids in its train split' in log()
    assert 'is commonly quoted with 2210 images of 519 ids in its query split' in log()
    assert 'is commonly quoted with 17661 images of 1110 ids in its gallery split' in log()

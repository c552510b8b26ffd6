import pickle

from passreid.datasets.storage.bad_images import BadImageError


def test_error_survives_the_way_out_of_a_worker():
    error = BadImageError('a.jpg', 'the file is empty')
    assert str(error) == 'bad image a.jpg: the file is empty'
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    # This is how a data loader raises it anew.
    assert str(BadImageError(str(error))) == str(error)


def test_names_act_on_no_terminal():
    error = BadImageError('a\x1b[2J\n.jpg', 'what\nelse')
    assert str(error) == r'bad image a\x1b[2J\n.jpg: what\nelse'
    assert error.path == 'a\x1b[2J\n.jpg'

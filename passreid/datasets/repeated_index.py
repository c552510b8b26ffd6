"""An index that says how often its sample was drawn before."""


class RepeatedIndex(int):
    """Index of a sample that an epoch draws more than once.

    The random numbers of a sample depend on (seed, epoch, index), so its copies in an epoch would
    be augmented alike. Samplers yield the second and later ones as numbers of this type, and
    :class:`RobustDataset` lets ``visit`` change the random numbers. Elsewhere it is an int.

    Args:
        index (int): Index of the sample.
        visit (int): How often it was drawn before in this epoch.

    Examples:
        >>> index = RepeatedIndex(7, visit=2)
        >>> index == 7, visit_of(index), visit_of(7)
        (True, 2, 0)
    """

    visit: int

    def __new__(cls, index: int, visit: int) -> 'RepeatedIndex':
        """Make an int that carries ``visit``."""
        number = super().__new__(cls, index)
        number.visit = visit
        return number

    def __getnewargs__(self) -> tuple[int, int]:  # type: ignore[override]
        """What pickle needs on the way to a worker."""
        return int(self), self.visit


def visit_of(index: int) -> int:
    """How often the sample of an index was drawn before in this epoch.

    Args:
        index (int): Any index.
    """
    return getattr(index, 'visit', 0)

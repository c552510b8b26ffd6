from passreid.search import SearchFilter
from passreid.search.filter_groups import group_filters


def test_groups_share_conditions():
    filters = [
        SearchFilter(),
        SearchFilter(cameras=[1, 2]),
        SearchFilter(not_paths=['a']),
        SearchFilter(cameras=(2, 1, 1), not_paths=['b']),
        SearchFilter(cameras=[]),
        SearchFilter(fields=dict(a=1, b='x')),
        SearchFilter(fields=dict(b='x', a=1.0)),
        SearchFilter(fields=dict(a=True, b='x')),
        SearchFilter(since=1),
        SearchFilter(until=1),
    ]
    assert group_filters(filters) == [[0, 2], [1, 3], [4], [5, 6], [7], [8], [9]]

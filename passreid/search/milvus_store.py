"""Galleries in Milvus, on this machine or on a cluster."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .filter_groups import group_filters
from .gallery_checks import (
    RESERVED_NAMES,
    check_new,
    check_records,
    check_topk,
    spread_filters,
    unit_rows,
)
from .gallery_record import GalleryRecord, Match, SearchFilter
from .gallery_store import GalleryStore
from .milvus_connection import connect, disconnect, is_address, shown
from .milvus_filter import any_of, filter_expression, literal
from .stale_gallery import check_origin, no_gallery

_FORMAT_VERSION = '1'
_VERSION_KEY, _MODEL_KEY = 'passreid.format', 'passreid.model'
# Bytes in UTF-8: the longest path that Linux opens, and more than a stamp has.
_PATH_BYTES, _STAMP_BYTES = 4096, 1024
# Milvus finds and lists no more at a time.
_MOST = 16384
_BATCH = 1000
_HITS_PER_CALL = 65536
_SCALARS = [name for name in RESERVED_NAMES if name != 'vector']


class MilvusStore(GalleryStore):
    """A gallery in a collection of Milvus.

    A file is served by milvus-lite within this process; only one process can open it at a time.
    For a cluster nothing but the address changes. Each image is an entity with its ``path`` (the
    primary key), ``vector``, ``cam_id``, ``time`` (null when unknown), ``stamp``, and its fields as
    dynamic fields; other programs may read them. What was added is seen and durable at once.

    Images of equal similarity are in the order of their paths, unless some are left out.

    Args:
        uri (str): A path that ends in '.db', or 'http://HOST:PORT' or 'https://...'.
        dim (int, optional): Length D of a feature. Defaults to that of the collection.
        model (str, optional): Fingerprint of the model. Defaults to that of the collection.
        collection (str): Its name: letters, digits and underscores. Defaults to 'passreid'.
        token (str, optional): 'USER:PASSWORD' or a key. Defaults to the environment variable
            ``MILVUS_TOKEN``, or none.
        index (str): Kind of the index of a new collection. 'FLAT' is exact; 'HNSW', 'IVF_FLAT' and
            others are approximate. Defaults to 'FLAT'.
        index_params (Mapping, optional): Of its making, such as ``dict(M=16, efConstruction=200)``.
        search_params (Mapping, optional): Of the search, such as ``dict(ef=128)``.
        timeout (float): Seconds to wait for a server. Defaults to 10.

    Raises:
        ImportError: When pymilvus is not installed.
        ConnectionError: When nobody answers, or another process has the file open.
        StaleGalleryError: When the collection has features of another model.
        ValueError: When the collection is no gallery.
        FileNotFoundError: When there is none, and ``dim`` or ``model`` is not given.
    """

    def __init__(
        self,
        uri: str | os.PathLike,
        dim: int | None = None,
        model: str | None = None,
        collection: str = 'passreid',
        *,
        token: str | None = None,
        index: str = 'FLAT',
        index_params: Mapping[str, Any] | None = None,
        search_params: Mapping[str, Any] | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.uri = os.fsdecode(uri)
        self.collection = collection
        self._search_params = dict(metric_type='IP', params=dict(search_params or {}))
        is_file = not is_address(self.uri)
        if is_file and (dim is None or model is None) and not os.path.exists(self.uri):
            raise no_gallery(self.uri)
        self._client = connect(self.uri, token or os.environ.get('MILVUS_TOKEN'), timeout)
        try:
            where = f'{shown(self.uri)}, collection {collection},'
            if self._client.has_collection(collection):
                dim, model = check_origin(where, self._read_origin(where), (dim, model))
                super().__init__(dim, model)
            else:
                if dim is None or model is None:
                    raise no_gallery(where)
                super().__init__(dim, model)
                self._create(index, dict(index_params or {}))
            self._client.load_collection(collection)
        except BaseException:
            disconnect(self._client, self.uri)
            raise

    def __len__(self) -> int:
        return self._query('', ['count(*)'])[0]['count(*)']

    def stamps(self) -> dict[str, str]:
        """Return the stamp of each image by its path."""
        found: dict[str, str] = {}
        while rows := self._query(
            # The iterator of pymilvus does not escape the path that it goes on from.
            f'path > {literal(next(reversed(found)))}' if found else '',
            ['path', 'stamp'],
            limit=_MOST,
            iterator='True',
            reduce_stop_for_best='True',
        ):
            found.update((row['path'], row['stamp']) for row in rows)
        return found

    def add(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> None:
        """Add images; see :meth:`GalleryStore.add`."""
        unit = self._check(features, records)
        check_new(self._existing(record.path for record in records))
        self._insert(unit, records)

    def update(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> None:
        """Replace images, or add those that are not there; see :meth:`add`."""
        unit = self._check(features, records)
        # Milvus-lite's upsert would keep the fields that the new record no longer has.
        self.delete(record.path for record in records)
        self._insert(unit, records)

    def delete(self, paths: Iterable[str]) -> int:
        """Take images out; see :meth:`GalleryStore.delete`."""
        known = self._existing(paths)
        for batch in _batches(known):
            self._client.delete(self.collection, filter=any_of('path', batch))
        return len(known)

    def search(
        self,
        features: np.ndarray,
        topk: int = 10,
        where: SearchFilter | Sequence[SearchFilter | None] | None = None,
        min_similarity: float | None = None,
    ) -> list[list[Match]]:
        """Find the images most like each query; see :meth:`GalleryStore.search`.

        Raises:
            ValueError: Also when ``topk`` and the most ``not_paths`` together exceed 16,384, what a
                search of Milvus finds at most.
        """
        check_topk(topk)
        queries = unit_rows(features, self.dim)
        filters = spread_filters(where, len(queries))
        # More are asked for than wanted, since these conditions would mean a search of each.
        wanted = topk + max((len(own.not_paths) for own in filters), default=0)
        if wanted > _MOST:
            raise ValueError(
                f'topk and not_paths ask for {wanted} images, but Milvus finds at most {_MOST}'
            )
        found: list[list[Match]] = [[] for _ in queries]
        for group in group_filters(filters):
            condition = filter_expression(filters[group[0]])
            if condition is None:
                continue
            for places in _batches(group, max(1, _HITS_PER_CALL // wanted)):
                hits = self._client.search(
                    self.collection,
                    data=list(queries[places]),
                    anns_field='vector',
                    limit=wanted,
                    filter=condition,
                    search_params=self._search_params,
                    output_fields=[*_SCALARS, '$meta'],
                    consistency_level='Strong',
                )
                for place, own in zip(places, hits, strict=True):
                    excluded = set(filters[place].not_paths)
                    matches = [m for m in map(_match, own) if m.record.path not in excluded]
                    found[place] = _best(matches, topk, min_similarity)
        return found

    def flush(self) -> None:
        """Do nothing: Milvus logs each change before it confirms it."""

    def close(self) -> None:
        """Let go of the connection, and of the file."""
        if self._client is not None:
            disconnect(self._client, self.uri)
            self._client = None

    def _create(self, index: str, index_params: dict[str, Any]) -> None:
        from pymilvus import DataType, MilvusClient

        properties = {_VERSION_KEY: _FORMAT_VERSION, _MODEL_KEY: self.model}
        # Milvus-lite keeps the properties alone.
        schema = MilvusClient.create_schema(
            auto_id=False, enable_dynamic_field=True, description=json.dumps(properties)
        )
        schema.add_field('path', DataType.VARCHAR, is_primary=True, max_length=_PATH_BYTES)
        schema.add_field('vector', DataType.FLOAT_VECTOR, dim=self.dim)
        schema.add_field('cam_id', DataType.INT64)
        schema.add_field('time', DataType.DOUBLE, nullable=True)
        schema.add_field('stamp', DataType.VARCHAR, max_length=_STAMP_BYTES)
        indices = self._client.prepare_index_params()
        indices.add_index('vector', index_type=index, metric_type='IP', params=index_params)
        self._client.create_collection(
            self.collection,
            schema=schema,
            index_params=indices,
            properties=properties,
            consistency_level='Strong',
        )

    def _read_origin(self, where: str) -> tuple[int, str]:
        """Return the length of a feature and the fingerprint of the model."""
        known = self._client.describe_collection(self.collection)
        properties = known.get('properties') or {}
        if _MODEL_KEY not in properties:
            try:
                properties = dict(json.loads(known.get('description') or '{}'))
            except (ValueError, TypeError):
                properties = {}
        fields = {entry['name']: entry['params'] for entry in known['fields']}
        if _MODEL_KEY not in properties or 'vector' not in fields:
            raise ValueError(f'{where} is no gallery of passreid: choose another name')
        if properties.get(_VERSION_KEY) != _FORMAT_VERSION:
            raise ValueError(
                f'{where} has the format {properties.get(_VERSION_KEY)}, but {_FORMAT_VERSION} is '
                'known: update passreid'
            )
        return int(fields['vector']['dim']), properties[_MODEL_KEY]

    def _check(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> np.ndarray:
        check_records(records, len(features))
        for record in records:
            _check_bytes(record.path, 'path', record.path, _PATH_BYTES)
            _check_bytes(record.path, 'stamp', record.stamp, _STAMP_BYTES)
        return unit_rows(features, self.dim, [record.path for record in records])

    def _insert(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> None:
        for rows in _batches(range(len(records))):
            entities = [
                dict(
                    records[row].fields,
                    path=records[row].path,
                    vector=features[row],
                    cam_id=int(records[row].cam_id),
                    time=None if (time := records[row].time) is None else float(time),
                    stamp=records[row].stamp,
                )
                for row in rows
            ]
            self._client.insert(self.collection, entities)

    def _existing(self, paths: Iterable[str]) -> list[str]:
        """Return those paths that are there."""
        # What no path can be is not there; the server would not even take it.
        possible = [path for path in dict.fromkeys(paths) if _is_utf8(path)]
        return [
            row['path']
            for batch in _batches(possible)
            for row in self._query(any_of('path', batch), ['path'])
        ]

    def _query(self, condition: str, names: list[str], **options) -> list[dict[str, Any]]:
        return self._client.query(
            self.collection,
            filter=condition,
            output_fields=names,
            consistency_level='Strong',
            **options,
        )


def _match(hit: Mapping[str, Any]) -> Match:
    entity = dict(hit['entity'])
    path, cam_id, time, stamp = (entity.pop(name) for name in _SCALARS)
    similarity = float(np.clip(hit['distance'], -1, 1))
    return Match(GalleryRecord(path, cam_id, time, entity, stamp), similarity)


def _best(matches: list[Match], topk: int, min_similarity: float | None) -> list[Match]:
    ranked = sorted(matches, key=lambda match: (-match.similarity, match.record.path))
    least = -np.inf if min_similarity is None else min_similarity
    return [match for match in ranked[:topk] if match.similarity >= least]


def _batches(items: Sequence, size: int = _BATCH) -> Iterator[list]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def _is_utf8(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def _check_bytes(path: str, name: str, text: str, most: int) -> None:
    if text and not _is_utf8(text):
        raise ValueError(
            f'record of {path!r}: Milvus keeps UTF-8 alone, and the {name} is none: rename the file'
        )
    if len(text.encode()) > most:
        raise ValueError(
            f'record of {path!r}: the {name} has {len(text.encode())} bytes in UTF-8, but {most} '
            'is the most'
        )

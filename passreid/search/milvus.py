"""Galleries in Milvus, in a file of this machine or on a cluster."""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import numpy as np

from .gallery import FieldValue, Gallery, GalleryRecord, Match, SearchFilter

_MODEL_KEY = 'passreid.model'
# Milvus lists no more at a time; what is sent and returned in one call is bounded too.
_MOST, _BATCH, _HITS_PER_CALL = 16384, 1000, 65536
_SCALARS = ['path', 'cam_id', 'time', 'stamp']
# What both kinds of servers take for something else inside double quotes. Milvus reads Go's
# escapes (https://milvus.io/docs/boolean.md), milvus-lite no others than these.
_ESCAPES = str.maketrans({'\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t'})
# How many stores of this process use a file, which milvus-lite serves once.
_users: Counter[str | None] = Counter()


class MilvusStore(Gallery):
    """A gallery in a collection of Milvus.

    A file is served by milvus-lite within this process; only one process can open it at a time.
    For a cluster nothing but the address changes. Each image is an entity with its ``path`` (the
    primary key), ``vector``, ``cam_id``, ``time`` (null when unknown), ``stamp``, and its fields as
    dynamic fields; other programs may read them.

    Args:
        uri (str | Path): A path that ends in '.db', or 'http://HOST:PORT' or 'https://...'.
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
        ConnectionError: When nobody answers, or another process has the file open.
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
        uri, self.collection = os.fsdecode(uri), collection
        self._file = None if is_address(uri) else os.path.abspath(uri)
        parts = urlsplit(uri)
        # Without the password that may be in it.
        where = parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()
        if self._file and not os.path.exists(self._file):
            super().__init__(where, None, dim, model)
            os.makedirs(os.path.dirname(self._file), exist_ok=True)
        self._search_params = dict(metric_type='IP', params=dict(search_params or {}))
        self._client = _connect(
            where, self._file or uri, token or os.environ.get('MILVUS_TOKEN', ''), timeout
        )
        _users[self._file] += 1
        try:
            known = self._client.has_collection(collection)
            super().__init__(where, self._read_origin(where) if known else None, dim, model)
            if not known:
                self._create(index, dict(index_params or {}))
            self._client.load_collection(collection)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        (row,) = self._client.query(self.collection, output_fields=['count(*)'])
        return row['count(*)']

    def stamps(self) -> dict[str, str]:
        """Return the stamp of each image by its path."""
        found: dict[str, str] = {}
        while rows := self._client.query(
            self.collection,
            # The iterator of pymilvus does not escape the path that it goes on from.
            f'path > {_literal(next(reversed(found)))}' if found else '',
            ['path', 'stamp'],
            limit=_MOST,
            iterator='True',
            reduce_stop_for_best='True',
        ):
            found.update((row['path'], row['stamp']) for row in rows)
        return found

    def delete(self, paths: Iterable[str]) -> int:
        """Take images out; see :meth:`Gallery.delete`."""
        known = self._existing(paths)
        for batch in _batches(known):
            self._client.delete(self.collection, filter=f'path in {_literal(batch)}')
        return len(known)

    def close(self) -> None:
        """Let go of the connection, and of the file."""
        if self._client is None:
            return
        self._client.close()
        self._client = None
        _users[self._file] -= 1
        if self._file and not _users[self._file]:
            # Else the file would stay locked against other processes until this one ends.
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(self._file)

    def _write(self, unit: np.ndarray, records: Sequence[GalleryRecord], replace: bool) -> None:
        paths = [record.path for record in records]
        if odd := [path for path in paths if path.encode(errors='replace').decode() != path]:
            raise ValueError(f'{odd[0]!r} is no UTF-8, which Milvus needs: rename the file')
        if replace:
            # Upsert would keep the fields that a new record no longer has.
            self.delete(paths)
        elif there := self._existing(paths):
            raise self._already(there[0])
        for rows in _batches(range(len(records))):
            entities = []
            for row in rows:
                r, feature = records[row], unit[row]
                time = None if r.time is None else float(r.time)
                facts = dict(cam_id=int(r.cam_id), time=time, stamp=r.stamp)
                entities.append(dict(r.fields, path=r.path, vector=feature, **facts))
            self._client.insert(self.collection, entities)

    def _nearest(
        self, queries: np.ndarray, number: int, filters: Sequence[SearchFilter]
    ) -> list[list[Match]]:
        found: list[list[Match]] = [[] for _ in queries]
        groups: dict[str, list[int]] = {}
        for place, where in enumerate(filters):
            groups.setdefault(_expression(where), []).append(place)
        for expression, group in groups.items():
            for places in _batches(group, max(1, _HITS_PER_CALL // number)):
                hits = self._client.search(
                    self.collection,
                    data=list(queries[places]),
                    anns_field='vector',
                    limit=number,
                    filter=expression,
                    search_params=self._search_params,
                    output_fields=[*_SCALARS, '$meta'],
                )
                for place, own in zip(places, hits, strict=True):
                    found[place] = [_match(hit) for hit in own]
        return found

    def _create(self, index: str, index_params: dict[str, Any]) -> None:
        from pymilvus import DataType, MilvusClient

        properties = {_MODEL_KEY: self.model}
        # Milvus-lite keeps the properties alone.
        schema = MilvusClient.create_schema(
            auto_id=False, enable_dynamic_field=True, description=json.dumps(properties)
        )
        schema.add_field('path', DataType.VARCHAR, is_primary=True, max_length=4096)
        schema.add_field('vector', DataType.FLOAT_VECTOR, dim=self.dim)
        schema.add_field('cam_id', DataType.INT64)
        schema.add_field('time', DataType.DOUBLE, nullable=True)
        schema.add_field('stamp', DataType.VARCHAR, max_length=1024)
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
        if _MODEL_KEY not in properties and _MODEL_KEY in known.get('description', ''):
            properties = json.loads(known['description'])
        if _MODEL_KEY not in properties:
            raise ValueError(f'{where}: collection {self.collection} is no gallery of passreid')
        (vector,) = (entry for entry in known['fields'] if entry['name'] == 'vector')
        return int(vector['params']['dim']), properties[_MODEL_KEY]

    def _existing(self, paths: Iterable[str]) -> list[str]:
        """Return those paths that are there."""
        found = []
        for batch in _batches(list(dict.fromkeys(paths))):
            found += self._client.query(self.collection, f'path in {_literal(batch)}', ['path'])
        return [row['path'] for row in found]


def is_address(uri: str) -> bool:
    """Whether this is the address of a server."""
    return uri.lower().startswith(('http://', 'https://'))


def _connect(where: str, uri: str, token: str, timeout: float) -> Any:
    try:
        # Its import would close the handlers of all loggers, such as a run's log file.
        with patch.object(logging, 'shutdown'):
            from pymilvus import MilvusClient, MilvusException
    except ImportError as error:
        raise ImportError('Milvus needs packages: pip install pymilvus milvus-lite') from error
    try:
        return MilvusClient(uri, token=token, timeout=timeout)
    except MilvusException as error:
        raise ConnectionError(
            f'cannot open {where} ({error.message}): a file may be open in another process, or is '
            'no database of milvus-lite 3; a server may be down, or refuse the token'
        ) from error


def _expression(where: SearchFilter) -> str:
    """Return the conditions of a filter as Milvus reads them."""
    return ' and '.join(
        f'{name if name in _SCALARS else f"$meta[{_literal(name)}]"} {operator} {_literal(value)}'
        for name, operator, value in where.conditions()
    )


def _literal(value: FieldValue | list) -> str:
    """Write a value so that an expression reads it as that value and nothing else."""
    if isinstance(value, list):
        return f'[{", ".join(map(_literal, value))}]'
    return f'"{value.translate(_ESCAPES)}"' if isinstance(value, str) else json.dumps(value)


def _match(hit: Mapping[str, Any]) -> Match:
    entity = dict(hit['entity'])
    path, cam_id, time, stamp = (entity.pop(name) for name in _SCALARS)
    similarity = float(np.clip(hit['distance'], -1, 1))
    return Match(GalleryRecord(path, cam_id, time, entity, stamp), similarity)


def _batches(items: Sequence, size: int | None = None) -> Iterator[list]:
    size = size or _BATCH
    for start in range(0, len(items), size):
        yield list(items[start : start + size])

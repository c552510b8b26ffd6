"""Connections to Milvus servers and to local databases."""

import os
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_LOCAL_SUFFIX = '.db'
# How many stores of this process use a local database, which is served once.
_users: Counter[str] = Counter()


def connect(uri: str, token: str | None, timeout: float) -> Any:
    """Connect to a server, or to a file by starting one in this process.

    Args:
        uri (str): 'http://HOST:PORT', 'https://...' or a path that ends in '.db'.
        token (str, optional): 'USER:PASSWORD' or a key.
        timeout (float): Seconds to wait for a server.

    Returns:
        pymilvus.MilvusClient: The connection, to be given to :func:`disconnect`.

    Raises:
        ImportError: When pymilvus is not installed.
        ConnectionError: When nobody answers, or another process has the file open.
        ValueError: When ``uri`` is neither an address nor such a path.
    """
    try:
        from pymilvus import MilvusClient, MilvusException
    except ImportError as error:
        raise ImportError(
            'galleries in Milvus need optional packages: pip install pymilvus milvus-lite'
        ) from error
    is_local = not is_address(uri)
    if is_local:
        uri = os.path.abspath(uri)
        if not uri.endswith(_LOCAL_SUFFIX):
            raise ValueError(
                f'{uri} is neither an address, http://HOST:PORT, nor a file whose name ends in '
                f'{_LOCAL_SUFFIX}'
            )
        Path(uri).parent.mkdir(parents=True, exist_ok=True)
    try:
        client = MilvusClient(uri, token=token or '', timeout=timeout)
    except MilvusException as error:
        why = (
            'another process may have it open, or it is no database of milvus-lite 3'
            if is_local
            else 'is the address right, is a server running there, and is the token valid?'
        )
        raise ConnectionError(f'cannot open {shown(uri)}: {why} ({error.message})') from error
    if is_local:
        _users[uri] += 1
    return client


def disconnect(client: Any, uri: str) -> None:
    """Close a connection; the last one to a file closes the file.

    Args:
        client (pymilvus.MilvusClient): The connection.
        uri (str): To what.
    """
    client.close()
    if is_address(uri):
        return
    path = os.path.abspath(uri)
    _users[path] -= 1
    if not _users[path]:
        # Else the file would stay locked against other processes until this one ends.
        from milvus_lite.server_manager import server_manager_instance

        server_manager_instance.release_server(path)


def is_address(uri: str) -> bool:
    """Whether this is the address of a server."""
    return uri.lower().startswith(('http://', 'https://'))


def shown(uri: str) -> str:
    """Return an address without the password that may be in it."""
    if not is_address(uri):
        return uri
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()

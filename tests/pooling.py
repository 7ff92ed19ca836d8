"""A PostgreSQL server behind a proxy that gives every transaction another session."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

from tests.cutting import connected_to

if TYPE_CHECKING:
    from sqlalchemy import URL

IDLE = b"I"
ENCRYPTION = {80877103, 80877104}
"""What a client asks first: whether TLS, or GSSAPI, is spoken here."""


class PoolingProxy:
    """Lends its clients a session of the server at *url* for each transaction.

    https://www.postgresql.org/docs/current/protocol-flow.html: a session is free again when the
    server says that it is ready and in no transaction. The last one that was given back is the
    first to be lent.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._idle: list[socket.socket] = []
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> PoolingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._ends.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            startup = _startup(client)
            session = self._opened(client, startup)
            while True:
                self._give_back(session)
                message = _message(client)
                if message[:1] == b"X":
                    return
                with self._lock:
                    session = self._idle.pop()
                self._transaction(client, session, message)

    def _opened(self, client: socket.socket, startup: bytes) -> socket.socket:
        """Let the client introduce itself to a new session of the server."""
        session = connected_to(self._url)
        self._ends.append(session)
        session.sendall(startup)
        while True:
            answer = _message(session)
            client.sendall(answer)
            if answer[:1] == b"Z":
                return session
            if answer[:1] == b"R" and struct.unpack("!i", answer[5:9])[0] not in (0, 12):
                session.sendall(_message(client))

    def _give_back(self, session: socket.socket) -> None:
        with self._lock:
            self._idle.append(session)

    def _transaction(self, client: socket.socket, session: socket.socket, message: bytes) -> None:
        while True:
            session.sendall(message)
            # A query, or the end of a batch of messages, is answered until the server is ready.
            if message[:1] in (b"Q", b"S"):
                while (answer := _message(session))[:1] != b"Z":
                    client.sendall(answer)
                client.sendall(answer)
                if answer[5:] == IDLE:
                    return
            message = _message(client)


def _startup(client: socket.socket) -> bytes:
    while True:
        size = _exactly(client, 4)
        rest = _exactly(client, struct.unpack("!i", size)[0] - 4)
        if struct.unpack("!i", rest[:4])[0] not in ENCRYPTION:
            return size + rest
        client.sendall(b"N")


def _message(end: socket.socket) -> bytes:
    head = _exactly(end, 5)
    return head + _exactly(end, struct.unpack("!i", head[1:])[0] - 4)


def _exactly(end: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = end.recv(size - len(found))
        if not more:
            raise EOFError
        found += more
    return found

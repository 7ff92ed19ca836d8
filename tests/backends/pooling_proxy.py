"""A proxy that gives each transaction any server session, as PgBouncer does in transaction mode."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from topchef_schema.backends.base import runtime_directory

if TYPE_CHECKING:
    from sqlalchemy import URL

ASKS_BACK = (3, 5, 10, 11)
"""The kinds of authentication message that the client answers."""

IDLE = b"I"


@contextmanager
def pooled(url: URL) -> Iterator[URL]:
    """Give the URL of a proxy before the server of *url*, which is reached by a socket file."""
    folder = runtime_directory("proxy")
    door = folder / ".s.PGSQL.5432"
    target = f"{url.query['host']}/.s.PGSQL.{url.query.get('port', 5432)}"
    proxy = _Proxy(target)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(door))
        listener.listen()
        acceptor = threading.Thread(target=proxy.accept, args=(listener,))
        acceptor.start()
        yield url.update_query_dict({"host": str(folder)})
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(10)
    proxy.close()
    door.unlink()
    folder.rmdir()


class _Proxy:
    def __init__(self, target: str) -> None:
        self.target = target
        self.idle: list[socket.socket] = []
        self.sockets: list[socket.socket] = []
        self.changed = threading.Condition()
        self.threads: list[threading.Thread] = []

    def accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.target)
                self.sockets += [client, server]
                self.threads.append(threading.Thread(target=self.serve, args=(client, server)))
                self.threads[-1].start()

    def close(self) -> None:
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)
        for each in self.sockets:
            each.close()

    def serve(self, client: socket.socket, server: socket.socket) -> None:
        """Let a client log in on a session of its own, which then is anybody's."""
        with contextlib.suppress(OSError, EOFError):
            server.sendall(_startup(client))
            while (message := _message(server))[:1] != b"Z":
                client.sendall(message)
                if message[:1] == b"R" and _number(message, 5) in ASKS_BACK:
                    server.sendall(_message(client))
            client.sendall(message)
            self.give(server)
            while self.transaction(client):
                pass

    def transaction(self, client: socket.socket) -> bool:
        """Serve one transaction on whatever session is idle; say whether the client goes on."""
        request = _request(client)
        if request[:1] == b"X":
            return False
        server = self.take()
        try:
            while True:
                server.sendall(request)
                while (message := _message(server))[:1] != b"Z":
                    client.sendall(message)
                client.sendall(message)
                if message[5:6] == IDLE:
                    return True
                request = _request(client)
        finally:
            self.give(server)

    def take(self) -> socket.socket:
        """Return the session that was used last: an idle pool gives the same one again."""
        with self.changed:
            self.changed.wait_for(lambda: self.idle, 10)
            return self.idle.pop()

    def give(self, server: socket.socket) -> None:
        with self.changed:
            self.idle.append(server)
            self.changed.notify()


def _exactly(source: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = source.recv(size - len(content))
        if not part:
            raise EOFError
        content += part
    return content


def _number(content: bytes, at: int) -> int:
    return int(struct.unpack_from("!i", content, at)[0])


def _startup(client: socket.socket) -> bytes:
    size = _exactly(client, 4)
    return size + _exactly(client, _number(size, 0) - 4)


def _message(source: socket.socket) -> bytes:
    head = _exactly(source, 5)
    return head + _exactly(source, _number(head, 1) - 4)


def _request(client: socket.socket) -> bytes:
    """Return what the client sends until it waits for an answer, or says good-bye."""
    content = b""
    while True:
        message = _message(client)
        content += message
        if message[:1] in (b"Q", b"S", b"X"):
            return content

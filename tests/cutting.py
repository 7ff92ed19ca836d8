"""A server behind a connection that can be cut, as by a proxy that is restarted."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlalchemy import URL


class Proxy:
    """Hands on what clients and the server at *url* say; after *cut_at* client packets, no more.

    Packets are those of all connections, in the order in which they come.
    """

    def __init__(self, url: URL, cut_at: int | None = None) -> None:
        self.packets = 0
        self.cut_at = cut_at
        self._there = _address(url)
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = _connected(self._there)
            with self._lock:
                self._ends += [client, server]
            for source, target, counted in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._hand_on, args=(source, target, counted), daemon=True
                ).start()

    def _hand_on(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if counted and self._is_the_last():
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _is_the_last(self) -> bool:
        with self._lock:
            self.packets += 1
            last = self.cut_at is not None and self.packets >= self.cut_at
        if last:
            self._listener.close()
            self._cut()
        return last

    def _cut(self) -> None:
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Listening(Protocol):
    """A proxy of any kind."""

    port: int


def through(url: URL, proxy: Listening) -> URL:
    """Return *url* as a client of *proxy* writes it."""
    query = {key: value for key, value in url.query.items() if key not in ("host", "unix_socket")}
    return url.set(host="127.0.0.1", port=proxy.port, query=query)


def connected_to(url: URL) -> socket.socket:
    """Open a connection to the server at *url*, which may listen on a file."""
    return _connected(_address(url))


def _address(url: URL) -> str | tuple[str, int]:
    port = url.port or (5432 if url.get_backend_name() == "postgresql" else 3306)
    folder = url.query.get("host")
    if isinstance(folder, str) and folder.startswith("/"):
        return str(Path(folder) / f".s.PGSQL.{port}")
    named = url.query.get("unix_socket")
    return named if isinstance(named, str) else (url.host or "127.0.0.1", port)


def _connected(address: str | tuple[str, int]) -> socket.socket:
    if isinstance(address, tuple):
        return socket.create_connection(address)
    end = socket.socket(socket.AF_UNIX)
    end.connect(address)
    return end

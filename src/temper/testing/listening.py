"""Small servers on this machine that hear what receivers are sent: HTTP, and SMTP with or without TLS."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@dataclass(slots=True, kw_only=True, eq=False)
class Heard:
    """What a server was sent: the body of each message, and its headers where it has some; `port` is where it is."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def http(answer: int = 200, location: str = "", tls: ssl.SSLContext | None = None) -> Iterator[Heard]:
    """A web server that gives every request this answer."""
    heard = Heard()

    class Hears(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            heard.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            heard.headers.append(dict(self.headers.items()))
            self.send_response(answer)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            return None

    with _served(HTTPServer(("127.0.0.1", 0), Hears), heard, tls):
        yield heard


@contextmanager
def smtp(answer: int = 250, tls: ssl.SSLContext | None = None) -> Iterator[Heard]:
    """A mail server that gives every mail this answer; with `tls` it speaks TLS from the first word."""
    heard = Heard()

    class Hears(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper().strip()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    heard.bodies.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                    self.wfile.write(f"{answer} done\r\n".encode())
                elif word == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                elif word == b"AUTH":
                    self.wfile.write(b"235 come in\r\n")
                else:
                    self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n" if word == b"EHLO" else b"250 yes\r\n")

    with _served(socketserver.TCPServer(("127.0.0.1", 0), Hears), heard, tls):
        yield heard


@contextmanager
def _served(server: Any, heard: Heard, tls: ssl.SSLContext | None) -> Iterator[None]:
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # a client that trusts no certificate hangs up
    heard.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

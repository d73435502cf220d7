"""A provider of identities on this machine, with an RSA key of its own, that can be told to lie."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from temper.config.sign_in import SignIn
from temper.core.review import Role

KEY, OTHER = (RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}, private=True) for kid in ("one", "two"))
ROLES = {"validation": Role.VALIDATOR, "fraud desk": Role.ANALYST, "staff": Role.VIEWER}
SECRET = "a secret of this client: x/y"


@dataclass
class Issuer:
    """What it says, and to whom. A test changes `who` and `claims` for what it signs next, or signs by `make`."""

    address: str = ""
    who: str = "val.idator"
    groups: Any = ("staff", "validation")
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "one"})
    key: Any = field(default_factory=lambda: KEY)
    published: list[Any] = field(default_factory=lambda: [KEY])
    document: dict[str, Any] = field(default_factory=dict)
    make: Callable[[dict[str, Any]], str] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    once: bool = True
    seen: list[str] = field(default_factory=list)
    now: Callable[[], float] = time.time

    def settings(self, **more: Any) -> SignIn:
        given = {"issuer": self.address, "client": "temper", "secret": SECRET, "roles": ROLES}
        return SignIn(**given | {"redirect": "http://127.0.0.1/sign-in/back"} | more)

    def found(self) -> dict[str, Any]:
        ways = {"authorization_endpoint": "/ask", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return {"issuer": self.address} | {name: self.address + way for name, way in ways.items()} | self.document

    def approve(self, query: str) -> str:
        """What a person who agrees is sent back with."""
        asked = dict(parse_qsl(query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str], client: str) -> dict[str, Any] | None:
        """The identity for a code, for the client that asked and holds the verifier."""
        asked = self.codes.get(form["code"])
        proof = hashlib.sha256(form["code_verifier"].encode()).digest()
        fits = asked and base64.urlsafe_b64encode(proof).rstrip(b"=").decode() == asked["code_challenge"]
        if not asked or not fits or client != f"temper:{SECRET}" or form["redirect_uri"] != asked["redirect_uri"]:
            return None
        if self.once:
            del self.codes[form["code"]]
        now = int(self.now())
        told = {"iss": self.address, "aud": "temper", "sub": f"sub-{self.who}", "iat": now, "exp": now + 300}
        told |= {"nonce": asked["nonce"], "preferred_username": self.who, "groups": self.groups} | self.claims
        told = {name: value for name, value in told.items() if value is not None}
        return {"id_token": self.make(told) if self.make else jwt.encode(self.header, told, self.key)}


class _Answers(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        issuer: Issuer = self.server.issuer
        parts = urlsplit(self.path)
        issuer.seen.append(parts.path)
        if parts.path == "/ask":
            self.send_response(303)
            self.send_header("location", issuer.approve(parts.query))
            self.end_headers()
        elif parts.path == "/keys":
            self._say({"keys": [key.as_dict(private=False) for key in issuer.published]})
        else:
            self._say(issuer.found())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        pair = base64.b64decode(self.headers.get("authorization", "Basic ").partition(" ")[2]).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        found = self.server.issuer.token(form, unquote(pair))
        self._say(found or {"error": "invalid_grant"}, 200 if found else 400)

    def _say(self, document: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def issuing(host: str = "127.0.0.1") -> Iterator[Issuer]:
    """A provider that answers."""
    server: Any = ThreadingHTTPServer((host, 0), _Answers)
    server.issuer = Issuer(address=f"http://{host}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

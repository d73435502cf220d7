"""A provider of identities as the console asks it: OpenID Connect, a code with PKCE, and nothing believed unsigned.

The keys it signs with are asked for once, and again where a token names another, once a minute at most.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from temper.config.sign_in import SignIn, safe
from temper.core.errors import ConfigError
from temper.web.refused import Refused

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

SIGNED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures that only the provider can make: no `none`, and none with a secret that we have too."""
NOT = "You are not signed in"
SECONDS, MOST_BYTES = 5.0, 1 << 20
SKEW, FRESH, AGAIN = 60, 600.0, 60.0
"""Seconds that clocks may differ, that an answer may be old, and between two looks at the keys."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one sign-in was begun with. All of it follows from a secret of the browser, so nothing is kept here."""

    secret: str = field(repr=False)

    @property
    def state(self) -> str:
        """What comes back with the code: only this browser's sign-in has it."""
        return self._word("state")

    @property
    def nonce(self) -> str:
        """What the token has to carry: it was made for this sign-in."""
        return self._word("nonce")

    @property
    def verifier(self) -> str:
        """What the code is changed with: whoever sees the code alone gains nothing (PKCE)."""
        return self._word("verifier")

    def _word(self, what: str) -> str:
        return hmac.new(self.secret.encode(), f"temper sign-in {what}".encode(), hashlib.sha256).hexdigest()


@dataclass(kw_only=True)
class Provider:
    """One provider; its addresses and keys are asked for when they are first needed."""

    settings: SignIn
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _found: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _keys: KeySet | None = field(default=None, repr=False)
    _looked: float = field(default=-1e18, repr=False)

    @property
    def host(self) -> str:
        """Who it is, as people know it."""
        return urlsplit(self.settings.issuer).hostname or ""

    def where(self, asked: Asked) -> str:
        """The page of the provider that a browser is sent to."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.settings.client,
            "redirect_uri": self.settings.redirect,
            "scope": " ".join(self.settings.scopes),
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        page = self._addresses()["authorization_endpoint"]
        return f"{page}{'&' if '?' in page else '?'}{urlencode(query)}"

    def claims(self, code: str, asked: Asked, now: float) -> dict[str, Any]:
        """What the provider says of whoever came back with this code. Raises `Refused` for whatever does not hold."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect,
            "client_id": self.settings.client,
            "code_verifier": asked.verifier,
        }
        answer = _asked(self._addresses()["token_endpoint"], form, self.settings)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Refused(403, NOT, "The provider sent no identity.")
        return self._verified(token, asked.nonce, now)

    def _verified(self, token: str, nonce: str, now: float) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError

        try:
            try:
                read = jwt.decode(token, self._signers(now), algorithms=list(SIGNED))
            except InvalidKeyIdError:
                read = jwt.decode(token, self._signers(now, anew=True), algorithms=list(SIGNED))
            _claims(self.settings, nonce, now).validate(read.claims)
        except (JoseError, KeyError, ValueError, TypeError) as error:  # their texts quote the token
            raise Refused(403, NOT, f"The identity does not hold ({type(error).__name__}).") from None
        if not _ours(read.claims, self.settings.client):
            raise Refused(403, NOT, "The identity was made for another application.")
        if now - read.claims["iat"] > FRESH + SKEW:
            raise Refused(403, NOT, "The identity is too old.")
        return dict(read.claims)

    def _addresses(self) -> Mapping[str, Any]:
        with self._lock:
            if not self._found:
                found = _asked(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != self.settings.issuer:
                    raise Refused(503, NOT, "The provider calls itself something else than temper.yaml does.")
                if not all(safe(found.get(name)) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")):
                    raise Refused(503, NOT, "The provider names addresses that are not protected.")
                self._found = found
            return self._found

    def _signers(self, now: float, *, anew: bool = False) -> KeySet:
        from joserfc.jwk import KeySet

        page = self._addresses()["jwks_uri"]
        with self._lock:
            if self._keys is None or (anew and abs(now - self._looked) >= AGAIN):
                self._keys, self._looked = KeySet.import_key_set(_asked(page)), now  # type: ignore[arg-type]
            return self._keys


def provider_of(settings: SignIn | None) -> Provider | None:
    """The provider of these settings. Raises `ConfigError` where what reads signed tokens is not installed."""
    if settings is None:
        return None
    try:
        import joserfc  # noqa: F401
    except ImportError as error:
        raise ConfigError("signing in by a provider needs joserfc", fix="pip install 'temper-ml[oidc]'") from error
    return Provider(settings=settings)


def _claims(settings: SignIn, nonce: str, now: float) -> Any:
    from joserfc import jwt

    return jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=SKEW,
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.client},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )


def _ours(claims: Mapping[str, Any], client: str) -> bool:
    """Whether a token for several parties, or that names one, was asked for by this one."""
    party = claims.get("azp")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    return bool(party == client) if several or party is not None else True


class _Stays(HTTPRedirectHandler):
    """A provider answers itself; where it points elsewhere nobody follows."""

    def redirect_request(self, *_: object) -> None:
        return None


def _asked(url: str, form: Mapping[str, str] | None = None, client: SignIn | None = None) -> dict[str, Any]:
    """The document at this address; `client` says who posts the form."""
    headers = {"accept": "application/json"}
    if client is not None and client.secret:
        pair = f"{quote(client.client, safe='')}:{quote(client.secret, safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    body = None if form is None else urlencode(form).encode()
    try:
        with build_opener(_Stays).open(Request(url, body, headers), timeout=SECONDS) as answer:
            found = json.loads(answer.read(MOST_BYTES))
    except (OSError, HTTPException, ValueError) as error:
        if getattr(error, "code", 0) in (400, 401, 403):
            raise Refused(403, NOT, "The provider did not take the code.") from None
        raise Refused(503, NOT, "The provider does not answer. Try again in a minute.") from None
    if not isinstance(found, dict):
        raise Refused(503, NOT, "The provider does not answer with a document.")
    return found

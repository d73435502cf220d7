"""Who may sign in to the console by a provider of identities (OpenID Connect), and as what.

console:
  sign_in:
    issuer: https://id.bank.example/realms/risk       # as its tokens name it
    client: temper
    secret_env: TEMPER_SIGN_IN_SECRET                 # an environment variable; without it the client is a public one
    redirect: https://console.bank.example/sign-in/back
    claim: groups                                     # whose values say the role; the first that fits counts
    roles: {model-validation: validator, fraud-desk: analyst}
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from temper.config.document import Section
from temper.core.errors import ConfigError
from temper.core.review import Role

BACK = "/sign-in/back"
"""Where a provider sends people back to: the one address it may be told."""
_KEYS = ("issuer", "client", "secret_env", "redirect", "claim", "name", "scopes", "roles")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A provider and what its claims mean here. `roles` is tried in its order; who has none of it does not come in.
    `name` is the claim that says what somebody is called.
    """

    issuer: str
    client: str
    redirect: str
    roles: Mapping[str, Role]
    claim: str = "groups"
    name: str = "preferred_username"
    scopes: tuple[str, ...] = ("openid", "profile")
    secret: str = field(default="", repr=False)

    def role(self, values: object) -> Role | None:
        """The role that the claim gives; None for whatever is no text or list of texts, or is not mapped.

        >>> found = SignIn(issuer="", client="", redirect="", roles={"risk": Role.VALIDATOR, "all": Role.VIEWER})
        >>> found.role(["all", "risk"]), found.role("risk"), found.role({"risk": True}), found.role(None)
        (<Role.VALIDATOR: 'validator'>, <Role.VALIDATOR: 'validator'>, None, None)
        """
        held = [values] if isinstance(values, str) else values if isinstance(values, list) else []
        return next((role for value, role in self.roles.items() if value in held), None)


def sign_in_of(document: Section) -> SignIn | None:
    """What stands under `console: sign_in:`; None where nothing does."""
    section = document.section("console").only("sign_in").section("sign_in").only(*_KEYS)
    if not section.entries:
        return None
    roles, words = section.section("roles"), [role.label for role in Role]
    if not roles.entries:
        raise section.error("console.sign_in.roles maps nothing, so nobody could come in", "roles", fix="add a group")
    redirect = protected(section, "redirect")
    if urlsplit(redirect).path != BACK:
        raise section.error(f"console.sign_in.redirect has to end in {BACK}", "redirect")
    return SignIn(
        issuer=protected(section, "issuer"),
        client=section.needed("client"),
        redirect=redirect,
        roles={value: Role(roles.word(value, words, "")) for value in roles.entries},
        claim=section.text("claim", "groups"),
        name=section.text("name", "preferred_username"),
        scopes=tuple(dict.fromkeys(("openid", *(section.texts("scopes") or ("profile",))))),
        secret=_secret(section),
    )


def protected(section: Section, key: str) -> str:
    """An address that nobody on the way can read or change."""
    url = section.needed(key)
    if not safe(url):
        raise section.error(f"console.sign_in.{key} is {url!r}, expected https://HOST/...", key)
    return url


def safe(url: object) -> bool:
    """Whether this is an address over TLS, or of this machine, and nothing beside.

    >>> [safe(url) for url in ("https://id.example/x", "http://127.0.0.1:9/x", "http://id.example", "https://a@b/", 7)]
    [True, True, False, False, False]
    """
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and here(host))


def here(host: str) -> bool:
    """Whether only this machine can come in by this name.

    >>> here("127.0.0.1"), here("localhost"), here("0.0.0.0"), here("console.bank.example")
    (True, True, False, False)
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _secret(section: Section) -> str:
    name = section.text("secret_env")
    if name and not os.environ.get(name):
        raise ConfigError(f"the environment variable {name} is not set", fix=f"export {name}=...")
    return os.environ.get(name, "") if name else ""

"""A mail."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from temper.core.alert import Alert
from temper.core.errors import ConfigError, StoreError
from temper.monitoring.receivers._post import SECONDS, context, here, reason, secret
from temper.monitoring.receivers._told import lines, title

if TYPE_CHECKING:
    from email.message import EmailMessage
    from smtplib import SMTP


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """Sends a mail by SMTP over TLS: from the first word (`tls: tls`, port 465), or by STARTTLS (port 587). `tls: none`
    goes to this machine only. Mails of one alert stand in one thread.

    Misleads where the mail is sorted away: that a server took it does not mean that somebody read it.
    Source: Klensin, "Simple mail transfer protocol", RFC 5321, 2008.

    >>> from temper.core.alert import Alert, Severity
    >>> alert = Alert(key="k", severity=Severity.MAJOR, title="drift", text="", starts=0.0)
    >>> _mail(alert, "temper@bank.example", ("ops@bank.example",))["Subject"]
    '[major] drift'
    """

    host: str = ""
    port: int = 587
    tls: str = "starttls"
    sender: str = ""
    to: tuple[str, ...] = ()
    user: str = ""
    password_env: str = ""
    ca: str = ""

    def __post_init__(self) -> None:
        if self.tls not in ("tls", "starttls", "none"):
            raise ConfigError(f"tls is {self.tls!r}", fix="use tls, starttls or none")
        if not all("@" in person for person in self.to):
            raise ConfigError("`to:` is a list of people", fix="write `to: [ops@bank.example]`")
        if self.tls == "none" and self.host and not here(self.host):
            raise ConfigError(f"mail to {self.host} would be open to read", fix="use `tls: starttls` or `tls: tls`")

    def send(self, alert: Alert) -> None:
        """Send one mail."""
        if not (self.host and self.sender and self.to):
            raise ConfigError("a mail needs `host:`, `sender:` and `to:`", fix="add them to the receiver")
        import smtplib

        password = secret(self.password_env, "password_env") if self.user else ""
        try:
            with self._line() as line:
                if self.tls == "starttls":
                    line.starttls(context=context(self.ca))
                if self.user:
                    line.login(self.user, password)
                refused = line.send_message(_mail(alert, self.sender, self.to))
        except (OSError, smtplib.SMTPException) as error:  # the server's own words may quote the password
            code = getattr(error, "smtp_code", None)
            told = f"it answered {code}" if isinstance(code, int) else reason(error)
            raise StoreError(
                f"{self.host} did not take the mail: {told}", fix="it is sent again by the next look"
            ) from None
        if refused:
            raise StoreError(f"{self.host} refused {len(refused)} of {len(self.to)} people", fix="look at `to:`")

    def _line(self) -> SMTP:
        import smtplib

        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=context(self.ca))
        return smtplib.SMTP(self.host, self.port, timeout=SECONDS)


def _mail(alert: Alert, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The same each time it is sent, so that a mailbox can know it again."""
    from email.message import EmailMessage

    mail = EmailMessage()
    thread = f"<{hashlib.sha256(alert.id.encode()).hexdigest()[:32]}@temper>"
    mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(to), title(alert)
    mail["Message-ID"] = f"<{hashlib.sha256(f'{alert.id}:{alert.state}'.encode()).hexdigest()[:32]}@temper>"
    mail["References"] = thread
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(lines(alert))
    return mail


PLUGIN = Email

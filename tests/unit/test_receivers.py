"""What receivers of alerts are sent, in their own shapes; certificates that nobody vouches for are refused."""

import datetime
import email
import email.policy
import hashlib
import hmac
import ipaddress
import json
import ssl
from dataclasses import replace

import pytest

from temper.core.alert import Alert
from temper.core.errors import ConfigError, StoreError
from temper.core.incident import Severity
from temper.monitoring.receivers.alertmanager import Alertmanager
from temper.monitoring.receivers.email import Email
from temper.monitoring.receivers.log import Log
from temper.monitoring.receivers.pagerduty import PagerDuty
from temper.monitoring.receivers.slack import Slack
from temper.monitoring.receivers.webhook import Webhook
from temper.testing import listening

ALERT = Alert(
    key="predictions.0a1b2c.drift",
    severity=Severity.MINOR,
    title="predictions: drift in a<b",
    text="2 windows",
    labels=(("feed", "predictions"), ("rule", "drift")),
    columns=("a<b",),
    starts=86_400.0,
)
OVER = replace(ALERT, ends=172_800.0)


@pytest.fixture
def heard(monkeypatch):
    monkeypatch.setenv("KEY", "k-1")
    with listening.http(202) as heard:
        monkeypatch.setenv("URL", f"http://127.0.0.1:{heard.port}/x")
        yield heard


def bodies(heard):
    return [json.loads(body) for body in heard.bodies]


def test_a_webhook_is_signed_and_has_a_key_for_each_message(heard):
    hook = Webhook(url_env="URL", host="127.0.0.1", secret_env="KEY")
    for alert in (ALERT, ALERT, OVER):
        hook.send(alert)
    expected = hmac.new(b"k-1", heard.bodies[0], hashlib.sha256).hexdigest()
    assert heard.headers[0]["X-Temper-Signature"] == f"sha256={expected}"
    keys = [one["Idempotency-Key"] for one in heard.headers]
    assert (keys[0] == keys[1], keys[1] == keys[2]) == (True, False)
    assert [(one["state"], one["ends"]) for one in bodies(heard)[1:]] == [
        ("begins", None),
        ("over", "1970-01-03T00:00:00Z"),
    ]


def test_alertmanager_keeps_an_alert_until_it_is_over(heard):
    manager = Alertmanager(url=f"http://127.0.0.1:{heard.port}/api/v2/alerts")
    for alert in (ALERT, ALERT.escalated, OVER):
        manager.send(alert)
    begins, worse, over = bodies(heard)
    assert begins[0]["labels"] == {
        "alertname": "drift",
        "feed": "predictions",
        "key": "predictions.0a1b2c.drift",
        "severity": "minor",
    }
    assert (begins[0]["startsAt"], begins[0]["endsAt"][:4]) == ("1970-01-02T00:00:00Z", "2100")
    assert [(one["labels"]["severity"], one["endsAt"][:4]) for one in worse] == [
        ("critical", "2100"),
        ("minor", "1970"),
    ]
    assert [one["endsAt"] for one in over] == ["1970-01-03T00:00:00Z"]


def test_slack_shows_text_and_no_markup(heard):
    Slack(url_env="URL", host="127.0.0.1").send(replace(ALERT, title="<!channel>", text="```*x* <@U1>"))
    (message,) = bodies(heard)
    assert message["text"] == "[minor] &lt;!channel&gt;"
    assert message["blocks"][0]["text"] == {"type": "plain_text", "text": "[minor] <!channel>", "emoji": False}
    shown = message["blocks"][1]["text"]["text"]
    assert "*x* &lt;@U1&gt;" in shown
    assert "`" not in shown[3:-3]


def test_pagerduty_is_triggered_and_resolved_by_one_key(heard):
    pager = PagerDuty(url_env="URL", host="127.0.0.1", key_env="KEY")
    for alert in (ALERT, ALERT.escalated, replace(ALERT.escalated, ends=172_800.0)):
        pager.send(alert)
    told = bodies(heard)
    assert [one["event_action"] for one in told] == ["trigger", "trigger", "resolve"]
    assert {one["dedup_key"] for one in told} == {ALERT.id}
    assert [one["payload"]["severity"] for one in told[:2]] == ["warning", "critical"]
    assert (told[0]["routing_key"], told[0]["payload"]["source"]) == ("k-1", "predictions")


def test_mails_of_one_alert_are_one_thread():
    with listening.smtp() as heard:
        mail = Email(host="127.0.0.1", port=heard.port, tls="none", sender="t@bank.example", to=("o@bank.example",))
        for alert in (ALERT, OVER):
            mail.send(replace(alert, title="drift\r\nBcc: eve@bank.example"))
    first, last = (email.message_from_bytes(body, policy=email.policy.default) for body in heard.bodies)
    assert first["Subject"] == "[minor] drift Bcc: eve@bank.example"
    assert (first["Bcc"], first["To"], first["Auto-Submitted"]) == (None, "o@bank.example", "auto-generated")
    assert (first["References"] == last["References"], first["Message-ID"] == last["Message-ID"]) == (True, False)
    assert "until 1970-01-03T00:00:00Z" in last.get_content()


def test_a_mail_server_without_tls_is_told_nothing():
    with listening.smtp() as heard:
        mail = Email(host="127.0.0.1", port=heard.port, sender="t@bank.example", to=("o@bank.example",))
        with pytest.raises(StoreError, match="did not take the mail"):
            mail.send(ALERT)
    assert heard.bodies == []


def test_the_log_grows_by_a_line(tmp_path):
    path = tmp_path / "alerts.jsonl"
    for alert in (ALERT, OVER):
        Log(path=str(path)).send(alert)
    assert [json.loads(line)["state"] for line in path.read_text().splitlines()] == ["begins", "over"]


@pytest.mark.parametrize(
    ("receiver", "message"),
    [
        (Webhook(url="http://bank.example/x", secret_env="KEY"), "open to read"),
        (Webhook(url="https://user:pw@bank.example/x", secret_env="KEY"), "no address"),
        (Webhook(url="file:///etc/passwd", secret_env="KEY"), "no address"),
        (Webhook(url="https://bank.example/x", host="other.example", secret_env="KEY"), "does not name"),
        (Webhook(url="https://bank.example/x"), "no `secret_env:`"),
        (Webhook(url="https://bank.example/x", secret_env="NOT_SET"), "NOT_SET is not set"),
        (Webhook(url="https://bank.example/x", url_env="URL", secret_env="KEY"), "one address"),
        (Slack(url_env="URL"), "does not name"),
        (Email(), "needs `host:`"),
    ],
    ids=lambda one: one.replace(" ", "-") if isinstance(one, str) else type(one).__name__,
)
def test_what_cannot_be_sent_safely_is_not_sent(receiver, message, heard):
    with pytest.raises(ConfigError, match=message):
        receiver.send(ALERT)
    assert heard.bodies == []


@pytest.mark.parametrize(
    ("options", "message"),
    [({"tls": "ssl"}, "starttls"), ({"tls": "none", "host": "m.example"}, "open to read"), ({"to": "a@b"}, "list")],
)
def test_a_mail_that_would_go_astray_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Email(**options)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("KEY", "k-1")
    file = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    with listening.http(200, tls=tls) as heard, listening.smtp(tls=tls) as post:
        hook = Webhook(url=f"https://127.0.0.1:{heard.port}/x", secret_env="KEY")
        mail = Email(host="127.0.0.1", port=post.port, tls="tls", sender="t@bank.example", to=("o@bank.example",))
        for one in (hook, mail):
            with pytest.raises(StoreError, match="certificate is not trusted"):
                one.send(ALERT)
            assert (heard.bodies, post.bodies) == ([], [])
        for one in (hook, mail):
            replace(one, ca=str(file)).send(ALERT)
        assert (len(heard.bodies), len(post.bodies)) == (1, 1)


def certificate(folder):
    """A key and a certificate of this machine that it signed itself, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "own.pem"
    path.write_bytes(text + made.public_bytes(serialization.Encoding.PEM))
    return path

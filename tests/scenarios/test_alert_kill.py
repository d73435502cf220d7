"""A sender of alerts that is killed while it sends: every message comes at least once, and is known by its key."""

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from temper.core.watch import Alarm, Seen, Watched
from temper.store.control import Control

DAY = 86_400.0
SENDER = """
import sys
from temper.core.alert import Alerting, Receiver
from temper.core.watch import Watch
from temper.monitoring.telling import teller_of
from temper.store.control import Control

store, url, now = sys.argv[1], sys.argv[2], float(sys.argv[3])
to = Receiver(name="hook", kind="webhook", options={"url": url, "secret_env": "KEY"})
teller = teller_of(Alerting(receivers=(to,)), Watch(feed="f", time="at", window=86_400.0), "r", Control.open(store))
teller.tell(lambda: now)
"""


def windows():
    for at, letter in enumerate("fpfpf"):
        alarms = (Alarm(comparison="ks", column="amount", value=0.4, p=1e-9),) if letter == "f" else ()
        seen = Seen.FAIL if alarms else Seen.PASS
        yield Watched(start=at * DAY, ends=(at + 1) * DAY, rows=900, seen=seen, tests=4, needed=7, alarms=alarms)


def test_a_message_that_a_killed_sender_was_at_comes_again(tmp_path):
    place = str(tmp_path / "control.db")
    control = Control.open(place)
    control.windows.keep("f", "r", list(windows()), 0.0)
    control.close()
    came, process = [], []

    class Kills(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            came.append((self.headers["Idempotency-Key"], body["id"], body["state"]))
            if len(came) in (1, 3):  # before it hears that its message was taken
                os.kill(process[0].pid, signal.SIGKILL)
                return
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Kills)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        codes = []
        for now in (0.0, 100.0, 200.0):
            command = [sys.executable, "-c", SENDER, place, url, str(now)]
            process[:] = [subprocess.Popen(command, env={**os.environ, "KEY": "k"})]
            codes.append(process[0].wait(300))
    finally:
        server.shutdown()
        server.server_close()
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]
    told = [(one, state) for _, one, state in dict.fromkeys(came)]
    assert sorted(told) == sorted([(f"{KEY}@{at}", s) for at in (0, 172800) for s in ("begins", "over")] + [LAST])
    assert len(came) == len(set(came)) + 2, "the two that were interrupted came twice, and no other"
    assert len({key for key, *_ in came}) == 5


KEY = "f.252f10.drift"
LAST = (f"{KEY}@345600", "begins")

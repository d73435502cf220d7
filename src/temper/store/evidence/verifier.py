"""Verifies an audit bundle of Temper with Python's standard library alone: `python -I -S verify.py [FOLDER or ZIP]`.

It shows that every file is as it was exported, that the ledger is one unbroken chain up to a checkpoint signed by the
ledger's key, that runs and changes are those the ledger was told, and that each approval was signed by the key listed
for its person, who neither had the run made nor put it up. Whose keys they are, and that the digest printed first is
that of the bundle you were sent, is for you to ask another way.
"""

from __future__ import annotations

import base64
import json
import sys
import zipfile
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

Point = tuple[int, int, int, int]
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
KIND = "application/vnd.temper.approval+json"


def point(raw: bytes) -> Point:
    """A point of the curve from its 32 bytes (RFC 8032)."""
    y = int.from_bytes(raw, "little") & (1 << 255) - 1
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if (x * x - x2) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or y >= P or (x == 0 and raw[31] >> 7):
        raise ValueError("no point")
    x = P - x if x & 1 != raw[31] >> 7 else x
    return x, y, 1, x * y % P


def plus(p: Point, q: Point) -> Point:
    """The sum of two points."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n: int, p: Point) -> Point:
    """A multiple of a point."""
    q = (0, 1, 1, 0)
    for bit in bin(n)[2:]:
        q = plus(q, q)
        q = plus(q, p) if bit == "1" else q
    return q


def signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature is right."""
    try:
        a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    except ValueError:
        return False
    y = 4 * pow(5, -1, P) % P
    k = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % L
    one, two = times(s, point(y.to_bytes(32, "little"))), plus(r, times(k, a))
    same = (one[0] * two[2] - two[0] * one[2]) % P == 0 and (one[1] * two[2] - two[1] * one[2]) % P == 0
    return len(signature) == 64 and s < L and same


def unpack(raw: bytes, at: int = 0) -> tuple[Any, int]:
    """A value of msgpack and where it ends: what records are written in."""
    b, at = raw[at], at + 1
    if b < 0x80 or b >= 0xE0 or b in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}.get(b, b if b < 0x80 else b - 256), at
    if 0xCC <= b <= 0xD3:
        size = 1 << (b & 3)
        return int.from_bytes(raw[at : at + size], "big", signed=b >= 0xD0), at + size
    short = {0x8: 15, 0x9: 15, 0xA: 31, 0xB: 31}.get(b >> 4)
    width = (
        0 if short else {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}[b]
    )
    n, at = (b & short if short else int.from_bytes(raw[at : at + width], "big")), at + width
    if b >> 4 in (0x8, 0x9) or b >= 0xDC:
        found = []
        for _ in range(2 * n if b >> 4 == 0x8 or b >= 0xDE else n):
            value, at = unpack(raw, at)
            found.append(value)
        return (dict(zip(found[::2], found[1::2], strict=True)) if b >> 4 == 0x8 or b >= 0xDE else found), at
    return (raw[at : at + n] if b in (0xC4, 0xC5, 0xC6) else raw[at : at + n].decode()), at + n


def canonical(value: Any) -> bytes:
    """JSON as Temper writes it: what digests are of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def ledger(files: dict[str, bytes], say: Any) -> tuple[list[Any], list[bytes]]:
    """The records, and the root at every size; faults are told."""
    peaks: list[bytes] = []
    roots: list[bytes] = []
    records: list[Any] = []
    raw, at, before = files["ledger/records"], 0, bytes(32)
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "big")
        line, at = raw[at + 4 : at + 4 + size], at + 4 + size
        record, end = unpack(line)
        if record[1] != len(records) or record[2] != before or end != len(line):
            say(f"record {len(records)} of the ledger does not follow the one before")
        before = node = sha256(b"\0" + line).digest()
        grown = len(records)
        while grown & 1:
            node, grown = sha256(b"\1" + peaks.pop() + node).digest(), grown >> 1
        peaks.append(node)
        top = peaks[-1]
        for peak in peaks[-2::-1]:
            top = sha256(b"\1" + peak + top).digest()
        roots.append(top)
        records.append(record)
    text, _, mark = files["ledger/checkpoint"].decode().partition("\n\n")
    name, many, root = text.split("\n")
    note, key = base64.b64decode(mark.split(" ")[2]), bytes.fromhex(files["ledger/key"].decode().strip())
    named = note[:4] == sha256(name.encode() + b"\n\1" + key).digest()[:4]
    if not named or not signed(key, note[4:], f"{text}\n".encode()):
        say("the checkpoint is not signed by the key of the ledger")
    if int(many) != len(records) or base64.b64decode(root) != roots[-1]:
        say(f"the checkpoint is over {many} other records than the {len(records)} of the ledger")
    return records, roots


def approved(
    vote: Any, keys: dict[str, str], roots: list[bytes], runs: dict[str, str], words: set[str], say: Any
) -> int:
    """One approval: signed, by somebody else, about a run that is here, over a ledger that this one goes on from. One
    that is only somebody's word (1, else 0) answers a request, among `words`, that takes it.
    """
    envelope = json.loads(vote["envelope"])
    payload = base64.b64decode(envelope["payload"])
    pae = b"DSSEv1 %d %s %d %s" % (len(KIND), KIND.encode(), len(payload), payload)
    said, marks = json.loads(payload), [base64.b64decode(one["sig"]) for one in envelope["signatures"]]
    mine = [bytes.fromhex(key) for key, person in keys.items() if person == vote["person"] == said["by"]]
    word = not marks and said.get("through") == "console" and str(said["approval"]) in words
    good = word or any(signed(key, marks[0], pae) for key in mine if marks)
    if envelope["payloadType"] != KIND or said["by"] != vote["person"] or not good:
        say(f"the approval of run {vote['run']} is not signed by a key of {vote['person']}")
    if said["by"] in (said["maker"], said["author"]) or said["run"] != vote["run"] or said["decision"] != "approve":
        say(f"the approval of run {vote['run']} by {vote['person']} is none")
    if runs.get(said["run"], said["digest"]) != said["digest"]:
        say(f"what {vote['person']} approved is not run {said['run']} as it is here")
    if said["ledger"] and roots[said["ledger"]["size"] - 1].hex() != said["ledger"]["root"]:
        say(f"{vote['person']} approved over another ledger than this one")
    return int(word)


def verify(files: dict[str, bytes], say: Any) -> str:
    """Everything there is to check, in the order in which it builds up."""
    listed = json.loads(files["MANIFEST.json"])
    if canonical(listed) != files["MANIFEST.json"] or set(listed["files"]) | {"MANIFEST.json"} != set(files):
        say("the bundle has not the files that its manifest lists")
    for name, digest in listed["files"].items():
        if sha256(files.get(name, b"")).hexdigest() != digest:
            say(f"{name} was changed")
    records, roots = ledger(files, say)
    told = {record[8]["run"]: record[8]["digest"].hex() for record in records if record[7] == "run"}
    runs = {name[5:-5]: sha256(raw).hexdigest() for name, raw in files.items() if name.startswith("runs/")}
    for name, digest in runs.items():
        if told.get(name) != digest:
            say(f"run {name} is not what the ledger was told")
    changes = {record[8]["seq"]: record[8]["digest"] for record in records if record[7] == "change"}
    rows = json.loads(files["changes.json"])
    for row in rows:
        if sha256(canonical(row)).hexdigest() != changes.pop(row["seq"], ""):
            say(f"row {row['seq']} ({row['action']} by {row['who']}) is not what the ledger was told")
    for seq in changes:
        say(f"row {seq} of what people did is not in the bundle")
    kept = [(row["who"], row["detail"]) for row in rows if row["action"] == "approval.approve"]
    asked = {row["subject"]: json.loads(row["detail"]) for row in rows if row["action"] == "approval.ask"}
    taken = {number for number, detail in asked.items() if detail.get("signed") is False}
    votes, words = json.loads(files["approvals.json"]), 0
    for vote in votes:
        words += approved(vote, listed["keys"], roots, runs, taken, say)
        digest = sha256(vote["envelope"].encode()).hexdigest()
        if not any(who == vote["person"] and digest in detail for who, detail in kept):
            say(f"the ledger was told of no approval of run {vote['run']} by {vote['person']}")
    if len(votes) != len(kept):
        say(f"{len(votes)} approvals are in the bundle, and the ledger was told of {len(kept)}")
    counts = {"file": files, "record": records, "run": runs, "change": rows, "approval": votes}
    how = f", {words} of them given in a console and not signed" if words else ""
    return ", ".join(f"{len(found)} {word}{'' if len(found) == 1 else 's'}" for word, found in counts.items()) + how


def main(place: Path) -> int:
    """Print what was found; 0 where everything holds, 1 where something was changed."""
    faults: list[str] = []
    try:
        if place.is_dir():
            found = [one for one in place.rglob("*") if one.is_file()]
            files = {one.relative_to(place).as_posix(): one.read_bytes() for one in found}
        else:
            with zipfile.ZipFile(place) as bundle:
                files = {name: bundle.read(name) for name in bundle.namelist()}
        sys.stdout.write(f"SHA-256 of the manifest: {sha256(files['MANIFEST.json']).hexdigest()}\n")
        sys.stdout.write(f"{verify(files, faults.append)}\n")
    except Exception as error:  # whatever a changed bundle does to a reader
        faults.append(f"it cannot be read: {type(error).__name__}: {error}")
    sys.stdout.writelines(f"fault: {one}\n" for one in faults)
    sys.stdout.write("FAIL\n" if faults else "PASS\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent))

"""The workbench of pictures: corrupted, patched or brought, and of a file nothing is unpacked beyond its size."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from temper.api.probes import corruptions
from temper.config.serving import Serving
from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.guard.serving.bench import Bench
from temper.kernels.png import _chunk, decode, encode
from temper.targets.function import Function
from unit.test_web_workbench import words
from unit.web_desk import Answer, Browser, World

SIDE = 8
MAGIC = b"\x89PNG\r\n\x1a\n"


def logits(pictures):
    """Which of three colours a picture has most of."""
    return 10.0 * np.asarray(pictures, dtype=float).mean(axis=(2, 3))


def bench() -> Bench:
    x = np.full((3, 3, SIDE, SIDE), 0.2)
    for at in range(3):
        x[at, at] = 0.7
    system = Protected(
        name="colours",
        target=Function(call=logits, kind=ScoreKind.LOGITS, classes=3),
        data=Data(x=x, y=np.arange(3)),
        schema=Schema.box(0.0, 1.0),
        classes=("red", "green", "blue"),
    )
    own = {name: corruptions()[name] for name in ("brightness", "gaussian_noise")}
    return replace(Bench.of(system, Serving()), corruptions=own)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World.at(tmp_path, bench=bench())) as found:
        yield found


def look(world: World, **fields: str) -> Answer:
    browser = world.browser("ana")
    page = browser.get("/workbench?row=0")
    return browser.post("/workbench/now", {name: page.hidden(name) for name in ("csrf", "start")} | fields)


def bring(world: World, data: bytes, browser: Browser | None = None) -> Answer:
    browser = browser or world.browser("ana")
    page = browser.get("/workbench?row=0")
    fields = {name: page.hidden(name) for name in ("csrf", "start")}
    text = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    text += '--b\r\nContent-Disposition: form-data; name="picture"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n'
    body = text.encode() + data + b"\r\n--b--\r\n"
    return browser.ask("POST", "/workbench/picture", body, {"content-type": "multipart/form-data; boundary=b"})


def png(width: int, height: int, lines: bytes, colour: int = 2, depth: int = 8) -> bytes:
    head = struct.pack(">2I5B", width, height, depth, colour, 0, 0, 0)
    return MAGIC + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")


def test_a_picture_is_patched_and_seen_before_and_after(world: World) -> None:
    page = words(look(world))
    assert "red" in page
    assert "nothing is changed" in page
    assert "the decision stays" in words(look(world, size="2", shade="white"))
    assert "the decision stays" in words(look(world, corruption="brightness", severity="5"))
    blue = np.zeros((SIDE, SIDE, 3), np.uint8)
    blue[:, :, 2] = 255
    brought = b64encode(encode(blue)).decode()
    assert "turned, and nothing stops it" in words(look(world, picture=brought))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"size": "-1"}, "whole numbers"),
        ({"size": "9999999"}, "whole numbers"),
        ({"corruption": "burn"}, "no such corruption"),
        ({"corruption": "brightness", "severity": "9"}, "no such corruption"),
    ],
)
def test_what_cannot_be_done_is_said(world: World, fields: dict[str, str], said: str) -> None:
    assert said in words(look(world, **fields))


def test_a_brought_picture_is_tried_and_saved(world: World) -> None:
    blue = np.zeros((SIDE, SIDE, 3), np.uint8)
    blue[:, :, 2] = 255
    browser = world.browser("ana")
    page = bring(world, encode(blue), browser)
    assert page.status == 200
    assert "turned, and nothing stops it" in words(page)
    names = ("csrf", "start", "key")
    form = {name: page.hidden(name) for name in names} | {"picture": b64encode(encode(blue)).decode()}
    saved = browser.post("/probes", form | {"hypothesis": "blue is not red"})
    assert saved.status == 303
    assert "blue" in words(browser.get(saved.header("location")))
    assert "turned, and nothing stops it" in words(browser.get("/workbench?probe=1"))


BOMB = zlib.compress(bytes(5_000_000), 9)
HOSTILE = {
    "no picture": b"GIF89a" + bytes(50),
    "nothing": b"",
    "another size": png(9, 8, bytes(8 * 28)),
    "grey": png(8, 8, bytes(8 * 9), colour=0),
    "16 bits": png(8, 8, bytes(8 * 49), depth=16),
    "a bomb": png(8, 8, bytes(5_000_000)),
    "a head that lies": png(8, 8, bytes(8 * 25 + 1)),
    "too few pixels": png(8, 8, bytes(8 * 25 - 1)),
    "a filter that there is not": png(8, 8, b"\x09" + bytes(8 * 25 - 1)),
    "a huge head": png(2**31 - 1, 2**31 - 1, b""),
    "cut off": encode(np.zeros((8, 8, 3), np.uint8))[:-20],
    "damaged": encode(np.zeros((8, 8, 3), np.uint8)).replace(b"IDAT", b"IDAX"),
    "a script": b"<svg onload=alert(1)>",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_refused_in_a_sentence(world: World, data: bytes) -> None:
    answer = bring(world, data)
    assert answer.status == 422, answer.text[:300]
    assert "This picture is not taken" in answer.text


def test_a_large_file_and_a_file_where_none_is_expected_are_refused(world: World) -> None:
    assert bring(world, bytes(70_000)).status == 413
    answer = world.browser("ana").ask(
        "POST", "/queue/next", b"--b--", {"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status == 415


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_every_filter_of_the_format_is_undone(kind: int) -> None:
    """Filtered here as the standard says, and read back."""
    rng = np.random.Generator(np.random.Philox(key=kind))
    pixels = rng.integers(0, 256, (5, 4, 3))
    out = []
    for y in range(5):
        line = [kind]
        for x in range(4):
            left = pixels[y, x - 1] if x else np.zeros(3, int)
            up = pixels[y - 1, x] if y else np.zeros(3, int)
            corner = pixels[y - 1, x - 1] if x and y else np.zeros(3, int)
            far = np.abs(np.stack([up - corner, left - corner, left + up - 2 * corner]))
            paeth = np.where((far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], up, corner))
            guess = (0, left, up, (left + up) // 2, paeth)[kind]
            line += [int(value) for value in (pixels[y, x] - guess) % 256]
        out.append(bytes(line))
    found = decode(png(4, 5, b"".join(out)), (3, 5, 4))
    assert np.array_equal(np.round(255 * found).astype(int), pixels.transpose(2, 0, 1))

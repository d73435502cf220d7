"""One browser for the pages of a module."""

from collections.abc import Iterator
from typing import Any

import pytest

from browser.console import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found

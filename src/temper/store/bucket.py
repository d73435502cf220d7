"""Files in a bucket: S3, Google Cloud, Azure and whatever else fsspec speaks to.

An object store takes a file whole or not at all. Elsewhere one that was torn is found by its digest and written again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from temper.core.errors import StoreError

T = TypeVar("T")
PAUSES = (0.5, 2.0, 8.0)
"""Seconds before each further try of a bucket that does not answer."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, or a folder in it, by its URL. Keys come from where the service's own tools look for them."""

    url: str = field(repr=False)

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none."""
        files, root = self._files()

        def once() -> bytes | None:
            try:
                return bytes(files.cat_file(f"{root}/{name}"))
            except FileNotFoundError:
                return None

        return self._patiently(once)

    def write(self, name: str, content: bytes) -> None:
        """A file, whole, in place of one that is there."""
        files, root = self._files()

        def once() -> None:
            files.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
            files.pipe_file(f"{root}/{name}", content)

        self._patiently(once)

    def _patiently(self, once: Callable[[], T]) -> T:
        for pause in PAUSES:
            try:
                return once()
            except (OSError, TimeoutError):
                time.sleep(pause)
        with self._told():
            return once()

    def _files(self) -> tuple[Any, str]:
        with self._told():
            from fsspec.core import url_to_fs

            files, root = url_to_fs(self.url)
        return files, str(root).rstrip("/")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Failures by the kind of the place and of the failure: neither URL nor message, which may hold a key."""
        kind = self.url.partition("://")[0][:20]
        try:
            yield
        except ImportError as error:
            raise StoreError(
                f"arrays in {kind}:// need a package that is not installed",
                fix="pip install 'temper-ml[blobs]', and what fsspec needs for it (s3fs, gcsfs, adlfs)",
            ) from error
        except Exception as error:
            raise StoreError(
                f"arrays in {kind}:// cannot be reached: {type(error).__name__}",
                fix="check the bucket, its keys and the network, and run with --resume",
            ) from None

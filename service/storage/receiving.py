"""Bytes of datasets that are being received: they count towards their owner's share as they arrive."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from service.storage.shares import DATASET_BYTES


class Upload:
    """One dataset that is being received."""

    def __init__(self, receiving: "Receiving", owner: str) -> None:
        self.receiving, self.owner, self.bytes = receiving, owner, 0

    def add(self, count: int) -> None:
        """Count bytes that have arrived.

        Raises:
            StorageQuotaError: they are more than the owner may have.
        """
        self.bytes += count
        self.receiving.bytes[self.owner] += count
        self.check(self.bytes)

    def check(self, size: int) -> None:
        """Raise ``StorageQuotaError`` if there is no room for an upload of ``size`` bytes."""
        others = self.receiving.bytes[self.owner] - self.bytes
        used = self.receiving.kept[self.owner] + others
        DATASET_BYTES.check(self.owner, used, size, self.receiving.most)

    @property
    def room(self) -> int:
        """Bytes that the dataset may have when it is kept: uploads that may still fail do not count."""
        return self.receiving.most - self.receiving.kept[self.owner]

    def describe(self) -> str:
        """Return how much of its share the owner uses."""
        kept, most = self.receiving.kept[self.owner], self.receiving.most
        return f"of {most} {DATASET_BYTES.what}, {kept} are kept already ({DATASET_BYTES.setting})"


class Receiving:
    """Counts what this process is receiving. What is kept is counted by the database, for all processes.

    Args:
        most: bytes that the datasets of one owner may have together.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.bytes, self.kept = Counter[str](), Counter[str]()

    @contextmanager
    def upload(self, owner: str, kept: int) -> Iterator[Upload]:
        """Receive a dataset of an owner whose datasets have ``kept`` bytes at the moment."""
        self.kept[owner] = kept
        upload = Upload(self, owner)
        try:
            yield upload
        finally:
            self.bytes -= Counter({owner: upload.bytes})  # drops an owner who has none left

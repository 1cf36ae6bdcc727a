"""Shares: how much of something an owner may have.

An owner is the fingerprint of an API key, which unlike a key's name is never given again. All requests
without a key have one owner, the empty text.
"""

from dataclasses import dataclass

from n2n_core.errors import N2NError
from service.exceptions import JobQuotaError, StorageQuotaError


@dataclass(frozen=True)
class Share:
    """What every owner may have a limited amount of.

    Args:
        error: raised for more than that.
        what: what is counted.
        setting: the setting with the limit.
    """

    error: type[N2NError]
    what: str
    setting: str

    def check(self, owner: str, used: int, asked: int, most: int | None) -> None:
        """Check that an owner who has ``used`` may have ``asked`` more, if there is a limit.

        Raises:
            N2NError: ``error``, as that would be more than ``most``.
        """
        if most is not None and used + asked > most:
            whose = "of this key" if owner else "of requests without a key"
            detail = f"{used} {self.what} {whose} count already, and {asked} more are asked for"
            detail += f", expected at most {most} together ({self.setting})"
            raise self.error(detail)


JOBS = Share(JobQuotaError, "unfinished jobs", "N2N_KEY_JOBS")
DATASET_BYTES = Share(StorageQuotaError, "bytes of datasets", "N2N_KEY_DATASET_BYTES")

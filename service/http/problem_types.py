"""Problem types: the status, the code and an example of every error that the service answers with.

This is the only place that pairs a status with a code. Code that raises a problem names a row.
"""

from dataclasses import dataclass

DATASET_ID = "01a2b3c4-d5e6-7f80-91a2-b3c4d5e6f708"
JOB_ID = "01a2b3c5-0718-7293-84a5-b6c7d8e9fa0b"
"""Ids in the examples of the OpenAPI document."""


@dataclass(frozen=True)
class ProblemType:
    """One row of the table.

    Args:
        status: HTTP status of the response.
        code: stable identifier for programs. Several statuses may share a code.
        path: path of an example request; empty if the OpenAPI document does not list this type.
        detail: detail of the example.
    """

    status: int
    code: str
    path: str = ""
    detail: str = ""


DATASET, JOB = f"/datasets/{DATASET_ID}", f"/train-jobs/{JOB_ID}"

BAD_FORM = ProblemType(400, "bad_request", "/denoise", "the form has 2 files 'file', expected one")
BAD_JSON = ProblemType(
    400, "bad_request", "/train-jobs", "POST /train-jobs: There was an error parsing the body"
)
NO_DATASET_ROOT = ProblemType(
    403, "no_dataset_root", "/datasets", "paths are not taken here: N2N_DATASET_ROOT is not set"
)
UNKNOWN_MODEL = ProblemType(
    404, "unknown_model", "/models/best", "unknown model 'best'; known models: photo, scratch, torch, unet"
)
UNKNOWN_DATASET = ProblemType(404, "unknown_dataset", DATASET, f"unknown dataset '{DATASET_ID}'")
UNKNOWN_JOB = ProblemType(404, "unknown_job", JOB, f"unknown job '{JOB_ID}'")
UNKNOWN_SAMPLE = ProblemType(
    404, "unknown_sample", f"{JOB}/samples/9.png", f"job {JOB_ID} has no sample '9.png'"
)
NOT_FOUND = ProblemType(404, "not_found", f"{DATASET}/report", f"dataset {DATASET_ID} has no such report")
NOT_ACCEPTABLE = ProblemType(
    406,
    "not_acceptable",
    "/denoise",
    "Accept is 'text/html', expected one of: image/png, image/jpeg, image/webp, image/tiff, image/bmp",
)
CONFLICT = ProblemType(409, "conflict", JOB, f"job {JOB_ID} is running: cancel it first")
KEY_IN_FLIGHT = ProblemType(
    409, "key_in_flight", "/train-jobs", "the request with idempotency key 'a1' has not been answered yet"
)
BODY_TOO_LARGE = ProblemType(
    413, "body_too_large", "/denoise",
    "the body has 99999999 bytes, expected at most 67108864 (N2N_MAX_BYTES)",
)  # fmt: skip
IMAGE_TOO_LARGE = ProblemType(
    413, "image_too_large", "/denoise", "the image is 20000 x 20000, expected at most 64000000 pixels"
)
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    415, "unsupported_media_type", "/denoise",
    "Content-Type is 'text/plain', expected multipart/form-data with a field 'file', or an image type such as"
    " image/png",
)  # fmt: skip
BAD_IMAGE = ProblemType(
    422, "bad_image", "/denoise",
    "not a readable image, expected one of: png, jpeg, webp, tiff, bmp",
)  # fmt: skip
SEVERAL_PAGES = ProblemType(
    422, "several_pages", "/denoise", "png cannot store the image's 3 pages, expected tiff"
)
BAD_REQUEST = ProblemType(
    422, "bad_request", "/datasets", "query/page_size is '0': Input should be greater than or equal to 1"
)
DATASET_REFUSED = ProblemType(
    422, "dataset_refused", "/train-jobs",
    f"dataset {DATASET_ID} failed its checks: correlation; set force to train on it anyway",
)  # fmt: skip
BAD_RECIPE = ProblemType(422, "bad_recipe", "/train-jobs", "crop is 3, expected a whole number of at least 8")
BAD_NAME = ProblemType(
    422, "bad_name", "/train-jobs", "name is 'torch', the name of a shipped model: choose another"
)
NO_SUCH_DATASET = ProblemType(422, "unknown_dataset", "/train-jobs", f"unknown dataset '{DATASET_ID}'")
NO_SUCH_BASE = ProblemType(
    422, "unknown_model", "/train-jobs", "unknown model 'best'; known models: photo, scratch, torch, unet"
)
KEY_REUSED = ProblemType(
    422, "key_reused", "/train-jobs", "the idempotency key 'a1' was used with a different request before"
)
BAD_DATASET = ProblemType(
    422, "bad_dataset", "/datasets", "shots.zip: the archive is damaged or truncated (File is not a zip file)"
)
BAD_MODEL = ProblemType(
    422, "bad_model", "/models/mine/versions", "mine.safetensors: its metadata does not name an architecture"
)
INTERNAL_ERROR = ProblemType(
    500, "internal_error", "/denoise", "internal error; the server's log has the reason"
)
NOT_INSTALLED = ProblemType(
    501, "not_installed", "/models/mine/download",
    "ONNX export is not installed, expected format=safetensors (or pip install 'n2n[onnx]')",
)  # fmt: skip
OVERLOADED = ProblemType(
    503, "overloaded", "/denoise",
    "bodies of 268435456 bytes are in memory, expected at most 268435456 with 1 more (N2N_MAX_BODY_BYTES)",
)  # fmt: skip
TOO_LATE = ProblemType(503, "too_late", "/denoise", "the result would take 2.5 s, expected at most 1 s")
DEADLINE = ProblemType(
    503, "deadline", "/denoise",
    "the answer was not ready within the time limit (timeout, N2N_TIMEOUT, N2N_TOTAL_TIMEOUT)",
)  # fmt: skip
UNAVAILABLE = ProblemType(
    503, "unavailable", "/denoise",
    "the model 'mine@2' cannot be served now: a tile has 73728 pixels a side, expected at most 1024",
)  # fmt: skip
STOPPING = ProblemType(503, "stopping", "/readyz", "the service is stopping, try another one")
NOT_READY = ProblemType(503, "not_ready", "/readyz", "the models are not loaded yet, try again in a second")
STORAGE = ProblemType(507, "storage", "/datasets", "the upload cannot be written (No space left on device)")

KEY_MISSING = ProblemType(
    401, "key_missing", "/denoise",
    "this service requires an API key, expected the header Authorization: Bearer KEY",
)  # fmt: skip
KEY_UNKNOWN = ProblemType(
    401, "key_unknown", "/denoise", "the API key is unknown, expected one made by n2n keys add"
)
SCOPE_MISSING = ProblemType(
    403, "scope_missing", "/train-jobs",
    "the key 'camera' lacks the scope 'train', which this request needs; it has: denoise",
)  # fmt: skip
CROSS_SITE = ProblemType(
    403,
    "cross_site",
    "/datasets",
    "a page of another site requests a change, expected its origin in N2N_CORS_ORIGINS",
)
RATE_EXCEEDED = ProblemType(
    429, "rate_exceeded", "/denoise", "more than 60 requests per minute with this key (N2N_KEY_RATE)"
)
CONCURRENCY_EXCEEDED = ProblemType(
    429,
    "concurrency_exceeded",
    "/denoise",
    "4 requests with this key are in progress, expected at most 4 (N2N_KEY_CONCURRENCY)",
)
JOBS_EXCEEDED = ProblemType(
    429, "jobs_exceeded", "/train-jobs",
    "100 unfinished jobs of this key count already, and 1 more are asked for, expected at most 100 together"
    " (N2N_KEY_JOBS)",
)  # fmt: skip
STORAGE_EXCEEDED = ProblemType(  # as WebDAV answers beyond a quota (RFC 4331, section 6)
    507, "storage_exceeded", "/datasets",
    "68000000000 bytes of datasets of this key count already, and 1000000000 more are asked for, expected at"
    " most 68719476736 together (N2N_KEY_DATASET_BYTES)",
)  # fmt: skip
READ_TIMEOUT = ProblemType(
    408,
    "read_timeout",
    "/denoise",
    "the body arrived too slowly, expected at least 1000 bytes per second (N2N_MIN_RATE) after"
    " the first 20 seconds (N2N_READ_TIMEOUT)",
)
TOTAL_TIMEOUT = ProblemType(
    408, "total_timeout", "/denoise", "the body did not arrive within 3600 seconds (N2N_TOTAL_TIMEOUT)"
)
TOO_MANY_PARTS = ProblemType(
    413, "too_many_parts", "/denoise", "the form has more than 1000 parts (N2N_MAX_PARTS)"
)
NAME_TOO_LONG = ProblemType(
    413,
    "name_too_long",
    "/datasets",
    "the file's name 'aaaa'... has 600 characters, expected at most 512 (N2N_MAX_NAME_LENGTH)",
)
TOO_MANY_FRAMES = ProblemType(
    413,
    "too_many_frames",
    "/datasets",
    "stack.tif: more than 10000 pages, expected at most that many (N2N_MAX_FRAMES)",
)
TOO_MANY_ENTRIES = ProblemType(
    413, "too_many_entries", "/datasets",
    "shots.zip: more than 200000 members, expected at most that many (N2N_MAX_ARCHIVE_ENTRIES)",
)  # fmt: skip
ARCHIVE_RATIO = ProblemType(
    413, "archive_ratio", "/datasets",
    "shots.zip: too large when unpacked, at 'a.png', expected at most 67309064 bytes from an"
    " archive of its size (N2N_MAX_ARCHIVE_RATIO)",
)  # fmt: skip
DATASET_TOO_LARGE = ProblemType(
    413,
    "dataset_too_large",
    "/datasets",
    "shots.zip: too large when unpacked, at 'a.png', expected at most 8589934592 bytes"
    " (N2N_MAX_DATASET_BYTES)",
)
HEADERS_TOO_LARGE = ProblemType(
    431,
    "headers_too_large",
    "/denoise",
    "the request's headers have more than 32768 bytes (N2N_MAX_HEADER_BYTES)",
)

NOT_HTTP = ProblemType(400, "bad_request")
MISDIRECTED_REQUEST = ProblemType(421, "misdirected_request")
CLIENT_CLOSED_REQUEST = ProblemType(499, "client_closed_request")
"""The client is gone: only the log and the metrics see this status, which nginx introduced."""

REFUSALS = (KEY_MISSING, KEY_UNKNOWN, SCOPE_MISSING, CROSS_SITE, RATE_EXCEEDED, CONCURRENCY_EXCEEDED)
"""Rejections before a request reaches its endpoint."""

DOCUMENTED = tuple(row for row in list(globals().values()) if isinstance(row, ProblemType) and row.path)
"""The rows that the OpenAPI document lists."""


def by_code(*types: ProblemType) -> dict[str, ProblemType]:
    """Index rows by code, for errors raised below the HTTP layer, which know their code alone."""
    return {row.code: row for row in types}

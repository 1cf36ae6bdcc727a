"""The kinds of problem that the service answers with, each with its status, its code, and an example."""

from dataclasses import dataclass

DATASET_ID = "01a2b3c4-d5e6-7f80-91a2-b3c4d5e6f708"
JOB_ID = "01a2b3c5-0718-7293-84a5-b6c7d8e9fa0b"
"""Ids in the examples of the OpenAPI document."""


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Args:
        status: of the answer.
        code: what programs know it by; one code may come with several statuses.
        path: of a request that has it.
        detail: what such a request is told.
    """

    status: int
    code: str
    path: str
    detail: str


DATASET, JOB = f"/datasets/{DATASET_ID}", f"/train-jobs/{JOB_ID}"

BAD_FORM = Kind(400, "bad_request", "/denoise", "the form has 2 files 'file', expected one")
BAD_JSON = Kind(400, "bad_request", "/train-jobs", "POST /train-jobs: There was an error parsing the body")
NO_DATASET_ROOT = Kind(
    403, "no_dataset_root", "/datasets", "paths are not taken here: N2N_DATASET_ROOT is not set"
)
UNKNOWN_MODEL = Kind(
    404, "unknown_model", "/models/best", "unknown model 'best'; known models: scratch, torch"
)
UNKNOWN_DATASET = Kind(404, "unknown_dataset", DATASET, f"unknown dataset '{DATASET_ID}'")
UNKNOWN_JOB = Kind(404, "unknown_job", JOB, f"unknown job '{JOB_ID}'")
UNKNOWN_SAMPLE = Kind(404, "unknown_sample", f"{JOB}/samples/9.png", f"job {JOB_ID} has no sample '9.png'")
NOT_FOUND = Kind(404, "not_found", f"{DATASET}/report", f"dataset {DATASET_ID} has no such report")
NOT_ACCEPTABLE = Kind(
    406, "not_acceptable", "/denoise", "Accept is 'text/html', expected one of: image/png, image/jpeg"
)
CONFLICT = Kind(409, "conflict", JOB, f"job {JOB_ID} is running: cancel it first")
KEY_IN_FLIGHT = Kind(
    409, "key_in_flight", "/train-jobs", "the request with idempotency key 'a1' is not answered yet"
)
BODY_TOO_LARGE = Kind(
    413, "body_too_large", "/denoise",
    "the body has 99999999 bytes, expected at most 67108864 (N2N_MAX_BYTES)",
)  # fmt: skip
IMAGE_TOO_LARGE = Kind(
    413, "image_too_large", "/denoise", "the image is 20000 x 20000, expected at most 64000000 pixels"
)
UNSUPPORTED_MEDIA_TYPE = Kind(
    415, "unsupported_media_type", "/denoise",
    "Content-Type is 'text/plain', expected multipart/form-data with a field 'file', or an image type such as"
    " image/png",
)  # fmt: skip
BAD_IMAGE = Kind(
    422, "bad_image", "/denoise",
    "not a readable image, expected one of: png, jpeg, webp, tiff, bmp",
)  # fmt: skip
BAD_REQUEST = Kind(422, "bad_request", "/datasets", "query/page_size is '0': expected at least 1")
DATASET_REFUSED = Kind(
    422, "dataset_refused", "/train-jobs",
    f"dataset {DATASET_ID} did not pass: correlation; force trains on it anyway",
)  # fmt: skip
BAD_RECIPE = Kind(422, "bad_recipe", "/train-jobs", "crop is 30, expected a multiple of 4")
BAD_NAME = Kind(422, "bad_name", "/train-jobs", "name is 'torch', which a shipped model has: choose another")
NO_SUCH_DATASET = Kind(422, "unknown_dataset", "/train-jobs", f"unknown dataset '{DATASET_ID}'")
NO_SUCH_BASE = Kind(422, "unknown_model", "/train-jobs", "unknown model 'best'; known models: scratch, torch")
KEY_REUSED = Kind(
    422, "key_reused", "/train-jobs", "the idempotency key 'a1' came with another request before"
)
BAD_DATASET = Kind(
    422, "bad_dataset", "/datasets", "shots.zip: the archive is damaged or truncated (File is not a zip file)"
)
BAD_MODEL = Kind(
    422, "bad_model", "/models/mine/versions", "mine.safetensors: its metadata does not name an architecture"
)
INTERNAL_ERROR = Kind(500, "internal_error", "/denoise", "the server failed; its log has the reason")
NOT_INSTALLED = Kind(
    501, "not_installed", "/models/mine/download",
    "ONNX files are not made here, expected format=safetensors (or pip install 'n2n[onnx]')",
)  # fmt: skip
OVERLOADED = Kind(
    503, "overloaded", "/denoise",
    "bodies of 268435457 bytes are being read, expected at most 268435456 (N2N_MAX_READING_BYTES)",
)  # fmt: skip
TOO_LATE = Kind(503, "too_late", "/denoise", "the result would take 2.5 s, expected at most 1 s")
DEADLINE = Kind(
    503, "deadline", "/denoise",
    "the answer was not ready in the time that the request may take (N2N_TIMEOUT, or timeout)",
)  # fmt: skip
STOPPING = Kind(503, "stopping", "/readyz", "the service is stopping, expected another one")
NOT_READY = Kind(503, "not_ready", "/readyz", "the models are not warm yet, try again in a second")
STORAGE = Kind(507, "storage", "/datasets", "the upload: cannot be written (No space left on device)")

KEY_MISSING = Kind(
    401, "key_missing", "/denoise",
    "this service asks for an API key, expected the header Authorization: Bearer KEY",
)  # fmt: skip
KEY_UNKNOWN = Kind(
    401, "key_unknown", "/denoise", "the API key is not known here, expected one that n2n keys add has made"
)
SCOPE_MISSING = Kind(
    403, "scope_missing", "/train-jobs",
    "the key 'camera' has no scope 'train', which this needs; it has: denoise",
)  # fmt: skip
CROSS_SITE = Kind(
    403, "cross_site", "/datasets", "a page of another site asks for this, expected one of ours"
)
RATE_EXCEEDED = Kind(429, "rate_exceeded", "/denoise", "more than 60 requests a minute (N2N_KEY_RATE)")
CONCURRENCY_EXCEEDED = Kind(
    429, "concurrency_exceeded", "/denoise", "more than 4 requests at a time (N2N_KEY_CONCURRENCY)"
)
READ_TIMEOUT = Kind(408, "read_timeout", "/denoise", "nothing of the body came for 30 s (N2N_READ_TIMEOUT)")
TOTAL_TIMEOUT = Kind(
    408, "total_timeout", "/denoise", "the body was not there after 600 s (N2N_TOTAL_TIMEOUT)"
)
TOO_MANY_PARTS = Kind(413, "too_many_parts", "/denoise", "the form has more than 1000 parts (N2N_MAX_PARTS)")
NAME_TOO_LONG = Kind(
    413, "name_too_long", "/datasets", "a name has 300 bytes, expected at most 255 (N2N_MAX_NAME_LENGTH)"
)
TOO_MANY_FRAMES = Kind(
    413, "too_many_frames", "/datasets", "stack.tif: more pages than the 10000 allowed (N2N_MAX_FRAMES)"
)
TOO_MANY_ENTRIES = Kind(
    413, "too_many_entries", "/datasets",
    "shots.zip: more than 100000 members (N2N_MAX_ARCHIVE_ENTRIES)",
)  # fmt: skip
ARCHIVE_RATIO = Kind(
    413, "archive_ratio", "/datasets",
    "shots.zip: unpacks to more than 200 times its size (N2N_MAX_ARCHIVE_RATIO)",
)  # fmt: skip
DATASET_TOO_LARGE = Kind(
    413, "dataset_too_large", "/datasets", "shots.zip: more bytes than allowed (N2N_MAX_DATASET_BYTES)"
)
HEADERS_TOO_LARGE = Kind(
    431, "headers_too_large", "/denoise", "the head has more than 65536 bytes (N2N_MAX_HEADER_BYTES)"
)

REFUSALS = (KEY_MISSING, KEY_UNKNOWN, SCOPE_MISSING, CROSS_SITE, RATE_EXCEEDED, CONCURRENCY_EXCEEDED)
"""Of whoever may not enter."""

KINDS = tuple(kind for kind in list(globals().values()) if isinstance(kind, Kind))

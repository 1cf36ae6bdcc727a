"""Streaming multipart parser: files are written to a folder as they arrive, fields stay in memory."""

from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from n2n_core.files import storing
from service.http.errors import ProblemError
from service.http.filenames import plain_name
from service.http.multipart import check_parts
from service.http.problem_types import BAD_FORM, BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE
from service.settings.server import Settings

MAX_FIELDS, MAX_FIELD_BYTES = 20, 2**16


class Upload:
    """Parses a form piece by piece.

    Args:
        content_type: the ``Content-Type`` header, with the boundary.
        folder: where the files of the field ``file`` are written, each under its own name.
        settings: limit the number of parts and the length of file names.

    Raises:
        ProblemError: the body is not a multipart form, or has unexpected fields.
    """

    def __init__(self, content_type: str, folder: Path, settings: Settings) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            detail = f"Content-Type is {content_type!r}, expected multipart/form-data with a boundary"
            raise ProblemError(UNSUPPORTED_MEDIA_TYPE, detail)
        self.folder, self.settings, self._parts = folder, settings, 0
        self.fields: dict[str, str] = {}
        self.files: dict[str, Path] = {}
        self._header, self._value, self._disposition = b"", b"", b""
        self._field, self._text, self._file = "", bytearray(), None  # type: str, bytearray, BinaryIO | None
        self._ended = False
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": self._on_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:  # in the boundary
            raise ProblemError(BAD_FORM, f"the form is malformed: {error}") from error

    def feed(self, data: bytes) -> None:
        """Parse the next piece of the body."""
        try:
            with storing(Path("the upload")):
                self._parser.write(data)
        except FormParserError as error:
            raise ProblemError(BAD_FORM, f"the form is malformed: {error}") from error

    def finish(self) -> None:
        """Check that the form is complete."""
        if not self._ended:
            raise ProblemError(BAD_FORM, "the form ends too early")

    def close(self) -> None:
        """Close the file that an interrupted upload has left open."""
        if self._file:
            self._file.close()

    def _on_part_begin(self) -> None:
        self._parts += 1
        check_parts(self._parts, self.settings.max_dataset_parts, "N2N_MAX_DATASET_PARTS")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode(errors="replace")
        self._disposition = b""
        if b"filename" in options:
            self._file = self._open(name, options[b"filename"].decode(errors="replace"))
        elif name in self.fields or not name or len(self.fields) >= MAX_FIELDS:
            raise _refusal(name, "expected each field once")
        else:
            self._field, self._text = name, bytearray()

    def _open(self, field: str, name: str) -> BinaryIO:
        if field != "file":
            raise _refusal(field, "contains a file, expected files in the field 'file'")
        plain = plain_name(name, self.settings.max_name_length)
        if plain is None:
            raise _refusal("file", f"its name is {name[:80]!r}, expected a plain one")
        if plain in self.files:
            raise _refusal("file", f"{plain!r} was sent already, expected different names")
        self.files[plain] = self.folder / plain
        return self.files[plain].open("xb")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._file:
            self._file.write(memoryview(data)[start:end])
        elif len(self._text) + end - start > MAX_FIELD_BYTES:
            raise _refusal(self._field, f"is longer than {MAX_FIELD_BYTES} bytes")
        else:
            self._text += data[start:end]

    def _on_part_end(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
        else:
            self.fields[self._field] = self._text.decode(errors="replace")

    def _on_end(self) -> None:
        self._ended = True


def _refusal(field: str, detail: str) -> ProblemError:
    return ProblemError(BAD_REQUEST, f"the form's field {field[:80]!r}: {detail}")

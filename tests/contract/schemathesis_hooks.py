"""Hooks that tell schemathesis how files look and how to read a form."""

import json
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import schemathesis
from hypothesis import strategies

from tests.fuzz.targets import CORPUS
from tests.pictures import drawn, file

FILES = [
    *(file(drawn(mode, seed=seed)) for mode in ("L", "RGB", "RGBA") for seed in range(2)),
    file(drawn("RGB"), "jpeg"),
    *((CORPUS / name).read_bytes() for name in ("archive/8.zip", "weights/unet.safetensors")),
]

schemathesis.openapi.format("binary", strategies.sampled_from(FILES) | strategies.binary(max_size=64))


@schemathesis.deserializer("multipart/form-data")
def read_form(
    context: schemathesis.DeserializationContext, response: schemathesis.Response
) -> dict[str, Any]:
    """The parts by their names: JSON read, files as they are."""
    head = f"Content-Type: {response.headers['content-type'][0]}\r\n\r\n".encode()
    found: dict[str, Any] = {}
    for part in BytesParser(EmailMessage, policy=HTTP).parsebytes(head + response.content).iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        is_json = part.get_content_type() == "application/json"
        found[str(part.get_param("name", header="content-disposition"))] = (
            json.loads(content) if is_json else content.decode("latin-1")
        )
    return found

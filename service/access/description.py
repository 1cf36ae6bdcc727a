"""API keys in the OpenAPI document: the security scheme, and each operation's scope and error responses."""

from typing import Any

from service.access.quota import POLICY, STATE
from service.access.scopes import MEANINGS, needed

Document = dict[str, Any]
SCHEME = "apiKey"

_QUOTA = {
    POLICY: "quotas of the key, if it has any",
    STATE: "what is left of the quotas",
    "Retry-After": "seconds until the next attempt can succeed",
}
_HEADERS: dict[str, dict[str, str]] = {
    "401": {"WWW-Authenticate": "challenge of RFC 6750"},
    "403": {"WWW-Authenticate": "challenge of RFC 6750, with the missing scope"},
    "429": _QUOTA,
}


def describe(document: Document, refusals: Document) -> None:
    """Describe API keys in an OpenAPI document.

    Args:
        refusals: error responses of authentication and quotas, by status.
    """
    described = "; ".join(f"`{scope}`: {meaning}" for scope, meaning in MEANINGS.items())
    document["components"].setdefault("securitySchemes", {})[SCHEME] = {
        "type": "http",
        "scheme": "bearer",
        "description": f"Key made by `n2n keys add`. Required if the service has keys. Scopes: {described}.",
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scope = needed(method.upper(), path)
            if scope is not None:
                operation["security"] = [{SCHEME: [scope]}, {}]  # the second one: a service without keys
                for status, response in refusals.items():
                    own = operation["responses"].get(status)
                    operation["responses"][status] = _with_headers(
                        _joined(response, own) if own else response, _HEADERS[status]
                    )


def _joined(refusal: Document, own: Document) -> Document:
    """Merge an error response with the operation's own errors of the same status."""
    (media_type, content), *_ = refusal["content"].items()
    examples = own["content"][media_type]["examples"] | content["examples"]
    return {**own, "content": {media_type: {**content, "examples": examples}}}


def _with_headers(response: Document, headers: dict[str, str]) -> Document:
    described = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    return {**response, "headers": described}

"""The ``Accept`` header."""

import pytest

from service.http.negotiation import Answer, negotiate

PNG, WEBP, JPEG = Answer("png", "image/png"), Answer("webp", "image/webp"), Answer("jpeg", "image/jpeg")


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        ("", PNG),
        ("*/*", PNG),
        ("image/*", PNG),
        ("IMAGE/WebP", WEBP),
        ("image/webp, image/png", PNG),
        ("image/webp, image/png;q=0.9", WEBP),
        ("image/*;q=0.2, image/jpeg;q=0.3", JPEG),
        ("*/*, image/png;q=0", JPEG),
        ("image/png;q=0, image/*;q=0", None),
        ("text/html", None),
        ("image/avif", None),
        ("image/png;q=high", None),
        ("application/octet-stream, text/html", Answer("png", "application/octet-stream")),
        ("text/html,application/xhtml+xml,image/avif,image/webp,*/*;q=0.8", WEBP),
    ],
)
def test_the_most_wanted_format_wins_and_ties_go_to_the_inputs(accept: str, answer: Answer | None) -> None:
    assert negotiate(accept, own="png") == answer

"""Checks that every error response must pass."""

import httpx

from service.http.problem import Problem


def check(response: httpx.Response, status: int, code: str, *parts: str) -> Problem:
    """Assert that ``response`` is this problem and its detail holds all ``parts``."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(response.content)
    assert (problem.status, problem.code) == (status, code)
    assert problem.instance == response.request.url.raw_path.decode().partition("?")[0]
    assert problem.request_id == response.headers["x-request-id"] != ""
    for part in parts:
        assert part in problem.detail
    return problem

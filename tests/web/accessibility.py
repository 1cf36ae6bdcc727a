"""Accessibility checks with axe-core, in both themes."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """Return a line for each element that breaks a rule of WCAG AA, in the light and in the dark theme."""
    page.evaluate(AXE.read_text())
    return [f"{theme}: {line}" for theme in ("light", "dark") for line in _in_theme(page, theme)]


def _in_theme(page: Page, theme: str) -> list[str]:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    run = "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})"
    found: list[dict[str, Any]] = page.evaluate(run, TAGS)["violations"]
    return [
        f"{rule['id']}: {node['html'][:150]} {node['failureSummary'][:200]}"
        for rule in found
        for node in rule["nodes"]
    ]

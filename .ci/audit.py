"""Are any of the installed packages known to be vulnerable? By pip-audit, in this environment.

Exits with 1 if one is. Where no advisory database answers, it says so and exits with 0: that is not
the packages' fault, and nothing here hides it.
"""

import json
import subprocess
import sys
from typing import Any

ACCEPTED: dict[str, str] = {}
"""Advisories that do not concern us, by id, each with the reason."""

COMMAND = (
    "pip_audit",
    "--format=json",
    "--progress-spinner=off",
    "--aliases=on",
    "--desc=off",
    "--skip-editable",
    "--timeout=10",
)


def verdict(dependencies: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """The exit code, and lines for people, of what pip-audit reports."""
    audited = [each for each in dependencies if "vulns" in each]
    skipped = [each for each in dependencies if "vulns" not in each]
    if not audited:
        return 0, [f"NOT AUDITED: no advisory database knows any of the {len(skipped)} packages from here"]
    lines = [f"not audited: {each['name']}: {each['skip_reason']}" for each in skipped]
    found = [(each, advisory) for each in audited for advisory in each["vulns"]]
    open_ = [(each, advisory) for each, advisory in found if not _accepted(advisory)]
    for each, advisory in open_:
        fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
        lines.append(f"VULNERABLE: {each['name']} {each['version']}: {advisory['id']}, fixed in {fixed}")
    lines.append(f"{len(audited)} packages audited, {len(open_)} advisories")
    return int(bool(open_)), lines


def _accepted(advisory: dict[str, Any]) -> bool:
    return not ACCEPTED.keys().isdisjoint({advisory["id"], *advisory.get("aliases", ())})


def main() -> int:
    """Ask, and print what came of it."""
    done = subprocess.run([sys.executable, "-m", *COMMAND], capture_output=True, text=True, check=False)
    try:
        code, lines = verdict(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no answer"])[-1][:200]
        code, lines = 0, [f"NOT AUDITED: no advisory database was reached ({reason})"]
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())

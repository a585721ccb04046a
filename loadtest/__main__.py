"""`make loadtest`: start a server, have locust's users call it for a minute, report into loadtest/results/.

Exit code 1 if any call ended other than expected, if a kind of user made no call, or if the server did not stay well.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from pathlib import Path

from loadtest.server import CALLGATE, ROOT, ServerProcess

#: What `make run` serves; the users call these.
TARGETS = (
    "math", "statistics", "json.dumps", "json.loads", "builtins.len", "builtins.abs", "builtins.sum", "examples/",
)  # fmt: skip

USERS = ("PlainUser", "FailingUser", "SlowUser", "MixedUser")


def main() -> int:
    """Run a load test."""
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    parser.add_argument("--time", default="60s", help="how long, as locust says it: 60s, 5m (default: %(default)s)")
    parser.add_argument("--users", type=int, default=24, help="how many users, over all kinds (default: %(default)s)")
    parser.add_argument("--callgate", default=CALLGATE, help="the server's command (default: this environment's)")
    parser.add_argument("--results", type=Path, default=ROOT / "loadtest/results", help="where reports go")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    reports = options.results / "report"
    with ServerProcess(*TARGETS, command=(options.callgate, "serve"), cwd=ROOT) as server:
        before = server.rss_bytes()
        locust = subprocess.run(
            [
                sys.executable, "-m", "locust", "--locustfile", str(ROOT / "loadtest/users.py"), "--headless",
                "--only-summary", "--host", server.address, "--users", str(options.users),
                "--spawn-rate", str(options.users), "--run-time", options.time, "--stop-timeout", "10s",
                "--exit-code-on-error", "1", "--html", f"{reports}.html", "--csv", str(reports), *USERS,
            ],
            cwd=ROOT, check=False,
        )  # fmt: skip
        after = server.rss_bytes()
        code = server.stop()
    problems = []
    if locust.returncode:
        problems.append(f"calls ended other than expected (locust's exit code {locust.returncode})")
    with open(f"{reports}_stats.csv", encoding="utf-8", newline="") as file:
        kinds = {row["Type"] for row in csv.DictReader(file) if int(row["Request Count"])}
    problems += [f"{kind} made no call" for kind in USERS if kind not in kinds]
    if code:
        problems.append(f"the server exited {code}:\n{server.stderr.text()}")
    if "internal error" in server.stderr.text():
        problems.append(f"the server logged internal errors:\n{server.stderr.text()}")
    print(f"server: {before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after; reports: {reports}.html, {reports}_*.csv")
    for problem in problems:
        print(f"loadtest: FAILED: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.reliability --tasks 300`: draw cases, run them and tell which promises were broken; then exit 1."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable
from pathlib import Path

from .cases import draw
from .report import Verdict, broken, story, table
from .soak import Soak

LANES = 8


def soak(rounds: Iterable[int], *, seed: int, lanes: int = LANES, details: Path | None = None) -> list[Verdict]:
    """Run rounds of a seed, and tell of each as it ends.

    :param details: file to which the story of each breach is written.
    """
    verdicts: list[Verdict] = []
    with Soak(lanes) as airflow:
        for number in rounds:
            drawn = draw(seed, number, lanes)
            print(f"round {number} of seed {seed}: {drawn.blow.value if drawn.blow else 'no blow'}", flush=True)
            ended = airflow.run(drawn)
            verdicts += ended
            for verdict in ended:
                for finding in verdict.findings:
                    known = f" [{finding.known}]" if finding.known else ""
                    print(f"  {verdict.seen.case.name}: {finding.promise.value}: {finding.text}{known}", flush=True)
                if verdict.findings and details:
                    with details.open("a") as file:
                        file.writelines(f"{line}\n" for line in story(verdict))
    return verdicts


def main() -> None:
    """Read the command line and soak."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--tasks", type=int, default=300, help="how many tasks (300)")
    parser.add_argument("--lanes", type=int, default=LANES, help=f"how many at a time ({LANES})")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="repeat a soak's cases")
    parser.add_argument("--rounds", type=int, nargs="*", help="only these rounds of the seed")
    parser.add_argument("--details", type=Path, help="file for the story of each breach")
    chosen = parser.parse_args()
    rounds = chosen.rounds or range(-(-chosen.tasks // chosen.lanes))
    verdicts = soak(rounds, seed=chosen.seed, lanes=chosen.lanes, details=chosen.details)
    print(f"\nseed {chosen.seed}\n{table(verdicts)}")
    sys.exit(bool(broken(verdicts)))


if __name__ == "__main__":
    main()

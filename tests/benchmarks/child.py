"""A process of its own: for every line on its input it takes one more step of a generator and prints what it yields."""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    """Run the generator that the command line names as ``module:function``; the first line has its arguments."""
    module, _, name = sys.argv[1].partition(":")
    arguments = json.loads(sys.stdin.readline())
    # Whatever a library prints must not come between the figures.
    out, sys.stdout = sys.stdout, sys.stderr
    steps = getattr(importlib.import_module(module), name)(**arguments)
    for _line in sys.stdin:
        print(json.dumps(next(steps)), file=out, flush=True)
    # What it holds open ends here, not when the interpreter does.
    steps.close()


if __name__ == "__main__":
    main()

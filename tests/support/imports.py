"""What importing a function costs, measured in fresh interpreters against importing psycopg alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BASELINE = "psycopg"
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'layers' / 'shared'}{os.pathsep}{ROOT}"}


def cost_of(module: str) -> float:
    """CPU seconds to import a module in a fresh interpreter."""
    return float(
        _python(
            f"import time; began = time.process_time(); import {module}; print(time.process_time() - began)"
        )
    )


def loaded_by(module: str) -> set[str]:
    """The modules in memory after importing one in a fresh interpreter."""
    names: list[str] = json.loads(
        _python(f"import {module}, json, sys; print(json.dumps(list(sys.modules)))")
    )
    return set(names)


def ratio_to_baseline(module: str, rounds: int) -> float:
    """The least a module costs over some rounds, as a multiple of the least the baseline does in the same rounds."""
    pairs = [(cost_of(module), cost_of(BASELINE)) for _ in range(rounds)]
    return min(cost for cost, _ in pairs) / min(baseline for _, baseline in pairs)


def _python(code: str) -> str:
    done = subprocess.run(  # noqa: S603  our own interpreter, our own code
        [sys.executable, "-c", code], env=ENVIRONMENT, cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()

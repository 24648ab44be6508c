"""`python -m bench [name …]`: run the benchmarks, print one table, fail when a bar is missed."""

import os
import platform
import sys
from importlib import import_module
from pkgutil import iter_modules

import bench
from bench.table import Row, print_table


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all of them; 1 when a row misses its bar."""
    found = sorted(module.name for module in iter_modules(bench.__path__) if module.name != "__main__")
    rows: list[Row] = []
    for name in names or found:
        module = import_module(f"bench.{name}")
        if hasattr(module, "rows"):
            print(f"bench.{name} …", file=sys.stderr)
            rows += module.rows()
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs")
    print_table(rows)
    return 0 if all(row.ok for row in rows) else 1


sys.exit(main(sys.argv[1:]))

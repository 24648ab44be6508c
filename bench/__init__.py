"""Repeatable measurements, each beside a bar it must keep or a floor it is compared with. `make bench` runs them.

A module of this folder that has `rows() -> Iterable[Row]` (`bench.table`) is a benchmark; nothing registers it.
`python -m bench engine slots` runs those two. The exit status is 1 when a row misses its bar.

`bench.timing` measures, `bench.stage` gives a migrated database on a durable PostgreSQL of its own.
"""

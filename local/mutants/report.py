"""What came of the changes, as docs/mutants.md says it."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.mutants.change import Change
from local.mutants.trial import Verdict

EXPLAINED = Path(__file__).with_name("survivors.toml")
HEAD = """# Would the tests notice?

`make mutants` makes small changes to a copy of the core and of its SQL, one at a time, and runs the tests that reach
the changed function until one fails. Which changes is drawn by a seed: the areas below take turns, and within an area
the kinds of change do (a comparison turned or moved by one, AND for OR, a condition dropped, a lock, an order or a
conflict's handling removed, a transaction or a retry removed, a statement not run, and so on), so that rare kinds count
as much as frequent ones. Why each survivor survived is written in `local/mutants/survivors.toml`.
"""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a change survives; `visible` says whether anybody could see what it does."""

    why: str
    visible: bool


def read_explanations(file: Path = EXPLAINED) -> Mapping[str, Explanation]:
    told = tomllib.loads(file.read_text(encoding="utf-8")).get("survivor", [])
    return {one["id"]: Explanation(one["why"], one["visible"]) for one in told}


def write(
    verdicts: Mapping[str, Sequence[Verdict]], seed: str, explained: Mapping[str, Explanation], into: Path
) -> str:
    """Write the report; answers its summary in one line."""
    rows, survivors, all_of = [], [], Counter[str]()
    for area, tried in verdicts.items():
        count = Counter(_outcome(one, explained) for one in tried)
        all_of += count
        rows.append(
            f"| {area} | {len(tried)} | {count['noticed']} | {count['invisible']} | {count['survived']} |"
        )
        survivors += [one for one in tried if one.noticed_by is None]
    seen = all_of["noticed"] + all_of["survived"]
    share = all_of["noticed"] / seen if seen else 1.0
    summary = (
        f"{all_of.total()} changes (seed {seed}): {all_of['noticed']} noticed, {all_of['invisible']} change nothing "
        f"that can be seen, {all_of['survived']} not noticed: {share:.1%} of those that can be seen are noticed."
    )
    lines = [
        HEAD,
        summary,
        "",
        "| area | changes | noticed | cannot be seen | not noticed |",
        "|---|---|---|---|---|",
    ]
    lines += [*rows, "", "## Survivors", ""]
    lines += [_survivor(one, explained) for one in survivors] or ["None."]
    into.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return summary


def describe(change: Change) -> str:
    where = f"{change.path.removeprefix('layers/shared/')}:{change.line}"
    return f"{where} ({change.place or 'module'}) {change.kind}: {change.shown}"


def _outcome(verdict: Verdict, explained: Mapping[str, Explanation]) -> str:
    if verdict.noticed_by is not None:
        return "noticed"
    told = explained.get(verdict.change.id)
    return "invisible" if told and not told.visible else "survived"


def _survivor(verdict: Verdict, explained: Mapping[str, Explanation]) -> str:
    told = explained.get(verdict.change.id)
    why = told.why if told else "not explained yet"
    kind = "cannot be seen" if told and not told.visible else "not noticed"
    return f"- `{verdict.change.id}` {describe(verdict.change)} — {kind}: {why}"

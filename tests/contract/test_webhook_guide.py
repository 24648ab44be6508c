"""The guide for whoever builds scenarios in Make.com, and the blueprint to import: what can be checked without Make."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from domain.clock import on_toronto_clock
from domain.webhooks.event_types import EVENTS
from domain.webhooks.events.cast import NOW
from domain.webhooks.events.samples import PAYLOADS, sample
from domain.webhooks.signature import sign
from local.webhook_docs import blueprint as made
from local.webhook_docs import texts
from tests.contract.make_scenario import Scenario
from tests.support.documented import schema

PRINTED = "jeudi 10 décembre 2026 à 9 h, 60,75 $"
SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
FIRST, ROUTER = 1, "builtin:BasicRouter"
OPERATORS = {
    "text:contain": "*Text operators: Contains*",
    "text:equal": "*Text operators: Equal to*",
    "text:notequal": "*Not equal to*",
    "boolean:equal": "*Boolean operators: Equal to*",
    "number:greaterorequal": "*Numeric operators: Greater than or equal to*",
    "date:greater": "*Date operators: Later than*",
}
"""As a blueprint and as Make's window write them."""

LIFETIMES = {"roundtrip": "*One cycle*"}
MODULES = {
    "gateway:CustomWebHook": "Custom webhook",
    "util:SetVariables": "Set multiple variables",
    "util:SetVariable2": "Set variable",
    "json:ParseJSON": "Parse JSON",
    "datastore:ExistRecord": "Check the existence of a record",
    "datastore:AddRecord": "Add/replace a record",
    "builtin:BasicFeeder": "Iterator",
    "util:ComposeTransformer": "Compose a string",
}

type Module = dict[str, Any]

OF_4AS = [event.name for event in EVENTS.values() if event.product == "tutoring"]
every_event = pytest.mark.parametrize("event_type", OF_4AS)


@pytest.fixture(scope="module")
def guide() -> str:
    return (texts.DOCS / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def blueprint() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((texts.DOCS / "blueprint.json").read_text(encoding="utf-8"))
    return document


def modules(flow: list[Module], before: tuple[int, ...] = ()) -> Iterator[tuple[Module, tuple[int, ...]]]:
    """Every module with the numbers of those that ran before it on its own path."""
    for module in flow:
        yield module, before
        before = (*before, module["id"])
        for route in module.get("routes", ()):
            yield from modules(route["flow"], before)


def routes(blueprint: dict[str, Any]) -> list[list[Module]]:
    return [route["flow"] for route in blueprint["flow"][-1]["routes"]]


def types_let_through(route: list[Module]) -> set[str]:
    """Which events the filter of a route lets through, what expires and what they hold apart."""
    (conditions,) = route[0]["filter"]["conditions"]
    on_type = [one for one in conditions if one["a"] == "{{4.type}}"]
    return {
        event_type
        for event_type in (*OF_4AS, "une.surprise")
        if all((one["b"] == event_type) == (one["o"] == "text:equal") for one in on_type)
    }


def texts_of(node: Any) -> Iterator[str]:
    match node:
        case str():
            yield node
        case list():
            for element in node:
                yield from texts_of(element)
        case dict():
            for element in node.values():
                yield from texts_of(element)


def chapter(guide: str, title: str) -> str:
    """A section of the guide, without its title."""
    rest = guide[guide.index(f"## {title}\n") + len(title) + 4 :]
    return rest[: rest.index("\n## ")]


def code_blocks(guide: str) -> list[str]:
    """What is shown to be copied, wherever it is indented."""
    return [
        "\n".join(line.strip() for line in block.strip().splitlines())
        for block in re.findall(r"^ *```(?:json)?\n(.*?)^ *```$", guide, re.DOTALL | re.MULTILINE)
    ]


# --- The blueprint ---------------------------------------------------------------------------------------------------


def test_every_type_of_event_has_its_own_routes_and_the_last_one_takes_the_rest(
    blueprint: dict[str, Any],
) -> None:
    let_through = [types_let_through(route) for route in routes(blueprint)]

    assert all(len(types) == 1 for types in let_through)
    assert set.union(*let_through[:-1]) == set(OF_4AS)
    assert let_through[-1] == {"une.surprise"}
    assert len({route[0]["filter"]["name"] for route in routes(blueprint)}) == len(let_through)


def test_no_route_writes_to_a_student_and_to_a_tutor(blueprint: dict[str, Any]) -> None:
    for route in routes(blueprint):
        written = json.dumps(route)
        assert not ("student.email" in written and re.search(r"tutor[._]email", written)), written


def test_orders_are_confirmed_once_and_sessions_one_by_one(blueprint: dict[str, Any]) -> None:
    first, second = (
        [module["module"] for module in route]
        for route in routes(blueprint)
        if types_let_through(route) == {"booking.created"}
    )

    assert first == ["builtin:BasicFeeder", "util:ComposeTransformer"]
    assert second == ["util:ComposeTransformer"]


def test_modules_have_numbers_of_their_own_and_are_as_make_wants_them(blueprint: dict[str, Any]) -> None:
    found = [module for module, _ in modules(blueprint["flow"])]

    assert [module["id"] for module in found] == list(range(FIRST, len(found) + 1))
    for module in found:
        assert re.fullmatch(r"[a-z]+:[A-Za-z0-9]+", module["module"])
        assert module["version"] == 1
        assert module["parameters"] == {}, "what belongs to an account is chosen by the person who imports it"
        assert set(module["metadata"]["designer"]) == {"x", "y", "name"}
        assert ("routes" in module) == (module["module"] == ROUTER)
    assert len({tuple(module["metadata"]["designer"].values())[:2] for module in found}) == len(found)


def test_neither_the_webhook_nor_the_router_has_a_filter(blueprint: dict[str, Any]) -> None:
    unfiltered = [module["module"] for module, _ in modules(blueprint["flow"]) if "filter" not in module]

    assert unfiltered == [
        "gateway:CustomWebHook",
        "util:SetVariables",
        "util:SetVariable2",
        ROUTER,
        "util:ComposeTransformer",  # the line of a session, after the iterator that has the route's filter
    ]


def test_formulas_and_filters_speak_of_modules_that_ran_before(blueprint: dict[str, Any]) -> None:
    for module, before in modules(blueprint["flow"]):
        own = {key: value for key, value in module.items() if key != "routes"}
        for text in texts_of(own):
            assert text.count("{{") == text.count("}}")
            for formula in re.findall(r"\{\{(.*?)\}\}", text):
                unquoted = re.sub(r'"[^"]*"', '""', formula)
                assert {int(number) for number in re.findall(r"\b(\d+)\.", unquoted)} <= set(before), formula


def test_filters_use_operators_that_make_has(blueprint: dict[str, Any]) -> None:
    conditions = [
        condition
        for module, _ in modules(blueprint["flow"])
        for either in module.get("filter", {}).get("conditions", ())
        for condition in either
    ]

    assert {condition["o"] for condition in conditions} == set(OPERATORS)
    assert all(set(condition) == {"a", "o", "b"} for condition in conditions)


@every_event
def test_routes_name_fields_that_their_event_has(blueprint: dict[str, Any], event_type: str) -> None:
    event = sample(event_type)
    for route in routes(blueprint):
        if types_let_through(route) != {event_type}:
            continue
        iterated = {}
        if route[0]["module"] == "builtin:BasicFeeder":
            iterated = {str(route[0]["id"]): event["payload"]["items"][0]}

        named = re.findall(r"\b(\d+)\.([a-z_.]+)", " ".join(texts_of(route)))

        assert named
        for number, path in named:
            value: Any = iterated.get(number, event)
            for key in path.split("."):
                value = value[key]


@every_event
def test_what_may_be_empty_is_not_printed_without_a_word_in_its_place(event_type: str) -> None:
    document = schema(event_type)
    for told in texts.routes(event_type):
        for path in re.findall(r"\{\{([a-z_.]+)\}\}", told["line"]):
            node = document["properties"]["payload"]
            for name in (*([told["each"]] if "each" in told else []), *path.split(".")):
                if "$ref" in node:
                    node = document["$defs"][node["$ref"].rpartition("/")[2]]
                field = node["properties"][name]
                assert "anyOf" not in field, path
                node = field.get("items", field)


@every_event
def test_a_code_that_a_route_asks_for_is_one_of_its_field_s(event_type: str) -> None:
    fields = schema(event_type)["properties"]["payload"]["properties"]
    for told in texts.routes(event_type):
        assert all(value in fields[name]["enum"] for name, value in told.get("only", {}).items())


def test_what_expires_is_looked_at_once_more(blueprint: dict[str, Any]) -> None:
    looked_at = {
        event_type
        for route in routes(blueprint)
        for event_type in types_let_through(route)
        if any(condition["o"] == "date:greater" for condition in route[0]["filter"]["conditions"][0])
    }

    assert looked_at == {name for name in OF_4AS if "expires_at" in sample(name)["payload"]}
    assert looked_at == {"password.reset_requested", "appointment.reminder"}


def test_no_line_tells_what_is_confidential(blueprint: dict[str, Any]) -> None:
    told = json.dumps(
        [route for route in routes(blueprint) if route[0]["filter"]["name"] != "tutor.rate.updated"]
    )

    assert re.findall(r"tutor_earnings|hourly_base_rate|old_rate|new_rate|student_id", told) == []


def test_the_scenario_takes_one_event_at_a_time_and_keeps_what_failed_and_no_content(
    blueprint: dict[str, Any],
) -> None:
    settings = blueprint["metadata"]["scenario"]

    assert (settings["sequential"], settings["dlq"], settings["confidential"]) == (True, True, True)
    assert settings["dataloss"] is False
    assert set(blueprint) == {"name", "description", "flow", "metadata"}
    assert blueprint["metadata"]["designer"] == {"orphans": []}


def test_a_blueprint_says_that_it_was_never_imported(blueprint: dict[str, Any], guide: str) -> None:
    assert "Importé dans aucun compte Make à ce jour" in blueprint["description"]
    assert "Ce qui n’a pas été essayé" in guide


# --- The guide -------------------------------------------------------------------------------------------------------


def test_the_guide_shows_the_formulas_of_the_blueprint(guide: str) -> None:
    shown = code_blocks(guide)

    assert {*made.VARIABLES.values(), made.EXPECTED, made.STILL_USEFUL} <= set(shown)
    assert all(f"`{name}`" in guide for name in made.VARIABLES)
    assert made.SECRET in guide


def test_the_steps_build_the_trunk_and_the_first_route_of_the_blueprint(
    blueprint: dict[str, Any], guide: str
) -> None:
    """Step by step: what is typed in the guide is what the blueprint has, with the same filters and numbers."""
    steps = " ".join(guide[guide.index("## Du scénario vide") : guide.index("## Mettre en service")].split())
    booking = routes(blueprint)[0]
    assert types_let_through(booking) == {"booking.created"}

    for module in [*blueprint["flow"][:-1], *booking]:
        assert f"{module['id']} {MODULES[module['module']]}" in steps
        for text in texts_of([module["mapper"], module.get("filter", {})]):
            assert OPERATORS.get(text, LIFETIMES.get(text, text)) in steps


def test_the_guide_names_every_operator_of_a_filter(guide: str) -> None:
    words = " ".join(guide.split())

    assert all(label in words for label in OPERATORS.values())


def test_the_line_in_five_minutes_prints_what_it_promises_with_the_sample_pasted(guide: str) -> None:
    """Its four clicks as a scenario that begins with Parse JSON, played on the file that is pasted."""
    walk = chapter(guide, "La ligne en cinq minutes")
    array, line, promised = code_blocks(walk)
    pasted = (texts.DOCS / "samples" / "booking.created.json").read_text(encoding="utf-8")
    flow: list[Module] = [
        {"id": 1, "module": "json:ParseJSON", "mapper": {"json": pasted}},
        {"id": 2, "module": "builtin:BasicFeeder", "mapper": {"array": array}},
        {"id": 3, "module": "util:ComposeTransformer", "mapper": {"value": line}},
    ]

    lines = Scenario({"flow": flow}, "", "no placeholder", NOW).run_once()

    assert lines == [promised, "mardi 15 décembre 2026 à 16 h 30, 60,75 $"]
    assert promised == PRINTED
    assert f"`{lines[1]}`" in walk
    assert "](samples/booking.created.json)" in walk
    places = [walk.index(f"*{MODULES[module['module']]}*") for module in flow]
    assert all(before < after for before, after in pairwise(places))
    assert "{{" not in pasted, "Make would take it for a formula"
    assert "}}" not in pasted


def test_what_arrives_late_changes_no_diary(guide: str) -> None:
    """The recipe of its chapter on the events of one session, in the wrong order and twice."""
    recipe = chapter(guide, "Quand l’ordre compte")
    key, sequence, newest = "{{4.payload.appointment_id}}", "{{4.sequence}}", "{{ifempty(38.sequence; 0)}}"
    assert all(f"`{formula}`" in recipe for formula in (key, sequence, newest))
    assert "*Numeric operators: Greater than*" in recipe
    newer = {"name": "", "conditions": [[{"a": sequence, "o": "number:greater", "b": newest}]]}
    kept = {"key": key, "data": {"sequence": sequence}, "overwrite": True}
    told: list[Any] = []
    store: dict[str, Any] = {}
    for number in (2, 1, 3, 3, 2):
        event = sample("booking.rescheduled") | {"sequence": number}
        flow = [
            {"id": 4, "module": "json:ParseJSON", "mapper": {"json": json.dumps(event)}},
            {"id": 38, "module": "datastore:GetRecord", "mapper": {"key": key}},
            {"id": 39, "module": "datastore:AddRecord", "mapper": kept, "filter": newer},
            {"id": 40, "module": "util:ComposeTransformer", "mapper": {"value": sequence}},
        ]
        scenario = Scenario({"flow": flow}, "", "no placeholder", NOW)
        scenario.store = store
        told += scenario.run_once()

    assert told == [2, 3]


@every_event
def test_the_table_of_events_says_what_each_is_numbered_with(guide: str, event_type: str) -> None:
    identifier = PAYLOADS[event_type].ordering_key.partition(":")[2]
    (row,) = [line for line in guide.splitlines() if line.startswith(f"| [`{event_type}`]")]

    field = row.split("`")[-2]
    assert sample(event_type)["payload"][field] == identifier


def test_the_line_that_step_12_prints_is_what_the_sample_holds(guide: str) -> None:
    items = sample("booking.created")["payload"]["items"]

    lines = [f"{item['start_fr']}, {item['price_fr']}" for item in items]

    assert lines == [PRINTED, "mardi 15 décembre 2026 à 16 h 30, 60,75 $"]
    assert lines[0] in code_blocks(guide)
    assert f"`{lines[1]}`" in guide
    assert texts.routes("booking.created")[0]["line"] == "{{start_fr}}, {{price_fr}}"


def test_what_the_guide_prints_of_fields_without_a_twin_is_what_the_sample_holds(guide: str) -> None:
    event = sample("booking.created")
    sent = on_toronto_clock(datetime.fromisoformat(event["sent_at"]))

    assert f"`{sent:%Y-%m-%d %H:%M}`" in guide
    assert f"`{event['payload']['total_fr']}`" in guide
    assert "sent_fr" not in event


def test_the_formula_alone_gives_the_signature_that_we_send(guide: str) -> None:
    """The text that is signed, the key and the result, as they are shown to be copied."""
    blocks = code_blocks(guide)
    (signed,) = [block for block in blocks if block.startswith("evt_")]
    (formula,) = [block for block in blocks if f'"base64"; "{SECRET}"; "base64"' in block]
    (promised,) = [block for block in blocks if re.fullmatch(r"v1,[A-Za-z0-9+/]{43}=", block)]
    event_id, timestamp, body = signed.split(".")

    assert formula == f'v1,{{{{sha256(1.texte; "base64"; "{SECRET}"; "base64")}}}}'
    assert promised == sign([f"whsec_{SECRET}"], event_id, int(timestamp), body.encode())


def test_a_signature_is_as_long_as_the_guide_says(guide: str) -> None:
    signature = sign([f"whsec_{SECRET}"], "evt_1", 1, b"")

    assert f"un texte de {len(signature)} caractères" in guide


def test_every_place_that_the_pages_point_to_exists(guide: str) -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", guide, re.MULTILINE)
    }
    pointed = set(re.findall(r"\]\(#([^)]+)\)", guide))
    for page in texts.DOCS.glob("*.md"):
        pointed |= set(re.findall(r"\]\(README\.md#([^)]+)\)", page.read_text(encoding="utf-8")))

    assert pointed - headings == set()
    assert {"lenveloppe", "vérifier-la-signature", "dédoublonner", "aiguiller-par-type"} <= pointed


def test_the_table_of_contents_has_every_section_in_its_order(guide: str) -> None:
    contents = guide[guide.index("## Sommaire") : guide.index("## Avant de commencer")]

    assert re.findall(r"^- \[([^\]]+)\]\(#", contents, re.MULTILINE) == re.findall(
        r"^## (?!Sommaire)(.+)$", guide, re.MULTILINE
    )


def test_every_route_of_the_source_is_of_an_event() -> None:
    assert set(texts.load("routes.toml")) == set(EVENTS)


def test_a_guide_whose_marks_do_not_agree_with_its_parts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"guide\.md marks"):
        texts.guide({"events": "", "addresses": ""})

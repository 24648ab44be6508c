"""docs/webhooks/blueprint.json and its twin of Le Dojo: scenarios to import into Make.com, a route for every event.

Only what Make asks of a hand-written blueprint: modules, mappings, filters and where they stand on the canvas. The
webhook, the data store and the secret belong to an account, so the person who imports it chooses them. The guide shows
the same formulas; tests/contract/test_webhook_guide.py compares them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.product import Product
from domain.webhooks.envelopes import Envelope
from domain.webhooks.event_types import ENVELOPES, EVENTS
from domain.webhooks.events import PAYLOADS
from domain.webhooks.events.samples import sample
from local.webhook_docs import texts

WEBHOOK, HEADERS, SIGNATURE, EVENT, SEEN, REMEMBER, ROUTER, FIRST_OF_ROUTES = range(1, 9)
"""The numbers of the modules, as formulas name them: {{4.type}} is the type that module 4 read."""

SECRET = "COLLER_ICI_LE_SECRET_SANS_SON_PREFIXE"
"""What the person who imports it replaces; until then no signature is valid."""
VARIABLES = {
    "signature_recue": '{{first(map(1.__IMTHEADERS__; "value"; "name"; "webhook-signature"))}}',
    "heure_essai": '{{first(map(1.__IMTHEADERS__; "value"; "name"; "webhook-timestamp"))}}',
    "renvoi": '{{first(map(1.__IMTHEADERS__; "value"; "name"; "x-4as-replay"))}}',
    "texte_signe": '{{first(map(1.__IMTHEADERS__; "value"; "name"; "webhook-id"))}}'
    '.{{first(map(1.__IMTHEADERS__; "value"; "name"; "webhook-timestamp"))}}.{{1.value}}',
}
EXPECTED = f'v1,{{{{sha256(2.texte_signe; "base64"; "{SECRET}"; "base64")}}}}'
FORCED = "{{ifempty(2.renvoi; 0)}}"
A_WEEK_AGO = "{{timestamp - 604800}}"
"""`x-4as-replay` is not signed, the time of the attempt is: a call that was intercepted is good for a week at most."""
STILL_USEFUL = (
    '{{parseDate(ifempty(4.payload.expires_at; "2000-01-01T00:00:00.000Z"); "YYYY-MM-DDTHH:mm:ss.SSSZ")}}'
)
"""Make may work out a filter whole, for events without `expires_at` too: no formula fails on an empty value."""

SETTINGS = {
    "roundtrips": 1,
    "maxErrors": 3,
    "autoCommit": True,
    "autoCommitTriggerLast": True,
    "sequential": True,
    "slots": None,
    "confidential": True,
    "dataloss": False,
    "dlq": True,
    "freshVariables": False,
}
"""One event at a time, what failed is kept, what was processed is not."""
STEP = 300

NAMES: Mapping[Product, str] = {"tutoring": "4AS", "training": "Le Dojo Financier"}

type Module = dict[str, Any]
type Condition = dict[str, str]
type Filter = tuple[str, Sequence[Sequence[Condition]]]
"""Its name, and lists of conditions: all of one list must hold."""


def blueprint(product: Product) -> dict[str, Any]:
    """The scenario: verify, read, filter, deduplicate, then routes for each type of event and one for the unknown."""
    envelope = ENVELOPES[product]
    routes = list(_routes(product, envelope))
    middle = STEP * (len(routes) - 1) // 2
    return {
        "name": f"{NAMES[product]} - réception des événements",
        "description": "Vérifie la signature, écarte les doublons et aiguille chaque type d’événement. "
        "Importé dans aucun compte Make à ce jour : suivre le guide, section « Importer le plan tout fait ».",
        "flow": [
            *_trunk(middle, envelope),
            _module(ROUTER, "builtin:BasicRouter", "Aiguiller par type", 6, middle, mapper=None)
            | {"routes": [{"flow": route} for route in routes]},
        ],
        "metadata": {
            "instant": True,
            "version": 1,
            "scenario": SETTINGS,
            "designer": {"orphans": []},
        },
    }


def _trunk(y: int, envelope: Envelope) -> list[Module]:
    """What every event goes through, from the webhook to the router."""
    variables = [{"name": name, "value": value} for name, value in VARIABLES.items()]
    return [
        _module(WEBHOOK, "gateway:CustomWebHook", "Recevoir", 0, y, mapper={}),
        _module(
            HEADERS,
            "util:SetVariables",
            "Lire les en-têtes",
            1,
            y,
            mapper={"variables": variables, "scope": "roundtrip"},
        ),
        _module(
            SIGNATURE,
            "util:SetVariable2",
            "Calculer la signature",
            2,
            y,
            mapper={"name": "signature_attendue", "scope": "roundtrip", "value": EXPECTED},
        ),
        _module(
            EVENT,
            "json:ParseJSON",
            "Lire l’événement",
            3,
            y,
            mapper={"json": "{{1.value}}"},
            only=(
                "Signature valide",
                [[_when("{{2.signature_recue}}", "text:contain", "{{3.signature_attendue}}")]],
            ),
        ),
        _module(
            SEEN,
            "datastore:ExistRecord",
            "Déjà vu ?",
            4,
            y,
            mapper={"key": f"{{{{4.{envelope.id_key}}}}}"},
            only=("Le bon environnement", [[_when("{{4.environment}}", "text:equal", "prod")]]),
        ),
        _module(
            REMEMBER,
            "datastore:AddRecord",
            "Retenir",
            5,
            y,
            mapper={
                "key": f"{{{{4.{envelope.id_key}}}}}",
                "data": {"type": _type(envelope), "recu_le": "{{now}}"},
                "overwrite": True,
            },
            only=(
                "Jamais vu, ou renvoi forcé",
                [
                    [_when("{{5.exist}}", "boolean:equal", "false")],
                    [
                        _when(FORCED, "number:greaterorequal", "1"),
                        _when("{{2.heure_essai}}", "number:greaterorequal", A_WEEK_AGO),
                    ],
                ],
            ),
        ),
    ]


def _routes(product: Product, envelope: Envelope) -> Iterator[list[Module]]:
    """The routes of each type, the guide's example first, then the one of a type that this blueprint does not know."""
    number = FIRST_OF_ROUTES
    types = [event_type for event_type in PAYLOADS if EVENTS[event_type].product == product]
    written = [(event_type, told) for event_type in types for told in texts.routes(event_type)]
    written.sort(key=lambda route: not any("each" in told for told in texts.routes(route[0])))
    for place, (event_type, told) in enumerate(written):
        route = _route(event_type, envelope, told, number, place * STEP)
        number += len(route)
        yield route
    unknown = [_when(_type(envelope), "text:notequal", event_type) for event_type in types]
    only = ("Aucun des types connus", [unknown])
    yield [_line(number, f"Type inconnu : {_type(envelope)}", 7, len(written) * STEP, only)]


def _route(event_type: str, envelope: Envelope, told: Mapping[str, Any], number: int, y: int) -> list[Module]:
    """The modules of one route, the first of which has the filter. What may expire is looked at once more."""
    own = f"4.{envelope.inside}" if envelope.inside else "4"
    conditions = [_when(_type(envelope), "text:equal", event_type)]
    conditions += [
        _when(f"{{{{{own}.{field}}}}}", "text:equal", value) for field, value in told.get("only", {}).items()
    ]
    if "expires_at" in envelope.payload_of(sample(event_type)):
        conditions.append(_when(STILL_USEFUL, "date:greater", "{{now}}"))
    only = (", ".join((event_type, told["to"])) if "to" in told else event_type, [conditions])
    if "each" not in told:
        return [_line(number, _mapped(told["line"], own), 7, y, only)]
    array = {"array": f"{{{{{own}.{told['each']}}}}}"}
    return [
        _module(number, "builtin:BasicFeeder", "Une par une", 7, y, mapper=array, only=only),
        _line(number + 1, _mapped(told["line"], str(number)), 8, y),
    ]


def _line(number: int, text: str, step: int, y: int, only: Filter | None = None) -> Module:
    """Writes a line, for the e-mail that the person who imports the blueprint puts after it.

    The filter belongs to the module: whoever removes the module removes the filter.
    """
    return _module(
        number, "util:ComposeTransformer", "Ligne à envoyer", step, y, mapper={"value": text}, only=only
    )


def _type(envelope: Envelope) -> str:
    return f"{{{{4.{envelope.type_key}}}}}"


def _mapped(line: str, source: str) -> str:
    """A line of routes.toml, whose {{field}} become fields of the module where they are found."""
    return re.sub(r"\{\{(ifempty\()?(?=[a-z])", rf"{{{{\g<1>{source}.", line)


def _module(
    number: int,
    name: str,
    label: str,
    step: int,
    y: int,
    *,
    mapper: Mapping[str, Any] | None,
    only: Filter | None = None,
) -> Module:
    """One module of version 1, `step` places from the webhook; `only` is the filter before it."""
    module: Module = {"id": number, "module": name, "version": 1, "parameters": {}}
    if only:
        module["filter"] = {"name": only[0], "conditions": only[1]}
    return module | {
        "mapper": mapper,
        "metadata": {"designer": {"x": step * STEP, "y": y, "name": label}},
    }


def _when(left: str, operator: str, right: str) -> Condition:
    return {"a": left, "o": operator, "b": right}

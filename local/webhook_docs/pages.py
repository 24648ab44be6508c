"""The pages of docs/webhooks: prose by hand, tables and samples from the models."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from domain.webhooks.envelopes import Envelope
from domain.webhooks.event_types import EVENTS, FALLBACK, EventType, url_setting
from domain.webhooks.events import PAYLOADS, samples
from domain.webhooks.events.samples import sample
from local.webhook_docs import texts
from local.webhook_docs.blueprint import blueprint
from local.webhook_docs.schemas import schema

FOOTER = (
    "*Page produite par `make webhooks` à partir de `source/` et des modèles ; ne pas la modifier à la main.*"
)
KINDS = {
    ("string", "uuid"): "UUID",
    ("string", "email"): "courriel",
    ("string", "date-time"): "date et heure",
    ("string", None): "texte",
    ("number", None): "nombre",
    ("integer", None): "entier",
    ("boolean", None): "booléen",
    ("object", None): "objet",
}
OBJECTS = {
    "order": "commande",
    "checkout": "paiement",
    "appointment": "séance",
    "message": "message",
    "rating": "évaluation",
    "ticket": "billet",
    "course": "cours",
    "tutor": "tuteur",
    "password_reset": "demande",
}
"""What an event's sequence numbers, as its ordering key begins."""
LISTS = {"UUID": "liste d’UUID", "texte": "liste de textes", "objet": "liste d’objets"}


def documents() -> dict[str, str]:
    """Every generated file by its path under docs/webhooks."""
    files = {
        "README.md": index(),
        "blueprint.json": _written(blueprint("tutoring")),
        "blueprint-dojo.json": _written(blueprint("training")),
    }
    for event_type in PAYLOADS:
        files[f"{event_type}.md"] = page(event_type)
        files[f"schemas/{event_type}.json"] = _written(schema(event_type))
        files[f"samples/{event_type}.json"] = _written(sample(event_type))
    return files


def index() -> str:
    """The guide, with the list of events and of the addresses they go to."""
    events = [
        (
            f"[`{name}`]({name}.md)",
            texts.told(name)["summary"],
            f"`{_address(EVENTS[name])}`",
            _numbered(name),
        )
        for name in PAYLOADS
    ]
    areas = {event.endpoint: event for event in EVENTS.values()}
    addresses = [
        (
            f"`{_address(event)}`",
            f"`{event.endpoint}`",
            ", ".join(f"`{other.name}`" for other in EVENTS.values() if other.endpoint == event.endpoint),
            f"`{url_setting(FALLBACK)}`" if event.falls_back else "ne part pas",
        )
        for event in areas.values()
    ]
    return texts.guide(
        {
            "events": _table(("Événement", "Ce qu’il dit", "Adresse", "`sequence` numérote"), events),
            "envelope": _fields(_envelope("signup")),
            "dojo": _fields(_envelope("payment.success")),
            "addresses": _table(("Adresse", "Domaine", "Événements", "Sans adresse"), addresses),
        }
    )


def page(event_type: str) -> str:
    """What whoever builds the scenario of one event needs to know."""
    event, told = EVENTS[event_type], texts.told(event_type)
    whole = schema(event_type)
    return "\n\n".join(
        (
            f"# `{event_type}`",
            told["summary"],
            _table(
                ("Adresse", "Sans cette adresse", "Après la livraison"),
                [(f"`{_address(event)}`", _without_address(event), _kept(event))],
            ),
            f"## Quand il est envoyé\n\n{told['when']}",
            f"## Ce qu’il remplace\n\n{told['replaces']}",
            f"## Dans le scénario\n\n{told['advice']}",
            _before_all(event.envelope),
            _where_fields_are(event.envelope),
            _fields(_own(whole, event.envelope), whole["$defs"]),
            f"## Exemple\n\n[samples/{event_type}.json](samples/{event_type}.json) — "
            f"schéma : [schemas/{event_type}.json](schemas/{event_type}.json)",
            f"```json\n{_written(sample(event_type)).strip()}\n```",
            f"---\n\n{FOOTER}\n",
        )
    )


def _address(event: EventType) -> str:
    return url_setting(event.endpoint)


def _before_all(envelope: Envelope) -> str:
    plan = "le-dojo-financier" if envelope.inside is None else "importer-le-plan-tout-fait"
    return (
        "Avant tout : [vérifier la signature](README.md#vérifier-la-signature), "
        f"[dédoublonner](README.md#dédoublonner) par `{envelope.id_key}`, puis [aiguiller par "
        f"`{envelope.type_key}`](README.md#aiguiller-par-type). Le [plan à importer](README.md#{plan}) "
        "le fait déjà."
    )


def _where_fields_are(envelope: Envelope) -> str:
    if envelope.inside is None:
        return (
            "## Champs de l’événement\n\n"
            "Toutes les clés sont toujours présentes, à côté de celles de l’enveloppe, que décrit le "
            "[guide](README.md#le-dojo-financier)."
        )
    return (
        f"## Champs de `{envelope.inside}`\n\n"
        "Toutes les clés sont toujours présentes. L’enveloppe est décrite dans le "
        "[guide](README.md#lenveloppe)."
    )


def _own(whole: Mapping[str, Any], envelope: Envelope) -> Mapping[str, Any]:
    """Of an event's schema, the object with the fields that other events do not have."""
    if envelope.inside:
        own: Mapping[str, Any] = whole["properties"][envelope.inside]
        return own
    return {"properties": envelope.payload_of(whole["properties"])}


def _numbered(event_type: str) -> str:
    """The object whose events `sequence` numbers together, and the field that is its id."""
    kind, _, identifier = samples.PAYLOADS[event_type].ordering_key.partition(":")
    payload = EVENTS[event_type].envelope.payload_of(sample(event_type))
    return f"{OBJECTS[kind]}, `{next(name for name, value in payload.items() if value == identifier)}`"


def _without_address(event: EventType) -> str:
    if event.falls_back:
        return f"va à `{url_setting(FALLBACK)}`"
    return "ne part pas, et se renvoie une fois qu’elle est configurée"


def _kept(event: EventType) -> str:
    if not event.recorded:
        return "rien n’est conservé"
    return "contenu gardé 90 jours" if event.body_outlives_delivery else "contenu effacé aussitôt"


def _envelope(event_type: str) -> dict[str, Any]:
    """The envelope alone, as it is for every event of the same product."""
    whole = schema(event_type)
    envelope = EVENTS[event_type].envelope
    own = set() if envelope.inside else set(envelope.payload_of(whole["properties"]))
    properties = {
        name: {key: value for key, value in field.items() if key not in ("const", "properties")}
        for name, field in whole["properties"].items()
        if name not in own
    }
    return {"properties": properties, "$defs": whole["$defs"]}


def _fields(node: Mapping[str, Any], definitions: Mapping[str, Any] | None = None) -> str:
    definitions = node.get("$defs", {}) if definitions is None else definitions
    return _table(("Champ", "Type", "`null` ?", "Ce qu’il dit"), _rows(node, definitions))


def _rows(
    node: Mapping[str, Any], definitions: Mapping[str, Any], inside: str = ""
) -> Iterator[tuple[str, str, str, str]]:
    for name, field in node["properties"].items():
        known, nullable = _resolved(field, definitions)
        yield f"`{inside}{name}`", _kind(known, definitions), "oui" if nullable else "", field["description"]
        if "properties" in known:
            yield from _rows(known, definitions, f"{inside}{name}.")
        elif known.get("type") == "array":
            element, _ = _resolved(known["items"], definitions)
            if "properties" in element:
                yield from _rows(element, definitions, f"{inside}{name}[].")


def _resolved(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """What the field is when it is not null, and whether it may be. Of several forms, one with the fields of all."""
    forms = [
        definitions[form["$ref"].rpartition("/")[2]] if "$ref" in form else form
        for form in field.get("anyOf", [field])
    ]
    known = [form for form in forms if form["type"] != "null"] or forms
    if len(known) == 1:
        return known[0], len(forms) > 1
    together: dict[str, Any] = {}
    for name, part in (each for form in known for each in form["properties"].items()):
        if name not in together or _resolved(part, definitions)[1]:
            together[name] = part
    return {"type": "object", "properties": together}, len(forms) > len(known)


def _kind(known: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "const" in known:
        return f"`{json.dumps(known['const'])}`"
    if "enum" in known:
        return " ou ".join(f"`{choice}`" for choice in known["enum"])
    if known["type"] == "null":
        return "`null`"
    if known["type"] == "array":
        return LISTS[_kind(_resolved(known["items"], definitions)[0], definitions)]
    return KINDS[known["type"], known.get("format")]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"

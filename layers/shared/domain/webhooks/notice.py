"""The daily message to whoever runs the school: what Make.com has not received, since when, what to do."""

from collections.abc import Iterable
from dataclasses import dataclass

from domain.french import plain_moment
from domain.webhooks.health import EndpointHealth

KINDS = (
    ("held", "retenu(s)", "ils partiront d’eux-mêmes quand l’adresse sera remise en service"),
    ("skipped", "mis de côté, faute d’adresse", "configurer l’adresse, puis les renvoyer"),
    ("exhausted", "abandonné(s) après douze essais", "corriger le scénario, puis les renvoyer"),
)
HOW = (
    "Pour tout voir : « make deliveries DO=endpoints » et « make deliveries DO=undelivered », ou l’écran des webhooks"
    " de l’administration. Rien n’est perdu tant que c’est listé là."
)


@dataclass(frozen=True, slots=True)
class Notice:
    """Plain text; a subject has one line of at most 100 characters, in ASCII, as SNS wants it."""

    subject: str
    text: str


def compose(endpoints: Iterable[EndpointHealth]) -> Notice | None:
    """The message; None when nothing waits for anybody."""
    troubled = [one for one in endpoints if one.held or one.skipped or one.exhausted]
    if not troubled:
        return None
    count = sum(one.held + one.skipped + one.exhausted for one in troubled)
    sections = "\n\n".join(_section(one) for one in troubled)
    return Notice(
        f"4AS : {count} evenement(s) que Make n'a pas",
        f"Bonjour,\n\n{count} événement(s) n’ont pas été livrés à Make.\n\n{sections}\n\n{HOW}\n",
    )


def _section(one: EndpointHealth) -> str:
    lines = [f"Adresse {one.name}" + (" (par BOOKING)" if one.address == "via_booking" else "")]
    if one.state != "active" and one.since:
        lines.append(f"- laissée de côté depuis le {plain_moment(one.since)}")
    if one.oldest_undelivered:
        lines.append(f"- le plus ancien date du {plain_moment(one.oldest_undelivered)}")
    lines += [f"- {count} {what} : {todo}" for field, what, todo in KINDS if (count := getattr(one, field))]
    if one.explanation:
        lines.append(f"- {one.explanation}")
    return "\n".join(lines)

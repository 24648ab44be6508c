"""Why an event is not delivered: what the outbox keeps, and the French sentence an administrator reads."""

from collections.abc import Mapping

NO_URL = "no URL is configured"
EXPIRED = "expired"
GIVEN_UP = "given up by an administrator"
HELD = "its endpoint is left alone"

SENTENCES: Mapping[str, str] = {
    NO_URL: "Aucune adresse n’est configurée pour cet événement.",
    EXPIRED: "Il n’était plus utile : ce qu’il annonce a commencé ou a expiré avant que Make puisse le recevoir.",
    GIVEN_UP: "Un administrateur l’a annulé.",
    HELD: "Son adresse est en pause ou en panne : il attend qu’elle revienne en service.",
    "timeout": "Make n’a pas répondu à temps.",
    "dns": "L’hôte de l’adresse est introuvable.",
    "tls": "La connexion chiffrée avec Make n’a pas pu s’établir.",
    "refused": "La connexion avec Make a échoué.",
    "the URL is not one": "L’adresse configurée n’en est pas une.",
    "the URL lacks its https:// or its host": "L’adresse configurée n’a pas son https:// ou son hôte.",
    "the URL is not on the allow-list": "L’hôte de l’adresse configurée n’est pas permis.",
    "the URL is not https": "L’adresse configurée n’est pas en https.",
    "the URL has no such port": "Le port de l’adresse configurée n’existe pas.",
    "the host has a private address": "L’hôte de l’adresse configurée a une adresse privée.",
    "the URL or the API key has characters it cannot have": (
        "L’adresse ou la clé d’API contient des caractères interdits."
    ),
    "the signing secret is missing": "Le secret de signature de l’adresse manque.",
    "a signing secret is not whsec_ and base64": "Le secret de signature de l’adresse est mal formé.",
}
"""Those of the configuration are the words of adapters/make.py and adapters/posting.py; a test compares them."""

ANSWERS: Mapping[int, str] = {
    401: "Make refuse la clé d’API ou l’adresse (réponse 401).",
    403: "Make refuse la clé d’API ou l’adresse (réponse 403).",
    404: "Make ne connaît pas l’adresse (réponse 404).",
    408: "Make n’a pas reçu l’événement à temps (réponse 408).",
    410: "Le scénario est éteint, ou l’adresse n’existe plus (réponse 410).",
    413: "Make trouve l’événement trop gros (réponse 413).",
    429: "Make reçoit trop d’appels (réponse 429).",
}

ENDPOINTS: Mapping[str, str] = {
    "failing": "Make ne répond plus. Un essai est fait toutes les minutes au plus, et l’envoi reprend de lui-même.",
    "failing_too_long": "Make ne répond plus depuis cinq jours. Vérifier l’adresse, puis remettre en service.",
    "gone": "Le scénario est éteint. Le rallumer dans Make : l’envoi reprend de lui-même dans l’heure.",
    "manual": "Mise en pause par un administrateur. La remettre en service pour livrer ce qui attend.",
}
"""Why a URL is left alone, and what to do."""


def in_french(reason: str | None) -> str | None:
    """The sentence for a reason that was kept; None when there is none."""
    if reason is None or reason in SENTENCES:
        return reason and SENTENCES[reason]
    if not (reason.isascii() and reason.isdigit()):
        return SENTENCES["refused"]  # an error's class, as earlier releases kept it
    code = int(reason)
    if code in ANSWERS:
        return ANSWERS[code]
    if 300 <= code < 400:
        return f"L’adresse renvoie ailleurs : elle est erronée (réponse {code})."
    if code >= 500:
        return f"Make est en panne (réponse {code})."
    return f"Make a refusé l’événement (réponse {code})."

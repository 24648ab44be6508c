"""How the domain says no: a code for programs, and the one French sentence a person reads for that code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sentence:
    """What one code means: its HTTP status and its French sentence."""

    status: int
    detail: str


CATALOGUE: Mapping[str, Sentence] = {
    # any request
    "MALFORMED_JSON": Sentence(400, "Le corps de la requête n'est pas un JSON valide."),
    "BODY_TOO_LARGE": Sentence(413, "Le corps de la requête est trop long."),
    "UNSUPPORTED_MEDIA_TYPE": Sentence(415, "Le corps de la requête doit être en JSON."),
    "VALIDATION_FAILED": Sentence(422, "Certains champs sont invalides."),
    "UNAUTHENTICATED": Sentence(401, "Non autorisé"),
    "FORBIDDEN": Sentence(403, "Non autorisé"),
    "BOOKING_NOT_ALLOWED": Sentence(403, "Ce compte ne peut pas effectuer de réservation"),
    "NOT_FOUND": Sentence(404, "Cette adresse n'existe pas."),
    "CROSS_SITE_REQUEST": Sentence(403, "Cette demande vient d'un site qui n'y est pas autorisé."),
    "RATE_LIMITED": Sentence(429, "Vous avez fait trop de demandes. Veuillez patienter un moment."),
    "METHOD_NOT_ALLOWED": Sentence(405, "Cette opération n'existe pas à cette adresse."),
    "INTERNAL_ERROR": Sentence(500, "Une erreur est survenue"),
    "TEMPORARILY_UNAVAILABLE": Sentence(
        503, "Le service est momentanément indisponible. Veuillez réessayer."
    ),
    # catalogue and availability
    "ACCOUNT_SUSPENDED": Sentence(403, "Votre compte a été suspendu"),
    "PURCHASE_NOT_ALLOWED": Sentence(403, "Ce compte ne peut pas faire d'achat"),
    "COURSE_NOT_FOUND": Sentence(404, "Cours introuvable"),
    "TUTOR_NOT_FOUND": Sentence(404, "Tuteur introuvable"),
    "INVALID_DURATION": Sentence(422, "Durée invalide"),
    "INVALID_DATE": Sentence(422, "La date doit être au format AAAA-MM-JJ."),
    "RANGE_TOO_LONG": Sentence(422, "La période demandée ne peut pas dépasser 62 jours."),
    "RANGE_REVERSED": Sentence(422, "La date de fin doit suivre la date de début."),
    # trainings
    "TRAINING_NOT_FOUND": Sentence(404, "Cours introuvable"),
    "CATEGORY_NOT_FOUND": Sentence(404, "Catégorie introuvable"),
    # accounts
    "INVALID_CREDENTIALS": Sentence(401, "Courriel ou mot de passe invalide"),
    "CURRENT_PASSWORD_INVALID": Sentence(422, "Mot de passe actuel invalide"),
    "RESET_TOKEN_INVALID": Sentence(
        410, "Ce lien de réinitialisation est invalide ou expiré. Veuillez en demander un nouveau."
    ),
    # idempotency keys
    "IDEMPOTENCY_IN_FLIGHT": Sentence(
        409, "Cette demande est déjà en cours de traitement. Veuillez patienter un instant."
    ),
    "IDEMPOTENCY_KEY_REUSED": Sentence(409, "Cette clé d'idempotence a déjà servi à une autre demande."),
    # cart
    "OFF_GRID": Sentence(422, "Une séance doit commencer à l'heure juste ou à la demie."),
    "TOO_SOON": Sentence(422, "Ce créneau doit être réservé au moins 12 heures à l'avance"),
    "TOO_FAR": Sentence(422, "Ce créneau ne peut pas être réservé plus de 60 jours à l'avance"),
    "SLOT_UNAVAILABLE": Sentence(409, "Ce créneau n'est plus disponible"),
    "ALREADY_ENROLLED": Sentence(409, "Vous êtes déjà inscrit à ce cours"),
    "TRAININGS_UNAVAILABLE": Sentence(409, "Un cours de votre panier n'est plus disponible"),
    "ALREADY_IN_CART": Sentence(409, "Cet élément est déjà dans votre panier"),
    "OVERLAP": Sentence(
        409,
        "Vous ne pouvez pas sélectionner des créneaux qui se chevauchent. Veuillez choisir des heures différentes.",
    ),
    "ITEM_NOT_FOUND": Sentence(404, "Élément introuvable"),
    "HOLD_LIMIT": Sentence(
        429, "Vous réservez déjà le nombre maximal de créneaux. Payez-les ou retirez-en avant d'en ajouter."
    ),
    "COUPON_INVALID": Sentence(422, "Code promo invalide"),
    # checkout
    "CART_FULL": Sentence(422, "Un panier contient au plus 20 cours"),
    "CART_EMPTY": Sentence(422, "Votre panier est vide"),
    "EMAIL_INVALID": Sentence(422, "Courriel invalide"),
    "PASSWORD_TOO_SHORT": Sentence(422, "Le mot de passe doit contenir au moins 6 caractères"),
    "PASSWORD_MISMATCH": Sentence(422, "Les mots de passe ne correspondent pas"),
    "USER_ALREADY_EXISTS": Sentence(
        409,
        "Un compte existe déjà avec cette adresse email. Veuillez vous connecter avec votre compte existant.",
    ),
    "SLOTS_UNAVAILABLE": Sentence(409, "Certains créneaux de votre panier ne sont plus disponibles"),
    "PRICE_CHANGED": Sentence(409, "Le prix de votre panier a changé. Veuillez vérifier le nouveau total."),
    "AMOUNT_TOO_SMALL": Sentence(422, "Le montant à payer par carte doit être d'au moins 0,50 $."),
    "INSUFFICIENT_CREDITS": Sentence(422, "Vos crédits disponibles ne suffisent pas"),
    "CHECKOUT_NOT_FOUND": Sentence(404, "Paiement introuvable"),
    "PAYMENT_UNAVAILABLE": Sentence(
        503, "Le service de paiement ne répond pas. Rien n'a été débité. Veuillez réessayer dans un instant."
    ),
    "PAYMENT_IN_PROGRESS": Sentence(
        409, "Un paiement de ce panier est en cours ou vient d'aboutir. Suivez-le avant de payer de nouveau."
    ),
    "PAYMENT_RETURNED": Sentence(409, "Ce paiement n'a pas pu être réservé et vous sera remboursé."),
    # appointments, orders
    "APPOINTMENT_NOT_FOUND": Sentence(404, "Rendez-vous introuvable"),
    "NOT_CANCELLABLE": Sentence(409, "Ce rendez-vous ne peut pas être annulé"),
    "CANCELLATION_TOO_LATE": Sentence(422, "Annulation trop tardive. Contactez le support si nécessaire."),
    "NOT_RESCHEDULABLE": Sentence(409, "Ce rendez-vous ne peut pas être reprogrammé"),
    "APPOINTMENT_PAST": Sentence(422, "Impossible de reprogrammer un rendez-vous passé"),
    "RESCHEDULE_TOO_LATE": Sentence(
        422, "Impossible de reprogrammer moins de 24 heures avant le rendez-vous"
    ),
    "SAME_TIME": Sentence(422, "Le rendez-vous a déjà lieu à ce moment-là."),
    "TRANSITION_NOT_ALLOWED": Sentence(409, "Ce rendez-vous ne peut pas passer à ce statut."),
    "NOT_OVER_YET": Sentence(422, "Ce rendez-vous n'est pas encore terminé."),
    "EARNINGS_PAID": Sentence(409, "Ce rendez-vous a déjà été payé au tuteur"),
    "REFUND_TOO_LARGE": Sentence(422, "Le montant dépasse ce qui peut encore être remboursé."),
    "CREDIT_SPENT": Sentence(409, "Le crédit émis à l'annulation a déjà été utilisé."),
    "ORDER_NOT_FOUND": Sentence(404, "Commande non trouvée"),
    "CALENDAR_NOT_FOUND": Sentence(404, "Calendrier introuvable"),
    "CURSOR_INVALID": Sentence(422, "Cette page n'existe pas. Reprenez la liste depuis le début."),
    "INVALID_SIGNATURE": Sentence(400, "Signature invalide"),
    # deliveries to Make.com
    "DELIVERY_NOT_FOUND": Sentence(404, "Livraison introuvable"),
    "DELIVERY_BODY_FORGOTTEN": Sentence(410, "Le contenu de cet événement n'est plus conservé"),
    "DELIVERY_EXPIRED": Sentence(
        410, "Cet événement a expiré : ce qu'il annonçait a commencé ou n'est plus valable"
    ),
    "DELIVERY_IN_PROGRESS": Sentence(
        409, "Cet événement est en cours de livraison. Réessayez dans un instant."
    ),
    "REDELIVERY_NOT_FOUND": Sentence(404, "Nouvelle livraison introuvable"),
    "REDELIVERY_TOO_LARGE": Sentence(
        422, "Plus de 20 000 événements seraient livrés : choisissez une période plus courte"
    ),
    "ENDPOINT_NOT_FOUND": Sentence(404, "Adresse de webhook inconnue"),
    "ENDPOINT_WITHOUT_URL": Sentence(422, "Aucune adresse Make n'est configurée pour ces événements"),
    "ENDPOINT_VIA_FALLBACK": Sentence(
        422, "Ces événements passent par l'adresse BOOKING : c'est elle qu'il faut mettre en pause"
    ),
    "ENDPOINT_BUSY": Sentence(
        409, "Cette adresse est occupée ou a demandé d'attendre. Réessayez dans quelques minutes."
    ),
    "EVENT_TYPE_ELSEWHERE": Sentence(422, "Ce type d'événement n'est pas envoyé à cette adresse"),
}


class Refused(Exception):
    """The request was understood and will not be done; nothing was written.

    Arguments: `code`, a key of CATALOGUE; `detail`, a French sentence that says more than the catalogue's;
    `errors`, one mapping per faulty field (`field`, `code`, `detail`); `retry_after` in seconds;
    `facts`, further members of the answer, already JSON-ready.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        retry_after: int | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        sentence = CATALOGUE[code]
        self.code = code
        self.status = sentence.status
        self.detail = detail or sentence.detail
        self.errors = errors
        self.retry_after = retry_after
        self.facts = facts or {}

"""The operations of Stripe's API that are played here: address, parameters, what runs."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from local.stripe_double import balance, charges, customers, events, payment_intents, refunds
from local.stripe_double.params import Schema
from local.stripe_double.sandbox import Resource


@dataclass(frozen=True)
class Operation:
    """One operation. `run` takes the sandbox, the checked parameters, then the identifiers in the address.

    `answers` is the kind of object it answers with. `publishable` ones may be called with the publishable
    key and the client secret of the object.
    """

    method: str
    path: str
    run: Callable[..., Resource]
    answers: str
    schema: Schema
    publishable: bool = False


def _schema(name: str, played: str) -> Schema:
    module = re.sub(r"([A-Z])", r"_\1", name).lower()
    return Schema(f"{module}_params:{name}Params", f"{played} expand")


def _list(path: str, run: Callable[..., Resource], kind: str, name: str, filters: str) -> Operation:
    schema = _schema(name, f"{filters} created limit starting_after ending_before")
    return Operation("GET", path, run, f"list of {kind}", schema)


def _read(path: str, run: Callable[..., Resource], kind: str, name: str) -> Operation:
    return Operation("GET", path, run, kind, _schema(name, ""))


def _write(path: str, run: Callable[..., Resource], kind: str, name: str, played: str) -> Operation:
    return Operation("POST", path, run, kind, _schema(name, played))


_CUSTOMER = "name email phone description address preferred_locales metadata"
_INTENT = "amount currency customer description metadata payment_method receipt_email"
_METHODS = "allowed_payment_method_types automatic_payment_methods"

OPERATIONS = (
    _read("/v1/balance", balance.retrieve, "balance", "BalanceRetrieve"),
    _write("/v1/customers", customers.create, "customer", "CustomerCreate", _CUSTOMER),
    _read("/v1/customers/{customer}", customers.retrieve, "customer", "CustomerRetrieve"),
    _write("/v1/customers/{customer}", customers.update, "customer", "CustomerUpdate", _CUSTOMER),
    Operation(
        "DELETE",
        "/v1/customers/{customer}",
        customers.delete,
        "deleted customer",
        Schema("_customer_delete_params:CustomerDeleteParams", ""),
    ),
    _list("/v1/payment_intents", payment_intents.listing, "payment_intent", "PaymentIntentList", "customer"),
    _write(
        "/v1/payment_intents",
        payment_intents.create,
        "payment_intent",
        "PaymentIntentCreate",
        f"{_INTENT} {_METHODS} confirm return_url",
    ),
    Operation(
        "GET",
        "/v1/payment_intents/{intent}",
        payment_intents.retrieve,
        "payment_intent",
        _schema("PaymentIntentRetrieve", "client_secret"),
        publishable=True,
    ),
    _write(
        "/v1/payment_intents/{intent}",
        payment_intents.update,
        "payment_intent",
        "PaymentIntentUpdate",
        _INTENT,
    ),
    Operation(
        "POST",
        "/v1/payment_intents/{intent}/confirm",
        payment_intents.confirm,
        "payment_intent",
        _schema("PaymentIntentConfirm", "client_secret payment_method receipt_email return_url"),
        publishable=True,
    ),
    _write(
        "/v1/payment_intents/{intent}/cancel",
        payment_intents.cancel,
        "payment_intent",
        "PaymentIntentCancel",
        "cancellation_reason",
    ),
    _list("/v1/charges", charges.listing, "charge", "ChargeList", "customer payment_intent"),
    _read("/v1/charges/{charge}", charges.retrieve, "charge", "ChargeRetrieve"),
    _list("/v1/refunds", refunds.listing, "refund", "RefundList", "charge payment_intent"),
    _write(
        "/v1/refunds",
        refunds.create,
        "refund",
        "RefundCreate",
        "amount charge payment_intent reason metadata",
    ),
    _read("/v1/refunds/{refund}", refunds.retrieve, "refund", "RefundRetrieve"),
    _list("/v1/events", events.listing, "event", "EventList", "type types delivery_success"),
    _read("/v1/events/{event}", events.retrieve, "event", "EventRetrieve"),
)

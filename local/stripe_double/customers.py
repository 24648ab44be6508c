"""Customers: whom a payment belongs to."""

from local.stripe_double import metadata
from local.stripe_double.errors import InvalidParameterError, no_such
from local.stripe_double.forms import Params
from local.stripe_double.ids import new_id, new_secret
from local.stripe_double.sandbox import Resource, Sandbox

_PLAIN = ("name", "email", "phone", "description")
_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def create(sandbox: Sandbox, params: Params) -> Resource:
    """A new customer."""
    customer: Resource = {
        "id": new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": sandbox.now(),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": new_secret(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    customer.update(_values(customer, params))
    sandbox.add(customer)
    sandbox.emit("customer.created", customer)
    return customer


def retrieve(sandbox: Sandbox, params: Params, customer: str) -> Resource:
    """The customer as it is; of a deleted one no more than that."""
    return sandbox.get("customer", customer)


def update(sandbox: Sandbox, params: Params, customer: str) -> Resource:
    """Change what is given, leave the rest."""
    found = living(sandbox, customer)
    sandbox.change(found, "customer.updated", **_values(found, params))
    return found


def delete(sandbox: Sandbox, params: Params, customer: str) -> Resource:
    """For ever: what was paid keeps its name, nothing more can be paid in it."""
    found = living(sandbox, customer)
    sandbox.emit("customer.deleted", found)
    return sandbox.add({"id": customer, "object": "customer", "deleted": True})


def living(sandbox: Sandbox, customer: str, *, param: str | None = None) -> Resource:
    """A customer who was not deleted: the one that a parameter names, or the address itself."""
    found = sandbox.get("customer", customer, param=param)
    if found.get("deleted"):
        raise no_such("customer", customer, param=param or "id", status=400 if param else 404)
    return found


def _values(customer: Resource, params: Params) -> Resource:
    if (email := params.get("email")) and "@" not in email:
        raise InvalidParameterError(f"Invalid email address: {email}", "email", "email_invalid")
    values: Resource = {name: params[name] or None for name in _PLAIN if name in params}
    values["metadata"] = metadata.merged(customer["metadata"], params.get("metadata"))
    if "address" in params:
        values["address"] = dict.fromkeys(_ADDRESS) | params["address"] if params["address"] else None
    if "preferred_locales" in params:
        values["preferred_locales"] = params["preferred_locales"]
    return values

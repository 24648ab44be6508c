"""The cart of a guest or a student."""

from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Request, Response

from adapters.http import Visit, answers, create_resolver
from adapters.idempotency import KEYED, answer_once
from adapters.settings import max_holds
from adapters.throttling import counting_refusals, counting_successes
from domain.cart import add_items, change_cart, view_cart
from domain.cart.models import AddItems, ApplyCoupon, CartView
from domain.throttling.limits import CART_ADDS, COUPON_REFUSALS

app = create_resolver(answer_once)

ANY_CALLER = ("UNAUTHENTICATED", "BOOKING_NOT_ALLOWED")
ANY_BODY = (*ANY_CALLER, "MALFORMED_JSON", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_FAILED")


@app.get("/v1/cart", summary="Voir son panier", tags=["Panier"], responses=answers(*ANY_CALLER))
def show_cart(request: Request) -> Response[CartView]:
    visit = Visit(request)
    return visit.answer(view_cart.view_cart(visit.connection, visit.buyer, visit.now))


@app.post(
    "/v1/cart/items",
    summary="Ajouter des séances au panier et les réserver 15 minutes",
    tags=["Panier"],
    status_code=201,
    responses=answers(
        *KEYED,
        *ANY_BODY,
        "SLOT_UNAVAILABLE",
        "ALREADY_IN_CART",
        "OVERLAP",
        "INVALID_DURATION",
        "OFF_GRID",
        "TOO_SOON",
        "TOO_FAR",
        "COURSE_NOT_FOUND",
        "TUTOR_NOT_FOUND",
        "HOLD_LIMIT",
        "RATE_LIMITED",
        success=201,
    ),
)
def post_items(request: Request, body: AddItems) -> Response[CartView]:
    visit = Visit(request)
    with counting_successes(visit, CART_ADDS, len(body.items)):
        cart, owner = add_items.add_items(
            visit.connection, visit.buyer, visit.newcomer, body.items, visit.now, max_holds()
        )
        visit.remember(owner)
        return visit.answer(cart, 201)


@app.delete(
    "/v1/cart/items/<item_id>",
    summary="Retirer une séance du panier",
    tags=["Panier"],
    responses=answers(*ANY_CALLER, "ITEM_NOT_FOUND", "VALIDATION_FAILED"),
)
def delete_item(request: Request, item_id: UUID) -> Response[CartView]:
    visit = Visit(request)
    return visit.answer(change_cart.remove_item(visit.connection, visit.buyer, item_id, visit.now))


@app.put(
    "/v1/cart/coupon",
    summary="Appliquer un code promo",
    tags=["Panier"],
    responses=answers(*ANY_BODY, "COUPON_INVALID", "RATE_LIMITED"),
)
def put_coupon(request: Request, body: ApplyCoupon) -> Response[CartView]:
    visit = Visit(request)
    with counting_refusals(visit, COUPON_REFUSALS) as counting:
        cart, owner = change_cart.apply_coupon(
            visit.connection, visit.buyer, visit.newcomer, body.code, visit.now
        )
        if visit.remember(owner):
            counting.keep()  # a cart was made, which a stranger may not have without limit
        return visit.answer(cart)


@app.delete(
    "/v1/cart/coupon", summary="Retirer le code promo", tags=["Panier"], responses=answers(*ANY_CALLER)
)
def delete_coupon(request: Request) -> Response[CartView]:
    visit = Visit(request)
    return visit.answer(change_cart.remove_coupon(visit.connection, visit.buyer, visit.now))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)

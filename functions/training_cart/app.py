"""The cart of trainings of a guest or a student."""

from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Request, Response

from adapters.http import Visit, answers, create_resolver
from adapters.idempotency import KEYED, answer_once
from adapters.throttling import counting_refusals, counting_successes
from adapters.training_buyer import training_buyer
from domain.throttling.limits import CART_ADDS, COUPON_REFUSALS
from domain.training import change_cart, look_at_cart
from domain.training.cart_models import AddTraining, ApplyTrainingCoupon, TrainingCartView

app = create_resolver(answer_once)

ANY_CALLER = ("UNAUTHENTICATED", "ACCOUNT_SUSPENDED", "PURCHASE_NOT_ALLOWED")
ANY_BODY = (*ANY_CALLER, "MALFORMED_JSON", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_FAILED")
TAGS = ["Panier de formations"]


@app.get("/v1/trainings/cart", summary="Voir son panier de cours", tags=TAGS, responses=answers(*ANY_CALLER))
def show_cart(request: Request) -> Response[TrainingCartView]:
    visit = Visit(request)
    return visit.answer(look_at_cart.view_cart(visit.connection, training_buyer(visit), visit.now))


@app.post(
    "/v1/trainings/cart/items",
    summary="Ajouter un cours au panier",
    tags=TAGS,
    status_code=201,
    responses=answers(
        *KEYED,
        *ANY_BODY,
        "TRAINING_NOT_FOUND",
        "ALREADY_ENROLLED",
        "ALREADY_IN_CART",
        "CART_FULL",
        "RATE_LIMITED",
        success=201,
    ),
)
def post_item(request: Request, body: AddTraining) -> Response[TrainingCartView]:
    visit = Visit(request)
    buyer = training_buyer(visit)
    with counting_successes(visit, CART_ADDS, 1):
        cart, owner = change_cart.add_training(
            visit.connection, buyer, visit.newcomer, body.training_id, visit.now
        )
        visit.remember(owner)
        return visit.answer(cart, 201)


@app.delete(
    "/v1/trainings/cart/items/<item_id>",
    summary="Retirer un cours du panier",
    tags=TAGS,
    responses=answers(*ANY_CALLER, "ITEM_NOT_FOUND", "VALIDATION_FAILED"),
)
def delete_item(request: Request, item_id: UUID) -> Response[TrainingCartView]:
    visit = Visit(request)
    buyer = training_buyer(visit)
    return visit.answer(change_cart.remove_training(visit.connection, buyer, item_id, visit.now))


@app.put(
    "/v1/trainings/cart/coupon",
    summary="Appliquer un coupon",
    tags=TAGS,
    responses=answers(*ANY_BODY, "COUPON_INVALID", "RATE_LIMITED"),
)
def put_coupon(request: Request, body: ApplyTrainingCoupon) -> Response[TrainingCartView]:
    visit = Visit(request)
    buyer = training_buyer(visit)
    with counting_refusals(visit, COUPON_REFUSALS) as counting:
        cart, owner = change_cart.apply_coupon(visit.connection, buyer, visit.newcomer, body.code, visit.now)
        if visit.remember(owner):
            counting.keep()  # a cart was made, which a stranger may not have without limit
        return visit.answer(cart)


@app.delete(
    "/v1/trainings/cart/coupon", summary="Retirer le coupon", tags=TAGS, responses=answers(*ANY_CALLER)
)
def delete_coupon(request: Request) -> Response[TrainingCartView]:
    visit = Visit(request)
    return visit.answer(change_cart.remove_coupon(visit.connection, training_buyer(visit), visit.now))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)

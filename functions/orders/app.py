"""What a student has bought, the receipts of it, and their store credit."""

from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Request, Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from adapters.files import file_answer, file_answers
from adapters.http import Visit, answers, create_resolver
from adapters.settings import merchant
from domain.accounts.students import student_id
from domain.credits import statement
from domain.credits.statement import CreditStatement
from domain.orders.models import OrderPage
from domain.orders.own_orders import list_orders
from domain.paging import DEFAULT_LIMIT, CursorText, Limit
from domain.product import Product
from domain.products import own_orders
from domain.products.own_orders import OrderDetail

app = create_resolver()

ANY_CALLER = ("UNAUTHENTICATED", "FORBIDDEN", "VALIDATION_FAILED")
ONE = (*ANY_CALLER, "ORDER_NOT_FOUND")

Cursor = Annotated[CursorText | None, Query()]
PageLimit = Annotated[Limit, Query()]


@app.get(
    "/v1/orders",
    summary="Lister ses commandes de séances et de cours",
    tags=["Commandes"],
    responses=answers(*ANY_CALLER, "CURSOR_INVALID"),
)
def get_orders(
    request: Request,
    product: Annotated[Product | None, Query()] = None,
    cursor: Cursor = None,
    limit: PageLimit = DEFAULT_LIMIT,
) -> Response[OrderPage]:
    visit = Visit(request)
    user_id = student_id(visit.signed_in)
    return visit.answer(list_orders(visit.connection, user_id, product, cursor, limit))


@app.get("/v1/orders/<order_id>", summary="Voir une commande", tags=["Commandes"], responses=answers(*ONE))
def show_order(request: Request, order_id: UUID) -> Response[OrderDetail]:
    visit = Visit(request)
    user_id = student_id(visit.signed_in)
    return visit.answer(own_orders.show_order(visit.connection, user_id, order_id, visit.now))


@app.get(
    "/v1/orders/<order_id>/receipt.pdf",
    summary="Télécharger le reçu d'une commande",
    tags=["Commandes"],
    responses=file_answers("application/pdf", *ONE),
)
def download_receipt(request: Request, order_id: UUID) -> Response[str]:
    visit = Visit(request)
    user_id = student_id(visit.signed_in)
    receipt = own_orders.find_receipt(visit.connection, user_id, order_id, visit.now)

    from adapters.receipt_pdf import write_receipt  # loads reportlab, which only this needs

    order = receipt.order
    return file_answer(
        write_receipt(receipt, merchant(order.product)), "application/pdf", f"recu-{order.number}.pdf"
    )


@app.get(
    "/v1/credits",
    summary="Voir ses crédits et leurs mouvements",
    tags=["Crédits"],
    responses=answers(*ANY_CALLER, "CURSOR_INVALID"),
)
def show_credits(
    request: Request, cursor: Cursor = None, limit: PageLimit = DEFAULT_LIMIT
) -> Response[CreditStatement]:
    visit = Visit(request)
    return visit.answer(statement.show_credits(visit.connection, student_id(visit.signed_in), cursor, limit))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)

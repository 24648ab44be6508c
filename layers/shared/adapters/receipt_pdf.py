"""A receipt as a PDF, on letter paper. Only this loads reportlab, and only when a receipt is asked for."""

import io
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from adapters.receipt_fonts import BOLD, REGULAR, printable
from adapters.settings import Merchant
from domain import french
from domain.orders.lines import PrintedLine
from domain.products.own_orders import Receipt

INK, GREY, RULE = HexColor(0x1D2433), HexColor(0x667085), HexColor(0xD0D5DD)
MARGIN = 2.2 * cm
WIDTH = LETTER[0] - 2 * MARGIN
PADDING = 6  # points, of the frame reportlab puts around the content
COLUMNS = (WIDTH - 8.8 * cm, 6.4 * cm, 2.4 * cm)

TEXT = ParagraphStyle("text", fontName=REGULAR, fontSize=9.5, leading=13.5, textColor=INK)
SMALL = ParagraphStyle("small", TEXT, fontSize=8.5, leading=12, textColor=GREY)
RIGHT = ParagraphStyle("right", TEXT, alignment=TA_RIGHT)
STRONG = ParagraphStyle("strong", TEXT, fontName=BOLD)
STRONG_RIGHT = ParagraphStyle("strong right", STRONG, alignment=TA_RIGHT)
HEAD = ParagraphStyle("head", SMALL, fontName=BOLD)
HEAD_RIGHT = ParagraphStyle("head right", HEAD, alignment=TA_RIGHT)
NAME = ParagraphStyle("name", STRONG, fontSize=22, leading=26)
TITLE = ParagraphStyle("title", NAME, fontName=REGULAR, alignment=TA_RIGHT, textColor=GREY)

COUNTRIES = {"CA": "Canada"}
REFUND_STATUSES = {"pending": "en cours", "processed": "effectué"}


def write_receipt(receipt: Receipt, merchant: Merchant) -> bytes:
    """The PDF, the same bytes for the same receipt."""
    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=LETTER,
        leftMargin=MARGIN - PADDING,
        rightMargin=MARGIN - PADDING,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=f"Reçu {receipt.order.number}",
        author=merchant.name,
        lang="fr-CA",
        invariant=1,
    )
    content = [
        _heading(receipt, merchant),
        Spacer(0, 0.9 * cm),
        _lines(receipt),
        Spacer(0, 0.4 * cm),
        KeepTogether([_totals(receipt), *_returned(receipt)]),
    ]
    footer = _footer(receipt, merchant)
    document.build(content, onFirstPage=footer, onLaterPages=footer)
    return file.getvalue()


def _heading(receipt: Receipt, merchant: Merchant) -> Flowable:
    order = receipt.order
    about = [
        _text(f"Commande {order.number}", STRONG_RIGHT),
        _text(f"{'Payée' if order.total_cad else 'Passée'} le {french.day(order.created_at)}", RIGHT),
    ]
    buyer = [
        _text(receipt.buyer_name or receipt.buyer_email, STRONG),
        *map(_text, _address(order.billing)),
        *([_text(receipt.buyer_email)] if receipt.buyer_name else []),
    ]
    table = Table(
        [[[_text(merchant.name, NAME), *_contact(merchant)], _text("Reçu", TITLE)], [buyer, about]],
        colWidths=(WIDTH / 2, WIDTH / 2),
    )
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("BOTTOMPADDING", (0, 0), (-1, 0), 0.6 * cm),
                _FLUSH,
            ]
        )
    )
    return table


def _address(billing: Mapping[str, str] | None) -> list[str]:
    """The lines of a billing address, none when nobody gave one."""
    if billing is None:
        return []
    province = f"({billing['province']})" if printable(billing["province"]) else ""
    lines = (billing["address"], f"{billing['city']} {province}", COUNTRIES[billing["country"]])
    return [line for line in lines if printable(line)]


def _contact(merchant: Merchant) -> list[Flowable]:
    """Where the merchant is, how to reach them, and what they say of taxes: the lines their settings hold."""
    said = (merchant.address, merchant.email, merchant.phone, merchant.taxes)
    return [_text(line, SMALL) for line in said if line]


def _lines(receipt: Receipt) -> Flowable:
    what, when = receipt.columns
    rows: list[list[Any]] = [
        [_text(what, HEAD), _text(when, HEAD), _text("Prix", HEAD_RIGHT)],
        *([_what(line), _when(line), _text(french.dollars(line.price_cad), RIGHT)] for line in receipt.lines),
    ]
    table = Table(rows, colWidths=COLUMNS, repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.5, RULE),
                ("TOPPADDING", (0, 0), (-1, -1), 5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 7),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
                _FLUSH,
            ]
        )
    )
    return table


def _what(line: PrintedLine) -> list[Flowable]:
    said = [(line.title, STRONG), (line.detail, TEXT), (line.note, SMALL)]
    return [_text(text, style) for text, style in said if text]


def _when(line: PrintedLine) -> list[Flowable]:
    said = [(line.when, TEXT), (line.when_note, SMALL)]
    return [_text(text, style) for text, style in said if text]


def _totals(receipt: Receipt) -> Flowable:
    order = receipt.order
    rows = [("Sous-total", french.dollars(order.subtotal_cad), False)]
    if order.discount_cad:
        rabais = f"Rabais ({order.coupon_code})" if order.coupon_code else "Rabais"
        rows.append((rabais, french.dollars(-order.discount_cad), False))
    rows.append(("Total", french.dollars(order.total_cad), True))
    if order.credits_applied_cad:
        rows.append(("Payé par crédits", french.dollars(order.credits_applied_cad), False))
    if order.charged_cad:
        rows.append(("Payé par carte", french.dollars(order.charged_cad), False))
    return _amounts(rows)


def _returned(receipt: Receipt) -> list[Flowable]:
    """What came back, to the card and as store credit, and what was paid after all."""
    rows = [
        (
            f"Remboursement sur la carte, {french.day(refund.created_at)} ({REFUND_STATUSES[refund.status]})",
            french.dollars(-refund.amount_cad),
            False,
        )
        for refund in receipt.refunds
    ]
    if receipt.credits_issued_cad > 0:
        rows.append(("Crédits remis au compte", french.dollars(receipt.credits_issued_cad), False))
    if receipt.tells_net:
        rows.append(("Montant net", french.dollars(receipt.net_cad), True))
    return [Spacer(0, 0.5 * cm), _amounts(rows)] if rows else []


def _amounts(rows: list[tuple[str, str, bool]]) -> Flowable:
    cells = [
        [_text(label, STRONG if strong else TEXT), _text(amount, STRONG_RIGHT if strong else RIGHT)]
        for label, amount, strong in rows
    ]
    table = Table(cells, colWidths=(9.2 * cm, 2.6 * cm), hAlign="RIGHT")
    rules = [("LINEABOVE", (0, row), (-1, row), 0.5, RULE) for row, (*_, strong) in enumerate(rows) if strong]
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
                _FLUSH,
                *rules,
            ]
        )
    )
    return table


_FLUSH = ("RIGHTPADDING", (-1, 0), (-1, -1), 0)


def _footer(receipt: Receipt, merchant: Merchant) -> Any:
    def draw(canvas: Canvas, _: Any) -> None:
        canvas.setFont(REGULAR, 8)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN, 1.2 * cm, f"{printable(merchant.name)} · Commande {receipt.order.number}")
        canvas.drawRightString(
            LETTER[0] - MARGIN, 1.2 * cm, f"Page {canvas.getPageNumber()} · Montants en dollars canadiens"
        )

    return draw


def _text(text: str, style: ParagraphStyle = TEXT) -> Paragraph:
    return Paragraph(escape(printable(text)), style)

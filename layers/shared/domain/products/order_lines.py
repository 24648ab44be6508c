"""How the lines of orders are read: a line for each product."""

from collections.abc import Mapping

from domain.orders.lines import LineReader
from domain.product import Product
from domain.training.own_lines import AccessLine, AccessLines
from domain.tutoring.own_lines import SessionLine, SessionLines

type OrderLine = SessionLine | AccessLine
"""What an order shows of a line; its `kind` tells them apart."""

LINES: Mapping[Product, LineReader] = {
    "tutoring": SessionLines(),
    "training": AccessLines(),
}

"""What can be wrong, each as a sentence and the question that finds it.

They know the business, not the code. A question answers the ids of what is wrong; no row is the only good answer.
What is purged some day (checkouts, the outbox) is only asked for about the last month.
"""

from collections.abc import Mapping

from domain.audit.about_access import ACCESS
from domain.audit.about_events import TOLD
from domain.audit.about_money import MONEY
from domain.audit.about_orders import ORDERS
from domain.audit.about_time import TIME

FINDINGS: Mapping[str, str] = {**TIME, **ORDERS, **ACCESS, **MONEY, **TOLD}

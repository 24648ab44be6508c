"""A cart, its coupon, its checkout and its order are of one product: PostgreSQL refuses every mixture."""

from uuid import UUID, uuid4

import pytest
from psycopg import errors

from tests.support.guest import Guest
from tests.support.student import Student
from tests.support.world import World, toronto, wanted

TEN = toronto(20, 10)


@pytest.fixture
def course(world: World) -> UUID:
    course = world.school.course()
    world.school.tutor(course)
    return course


def other_cart(world: World, owner: UUID | None = None, guest: bytes | None = None) -> UUID:
    """A cart of trainings."""
    cart = uuid4()
    world.connection.execute(
        "INSERT INTO carts (id, product, user_id, session_hash, created_at, updated_at)"
        " VALUES (%s, 'training', %s, %s, %s, %s)",
        (cart, owner, guest, world.clock(), world.clock()),
    )
    return cart


def test_one_person_s_two_carts_never_meet(world: World, course: UUID) -> None:
    """What the routes of sessions show, change, pay and hand over is the cart of sessions."""
    student = Student(world).chooses(wanted(course, TEN))
    mine = other_cart(world, owner=student.user_id)
    [guest_hash] = {uuid4().bytes * 2}
    theirs = other_cart(world, guest=guest_hash)

    assert len(student.cart["items"]) == 1
    student.starts().pays()
    assert [answer.status for answer in world.webhooks()] == [200]
    assert student.cart["items"] == []

    carts = world.rows("SELECT id, version FROM carts WHERE product = 'training' ORDER BY id")
    assert carts == [{"id": cart, "version": 0} for cart in sorted((mine, theirs))]
    assert world.rows("SELECT DISTINCT product::text FROM orders") == [{"product": "tutoring"}]


def test_a_person_has_one_cart_of_each_product(world: World) -> None:
    owner = world.school.user("zoe@exemple.ca")
    other_cart(world, owner=owner)
    with pytest.raises(errors.UniqueViolation, match="carts_one_per_account"):
        other_cart(world, owner=owner)
    guest = uuid4().bytes * 2
    other_cart(world, guest=guest)
    with pytest.raises(errors.UniqueViolation, match="carts_one_per_guest"):
        other_cart(world, guest=guest)


def test_a_session_is_in_no_other_product_s_cart(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, TEN))
    cart = other_cart(world, guest=uuid4().bytes * 2)
    with pytest.raises(errors.ForeignKeyViolation, match="cart_sessions_of_their_cart"):
        world.connection.execute("UPDATE cart_sessions SET cart_id = %s", (cart,))
    with pytest.raises(errors.ForeignKeyViolation):
        world.connection.execute("UPDATE carts SET product = 'training' WHERE id <> %s", (cart,))
    assert len(guest.cart["items"]) == 1


def test_a_coupon_is_good_for_its_own_product(world: World, course: UUID) -> None:
    world.school.coupon("SAVE10")
    world.connection.execute("UPDATE coupons SET product = 'training'")
    guest = Guest(world).chooses(wanted(course, TEN))

    answer = guest.browser.put("/v1/cart/coupon", {"code": "SAVE10"})

    assert (answer.status, answer.code) == (422, "COUPON_INVALID")
    with pytest.raises(errors.ForeignKeyViolation, match="carts_coupon_of_their_product"):
        world.connection.execute("UPDATE carts SET coupon_id = (SELECT id FROM coupons)")
    world.school.coupon("SAVE10")
    assert guest.uses_coupon("SAVE10").cart["coupon"]["code"] == "SAVE10"


@pytest.mark.parametrize("settled", [False, True])
def test_a_checkout_is_of_its_cart_s_product_and_its_order_s(
    world: World, course: UUID, settled: bool
) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts()
    if settled:
        guest.pays()
        world.webhooks()
        world.connection.execute("UPDATE checkouts SET cart_id = NULL")
    with pytest.raises(errors.ForeignKeyViolation) as refusal:
        world.connection.execute("UPDATE checkouts SET product = 'training'")
    assert refusal.value.diag.constraint_name == (
        "checkouts_order" if settled else "checkouts_cart_of_their_product"
    )


def test_a_cart_s_coupon_or_a_checkout_s_cart_that_is_deleted_leaves_the_rest(
    world: World, course: UUID
) -> None:
    world.school.coupon("SAVE10")
    Guest(world).chooses(wanted(course, TEN)).uses_coupon("SAVE10").starts()
    world.connection.execute("DELETE FROM coupon_reservations")
    world.connection.execute("DELETE FROM coupons")
    assert world.rows("SELECT product::text, coupon_id FROM carts") == [
        {"product": "tutoring", "coupon_id": None}
    ]
    world.connection.execute("DELETE FROM carts")
    assert world.rows("SELECT product::text, cart_id, coupon_id FROM checkouts") == [
        {"product": "tutoring", "cart_id": None, "coupon_id": None}
    ]

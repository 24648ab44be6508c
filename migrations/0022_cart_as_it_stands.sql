-- A cart as it is read. It does not say whether a lapsed hold is lost: the engine that offers times judges that
-- (domain/cart/standing.py).

-- Whether a student already has a session then. A guest has none.
CREATE FUNCTION has_session_during(student uuid, starts timestamptz, ends timestamptz) RETURNS boolean
    STABLE LANGUAGE plpgsql AS
$$
BEGIN
    IF student IS NULL THEN
        RETURN false;
    END IF;
    RETURN EXISTS (
        SELECT FROM appointments
         WHERE user_id = student AND status = 'scheduled' AND start_datetime < ends AND end_datetime > starts);
END
$$;

-- A row per session by start (one without a session when the cart is empty). A live hold is honoured whatever hours
-- changed since, unless its tutor was deactivated or its session has begun (decision 20): then it is not `held`.
-- Planning the joins anew costs several times what running them does, so the plan is kept.
CREATE FUNCTION cart_as_it_stands(cart uuid, at timestamptz)
    RETURNS TABLE (
        cart_id uuid, version integer,
        coupon_id uuid, code text, coupon_type text, value numeric, starts_at timestamptz, ends_at timestamptz,
        max_redemptions integer, uses_taken integer, coupon_active boolean,
        item_id uuid, course_id uuid, course_title_fr text, tutor_id uuid, tutor_display_name text,
        tutor_selection text, start_datetime timestamptz, duration_min smallint, price_cad numeric,
        hold_expires_at timestamptz, held boolean, student_overlap boolean,
        credits_available numeric)
    STABLE LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS
$$
#variable_conflict use_column
BEGIN
    IF cart IS NULL THEN
        RETURN; -- a plan of ten tables costs something even when it finds nothing
    END IF;
    RETURN QUERY
    SELECT carts.id, carts.version,
           coupons.id, coupons.code, coupons.type::text, coupons.value, coupons.starts_at, coupons.ends_at,
           coupons.max_redemptions,
           CASE WHEN coupons.id IS NOT NULL THEN uses_taken(coupons, carts.id) END,
           coupons.active,
           item.id, item.course_id, course.title_fr, item.tutor_id, tutor.display_name, item.tutor_selection::text,
           item.start_datetime, item.duration_min, item.line_total_cad, item.hold_expires_at,
           hold.id IS NOT NULL AND tutor.active AND item.start_datetime > at,
           carts.user_id IS NOT NULL AND has_session_during(
               carts.user_id, item.start_datetime,
               item.start_datetime + make_interval(mins => item.duration_min::int)),
           CASE WHEN account.user_id IS NOT NULL THEN credits_available(account, carts.id) END
      FROM carts
      LEFT JOIN coupons ON coupons.id = carts.coupon_id
      LEFT JOIN credit_accounts AS account ON account.user_id = carts.user_id
      LEFT JOIN cart_sessions AS item ON item.cart_id = carts.id AND item.removed_at IS NULL
      LEFT JOIN courses AS course ON course.id = item.course_id
      LEFT JOIN tutors AS tutor ON tutor.id = item.tutor_id
      LEFT JOIN time_claims AS hold ON hold.id = item.id AND hold.kind = 'hold' AND hold.expires_at > at
     WHERE carts.id = cart
     ORDER BY item.start_datetime, item.id;
END
$$;

-- `put_in_cart` (0004), which also tells of each session whether it is beside one that the student already has.
CREATE FUNCTION put_in_cart_beside(
    cart uuid, expected_version integer, owner_id uuid, owner_session bytea, wanted jsonb, replaced jsonb,
    expires_at timestamptz, at timestamptz)
    RETURNS TABLE (item_id uuid, given_by uuid, student_overlap boolean) VOLATILE LANGUAGE plpgsql AS
$$
BEGIN
    IF owner_id IS NULL THEN
        RETURN QUERY SELECT put.item_id, put.given_by, false
          FROM put_in_cart(cart, expected_version, owner_id, owner_session, wanted, replaced, expires_at, at) AS put;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT put.item_id, put.given_by, coalesce(has_session_during(owner_id, asked.starts, asked.ends), false)
      FROM put_in_cart(cart, expected_version, owner_id, owner_session, wanted, replaced, expires_at, at) AS put
      LEFT JOIN jsonb_to_recordset(wanted) AS asked (id uuid, starts timestamptz, ends timestamptz)
        ON asked.id = put.item_id;
END
$$;

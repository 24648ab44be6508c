-- Where an order's buyer is billed, as its receipt shows it: the checkout it was typed into is deleted after 90 days.
-- An order that an administrator enters may have none. What is still known of earlier orders is kept.
ALTER TABLE orders ADD COLUMN billing jsonb CHECK (jsonb_typeof(billing) = 'object');

UPDATE orders SET billing = checkouts.billing
  FROM checkouts
 WHERE checkouts.order_id = orders.id AND jsonb_typeof(checkouts.billing) = 'object';

-- What a receiver answered to an event that carries a token may repeat it: it is not kept any more (decision 22).
UPDATE webhook_attempts SET response_excerpt = NULL
  FROM outbox
 WHERE outbox.event_id = webhook_attempts.event_id AND outbox.type = 'password.reset_requested'
   AND response_excerpt IS NOT NULL;

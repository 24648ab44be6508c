"""What operators are told by e-mail, through the alarms' topic. The AWS client loads when it is used."""

from adapters.jobs import logger
from adapters.settings import optional_setting

TIMEOUT_SECONDS = 5


def tell_operators(subject: str, text: str) -> None:
    """Publish a message on the stack's topic; on one machine, where a stand-in names it, the log alone has it."""
    logger.warning("operators told", extra={"subject": subject, "text": text})
    topic = optional_setting("ALERT_TOPIC_ARN")
    if topic.startswith("arn:"):
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries={"total_max_attempts": 3}
        )
        boto3.client("sns", config=config).publish(TopicArn=topic, Subject=subject, Message=text)

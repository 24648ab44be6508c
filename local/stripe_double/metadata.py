"""The notes a merchant pins on an object. Source: https://docs.stripe.com/metadata."""

from local.stripe_double.errors import InvalidParameterError

_MOST_KEYS, _LONGEST_KEY, _LONGEST_VALUE = 50, 40, 500


def merged(current: dict[str, str], update: dict[str, str] | str | None) -> dict[str, str]:
    """What stays after an update: an empty value removes its key, an empty update removes them all."""
    if update is None:
        return current
    if isinstance(update, str):
        return {}
    for key, value in update.items():
        _check(key, value)
    result = {key: value for key, value in {**current, **update}.items() if value}
    if len(result) > _MOST_KEYS:
        raise InvalidParameterError(f"Metadata can have up to {_MOST_KEYS} keys.", "metadata")
    return result


def _check(key: str, value: str) -> None:
    if len(key) > _LONGEST_KEY:
        raise InvalidParameterError(
            f"Metadata keys can have up to {_LONGEST_KEY} characters, but you passed in a key that is "
            f"{len(key)} characters. Invalid key: {key}",
            "metadata",
        )
    if len(value) > _LONGEST_VALUE:
        raise InvalidParameterError(
            f"Metadata values can have up to {_LONGEST_VALUE} characters, but you passed in a value that is "
            f"{len(value)} characters. Invalid value: {value}",
            f"metadata[{key}]",
        )

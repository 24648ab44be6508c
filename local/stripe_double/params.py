"""Check parameters against stripe-python's own types: what its pinned API version takes, and nothing else.

The library's `TypedDict`s describe every parameter of every operation. For the parameters the double plays,
a strict twin is built from them: no unknown key at any depth, enumerations closed, the library's own request
options left out. Building takes a moment, so it waits for the first use of an operation.
"""

import sys
import typing
from functools import cached_property
from importlib import import_module
from types import NoneType
from typing import Annotated, Any, Literal, NotRequired, TypedDict, Union, get_args, get_origin, is_typeddict

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError, with_config

from local.stripe_double.errors import InvalidParameterError, not_played
from local.stripe_double.forms import Params

# Parameters a browser sends with the publishable key; the library, meant for servers, leaves them out.
_BROWSER_PARAMETERS = {"client_secret": NotRequired[str]}


class Schema:
    """The parameters of one operation: those Stripe knows, those played here, and how to check them."""

    def __init__(self, source: str, played: str) -> None:
        """`source` is `module:class` under `stripe.params`, `played` the parameter names, space-separated."""
        self._source = source
        self._played = played.split()

    def check(self, params: Params) -> Params:
        """The parameters with their types. An emptied one, where Stripe allows to unset it, stays ''."""
        emptied = {name: "" for name, value in params.items() if value == ""}
        for name in params:
            self._check_name(name)
        for name in emptied:
            if name not in self._unsettable:
                raise InvalidParameterError(_EMPTY.format(name=name), name, "parameter_invalid_empty")
        given = {name: value for name, value in params.items() if name not in emptied}
        try:
            return {**self._adapter.validate_python(given), **emptied}
        except ValidationError as error:
            raise _refusal(error, given) from None

    def _check_name(self, name: str) -> None:
        if name == "payment_method_types" and "payment_intent" in self._source:
            raise InvalidParameterError(
                _NO_PAYMENT_METHOD_TYPES, name, "payment_method_types_no_longer_supported"
            )
        if name not in self._known:
            raise InvalidParameterError(f"Received unknown parameter: {name}", name, "parameter_unknown")
        if name not in self._hints:
            raise not_played(name)

    @cached_property
    def _original(self) -> Any:
        module, name = self._source.split(":")
        return getattr(import_module(f"stripe.params.{module}"), name)

    @cached_property
    def _known(self) -> set[str]:
        from stripe._request_options import RequestOptions

        own = set(self._original.__annotations__) - set(RequestOptions.__annotations__)
        return own | (_BROWSER_PARAMETERS.keys() & set(self._played))

    @cached_property
    def _hints(self) -> dict[str, Any]:
        annotations = {**self._original.__annotations__, **_BROWSER_PARAMETERS}
        chosen = type("Chosen", (), {"__annotations__": {name: annotations[name] for name in self._played}})
        namespace = vars(sys.modules[self._original.__module__])
        return typing.get_type_hints(chosen, globalns=namespace, include_extras=True)

    @cached_property
    def _unsettable(self) -> set[str]:
        return {name for name, hint in self._hints.items() if _allows_empty(hint)}

    @cached_property
    def _adapter(self) -> TypeAdapter[Params]:
        return TypeAdapter(_closed(self._original.__name__, self._hints))


_EMPTY = (
    "You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
    "however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value."
)
# https://docs.stripe.com/changelog/endive/2026-09-30 (Payment Intents: payment_method_types)
_NO_PAYMENT_METHOD_TYPES = (
    "The parameter payment_method_types is no longer supported in this API version. "
    "Use allowed_payment_method_types or dynamic payment methods instead."
)


# What pydantic found, in Stripe's words and codes (https://docs.stripe.com/error-codes).
_REFUSALS = {
    "missing": ("Missing required param: {param}.", "parameter_missing"),
    "extra_forbidden": ("Received unknown parameter: {param}", "parameter_unknown"),
    "int_parsing": ("Invalid integer: {value}", "parameter_invalid_integer"),
    "int_type": ("Invalid integer: {value}", "parameter_invalid_integer"),
    "bool_parsing": ("Invalid boolean: {value}", None),
    "literal_error": ("Invalid {param}: must be one of {expected}", None),
    "list_type": ("Invalid array", None),
    "string_type": ("Invalid string: {value}", None),
}


def _closed(name: str, hints: dict[str, Any]) -> Any:
    """A `TypedDict` of these fields that refuses any other."""
    fields = {field: _strict(hint) for field, hint in hints.items()}
    make: Any = TypedDict  # its fields are computed, which a type checker cannot follow
    return with_config(ConfigDict(extra="forbid"))(make(name, fields))


def _strict(hint: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        namespace = vars(sys.modules[hint.__module__])
        return _closed(hint.__name__, typing.get_type_hints(hint, namespace, include_extras=True))
    if origin is NotRequired:
        return NotRequired[_strict(arguments[0])]
    if origin is list:
        return Annotated[list[_strict(arguments[0])], BeforeValidator(_positions_to_list)]  # type: ignore[misc]
    if origin is dict:
        return dict[str, _strict(arguments[1])]  # type: ignore[misc]
    if _is_union(hint):
        return _strict_union(arguments)
    return hint


def _strict_union(members: tuple[Any, ...]) -> Any:
    """Without the open ends: `str` beside an enumeration, '' (see `check`), the library's response objects."""
    kept = [m for m in members if m not in (NoneType, Literal[""]) and not _is_stripe_object(m)]
    if any(get_origin(member) is Literal for member in kept):
        kept = [member for member in kept if member is not str]
    return Union[tuple(_strict(member) for member in kept)]  # noqa: UP007 - made of a computed tuple


def _allows_empty(hint: Any) -> bool:
    if get_origin(hint) is NotRequired:
        return _allows_empty(get_args(hint)[0])
    return _is_union(hint) and Literal[""] in get_args(hint)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, type(int | str))


def _is_stripe_object(hint: Any) -> bool:
    from stripe import StripeObject

    plain = get_origin(hint) or hint
    return isinstance(plain, type) and issubclass(plain, StripeObject)


def _positions_to_list(value: Any) -> Any:
    if isinstance(value, dict) and all(position.isdigit() for position in value):
        return [value[position] for position in sorted(value, key=int)]
    return value


def _refusal(error: ValidationError, given: Params) -> InvalidParameterError:
    problem = error.errors(include_url=False)[0]
    param = _param_name(problem["loc"], given)
    message, code = _REFUSALS.get(problem["type"], ("Invalid object", None))
    expected = problem.get("ctx", {}).get("expected")
    return InvalidParameterError(
        message.format(param=param, value=problem["input"], expected=expected), param, code
    )


def _param_name(location: tuple[int | str, ...], given: Any) -> str:
    """The location as the client wrote it, `a[b][c]`, without the names pydantic gives to union members."""
    name, node = str(location[0]), given.get(location[0])
    for step in location[1:]:
        if isinstance(node, dict) and str(step) in node:
            name, node = f"{name}[{step}]", node[str(step)]
        elif step == location[-1] and isinstance(node, dict) and "[" not in str(step):
            name = f"{name}[{step}]"  # a missing member
    return name

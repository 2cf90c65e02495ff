"""What the API answers when it does not do what it was asked: a problem (RFC 9457), the same shape whatever went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

TYPE_PREFIX = "urn:rtcbroker:problem:"

MAX_ERRORS = 20
"""Fields named in one problem."""

MAX_TEXT = 200
"""Characters of one sentence about a field: it may quote what was sent."""


class FieldError(BaseModel):
    """One thing that is wrong with what was sent."""

    field: str = Field(description="Where it stands: a JSON pointer (RFC 6901) into the body, or the name of a query parameter.")
    detail: str


class Problem(BaseModel):
    """RFC 9457, with the names of fields where some are wrong."""

    type: str = Field(description="Which kind of problem it is: a URN that stays.")
    title: str = Field(description="The same in words, for people.")
    status: int
    detail: str = Field(description="What was wrong this time.")
    code: int | None = Field(default=None, description="Of docs/protocol.md, where one says it.")
    errors: list[FieldError] | None = Field(default=None, description="What is wrong with which field.")
    request_id: str = Field(description="By which this request is found in the coordinator's logs.")


class ApiError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        code: int | None = None,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.code = code
        self.errors = tuple(errors)
        self.headers = headers or {}

    def problem(self, request_id: str) -> Problem:
        """As it is told."""
        return Problem(
            type=TYPE_PREFIX + self.kind,
            title=self.kind.replace("-", " "),
            status=self.status,
            detail=self.detail,
            code=self.code,
            errors=list(self.errors) or None,
            request_id=request_id,
        )


def of_status(status: int, detail: str = "", headers: dict[str, str] | None = None) -> ApiError:
    """A problem that HTTP has a name for."""
    phrase = HTTPStatus(status).phrase
    return ApiError(status, phrase.lower().replace(" ", "-"), detail or phrase, headers=headers)


def backplane_away(what: str, why: str) -> ApiError:
    """`what` was not done, since other coordinators are needed for it and none can be reached."""
    return ApiError(503, "backplane-away", f"{what}: {why}", headers={"Retry-After": "1"})


def wrong_field(field: str, detail: str) -> ApiError:
    """One field is wrong, in a way that no schema says."""
    return invalid([FieldError(field=field, detail=detail[:MAX_TEXT])])


def invalid(errors: Sequence[FieldError]) -> ApiError:
    """What was sent is JSON, but not what is wanted here."""
    named = "; ".join(f"{error.field or 'the body'}: {error.detail}" for error in errors[:3])
    return ApiError(422, "invalid-request", named, errors=errors[:MAX_ERRORS])


def of_validation(error: ValidationError, *, in_body: bool) -> ApiError:
    """What pydantic found: a body that is no JSON at all is 400."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    if any(each["type"] == "json_invalid" for each in details):
        return ApiError(400, "malformed-json", details[0]["msg"][:MAX_TEXT])
    return invalid([_field_error(each, in_body) for each in details])


def _field_error(error: ErrorDetails, in_body: bool) -> FieldError:
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in error["loc"]]
    field = "".join(f"/{part}" for part in parts) if in_body else "/".join(parts)
    return FieldError(field=field[:MAX_TEXT], detail=error["msg"].removeprefix("Value error, ")[:MAX_TEXT])

"""A student's booked sessions: seeing, cancelling and moving them, and their calendar."""

from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Request, Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from adapters.files import file_answer, file_answers
from adapters.http import Visit, answers, create_resolver
from adapters.idempotency import KEYED, answer_once
from adapters.settings import environment, merchant
from domain.accounts.students import booking_student_id, student_id
from domain.appointments import calendar, student
from domain.appointments.models import (
    AppointmentDetail,
    AppointmentPage,
    CalendarAddress,
    CancelAppointment,
    CancelledAppointment,
    RescheduleAppointment,
    RescheduleSlots,
)
from domain.appointments.queries import Filter
from domain.clock import on_toronto_clock
from domain.inputs import Day, Line
from domain.paging import DEFAULT_LIMIT, CursorText, Limit

app = create_resolver(answer_once)

ANY_CALLER = ("UNAUTHENTICATED", "FORBIDDEN", "VALIDATION_FAILED")
ANY_BODY = (*ANY_CALLER, "MALFORMED_JSON", "UNSUPPORTED_MEDIA_TYPE")
ONE = (*ANY_CALLER, "APPOINTMENT_NOT_FOUND")
TOO_LATE_TO_MOVE = ("NOT_RESCHEDULABLE", "APPOINTMENT_PAST", "RESCHEDULE_TOO_LATE")


@app.get(
    "/v1/appointments",
    summary="Lister ses séances",
    tags=["Rendez-vous"],
    responses=answers(*ANY_CALLER, "CURSOR_INVALID"),
)
def list_appointments(
    request: Request,
    which: Annotated[Filter, Query(alias="filter")] = "all",
    cursor: Annotated[CursorText | None, Query()] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
) -> Response[AppointmentPage]:
    visit = Visit(request)
    return visit.answer(
        student.list_appointments(
            visit.connection, student_id(visit.signed_in), which, cursor, limit, visit.now
        )
    )


@app.get(
    "/v1/appointments/<appointment_id>",
    summary="Voir une séance, ce qu'on peut encore en faire et son historique",
    tags=["Rendez-vous"],
    responses=answers(*ONE),
)
def show_appointment(request: Request, appointment_id: UUID) -> Response[AppointmentDetail]:
    visit = Visit(request)
    return visit.answer(
        student.show_appointment(visit.connection, student_id(visit.signed_in), appointment_id, visit.now)
    )


@app.post(
    "/v1/appointments/<appointment_id>/cancel",
    summary="Annuler une séance jusqu'à 2 heures avant, contre un crédit",
    tags=["Rendez-vous"],
    responses=answers(*KEYED, *ANY_BODY, "APPOINTMENT_NOT_FOUND", "NOT_CANCELLABLE", "CANCELLATION_TOO_LATE"),
)
def cancel(
    request: Request, appointment_id: UUID, body: CancelAppointment | None = None
) -> Response[CancelledAppointment]:
    visit = Visit(request)
    return visit.answer(
        student.cancel_own(
            visit.connection,
            student_id(visit.signed_in),
            appointment_id,
            body.reason if body else None,
            environment(),
            visit.now,
        )
    )


@app.get(
    "/v1/appointments/<appointment_id>/reschedule-slots",
    summary="Voir où une séance peut être déplacée",
    tags=["Rendez-vous"],
    responses=answers(*ONE, *TOO_LATE_TO_MOVE, "RANGE_REVERSED"),
)
def list_reschedule_slots(
    request: Request,
    appointment_id: UUID,
    first: Annotated[Day | None, Query(alias="from")] = None,
    last: Annotated[Day | None, Query(alias="to")] = None,
) -> Response[RescheduleSlots]:
    visit = Visit(request)
    return visit.answer(
        student.list_reschedule_slots(
            visit.connection, student_id(visit.signed_in), appointment_id, first, last, visit.now
        )
    )


@app.post(
    "/v1/appointments/<appointment_id>/reschedule",
    summary="Déplacer une séance jusqu'à 24 heures avant, avec le même tuteur",
    tags=["Rendez-vous"],
    responses=answers(
        *KEYED,
        *ANY_BODY,
        "BOOKING_NOT_ALLOWED",
        "APPOINTMENT_NOT_FOUND",
        *TOO_LATE_TO_MOVE,
        "OFF_GRID",
        "TOO_SOON",
        "TOO_FAR",
        "SAME_TIME",
        "SLOT_UNAVAILABLE",
    ),
)
def reschedule(
    request: Request, appointment_id: UUID, body: RescheduleAppointment
) -> Response[AppointmentDetail]:
    visit = Visit(request)
    return visit.answer(
        student.reschedule_own(
            visit.connection,
            booking_student_id(visit.signed_in),
            appointment_id,
            body.start,
            body.reason,
            environment(),
            visit.now,
        )
    )


@app.get(
    "/v1/appointments/<appointment_id>/calendar.ics",
    summary="Télécharger une séance pour son calendrier",
    tags=["Calendrier"],
    responses=file_answers("text/calendar", *ONE),
)
def download_session(request: Request, appointment_id: UUID) -> Response[str]:
    from adapters.icalendar_file import write_session  # loads icalendar, which only calendars need

    visit = Visit(request)
    session = calendar.find_session(visit.connection, student_id(visit.signed_in), appointment_id)
    return _calendar_file(write_session(session, merchant("tutoring")))


@app.get(
    "/v1/me/calendar",
    summary="Voir l'adresse de son calendrier",
    tags=["Calendrier"],
    responses=answers(*ANY_CALLER),
)
def show_calendar(request: Request) -> Response[CalendarAddress]:
    visit = Visit(request)
    feed = calendar.find_feed(visit.connection, student_id(visit.signed_in), visit.now)
    return visit.answer(_address(visit, feed))


@app.post(
    "/v1/me/calendar",
    summary="Changer l'adresse de son calendrier; l'ancienne ne montre plus rien",
    tags=["Calendrier"],
    status_code=201,
    responses=answers(*KEYED, *ANY_CALLER, success=201),
)
def renew_calendar(request: Request) -> Response[CalendarAddress]:
    visit = Visit(request)
    feed = calendar.renew_feed(visit.connection, student_id(visit.signed_in), visit.now)
    return visit.answer(_address(visit, feed), 201)


@app.get(
    "/v1/calendar/<file>",
    summary="Lire un calendrier, à l'adresse {jeton}.ics que l'étudiant a reçue",
    tags=["Calendrier"],
    responses=file_answers("text/calendar", "CALENDAR_NOT_FOUND", "VALIDATION_FAILED"),
)
def read_calendar(request: Request, file: Annotated[Line, Path()]) -> Response[str]:
    from adapters.icalendar_file import write_feed

    visit = Visit(request)
    sessions = calendar.find_sessions_of_feed(visit.connection, file.removesuffix(".ics"), visit.now)
    return _calendar_file(write_feed(sessions, merchant("tutoring")))


def _address(visit: Visit, feed: calendar.Feed) -> CalendarAddress:
    origin = f"{visit.header('x-forwarded-proto') or 'https'}://{visit.header('host')}"
    return CalendarAddress(
        url=f"{origin}/v1/calendar/{feed.token}.ics", created_at=on_toronto_clock(feed.created_at)
    )


def _calendar_file(content: bytes) -> Response[str]:
    return file_answer(content, "text/calendar; charset=utf-8", "seances-4as.ics")


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)

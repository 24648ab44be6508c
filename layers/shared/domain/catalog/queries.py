"""The SQL of the catalogue. Only active courses, and active tutors with an active assignment, are ever seen."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from domain.paging import NamedPlace


def select_courses(
    connection: Connection[Any], search: str | None, after: NamedPlace | None, limit: int
) -> Cursor[Any]:
    """By title, those after a place, one more than `limit`; with `search`, those that contain it (0024)."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT id, slug, title_fr, description_fr, student_rate_cad, title_folded FROM courses
         WHERE active AND search_folded ~ search_pattern(%(search)s::text)
           AND (%(title)s::text IS NULL OR (title_folded, id) > (%(title)s, %(id)s::uuid))
         ORDER BY title_folded, id LIMIT %(at_most)s
        """,
        {
            "search": search or "",
            "title": after.name if after else None,
            "id": after.id if after else None,
            "at_most": limit + 1,
        },
    )


def select_course_and_tutors(connection: Connection[Any], slug: str) -> Cursor[Any]:
    """The course once per tutor, by name: priorities are confidential. Once with nulls when nobody teaches it."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT course.id, course.slug, course.title_fr, course.description_fr, course.student_rate_cad,
               tutor.id, tutor.display_name, tutor.bio_fr
          FROM courses AS course
          LEFT JOIN (tutor_courses JOIN tutors AS tutor ON tutor.id = tutor_id AND tutor.active)
            ON course_id = course.id AND tutor_courses.active
         WHERE course.slug = %(slug)s AND course.active
         ORDER BY fold(tutor.display_name) COLLATE "C", tutor.id
        """,
        {"slug": slug},
    )


def select_offerings(connection: Connection[Any], course_ids: Sequence[UUID]) -> Cursor[Any]:
    """Each course once, with the ids, names and rates of its tutors, best priority first."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT course.id, course.title_fr, course.student_rate_cad,
               array_agg(tutor.id ORDER BY tutor.priority, tutor.created_at, tutor.id)
                   FILTER (WHERE tutor.id IS NOT NULL),
               array_agg(tutor.display_name ORDER BY tutor.priority, tutor.created_at, tutor.id)
                   FILTER (WHERE tutor.id IS NOT NULL)
          FROM courses AS course
          LEFT JOIN (tutor_courses JOIN tutors AS tutor ON tutor.id = tutor_id AND tutor.active)
            ON course_id = course.id AND tutor_courses.active
         WHERE course.id = ANY(%(course_ids)s) AND course.active
         GROUP BY course.id
        """,
        {"course_ids": list(course_ids)},
    )

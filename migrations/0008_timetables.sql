-- Courses with their tutors' calendars: what free times are made of. One row per tutor, best priority first, or one
-- with nulls when nobody teaches the course. Planning it anew costs several times what running it does, so the plan
-- is kept. It is a plan for one course, and for disks without arms: else PostgreSQL would rather read small tables
-- whole, once per tutor.

CREATE FUNCTION timetables(
    course_ids uuid[], first_day date, last_day date, from_instant timestamptz, to_instant timestamptz,
    at timestamptz)
    RETURNS TABLE (course_id uuid, title_fr text, student_rate_cad numeric, tutor_id uuid, display_name text,
                   weekly int[], exceptions int[], taken_from bytea, taken_until bytea)
    STABLE LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET random_page_cost = 1.1 AS
$$
DECLARE
    wanted uuid;
BEGIN
    FOREACH wanted IN ARRAY course_ids LOOP
        RETURN QUERY
        SELECT course.id, course.title_fr, course.student_rate_cad, tutor.id, tutor.display_name,
               calendar.weekly, calendar.exceptions, calendar.taken_from, calendar.taken_until
          FROM courses AS course
          LEFT JOIN (tutor_courses AS assignment
                     JOIN tutors AS tutor ON tutor.id = assignment.tutor_id AND tutor.active)
            ON assignment.course_id = course.id AND assignment.active
          LEFT JOIN LATERAL tutor_calendar(
                  tutor.id, first_day, last_day, from_instant, to_instant, at) AS calendar ON true
         WHERE course.id = wanted AND course.active
         ORDER BY tutor.priority, tutor.created_at, tutor.id;
    END LOOP;
END
$$;

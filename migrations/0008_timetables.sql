-- Courses with their tutors' calendars: what free times are made of. One row per tutor, best priority first, or one
-- with nulls when nobody teaches the course. Planning it anew costs several times what running it does, so the plan
-- is kept.

CREATE FUNCTION timetables(
    course_ids uuid[], course_slug text, first_day date, last_day date, from_instant timestamptz,
    to_instant timestamptz, at timestamptz)
    RETURNS TABLE (course_id uuid, title_fr text, student_rate_cad numeric, tutor_id uuid, display_name text,
                   weekly int[], exceptions int[], taken_from bytea, taken_until bytea)
    STABLE LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS
$$
BEGIN
    RETURN QUERY
    SELECT course.id, course.title_fr, course.student_rate_cad, tutor.id, tutor.display_name,
           calendar.weekly, calendar.exceptions, calendar.taken_from, calendar.taken_until
      FROM courses AS course
      LEFT JOIN (tutor_courses AS assignment JOIN tutors AS tutor ON tutor.id = assignment.tutor_id AND tutor.active)
        ON assignment.course_id = course.id AND assignment.active
      LEFT JOIN LATERAL tutor_calendar(tutor.id, first_day, last_day, from_instant, to_instant, at) AS calendar ON true
     WHERE course.active AND (course.id = ANY (course_ids) OR course.slug = course_slug)
     ORDER BY course.id, tutor.priority, tutor.created_at, tutor.id;
END
$$;

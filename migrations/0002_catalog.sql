-- What is sold and who teaches it. Students pay the course's rate, tutors earn their own (spec 3).

CREATE TABLE courses (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    title_fr text NOT NULL CHECK (title_fr <> ''),
    description_fr text NOT NULL,
    student_rate_cad numeric(10, 2) NOT NULL DEFAULT 45.00 CHECK (student_rate_cad > 0),
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tutors (
    id uuid PRIMARY KEY REFERENCES users,
    display_name text NOT NULL CHECK (display_name <> ''),
    bio_fr text NOT NULL,
    hourly_base_rate_cad numeric(10, 2) NOT NULL CHECK (hourly_base_rate_cad > 0),
    priority integer NOT NULL DEFAULT 100 CHECK (priority >= 0),
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tutor_courses (
    tutor_id uuid NOT NULL REFERENCES tutors ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    active boolean NOT NULL DEFAULT true,
    PRIMARY KEY (tutor_id, course_id)
);
CREATE INDEX tutor_courses_of_course ON tutor_courses (course_id) WHERE active;

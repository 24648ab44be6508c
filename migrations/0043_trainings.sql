CREATE TYPE publication AS ENUM ('draft', 'published', 'archived');
CREATE TABLE training_categories (
    id uuid PRIMARY KEY, slug text NOT NULL UNIQUE, name_fr text NOT NULL UNIQUE, description_fr text NOT NULL, position int NOT NULL
);
CREATE TABLE trainings (
    id uuid PRIMARY KEY, slug text NOT NULL UNIQUE, category_id uuid NOT NULL REFERENCES training_categories,
    title_fr text NOT NULL, description_fr text NOT NULL, price_cad numeric(10, 2) NOT NULL CHECK (price_cad >= 0),
    access_days int NOT NULL DEFAULT 365 CHECK (access_days > 0), state publication NOT NULL DEFAULT 'draft', version int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(), published_at timestamptz
);
INSERT INTO training_categories VALUES (gen_random_uuid(), 'professionnels', 'Professionnels', '', 1);

-- What Le Dojo sells: trainings, bought as access for so many days (decisions 17 and 33), and how visitors find them.

CREATE TABLE training_categories (
    id uuid PRIMARY KEY,
    slug text NOT NULL,
    name_fr text NOT NULL,
    description_fr text NOT NULL,
    position integer NOT NULL,
    CONSTRAINT training_categories_one_per_slug UNIQUE (slug),
    CONSTRAINT training_categories_one_per_name UNIQUE (name_fr),
    CONSTRAINT training_categories_slug CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    CONSTRAINT training_categories_name CHECK (name_fr <> ''),
    CONSTRAINT training_categories_position CHECK (position > 0)
);

-- The three that the client named. What an administrator has made of one stays.
INSERT INTO training_categories (id, slug, name_fr, description_fr, position)
VALUES ('5b0c7f52-0d2a-4c0e-9a3f-6d1f2f6f7a01', 'professionnels', 'Professionnels',
        'Formations pour les professionnels de la finance', 1),
       ('5b0c7f52-0d2a-4c0e-9a3f-6d1f2f6f7a02', 'investisseurs', 'Investisseurs',
        'Formations pour les investisseurs individuels', 2),
       ('5b0c7f52-0d2a-4c0e-9a3f-6d1f2f6f7a03', 'entrepreneurs', 'Entrepreneurs',
        'Formations pour les entrepreneurs', 3)
ON CONFLICT (slug) DO NOTHING;

CREATE TYPE publication AS ENUM ('draft', 'published', 'archived');

-- `title_folded` and `search_folded` are those of courses (0024). A slug is no word that is an address of the shop.
-- A hundred years of access are enough, and far from where dates end. What is published has a price, a title and a
-- moment: no place in a list is null.
CREATE TABLE trainings (
    id uuid PRIMARY KEY,
    slug text NOT NULL,
    category_id uuid NOT NULL,
    title_fr text NOT NULL,
    description_fr text NOT NULL,
    price_cad numeric(10, 2) NOT NULL,
    access_days integer NOT NULL DEFAULT 365,
    state publication NOT NULL DEFAULT 'draft',
    version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    title_folded text COLLATE "C" NOT NULL GENERATED ALWAYS AS (left(fold(title_fr), 200)) STORED,
    search_folded text COLLATE "C" NOT NULL
        GENERATED ALWAYS AS (fold(title_fr) || E'\n' || fold(description_fr)) STORED,
    CONSTRAINT trainings_one_per_slug UNIQUE (slug),
    CONSTRAINT trainings_slug CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    CONSTRAINT trainings_slug_is_no_route CHECK (slug NOT IN ('cart', 'checkout', 'categories')),
    CONSTRAINT trainings_title CHECK (title_fr <> ''),
    CONSTRAINT trainings_price CHECK (price_cad >= 0),
    CONSTRAINT trainings_access_days CHECK (access_days BETWEEN 1 AND 36500),
    CONSTRAINT trainings_version CHECK (version >= 0),
    CONSTRAINT trainings_published_some_time CHECK (state <> 'published' OR published_at IS NOT NULL),
    CONSTRAINT trainings_of_their_category FOREIGN KEY (category_id) REFERENCES training_categories
);
CREATE INDEX trainings_of_category ON trainings (category_id);
CREATE INDEX trainings_by_title ON trainings (title_folded, id) WHERE state = 'published';
CREATE INDEX trainings_by_price ON trainings (price_cad, id) WHERE state = 'published';
CREATE INDEX trainings_by_date ON trainings (published_at, id) WHERE state = 'published';
CREATE INDEX trainings_by_words ON trainings USING gin (search_folded gin_trgm_ops);

-- Positions are looked at when a transaction ends, so that one can put modules into another order.
CREATE TABLE modules (
    id uuid PRIMARY KEY,
    training_id uuid NOT NULL,
    position integer NOT NULL,
    title_fr text NOT NULL,
    CONSTRAINT modules_of_their_training FOREIGN KEY (training_id) REFERENCES trainings ON DELETE CASCADE,
    CONSTRAINT modules_one_per_position UNIQUE (training_id, position) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT modules_position CHECK (position > 0),
    CONSTRAINT modules_title CHECK (title_fr <> '')
);

-- How texts are compared when somebody searches or sorts (decision 24), whatever the collation of the database.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Compatibility characters are taken apart; marks, apostrophes and what has no width are gone; small letters; œ is oe
-- and æ is ae; white space is one space, none at the ends. Always the same answer: lower() of any other collation than
-- "C" differs between servers and their versions, and unaccent() reads a file. "C" knows the letters of ASCII only, so
-- the capitals of the Latin, Greek, Cyrillic and Armenian alphabets that NFKD does not take apart are listed.
-- What is stored below was made by this function: it is never changed, another gets another name.
CREATE FUNCTION fold(typed text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN btrim(regexp_replace(
    replace(replace(
        lower(translate(
            regexp_replace(
                normalize(replace(typed, '´', ''''), NFKD) COLLATE "C",
                -- marks
                '[\u0300-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u064B-\u065F'
                '\u0670\u1AB0-\u1AFF\u1DC0-\u1DFF\u20D0-\u20FF\u3099\u309A\uFE00-\uFE0F\uFE20-\uFE2F'
                -- apostrophes, primes and quotation marks that are typed for them
                '\u0027\u0060\u02B9\u02BB-\u02BD\u02C8\u02CA\u02CB\u055A\u2018-\u201B\u2032\u2035\uA78B\uA78C'
                -- without width
                '\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFEFF]+',
                '', 'g'),
            -- capitals
            'ÆŒÐØÞĐĦŁŊŦƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƢƤƦƧƩƬƮƱƲƳƵƷƸƼǤǶǷȜȠȢȤȺȻȽȾɁɃɄɅɆɈɊɌɎͰͲͶͿΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩϏϘϚϜϞϠϢϤϦϨ'
            'ϪϬϮϷϺϽϾϿЂЄЅІЈЉЊЋЏАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӃӅӇӉӋӍӔӘ'
            'ӠӨӶӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖẞỺỼỾς',
            'æœðøþđħłŋŧɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵƣƥʀƨʃƭʈʊʋƴƶʒƹƽǥƕƿȝƞȣȥⱥȼƚⱦɂƀʉʌɇɉɋɍɏͱͳͷϳαβγδεζηθικλμνξοπρστυφχψωϗϙϛϝϟϡϣϥϧϩ'
            'ϫϭϯϸϻͻͼͽђєѕіјљњћџабвгдежзиклмнопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӄӆӈӊӌӎӕә'
            'ӡөӷӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆßỻỽỿσ')),
        'œ', 'oe'), 'æ', 'ae'),
    '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g'));

-- The regular expression that folded text matches when it contains what somebody typed: one or two letters (or digits)
-- begin a word, anything else may stand anywhere, and every character stands for itself. Nothing matches everything.
-- A word begins after a space, a sign of ASCII or Latin-1, or general punctuation.
CREATE FUNCTION search_pattern(typed text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT CASE WHEN folded = '' THEN ''
                WHEN folded ~ ('^[^' || signs || ']{1,2}$') THEN '(^|[' || signs || '])' || folded
                ELSE '***=' || folded
           END
      FROM (SELECT fold(typed) AS folded,
                   '\u000A\u0020-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00BF\u2010-\u206F' AS signs) AS typed);

-- `title_folded` is what lists of courses are sorted by: enough of any title, and never too much for a cursor or an index.
-- A line break, which folding never leaves in a text, keeps a search from running from the title into the description.
ALTER TABLE courses
    ADD COLUMN title_folded text COLLATE "C" NOT NULL GENERATED ALWAYS AS (left(fold(title_fr), 200)) STORED,
    ADD COLUMN search_folded text COLLATE "C" NOT NULL
        GENERATED ALWAYS AS (fold(title_fr) || E'\n' || fold(description_fr)) STORED;
CREATE INDEX courses_by_title ON courses (title_folded, id) WHERE active;
CREATE INDEX courses_by_words ON courses USING gin (search_folded gin_trgm_ops);

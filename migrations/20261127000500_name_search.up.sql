-- Search by a part of the name. pg_trgm needs three letters and an extension; pairs of letters need neither, and with the
-- project in their hash the index finds the matches of one project only. Case does not count, as in ILIKE.
-- In plpgsql, because a function in SQL starts an executor for each call: 7 µs a name instead of 40.
CREATE FUNCTION name_pairs(project_id UUID, name TEXT) RETURNS BIGINT[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    seed CONSTANT BIGINT := uuid_hash_extended(project_id, 0);
    letters CONSTANT TEXT := lower(name);
    pairs BIGINT[] := '{}';
BEGIN
    FOR i IN 1 .. length(letters) - 1 LOOP
        pairs[i] := hashtextextended(substr(letters, i, 2), seed);
    END LOOP;
    RETURN pairs;
END $$;

-- Search by a part of the name. pg_trgm needs three letters and an extension, but pairs of letters need neither. The project is
-- part of their hash, so that the index only finds matches of one project. Letter case does not matter, as in ILIKE.
-- The function is in plpgsql, because a function in SQL starts an executor for each call: 40 µs per name instead of 7 µs.
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

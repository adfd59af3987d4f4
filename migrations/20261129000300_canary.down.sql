ALTER TABLE deployment
    DROP COLUMN split,
    DROP COLUMN canary_percent,
    DROP COLUMN canary_step,
    DROP COLUMN stable_generation;

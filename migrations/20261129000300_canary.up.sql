-- A canary: the revision `generation` is tried beside `stable_generation`. All of these are NULL without one.
ALTER TABLE deployment
    ADD COLUMN stable_generation BIGINT,
    ADD COLUMN canary_step       TEXT,  -- TRY, PROMOTE or ABORT
    ADD COLUMN canary_percent    INT,   -- the share of the requests that was asked for
    ADD COLUMN split             JSONB; -- how the requests were divided when it was last observed

DROP TABLE api_token;
DROP TABLE member;
DROP FUNCTION announce_access;

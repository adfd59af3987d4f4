"""The repositories on PostgreSQL, and the schema's migrations."""

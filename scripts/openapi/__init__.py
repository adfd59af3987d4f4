"""Makes gateway/web/openapi.json, the OpenAPI document of the REST API."""

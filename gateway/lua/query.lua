-- Drops the query string. Runs only on routes that take none: there a parameter could override an id of the path
-- (PATCH /models/A?id=B) or set a field of the body (?registered_model.name=x), because to the transcoder a query,
-- a path and a body are all just sources of the one request message.
function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get(":path")
  local query = path:find("?", 1, true)
  if query then
    headers:replace(":path", path:sub(1, query - 1))
  end
end

-- Runs only on routes that take no query string, and drops it: there a parameter could override an id of the path
-- (PATCH /models/A?id=B) or set a field of the body (?registered_model.name=x), because to the transcoder a query,
-- a path and a body are all just sources of the one request message. For the same reason a body is dropped where
-- none belongs: DELETE and POST …/sync have always ignored it.
function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get(":path")
  local query = path:find("?", 1, true)
  if query then
    path = path:sub(1, query - 1)
    headers:replace(":path", path)
  end
  if headers:get(":method") == "DELETE" or path:find("/sync/?$") then
    local body = handle:body()
    if body then
      body:setBytes("")
    end
  end
end

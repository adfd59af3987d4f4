-- Finishes the answers to REST clients after the transcoder; the routes disable it for native gRPC. The worker writes
-- status and body, also of errors. If the RPC itself fails, because no worker could answer, the body is {"error": <text>}.
local ESCAPES = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}

-- The text of a failed RPC is percent-encoded.
local function error_body(grpc_message)
  local text = grpc_message:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  return '{"error":"' .. text:gsub('[%c"\\]', function(c)
    return ESCAPES[c] or string.format("\\u%04x", c:byte())
  end) .. '"}'
end

local function replace_body(handle, text)
  -- The first call returns nil if the worker failed after it had sent headers, but no body.
  (handle:body(true) or handle:body(true)):setBytes(text)
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local grpc_status, message = headers:get("grpc-status"), headers:get("grpc-message")
  if not grpc_status then return end -- Envoy itself has answered
  headers:remove("grpc-status")
  headers:remove("grpc-message")
  local code = headers:get(":status")
  if grpc_status == "0" then
    -- `application/json; charset=utf-8; etag="…"; status=201`. The last two are for this filter, and may be missing.
    local content_type, ours = headers:get("content-type"):match("^([^;]*; [^;]*); (.*)$")
    if ours then
      headers:replace("content-type", content_type)
      local tag, status = ours:match('^etag=("[^"]*")'), ours:match("status=(%d+)$")
      if tag then headers:replace("etag", tag) end
      if status then
        code = status
        headers:replace(":status", code)
      end
    end
  else
    headers:remove("grpc-status-details-bin")
    headers:replace("content-type", "application/json; charset=utf-8")
  end
  if code == "429" then headers:replace("retry-after", "1") end
  if code == "401" then headers:replace("www-authenticate", "Bearer") end
  local is_empty = code == "204" or code == "304"
  if is_empty then headers:remove("content-type") end
  if grpc_status ~= "0" then
    replace_body(handle, error_body(message or ""))
  elseif is_empty then
    replace_body(handle, "")
    handle:headers():remove("content-length") -- `headers` is no longer valid, because body() has yielded
  end
end

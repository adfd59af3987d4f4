-- Writes what REST clients see: the status the registry chose, and errors as {"error": <text>}.
-- Runs after the transcoder, which has already mapped gRPC codes to statuses; never for native gRPC (see the routes).
local ESCAPES = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}

-- The text of a failed RPC comes percent-encoded.
local function error_body(grpc_message)
  local text = grpc_message:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  return '{"error":"' .. text:gsub('[%c"\\]', function(c)
    return ESCAPES[c] or string.format("\\u%04x", c:byte())
  end) .. '"}'
end

local function replace_body(handle, text)
  -- The first call answers nil where the registry failed after it had sent headers, but no body.
  local body = handle:body(true) or handle:body(true)
  body:setBytes(text)
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local grpc_status, code, message = headers:get("grpc-status"), headers:get("x-http-code"), headers:get("grpc-message")
  headers:remove("grpc-status")
  headers:remove("grpc-message")
  headers:remove("x-http-code")
  if grpc_status == "0" then
    if code then headers:replace(":status", code) end
    if code == "204" then
      headers:remove("content-type")
      replace_body(handle, "")
      handle:headers():remove("content-length") -- `headers` is no longer valid: body() waited
    end
  elseif grpc_status then
    headers:remove("grpc-status-details-bin")
    headers:replace("content-type", "application/json; charset=utf-8")
    if grpc_status == "8" and not headers:get("retry-after") then headers:add("retry-after", "1") end
    replace_body(handle, error_body(message or ""))
  end
end

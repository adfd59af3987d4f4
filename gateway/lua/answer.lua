-- Writes what REST clients see: the status the registry chose, and errors as {"error": <text>}.
-- Runs after the transcoder, which has already mapped gRPC codes to statuses; never for native gRPC (see the routes).
local INTERNAL = {"grpc-status", "grpc-message", "grpc-status-details-bin", "x-http-code"}
local ESCAPES = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}

local function error_body(grpc_message)
  local text = grpc_message:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  return '{"error":"' .. text:gsub('[%c"\\]', function(c)
    return ESCAPES[c] or string.format("\\u%04x", c:byte())
  end) .. '"}'
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local grpc_status, code = headers:get("grpc-status"), headers:get("x-http-code")
  local message = headers:get("grpc-message") or ""
  for _, name in ipairs(INTERNAL) do headers:remove(name) end
  if grpc_status == "0" then
    if code then headers:replace(":status", code) end
    if code == "204" then
      headers:remove("content-type")
      handle:body(true):setBytes("")
      handle:headers():remove("content-length") -- the first `headers` ended when body() yielded
    end
  elseif grpc_status then
    headers:replace("content-type", "application/json; charset=utf-8")
    if headers:get(":status") == "429" and not headers:get("retry-after") then headers:add("retry-after", "1") end
    local body = handle:body(true) or handle:body(true)
    body:setBytes(error_body(message))
  elseif headers:get(":status") == "400" then
    -- Envoy's JSON parser adds two lines that quote the input and point into it with a caret.
    local body = handle:body(true)
    body:setBytes((body:getBytes(0, body:length()):gsub('([^\\])\\n.*', '%1"}')))
  end
end

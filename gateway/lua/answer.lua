-- Writes what REST clients see: the status the registry chose, and errors as {"error": <text>}.
-- Runs after the transcoder, which has already mapped gRPC codes to statuses; never for native gRPC (see the routes).
local ESCAPES = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}

-- The transcoder's own errors (400) are made readable: one line, names of the JSON instead of the protos.
local LONGEST = 4096 -- longer texts quote the request; so much is not worth a pattern's time

-- What a field must be where the transcoder does not say it; all others are strings.
local LIST, INTEGER = "a list of strings", "an integer"
local KINDS = {
  frameworks = LIST, architectures = LIST, tasks = LIST, subjects = LIST, model_version_ids = "a list of UUIDs",
  model_size = INTEGER, min_replicas = INTEGER, max_replicas = INTEGER, scale_target = INTEGER,
  timeout_seconds = INTEGER, deadline_seconds = INTEGER, is_default = "true or false",
}

local function must_be(path)
  local field = path:gsub("%[%d+%]$", "") -- the transcoder's index is always 0
  return field .. ": must be " .. (KINDS[field:match("[%w_]*$")] or "a string")
end

local function no_object(path, name)
  return must_be(path:match("[%w_]*$") == name and path or path .. "." .. name) -- the former: inside a list
end

-- The first that matches counts.
local FIELD = "^([%w_%.%[%]]*)"
local READABLE = {
  {FIELD .. "%[%d+%]%.value: .*$", "%1: values must be strings"}, -- of a map, whose key is not told
  {FIELD .. "%.fields%[%d+%]: Repeated map key: '(.*)' is already set%.$", "%1: key '%2' given more than once"},
  {FIELD .. "%[%d+%]: Repeated map key: '(.*)' is already set%.$", "%1: key '%2' given more than once"},
  {FIELD .. ": invalid value Starting an object on a scalar field for type (.*)$", no_object},
  {FIELD .. ": invalid value Cannot bind a list to map for field '(.*)'.*$", "%1.%2: must be an object"},
  {FIELD .. ": invalid value oneof field .* Cannot set '(.*)' for type oneof$", "%2: given more than once"},
  {"^The binding value .* of the field ([%w_]+) is conflicting with the value .* in the body%.$", "%1: given more than once"},
  {FIELD .. ": invalid value .* for type TYPE_STRING$", must_be},
  {FIELD .. ": invalid value .* for type TYPE_BOOL$", "%1: must be true or false"},
  {FIELD .. ": invalid value .* for type TYPE_U?INT%d+$", "%1: must be an integer"},
  {FIELD .. ": invalid value .* for type type%.googleapis%.com/.*$", "%1: must be an object"},
  {"^: Proto field is not repeating, cannot start list%.$", ": must be an object"},
  {"^: Root element must be a message%.$", ": must be an object"},
  {FIELD .. ": Proto field is not repeating, cannot start list%.$", "%1: unexpected list"},
  {FIELD .. ": Proto fields must have a name%.$", "%1: keys must not be empty"},
  -- Syntax errors have two more lines: the input, and a caret that points into it. All of it is JSON-escaped.
  {"^(.-[^\\])\\n.*$", "invalid JSON: %1"},
  {"^(.-[^\\])\\u000a.*$", "invalid JSON: %1"},
}

-- The body is a field of the request message: registered_model, registered_model.name
local BODY = {
  {"^[%w_]*(: must be an object)$", "request body%1"},
  {"^[%w_]*(: unexpected list)$", "request body%1"},
  {"^[%w_]*(: keys must not be empty)$", "request body%1"},
  {"^[%w_]+%.([%w_%.%[%]]+: )", "%1"},
}

local function rewritten(text, rules)
  for _, rule in ipairs(rules) do
    local new, count = text:gsub(rule[1], rule[2])
    if count > 0 then return new end
  end
  return text
end

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

local function make_readable(handle)
  local body = handle:body(true)
  local text = "invalid value"
  if body:length() <= LONGEST then
    text = body:getBytes(0, body:length()):match('^{"error":"(.*)"}\n$')
    if not text then return end -- not the transcoder's
    text = rewritten(rewritten(text, READABLE), BODY)
  end
  body:setBytes('{"error":"' .. text .. '"}')
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local grpc_status, message = headers:get("grpc-status"), headers:get("grpc-message")
  if not grpc_status then -- Envoy's own answer
    if headers:get(":status") == "400" then make_readable(handle) end
    return
  end
  headers:remove("grpc-status")
  headers:remove("grpc-message")
  if grpc_status == "0" then
    local content_type, code = headers:get("content-type"):match("^(.*); status=(%d+)$")
    if code then
      headers:replace(":status", code)
      headers:replace("content-type", content_type)
    end
    if code == "204" then
      headers:remove("content-type")
      replace_body(handle, "")
      handle:headers():remove("content-length") -- `headers` is no longer valid: body() waited
    end
  else
    headers:remove("grpc-status-details-bin")
    headers:replace("content-type", "application/json; charset=utf-8")
    if grpc_status == "8" and not headers:get("retry-after") then headers:add("retry-after", "1") end
    replace_body(handle, error_body(message or ""))
  end
end

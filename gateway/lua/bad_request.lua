-- Makes the transcoder's own errors (400) readable: one line, names of the JSON instead of the protos.
local LONGEST = 4096 -- longer texts quote the request; so much is not worth a pattern's time
local FIELD = "^([%w_%.%[%]]*)"
local READABLE = {
  {FIELD .. ": invalid value Starting an object on a scalar field for type (.*)$", "%1.%2: must not be an object"},
  {FIELD .. ": invalid value Cannot bind a list to map for field '(.*)'.*$", "%1.%2: must be an object"},
  {FIELD .. ": invalid value oneof field .* Cannot set '(.*)' for type oneof$", "%2: given more than once"},
  {"^The binding value .* of the field ([%w_]+) is conflicting with the value .* in the body%.$", "%1: given more than once"},
  {FIELD .. ": invalid value .* for type TYPE_STRING$", "%1: must be a string"},
  {FIELD .. ": invalid value .* for type TYPE_BOOL$", "%1: must be true or false"},
  {FIELD .. ": invalid value .* for type TYPE_U?INT%d+$", "%1: must be an integer"},
  {FIELD .. ": invalid value .* for type type%.googleapis%.com/.*$", "%1: must be an object"},
  {FIELD .. ": Proto field is not repeating, cannot start list%.$", "%1: unexpected list"},
  -- The body is a field of the request message: registered_model, registered_model.name
  {"^[%w_]*: must be an object$", "request body: must be an object"},
  {"^[%w_]*: unexpected list$", "request body: unexpected list"},
  {"^[%w_]+%.([%w_%.%[%]]+: )", "%1"},
  -- Syntax errors have two more lines: the input, and a caret that points into it. All of it is JSON-escaped.
  {"^(.-[^\\])\\n.*$", "invalid JSON: %1"},
  {"^(.-[^\\])\\u000a.*$", "invalid JSON: %1"},
}

function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get(":status") ~= "400" or headers:get("grpc-status") then return end
  local body = handle:body(true)
  local text = "invalid value"
  if body:length() <= LONGEST then
    text = body:getBytes(0, body:length()):match('^{"error":"(.*)"}\n$')
    if not text then return end -- not the transcoder's
    for _, rule in ipairs(READABLE) do text = text:gsub(rule[1], rule[2]) end
  end
  body:setBytes('{"error":"' .. text .. '"}')
end

-- Refuses a call whose body is not exactly one gRPC message (a flag, four bytes of length, and as many bytes), because a
-- worker would wait for the rest until the call's deadline. Runs after the filter `body`, so the body is complete.
function envoy_on_request(handle)
  local body = handle:body()
  local size = body and body:length() or 0
  if size >= 5 then
    local _, a, b, c, d = body:getBytes(0, 5):byte(1, 5)
    if size == 5 + ((a * 256 + b) * 256 + c) * 256 + d then return end
  end
  handle:respond({[":status"] = "400"}, "the request must be exactly one gRPC message")
end

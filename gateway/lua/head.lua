-- Leaves out the body of an answer to HEAD: workers send one, and Envoy would pass it on.
function envoy_on_response(handle)
  local body = handle:body(true)
  if body then
    body:setBytes("")
    handle:headers():remove("content-length")
  end
end

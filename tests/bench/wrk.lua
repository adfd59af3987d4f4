-- What wrk sends and how it reports: wrk -s wrk.lua <address> -- <method> <file of paths> [<body>]
-- The paths are taken in turn; %n in the body becomes a text that no other request of any run has.
local paths, body, method, tag, count = {}, nil, "GET", "", 0

function init(args)
  method, body = args[1], args[3]
  for line in io.lines(args[2]) do paths[#paths + 1] = line end
  tag = string.format("%x-%s", os.time(), tostring({}):match("0x(%x+)"))
end

function request()
  count = count + 1
  local path = paths[count % #paths + 1]
  return wrk.format(method, path, nil, body and body:gsub("%%n", tag .. "-" .. count) or nil)
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nresult {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout
  ))
end

-- Posts one file over and over: wrk ... -- CONTENT-TYPE FILE
function init(args)
  local file = assert(io.open(args[2], "rb"))
  wrk.method = "POST"
  wrk.headers["Content-Type"] = args[1]
  wrk.body = file:read("*a")
  file:close()
end

-- Requests, microseconds, 99th percentile in microseconds, and how many failed.
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("RESULT %d %d %d %d\n",
    summary.requests, summary.duration, latency:percentile(99), failed))
end

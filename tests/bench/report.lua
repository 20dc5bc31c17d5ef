-- SPDX-License-Identifier: MIT
-- Reports of an OwnTracks app, for wrk: a thousand devices, each report later than the one before.
local body = '{"_type":"location","tid":"ne","acc":12,"alt":30,"batt":87,"bs":1,"conn":"w","vac":4,"vel":0,' ..
             '"lat":%d.%06d,"lon":-%d.%06d,"tst":%d,"created_at":%d,"m":1,"t":"u","p":100.325,"topic":"owntracks/jane/%d",' ..
             '"inregions":[],"inrids":[]}'
local count, first = 0, tonumber(os.getenv("REPORT_TIME"))

request = function()
  local device, time = count % 1000, first + math.floor(count / 1000)
  count = count + 1
  local headers = {["Content-Type"] = "application/json", ["X-Limit-U"] = "jane", ["X-Limit-D"] = tostring(device)}
  return wrk.format("POST", "/pub", headers,
    string.format(body, count % 90, count % 1000000, count % 180, count % 999983, time, time, device))
end

-- Milliseconds between an answer and the next report of a connection.
if os.getenv("REPORT_DELAY_MS") then
  local wait = tonumber(os.getenv("REPORT_DELAY_MS"))
  delay = function() return wait end
end

-- SPDX-License-Identifier: MIT
-- Reports of an OwnTracks app, for wrk: of a thousand devices, or REPORT_DEVICES, each later than the one before and from
-- elsewhere. What does not change is made once, for string.format in each request is more work than the server's.
local DEVICES = tonumber(os.getenv("REPORT_DEVICES") or 1000)
local body = '{"_type":"location","tid":"ne","acc":12,"alt":30,"batt":87,"bs":1,"conn":"w","vac":4,"vel":0,' ..
             '"lat":LATITUDE_,"lon":-LONGITUDE_,"tst":TIMESTAMP_,"created_at":TIMESTAMP_,"m":1,"t":"u","p":100.325,' ..
             '"topic":"owntracks/jane/%d","inregions":[],"inrids":[]}'
local count, time, fraction = 0, tonumber(os.getenv("REPORT_TIME")), ""
local pieces = {}

-- The text around the words in capitals, which are as long as what is put there.
local function cut(text)
  local found, from = {}, 1
  for at, to in text:gmatch("()%u+_()") do
    found[#found + 1] = text:sub(from, at - 1)
    from = to
  end
  found[#found + 1] = text:sub(from)
  return found
end

init = function()
  for device = 0, DEVICES - 1 do
    local headers = {["Content-Type"] = "application/json", ["X-Limit-U"] = "jane", ["X-Limit-D"] = tostring(device)}
    pieces[device] = cut(wrk.format("POST", "/pub", headers, string.format(body, device)))
  end
end

request = function()
  local device = count % DEVICES
  if device == 0 then
    time = time + 1
    fraction = string.format(".%06d", time * 7919 % 1000000)
  end
  local piece, latitude, longitude = pieces[device], 10 + count % 79, 100 + count % 79
  count = count + 1
  return piece[1] .. latitude .. fraction .. piece[2] .. longitude .. fraction .. piece[3] .. time .. piece[4] .. time .. piece[5]
end

-- Milliseconds between an answer and the next report of a connection.
if os.getenv("REPORT_DELAY_MS") then
  local wait = tonumber(os.getenv("REPORT_DELAY_MS"))
  delay = function() return wait end
end

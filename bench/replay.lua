-- Plays requests from a file. Each thread has one connection, so an answer always belongs to the request before it.
-- Arguments: file (thread n reads `file.n`), Authorization ("" for none). bench/plans.py writes the files.
-- A thread at the end of its file creates `file.n.played` and stops; wrk itself runs until its time is over.
-- A line has, separated by tabs: method, path, expected status, 1 if it ends an operation, Content-Type, Content-Range,
-- size, text. The body is the text, padded with x to the size. A path that begins with @ is the last Location, with the
-- rest of the path in its query.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  finished, refused, exhausted, first_refusal, location = 0, 0, 0, "", nil
  authorization = args[2]
  plan = args[1] .. "." .. number
  lines = io.lines(plan)
end

local function filled(text, size)
  if #text >= size then return text end
  return text .. string.rep("x", size - #text)
end

local function target(path)
  if string.sub(path, 1, 1) ~= "@" then return path end
  local query = string.sub(path, 2)
  if query == "" then return location or "/" end
  local separator = string.find(location or "", "?", 1, true) and "&" or "?"
  return (location or "/") .. separator .. query
end

function request()
  if number == 0 and not asked then
    asked = true -- wrk makes one call before it starts, and does not send the result
    return wrk.format("GET", "/v2/")
  end
  local line = lines and lines()
  if line == nil then
    if lines then io.open(plan .. ".played", "w"):close() end
    lines, exhausted, expected = nil, 1, nil
    wrk.thread:stop()
    return wrk.format("GET", "/v2/")
  end
  local method, path, status, ends, kind, range, size, text =
    string.match(line, "^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
  expected, counts, current = tonumber(status), ends == "1", method .. " " .. path
  local headers = { ["Host"] = wrk.headers["Host"] }
  if kind ~= "" then headers["Content-Type"] = kind end
  if range ~= "" then headers["Content-Range"] = range end
  if authorization ~= "" then headers["Authorization"] = authorization end
  return wrk.format(method, target(path), headers, filled(text, tonumber(size)))
end

function response(status, headers, body)
  if expected == nil then return end
  if status ~= expected then
    refused = refused + 1
    if refused == 1 then first_refusal = status .. " to " .. current .. " " .. string.sub(body, 1, 300) end
  elseif counts then
    finished = finished + 1
  end
  if status == 202 then
    for name, value in pairs(headers) do
      if string.lower(name) == "location" then location = string.gsub(value, "^https?://[^/]+", "") end
    end
  end
end

function done(summary)
  local all, bad, over, reason = 0, 0, 0, ""
  for _, thread in ipairs(threads) do
    all, bad, over = all + thread:get("finished"), bad + thread:get("refused"), over + thread:get("exhausted")
    if thread:get("first_refusal") ~= "" then reason = thread:get("first_refusal") end
  end
  print(string.format("finished %d refused %d exhausted %d seconds %.6f %s", all, bad, over, summary.duration / 1e6, reason))
end

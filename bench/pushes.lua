-- Small blobs pushed as clients push them: POST for a session, PUT of the content to the Location that came back.
-- Each thread has one connection, so that an answer always belongs to the request before it.
-- Arguments: file of digests (a line each, `count` lines a thread), count, repository, Authorization ("" for none)

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  digests, created, refused, position, location = {}, 0, 0, 0, nil
  count, repository = tonumber(args[2]), args[3]
  headers = { ["Content-Type"] = "application/octet-stream" }
  if args[4] ~= "" then headers["Authorization"] = args[4] end
  local line = 0
  for digest in io.lines(args[1]) do
    if math.floor(line / count) == number then table.insert(digests, digest) end
    line = line + 1
  end
end

function request()
  if location == nil then
    return wrk.format("POST", "/v2/" .. repository .. "/blobs/uploads/", headers, "")
  end
  local index = position % count
  local separator = string.find(location, "?", 1, true) and "&" or "?"
  local body = string.format("%d-%d-", number, index) .. string.rep("x", 1000)
  return wrk.format("PUT", location .. separator .. "digest=" .. digests[index + 1], headers, body)
end

function response(status, answered)
  if status == 202 and location == nil then
    for name, value in pairs(answered) do
      if string.lower(name) == "location" then location = string.gsub(value, "^https?://[^/]+", "") end
    end
  elseif status == 201 then
    created, position, location = created + 1, position + 1, nil
  else
    refused, location = refused + 1, nil
  end
end

function done(summary)
  local all, bad = 0, 0
  for _, thread in ipairs(threads) do
    all, bad = all + thread:get("created"), bad + thread:get("refused")
  end
  print(string.format("created %d refused %d seconds %.3f", all, bad, summary.duration / 1e6))
end

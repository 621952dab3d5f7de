-- Waits before each request. Argument: milliseconds.

function init(args)
  pause = tonumber(args[1])
end

function delay()
  return pause
end

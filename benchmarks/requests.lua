-- Sends the bodies in a file, one JSON document a line, one after the other and then again.
-- usage: wrk -s requests.lua URL -- FILE

local requests = {}
local sent = 0

function init(arguments)
   local headers = { ["Content-Type"] = "application/json" }
   for body in io.lines(arguments[1]) do
      requests[#requests + 1] = wrk.format("POST", nil, headers, body)
   end
end

function request()
   sent = sent % #requests + 1
   return requests[sent]
end

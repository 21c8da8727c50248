-- POST $BENCH_PATH with the next code of $BENCH_BODIES, as a person of $BENCH_TOKENS at random, under a key of its own.
-- A code is good once: the file $BENCH_PLACE keeps how far earlier runs came.
math.randomseed(os.time())
local function lines(name)
  local found = {}
  for line in io.lines(os.getenv(name)) do found[#found + 1] = line end
  return found
end
local function came_to()
  local file = io.open(os.getenv("BENCH_PLACE"))
  local place = file and file:read("*n") or 0
  if file then file:close() end
  return place
end
local workers = {}
function setup(thread) workers[#workers + 1] = thread end
local tokens, bodies, path
local run = os.time() .. "-" .. math.random(1000000)
function init()
  tokens, bodies, path, place = lines("BENCH_TOKENS"), lines("BENCH_BODIES"), os.getenv("BENCH_PATH"), came_to()
end
function request()
  place = place + 1
  local headers = {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. tokens[math.random(#tokens)],
    ["Idempotency-Key"] = run .. "-" .. place,
  }
  return wrk.format("POST", path, headers, bodies[place] or error("no code is left"))
end
function done()
  local file = io.open(os.getenv("BENCH_PLACE"), "w")
  file:write(workers[1]:get("place"))
  file:close()
end

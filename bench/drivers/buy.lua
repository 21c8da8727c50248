-- POST $BENCH_PATH with a course of $BENCH_BODIES and a buyer of $BENCH_TOKENS, at random, under a key of its own.
math.randomseed(os.time())
local function lines(name)
  local found = {}
  for line in io.lines(os.getenv(name)) do found[#found + 1] = line end
  return found
end
local tokens, bodies, path = lines("BENCH_TOKENS"), lines("BENCH_BODIES"), os.getenv("BENCH_PATH")
local run, count = os.time() .. "-" .. math.random(1000000), 0
request = function()
  count = count + 1
  local headers = {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. tokens[math.random(#tokens)],
    ["Idempotency-Key"] = run .. "-" .. count,
  }
  return wrk.format("POST", path, headers, bodies[math.random(#bodies)])
end

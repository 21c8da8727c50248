-- GET one of the paths in the file $BENCH_PATHS, at random.
math.randomseed(os.time())
local paths = {}
for line in io.lines(os.getenv("BENCH_PATHS")) do paths[#paths + 1] = line end
request = function() return wrk.format("GET", paths[math.random(#paths)]) end

--- host test --root . tests/scripts/hogwarts_test.lua
local list = require "host.list"
local world = require "scenarios.hogwarts.world"

local plugins = {
  greatLibrary = "library", gryffindorTower = "gryffindor", hagridsHut = "hagrid",
  herbologyGreenHouse = "herbology", muggleWorld = "muggle", platform9Quarters = "platform",
  quidditchPitch = "quidditch",
}

local function begin(t, rules)
  local made = t:request("POST /universes", { body = rules })
  t:same(201, made.status)
  return made.body.id
end

local function show(t, id) return t:request("GET /universes/" .. id).body end

local function steer(t, id, what)
  return t:request("POST /universes/" .. id .. "/" .. what)
end

-- Everybody who is in a place, from the places' own states.
local function everybody(t, id)
  local seen = list.of {}
  for _, place in ipairs(world.order) do list.add(seen, t:state(plugins[place], id).present) end
  return seen
end

local function all_are_there(t, id)
  t:same(list.sorted(world.characters), list.sorted(everybody(t, id)))
end

-- A universe with these hops rests within them: no stay lasts longer than three paces.
local function until_rest(t, hops) t:advance((3 * hops + 3) .. "s") end

return {
  deployment = "examples/hogwarts/deployment.lua",

  ["42 characters set out, six to a place"] = function(t)
    local id = begin(t, { seed = 7, hops = 0 })
    t:run()
    for _, place in ipairs(world.order) do t:same(6, #t:state(plugins[place], id).present) end
  end,

  ["a universe that ran out of hops rests, with the 42 names once each"] = function(t)
    local id = begin(t, { seed = 7, pace = "1s", hops = 20 })
    until_rest(t, 20)
    t:same("resting", show(t, id).status)
    all_are_there(t, id)
  end,

  ["the master knows where everybody is"] = function(t)
    local id = begin(t, { seed = 3, pace = "1s", hops = 10 })
    until_rest(t, 10)
    local characters = show(t, id).characters
    for _, place in ipairs(world.order) do
      local route = "GET /places/" .. place .. "/universes/" .. id
      for _, name in ipairs(t:request(route).body.present) do
        t:same({ place, false }, { characters[name].place, characters[name].in_flight })
      end
    end
  end,

  ["nobody goes back where the arrivals came from, or stays"] = function(t)
    begin(t, { seed = 11, pace = "1s", hops = 15 })
    until_rest(t, 15)
    local from, seen = {}, 0 -- where the visit of a chain and hop came from
    for _, place in ipairs(world.order) do
      for _, owl in ipairs(t:sent(world.topic[place])) do
        t:same(false, owl.payload.from == place)
        from[owl.payload.chain .. owl.payload.hop] = owl.payload.from
      end
    end
    for _, place in ipairs(world.order) do
      for _, owl in ipairs(t:sent(world.topic[place])) do
        local before = owl.payload.hop > 0 and from[owl.payload.chain .. owl.payload.hop - 1]
        t:same(false, before == place)
        seen = seen + 1
      end
    end
    t:same(true, seen > 7)
  end,

  ["a scene has at most 20 words"] = function(t)
    begin(t, { seed = 5, pace = "1s", hops = 10 })
    until_rest(t, 10)
    for _, owl in ipairs(t:sent("owl-post")) do
      if owl.payload.type == "Scene" then
        local _, words = owl.payload.summary:gsub("%S+", "")
        t:same(true, words <= 20)
      end
    end
  end,

  ["what is paused moves no more until it is resumed"] = function(t)
    local id = begin(t, { seed = 2, pace = "1s", hops = 20 })
    t:advance("3s")
    t:same("paused", steer(t, id, "pause").body.status)
    t:run()
    local told = #t:sent("owl-post")
    t:advance("1h")
    t:same(told, #t:sent("owl-post"))
    all_are_there(t, id)

    t:same("running", steer(t, id, "resume").body.status)
    until_rest(t, 20)
    t:same("resting", show(t, id).status)
    all_are_there(t, id)
  end,

  ["what is stopped stays stopped"] = function(t)
    local id = begin(t, { seed = 2, pace = "1s", hops = 20 })
    t:advance("3s")
    t:same("stopped", steer(t, id, "stop").body.status)
    t:same(409, steer(t, id, "resume").status)
    t:advance("1h")
    t:same("stopped", show(t, id).status)
    all_are_there(t, id)
  end,

  ["every scene is in the chronicle, newest first"] = function(t)
    local id = begin(t, { seed = 9, pace = "1s", hops = 5 })
    until_rest(t, 5)
    local scenes, before, clock = 0, "", math.huge
    repeat
      local page = t:request("GET /universes/" .. id .. "/chronicle?limit=7" .. before).body
      for _, scene in ipairs(page.data) do
        t:same(true, scene.clock <= clock)
        clock, scenes = scene.clock, scenes + 1
      end
      before = page.next and "&before=" .. page.next
    until not before
    t:same(show(t, id).decisions.dice, scenes)
  end,

  ["a journey ends where its character is"] = function(t)
    local id = begin(t, { seed = 4, pace = "1s", hops = 12 })
    until_rest(t, 12)
    local dobby = t:request("GET /universes/" .. id .. "/characters/Dobby").body
    t:same(dobby.now.place, dobby.journey[#dobby.journey].place)
    t:same(404, t:request("GET /universes/none/characters/Dobby").status)
  end,

  ["universes run side by side, and a reset clears them all"] = function(t)
    local first = begin(t, { seed = 1, pace = "1s", hops = 50 })
    local second = begin(t, { seed = 1, pace = "2s", hops = 50 })
    t:advance("10s")
    t:same(2, #t:request("GET /states").body.data)
    t:same(202, t:request("DELETE /reset").status)
    t:advance("10m")
    t:same(0, #t:request("GET /states").body.data)
    for _, id in ipairs { first, second } do
      t:same(404, t:request("GET /universes/" .. id).status)
      t:same(404, t:request("GET /places/muggleWorld/universes/" .. id).status)
    end
  end,

  ["GET /initate and GET /initiate start a universe with defaults"] = function(t)
    for _, route in ipairs { "GET /initate", "GET /initiate" } do
      local made = t:request(route)
      t:same(201, made.status)
      t:same(100, show(t, made.body.id).rules.hops)
    end
  end,
}

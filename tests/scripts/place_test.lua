--- host test --root . tests/scripts/place_test.lua
--- Visits and control messages come through two topics: either may be first.
local list = require "host.list"

local function visit(hops, names)
  return {
    type = "Initiate", incomingCharacters = names or { "Harry", "Ron" }, chain = "quidditchPitch",
    rules = { seed = 7, pace = "1s", hops = hops },
  }
end

local function arrive(t, hops, names)
  return t:send("quidditch-messages", "u1", visit(hops, names))
end

local function control(t, type) return t:send("hogwarts.control", "u1", { type = type }) end

local function told(t, type)
  local owls = {}
  for _, owl in ipairs(t:sent("owl-post")) do
    if owl.payload.type == type then table.insert(owls, owl.payload) end
  end
  return owls
end

return {
  plugins = { "plugins/quidditch.lua" },

  ["a pause that comes before the first visit holds it"] = function(t)
    control(t, "Pause")
    arrive(t, 5)
    t:advance("1m")
    t:same({}, told(t, "Scene"))
    t:same(1, #t:state("u1").held)
  end,
  ["a resume before the stay is over changes nothing"] = function(t)
    arrive(t, 5)
    control(t, "Pause")
    control(t, "Resume")
    t:advance("1m")
    t:same(1, #told(t, "Scene"))
  end,
  ["a stop ends the stay of everybody"] = function(t)
    arrive(t, 5)
    control(t, "Stop")
    t:advance("1h")
    t:same({}, told(t, "Scene"))
    t:same({ "Harry", "Ron" }, t:state("u1").present)
  end,
  ["an owl that comes after the stop still lands"] = function(t)
    control(t, "Stop")
    arrive(t, 5)
    t:advance("1h")
    t:same({ "Harry", "Ron" }, t:state("u1").present)
    t:same({}, told(t, "Scene"))
  end,
  ["a stop while paused lets go of what was held"] = function(t)
    arrive(t, 5)
    control(t, "Pause")
    t:advance("1m")
    control(t, "Stop")
    control(t, "Resume")
    t:advance("1h")
    t:same({}, t:state("u1").held)
    t:same({}, told(t, "Scene"))
  end,
  ["late owls of a cleared universe are dropped"] = function(t)
    arrive(t, 5)
    control(t, "Reset")
    arrive(t, 5, { "Luna" })
    t:advance("1h")
    t:same(404, t:request("GET /places/quidditchPitch/universes/u1").status)
    t:same({}, told(t, "Scene"))
  end,
  ["two chains in one place: who left does not leave again"] = function(t)
    arrive(t, 5, { "Harry" })
    arrive(t, 5, { "Ron" })
    t:advance("1m")
    local gone = {}
    for _, scene in ipairs(told(t, "Scene")) do
      for _, name in ipairs(scene.characters) do
        t:same(nil, gone[name])
        gone[name] = true
      end
    end
  end,
  ["a chain that finds nobody rests, and says after how many owls"] = function(t)
    arrive(t, 5, list.of {})
    t:advance("1m")
    local rested = told(t, "Rested")[1]
    t:same({ 1, "nobody is here to leave" }, { rested.posts, rested.why })
  end,
  ["a match has a score, and the season keeps the points"] = function(t)
    arrive(t, 5)
    t:advance("1m")
    local home, away = told(t, "Scene")[1].summary:match("^%a+ (%d+), %a+ (%d+)%.")
    local points = 0
    for _, won in pairs(t:state("u1").points) do points = points + won end
    t:same(points, home + away)
    t:same(1, t:state("u1").matches)
  end,
}

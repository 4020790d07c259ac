--- host test --root . tests/scripts/dice_test.lua
local dice = require "policies.hogwarts.dice"
local list = require "host.list"

local scene = {
  present = { "Harry", "Ron", "Luna" },
  exits = { "hagridsHut", "muggleWorld" },
  phrases = { "{who} leaves." },
}

-- A ctx whose dice always show the same.
local function loaded(value)
  return {
    random = function() return value end,
    pick = function(_, from) return from[1] end,
  }
end

return {
  ["somebody leaves even when the dice say nobody"] = function(t)
    t:same({ "Harry" }, dice.decide(loaded(0.99), scene).characters)
  end,
  ["everybody may leave together"] = function(t)
    t:same(scene.present, dice.decide(loaded(0), scene).characters)
  end,
  ["the phrase names one who leaves"] = function(t)
    t:same("Harry leaves.", dice.decide(loaded(0), scene).summary)
  end,
  ["the destination is an exit"] = function(t)
    t:same(true, list.has(scene.exits, dice.decide(loaded(0), scene).destination))
  end,
}

--- The hub: trains call at the other places in turn, so whoever leaves takes the next one.
local list = require "host.list"
local place = require "scenarios.hogwarts.place"

local timetable = {
  { at = "11:00", to = "gryffindorTower" },
  { at = "11:15", to = "muggleWorld" },
  { at = "12:40", to = "greatLibrary" },
  { at = "14:05", to = "quidditchPitch" },
  { at = "15:30", to = "hagridsHut" },
  { at = "17:10", to = "herbologyGreenHouse" },
}

-- The next train in the timetable that goes to one of the exits.
local function board(ctx, scene)
  local s = ctx.state
  for _ = 1, #timetable do
    local train = timetable[s.departures % #timetable + 1]
    s.departures = s.departures + 1
    if list.has(scene.exits, train.to) then
      scene.exits = { train.to }
      return ("The %s to %s is boarding."):format(train.at, train.to)
    end
  end
end

return place {
  plugin = "platform", place = "platform9Quarters",
  doc = "Platform 9 3/4: the hub, which runs by a timetable",
  prompt = "A hidden platform full of steam, owls in cages and people who are nearly late.",
  stay = 0.5,
  state = { departures = 0 },
  open = board,
  phrases = {
    "{who} runs through the wall.",
    "{who} has the wrong trunk.",
    "A toad escapes from {who}.",
    "{who} waves at the wrong window.",
    "Steam hides the tears of {who}.",
  },
}

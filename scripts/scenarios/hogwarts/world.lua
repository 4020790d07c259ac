--- What the seven places and the master agree on: names, topics and the shape of every message.
local spec = require "host.spec"

local M = {}

--- The places, in the order in which the characters are dealt.
M.order = {
  "greatLibrary", "gryffindorTower", "hagridsHut", "herbologyGreenHouse",
  "muggleWorld", "platform9Quarters", "quidditchPitch",
}

--- Where a place gets its visits.
M.topic = {
  greatLibrary = "great-lib-messages",
  gryffindorTower = "gryffindor-messages",
  hagridsHut = "hagrids-messages",
  herbologyGreenHouse = "herbology-messages",
  muggleWorld = "muggle-messages",
  platform9Quarters = "platform-messages",
  quidditchPitch = "quidditch-messages",
}

M.characters = {
  "Harry", "Ron", "Hermione", "Draco", "Hagrid", "Dumbledore", "Snape", "McGonagall", "Luna",
  "Neville", "Fred", "George", "Ginny", "Voldemort", "Sirius", "Remus", "Alastor", "Dobby",
  "Cedric", "Cho", "Severus", "Bellatrix", "Lucius", "Narcissa", "Tonks", "Kingsley",
  "Cornelius", "Fleur", "Bill", "Charlie", "Percy", "Oliver", "Lee", "Dean", "Parvati",
  "Lavender", "Padma", "Marcus", "Gregory", "Vincent", "Dennis", "Zacharias",
}

local travellers = spec.list(spec.one_of(M.characters), { max = #M.characters })
local place = spec.one_of(M.order)

--- How a universe runs; everything has a default, so `{}` is a universe too.
M.rules = spec.record {
  seed = spec.int { default = 1, doc = "the same seed deals the same cards" },
  pace = spec.duration { default = "1s", max = "1h", doc = "how long a stay of one lasts" },
  hops = spec.int { default = 100, min = 0, max = 100000, doc = "how often one chain moves on" },
}

--- What a path of the API has as `:id`; a key has at most 512 bytes.
M.in_path = { id = spec.string { min = 1, max = 100, doc = "a universe" } }

--- An owl that brings travellers. `chain` is where its line of visits began: a universe starts
--- seven of them, and each is in one spot at any moment.
M.visit = spec.record {
  type = spec.one_of { "Initiate", "React" },
  incomingCharacters = travellers,
  reactionByEffector = spec.string { optional = true, max = 400, doc = "the scene they left" },
  ActionEntailed = spec.string { optional = true, max = 200, doc = "what they set out to do" },
  chain = place,
  from = place { optional = true, doc = "the place that sent them; none at the start" },
  hop = spec.int { default = 0, min = 0, doc = "how often this chain moved before" },
  clock = spec.int { default = 0, min = 0, doc = "Lamport clock of the sender" },
  rules = M.rules,
}

--- From the master to every place, keyed by universe.
M.control = spec.tagged("type", { Pause = {}, Resume = {}, Stop = {}, Reset = {} })

--- What the places tell about a universe. Owls of two places can overtake each other; `clock` puts
--- them in order.
M.post = spec.tagged("type", {
  Arrived = { place = place, chain = place, clock = spec.int, characters = travellers },
  Scene = {
    place = place, chain = place, clock = spec.int, characters = travellers,
    summary = spec.string { max = 400 },
    destination = place,
    by = spec.string { max = 40, doc = "who decided" },
    ignored = spec.int { doc = "names in the decision that were not there" },
  },
  Rested = {
    place = place, chain = place, clock = spec.int,
    posts = spec.int { doc = "how many owls told of this chain before" },
    why = spec.string { max = 80 },
  },
})

--- What a policy for `next_place` answers.
M.choice = spec.record {
  summary = spec.string { max = 400, doc = "at most 20 words" },
  characters = spec.list(spec.string { max = 40 }, { max = 100, doc = "who leaves" }),
  destination = spec.string { max = 40, doc = "one of the exits" },
  by = spec.one_of { "dice", "storyteller", "repaired", default = "dice" },
}

--- Topics that carry visits, for `emits`.
--- @param emits table topics that the plugin emits besides
--- @return table
function M.with_visits(emits)
  for _, topic in pairs(M.topic) do emits[topic] = M.visit end
  return emits
end

--- The first `limit` words of a text.
--- @param text string
--- @param limit integer
--- @return string
function M.words(text, limit)
  local words = {}
  for word in text:gmatch("%S+") do
    if #words == limit then break end
    words[#words + 1] = word
  end
  return table.concat(words, " ")
end

return M

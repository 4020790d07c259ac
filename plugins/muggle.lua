local place = require "scenarios.hogwarts.place"

return place {
  plugin = "muggle", place = "muggleWorld",
  doc = "the Muggle world: everything takes a little longer without magic",
  prompt = "An ordinary English street. Nobody may notice anything, and everybody nearly does.",
  stay = 1.25,
  phrases = {
    "{who} pays for a bus with a chocolate frog.",
    "A traffic light turns green; {who} thanks it.",
    "{who} explains the broom to a police officer.",
    "The telephone rings. {who} bows to it and leaves.",
    "{who} waits at a door that opens by itself, impressed.",
  },
}

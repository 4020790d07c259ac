local place = require "scenarios.hogwarts.place"

return place {
  plugin = "library", place = "greatLibrary",
  doc = "the Great Library: long stays, whispered words",
  prompt = "A vast, dim library. Books have opinions and Madam Pince hears everything.",
  stay = 2,
  phrases = {
    "{who} returns a book that would rather have stayed.",
    "{who} is shushed three times, the last time by a dictionary.",
    "A page turns by itself, and {who} follows what it says.",
    "{who} finds a map between two recipes for sleeping draughts.",
    "The Restricted Section sighs as {who} tiptoes out.",
  },
}

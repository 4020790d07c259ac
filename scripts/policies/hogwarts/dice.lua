--- Seeded chance, offline: about a third of those present leave together, at least one of them,
--- through any of the exits. The place brings the words; `{who}` in a phrase is one who leaves.
local M = {}

M.doc = "dice decide who leaves, and where to"
M.config = {}

function M.decide(ctx, scene)
  local leavers = {}
  for _, name in ipairs(scene.present) do
    if ctx:random() < 0.35 then table.insert(leavers, name) end
  end
  if #leavers == 0 then leavers[1] = ctx:pick(scene.present) end
  local summary = ctx:pick(scene.phrases):gsub("{who}", leavers[1])
  return {
    summary = summary,
    characters = leavers,
    destination = ctx:pick(scene.exits),
    by = "dice",
  }
end

return M

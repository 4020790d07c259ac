--- require "host.sql": conditions of a statement whose parameters may be absent.
local error, getmetatable, ipairs, pairs = error, getmetatable, ipairs, pairs
local setmetatable, type, concat = setmetatable, type, table.concat
local gmatch, gsub = string.gmatch, string.gsub

local M = {}
local Values = {}

local function merged(a, b)
  local out = setmetatable({}, getmetatable(a))
  for name, value in pairs(a) do out[name] = value end
  for name, value in pairs(b) do out[name] = value end
  return out
end

--- The same parameters and these.
--- @param more table<string, any>
function Values:with(more)
  if type(more) ~= "table" then error("values:with takes a table of parameters", 2) end
  return merged(self, more)
end
local values_metatable = { __index = Values }

-- The parameters of one condition, or nil when one of them is absent. `::text` is a cast, and
-- 'a:b' a text.
local function parameters(condition, given)
  local found = {}
  for colons, name in gmatch(gsub(condition, "'[^']*'", "''"), "(:+)([%a_][%w_]*)") do
    if #colons == 1 then
      local value
      for _, params in ipairs(given) do
        if params[name] ~= nil then value = params[name] end
      end
      if value == nil then return nil end
      found[name] = value
    end
  end
  return found
end

--- Keeps the conditions whose parameters are all there.
---   local where, values = sql.where({ "name = :name", "at >= :from" }, req.query)
---   ctx:query("select * from t " .. where, values)
--- @param conditions string[]
--- @param ... table<string, any> parameters; later tables win
--- @return string where "where ... and ...", or "" when no condition is left
--- @return table values the parameters of the conditions; values:with { n = 10 } adds others
function M.where(conditions, ...)
  if type(conditions) ~= "table" then error("sql.where takes a list of conditions", 2) end
  local given = { ... }
  for i, params in ipairs(given) do
    if type(params) ~= "table" then
      error("sql.where takes tables of parameters; argument " .. i + 1 .. " is none", 2)
    end
  end
  local kept, values = {}, setmetatable({}, values_metatable)
  for i, condition in ipairs(conditions) do
    if type(condition) ~= "string" then error("condition " .. i .. " is no text", 2) end
    local found = parameters(condition, given)
    if found then
      kept[#kept + 1] = "(" .. condition .. ")"
      for name, value in pairs(found) do values[name] = value end
    end
  end
  if #kept == 0 then return "", values end
  return "where " .. concat(kept, " and "), values
end

return M

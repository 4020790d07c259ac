--- require "host.list": lists in order. What returns a list returns a new one, marked as a list, so
--- that an empty one is encoded as [].
local marked, is_marked = ... -- the metatable of lists
local error, ipairs, pairs, setmetatable, type = error, ipairs, pairs, setmetatable, type
local insert, remove, sort = table.insert, table.remove, table.sort

local M = {}

local function need(l, name)
  if type(l) ~= "table" then error("list." .. name .. " takes a list, not a " .. type(l), 3) end
end

local function new() return setmetatable({}, marked) end

--- Marks a table as a list: `list.of {}` is encoded as [].
--- @generic T
--- @param l T[]
--- @return T[] l the same table
function M.of(l)
  need(l, "of")
  return is_marked(l) and l or setmetatable(l, marked)
end

--- Whether an item equals the value.
--- @param l any[]
--- @param value any
--- @return boolean
function M.has(l, value)
  need(l, "has")
  for _, item in ipairs(l) do
    if item == value then return true end
  end
  return false
end

--- Appends all items of `more`.
--- @generic T
--- @param l T[]
--- @param more T[]
--- @return T[] l
function M.add(l, more)
  need(l, "add")
  need(more, "add")
  local n = #l
  for i = 1, #more do l[n + i] = more[i] end
  return l
end

--- Appends one item and drops the oldest above `max`.
--- @generic T
--- @param l T[]
--- @param item T
--- @param max integer?
--- @return T[] l
function M.push(l, item, max)
  need(l, "push")
  if item == nil then error("list.push has nothing to append: the item is nil", 2) end
  l[#l + 1] = item
  while max and #l > max do remove(l, 1) end
  return l
end

--- Removes the first item that equals the value.
--- @param l any[]
--- @param value any
--- @return boolean removed
function M.remove(l, value)
  need(l, "remove")
  for i, item in ipairs(l) do
    if item == value then
      remove(l, i)
      return true
    end
  end
  return false
end

--- The items that are not in `drop`.
--- @generic T
--- @param l T[]
--- @param drop T[] may have holes: { a, nil, b }
--- @return T[]
function M.without(l, drop)
  need(l, "without")
  need(drop, "without")
  local gone, out, n = {}, new(), 0
  for _, item in pairs(drop) do gone[item] = true end
  for _, item in ipairs(l) do
    if not gone[item] then
      n = n + 1
      out[n] = item
    end
  end
  return out
end

--- The items of `a` that are in `b` too, in the order of `a`, each once.
--- @generic T
--- @param a T[]
--- @param b T[]
--- @return T[]
function M.both(a, b)
  need(a, "both")
  need(b, "both")
  local wanted, out, n = {}, new(), 0
  for _, item in ipairs(b) do wanted[item] = true end
  for _, item in ipairs(a) do
    if wanted[item] then
      wanted[item] = nil
      n = n + 1
      out[n] = item
    end
  end
  return out
end

--- The first item that equals a value, whose field has a value, or for which a function is true.
--- @generic T
--- @param l T[]
--- @param what any | string | fun(item: T): boolean
--- @param value any? of the field `what`
--- @return integer? place
--- @return T? item
function M.find(l, what, value)
  need(l, "find")
  for i, item in ipairs(l) do
    local found
    if type(what) == "function" then
      found = what(item)
    elseif value ~= nil then
      found = item[what] == value
    else
      found = item == what
    end
    if found then return i, item end
  end
end

--- The items for which the function is true.
--- @generic T
--- @param l T[]
--- @param f fun(item: T): boolean
--- @return T[]
function M.keep(l, f)
  need(l, "keep")
  local out, n = new(), 0
  for _, item in ipairs(l) do
    if f(item) then
      n = n + 1
      out[n] = item
    end
  end
  return out
end

--- The items from one place to another, both included; what is outside is left out.
--- @generic T
--- @param l T[]
--- @param first integer
--- @param last integer? default: the end
--- @return T[]
function M.slice(l, first, last)
  need(l, "slice")
  local out, n = new(), 0
  if first < 1 then first = 1 end
  if not last or last > #l then last = #l end
  for i = first, last do
    n = n + 1
    out[n] = l[i]
  end
  return out
end

--- A sorted copy.
--- @generic T
--- @param l T[]
--- @param less (fun(a: T, b: T): boolean)?
--- @return T[]
function M.sorted(l, less)
  need(l, "sorted")
  local out = new()
  for i, item in ipairs(l) do out[i] = item end
  sort(out, less)
  return out
end

--- The keys of a table, sorted: `pairs` has no order.
--- @param map table<string, any>
--- @return string[]
function M.keys(map)
  need(map, "keys")
  local out = new()
  for key in pairs(map) do insert(out, key) end
  sort(out)
  return out
end

return M

-- What Quarto's markdown has beyond pandoc's: callouts, tabs, numbered figures and tables; and nbdev's symbol headings.

local CALLOUTS = {note = 'Note', tip = 'Tip', important = 'Important', caution = 'Caution', warning = 'Warning'}
local KINDS = {fig = 'Figure', tbl = 'Table'}

local references = {}               -- identifier -> what a reference to it says
local counts = {fig = 0, tbl = 0}
local tab_sets = 0

local function raw(text) return pandoc.RawBlock('html', text) end

local function escape(text) return (text:gsub('&', '&amp;'):gsub('<', '&lt;'):gsub('"', '&quot;')) end

local function id_attribute(id) return id == '' and '' or (' id="' .. escape(id) .. '"') end

-- Figures and tables -------------------------------------------------------------------------------------------------

-- "Figure 1: " before the caption of what has an identifier `fig-...` (or `tbl-...`)
local function numbered(block)
  local kind = block.identifier:match('^(%a+)%-')
  if not KINDS[kind] then return nil end
  counts[kind] = counts[kind] + 1
  local name = KINDS[kind] .. ' ' .. counts[kind]
  references[block.identifier] = name
  local caption = block.caption.long
  if #caption == 0 then caption:insert(pandoc.Plain{}) end
  caption[1].content = pandoc.Inlines(name .. ': ') .. caption[1].content
  block.caption.long = caption
  return block
end

local function remember_section(header)
  if header.identifier:match('^sec%-') then references[header.identifier] = pandoc.utils.stringify(header) end
end

local function number_blocks(document)
  return document:walk{traverse = 'topdown', Figure = numbered, Table = numbered, Header = remember_section}
end

-- `@fig-name` in the text becomes a link; other citations stay as they are
local function reference(cite)
  local id = cite.citations[1].id
  if references[id] then return pandoc.Link(references[id], '#' .. id) end
  if id:match('^fig%-') or id:match('^tbl%-') or id:match('^sec%-') or id:match('^eq%-') then
    error('there is nothing on this page to which @' .. id .. ' could refer', 0)
  end
end

-- A wide table scrolls by itself, so that the page need not; its caption stays
local function scrolling(tbl)
  local caption, id = tbl.caption.long, tbl.identifier
  if #caption == 0 then return {raw('<div class="scroll">'), tbl, raw('</div>')} end
  tbl.caption.long, tbl.attr = {}, pandoc.Attr()
  local blocks = pandoc.Blocks{raw('<figure class="table"' .. id_attribute(id) .. '><figcaption>')}
  blocks:extend(caption)
  blocks:extend{raw('</figcaption><div class="scroll">'), tbl, raw('</div></figure>')}
  return blocks
end

-- Alternative text given by the `fig-alt` attribute
local function described(image)
  local alt = image.attributes['fig-alt']
  if alt then
    image.attributes['fig-alt'] = nil
    image.attributes.alt = alt
    return image
  end
end

-- Callouts and tabs --------------------------------------------------------------------------------------------------

local function callout(div, kind)
  local body, title = div.content, pandoc.Inlines(div.attributes.title or CALLOUTS[kind])
  if body[1] and body[1].t == 'Header' then
    title = body[1].content
    body:remove(1)
  end
  local folds = div.attributes.collapse ~= nil
  local tag, title_tag = folds and 'details' or 'div', folds and 'summary' or 'p'
  local open = div.attributes.collapse == 'false' and ' open' or ''
  local blocks = pandoc.Blocks{
    raw('<' .. tag .. id_attribute(div.identifier) .. ' class="callout callout-' .. kind .. '"' .. open .. '>'),
    raw('<' .. title_tag .. ' class="callout-title">'), pandoc.Plain(title), raw('</' .. title_tag .. '>')}
  blocks:extend(body)
  blocks:insert(raw('</' .. tag .. '>'))
  return blocks
end

local function tab_set(div)
  tab_sets = tab_sets + 1
  local group, n = 'tabs-' .. tab_sets, 0
  local blocks = pandoc.Blocks{raw('<div class="tabs">')}
  for _, block in ipairs(div.content) do
    if block.t == 'Header' then
      if n > 0 then blocks:insert(raw('</div>')) end
      n = n + 1
      local id, checked = group .. '-' .. n, n == 1 and ' checked' or ''
      blocks:extend{
        raw('<input type="radio" name="' .. group .. '" id="' .. id .. '"' .. checked .. '><label for="' .. id .. '">'),
        pandoc.Plain(block.content), raw('</label><div class="tab">')}
    elseif n == 0 then error('a panel-tabset must begin with a heading', 0)
    else blocks:insert(block) end
  end
  blocks:insert(raw(n > 0 and '</div></div>' or '</div>'))
  return blocks
end

local function special_div(div)
  for _, class in ipairs(div.classes) do
    if class == 'panel-tabset' then return tab_set(div) end
    local kind = class:match('^callout%-(%a+)$')
    if kind and not CALLOUTS[kind] then error('there is no callout of the kind ' .. kind, 0) end
    if kind then return callout(div, kind) end
  end
end

-- Symbols ------------------------------------------------------------------------------------------------------------

-- The address of the source, if `block` is the paragraph that nbdev writes above the heading of a documented name
local function source_link(block)
  if not block or block.t ~= 'Para' or #block.content ~= 1 then return nil end
  local link = block.content[1]
  if link.t == 'Link' and pandoc.utils.stringify(link) == 'source' then return link.target end
end

-- nbdev writes `def` also for a class, and `*args, **kwargs` where it knows no more. A class has a capital letter and
-- no dot.
local function class_signature(heading, signature)
  if not pandoc.utils.stringify(heading):match('^%u%w*$') then return signature end
  local text = signature.text:gsub('^def ', 'class '):gsub('%)%->None:$', '):')
  signature.text = text:gsub('%(%s*%*args, %*%*kwargs%s*%):$', '')
  return signature
end

-- nbdev writes: a rule, a link to the source (if it knows it), the heading, the signature. Make that one box.
local function symbols(blocks)
  local result, i = pandoc.Blocks{}, 1
  while i <= #blocks do
    local source = source_link(blocks[i+1])
    local heading = blocks[source and i+2 or i+1]
    local signature = blocks[source and i+3 or i+2]
    local is_symbol = heading and heading.t == 'Header' and signature and signature.t == 'CodeBlock'
    if blocks[i].t == 'HorizontalRule' and is_symbol then
      result:insert(raw('<div class="symbol">'))
      if source then
        result:insert(raw('<p class="source" data-unsearched><a href="' .. escape(source) .. '">source</a></p>'))
      end
      result:extend{heading, class_signature(heading, signature), raw('</div>')}
      i = i + (source and 4 or 3)
    else
      result:insert(blocks[i])
      i = i + 1
    end
  end
  return result
end

return {
  {Pandoc = number_blocks},
  {Cite = reference, Div = special_div, Image = described, Blocks = symbols},
  {Table = scrolling},
}

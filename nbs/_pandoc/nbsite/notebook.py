"""The cells and saved outputs of a notebook that nbdev has processed, as pandoc's markdown."""
import base64
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from . import DocsError, as_list

# Cell options that are acted upon, and those which only matter when a cell is run
ACTED_ON = {'echo','include','output','warning','code-fold','code-summary','label','fig-cap','fig-alt','layout-ncol'}
ONLY_FOR_RUNS = {'eval','cache','error','freeze','fig-width','fig-height','fig-dpi','fig-format'}

IMAGES = {'image/svg+xml': '.svg', 'image/png': '.png', 'image/jpeg': '.jpg', 'image/gif': '.gif',
          'image/webp': '.webp'}
WIDGET = 'application/vnd.jupyter.widget-view+json'

_ansi = re.compile(r'\x1B(?:[@-Z\\-_]|\[[0-?]*[ -/]*[@-~])')
_front_matter = re.compile(r'\A---\n(.*?)\n---\s*\Z', re.S)
_option_line = re.compile(r'#\|(.*)')
_meta_shortcode = re.compile(r'\{\{<\s*meta\s+([\w-]+)\s*>\}\}')
_shortcode = re.compile(r'\{\{<.*?(?:>\}\}|$)', re.M)
_fenced = re.compile(r'^(`{3,}).*?^\1[ \t]*$', re.S|re.M)
_linked_name = re.compile(r'\[(`[^`\n]+`)\]\([^)\s]+\)')
_scoped_style = re.compile(r'<style scoped.*?</style>\s*', re.S)


def joined(text:str|list|None) -> str:
    "A notebook keeps a text as one string or as a list of lines"
    return text if isinstance(text, str) else ''.join(text or [])


def fence(text:str, attributes:str='') -> str:
    "`text` in a code fence that is longer than any run of backticks in it"
    longest = max(map(len, re.findall(r'`+', text)), default=0)
    ticks = '`'*max(3, longest+1)
    return f'{ticks}{attributes}\n{text.rstrip()}\n{ticks}'


def split_options(source:str) -> tuple[dict, str]:
    "The `#|` options at the top of a code cell, and the code below them"
    lines = source.splitlines()
    n = next((i for i,o in enumerate(lines) if not o.startswith('#|')), len(lines))
    text = '\n'.join(_option_line.match(o)[1].removeprefix(' ') for o in lines[:n])
    try: options = yaml.safe_load(text) or {}
    except yaml.YAMLError as e: raise DocsError(f'cell options are not YAML: {text!r}: {e}') from e
    if not isinstance(options, dict): raise DocsError(f'cell options are not of the form `name: value`: {text!r}')
    unknown = sorted(set(options) - ACTED_ON - ONLY_FOR_RUNS)
    if unknown: raise DocsError(f'cell option not handled here: {", ".join(unknown)}')
    return options,'\n'.join(lines[n:]).strip('\n')


def without_links_in_code(text:str) -> str:
    "nbdev links names in backticks also in the comments of a signature, where a link would show as it is written"
    return _fenced.sub(lambda match: _linked_name.sub(r'\1', match[0]), text)


class MarkdownWriter:
    "Writes each kind of cell and output as markdown for pandoc; images go to files below `folder`"
    def __init__(self,
        folder:Path, # Where the page will be
        stem:str, # Name of the notebook; its images go to the folder `<stem>_files`
    ):
        self.folder,self.stem,self.n_images = folder,stem,0

    def prose(self, text:str) -> str:
        "A markdown cell, or markdown that was printed"
        return text

    def code(self, code:str, language:str, options:dict) -> str:
        "The source of a code cell, folded if it asks for it"
        block = fence(code, language)
        fold = options.get('code-fold')
        if not fold: return block
        summary = options.get('code-summary', 'Code')
        state = ' open' if fold=='show' else ''
        return f'<details class="code-fold"{state}><summary>{summary}</summary>\n\n{block}\n\n</details>'

    def text(self, text:str, name:str='stdout') -> str:
        "Printed text, or the `repr` of a result"
        return fence(text, f'{{.output{" .stderr" if name=="stderr" else ""}}}')

    def html(self, html:str) -> str:
        "An HTML result, such as a table"
        return fence(f'<div class="output-html">\n{html}\n</div>', '{=html}')

    def latex(self, text:str) -> str:
        "A formula; it comes with its dollars"
        return text

    def image(self, data:bytes, suffix:str, caption:str, options:dict, width:int|None) -> str:
        "A picture, written to a file of its own"
        name = f'{self.stem}_files/{self.n_images}{suffix}'
        self.n_images += 1
        path = self.folder/name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        label = str(options.get('label', ''))
        alt = str(options.get('fig-alt', '')).replace('"', '&quot;')
        attributes = [f'#{label}' if label.startswith('fig-') else '.plot',
                      f'width={width}px' if width else '', f'fig-alt="{alt}"' if alt else '']
        return f'![{caption}]({name}){{{" ".join(filter(None, attributes))}}}'

    def widget(self) -> str:
        "Stands for an interactive view, which needs a running notebook"
        return '::: {.interactive}\nAn interactive view appears here when the notebook is run.\n:::'


def image_of(data:dict) -> tuple[str, bytes] | None:
    "The first picture among the forms of an output: its type and its bytes"
    for mime in IMAGES:
        if mime not in data: continue
        text = joined(data[mime])
        return mime,text.encode() if mime=='image/svg+xml' else base64.b64decode(text)
    return None


def write_result(output:dict, options:dict, captions:list, writer:MarkdownWriter) -> str:
    "A displayed or returned object, in the richest form that a page can show"
    data = output['data']
    if WIDGET in data: return writer.widget()
    if 'text/html' in data: return writer.html(_scoped_style.sub('', joined(data['text/html'])).strip())
    if 'text/markdown' in data: return writer.prose(without_links_in_code(joined(data['text/markdown'])))
    if found := image_of(data):
        mime,content = found
        caption = captions.pop(0) if len(captions)>1 else (captions or [''])[0]
        width = output.get('metadata', {}).get(mime, {}).get('width')
        return writer.image(content, IMAGES[mime], caption, options, width)
    if 'text/latex' in data: return writer.latex(joined(data['text/latex']))
    return writer.text(_ansi.sub('', joined(data.get('text/plain'))))


def write_output(output:dict, options:dict, captions:list, writer:MarkdownWriter) -> str:
    "One saved output of a code cell"
    kind = output['output_type']
    if kind=='error': raise DocsError(f'an output holds an error: {output["ename"]}: {output["evalue"]}')
    if kind!='stream': return write_result(output, options, captions, writer)
    if output['name']=='stderr' and options.get('warning') is False: return ''
    text = _ansi.sub('', joined(output['text']))
    return writer.prose(text) if options.get('output')=='asis' else writer.text(text, output['name'])


def write_code_cell(cell:dict, writer:MarkdownWriter) -> list[str]:
    "The source and the outputs of a code cell, as far as its options want them shown"
    options,code = split_options(joined(cell['source']))
    if options.get('include') is False: return []
    blocks = []
    if code and options.get('echo') is not False:
        blocks.append(writer.code(code, cell.get('metadata', {}).get('language') or 'python', options))
    if options.get('output') is False: return blocks
    captions = [str(o) for o in as_list(options.get('fig-cap'))]
    outputs = [write_output(o, options, captions, writer) for o in cell.get('outputs', [])]
    if outputs and (columns := options.get('layout-ncol')):
        outputs = [f'::: {{layout-ncol={columns}}}', *outputs, ':::']
    return blocks + [o for o in outputs if o]


def fill_shortcodes(text:str, meta:dict) -> str:
    "Put the front matter's values where `{{< meta name >}}` asks for them; no other shortcode is known"
    def value(match:re.Match) -> str:
        "What stands for one shortcode"
        if match[1] not in meta: raise DocsError(f'no such value in the front matter: {match[0]}')
        return str(meta[match[1]])
    text = _meta_shortcode.sub(value, text)
    if left := _shortcode.search(text): raise DocsError(f'this shortcode is not handled: {left[0]}')
    return text


def write_cells(
    notebook:dict, # A processed notebook, its front matter in a raw cell
    writer:MarkdownWriter,
) -> tuple[dict, str]: # The front matter, and the markdown below it
    "The whole notebook as markdown"
    meta,blocks = {},[]
    for i,cell in enumerate(notebook['cells']):
        source = joined(cell['source'])
        try:
            if cell['cell_type']=='raw':
                match = _front_matter.match(source.strip())
                meta.update(yaml.safe_load(match[1]) if match else {})
            elif cell['cell_type']=='markdown': blocks.append(writer.prose(fill_shortcodes(source, meta)))
            else: blocks += write_code_cell(cell, writer)
        except DocsError as e: raise DocsError(f'{e}\n  in the cell that begins {first_line(source)!r}') from e
    if not meta.get('title'): raise DocsError('no title: the first cell should be `# Title` and `> a sentence`')
    return meta,'\n\n'.join(o.strip('\n') for o in blocks)


def first_line(source:str) -> str:
    "What a person looks for to find a cell"
    lines = [o for o in source.splitlines() if o.strip() and not o.startswith('#|')]
    return (lines or source.splitlines() or [''])[0][:80]


@dataclass(frozen=True)
class Page:
    "A notebook on its way to the site"
    notebook:str # Path of the notebook below the notebooks folder
    path:str # Path of the page below the site
    title:str
    description:str
    markdown:str

    @property
    def top(self) -> str:
        "The way from the page's folder up to the site's"
        return '../'*self.path.count('/')


def read_page(notebook:dict, path:str, dest:Path) -> Page:
    "The page of the processed notebook at `path`; its images are written below `dest`"
    folder = PurePosixPath(path).parent
    try: meta,markdown = write_cells(notebook, MarkdownWriter(dest/folder, PurePosixPath(path).stem))
    except DocsError as e: raise DocsError(f'{path}: {e}') from e
    return Page(path, (folder/meta['output-file']).as_posix(), meta['title'], meta.get('description', ''), markdown)

"""Are the outputs that a page shows those of its code? `saved.txt` has a line for each notebook that `run.py` has run:
a fingerprint of its code and outputs, the version of the library that made them, and its path.

Git merges the file by keeping the lines of both sides (`.gitattributes`): a page is fresh if one of its lines fits."""
import hashlib
import json
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbdev.clean import nbdev_clean

from .notebook import joined
from .project import Project, working_folder

FILE = Path(__file__).resolve().parents[1]/'saved.txt'


def code_without_options(source:str) -> str:
    "What a cell computes: its options (`#|` lines) say only how it is shown"
    return '\n'.join(o.rstrip() for o in source.splitlines() if not o.startswith('#|')).strip()


def fingerprint(notebook:dict) -> str:
    "Of all code cells and what they gave; text between them can change without being run"
    cells = [o for o in notebook['cells'] if o['cell_type']=='code']
    content = [[code_without_options(joined(o['source'])), joined_outputs(o['outputs'])] for o in cells]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def joined_outputs(outputs:list) -> list:
    "Outputs with each text in one piece: a file may keep it as lines"
    def whole(value):
        "A list of lines as one string, also inside of dictionaries"
        if isinstance(value, dict): return {k: whole(v) for k,v in value.items()}
        if isinstance(value, list) and all(isinstance(o, str) for o in value): return joined(value)
        return value
    return [whole(o) for o in outputs]


def current_line(project:Project, path:str) -> str:
    "The line that the notebook at `path`, below the notebooks folder, should have"
    notebook = json.loads((project.notebooks/path).read_text(encoding='utf-8'))
    return f'{fingerprint(notebook)} {project.version} {path}'


def read_lines() -> set[str]:
    "The lines of `saved.txt`"
    return set(FILE.read_text(encoding='utf-8').splitlines()) if FILE.is_file() else set()


def stale(project:Project) -> list[str]:
    "The notebooks whose saved outputs are not known to be those of their code and of this version"
    lines = read_lines()
    return [o for o in project.existing() if current_line(project, o) not in lines]


def record(project:Project, paths:list[str]):
    "Write the lines of `paths` anew; drop those that no longer fit their notebook"
    fits = {o: current_line(project, o) for o in project.existing()}
    lines = (read_lines() & set(fits.values())) | {fits[o] for o in paths}
    FILE.write_text(''.join(f'{o}\n' for o in sorted(lines, key=lambda o: o.split(' ', 2)[2])), encoding='utf-8')


def run_notebook(project:Project, path:str):
    "Run the notebook at `path` from top to bottom, and save it with its outputs, cleaned"
    file = project.notebooks/path
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name='python3', store_widget_state=False, coalesce_streams=True,
                   resources=dict(metadata=dict(path=file.parent))).execute()
    nbformat.write(notebook, file)
    with working_folder(project.root): nbdev_clean(str(file))

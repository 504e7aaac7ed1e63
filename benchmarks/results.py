"""Where the benchmarks keep what they measured: NAME.csv beside the script, and in NAME.txt the date and the machine."""
import csv, platform
from datetime import date
from pathlib import Path
import torch

HERE = Path(__file__).resolve().parent

def last_rows(name):
    "The rows of the last table; none if there is none yet"
    path = HERE/f'{name}.csv'
    if not path.exists(): return []
    with path.open(newline='', encoding='utf-8') as f: return list(csv.DictReader(f))

def write_table(name, fields, rows, about=''):
    "Write the table; `about` says what it was measured on"
    with (HERE/f'{name}.csv').open('w', newline='', encoding='utf-8') as f:
        out = csv.DictWriter(f, fields)
        out.writeheader()
        out.writerows(rows)
    threads,version = torch.get_num_threads(),torch.__version__.split('+')[0]
    (HERE/f'{name}.txt').write_text(f'{date.today()}, {platform.machine()}, {threads} threads, torch {version}{about}\n')

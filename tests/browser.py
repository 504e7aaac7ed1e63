"""A real browser on a real JupyterLab or Voila, each in a process of its own and with nothing of the user's.

    with serve('lab', folder, place) as url, browse(place) as open_page:
        page = open_page(url+'lab/tree/page.ipynb')"""
import json, os, re, shutil, signal, socket, subprocess, sys, time, urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from playwright.sync_api import TimeoutError, sync_playwright

TEMPLATES = Path(__file__).resolve().parents[1]/'unsupervised_cluster/templates'

def chromium():
    "The installed browser"
    found = shutil.which('chromium') or shutil.which('chromium-browser')
    if not found: raise RuntimeError('there is no chromium: `apt-get install chromium`')
    return found

def clean_environment(place):
    "Only what a process needs, with every folder of settings below `place`"
    own = dict(HOME='home', JUPYTER_CONFIG_DIR='config', JUPYTER_DATA_DIR='data', JUPYTER_RUNTIME_DIR='runtime',
               IPYTHONDIR='ipython', MPLCONFIGDIR='matplotlib', JUPYTERLAB_SETTINGS_DIR='settings',
               JUPYTERLAB_WORKSPACES_DIR='workspaces', XDG_CONFIG_HOME='xdg', XDG_CACHE_HOME='cache')
    kept = {k:os.environ[k] for k in ('PATH','LANG','LC_ALL','PYTHONPATH','OMP_NUM_THREADS','TMPDIR') if k in os.environ}
    for o in own.values(): (Path(place)/o).mkdir(parents=True, exist_ok=True)
    return kept | {k:str(Path(place)/o) for k,o in own.items()} | dict(PYTHONWARNINGS='ignore')

def set_up_lab(place, dark):
    "No news, no look for updates, the wanted theme"
    where = Path(place)/'settings/@jupyterlab/apputils-extension'
    where.mkdir(parents=True, exist_ok=True)
    write = lambda name,**d: (where/f'{name}.jupyterlab-settings').write_text(json.dumps(d))
    write('notification', fetchNews='false', checkForUpdates=False)
    write('themes', theme='JupyterLab Dark' if dark else 'JupyterLab Light')

def set_up_voila(place):
    "The template that comes with the package, where Voila looks for it; an installation has it in share/jupyter"
    shutil.copytree(TEMPLATES/'voila', Path(place)/'data/voila/templates/lab_offline', dirs_exist_ok=True)

def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]

def command(kind, folder, port, dark):
    "How to start the server on 127.0.0.1, without token, browser, news or look for updates"
    if kind=='voila': return ['-m', 'voila', str(folder), '--no-browser', f'--port={port}', '--Voila.ip=127.0.0.1',
                              f'--theme={"dark" if dark else "light"}', '--show_tracebacks=True', '--template=lab_offline']
    return ['-m', 'jupyterlab', '--no-browser', '--allow-root', f'--ServerApp.port={port}', '--ServerApp.port_retries=0',
            '--ServerApp.ip=127.0.0.1', '--IdentityProvider.token=', f'--ServerApp.root_dir={folder}', '--LabApp.news_url=None',
            '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate']

def stop(process, seconds=10):
    "End a process and wait for it; and what it started with it"
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError): os.killpg(process.pid, how) # It leads a group of its own
        with suppress(subprocess.TimeoutExpired): return process.wait(seconds)

@contextmanager
def serve(kind, folder, place, dark=False, seconds=60):
    "A server, 'lab' or 'voila', on a free port; its address"
    port,env = free_port(),clean_environment(place)
    set_up_lab(place, dark)
    set_up_voila(place)
    log = (Path(place)/f'{kind}.log').open('w+')
    process = subprocess.Popen([sys.executable, *command(kind, folder, port, dark)], env=env, cwd=folder, stdout=log,
                               stderr=subprocess.STDOUT, start_new_session=True)
    url,end = f'http://127.0.0.1:{port}/',time.monotonic()+seconds
    try:
        while True:
            with suppress(OSError):
                urllib.request.urlopen(url+('api' if kind=='lab' else ''), timeout=5).close()
                break
            if process.poll() is not None or time.monotonic()>end:
                raise RuntimeError(f'{kind} did not start: {Path(log.name).read_text()[-2000:]}')
            time.sleep(.1)
        yield url
    finally:
        stop(process)
        log.close()

class Watch:
    "What a page asked for, and what went wrong in it"
    def __init__(self): self.outside,self.errors,self.dialogs = [],[],[]

    def follow(self, page, url):
        def answer(route):
            "Nothing leaves this machine: what is not ours gets an empty answer, and is noted"
            address = route.request.url
            if address.startswith((url, 'data:', 'blob:', 'file:')): return route.continue_()
            self.outside.append(address)
            route.fulfill(status=200, content_type='text/css', body='')
        page.route('**/*', answer)
        page.on('pageerror', lambda e: self.errors.append(str(e)))
        page.on('console', lambda m: self.errors.append(m.text) if m.type=='error' else None)
        def dismiss(dialog):
            self.dialogs.append(dialog.message)
            dialog.dismiss()
        page.on('dialog', dismiss)

@contextmanager
def browse(place, dark=False, width=1280, height=900):
    "Gives `open_page(url, address)`; what the page did is in `open_page.watch`"
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium(), headless=True, env=clean_environment(place))
        context = browser.new_context(viewport=dict(width=width, height=height), color_scheme='dark' if dark else 'light')
        context.set_default_timeout(60_000)
        def open_page(url, address):
            page = context.new_page()
            open_page.watch.follow(page, url)
            page.goto(url+address)
            return page
        open_page.watch = Watch()
        try: yield open_page
        finally: browser.close()

def run_all(page):
    "Run the notebook that is open in JupyterLab"
    page.locator('.jp-Notebook .jp-Cell').first.wait_for()
    page.locator('.jp-Notebook-ExecutionIndicator[data-status=idle]').wait_for(state='attached')
    page.get_by_text('| Idle').wait_for() # In the status bar: the kernel is there
    begun = page.locator('.jp-Cell .jp-InputPrompt', has_text=re.compile(r'\[[*\d]+\]')).first
    for _ in range(5): # JupyterLab may still be busy with itself, and lose the first command
        page.get_by_role('menuitem', name='Run', exact=True).click()
        page.get_by_role('menuitem', name='Run All Cells', exact=True).click()
        with suppress(TimeoutError): return begun.wait_for(timeout=5_000)
    raise RuntimeError('JupyterLab does not run the notebook')

def write_notebook(path, *sources):
    "A notebook with these cells of code"
    cells = [dict(cell_type='code', id=f'c{i}', source=o, metadata={}, outputs=[], execution_count=None) for i,o in enumerate(sources)]
    kernel = dict(kernelspec=dict(name='python3', display_name='Python 3', language='python'))
    Path(path).write_text(json.dumps(dict(cells=cells, metadata=kernel, nbformat=4, nbformat_minor=5)))

"The originals are never harmed, nothing is overwritten or written outside the target, and every export can be taken back"
import errno,json,os,random,shutil,signal,subprocess,sys,tempfile,time
from dataclasses import replace
from pathlib import Path
import numpy as np
import pytest
from PIL import Image
sys.path.insert(0, str(Path(__file__).resolve().parents[1]/'benchmarks'))
import bad_input as bad
from bad_input import forge_list,photos_left,random_change
from unsupervised_cluster import export,export_undo
from unsupervised_cluster.clustering import Clustering
from unsupervised_cluster.clusters_csv import clusters_from_csv
from unsupervised_cluster.core import ClusterError,SavedFileError,read_json,write_json
from unsupervised_cluster.export import JOURNAL,MANIFEST,ExportError,export_folders,plan_export
from unsupervised_cluster.export_undo import undo_export
from unsupervised_cluster.file_names import free_name,safe_name
from unsupervised_cluster.results import ImageTable

def clustered(paths, labels=None, root=None, names=None):
    "A clustering of files that need not be images"
    n,labels = len(paths),np.asarray([0]*len(paths) if labels is None else labels)
    k = labels.max()+1
    table = ImageTable(tuple(map(Path, paths)), np.full((n,2), 64), root=root)
    return Clustering(labels, np.ones((n,k)), np.arange(k, dtype=float)[:,None], table, names=names)

def photos(tmp_path, n=6):
    "n files of different content in a folder, in two clusters"
    (tmp_path/'photos').mkdir()
    paths = [tmp_path/'photos'/f'{i}.jpg' for i in range(n)]
    for i,o in enumerate(paths): o.write_bytes(bytes([i])*(1000+i))
    return clustered(paths, np.arange(n)%2, tmp_path/'photos')

def contents(folder):
    "Every file, folder and link below `folder`, with what is in it"
    found = {}
    for o in sorted(Path(folder).rglob('*')):
        found[os.fsencode(o.relative_to(folder))] = os.readlink(o) if o.is_symlink() else o.read_bytes() if o.is_file() else None
    return found

NAMES = ['../x', '/etc', 'a/b', '..', '.', '', 'con', 'x'*300, 'ü'*150, 'a\x00b', 'a\nb', '\udcff', '<img src=x onerror=alert(1)>',
         MANIFEST, JOURNAL, '~', '$HOME', '-rf', ' x ', 'a.', '.hidden', '\u202etxt.exe', 'CON.txt', 'C:\\x']

def test_hostile_cluster_names_stay_inside(tmp_path):
    c = photos(tmp_path, len(NAMES))
    names = tuple(o if o else 'y' for o in NAMES)
    c = clustered(c.images.paths, range(len(NAMES)), c.images.root, names)
    before,out = contents(tmp_path),tmp_path/'out'
    assert export_folders(c, out).done==len(NAMES)
    folders = [o for o in out.iterdir() if o.is_dir()]
    assert len(folders)==len(NAMES)==len(list(out.rglob('*.jpg'))) and all(len(os.fsencode(o.name))<=110 for o in folders)
    assert {k:v for k,v in contents(tmp_path).items() if not k.startswith(b'out')}==before
    assert undo_export(out).done==len(NAMES) and contents(tmp_path)==before

@pytest.mark.parametrize('name', NAMES)
def test_a_safe_name_is_one_plain_name(name):
    safe = safe_name(name)
    assert safe and safe.strip(' .')==safe and not set(safe)&set('/\\:*?"<>|\0\n') and len(safe.encode())<=101
    assert safe_name(safe)==safe

def test_many_files_of_one_name(tmp_path):
    taken = {}
    assert len({free_name('1.jpg', taken).casefold() for _ in range(5000)})==5000

def test_one_name_in_many_folders(tmp_path):
    paths = [tmp_path/'in'/f'{i}'/o for i,o in enumerate(['1.jpg','1.JPG','1.jpg','1 (2).jpg'])]
    for i,o in enumerate(paths):
        o.parent.mkdir(parents=True)
        o.write_text(str(i))
    export_folders(clustered(paths), tmp_path/'out')
    assert sorted(o.read_text() for o in (tmp_path/'out/cluster 0').iterdir())==['0','1','2','3']

@pytest.mark.parametrize('how', ['copy','link','symlink'])
def test_file_names_that_are_not_text_or_very_long(how, tmp_path):
    (tmp_path/'in').mkdir()
    raw = [b'\xff\xfe.jpg', b'x'*251+b'.jpg', 'ä\n"\u2028<script>.jpg'.encode(), b'-rf.jpg', b' .jpg']
    paths = [tmp_path/'in'/os.fsdecode(o) for o in raw]
    for i,o in enumerate(paths): o.write_text(str(i))
    before = contents(tmp_path)
    plan = plan_export(c := clustered(paths, root=tmp_path/'in'), tmp_path/'out', how)
    assert '<script>' not in plan._repr_html_() and plan.run().done==len(raw)
    assert sorted(os.fsencode(o.name) for o in (tmp_path/'out/cluster 0').iterdir())==sorted(raw)
    assert undo_export(tmp_path/'out').done==len(raw) and contents(tmp_path)==before
    c.to_csv(tmp_path/'c.csv')
    assert clusters_from_csv(tmp_path/'c.csv', c.images).labels.tolist()==[0]*len(raw)

def test_two_very_long_names_that_collide(tmp_path):
    paths = [tmp_path/'in'/o/('x'*251+'.jpg') for o in 'ab']
    for o in paths:
        o.parent.mkdir(parents=True)
        o.write_text(o.parent.name)
    assert export_folders(clustered(paths), tmp_path/'out').done==2
    assert all(o.suffix=='.jpg' for o in (tmp_path/'out/cluster 0').iterdir())

def test_nothing_is_overwritten_and_foreign_files_stay(tmp_path):
    c,mine = photos(tmp_path),tmp_path/'out/cluster 0/2.jpg'
    mine.parent.mkdir(parents=True)
    mine.write_text('mine')
    (tmp_path/'out/notes.txt').write_text('mine too')
    before = contents(tmp_path)
    plan = plan_export(c, tmp_path/'out')
    assert [o.reason for o in plan.problems]==['there is a file of that name']
    report = plan.run()
    assert report.done==5 and mine.read_text()=='mine'
    assert undo_export(tmp_path/'out').done==5 and contents(tmp_path)==before

def test_a_file_that_comes_between_plan_and_run_is_not_overwritten(tmp_path):
    c = photos(tmp_path)
    plan,mine = plan_export(c, tmp_path/'out'),tmp_path/'out/cluster 0/2.jpg'
    mine.parent.mkdir(parents=True)
    mine.write_text('mine')
    assert plan.run().done==5 and mine.read_text()=='mine'

def test_a_file_that_comes_at_the_last_moment_is_not_overwritten(tmp_path, monkeypatch):
    c,publish = photos(tmp_path),export.publish
    def late(made, target):
        if target.name=='2.jpg': target.write_text('mine')
        publish(made, target)
    monkeypatch.setattr(export, 'publish', late)
    report = export_folders(c, tmp_path/'out')
    assert report.done==5 and (tmp_path/'out/cluster 0/2.jpg').read_text()=='mine'
    undo_export(tmp_path/'out')
    assert (tmp_path/'out/cluster 0/2.jpg').read_text()=='mine'

@pytest.mark.parametrize('how', ['copy','move'])
def test_without_hard_links(how, tmp_path, monkeypatch):
    c = photos(tmp_path)
    def refuse(*args, **kwargs): raise OSError(errno.EPERM, 'not supported')
    monkeypatch.setattr(os, 'link', refuse)
    before = contents(tmp_path)
    assert export_folders(c, tmp_path/'out', how, move_originals=True).done==6
    (tmp_path/'out/cluster 0/extra').write_text('x')
    assert undo_export(tmp_path/'out').done==6
    assert {k:v for k,v in contents(tmp_path).items() if not k.startswith(b'out')}==before
    with pytest.raises(ExportError, match='none of the 6 images .* not supported'): export_folders(c, tmp_path/'other', 'link')
    assert not (tmp_path/'other').exists()

def test_a_cluster_folder_that_is_a_link_is_not_followed(tmp_path):
    c = photos(tmp_path)
    for o in ('out','elsewhere'): (tmp_path/o).mkdir()
    (tmp_path/'out/cluster 0').symlink_to(tmp_path/'elsewhere')
    report = export_folders(c, tmp_path/'out')
    assert report.done==3 and not list((tmp_path/'elsewhere').iterdir())
    assert {o.reason for o in report.problems}=={'the folder cluster 0 is a link to elsewhere'}

def test_undo_does_not_follow_a_folder_that_became_a_link(tmp_path):
    c = photos(tmp_path)
    export_folders(c, tmp_path/'out')
    (tmp_path/'out/cluster 0').rename(tmp_path/'kept')
    (tmp_path/'out/cluster 0').symlink_to(tmp_path/'kept')
    with pytest.raises(SavedFileError, match='not a place in it'): undo_export(tmp_path/'out')
    assert len(list((tmp_path/'kept').iterdir()))==3

def test_links_among_the_originals(tmp_path):
    c = photos(tmp_path)
    link = tmp_path/'photos/link.jpg'
    link.symlink_to('1.jpg')
    c,before = clustered([*c.images.paths, link], root=c.images.root),contents(tmp_path)
    for how in ('copy','link','symlink'):
        assert export_folders(c, tmp_path/'out', how).done==7
        assert (tmp_path/'out/cluster 0/link.jpg').read_bytes()==(tmp_path/'photos/1.jpg').read_bytes()
        assert undo_export(tmp_path/'out').done==7 and contents(tmp_path)==before
    report = export_folders(c, tmp_path/'out', 'move', move_originals=True)
    assert [o.reason for o in report.problems]==['a link: only files are moved']
    assert undo_export(tmp_path/'out').done==6 and contents(tmp_path)==before

def test_originals_that_are_gone_or_no_files(tmp_path):
    c = photos(tmp_path)
    for i in (0, 1): c.images.paths[i].unlink()
    os.mkfifo(c.images.paths[1])
    plan = plan_export(c, tmp_path/'out')
    assert [o.reason for o in plan.problems]==['vanished','not a file']
    c.images.paths[2].unlink()
    report = plan.run()
    assert report.done==3 and sorted(o.reason for o in report.problems)==['not a file','vanished','vanished']

def interrupt_at(monkeypatch, n, error):
    "Let the n-th copy fail in its middle"
    copy,calls = export.copy_whole,[]
    def fail(source, part):
        calls.append(source)
        if len(calls)<n: return copy(source, part)
        part.write_bytes(b'half')
        raise error
    monkeypatch.setattr(export, 'copy_whole', fail)

@pytest.mark.parametrize('n', [1, 3, 6])
def test_an_interruption_is_taken_back(n, tmp_path, monkeypatch):
    c = photos(tmp_path)
    before = contents(tmp_path)
    interrupt_at(monkeypatch, n, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt): export_folders(c, tmp_path/'out')
    assert not list((tmp_path/'out').rglob('.*.part')) and len(list((tmp_path/'out').rglob('*.jpg')))==n-1
    assert undo_export(tmp_path/'out').done==n-1 and contents(tmp_path)==before

@pytest.mark.parametrize('n', [1, 3, 6])
def test_a_full_disk_ends_the_export(n, tmp_path, monkeypatch):
    c = photos(tmp_path)
    before = contents(tmp_path)
    interrupt_at(monkeypatch, n, OSError(errno.ENOSPC, 'No space left on device'))
    with pytest.raises(ExportError, match=f'the disk is full: {n-1} of 6 images'): export_folders(c, tmp_path/'out')
    assert undo_export(tmp_path/'out').done==n-1 and contents(tmp_path)==before

def test_a_full_disk_that_takes_not_even_the_list(tmp_path, monkeypatch):
    c = photos(tmp_path)
    before = contents(tmp_path)
    def full(*args): raise OSError(errno.ENOSPC, 'No space left on device')
    interrupt_at(monkeypatch, 3, OSError(errno.ENOSPC, 'No space left on device'))
    monkeypatch.setattr(export, 'write_json', full)
    with pytest.raises(ExportError, match='the disk is full'): export_folders(c, tmp_path/'out')
    assert (tmp_path/'out'/JOURNAL).exists() and undo_export(tmp_path/'out').done==2 and contents(tmp_path)==before

def test_a_file_that_cannot_be_copied_does_not_stop_the_others(tmp_path, monkeypatch):
    c,copy = photos(tmp_path),export.copy_whole
    def fail(source, part):
        if source.name=='3.jpg': raise OSError(errno.EIO, 'Input/output error')
        return copy(source, part)
    monkeypatch.setattr(export, 'copy_whole', fail)
    report = export_folders(c, tmp_path/'out')
    assert report.done==5 and report.problems[0].reason=='Input/output error'

KILLED = '''
import os,signal,sys
import numpy as np
sys.path.insert(0, sys.argv[4])
from test_export import clustered
from unsupervised_cluster import export
from pathlib import Path
calls,step = [],sys.argv[3].split(':')
def dying(f):
    def g(*args, **kwargs):
        calls.append(1)
        if len(calls)==int(step[1]): os.kill(os.getpid(), signal.SIGKILL)
        return f(*args, **kwargs)
    return g
if step[0] in ('publish','copy_whole'): setattr(export, step[0], dying(getattr(export, step[0])))
else: setattr(os, step[0], dying(getattr(os, step[0])))
paths = sorted(Path(sys.argv[1]).iterdir())
how = step[2]
export.export_folders(clustered(paths, np.arange(len(paths))%2, Path(sys.argv[1])), sys.argv[2], how, move_originals=True)
'''

@pytest.mark.parametrize('step', ['publish:3:copy','copy_whole:1:copy','unlink:4:copy','publish:2:move','unlink:3:move',
                                  'link:4:link','symlink:5:symlink'])
def test_a_killed_export_is_taken_back(step, tmp_path):
    photos(tmp_path)
    before = contents(tmp_path)
    done = subprocess.run([sys.executable, '-c', KILLED, str(tmp_path/'photos'), str(tmp_path/'out'), step,
                           str(Path(__file__).parent)], capture_output=True, text=True, timeout=120)
    assert done.returncode==-signal.SIGKILL, done.stderr
    assert (tmp_path/'out'/JOURNAL).exists()
    assert not undo_export(tmp_path/'out').problems and contents(tmp_path)==before

def test_a_move_to_another_disk(tmp_path, monkeypatch):
    "As it looks from one: renaming is impossible, so the file is copied and then removed"
    c = photos(tmp_path)
    before,stat = contents(tmp_path),Path.stat
    class Other:
        "The status of a file on another disk"
        def __init__(self, st): self.st = st
        def __getattr__(self, name): return -1 if name=='st_dev' else getattr(self.st, name)
    def other(path, **kwargs): return Other(stat(path, **kwargs)) if path.name.startswith('cluster ') else stat(path, **kwargs)
    monkeypatch.setattr(Path, 'stat', other)
    assert export_folders(c, tmp_path/'out', 'move', move_originals=True).done==6
    assert not list((tmp_path/'photos').iterdir())
    monkeypatch.undo()
    assert undo_export(tmp_path/'out').done==6 and contents(tmp_path)==before

def test_two_exports_at_a_time_do_not_mix(tmp_path):
    c = photos(tmp_path)
    a,b = plan_export(c, tmp_path/'out'),plan_export(c, tmp_path/'out')
    with export.journal(a), pytest.raises(ExportError): b.run()

def test_a_list_from_a_stranger(tmp_path):
    secret,out = tmp_path/'secret.jpg',tmp_path/'out'
    secret.write_text('secret')
    (out/'x').mkdir(parents=True)
    (out/'x/evil.jpg').write_text('evil')
    for how,steps in [('copy', [dict(file='../secret.jpg', source='/x', bytes=6, sha256='')]), ('copy', [dict(part='../secret.jpg')]),
                      ('copy', [dict(folder='..')]), ('copy', [dict(file=str(secret), source='/x')]), ('copy', ['x']), ([], []),
                      ('copy', [{}]), ('nuke', []), ('copy', None), ('copy', [dict(file='x/evil.jpg')])]:
        write_json(out/MANIFEST, 'Export', dict(how=how, made=True, steps=steps))
        with pytest.raises(SavedFileError): undo_export(out)
    for source in ('/etc/cron.d/evil', 'relative.jpg', str(tmp_path/'.bashrc')):
        write_json(out/MANIFEST, 'Export', dict(how='move', made=False, steps=[dict(file='x/evil.jpg', source=source)]))
        assert undo_export(out).problems[0].reason==f'{source} is no place for it'
    write_json(out/MANIFEST, 'Export', dict(how='move', made=False, steps=[dict(file='x/evil.jpg', source=str(secret))]))
    assert undo_export(out).problems[0].reason==f'there is another file at {secret}' and secret.read_text()=='secret'
    write_json(out/MANIFEST, 'Export', dict(how='copy', made=False, steps=[dict(part='x/evil.jpg')]))
    undo_export(out)
    assert (out/'x/evil.jpg').exists() # Only names that an export gives to what is not whole

def test_the_manifest_says_what_came_from_where(tmp_path):
    c = photos(tmp_path)
    export_folders(c, tmp_path/'out')
    files = [o for o in read_json(tmp_path/'out'/MANIFEST, 'Export')['steps'] if 'file' in o]
    assert {o['source'] for o in files}=={str(o) for o in c.images.paths} and all(len(o['sha256'])==64 for o in files)
    for o in files: assert (tmp_path/'out'/o['file']).read_bytes()==Path(o['source']).read_bytes()

def test_targets_that_are_refused(tmp_path):
    c = photos(tmp_path)
    for bad in (tmp_path/'photos', tmp_path/'photos/new', c.images.paths[0]):
        with pytest.raises(ClusterError): plan_export(c, bad)
    (tmp_path/'alias').symlink_to(tmp_path/'photos')
    with pytest.raises(ClusterError): plan_export(c, tmp_path/'alias/new')
    (tmp_path/'file').write_text('x')
    with pytest.raises(ExportError, match='cannot export'): export_folders(c, tmp_path/'file/new')
    assert export_folders(replace(c, images=replace(c.images, root=None)), tmp_path/'new/er').done==6

def test_a_target_without_permission(tmp_path, monkeypatch):
    "Root may write anywhere, so the system's refusal is played to it"
    c,mkdir = photos(tmp_path),Path.mkdir
    def refuse(path, *args, **kwargs):
        if 'locked' in path.parts: raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        return mkdir(path, *args, **kwargs)
    (tmp_path/'locked').mkdir(mode=0o500)
    if os.geteuid()==0: monkeypatch.setattr(Path, 'mkdir', refuse)
    before = contents(tmp_path)
    with pytest.raises(ExportError, match='Permission denied'): export_folders(c, tmp_path/'locked/out')
    assert contents(tmp_path)==before

@pytest.mark.skipif(not Path('/proc/self').exists(), reason='a file system that takes no files, also from root')
def test_a_file_system_that_takes_nothing(tmp_path):
    with pytest.raises(ExportError, match='cannot export to /proc/'): export_folders(photos(tmp_path), '/proc/out')

# ---- The only copy

def exported(tmp_path, how, **kwargs):
    "An export of six photos: the clustering, and where each photo went"
    c = photos(tmp_path)
    export_folders(c, tmp_path/'out', how, move_originals=True, **kwargs)
    return c,{o:tmp_path/f'out/cluster {i%2}'/o.name for i,o in enumerate(c.images.paths)}

@pytest.mark.parametrize('what', bad.EXPORT_CHANGES)
@pytest.mark.parametrize('how', ['copy','link','move'])
def test_an_undo_leaves_the_only_copy(how, what, tmp_path):
    c,went = exported(tmp_path, how)
    bad.EXPORT_CHANGES[what](tmp_path, went)
    before = photos_left(tmp_path)
    report = undo_export(tmp_path/'out')
    assert before <= photos_left(tmp_path) and all(o.reason for o in report.problems)
    same = what in bad.EXPORT_KEPT or (how=='link' and 'painted' in what) # The original is the file that was written
    assert (len(report.problems), report.done)==((0, 6) if same else (6, 0))
    if not same: undo_export(tmp_path/'out', trusted=True)
    assert before <= photos_left(tmp_path)

@pytest.mark.parametrize('how', ['copy','link','move'])
def test_a_hard_link_elsewhere_keeps_the_content(how, tmp_path):
    "Files of the same content as the originals, in their place, whether they are the same file or not"
    c,went = exported(tmp_path, how)
    before = photos_left(tmp_path)
    for i,(a,b) in enumerate(went.items()):
        a.unlink(missing_ok=True)
        os.link(b, a) if i%2 else shutil.copy(b, a)
    report = undo_export(tmp_path/'out')
    assert (report.done, report.problems, (tmp_path/'out').exists())==(6, (), False) and photos_left(tmp_path)==before

def test_a_link_to_nothing_loses_nothing(tmp_path):
    c,went = exported(tmp_path, 'symlink')
    shutil.rmtree(tmp_path/'photos')
    assert undo_export(tmp_path/'out').done==6 and not (tmp_path/'out').exists()

@pytest.mark.parametrize('trusted', [False, True])
@pytest.mark.parametrize('how', ['copy','link','move'])
@pytest.mark.parametrize('n', [1, 2, 3])
def test_steps_that_count_on_each_other_leave_one(n, how, trusted, tmp_path):
    "Each says that the next one stays: n files of one content, or n names of one file"
    (tmp_path/'x').mkdir()
    files = [tmp_path/f'x/{i}.jpg' for i in range(n)]
    files[0].write_bytes(b'photo')
    for o in files[1:]: os.link(files[0], o) if how=='link' else shutil.copy(files[0], o)
    forge_list(tmp_path, how, list(zip(files, [*files[1:], files[0]])))
    undo_export(tmp_path, trusted)
    assert photos_left(tmp_path)=={b'photo'}

WAYS_IN = dict(plain='{0}', link='{1}/door/x/a.jpg', dots='{1}/in/../in/x/a.jpg', slashes='{1}//in///x/a.jpg', dot='{1}/in/./x/a.jpg',
               root='/proc/self/root{0}', cwd='/proc/self/cwd/in/x/a.jpg')

@pytest.mark.parametrize('blind', [False, True])
@pytest.mark.parametrize('how', ['copy','link','move'])
@pytest.mark.parametrize('way', WAYS_IN)
def test_another_way_to_the_same_file(way, how, blind, tmp_path, monkeypatch):
    "The source is the file itself; `blind`: links are not seen through, as a second mount cannot be"
    (tmp_path/'in/x').mkdir(parents=True)
    (tmp_path/'door').symlink_to(tmp_path/'in')
    monkeypatch.chdir(tmp_path)
    file = tmp_path/'in/x/a.jpg'
    file.write_bytes(b'photo')
    forge_list(tmp_path/'in', how, [(file, WAYS_IN[way].format(file, tmp_path))])
    real = os.path.realpath
    if blind: monkeypatch.setattr(os.path, 'realpath', lambda o, **kwargs: real(o) if str(o)==str(tmp_path/'in') else str(o))
    report = undo_export(tmp_path/'in', trusted=True)
    assert (len(report.problems), report.done)==(1, 0) and photos_left(tmp_path)=={b'photo'}

MOUNTS = """
import os,sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_export import *
top = Path(sys.argv[2])
def mount(*args): assert not subprocess.run(['mount', *map(str, args)]).returncode
# One folder at two places
for o in ('in/x','second'): (top/o).mkdir(parents=True)
mount('--bind', top/'in', top/'second')
for i,how in enumerate(('copy','link','move')):
    (top/'in/x/a.jpg').write_bytes(b'photo')
    forge_list(top/'in', how, [(top/'in/x/a.jpg', top/'second/x/a.jpg')])
    assert undo_export(top/'in', True).problems and (top/'in/x/a.jpg').read_bytes()==b'photo', how
    assert 'leads to this very file' in undo_export(top/'in', True).problems[0].reason
# Two mounts of one disk: neither renamed nor hard linked
(top/'m').mkdir()
c,second = photos(top/'m'),top/'m/second'
(top/'m/elsewhere').mkdir()
second.mkdir()
mount('--bind', top/'m/elsewhere', second)
before = contents(top/'m/photos')
assert c.images.paths[0].stat().st_dev==second.stat().st_dev
assert export_folders(c, second/'out', 'move', move_originals=True).done==6 and not contents(top/'m/photos')
assert undo_export(second/'out').done==6 and contents(top/'m/photos')==before and not (second/'out').exists()
try: export_folders(c, second/'out', 'link')
except ExportError as e: assert 'ross-device' in str(e) and not (second/'out').exists()
else: assert False
# A full disk
for how in ('copy','move'):
    for kb in (8, 16, 24, 28, 32, 36):
        (small := top/f'{how}{kb}').mkdir()
        mount('-t', 'tmpfs', '-o', f'size={kb}k', 'tmpfs', small)
        try: export_folders(c, small/'out', how, move_originals=True)
        except ExportError as e: assert 'disk is full' in str(e) or 'No space' in str(e), e
        whole = {o.read_bytes() for o in [*(small/'out').rglob('*.jpg'), *(top/'m/photos').iterdir()]}
        assert {v for v in before.values()}<=whole, (how, kb)
        if (small/'out').exists() and any((small/'out'/o).exists() for o in (MANIFEST, JOURNAL)):
            assert not undo_export(small/'out').problems
        assert contents(top/'m/photos')==before, (how, kb)
print('all well')
"""

def mounts_are_possible():
    "Whether this user may mount, in a name space that ends with the process"
    try: return not subprocess.run(['unshare', '-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], capture_output=True).returncode
    except OSError: return False

@pytest.mark.skipif(not mounts_are_possible(), reason='needs the right to mount')
def test_mounts_and_small_disks(tmp_path):
    done = subprocess.run(['unshare', '-m', sys.executable, '-c', MOUNTS, str(Path(__file__).parent), str(tmp_path)],
                          capture_output=True, text=True, timeout=180)
    assert done.stdout.endswith('all well\n'), done.stderr[-3000:]

# ---- Bad luck while an undo works

def mischief(monkeypatch, module, name, do, after=False):
    "Do something before or after the first call of a function"
    real,calls = getattr(module, name),[]
    def both(*args, **kwargs):
        calls.append(1)
        if len(calls)==1 and not after: do()
        found = real(*args, **kwargs)
        if len(calls)==1 and after: do()
        return found
    monkeypatch.setattr(module, name, both)

def one(tmp_path, how):
    "One photo, exported: the original and what was written"
    c = photos(tmp_path, 1)
    export_folders(c, tmp_path/'out', how, move_originals=True)
    return c.images.paths[0],tmp_path/'out/cluster 0/0.jpg'

def saved_anew(path, data):
    "As editors do it: another file of the same name"
    path.unlink()
    path.write_bytes(data)

REPLACED = dict(gone=lambda a,b: a.unlink(), linked=lambda a,b: a.unlink() or a.symlink_to(b), other=lambda a,b: saved_anew(a, b'other'),
                same_size=lambda a,b: saved_anew(a, b'x'*1000), folder=lambda a,b: shutil.rmtree(a.parent) or a.parent.symlink_to(b.parent))

@pytest.mark.parametrize('moment', ['rename before', 'rename after', '_drop before'])
@pytest.mark.parametrize('what', REPLACED)
@pytest.mark.parametrize('how', ['copy','link'])
def test_an_original_that_changes_between_check_and_removal(how, what, moment, tmp_path, monkeypatch):
    a,b = one(tmp_path, how)
    (name,when),before = moment.split(),photos_left(tmp_path)
    mischief(monkeypatch, os if name=='rename' else export_undo, name, lambda: REPLACED[what](a, b), when=='after')
    report = undo_export(tmp_path/'out')
    assert len(report.problems)==1 and b.exists() and before<=photos_left(tmp_path)

@pytest.mark.parametrize('moment', ['rename before', 'rename after', '_drop before'])
@pytest.mark.parametrize('how', ['copy','link'])
def test_a_file_that_is_saved_between_check_and_removal(how, moment, tmp_path, monkeypatch):
    a,b = one(tmp_path, how)
    name,when = moment.split()
    mischief(monkeypatch, os if name=='rename' else export_undo, name, lambda: saved_anew(b, b'painted') if b.exists() else b.write_bytes(b'painted'),
             when=='after')
    undo_export(tmp_path/'out')
    assert b'painted' in photos_left(tmp_path) and bytes(1000) in photos_left(tmp_path)

@pytest.mark.parametrize('moment', ['rename:1:before', 'rename:1:after', 'unlink:1:before', 'unlink:1:after', 'unlink:2:after', 'unlink:5:before',
                                    'rename:4:after', 'link:1:after', 'link:3:before'])
@pytest.mark.parametrize('how', ['copy','link','move'])
def test_an_undo_that_is_cut_off_goes_on(how, moment, tmp_path, monkeypatch):
    "As after kill -9: no `finally` runs, for the dead do nothing"
    c = photos(tmp_path)
    before = contents(tmp_path)
    export_folders(c, tmp_path/'out', how, move_originals=True)
    name,n,when = moment.split(':')
    child = os.fork()
    if not child:
        real,calls = getattr(os, name),[]
        def dying(*args, **kwargs):
            calls.append(1)
            if len(calls)==int(n) and when=='before': os._exit(9)
            real(*args, **kwargs)
            if len(calls)==int(n) and when=='after': os._exit(9)
        setattr(os, name, dying)
        try: undo_export(tmp_path/'out')
        finally: os._exit(0)
    os.waitpid(child, 0)
    assert photos_left(tmp_path)=={v for v in before.values() if v}
    if (tmp_path/'out').exists(): assert not undo_export(tmp_path/'out').problems
    assert contents(tmp_path)==before

# ---- Lists that are forged, old or damaged

PLACES = ['../secret/a.jpg', '/etc/a.jpg', 'C:/a.jpg', 'C:\\x/a.jpg', '\\\\host\\share/a.jpg', 'x\0/a.jpg', 'x/a\0.jpg', 'x/\ud800.jpg', '.ssh/id',
          './a.jpg', 'x/..', '..', '', 'x//a.jpg', 'x/y/a.jpg', 'x/', 'nul/a.jpg', 'x./a.jpg', ' x/a.jpg', MANIFEST, f'x/../{MANIFEST}', None, 5, [], {}]

@pytest.mark.parametrize('field', ['file','part','folder'])
@pytest.mark.parametrize('place', PLACES, ids=repr)
def test_a_list_names_only_places_in_its_folder(place, field, tmp_path):
    a,b = one(tmp_path, 'copy')
    list_ = read_json(tmp_path/'out'/MANIFEST, 'Export')
    if field=='folder' and place==MANIFEST: pytest.skip('it is no folder, so it stays')
    bad = {k:v for k,v in list_['steps'][-1].items() if k!='file'} | {field:place}
    write_json(tmp_path/'out'/MANIFEST, 'Export', dict(list_, steps=[*list_['steps'], bad]))
    before = contents(tmp_path)
    with pytest.raises(SavedFileError): undo_export(tmp_path/'out')
    assert contents(tmp_path)==before

SOURCES = ['', 'a.jpg', '../a.jpg', '/a\0.jpg', '/\ud800.jpg', '/' + 'x'*300 + '.jpg', '/dev/null', '/dev/zero', '/proc/self/mem', '/', '//', 'C:\\a.jpg',
           '/x'*3000 + '.jpg', '~/a.jpg']

@pytest.mark.parametrize('trusted', [False, True])
@pytest.mark.parametrize('how', ['copy','link','symlink','move'])
@pytest.mark.parametrize('source', SOURCES, ids=lambda o: repr(o)[:20])
def test_a_list_with_an_odd_original(source, how, trusted, tmp_path):
    (tmp_path/'x').mkdir()
    (tmp_path/'x/a.jpg').write_bytes(b'photo')
    forge_list(tmp_path, how, [(tmp_path/'x/a.jpg', source)])
    report = undo_export(tmp_path, trusted)
    assert (len(report.problems), photos_left(tmp_path))==(1, {b'photo'})

def test_a_damaged_list_does_nothing(tmp_path):
    a,b = one(tmp_path, 'copy')
    steps = read_json(tmp_path/'out'/MANIFEST, 'Export')['steps']
    for change in (dict(source=3), dict(sha256=None), dict(bytes='many'), dict(file=['a'])):
        write_json(tmp_path/'out'/MANIFEST, 'Export', dict(how='copy', made=True, steps=[*steps, steps[-1] | change]))
        with pytest.raises(SavedFileError): undo_export(tmp_path/'out')
        assert b.exists()
    (tmp_path/'out'/MANIFEST).unlink()
    for text in ('{"how"', ''):
        (tmp_path/'out'/JOURNAL).write_text(text) # Cut off before anything was done
        assert undo_export(tmp_path/'out').done==0 and not (tmp_path/'out'/JOURNAL).exists() and b.exists()
    for text in ('['*10**5+'\n', '{}\n', '[]\n', '"how"\n', '{"how": "copy"}\n5\n', '\n', '{"how": ["copy"]}\n'):
        (tmp_path/'out'/JOURNAL).write_text(text)
        with pytest.raises(SavedFileError): undo_export(tmp_path/'out')
    (tmp_path/'out'/JOURNAL).unlink()
    os.mkfifo(tmp_path/'out'/JOURNAL)
    with pytest.raises(SavedFileError, match='not a file'): undo_export(tmp_path/'out')

def test_a_list_that_is_too_large(tmp_path):
    for name in (MANIFEST, JOURNAL):
        with (tmp_path/name).open('wb') as f: f.truncate(2**31)
        with pytest.raises(SavedFileError, match='bytes, more than'): undo_export(tmp_path)

def test_lists_of_an_older_version(tmp_path):
    "Copies and symbolic links can be proved; hard links and moves need the word of the user"
    for how,done in (('copy', 6), ('symlink', 6), ('link', 0), ('move', 0)):
        (tmp_path/how).mkdir()
        c,went = exported(tmp_path/how, how)
        path = tmp_path/how/'out'/MANIFEST
        list_ = read_json(path, 'Export')
        old = [{k:v for k,v in o.items() if k not in ('inode','place') and (k!='source' or 'file' in o)} for o in list_['steps']]
        write_json(path, 'Export', dict(list_, steps=old))
        report = undo_export(tmp_path/how/'out')
        assert report.done==done and all('trusted=True' in o.reason for o in report.problems) and len(report.problems)==6-done
    assert undo_export(tmp_path/'link/out', trusted=True).done==6
    report = undo_export(tmp_path/'move/out', trusted=True)
    assert {o.reason for o in report.problems}=={'changed since'} # They are no images, and no number says that they are ours
    for o in went.values(): Image.new('RGB', (4,4)).save(o)
    assert undo_export(tmp_path/'move/out', trusted=True).done==6 and len(list((tmp_path/'move/photos').iterdir()))==6

def test_a_forged_move_writes_nowhere(tmp_path):
    "Neither bytes of any kind, nor an image: whatever a stranger can know"
    places = [tmp_path/o for o in ('Pictures','.ssh','.config/app','a b')]
    for o in places: o.mkdir(parents=True)
    (tmp_path/'in/x').mkdir(parents=True)
    file = tmp_path/'in/x/a.jpg'
    for write in (lambda: file.write_bytes(b'#!/bin/sh'), lambda: Image.new('RGB', (9,9)).save(file)):
        write()
        for more in (dict(), dict(place=1, inode=1), dict(place=None, inode=None), dict(place=True), dict(place=file.parent.stat().st_ino)):
            for o in places:
                for name in ('new.jpg', '.new.jpg', 'new', 'new.jpg.sh', 'new/a.jpg', 'a/b/c.jpg', '../new.jpg'):
                    forge_list(tmp_path/'in', 'move', [(file, f'{o}/{name}')], **more)
                    before = contents(tmp_path)
                    assert len(undo_export(tmp_path/'in').problems)==1 and contents(tmp_path)==before
    assert not any(o.is_file() for p in places for o in p.rglob('*'))

def test_a_changed_move_goes_nowhere_else(tmp_path):
    "A list that was written here, with other places in it"
    c,went = exported(tmp_path, 'move')
    (tmp_path/'elsewhere').mkdir()
    list_ = read_json(tmp_path/'out'/MANIFEST, 'Export')
    for o in list_['steps']: o |= dict(source=o['source'].replace('photos', 'elsewhere')) if 'file' in o else {}
    write_json(tmp_path/'out'/MANIFEST, 'Export', list_)
    report = undo_export(tmp_path/'out')
    assert report.done==0 and report.problems[0].reason.startswith(f'nothing shows that it was in {tmp_path/"elsewhere"}: ')
    assert not list((tmp_path/'elsewhere').iterdir())

def test_what_was_moved_and_edited_comes_home(tmp_path):
    "In its place, and as editors do it: a new file of the same name"
    c,went = exported(tmp_path, 'move')
    (a,b),(c_,d),(e,f) = list(went.items())[:3]
    b.write_bytes(b'edited in place')
    d.unlink()
    Image.new('RGB', (9,9)).save(d)
    f.rename(f.with_name('kept'))
    (tmp_path/'script').write_text('rm -rf /')
    (tmp_path/'script').rename(f) # Another file
    report = undo_export(tmp_path/'out')
    assert [(o.path, o.reason) for o in report.problems]==[(f, 'changed since')] and report.done==5
    assert a.read_bytes()==b'edited in place' and Image.open(c_).size==(9,9) and not e.exists()

def test_a_move_whose_folder_was_removed_and_made_again(tmp_path):
    c,went = exported(tmp_path, 'move')
    (tmp_path/'photos').rmdir()
    report = undo_export(tmp_path/'out')
    assert len(report.problems)==6 and all(o.reason.startswith(f'the folder {tmp_path}/photos is gone') for o in report.problems)
    (tmp_path/'other').mkdir() # So that no number is used again
    (tmp_path/'photos').mkdir()
    assert not (tmp_path/'photos').stat().st_ino==(tmp_path/'other').stat().st_ino
    undo_export(tmp_path/'out', trusted=True)
    assert {o.name for o in (tmp_path/'photos').iterdir()}=={o.name for o in went} and not (tmp_path/'out').exists()

def test_a_folder_of_a_move_that_was_renamed_keeps_its_list(tmp_path):
    c,went = exported(tmp_path, 'move')
    (tmp_path/'out/cluster 0').rename(tmp_path/'out/cats')
    report = undo_export(tmp_path/'out')
    assert report.done==3 and {o.reason.split(' at ')[0] for o in report.problems}=={'it is neither here nor'}
    (tmp_path/'out/cats').rename(tmp_path/'out/cluster 0')
    assert undo_export(tmp_path/'out').done==3 and not (tmp_path/'out').exists()

@pytest.mark.parametrize('how', ['copy','link','symlink','move'])
def test_an_export_that_was_moved_or_is_behind_a_link(how, tmp_path):
    c = photos(tmp_path)
    before = contents(tmp_path)
    export_folders(c, tmp_path/'out', how, move_originals=True)
    (tmp_path/'deep').mkdir()
    (tmp_path/'out').rename(tmp_path/'deep/out')
    (tmp_path/'way').symlink_to('deep')
    assert (report := undo_export(tmp_path/'way/out')).done==6, report.problems
    (tmp_path/'way').unlink()
    (tmp_path/'deep').rmdir()
    assert contents(tmp_path)==before

@pytest.mark.parametrize('how', ['copy','link','symlink','move'])
def test_photos_behind_a_link(how, tmp_path):
    "The folder of the images is a link, and so is the one that the export goes to"
    c = photos(tmp_path)
    for o,p in (('album','photos'),('new','space')): (tmp_path/p).mkdir(exist_ok=True) or (tmp_path/o).symlink_to(p)
    table = replace(c.images, paths=tuple(tmp_path/'album'/o.name for o in c.images.paths), root=tmp_path/'album')
    before = contents(tmp_path)
    assert export_folders(replace(c, images=table), tmp_path/'new/out', how, move_originals=True).done==6
    assert undo_export(tmp_path/'new/out').done==6 and contents(tmp_path)==before

def test_no_part_goes_that_is_not_one(tmp_path):
    "Only the beginning of a file that is there; a whole photo under such a name stays"
    a,b = one(tmp_path, 'copy')
    part = b.with_name('.'+'0'*16+'.part')
    list_ = read_json(tmp_path/'out'/MANIFEST, 'Export')
    for data,source,gone in ((b'\0'*500, a, True), (b'', a, True), (b'\0'*1000, a, True), (b'\0'*1001, a, False), (b'photo', a, False),
                             (b'\0'*500, tmp_path/'gone.jpg', False), (b'photo', part, False), (b'\0'*500, None, False), (b'', 5, False)):
        part.write_bytes(data)
        source = str(source) if isinstance(source, Path) else source
        write_json(tmp_path/'out'/MANIFEST, 'Export', dict(list_, steps=[dict(part=f'cluster 0/{part.name}', source=source)]))
        try: report = undo_export(tmp_path/'out')
        except SavedFileError: report = None
        assert part.exists()!=gone
        assert gone or report is None or report.problems[0].path==part

# ---- Bad luck while an export works

@pytest.fixture
def other_disk():
    "A folder on another disk than that of temporary files"
    try: top = Path(tempfile.mkdtemp(dir='/dev/shm'))
    except OSError: pytest.skip('no other disk')
    yield top
    shutil.rmtree(top)

MOVES = ['copy_whole:2', 'publish:2', '_drop_original:2', 'os.fsync:3', 'os.unlink:3', 'os.unlink:4']

@pytest.mark.parametrize('moment', MOVES)
def test_a_move_to_another_disk_that_is_cut_off(moment, tmp_path, other_disk):
    if tmp_path.stat().st_dev==other_disk.stat().st_dev: pytest.skip('no other disk')
    c = photos(tmp_path)
    before = contents(tmp_path)
    (name,n),child = moment.split(':'),os.fork()
    if not child:
        at,name = (os,name[3:]) if name[:3]=='os.' else (export,name)
        real,calls = getattr(at, name),[]
        def dying(*args, **kwargs):
            calls.append(1)
            if len(calls)==int(n): os._exit(9)
            return real(*args, **kwargs)
        setattr(at, name, dying)
        try: export_folders(c, other_disk/'out', 'move', move_originals=True)
        finally: os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])==9
    assert photos_left(tmp_path) | photos_left(other_disk)=={v for v in before.values() if v}
    report = undo_export(other_disk/'out')
    assert not report.problems and contents(tmp_path)==before and not list(other_disk.iterdir())

def test_a_photo_that_is_saved_while_it_moves(tmp_path, other_disk, monkeypatch):
    c = photos(tmp_path)
    first = c.images.paths[0]
    mischief(monkeypatch, export, '_drop_original', lambda: first.write_bytes(b'saved just now'))
    report = export_folders(c, other_disk/'out', 'move', move_originals=True)
    assert [(o.path, 'it changed' in o.reason) for o in report.problems]==[(first, True)]
    assert first.read_bytes()==b'saved just now' and (other_disk/'out/cluster 0/0.jpg').exists()
    assert undo_export(other_disk/'out').done==5 and first.read_bytes()==b'saved just now'

def test_a_photo_that_is_saved_while_it_is_renamed(tmp_path, monkeypatch):
    c = photos(tmp_path)
    first = c.images.paths[0]
    def save():
        with monkeypatch.context() as m:
            m.undo()
            first.unlink()
            first.write_bytes(b'saved just now')
    mischief(monkeypatch, os, 'link', save, after=True)
    export_folders(c, tmp_path/'out', 'move', move_originals=True)
    assert first.read_bytes()==b'saved just now' and (tmp_path/'out/cluster 0/0.jpg').read_bytes()==bytes([0])*1000

def test_a_folder_that_appears_before_the_run(tmp_path):
    c = photos(tmp_path)
    plan = plan_export(c, tmp_path/'out')
    (tmp_path/'out').mkdir()
    (tmp_path/'out/mine').write_text('mine')
    assert plan.run().done==6 and undo_export(tmp_path/'out').done==6
    assert [o.name for o in (tmp_path/'out').iterdir()]==['mine']

def test_a_folder_that_becomes_a_link_before_the_run(tmp_path):
    c = photos(tmp_path)
    before = contents(tmp_path/'photos')
    for place in ('out', 'deep/out'):
        plan = plan_export(c, tmp_path/place)
        link = tmp_path/place.split('/')[0]
        link.symlink_to(tmp_path/'photos')
        with pytest.raises(ExportError, match='has become a link'): plan.run()
        link.unlink()
    assert contents(tmp_path/'photos')==before

def test_a_file_in_place_of_the_folder(tmp_path):
    plan = plan_export(photos(tmp_path), tmp_path/'out')
    (tmp_path/'out').write_text('mine')
    with pytest.raises(ExportError): plan.run()
    assert (tmp_path/'out').read_text()=='mine'

def test_a_list_of_another_program_is_not_overwritten(tmp_path, monkeypatch):
    c = photos(tmp_path)
    mine = tmp_path/'out'/MANIFEST
    mischief(monkeypatch, export, '_end_journal', lambda: mine.write_text('mine'))
    assert export_folders(c, tmp_path/'out').done==6 and mine.read_text()=='mine'
    assert undo_export(tmp_path/'out').done==6 and [o.name for o in (tmp_path/'out').iterdir()]==[MANIFEST]

def test_without_hard_links_nothing_is_overwritten(tmp_path, monkeypatch):
    "A file that comes at the last moment; and an export that ends while it holds a name"
    c = photos(tmp_path)
    def refuse(*args, **kwargs): raise OSError(errno.EPERM, 'not supported')
    monkeypatch.setattr(os, 'link', refuse)
    for how in ('copy','move'):
        mischief(monkeypatch, export, 'publish', lambda: (tmp_path/'out/cluster 0/0.jpg').write_text('mine'))
        before = contents(tmp_path/'photos')
        assert export_folders(c, tmp_path/'out', how, move_originals=True).done==5
        assert (tmp_path/'out/cluster 0/0.jpg').read_text()=='mine'
        undo_export(tmp_path/'out')
        assert contents(tmp_path/'photos')==before and (tmp_path/'out/cluster 0/0.jpg').read_text()=='mine'
        shutil.rmtree(tmp_path/'out')
        with monkeypatch.context() as m:
            m.setattr(os, 'replace', lambda a,b: (_ for _ in ()).throw(KeyboardInterrupt()) if str(b).endswith('2.jpg') else os.rename(a, b))
            with pytest.raises(KeyboardInterrupt): export_folders(c, tmp_path/'out', how, move_originals=True)
            assert (tmp_path/'out/cluster 0/2.jpg').stat().st_size==0
        assert not undo_export(tmp_path/'out').problems and contents(tmp_path/'photos')==before

def test_lists_that_were_being_written_go_too(tmp_path):
    a,b = one(tmp_path, 'copy')
    text = (tmp_path/'out'/MANIFEST).read_bytes()
    ours = {'.'+'0'*16+'.json':text, '..'+'0'*16+'-'+'0'*8+'.json':b'', '.'+'1'*16+'.json':text[:20]}
    mine = {'.'+'2'*16+'.json':b'mine', '.x.json':text, 'a.json':text, MANIFEST+'.bak':text}
    for k,v in (ours | mine).items(): (tmp_path/'out'/k).write_bytes(v)
    assert undo_export(tmp_path/'out').done==1 and {o.name:o.read_bytes() for o in (tmp_path/'out').iterdir()}==mine

# ---- An export of nothing

def test_an_export_of_nothing_is_an_error(tmp_path, monkeypatch):
    c = photos(tmp_path)
    plan,before = plan_export(c, tmp_path/'out'),contents(tmp_path)
    monkeypatch.chdir(tmp_path)
    relative = clustered([f'photos/{i}.jpg' for i in range(6)], root='photos')
    (tmp_path/'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path/'elsewhere') # A table knows where its images are from wherever it is used
    assert export_folders(relative, tmp_path/'there').done==6
    undo_export(tmp_path/'there')
    (tmp_path/'photos').rename(tmp_path/'moved')
    for how in ('copy','link','symlink','move'):
        with pytest.raises(ExportError, match=r'none of the 6 images .*photos/0.jpg: vanished; .*2.jpg: vanished; \.\.\.'):
            export_folders(relative, tmp_path/'out', how, move_originals=True)
    assert len(plan_export(relative, tmp_path/'out').problems)==6 # Which can be looked at
    with pytest.raises(ExportError, match='no image has a cluster'): export_folders(replace(c, labels=np.full(6, -1)), tmp_path/'out')
    (tmp_path/'elsewhere').rmdir()
    shutil.rmtree(tmp_path/'moved')
    with pytest.raises(ExportError, match='none of the 6 images'): plan.run()
    assert not list(tmp_path.iterdir())

def test_an_export_that_fails_for_each_leaves_nothing(tmp_path, monkeypatch):
    c = photos(tmp_path)
    (tmp_path/'out/cluster 0').mkdir(parents=True)
    before = contents(tmp_path)
    def fail(*args): raise OSError(errno.EIO, 'Input/output error')
    monkeypatch.setattr(export, 'copy_whole', fail)
    for folder in ('out','new'):
        with pytest.raises(ExportError, match='none of the 6 images .*Input/output error'): export_folders(c, tmp_path/folder)
        assert contents(tmp_path)==before

# ---- What a stranger's run may name

@pytest.mark.parametrize('how', ['copy','link','symlink','move'])
def test_only_images_of_the_run_are_exported(how, tmp_path):
    c = photos(tmp_path)
    for o in ('.ssh/id_rsa','.ssh/key.jpg','secrets.txt','photos/.git/a.jpg','photos/.b.jpg','photos/key','photos2/c.jpg'):
        (tmp_path/o).parent.mkdir(exist_ok=True)
        (tmp_path/o).write_text('PRIVATE KEY')
    for name,to in (('1/door.jpg','../../.ssh/id_rsa'), ('2/door.jpg','../../secrets.txt'), ('3/door.jpg','../.git/a.jpg'), ('4/door.jpg','../../.ssh/key.jpg'),
                    ('5/door.jpg', '/etc/passwd')):
        (tmp_path/'photos'/name).parent.mkdir()
        (tmp_path/'photos'/name).symlink_to(to)
    (tmp_path/'photos/6').symlink_to('../.ssh')
    root = tmp_path/'photos'
    bad = [tmp_path/'.ssh/id_rsa', tmp_path/'secrets.txt', '/etc/passwd', '/etc/hostname', '/proc/self/environ', root/'.git/a.jpg', root/'.b.jpg', root/'key',
           root/'../.ssh/id_rsa', root/'../.ssh/key.jpg', tmp_path/'photos2/c.jpg', root/'6/key.jpg', root/'6/id_rsa', '/dev/zero', '/a\0.jpg', '/\ud800.jpg',
           *(root/f'{i}/door.jpg' for i in range(1, 6))]
    table = clustered([*c.images.paths, *bad], root=root)
    plan = plan_export(table, tmp_path/'out', how, move_originals=True)
    assert {o.path for o in plan.problems}=={Path(os.path.abspath(o)) for o in bad}
    assert plan.run().done==6 and b'PRIVATE KEY' not in photos_left(tmp_path/'out')
    undo_export(tmp_path/'out')
    # Without a folder, what is hidden or not named like an image has to begin like one
    table = clustered([o for o in [*c.images.paths, *bad] if o!=tmp_path/'photos2/c.jpg'])
    assert len(plan_export(table, tmp_path/'out', how, move_originals=True).problems)==len(bad)-1
    assert all(export.what_forbids(Path(os.path.abspath(o)), '/') for o in bad[:5]) # With one that the stranger chose

def test_real_images_are_exported_whatever_they_are_called(tmp_path):
    c = photos(tmp_path)
    (tmp_path/'photos/.annex').mkdir()
    for o in ('photos/no suffix','photos/.annex/SHA256','elsewhere.png','.hidden.png'): Image.new('RGB', (9,9)).save(tmp_path/o, 'PNG')
    (tmp_path/'photos/annexed.jpg').symlink_to('.annex/SHA256')
    (tmp_path/'photos/linked.jpg').symlink_to('../elsewhere.png')
    inside = [tmp_path/'photos'/o for o in ('no suffix','annexed.jpg','linked.jpg')]
    outside = [tmp_path/o for o in ('elsewhere.png','.hidden.png','photos/.annex/SHA256')]
    root = tmp_path/'photos'
    assert not plan_export(clustered([*c.images.paths, *inside], root=root), tmp_path/'out').problems
    assert len(plan_export(clustered(outside, root=root), tmp_path/'out').problems)==3
    for kwargs in (dict(root=root), dict()):
        assert export_folders(clustered(outside, **kwargs), tmp_path/'out', outside=True).done==3
        assert undo_export(tmp_path/'out').done==3

def test_a_bomb_is_an_image_and_is_not_decoded(tmp_path):
    (tmp_path/'bomb').write_bytes(bad.huge_png(60_000, 60_000)[:200])
    start = time.perf_counter()
    assert export.is_image(tmp_path/'bomb') and time.perf_counter()-start<1

# ---- Names

def test_names_of_megabytes_take_no_time():
    start,n = time.perf_counter(),5*10**6
    for o in ('x', '\u0301', '\u0323\u0301', ' ', '.', 'é', '\U0001f431', '\u200d', '\0', '/'): assert len(safe_name(o*n).encode())<=101
    taken = {}
    assert [len(os.fsencode(free_name('x'*10**5+o, taken))) for o in ('.jpg','.jpg','.'+'y'*10**5)][1]<=255
    assert len(os.fsencode(free_name('x'*10**5+'.'+'y'*10**5, taken)))<=255 and time.perf_counter()-start<10

@pytest.mark.parametrize('a,b', [('é','e\u0301'), ('A','a'), ('Straße','STRASSE'), ('ﬁ','fi'), ('K','\u212a'), ('Å','\u212b'), ('x','x.'), ('x','x '), ('x','x\u200d'),
                                 ('가','\u1100\u1161'), ('q\u0323\u0307','q\u0307\u0323'), ('İ','i\u0307'), ('ǰ','J\u030c'), ('ΐ','Ϊ\u0301')])
def test_names_that_a_file_system_takes_for_one(a, b, tmp_path):
    taken = {}
    assert free_name(a, taken)==a and free_name(b, taken)!=b
    c = clustered(photos(tmp_path, 2).images.paths, [0, 1], tmp_path/'photos', (a, b))
    assert export_folders(c, tmp_path/'out').done==2 and len([o for o in (tmp_path/'out').iterdir() if o.is_dir()])==2

@pytest.mark.parametrize('name', ['con','CON.txt','aux .x','COM1','com¹','LPT9.jpg','conin$','CLOCK$','nul','x .','x. . .','. .','\u2028','a\u2029b','con.'+'x'*200,
                                  'x'*99+' y','ü'*49+'x. y','\ufeff','\u202e', 'e\u0301'*200, ' '*300+'x'])
def test_a_safe_name_stays_as_it_is(name):
    safe = safe_name(name)
    assert safe==safe_name(safe)==safe.strip(' .') and safe and len(safe.encode())<=100
    assert not set(safe)&set('\u2028\u2029\u202e') and safe.split('.')[0].strip().casefold() not in ('con','aux','nul','com1','com¹','lpt9','conin$','clock$')

# ---- At random

@pytest.mark.parametrize('how', ['copy','link','symlink','move','forged'])
def test_no_content_is_lost_whatever_happens(how, tmp_path):
    for seed in range(60):
        chance,top = random.Random(f'{how} {seed}'),tmp_path/f'{seed}'
        top.mkdir()
        c,went = exported(top, 'link' if how=='forged' else how)
        for _ in range(chance.randrange(12)):
            try: random_change(top, chance)
            except (OSError, IndexError): pass
        if how=='forged' and (top/'out').is_dir():
            files = [o for o in (top/'out').glob('*/*') if o.is_file() and not o.is_symlink()]
            pairs = [(o, chance.choice(list(top.rglob('*')))) for o in files for _ in range(2)]
            forge_list(top/'out', chance.choice(['copy','link','move']), pairs)
        before,outside = photos_left(top),{k:v for k,v in contents(top).items() if not k.startswith(b'out')}
        for trusted in (False, True):
            try: undo_export(top/'out', trusted)
            except SavedFileError: pass
            assert before<=photos_left(top), (how, seed)
            after = contents(top)
            assert all(after.get(k)==v for k,v in outside.items()), (how, seed)

"The originals are never harmed, nothing is overwritten or written outside the target, and every export can be taken back"
import errno,json,os,signal,subprocess,sys
from dataclasses import replace
from pathlib import Path
import numpy as np
import pytest
from unsupervised_cluster import export
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
    assert export_folders(clustered(c.images.paths, root=c.images.root), tmp_path/'other', 'link').problems[0].reason=='not supported'

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

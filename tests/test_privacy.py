"What is sent on says no more than it must: no data of a photo but its pixels, no path of this machine, no formula in a table"
import base64,csv,io,os,re,sys,tempfile
from dataclasses import replace
from pathlib import Path
import numpy as np
import pytest
from hypothesis import example,given,settings,strategies as st
from PIL import Image,ImageCms,PngImagePlugin
from unsupervised_cluster.clustering import Clustering
from unsupervised_cluster.clusters_csv import clusters_from_csv
from unsupervised_cluster.core import ArgumentError,SavedFileError,write_arrays
from unsupervised_cluster.images import find_images
from unsupervised_cluster.pipeline import ImageClusterer
from unsupervised_cluster.plots import plot_montage,plot_sizes,save_pictures,thumbnail
from unsupervised_cluster.report import write_report
from unsupervised_cluster.report_parts import data_uri,small_picture
from unsupervised_cluster.results import BrokenFile,Features,ImageTable
from unsupervised_cluster.samples import random_crop,sample_photos
from unsupervised_cluster.sharing import cell_text,csv_cell,path_hider,plain_jpeg,shared_names,shown_name
from unsupervised_cluster.thumbnails import Thumbnails,small_jpeg

SECRET = re.compile(rb'SECRET|S\0E\0C\0R\0E\0T|\0S\0E\0C\0R\0E\0T')
tries = lambda n: settings(max_examples=n, deadline=None)

# ---- Pictures

def profile():
    "A colour profile whose description names somebody"
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    return data.replace('sRGB built-in'.encode('utf-16-be'), 'SECRET-by-ada'.encode('utf-16-be')).replace(b'sRGB built-in', b'SECRET-by-ada')

def telling(folder):
    "A photo in every format, with all that its format can say beside the pixels"
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x010e],exif[0x0112] = 'SECRET description',6
    exif.get_ifd(0x8825)[1] = 'SECRET north'
    text = PngImagePlugin.PngInfo()
    text.add_text('Comment', 'SECRET text')
    text.add_text('Zipped', 'SECRET text', zip=True)
    text.add_itxt('XML:com.adobe.xmp', 'SECRET xmp')
    more = dict(jpg=dict(comment=b'SECRET comment', exif=exif, icc_profile=profile(), xmp=b'SECRET xmp', dpi=(72,72)),
                png=dict(pnginfo=text, exif=exif, icc_profile=profile()), gif=dict(comment=b'SECRET comment'),
                webp=dict(exif=exif, xmp=b'SECRET xmp', icc_profile=profile()),
                tif=dict(description='SECRET', software='SECRET', artist='SECRET', icc_profile=profile()))
    folder.mkdir(parents=True)
    for k,kwargs in more.items():
        for i,size in enumerate([(60,80,3), (20,30,3)]): # Also one that is not made smaller
            Image.fromarray(rng.integers(0, 255, size, np.uint8)).save(folder/f'{i}.{k}', **kwargs)
    im = Image.fromarray(rng.integers(0, 255, (20,30,4), np.uint8))
    im.save(folder/'clear.png', pnginfo=text)
    return sorted(folder.iterdir())

@pytest.fixture(scope='module')
def photos(tmp_path_factory): return telling(tmp_path_factory.mktemp('top')/'home of ada'/'my photos')

@pytest.fixture(scope='module')
def run(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp('out')/'run'
    ImageClusterer(n_clusters=2, verbose=0).fit(photos[0].parent).save(out)
    return out

def saved(im, kind):
    "What a caller gets who saves a picture that we lend"
    out = io.BytesIO()
    im.save(out, kind)
    return out.getvalue()

def test_the_photos_tell(photos):
    assert all(SECRET.search(o.read_bytes()) for o in photos)

MAKERS = dict(small_jpeg=small_jpeg, enlarged=lambda o: small_jpeg(o, 500), thumbnails=lambda o: Thumbnails([o])[0],
    data_uri=lambda o: base64.b64decode(data_uri(small_picture(o)).split(',')[1]), opened=lambda o: plain_jpeg(Image.open(o).convert('RGB')),
    png=lambda o: saved(thumbnail(o), 'PNG'), jpeg=lambda o: saved(thumbnail(o, 500), 'JPEG'), gif=lambda o: saved(small_picture(o), 'GIF'),
    webp=lambda o: saved(small_picture(o, 500), 'WEBP'), tiff=lambda o: saved(small_picture(o), 'TIFF'))

@pytest.mark.parametrize('maker', MAKERS)
def test_no_picture_says_more_than_its_pixels(photos, maker):
    for path in photos:
        data = MAKERS[maker](path)
        assert not SECRET.search(data), path
        with Image.open(io.BytesIO(data)) as im: assert not {'comment','exif','icc_profile','xmp'} & set(im.info), path

def test_the_pixels_are_the_same(photos):
    im = small_picture(photos[0])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(plain_jpeg(im, 90)))), np.asarray(Image.open(io.BytesIO(saved_jpeg(im)))))

def saved_jpeg(im):
    out = io.BytesIO()
    im.save(out, 'JPEG', quality=90)
    return out.getvalue()

def test_no_file_of_a_run_says_more_than_pixels(run):
    html = (run/'report.html').read_text(encoding='utf-8')
    pictures = [base64.b64decode(o) for o in re.findall('base64,([A-Za-z0-9+/=]+)', html)]
    assert len(pictures)>10 and not any(map(SECRET.search, pictures)) and 'SECRET' not in html
    for o in run.glob('*.png'): assert not SECRET.search(o.read_bytes())
    assert not SECRET.search((run/'clusters.csv').read_bytes())

def test_sample_photos_say_nothing_of_their_source(tmp_path, photos, monkeypatch):
    monkeypatch.setattr('unsupervised_cluster.samples.source_path', lambda name: photos[2])
    table = sample_photos(tmp_path/'samples', 3, max_side=40)
    assert not any(SECRET.search(o.read_bytes()) for o in table.paths)

# ---- Paths

def absolute(path, html):
    "Is there a path of this machine in a text?"
    own = [str(path), str(path.resolve()), tempfile.gettempdir(), str(Path(__file__).parents[1]), sys.prefix, sys.base_prefix, os.path.expanduser('~')]
    return [o for o in own if len(o)>1 and re.search(rf'(?<![\w/]){re.escape(o)}(?![\w-])', html)]

def test_a_report_has_no_path(run, photos):
    top = photos[0].parent.parent
    html = (run/'report.html').read_text(encoding='utf-8')
    assert absolute(top, html)==[] and 'home of ada' not in html and 'my photos' in html
    assert "unsupervised_cluster &#39;my photos&#39;" in html

def test_a_loaded_run_has_no_path_either(run, photos, tmp_path):
    from unsupervised_cluster.saved_runs import Run
    o = Run.load(run)
    html = write_report(o.clustering, tmp_path/'r.html', o.features, o.choice, summary=o.summary()).read_text(encoding='utf-8')
    assert absolute(photos[0].parent.parent, html)==[] and 'home of ada' not in html

def small(paths, root=None, broken=()):
    "A clustering of files, in two clusters"
    table = ImageTable(tuple(map(Path, paths)), np.full((len(paths),2), 64), broken, root)
    n = len(paths)
    return Clustering(np.arange(n)%2, np.ones((n,2)), np.array([[0.],[1]]), table)

def html_of(clustering, folder, **kwargs): return write_report(clustering, folder/'r.html', **kwargs).read_text(encoding='utf-8')

PLACES = ['photos', 'my photos', "o'neil", 'a"b', 'Île', '-rf', '~', '$HOME', '<b>', 'a&b', '(x)', 'x;y', 'x,y', 'a/b/c d', 'é\u0301']

@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('how', ['root','list','outside'])
def test_no_path_whatever_the_folder_is_called(tmp_path, place, how):
    top = tmp_path/'of ada'/place
    root = dict(root=top, list=None, outside=top/'in')[how]
    reasons = (f"[Errno 5] Input/output error: '{top}/x.jpg'", f'damaged: {top}/x.jpg is bad', f'{top!s}', repr(str(top/'x.jpg')),
               f'see file://{top}/x.jpg', (top/'x y.jpg').as_uri(), f'no place in {tempfile.gettempdir()}/x, {sys.prefix}/lib or {Path.home()}/y',
               "cannot open '/mnt/of ada/x.jpg'", f'<_io.BufferedReader name={str(top/"x.jpg")!r}>')
    broken = tuple(BrokenFile(top/f'b{i}.jpg', o) for i,o in enumerate(reasons))
    c = small([top/'in/1.jpg', top/'in/2.jpg', top/'out/3.jpg', top/'4.jpg'], root, broken)
    summary = dict(arguments=dict(seed=1, features=f'{top}/net.pt', clusterer=str(top)), machine=str(Path.home()), given=None)
    html = html_of(c, tmp_path, features=Features(np.eye(4, dtype=np.float32), c.images), summary=summary)
    assert absolute(tmp_path, html)==[] and 'of ada' not in html and 'of%20ada' not in html
    assert 'in/1.jpg' in html and '4.jpg' in html
    c.to_csv(tmp_path/'c.csv')
    text = (tmp_path/'c.csv').read_text(encoding='utf-8-sig')
    assert absolute(tmp_path, text)==[] and 'of ada' not in text
    assert clusters_from_csv(tmp_path/'c.csv', c.images).labels.tolist()==[0,1,0,1]

def test_the_home_folder_is_not_named(tmp_path, monkeypatch):
    "Its name is that of the user"
    home = tmp_path/'ada'
    monkeypatch.setenv('HOME', str(home))
    monkeypatch.setenv('USERPROFILE', str(home))
    summary = dict(arguments=dict(seed=1))
    html = html_of(small([home/'1.jpg', home/'2.jpg'], home), tmp_path, summary=summary)
    assert 'ada' not in html and 'Clusters of 2 images' in html and 'unsupervised_cluster FOLDER --seed 1' in html
    html = html_of(small([home/'in/1.jpg', '/mnt/2.jpg']), tmp_path, summary=summary)
    assert str(home).lstrip('/') not in html and 'in/1.jpg' in html

def test_a_list_is_repeated_as_a_list(tmp_path):
    "Even where it has a common folder"
    c = small([tmp_path/'1.jpg', tmp_path/'2.jpg'], tmp_path)
    html = html_of(c, tmp_path, summary=dict(arguments=dict(seed=1), given=[str(tmp_path/'1.jpg')]))
    assert '.fit(paths)' in html and 'unsupervised_cluster ' not in html and absolute(tmp_path, html)==[]

@pytest.mark.parametrize('where', ['relative','gone'])
def test_odd_working_folders(tmp_path, monkeypatch, where):
    (tmp_path/'of ada').mkdir()
    monkeypatch.chdir(tmp_path/'of ada')
    c = small(['x/1.jpg', 'x/2.jpg'], 'x' if where=='relative' else None)
    if where=='gone': (tmp_path/'of ada').rmdir()
    html = html_of(c, tmp_path, summary=dict(arguments=dict(seed=1)))
    assert absolute(tmp_path, html)==[] and 'of ada' not in html and '1.jpg' in html
    monkeypatch.chdir(tmp_path)

@pytest.mark.parametrize('text', ['and/or', '1/2, 3 / 4', 'width/height of a/b/c.jpg', 'damaged: 3 of 4 bytes', 'https is not a file', 'x: y', '//', '/', ''])
def test_what_is_no_path_stays(text): assert path_hider(['/home/ada'])(text)==text

@tries(300)
@given(st.text(st.sampled_from('/\\ab \'":.~C'), max_size=40))
def test_any_text_can_be_hidden(text):
    res = path_hider(['/a/b'])(text)
    assert len(res)<=len(text)+text.count('/')+text.count('\\')
    assert not re.search(r'(?<![\w.~/\\ab:C])/a/b/', res)

def test_hostile_texts_take_no_time():
    for o in ("'/"*5_000_000, '/a'*5_000_000, "'/a"+'/'*5_000_000, '\\'*5_000_000, ' /'*5_000_000): assert len(path_hider()(o))<=1000

# ---- Names

def test_a_name_of_five_million_characters_is_cut(tmp_path):
    for huge in ('x'*5_000_000+'.jpg', '\u202e'*5_000_000, '<'*5_000_000):
        assert len(shown_name(huge))<=200
        broken = (BrokenFile(tmp_path/huge, huge),)
        c = small([tmp_path/huge, tmp_path/'2.jpg'], tmp_path, broken)
        html = html_of(c, tmp_path, summary=dict(arguments={huge:huge, 'seed':1}, clusterer=huge), title=huge, names=[huge,''])
        assert len(html)<300_000 and len(c._repr_html_())<10_000
    assert shown_name('x'*500+'.jpg').endswith('x.jpg') and len(shown_name('x'*500, 30))==30

def test_a_cluster_has_no_name_of_five_million_characters(tmp_path):
    c = small(['1.jpg','2.jpg'])
    assert replace(c, names=('x'*1000,'')).names[0]=='x'*1000
    for names in (('x'*5_000_000,''), ('x'*1001,'y')):
        with pytest.raises(ArgumentError, match='1,000 at most') as e: replace(c, names=names)
        assert len(str(e.value))<300
    with pytest.raises(ArgumentError) as e: replace(c, names=('x'*5_000_000,))
    assert len(str(e.value))<300
    head = dict(images=c.images.to_dict(), names=['x'*5_000_000,''])
    write_arrays(tmp_path/'c.safetensors', 'Clustering', head, dict(labels=c.labels, distances=c.distances, centers=c.centers))
    with pytest.raises(SavedFileError, match='at most'): Clustering.load(tmp_path/'c.safetensors')

@pytest.mark.filterwarnings('ignore::UserWarning') # No font has every letter
def test_pictures_with_long_and_odd_names(tmp_path):
    c = replace(small([tmp_path/'1.jpg', tmp_path/'2.jpg']), names=('$x$ \n\x00\ud800'+'y'*900,'$'))
    save_pictures(tmp_path, dict(montage=lambda: plot_montage(c), sizes=lambda: plot_sizes(c)))
    assert Image.open(tmp_path/'montage.png').height<2000

# ---- Tables

NAMES = ['=1+2', '+49', '-x', '@home', '\t=1', '\r=1', '\n=1', ' =1', '"=1"', "'=1", "''=1", "'x", '＝1', '＋1', '－1', '＠x', 'a\n=1', 'a;=1', 'a,=1',
         'a|=cmd', 'a\t=1', 'a; "=1', 'plain', 'Île', 'a,b', 'q"r', '1.0', '1', '007', '1e5', '1-2', '3 mar', 'TRUE', 'false', '\xa0x', 'x ', '\ufeffx',
         'e\u0301', '猫', '🦤', os.fsdecode(b'caf\xe9'), '\ud800', r'\x41', r'C:\x20', r'\\x41', 'sep=;', 'path', '\x00', '\x85', '\u2028', '%00', '#N/A', '']
pieces = st.sampled_from([*'\'"=+-@;,|\t\r\n \\.:/1a', 'x41', 'u0041', '\x00', '\x85', '\xa0', '\u2028', '\ufeff', '\udce9', '\ud800', '＝', 'true', 'mar', '🦤'])
texts = st.text(st.characters(), max_size=20) | st.lists(pieces, max_size=10).map(''.join) | st.sampled_from(NAMES)
FORMULA = tuple('=+-@\t\r\n＝＋－＠')

def cells(text):
    "What may become a cell where another separator is usual"
    return re.split('[;,|\t\r\n]', text)

@tries(2000)
@given(texts)
def test_a_cell_is_a_text_and_reads_back_exactly(text):
    cell = csv_cell(text)
    assert cell_text(cell)==text
    assert not any(o.lstrip('"\'\xa0 ').startswith(FORMULA) and not o.startswith("'") for o in cells(cell))
    assert not re.search('[\x00-\x1f\x7f-\x9f\u2028\u2029]', cell) and cell==cell.strip()
    cell.encode()

@tries(1000)
@given(texts, texts)
def test_two_texts_are_two_cells(a, b): assert (a==b)==(csv_cell(a)==csv_cell(b))

def named(names, called=None):
    "A clustering of files of these names, in three clusters, in a folder whose name stays out of it"
    root,n = Path('/of ada'),len(names)
    table = ImageTable(tuple(root/o for o in names), np.full((n,2), 64), (BrokenFile(root/'=b.jpg', "=HYPERLINK('/of ada/x')"),), root)
    return Clustering(np.arange(n)%3, np.ones((n,3)), np.arange(3.)[:,None], table, names=called)

def table_of(clustering, folder):
    clustering.to_csv(folder/'c.csv')
    return list(csv.reader(io.StringIO((folder/'c.csv').read_bytes().decode('utf-8-sig'), newline='')))

def check(clustering, data, folder):
    (folder/'back.csv').write_bytes(data)
    found = clusters_from_csv(folder/'back.csv', clustering.images)
    assert found.labels.tolist()==clustering.labels.tolist()
    return found

@pytest.fixture(scope='module')
def place(tmp_path_factory): return tmp_path_factory.mktemp('tables')

# As a system has them: no slash, no zero byte, not empty and not a folder
file_names = texts.map(lambda o: o.replace('/', '').replace('\x00', '')).filter(lambda o: o not in ('', '.', '..'))

@tries(300)
@given(names=st.lists(file_names, min_size=3, max_size=8, unique=True),
       called=st.lists(texts.filter(bool), min_size=3, max_size=3, unique=True))
@example(names=[o.replace('/', '').replace('\x00', '') for o in NAMES if o not in ('', '\x00')], called=['=1','-','@'])
def test_any_name_is_read_back(place, names, called):
    c = named(names, tuple(called))
    rows = table_of(c, place)
    assert not any(o.startswith(FORMULA) for row in rows for o in row) and 'of ada' not in str(rows)
    assert check(c, (place/'c.csv').read_bytes(), place).names==c.names
    for mark,encoding in ((';','utf-8-sig'), ('\t','utf-16'), (',','utf-8')):
        assert check(c, as_saved(rows, mark, encoding), place).names==c.names

def as_saved(rows, mark=',', encoding='utf-8', end='\r\n', start='', errors='strict'):
    out = io.StringIO(newline='')
    csv.writer(out, delimiter=mark, lineterminator=end).writerows(rows)
    return (start+out.getvalue()).encode(encoding, errors)

def each(rows, change): return [rows[0], *([change(i,o) for i,o in enumerate(row)] for row in rows[1:])]
number = lambda i,o: f'{o}.0' if i==1 and o else o
SAVED = dict(
    semicolons=lambda r: as_saved(r, ';', 'utf-8-sig'), tabs=lambda r: as_saved(r, '\t', 'utf-16'), pipes=lambda r: as_saved(r, '|'),
    utf16_be=lambda r: b'\xfe\xff'+as_saved(r, '\t', 'utf-16-be'), no_mark_le=lambda r: as_saved(r, '\t', 'utf-16-le'),
    no_mark_be=lambda r: as_saved(r, ';', 'utf-16-be'), ansi=lambda r: as_saved(r, ';', 'cp1252', errors='replace'),
    mac=lambda r: as_saved(r, ';', 'mac_roman', errors='replace'), mac_ends=lambda r: as_saved(r, end='\r'), unix_ends=lambda r: as_saved(r, end='\n'),
    sep=lambda r: as_saved(r, ';', 'utf-8-sig', start='sep=;\r\n'), sep_kept=lambda r: as_saved([['sep=;','',''], *r]),
    floats=lambda r: as_saved(each(r, number)), commas=lambda r: as_saved(each(r, lambda i,o: number(i,o).replace('.', ',') if i else o), ';'),
    more_columns=lambda r: as_saved([[*o,'','',''] for o in r]), fewer_cells=lambda r: as_saved([r[0], *(o[:4] for o in r[1:])]),
    blank_lines=lambda r: as_saved([p for o in r for p in ([], o, ['']*5, [' ',''])]), sorted_=lambda r: as_saved([r[0], *sorted(r[1:])]),
    other_columns=lambda r: as_saved([['note', *o[1::-1], *o[2:]] if o is r[0] else ['=x', *o[1::-1], *o[2:]] for o in r]),
    title=lambda r: as_saved([[';;;'], ['Photos of ada','',''], *r]), header=lambda r: as_saved([[' Path','CLUSTER ', *r[0][2:]], *r[1:]]), quoted=lambda r: '\r\n'.join(';'.join('"'+o.replace('"', '""')+'"' for o in p) for p in r).encode(),
    dropped=lambda r: as_saved(each(r, lambda i,o: o.removeprefix("'"))), half_dropped=lambda r: as_saved([[p[0].removeprefix("'"), *p[1:]] if i%2 else p for i,p in enumerate(r)]),
    case=lambda r: as_saved(each(r, lambda i,o: o.replace("'true", 'TRUE').replace("'false", 'FALSE'))), trailing=lambda r: as_saved([[f'{p} ' for p in o] for o in r]))

@pytest.mark.parametrize('how', SAVED)
def test_what_a_spreadsheet_saves_is_read_back(tmp_path, how):
    names = ['=1+2.jpg', '+49.jpg', '-x', '@home', "'x", 'Müller', 'Île;x', 'a,b', 'q"r', 'two\nlines', 'two\r\nlines', '\tx', 'x ', 'true', 'plain', '1-2',
             os.fsdecode(b'caf\xe9.jpg')]
    c = named(names, ('=sea','Ö','3 mar'))
    rows = table_of(c, tmp_path)
    found = check(c, SAVED[how](rows), tmp_path)
    assert found.names==(None if how=='fewer_cells' else c.names)

@pytest.mark.parametrize('page,name', [('cp1250','Łódź'), ('cp1251','Привет'), ('cp1253','Αθήνα'), ('cp932','日本'), ('cp936','中国'), ('cp949','한국'),
                                       ('cp950','臺灣'), ('cp1255','שלום'), ('cp1256','سلام'), ('mac_roman','Île'), ('cp850','Île')])
def test_the_code_page_of_a_country(tmp_path, page, name):
    c = named([f'{name}.jpg', f'{name} 2.jpg', '3.jpg'])
    check(c, as_saved(table_of(c, tmp_path), ';', page), tmp_path)

def test_letters_that_a_code_page_lacks(tmp_path):
    c = named(['猫.jpg', '🦤x.jpg', 'é猫.jpg'])
    rows = table_of(c, tmp_path)
    check(c, as_saved(rows, ';', 'cp1252', errors='replace'), tmp_path)
    check(c, as_saved(rows, ';', 'ascii', errors='replace').replace(b'?x', b'??x'), tmp_path) # Two halves
    c = named(['猫.jpg', '犬.jpg', 'é.jpg'])
    with pytest.raises(SavedFileError, match=r"line 2: '\?.jpg' may be any of 2 images: save it as CSV UTF-8"):
        check(c, as_saved(table_of(c, tmp_path), ';', 'cp1252', errors='replace'), tmp_path)
    with pytest.raises(SavedFileError, match='save the table as CSV UTF-8'): check(named(['x.jpg']*3), b'path,cluster\n??.jpg,0\n', tmp_path)

def test_tables_that_earlier_versions_wrote(tmp_path):
    "Without a mark, without apostrophes, with bytes that are no UTF-8, with whole paths"
    names = ['=1.jpg', 'two\nlines.jpg', os.fsdecode(b'caf\xe9.jpg'), 'Ö.jpg', ' x', "'y"]
    c = named(names)
    for root in ('', '/of ada/'):
        rows = [['path','cluster'], *([f'{root}{o}', str(i%3)] for i,o in enumerate(names))]
        check(c, as_saved(rows, errors='surrogateescape'), tmp_path)

def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    c = named(['a','b','c'])
    for data,line in {'path,cluster\n\n\nx,0':4, 'sep=;\npath;cluster\nx;0':3, 'path,cluster\na,"\n0"\nx,0':4, 'path,cluster\r\ra,0\rx,0':4}.items():
        with pytest.raises(SavedFileError, match=f"line {line}: there is no image 'x'"): check(c, data.encode(), tmp_path)

@pytest.mark.parametrize('cells,text', [('a,0\na,1\nb,0\nc,0','comes a second time'), ('a,1000\n','wanted all|no line'), ('a,"1,000"','wanted 0'),
    ('a,0.5','wanted 0'), ('a,-1','wanted 0'), ('a,TRUE','wanted 0'), ('a,=1','wanted 0'), ('A,0\na,0','a second time'), (',0','no image')])
def test_what_is_not_certain_is_refused(tmp_path, cells, text):
    with pytest.raises(SavedFileError, match=text): check(named(['a','b','c']), f'path,cluster\n{cells}'.encode(), tmp_path)

@tries(200)
@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda o: f'path,cluster\n{o}'.encode('utf-8', 'surrogatepass')))
def test_any_table_is_read_or_refused(place, data):
    (place/'any.csv').write_bytes(data)
    with pytest.raises(SavedFileError) as e: clusters_from_csv(place/'any.csv', named(['a','b','c']).images)
    assert len(str(e.value))<1000

def test_a_row_of_many_cells_takes_no_time(tmp_path):
    with pytest.raises(SavedFileError): check(named(['a','b','c']), b'path,cluster\n'+b','.join([b'a']*100_000), tmp_path)

def test_pandas_reads_it(tmp_path):
    pd = pytest.importorskip('pandas')
    c = named(['=1.jpg', 'Ö.jpg', os.fsdecode(b'caf\xe9.jpg')])
    c.to_csv(tmp_path/'c.csv')
    table = pd.read_csv(tmp_path/'c.csv')
    assert list(table.columns)==['path','cluster','distance','confidence','problem'] and [*map(cell_text, table.path[:3])]==c.images.names
    assert table.cluster[:3].tolist()==[0,1,2]

def test_the_explorer_cuts_a_name_of_five_million_characters(tmp_path):
    from unsupervised_cluster.editing import ClusterEditor
    from unsupervised_cluster.gallery import Gallery
    from unsupervised_cluster.panels import image_tiles
    gallery = Gallery(ClusterEditor(small([tmp_path/('x'*5_000_000), tmp_path/'2.jpg'])))
    gallery.say('y'*5_000_000)
    tiles = image_tiles(gallery, [0,1])
    assert len(gallery.message)<=1000 and all(len(o.text)<=200 and len(o.hint)<300 for o in tiles) and len(str(gallery.facts(0)))<1000

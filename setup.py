"The package's metadata lives in `settings.ini`: change it there, not here."
from configparser import ConfigParser
from pathlib import Path
import shlex
import setuptools

here = Path(__file__).resolve().parent
parser = ConfigParser(delimiters=['='])
parser.read(here/'settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']

setuptools.setup(
    name=cfg['lib_name'], version=cfg['version'], description=cfg['description'], keywords=cfg['keywords'],
    author=cfg['author'], author_email=cfg['author_email'], license='Apache-2.0', url=cfg['git_url'],
    packages=setuptools.find_packages(include=[cfg['lib_path'], cfg['lib_path']+'.*']),
    package_data={cfg['lib_path']: ['templates/*', 'templates/voila/*']},
    data_files=[('share/jupyter/voila/templates/lab_offline', # Where Voila looks for `--template=lab_offline`
                 [f"{cfg['lib_path']}/templates/voila/{o}" for o in ('conf.json','index.html.j2')])],
    python_requires='>='+cfg['min_python'],
    install_requires=shlex.split(cfg['requirements']),
    extras_require={'dev': shlex.split(cfg['dev_requirements']), 'backbone': ['timm'],
                    'duplicates': ['ImageHash'], 'scale': ['accelerate', 'dask[distributed]'], 'umap': ['umap-learn']},
    long_description=(here/'README.md').read_text(encoding='utf-8'), long_description_content_type='text/markdown',
    classifiers=['License :: OSI Approved :: Apache Software License', 'Programming Language :: Python :: 3',
                 'Topic :: Scientific/Engineering :: Image Recognition'],
    entry_points={'console_scripts': [cfg['console_scripts']],
                  'nbdev': [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"]})

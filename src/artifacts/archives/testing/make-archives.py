"""Makes the archives that other tools make of one small tree: name, then the file, into the directory given."""
import io
import os
import sys
import tarfile
import zipfile

out = sys.argv[1]
LONG = 'long/' + 'n' * 180 + '/' + 'm' * 120 + '.txt'
FILES = [('a.txt', b'alpha', 0o640), ('größe/日本.txt', b'unicode', 0o600), ('empty', b'', 0o644)]
TIME = 1700000000


def tar_item(name, size, mode):
    item = tarfile.TarInfo(name)
    item.size, item.mode, item.mtime = size, mode, TIME
    item.uid, item.gid, item.uname, item.gname = 1000, 1000, 'somebody', 'people'
    return item


def make_tar(name, tar_format, with_long, mode='w'):
    with tarfile.open(os.path.join(out, name), mode, format=tar_format, encoding='utf-8') as archive:
        directory = tar_item('größe', 0, 0o750)
        directory.type = tarfile.DIRTYPE
        archive.addfile(directory)
        for path, content, bits in FILES + ([(LONG, b'long', 0o644)] if with_long else []):
            archive.addfile(tar_item(path, len(content), bits), io.BytesIO(content))
        link = tar_item('link', 0, 0o777)
        link.type, link.linkname = tarfile.SYMTYPE, 'größe/' + ('x' * 150 if with_long else 'x')
        archive.addfile(link)


class Unseekable(io.RawIOBase):
    """Makes zipfile put sizes behind contents."""

    def __init__(self, path):
        self.file = open(path, 'wb')

    def writable(self):
        return True

    def write(self, data):
        return self.file.write(data)

    def flush(self):
        self.file.flush()


def make_zip(target, compression, force64=False):
    with zipfile.ZipFile(target, 'w', compression) as archive:
        for path, content, bits in FILES + [(LONG, b'long', 0o644), ('big.bin', b'big' * 400000, 0o644)]:
            item = zipfile.ZipInfo(path, (2023, 11, 14, 22, 13, 20))
            item.external_attr = (0o100000 | bits) << 16
            item.compress_type = compression
            with archive.open(item, 'w', force_zip64=force64) as stream:
                stream.write(content)
        directory = zipfile.ZipInfo('dir/', (2023, 11, 14, 22, 13, 20))
        directory.external_attr = 0o040711 << 16
        archive.writestr(directory, b'')
        link = zipfile.ZipInfo('link', (2023, 11, 14, 22, 13, 20))
        link.external_attr = 0o120777 << 16
        archive.writestr(link, 'größe/x')


make_tar('ustar.tar', tarfile.USTAR_FORMAT, False)
make_tar('gnu.tar', tarfile.GNU_FORMAT, True)
make_tar('pax.tar', tarfile.PAX_FORMAT, True)
make_tar('pax.tar.gz', tarfile.PAX_FORMAT, True, 'w:gz')
make_zip(os.path.join(out, 'deflated.zip'), zipfile.ZIP_DEFLATED)
make_zip(os.path.join(out, 'stored.zip'), zipfile.ZIP_STORED)
make_zip(os.path.join(out, 'zip64.zip'), zipfile.ZIP_DEFLATED, True)
make_zip(Unseekable(os.path.join(out, 'streamed.zip')), zipfile.ZIP_DEFLATED)
make_zip(Unseekable(os.path.join(out, 'streamed-zip64.zip')), zipfile.ZIP_DEFLATED, True)

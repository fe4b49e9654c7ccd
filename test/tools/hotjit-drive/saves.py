"""The ways in which editors save a file."""

import os
import shutil
from pathlib import Path


def in_place(path, text):
    """Truncate and write: VS Code, nano, `cat >`."""
    with open(path, "wb") as file:
        file.write(text)


def as_vim(path, text):
    """vim, backupcopy=no: probes the folder, moves the old file away, writes
    a new one under the old name, removes the backup."""
    folder = Path(path).parent
    probe = folder / "4913"
    probe.touch()
    probe.unlink()
    backup = f"{path}~"
    os.rename(path, backup)
    in_place(path, text)
    os.unlink(backup)


def by_rename(path, text):
    """Safe write, as JetBrains, gedit, sed -i and git do it: the new text
    goes to a temporary file that is moved over the old one."""
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    in_place(temporary, text)
    if path.exists():
        shutil.copymode(path, temporary)
    os.rename(temporary, path)


def with_old_time(path, text):
    """`cp -p`, tar, a clock that is wrong: the new text has a time from long
    before the program was built."""
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    in_place(temporary, text)
    os.utime(temporary, (10**9, 10**9))
    os.rename(temporary, path)


def tree(source, target):
    """Every file of one folder over that of its name in another, as close
    together as can be: first all temporary files, then all renames."""
    renames = []
    for path in sorted(p for p in Path(source).rglob("*") if p.is_file()):
        final = Path(target) / path.relative_to(source)
        temporary = final.parent / f".{final.name}.{os.getpid()}.tmp"
        in_place(temporary, path.read_bytes())
        renames.append((temporary, final))
    for temporary, final in renames:
        os.rename(temporary, final)


WAYS = {"save": in_place, "save-vim": as_vim, "save-rename": by_rename,
        "save-old": with_old_time}

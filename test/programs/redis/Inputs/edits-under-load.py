"""Edits Redis while redis-benchmark loads it.

    edits-under-load.py --bin=DIR --edits=N --deadline=SECONDS SOURCES

The edits alternate in t_string.c, networking.c and dict.c; every second edit
of a file takes the one before back. After each, one client, connected from
start to end, asks what all three files reply: the edited one must have
changed, the others not. Nothing is timed: the load runs until the last edit. A
dropped connection ends redis-benchmark, and that client, with an error.
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3]
                       / "tools" / "hotjit-drive"))
import saves
from session import Failed, Session

KEYS = 2000
EDITS = [
    ("t_string.c", "addReplyLongLong(c,stringObjectLen(o));",
     "addReplyLongLong(c,stringObjectLen(o)+1000);"),
    # The other such line of the file ends CLIENT LIST ID.
    ("networking.c", 'sdscatlen(o,"\\n",1);\n    }\n    return o;',
     'sdscatlen(o," hot=yes \\n",10);\n    }\n    return o;'),
    ("dict.c", '"Hash table %d stats (%s):\\n"\n        " table size',
     '"Hot table %d stats (%s):\\n"\n        " table size'),
]


class Client:
    """One connection that is never made again."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.stream = self.socket.makefile("rb")

    def ask(self, *words):
        words = [str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self.reply()

    def reply(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise Failed("the server dropped the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Failed(f"the server replied {line}")
        if kind in b"$=":
            return self.stream.read(int(rest) + 2)[:-2].decode()
        return int(rest) if kind == b":" else rest.decode()

    def seen(self):
        """Which of EDITS are live, by what the server replies."""
        return [self.ask("STRLEN", "key:0") > 1000,
                " hot=yes " in self.ask("CLIENT", "LIST"),
                self.ask("DEBUG", "HTSTATS", "0").count("Hot table") > 0]


class Load(threading.Thread):
    """redis-benchmark, again and again until stop() is called. Short runs: four
    I/O threads spin, and on few cores they serve slowly."""

    def __init__(self, program, path):
        super().__init__(daemon=True)
        self.command = [program, "-s", path, "-c", "20", "-n", "500",
                        "-t", "set,get,incr,lpush,hset,mset", "-q", "--csv"]
        self.over = threading.Event()
        self.runs, self.problem = 0, None
        self.start()

    def run(self):
        while not self.problem and not self.over.is_set():
            result = subprocess.run(self.command, text=True,
                                    stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT)
            if result.returncode or "rror" in result.stdout:
                self.problem = f"{result.returncode}: {result.stdout}"
            self.runs += 1

    def stop(self):
        self.over.set()
        self.join()
        if self.problem:
            raise Failed(f"redis-benchmark: {self.problem}")


def edit_all(session, client, count):
    live = [False] * len(EDITS)
    for number in range(count):
        which = number % len(EDITS)
        name, old, new = EDITS[which]
        if live[which]:
            old, new = new, old
        # As a C programmer wrote it, so without the session's own escapes.
        path = session.folder / name
        text = path.read_text()
        if text.count(old) != 1:
            raise Failed(f"{name}: {old!r} stands there {text.count(old)}")
        saves.by_rename(path, text.replace(old, new).encode())
        session.do_await(["reloaded"])
        live[which] = not live[which]
        if client.seen() != live:
            raise Failed(f"edit {number + 1} of {name}: {client.seen()} "
                         f"instead of {live}")
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--edits", type=int, required=True)
    parser.add_argument("--deadline", type=float, required=True)
    parser.add_argument("sources", type=Path)
    options = parser.parse_args()
    options.program = options.sources / "redis-server"
    options.run_options, options.no_wait = [], False
    with tempfile.TemporaryDirectory(prefix="hj-") as folder:
        path = f"{folder}/socket"
        session = Session(options, [
            "--io-threads", "4", "--port", "0", "--unixsocket", path,
            "--save", "", "--dir", folder, "--enable-debug-command", "yes"])
        try:
            session.start()
            client = Client(path)
            for key in range(KEYS):
                client.ask("SET", f"key:{key}", f"value {key}")
            if any(client.seen()):
                raise Failed("an edit is seen before it is made")
            load = Load(str(options.sources / "redis-benchmark"), path)
            count = edit_all(session, client, options.edits)
            load.stop()
            print(f"benchmark runs without an error: {load.runs}")
            stats = dict(line.split(":") for line in
                         client.ask("INFO", "stats").splitlines()
                         if ":" in line)
            print(f"commands: {stats['total_commands_processed']}, "
                  f"error replies: {stats['total_error_replies']}")
            lost = sum(client.ask("GET", f"key:{key}") != f"value {key}"
                       for key in range(KEYS))
            print(f"edits seen: {count}, keys lost: {lost}", flush=True)
            client.socket.sendall(b"SHUTDOWN NOSAVE\r\n")
            session.finish()
        finally:
            session.kill()


if __name__ == "__main__":
    main()

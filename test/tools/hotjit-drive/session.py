"""A program under `hotjit run`, and the commands of a session script.

hotjit-drive's own comment lists the commands; here is how they wait. Threads
read what launcher, program, socket and event file bring and put it into one
queue; wait() takes from it until a condition holds or the deadline is over.
"""

import collections
import json
import os
import queue
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import client
import saves
import transcripts

ENDS = ("reloaded", "refused", "failed", "unchanged")
# What a test sets for the program.
options_of_programs = {"HOTJIT_COMMIT_AT_SAFEPOINT"}
# Further events that the launcher prints a line for.
TOLD = ("settled", "undone", "redone", "loaded", "unloaded")


def lines_of(event):
    """How many lines the launcher prints for the end of a reload."""
    verdicts = event.get("verdicts", [])
    kinds = [v["verdict"] for v in verdicts]
    if event["event"] == "refused":
        reasons = kinds.count("refused") + kinds.count("pending")
        return (min(max(1, reasons), 5)
                + any(v["verdict"] == "held" and v.get("edited", True)
                      for v in verdicts))
    return 1 + sum(1 for v in verdicts if v.get("message") and
                   v["verdict"] in ("note", "pending", "partial"))


class Failed(Exception):
    """The session did not go as its script says."""


class Reader(threading.Thread):
    """Puts what a stream brings into the session's queue, as lists of lines:
    what was written at once stays together."""

    def __init__(self, stream, kind, sink):
        super().__init__(daemon=True)
        self.stream, self.kind, self.sink = stream, kind, sink
        self.start()

    def run(self):
        rest = b""
        while data := os.read(self.stream.fileno(), 1 << 16):
            *lines, rest = (rest + data).split(b"\n")
            if lines:
                self.sink.put((self.kind,
                               [line.decode(errors="replace")
                                for line in lines]))
        self.sink.put((self.kind, None))


# What a caller need not say; see hotjit-drive's own options.
OPTIONAL = {"cache": None, "folder": None, "no_wait": False,
            "without_launcher": False}


class Session:
    """options: bin, program, deadline (seconds), run_options, no_wait; and
    cache, the folder in which hotjit keeps files from one start to the next
    (none: it ends with the session)."""

    def __init__(self, options, arguments, echo=True):
        self.echo = echo
        options = SimpleNamespace(**{**OPTIONAL, **vars(options)})
        self.options = options
        self.program = Path(options.program).resolve()
        self.folder = Path(options.folder or self.program.parent).resolve()
        self.arguments = arguments
        self.end = time.monotonic() + options.deadline
        self.queue = queue.Queue()
        self.events = []      # those that no await has passed yet
        self.history = []     # all, in order
        self.file_events = [] # those of --events
        self.printed = collections.Counter()  # the launcher's lines, by reload
        self.lines = []       # lines of the launcher, all
        self.told = collections.Counter()  # events of TOLD, by name
        self.output = []      # lines of the program, all
        self.answers = 0      # how many of them no step has waited for
        self.held = None      # the launcher's lines while an answer is waited for
        self.ended = set()
        self.last = None
        self.kept = {}
        self.gdb = None       # while one stays attached
        self.gdb_asked = self.gdb_done = 0
        self.clients = {}
        self.checked_exit = False
        self.exits_in_reload = False
        self.ready_line = False

    # -- waiting ----------------------------------------------------------

    def left(self):
        return max(0.0, self.end - time.monotonic())

    def wait(self, condition, what):
        """Takes arrivals from the queue until condition() is true."""
        while not condition():
            try:
                kind, item = self.queue.get(timeout=self.left())
            except queue.Empty:
                raise Failed(f"deadline: still waiting for {what}") from None
            self.arrive(kind, item)

    def arrive(self, kind, item):
        if item is None:
            self.ended.add(kind)
        elif kind == "out":
            self.say("\n".join(item))
            self.output += item
            self.answers += len(item)
        elif kind == "err":
            if self.held is None:
                self.say("\n".join(item))
            else:
                self.held += item
            for line in item:
                self.note_line(line)
        elif kind == "event":
            self.history.append(item)
            self.events.append(item)
        elif kind == "gdb":
            self.hear_gdb(item)
        elif kind == "file":
            self.file_events += map(json.loads, item)

    def note_line(self, line):
        self.lines.append(line)
        words = line.split()
        if len(words) > 1 and words[0] == "[hotjit]":
            if words[1].startswith("#"):
                self.printed[words[1].strip("#:")] += 1
            self.ready_line |= words[1].startswith("ready")

    def say(self, text):
        if self.echo:
            print(text, flush=True)

    def gone(self):
        return "out" in self.ended and "err" in self.ended

    # -- start and end ----------------------------------------------------

    def start(self):
        self.runtime = tempfile.TemporaryDirectory(prefix="hj-")
        os.chmod(self.runtime.name, 0o700)
        fifo = os.path.join(self.runtime.name, "events")
        os.mkfifo(fifo)
        # What the user's shell says about hotjit is not the test's.
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("HOTJIT")}
        for name in options_of_programs & set(os.environ):
            environment[name] = os.environ[name]
        environment["XDG_RUNTIME_DIR"] = self.runtime.name
        environment["XDG_CACHE_HOME"] = (
            self.options.cache or self.runtime.name)
        self.environment = environment
        command = [str(self.program), *self.arguments]
        if self.options.without_launcher:
            environment.update(HOTJIT="1", HOTJIT_EVENTS=fifo)
            self.options.run_options.append("--quiet") # Nobody prints.
        else:
            command = [str(Path(self.options.bin) / "hotjit"), "run",
                       "--events", fifo, *self.run_options(), "--", *command]
        # Open for both ends: neither waits for the other.
        self.fifo = os.fdopen(os.open(fifo, os.O_RDWR), "rb", buffering=0)
        self.launcher = subprocess.Popen(
            command, cwd=self.folder, env=environment, bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)
        Reader(self.launcher.stdout, "out", self.queue)
        Reader(self.launcher.stderr, "err", self.queue)
        Reader(self.fifo, "file", self.queue)
        if not self.options.no_wait:
            self.await_ready()

    def run_options(self):
        # --name=value is written as two words: so it stands in the manual.
        return [word for option in self.options.run_options
                for word in option.split("=", 1)]

    def await_ready(self):
        def ready():
            return [e for e in self.file_events if e["event"] == "ready"]
        self.wait(lambda: ready() or self.gone(), "ready")
        if not ready():
            raise Failed("the launcher ended before it was ready")
        self.last = ready()[0]
        self.pid = self.last["pid"]
        self.socket_path = self.last["socket"]
        self.main_client = client.Client(
            self.socket_path,
            lambda name, fields: self.queue.put(
                ("event", dict(fields, event=name))))
        answer = self.main_client.call("initialize", {}, self.left())
        if "result" not in answer:
            raise Failed(f"initialize: {answer}")
        if "--quiet" not in self.options.run_options:
            self.wait(lambda: self.ready_line or self.gone(), "the ready line")

    def finish(self):
        if not self.checked_exit:
            self.do_expect_exit(["0"])
        self.check_ends()

    def check_ends(self):
        """Each reload that began has ended exactly once."""
        begun = [e["reload"] for e in self.history if e["event"] == "changed"]
        ended = [e["reload"] for e in self.history if e["event"] in ENDS]
        if len(set(begun)) != len(begun):
            raise Failed(f"reloads that began twice: {begun}")
        if self.exits_in_reload and begun[-1] not in ended:
            begun.pop()
        for number in begun:
            if ended.count(number) != 1:
                raise Failed(f"reload {number} ended {ended.count(number)} "
                             "times")
        # One that begins with `ready` may have begun before we were listening.
        unheard = set(ended) - set(begun)
        unheard -= {e["reload"] for e in self.file_events
                    if e["event"] == "changed"}
        if unheard:
            raise Failed(f"reloads that never began: {sorted(unheard)}")

    def kill(self):
        """Ends launcher and program: they are in a session of their own."""
        if self.gdb:
            self.gdb.kill()
        if hasattr(self, "launcher") and not self.gone():
            try:
                os.killpg(self.launcher.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    # -- commands ---------------------------------------------------------

    def execute(self, line):
        name, _, text = line.partition(" ")
        # What goes to the program is not ours to read.
        rest = ([text] if name in ("step", "send", "debug", "debug-go")
                else shlex.split(text))
        if name in saves.WAYS:
            return self.save(saves.WAYS[name], rest)
        command = getattr(self, "do_" + name.replace("-", "_"), None)
        if command is None:
            raise Failed(f"no such command: {name}")
        return command(rest)

    def do_send(self, words):
        self.launcher.stdin.write(words[0].encode() + b"\n")

    def do_step(self, words):
        self.answers = 0
        self.do_send(words)
        self.do_answer([])

    def do_answer(self, _):
        # The program's output and the launcher's come by two pipes. What the
        # launcher says meanwhile is printed after the answer, or the order would
        # be another one from run to run.
        self.held = []
        try:
            self.wait(lambda: self.answers > 0 or self.gone(), "an answer")
        finally:
            if self.held:
                self.say("\n".join(self.held))
            self.held = None
        if not self.answers:
            raise Failed("the program ended instead of answering")
        self.answers -= 1

    def save(self, way, words):
        pairs = " ".join(words).split(",")
        texts = []
        for pair in pairs:
            target, middle, source = pair.split()
            if middle != "from":
                raise Failed("save FILE from FILE2")
            texts.append((self.folder / target,
                          (self.folder / source).read_bytes()))
        for target, text in texts:
            way(target, text)

    def do_save_tree(self, words):
        saves.tree(self.folder / words[0], self.folder)

    def replace(self, words, once):
        target, old, new = words
        path = self.folder / target
        text = path.read_text()
        old, new = (w.replace("\\n", "\n").replace("\\t", "\t")
                    for w in (old, new))
        if old not in text or (once and text.count(old) != 1):
            raise Failed(f"{target}: {old!r} stands there "
                         f"{text.count(old)} times")
        saves.in_place(path, text.replace(old, new).encode())

    def do_edit(self, words):
        self.replace(words, once=True)

    def do_edit_all(self, words):
        self.replace(words, once=False)

    def do_touch(self, words):
        (self.folder / words[0]).touch()

    def do_delete(self, words):
        (self.folder / words[0]).unlink()

    def do_move(self, words):
        os.rename(self.folder / words[0], self.folder / words[1])

    def do_link(self, words):
        """As `ln -sfn`: the link leads elsewhere in one step."""
        temporary = self.folder / (words[1] + ".new")
        os.symlink(words[0], temporary)
        os.rename(temporary, self.folder / words[1])

    def do_git(self, words):
        result = subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@localhost",
             "-c", "core.hooksPath=/dev/null", *words], cwd=self.folder,
            env={**self.environment, "GIT_CONFIG_GLOBAL": "/dev/null",
                 "GIT_CONFIG_SYSTEM": "/dev/null"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=self.left())
        if result.returncode != 0:
            raise Failed(f"git {words[0]}: {result.stdout}")

    def do_expect_line(self, words):
        text = " ".join(words)
        self.wait(lambda: any(text in line for line in self.lines)
                  or self.gone(), f"a line of the launcher: {text}")

    def do_await(self, words):
        wanted = words[0]
        while True:
            self.wait(lambda: self.events or self.gone(), wanted)
            if not self.events:
                raise Failed(f"the program ended instead of '{wanted}'")
            event = self.events.pop(0)
            name = event["event"]
            superseded = event.get("stage") == "superseded"
            if name == wanted and not superseded:
                break
            if name in ENDS and wanted in ENDS and not superseded:
                self.await_line(event)
                raise Failed(f"'{name}' instead of '{wanted}': "
                             + json.dumps(event, indent=1))
            if name == "closed":
                raise Failed(f"'{name}' instead of '{wanted}'")
        self.last = event
        if name in ENDS:
            self.await_line(event)
        elif name in TOLD and "--quiet" not in self.options.run_options:
            self.told[name] += 1
            self.wait(lambda: self.told[name] <= sum(
                f" {name}:" in line for line in self.lines) or self.gone(),
                f"the launcher's line for '{name}'")

    def await_line(self, event):
        if "--quiet" not in self.options.run_options:
            # Many lines come in several writes.
            number, lines = str(event["reload"]), lines_of(event)
            self.wait(lambda: self.printed[number] >= lines or self.gone(),
                      f"the launcher's lines for #{number}")

    def do_show(self, words):
        value = self.last.get(words[0])
        if words[0] == "verdicts":
            for v in value:
                place = f"{Path(v['file']).name}:{v['line']}"
                words = ("verdict:", v["verdict"], v["name"], place,
                         v.get("code"), v.get("message"))
                self.say(" ".join(word for word in words if word))
        elif words[0] == "files":
            names = sorted(Path(f).name for f in value)
            self.say("files: " + " ".join(names))
        elif words[0] == "timings":
            self.say("timings: " + " ".join(sorted(value)))
        else:
            self.say(f"{words[0]}: {json.dumps(value, sort_keys=True)}")

    def do_compare_events(self, _):
        def missing():
            return [e for e in self.history
                    if e not in self.file_events and e["event"] != "closed"]
        self.wait(lambda: not missing(), "the same events in the file")
        self.say("same events in the file")

    def do_run(self, words):
        command = [str(Path(self.options.bin) / "hotjit"), words[0],
                   "--pid", str(self.pid), *words[1:]]
        result = subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=self.left())
        self.say(f"{result.stdout}exit {result.returncode}")

    def do_call(self, words, over=None):
        params = json.loads(words[1]) if len(words) > 1 else {}
        answer = (over or self.main_client).call(words[0], params, self.left())
        self.say(json.dumps({k: v for k, v in answer.items()
                             if k not in ("jsonrpc", "id")}, sort_keys=True))

    def do_client(self, words):
        name, action, rest = words[0], words[1], words[2:]
        if action == "open":
            self.clients[name] = client.Client(self.socket_path)
            return
        connection = self.clients[name]
        if action == "close":
            connection.close()
        elif action == "raw":
            text = rest[0].replace("\\r", "\r").replace("\\n", "\n")
            connection.send_raw(text.encode())
        elif action == "answer":
            self.say(json.dumps(connection.answer(None, self.left()),
                                sort_keys=True))
        elif action == "closed":
            if not connection.wait_closed(self.left()):
                raise Failed(f"client {name} is still connected")
            self.say(f"client {name} closed")
        elif action == "call":
            self.do_call(rest, connection)
        else:
            raise Failed(f"client: no such action: {action}")

    def do_transcripts(self, words):
        def problem(text):
            raise Failed(text)
        count = transcripts.play(words[0], self, problem)
        self.say(f"{count} messages as the page says")

    def hashes(self):
        tool = str(Path(self.options.bin) / "hotjit-bytes")
        return subprocess.run([tool, str(self.pid)], check=True, text=True,
                              stdout=subprocess.PIPE,
                              timeout=self.left()).stdout

    def do_bytes(self, words):
        self.kept[words[0]] = self.hashes()

    def do_same(self, words):
        before, now = self.kept[words[0]], self.hashes()
        if before != now:
            raise Failed(f"the program's bytes differ\n{before}--\n{now}")
        self.say(f"same bytes as {words[0]}")

    def do_gdb(self, words):
        """gdb SCRIPT LINE: once gdb has attached, which the script says with
        `echo attached`, the program gets LINE."""
        command = ["gdb", "-batch", "-nx", "-p", str(self.pid), "-x",
                   str(self.folder / words[0])]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as gdb:
            overdue = threading.Timer(self.left(), gdb.kill)
            overdue.start()
            for line in gdb.stdout:
                self.say(line.rstrip("\n"))
                if line.startswith("attached"):
                    self.do_send([" ".join(words[1:])])
            overdue.cancel()
        if gdb.returncode != 0:
            raise Failed(f"gdb ended with status {gdb.returncode}")

    # A gdb that stays: it reads commands from a pipe, one after the other, so
    # the marker that we let it echo comes when the command before is done.
    MARK = "<<done>>"

    def ask_gdb(self, command):
        self.gdb_asked += 1
        self.gdb.stdin.write(f"{command}\necho \\n{self.MARK}\\n\n".encode())

    def hear_gdb(self, lines):
        for line in lines:
            if line == self.MARK:
                self.gdb_done += 1
            elif line.strip():
                self.gdb_lines.append(line)
                self.say("gdb: " + line)

    def do_debug(self, words):
        if words == ["attach"]:
            self.gdb = subprocess.Popen(
                ["gdb", "-q", "-nx", "-ex", "set prompt", "-ex",
                 "set confirm off", "-ex", "set pagination off",
                 "-ex", "set width 0", "-p",
                 str(self.pid)], stdin=subprocess.PIPE, bufsize=0,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True)
            Reader(self.gdb.stdout, "gdb", self.queue)
            self.gdb_asked = self.gdb_done = 0
            self.gdb_lines = []
        command = "info inferiors" if words == ["attach"] else " ".join(words)
        self.ask_gdb(command)
        self.do_debug_wait([])

    def do_debug_go(self, words):
        self.gdb_lines = []
        self.ask_gdb(" ".join(words) or "continue")

    def do_debug_wait(self, _):
        self.wait(lambda: self.gdb_done == self.gdb_asked
                  or "gdb" in self.ended, "gdb")

    def do_debug_expect(self, words):
        self.wait(lambda: any(words[0] in line for line in self.gdb_lines)
                  or "gdb" in self.ended, f"gdb saying {words[0]}")

    def do_debug_interrupt(self, _):
        self.gdb.send_signal(signal.SIGINT)
        self.do_debug_wait([])

    def do_debug_end(self, _):
        """Lets the program go."""
        self.gdb.stdin.write(b"detach\nquit\n")
        self.wait(lambda: "gdb" in self.ended, "gdb's end")
        self.gdb.wait(timeout=self.left())
        self.gdb = None
        self.ended.discard("gdb")

    def do_signal(self, words):
        self.launcher.send_signal(getattr(signal, "SIG" + words[0]))

    def do_fds(self, _):
        entries = os.listdir(f"/proc/{self.pid}/fd")
        self.say("fds: " + " ".join(sorted(entries, key=int)))

    def do_socket_mode(self, _):
        path = Path(self.socket_path)
        self.say(f"socket {path.stat().st_mode & 0o7777:o} "
                 f"folder {path.parent.stat().st_mode & 0o7777:o}")

    def do_close(self, _):
        self.launcher.stdin.close()

    def do_expect_exit_in_reload(self, words):
        self.exits_in_reload = True
        self.do_expect_exit(words)

    def do_expect_exit(self, words):
        self.checked_exit = True
        if not self.launcher.stdin.closed:
            try:
                self.launcher.stdin.close()
            except BrokenPipeError:
                pass
        self.wait(self.gone, "the end of the program")
        status = self.launcher.wait(timeout=self.left())
        got = str(status) if status >= 0 else signal.Signals(-status).name
        if got != words[0]:
            raise Failed(f"exit status {got}, not {words[0]}")

"""Hot equals cold: a case is replayed in a running program, and after each step
compared with a fresh build.

A *case* is a build mode and a list of steps, each of them texts to save (or an
undo, a redo) and calls to make. It says nothing about how it was found, so it
can be replayed and cut down.

The reference is a fresh build of the texts that are live. A reload keeps state
and a fresh start does not, so it is given the state that the program showed
before the step: what both texts have gets that value, what is new keeps its
initial one. Then both make the same calls and must print the same, state
included.

A variable that a step removes and a later one brings back starts anew, but
undo and redo return to the storage that a generation had. The same holds for a
variable that a step is the first to write, if the program has its initial value
built in (a note HJ1516 says so). So values belong to storage, not to names:
`Storage` follows which name means which storage in each generation.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent / "tools"
sys.path.insert(0, str(TOOLS / "hotjit-drive"))
import client  # noqa: E402
import saves   # noqa: E402
from session import ENDS, Failed, Session  # noqa: E402

# What a step may take: a machine that is busy with something else is slow, an
# engine that hangs takes for ever.
STEP_SECONDS = 60


class Bug(Exception):
    """Hot does not equal cold. kind: one word; text: what was seen."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


class BadCase(Exception):
    """The case itself is wrong: its texts do not compile, or crash cold."""


class Cold:
    """Fresh builds of texts, for reference. Objects are kept by content."""

    warnings = ["-w"]

    def __init__(self, folder, mode):
        self.folder = Path(folder)
        self.objects = self.folder / "objects"
        self.objects.mkdir(parents=True, exist_ok=True)
        self.suffix = mode["suffix"]
        self.compiler = mode["cold"]
        self.programs = {}

    def _compile(self, name, texts):
        headers = [t for n, t in sorted(texts.items()) if n.endswith(".h")]
        key = hashlib.sha1("\0".join([name, texts[name], *headers]).encode())
        target = self.objects / (key.hexdigest() + ".o")
        if not target.exists():
            sources = self.folder / "sources"
            sources.mkdir(exist_ok=True)
            for other, text in texts.items():
                if other == name or other.endswith(".h"):
                    (sources / other).write_text(text)
            self._run([*self.compiler, *self.warnings, "-DCOLD", "-c",
                       str(sources / name), "-o", str(target)])
        return str(target)

    def _run(self, command):
        result = subprocess.run(command, capture_output=True, text=True,
                                stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            raise BadCase(f"{' '.join(command)}\n{result.stderr}")

    def program(self, texts):
        key = hashlib.sha1(json.dumps(texts, sort_keys=True).encode())
        key = key.hexdigest()
        if key not in self.programs:
            objects = [self._compile(n, texts) for n in sorted(texts)
                       if n.endswith(self.suffix)]
            if len(self.programs) > 8:
                _, old = self.programs.popitem()
                Path(old).unlink(missing_ok=True)
            target = str(self.folder / f"cold-{key[:12]}")
            self._run([self.compiler[0], *objects, "-o", target])
            self.programs[key] = target
        return self.programs[key]

    def run(self, texts, state, calls):
        """What a fresh program prints that starts from this state."""
        lines = [f"l {name} {value}" for name, value in state.items()]
        script = "\n".join([*lines, "r", *calls, "d", "."]) + "\n"
        try:
            result = subprocess.run(
                [self.program(texts)], input=script, capture_output=True,
                text=True, timeout=30)
        except subprocess.TimeoutExpired:
            raise BadCase("the reference hangs") from None
        if result.returncode != 0:
            raise BadCase(f"the reference ended with {result.returncode}: "
                          + result.stdout[-300:])
        return result.stdout.splitlines()[:-1]

    def names(self, texts):
        return set(state_of(self.run(texts, {}, [])))


def state_of(lines):
    """The state in an output: lines `unit.place value`, behind all calls."""
    state = {}
    for line in lines:
        name, _, value = line.partition(" ")
        if "." in name and not line.startswith("  "):
            state[name] = value
    return state


class Storage:
    """Which storage a name means in each generation, and what it holds."""

    def __init__(self, names):
        self.next = 0
        self.generations = [self._extend({}, names)]
        self.current = 0
        self.values = {}

    def _extend(self, before, names):
        result = {}
        for name in sorted(names):
            if name in before:
                result[name] = before[name]
            else:
                result[name] = self.next
                self.next += 1
        return result

    def commit(self, names, made_anew):
        before = self.generations[self.current]
        now = self._extend({n: s for n, s in before.items()
                            if not made_anew(n)}, names)
        for name, storage in now.items():
            if made_anew(name) and before.get(name) in self.values:
                self.values[storage] = self.values[before[name]]
        self.generations[self.current + 1:] = [now]
        self.current += 1

    def rename(self, names):
        """New texts without a generation of their own."""
        self.generations[self.current] = self._extend(
            self.generations[self.current], names)

    def see(self, state):
        known = self.generations[self.current]
        for name, value in state.items():
            self.values[known[name]] = value

    def state(self):
        known = self.generations[self.current]
        return {name: self.values[storage] for name, storage in known.items()
                if storage in self.values}


class Hot:
    """The program under `hotjit run`, and its texts on the disk."""

    def __init__(self, folder, mode, texts, bin_folder, run_options=()):
        self.folder = Path(folder)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        self.disk = {}
        for name, text in texts.items():
            (self.folder / name).write_text(text)
        self.disk = dict(texts)
        sources = sorted(n for n in texts if n.endswith(mode["suffix"]))
        self._build(mode, [str(self.folder / n) for n in sources])
        options = SimpleNamespace(
            bin=bin_folder, program=self.folder / "program", no_wait=False,
            deadline=STEP_SECONDS,
            run_options=["--quiet", "--log", str(self.folder / "log"),
                         *run_options])
        self.session = Session(options, [], echo=False)
        self.taken = 0
        try:
            self.session.start()
        except Failed as error:
            self.session.kill()
            raise Bug("start", str(error)) from None

    def _build(self, mode, sources):
        command = [sys.executable, str(TOOLS / "build-program"),
                   "--cc", mode["cc"], "--cxx", mode["cxx"],
                   "--opt", mode["opt"], "--pie", mode["pie"],
                   "--link", mode["link"], "--entry", mode["entry"],
                   *sources, "-o", str(self.folder / "program"), "-w",
                   *mode.get("flags", [])]
        result = subprocess.run(command, capture_output=True, text=True,
                                stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            raise BadCase(result.stdout + result.stderr)

    def renew_deadline(self):
        self.session.end = time.monotonic() + STEP_SECONDS

    def _wait(self, condition, what):
        session = self.session
        self.renew_deadline()
        try:
            session.wait(lambda: condition() or session.gone(), what)
        except Failed as error:
            raise Bug("hang", str(error)) from None
        if not condition():
            status = session.launcher.wait(timeout=20)
            tail = "\n".join(session.output[-5:] + session.lines[-20:])
            raise Bug("crash", f"waiting for {what}: status {status}\n{tail}")

    def ask(self, lines):
        """Sends lines, returns what the program prints up to its "."."""
        begin = len(self.session.output)
        data = "\n".join([*lines, "."]) + "\n"
        try:
            self.session.launcher.stdin.write(data.encode())
        except BrokenPipeError:
            pass
        self._wait(lambda: self.session.output[-1:] == ["."]
                   and len(self.session.output) > begin, "an answer")
        answer = self.session.output[begin:-1]
        self.session.output.clear()
        return answer

    def differing(self, texts, live, again=False, refused=()):
        """What a save of these texts writes: what differs from the disk (again:
        from what is live). Not refused files that are to be as they are live:
        they stay on the disk as they were refused."""
        return {n: t for n, t in texts.items()
                if (self.disk.get(n) != t or (again and live[n] != t))
                and not (n in refused and t == live[n])}

    def save(self, texts, way, live, again=False, refused=()):
        """Returns the ends of the reloads that follow a save, the last of which
        knew all of it."""
        changed = self.differing(texts, live, again, refused)
        if not changed:
            return []
        for name, text in changed.items():
            saves.WAYS[way](self.folder / name, text.encode())
        self.disk.update(changed)
        open_files = {str(self.folder / n) for n, text in changed.items()
                      if text != live[n]}
        ends = []

        def done():
            while not self.session.queue.empty():
                self.session.arrive(*self.session.queue.get())
            events, self.session.events = self.session.events, []
            for event in events:
                if event["event"] == "closed":
                    continue
                if event["event"] in ENDS:
                    ends.append(event)
                    if event.get("stage") != "superseded":
                        open_files.difference_update(event["files"])
            return not open_files
        self._wait(done, f"the end of the reload of {sorted(changed)}")
        # A file that is back to what is live is no part of a reload: ask
        # whether it was seen. With nothing left to do there is no event.
        if any(text == live[n] for n, text in changed.items()):
            answer = self.call("reload")
            self._wait(done, "nothing")
            if "reload" not in answer.get("result", {"reload": 0}):
                ends.append(answer["result"])
        return [e for e in ends if e.get("stage") != "superseded"]

    def call(self, method):
        try:
            return self.session.main_client.call("hotjit/" + method, {},
                                                 STEP_SECONDS)
        except (TimeoutError, client.Closed) as error:
            if self.session.launcher.poll() is not None:
                raise Bug("crash", f"{method}: the program ended") from None
            raise Bug("hang", f"{method}: {error!r}") from None

    def step(self, method):
        """Undo or redo; false if there is nothing to."""
        return "result" in self.call(method)

    def end(self):
        """The program must end as programs do, every reload exactly once."""
        try:
            self.renew_deadline()
            self.session.wait(self.nothing_runs, "the end of each reload")
            self.session.finish()
        except Failed as error:
            raise Bug("end", str(error)) from None
        finally:
            self.close()

    def nothing_runs(self):
        """A save of several files may have been seen in parts."""
        told = [(e["event"], e["reload"]) for e in self.session.history
                if "reload" in e]
        ended = {number for name, number in told if name in ENDS}
        return all(number in ended for name, number in told
                   if name == "changed")

    def close(self):
        self.session.kill()
        self.session.runtime.cleanup()


def describe(event):
    verdicts = event.get("verdicts", [])
    told = "; ".join(" ".join(filter(None, (
        v["verdict"], v["name"], v.get("code"), v.get("message"))))
        for v in verdicts[:6])
    return f"{event['event']} {event.get('stage', '')} " \
           f"{event.get('message', '')} {told}"


class Run:
    """One program and its reference, step by step."""

    def __init__(self, folder, case, bin_folder, run_options=()):
        self.mode = case["mode"]
        self.folder = Path(folder)
        self.texts = dict(case["texts"])  # that are live
        self.texts_of = [self.texts]      # by generation
        self.cold = Cold(self.folder / "cold", self.mode)
        self.cold.program(self.texts)  # or the case is bad
        self.hot = Hot(self.folder / "hot", self.mode, self.texts, bin_folder,
                       run_options)
        self.storage = Storage(self.cold.names(self.texts))
        self.state = {}
        self.refusals = []  # codes
        self.events = []
        self.excused = False  # from now on nothing can be compared
        self.pending = False  # a function of this step is on a stack
        self.made_anew = []   # variables of this step: unit, function and name
        self.refused = set()  # files that lie on the disk as they were refused
        try:
            self.compare(case["calls"], "before any edit")
        except Bug:
            self.hot.close()
            raise

    def compare(self, calls, when):
        """Both make the calls; the state is what the program shows then."""
        expected = self.cold.run(self.texts, self.storage.state(), calls)
        got = self.hot.ask([*calls, "d"])
        if got != expected:
            raise Bug("mismatch", f"{when}\n" + difference(expected, got)
                      + "\n" + "\n".join(self.events))
        self.state = state_of(got)
        self.storage.see(self.state)

    def settle_functions(self):
        """Pointers to functions lead to one that every text has: what undo
        takes away may be at the end of one."""
        moves = [f"l {name} &{self.mode['anchor']}"
                 for name, value in self.state.items()
                 if value.startswith("&")]
        if moves:
            self.hot.ask([*moves, "r"])
            self.state = state_of(self.hot.ask(["d"]))
            self.storage.see(self.state)

    def run(self, step):
        """One step. Returns how it ended: an event's name, undone, redone, or
        none if there was nothing to do."""
        kind = step["kind"]
        self.events = []
        self.pending = False
        self.made_anew = []
        if kind == "save":
            end = self.save(step)
        else:
            end = self.undo_or_redo(kind)
        if end and not self.excused:
            try:
                self.compare(step["calls"], f"after {step['what']}: {end}")
            except Bug:
                # A frame that was in the code before may end in it.
                if not self.pending:
                    raise
                self.excused = True
        return end

    def undo_or_redo(self, kind):
        self.settle_functions()
        step = -1 if kind == "undo" else 1
        target = self.storage.current + step
        if not self.hot.step(kind):
            if 0 <= target < len(self.texts_of):
                raise Bug("event", f"{kind} was refused at generation "
                          f"{self.storage.current} of {len(self.texts_of)}")
            return None
        if not 0 <= target < len(self.texts_of):
            raise Bug("event", f"{kind} beyond the last generation")
        self.storage.current = target
        self.texts = self.texts_of[target]
        self.events = [kind]
        return kind

    def save(self, step):
        if step.get("settle"):
            self.settle_functions()
        texts, again = step["texts"], step.get("again", False)
        changed = self.hot.differing(texts, self.texts, again, self.refused)
        if self.refused and (step.get("settle") or again or any(
                text == self.texts[n] for n, text in changed.items())):
            self.take_back(step)
        was_refused = self.refused - set(changed)
        ends = self.hot.save(texts, step["way"], self.texts, again,
                             self.refused)
        self.refused = was_refused
        if not ends:  # the disk has these texts: undone ones, for example
            return None
        self.events = [describe(e) for e in ends]
        for event in ends[:-1]:
            # A save of several files may be seen in parts; what became live
            # of it is a generation, with texts that nobody has as a whole.
            if event["event"] == "reloaded":
                self.excused = True
        last = ends[-1]
        together = self.refused & {Path(f).name for f in last["files"]}
        if together and last["event"] in ("reloaded", "unchanged"):
            self.excused = True  # Now that is live, too.
            return last["event"]
        if not together:
            self.check_end(step, last)
        elif all(n.endswith(self.mode["suffix"])
                 for n in self.refused | set(changed)):
            raise Bug("event", f"{step['what']}: held up by what was refused "
                      f"before: {describe(last)}")
        if last["event"] in ("reloaded", "unchanged"):
            self.adopt(texts, last["event"] == "reloaded")
        else:
            self.withdraw(step, last)
        return last["event"]

    def check_end(self, step, event):
        wanted = step.get("expect")
        if wanted and event["event"] not in wanted:
            raise Bug("event", f"{step['what']}: {event['event']} instead of "
                      f"{' or '.join(wanted)}: {describe(event)}")
        if event["event"] == "failed" and "failed" not in (wanted or ()):
            self.cold.program(step["texts"])  # or the case is bad
            raise Bug("failed", f"{step['what']}: {describe(event)}")
        if event["event"] != "reloaded":
            return
        for verdict in event["verdicts"]:
            self.pending |= verdict["verdict"] == "pending"
            if (verdict["verdict"], verdict.get("code")) == ("note", "HJ1516"):
                unit = Path(verdict["file"])
                # One of a header belongs to each unit, or to some of them.
                self.excused |= unit.suffix == ".h"
                self.made_anew.append(
                    f"{unit.stem}." + verdict["name"].replace("::", "."))
            # Code outside the change keeps the old constant, or a copy.
            if (verdict["verdict"] == "partial"
                    or verdict.get("code") == "HJ1504"):
                self.excused = True

    def adopt(self, texts, committed):
        names = self.cold.names(texts)
        if committed:
            self.storage.commit(names, lambda name: any(
                re.fullmatch(re.escape(v) + r"([.\[].*)?", name)
                for v in self.made_anew))
            self.texts_of[self.storage.current:] = [texts]
        else:
            self.storage.rename(names)
            self.texts_of[self.storage.current] = texts
        self.texts = texts

    def withdraw(self, step, event):
        """Refused or failed: the program is what it was; the file goes back
        to what is live."""
        if event["event"] == "refused":
            self.refusals += sorted({v["code"] for v in event["verdicts"]
                                     if v["verdict"] == "refused"})
        if self.excused:  # A part of the save is live, the rest is not.
            return
        self.compare(step["calls"], f"after {step['what']}: not applied")
        if step.get("leave") and event["event"] == "refused":
            self.refused |= {n for n, text in step["texts"].items()
                             if text != self.texts[n]}
            return
        self.take_back(step)

    def take_back(self, step):
        """All files are saved as they are live."""
        self.refused = set()
        ends = self.hot.save(self.texts, "save", self.texts)
        # Seen in parts, a change may become one that can go live.
        if any(e["event"] == "reloaded" for e in ends):
            self.excused = True
            return
        if ends and ends[-1]["event"] != "unchanged":
            raise Bug("event", "back to the live text after "
                      f"{step['what']}: {describe(ends[-1])}")

    def end(self):
        self.hot.end()


def difference(expected, got):
    """The first lines that differ, a few before them."""
    for number, (cold, hot) in enumerate(zip(expected, got)):
        if cold != hot:
            before = "\n".join("    " + l for l in
                               got[max(0, number - 4):number])
            return f"{before}\n  cold: {cold}\n  hot:  {hot}"
    return f"  cold: {len(expected)} lines, hot: {len(got)}"


def replay(folder, case, bin_folder, run_options=()):
    """The bug that a case shows, or none."""
    run = None
    try:
        run = Run(folder, case, bin_folder, run_options)
        for step in case["steps"]:
            run.run(step)
            if run.excused:
                break
        run.end()
    except Bug as bug:
        return bug
    finally:
        if run:
            run.hot.close()
    return None

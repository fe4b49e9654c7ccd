"""Edits btop and looks at its screen.

    edits-on-screen.py --bin=DIR --deadline=SECONDS [--one-way | --off] BTOP

btop runs in a terminal of tmux's. Each edit is of a kind that somebody makes who
works on such a program: a text, a colour, a number of the layout, the body of a
lambda; each is taken back later, unless --one-way. After a reload the screen must
show it, and btop's graphs must still have what they collected before: they are its
state. --off: hotjit cannot reload this build; prints what it says, when btop shows.

Nothing is timed: the screen is looked at again whenever btop writes to it.
"""

import argparse
import os
import queue
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3]
                       / "tools" / "hotjit-drive"))
import client
import saves

CONFIG = """#? Config file for btop v. 1.2.13
color_theme="Default"
update_ms=500
proc_sorting="cpu direct"
check_temp=False
show_battery=False
"""
TOTAL = 'Theme::c("title") + Fx::b + "Total:" + rjust(floating_humanizer(totalMem), mem_width - 9)'
WHOLE = TOTAL.replace("Total:", "Whole:")
ERASED = "return not v_contains(found, element.pid);"


def column(screen, text):
    """Where the amount in the line of Text ends."""
    line = next(l for l in screen.plain.splitlines() if text in l)
    return line.index("iB", line.index(text))


def shows_btop(screen):
    return re.search(r"^│?.*\d+ btop +", screen.plain, re.M) is not None


# Kind, file, old, new, what the screen shows afterwards and did not before.
EDITS = [
    ("text", "src/btop_draw.cpp", TOTAL, WHOLE,
     lambda now, was: "Whole:" in now.plain and "Whole:" not in was.plain),
    ("colour", "src/btop_draw.cpp", WHOLE, WHOLE.replace("title", "hi_fg"),
     lambda now, was: now.before("Whole:") != was.before("Whole:")),
    ("layout", "src/btop_draw.cpp", "mem_width - 9) + Fx::ub", "mem_width - 12) + Fx::ub",
     lambda now, was: column(now, "Whole:") == column(was, "Whole:") - 3),
    ("lambda", "src/linux/btop_collect.cpp", ERASED,
     ERASED.replace(";", ' or element.name == "btop";'),
     lambda now, was: shows_btop(was) and not shows_btop(now)),
    ("clock", "src/btop_draw.cpp", 'Fx::b + clock_str + Theme',
     'Fx::b + "at " + clock_str + Theme',
     lambda now, was: "at " in now.title() and "at " not in was.title()),
]


class Screen:
    """What the terminal shows at one moment."""

    def __init__(self, colored):
        self.colored = colored
        self.plain = re.sub(r"\x1b\[[0-9;]*m", "", colored)

    def before(self, text):
        """The escape sequences in front of Text."""
        at = self.colored.find(text)
        return re.findall(r"\x1b\[[0-9;]*m", self.colored[:at])[-2:]

    def title(self):
        return self.plain.splitlines()[0]

    def graph(self):
        """How much of the large graph of the processor's load there is."""
        rows = self.plain.splitlines()[1:12]
        return sum("\u2800" < c <= "\u28ff" for row in rows for c in row[:110])


class Terminal:
    def __init__(self, folder, command, deadline):
        self.until = time.monotonic() + deadline
        self.tmux = ["tmux", "-S", f"{folder}/tmux", "-f", "/dev/null"]
        self.run("new-session", "-d", "-x", "160", "-y", "45", command)
        # Whatever btop writes comes here too, and wakes us.
        os.mkfifo(f"{folder}/output")
        self.run("pipe-pane", "-o", f"cat > {folder}/output")
        self.output = os.open(f"{folder}/output", os.O_RDONLY)

    def run(self, *words):
        return subprocess.run(self.tmux + list(words), check=True, text=True,
                              stdin=subprocess.DEVNULL, encoding="utf-8",
                              stdout=subprocess.PIPE).stdout

    def left(self):
        return max(0.0, self.until - time.monotonic())

    def screen(self):
        return Screen(self.run("capture-pane", "-p", "-e"))

    def wait(self, condition, what):
        """The first screen for which condition holds."""
        while True:
            screen = self.screen()
            if condition(screen):
                return screen
            ready, _, _ = select.select([self.output], [], [], self.left())
            if not ready or not os.read(self.output, 1 << 16):
                sys.exit(f"{screen.plain}\nnever seen: {what}")

    def close(self):
        subprocess.run(self.tmux + ["kill-server"], check=False,
                       stdin=subprocess.DEVNULL)


class Reloads:
    """The ends of reloads, as the socket tells them."""

    def __init__(self, path, seconds):
        self.ends = queue.Queue()
        self.client = client.Client(path, self.arrive)
        self.client.call("initialize", {}, seconds)

    def arrive(self, name, event):
        if name in ("reloaded", "refused", "failed", "unchanged", "closed"):
            self.ends.put((name, event))

    def wait(self, seconds):
        name, event = self.ends.get(timeout=seconds)
        if name != "reloaded":
            sys.exit(f"{name} instead of reloaded: {event}")
        return event


def edit(path, old, new):
    text = path.read_text()
    if text.count(old) != 1:
        sys.exit(f"{path.name}: {old!r} stands there {text.count(old)} times")
    saves.by_rename(path, text.replace(old, new).encode())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--deadline", type=float, required=True)
    parser.add_argument("--one-way", action="store_true")
    parser.add_argument("--off", action="store_true")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hj-") as folder:
        os.environ.update(XDG_CONFIG_HOME=folder, HOME=folder, LC_ALL="C.UTF-8")
        os.makedirs(f"{folder}/btop")
        Path(f"{folder}/btop/btop.conf").write_text(CONFIG)
        terminal = Terminal(
            folder, f"cd '{options.folder}' && exec '{options.bin}/hotjit' run "
                    f"--socket {folder}/s --log {folder}/log -- "
                    "bin/btop --utf-force", options.deadline)
        try:
            if options.off:
                log = Path(f"{folder}/log")
                terminal.wait(lambda s: shows_btop(s) and log.exists()
                              and " off: " in log.read_text(), "btop")
                print(log.read_text())
                return
            # A second and a third column: the graph has begun to collect.
            first = terminal.wait(
                lambda s: os.path.exists(f"{folder}/s") and shows_btop(s)
                and s.graph() > 0, "btop")
            was = terminal.wait(lambda s: s.graph() > first.graph() + 2,
                                "a graph that grows")
            reloads = Reloads(f"{folder}/s", terminal.left())
            seen, lost = 0, 0
            back = [(kind, file, new, old, lambda n, w, sees=sees: sees(w, n))
                    for kind, file, old, new, sees in reversed(EDITS)]
            edits = EDITS if options.one_way else EDITS + back
            for kind, file, old, new, sees in edits:
                edit(options.folder / file, old, new)
                reloads.wait(terminal.left())
                now = terminal.wait(lambda s: sees(s, was), f"the {kind}")
                lost += now.graph() < was.graph()
                seen, was = seen + 1, now
                print(f"{kind}: seen", flush=True)
            print(f"edits seen: {seen}, graphs lost: {lost}")
        finally:
            terminal.close()


if __name__ == "__main__":
    main()

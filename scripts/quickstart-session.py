"""The session that scripts/quickstart shows.

    quickstart-session.py BUILD LUA

Starts Lua under `hotjit run`, edits its source as an editor would, and waits
for what the running interpreter then prints. Waits have one deadline and end
with an output, not with time.
"""

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

DEADLINE = 120  # seconds for all of it: a hang must not hold up a build machine

SCRIPT = """
-- A table, a function and a count that must survive every edit.
io.stdout:setvbuf("line")
local cities = { "lisbon", "oslo", "quito" }
local round = 0
for line in io.lines() do
  round = round + 1
  local city = cities[(round - 1) % #cities + 1]
  print(("lua: round %d: %s, a third is %s"):format(round, city:upper(),
                                                    tostring(1 / 3)))
end
"""

UPPER = "p[i] = toupper(uchar(s[i]));"
FIRST = "p[i] = s[i] == 'o' ? '0' : toupper(uchar(s[i]));"
SECOND = "p[i] = s[i] == 'i' ? '1' : toupper(uchar(s[i]));"
TYPO = "p[i] = s[i] == 'i' ? '1' : touper(uchar(s[i])"


class Program:
    """Lua under hotjit: what both print goes to the terminal, and is kept."""

    def __init__(self, build, lua, script):
        self.end = time.monotonic() + DEADLINE
        self.lines = queue.Queue()
        self.hotjit = build / "bin" / "hotjit"
        self.runtime = tempfile.TemporaryDirectory(prefix="hj-")
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=self.runtime.name)
        command = [self.hotjit, "run", "--", lua / "src" / "lua", script]
        print("\n$", "hotjit run -- src/lua cities.lua")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1,
            env=self.environment, start_new_session=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def expect(self, *parts):
        """Prints lines until one has all parts."""
        while True:
            try:
                line = self.lines.get(
                    timeout=max(0, self.end - time.monotonic()))
            except queue.Empty:
                raise SystemExit(f"quickstart: waited too long for {parts}")
            if line is None:
                raise SystemExit(f"quickstart: ended instead of {parts}")
            print("   ", line, flush=True)
            if all(part in line for part in parts):
                return line

    def round(self, *parts):
        """Lets the script go round once."""
        self.process.stdin.write("\n")
        return self.expect("lua: round", *parts)

    def command(self, name):
        print(f"\n$ hotjit {name}", flush=True)
        subprocess.run([self.hotjit, name], check=True,
                       env=self.environment, stdin=subprocess.DEVNULL)


def save(path, old, new):
    text = path.read_text()
    if text.count(old) != 1:
        raise SystemExit(f"quickstart: {path}: not the text that was expected")
    print(f"\n# {path.name}: {old.strip()}\n#        -> {new.strip()}",
          flush=True)
    path.write_text(text.replace(old, new))


def demonstrate(program, source):
    strings, config = source / "lstrlib.c", source / "luaconf.h"
    program.expect("[hotjit] ready")
    program.round("round 1: LISBON")

    save(strings, UPPER, FIRST)
    program.expect("[hotjit] #1 live", "str_upper")
    program.round("round 2: 0SL0")

    save(strings, FIRST, SECOND)
    program.expect("[hotjit] #2 live", "str_upper")
    program.round("round 3: QU1TO")

    print("\n# a typo: the program goes on")
    save(strings, SECOND, TYPO)
    program.expect("error:")
    program.round("round 4: L1SBON")

    print("\n# corrected")
    save(strings, TYPO, FIRST)
    program.expect("[hotjit] #4 live", "str_upper")
    program.round("round 5: 0SL0")

    program.command("undo")
    program.round("round 6: QU1TO")
    program.command("redo")
    program.round("round 7: LISB0N")

    print("\n# a header that all of Lua includes")
    save(config, '"%.14g"', '"%.3g"')
    program.expect("[hotjit] #5 live", "tostringbuff")
    program.round("round 8", "a third is 0.333")


def leave_running(program, source):
    """For the reader's own edit: a round each second until Ctrl-C."""
    print(f"\nLua goes on. Edit {source}/lstrlib.c and save. "
          "Ctrl-C ends it.\n", flush=True)
    program.end = float("inf")
    try:
        while True:
            program.round()
            time.sleep(1)  # the pace at which a reader can follow
    except KeyboardInterrupt:
        print()


def main():
    build, lua = Path(sys.argv[1]), Path(sys.argv[2])
    script = lua / "cities.lua"
    script.write_text(SCRIPT)
    program = Program(build, lua, script)
    try:
        demonstrate(program, lua / "src")
        print("\nThe same process ran all of it; its tables and its count were "
              "never lost.")
        if sys.stdin.isatty() and not os.environ.get("CI"):
            leave_running(program, lua / "src")
        program.process.stdin.close()
        status = program.process.wait(timeout=20)
        if status != 0:
            raise SystemExit(f"quickstart: exit status {status}")
    finally:
        if program.process.poll() is None:
            os.killpg(program.process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()

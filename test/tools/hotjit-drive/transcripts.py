#!/usr/bin/env python3
"""The transcripts of docs/protocol.md, played.

    transcripts.py PAGE        print the program that the page is about

The code blocks of the page's section "Transcripts" are one session, in order. The
first is the program's only file, whose first line names it. In the others

    * COMMAND    is what happens beside the socket, a command of hotjit-drive
    > TEXT       is sent, in a frame
    >> TEXT      is sent as it stands, with \\r and \\n for what they mean
    < JSON       must come next, before anything else comes
    x            the connection must end

In what must come `...` stands for members, items or text that are left out, FOLDER for
the folder of the program, and a few numbers are another each time: VARYING.
"""

import json
import re
import socket
import sys
from pathlib import Path

FOLDER = "/src/greet"
VARYING = {"memory_bytes", "superseded_bytes", "text_bytes", "parsed_bytes",
           "time_ns", "pid", "detect", "parse", "compile", "diff", "link",
           "commit", "total"}
LEFT_OUT = "..."


def blocks(page):
    """(line number, lines) of each code block of the section."""
    inside, block = False, None
    for number, line in enumerate(Path(page).read_text().splitlines(), 1):
        if line.startswith("## "):
            inside = line == "## Transcripts"
        elif inside and line.startswith("```"):
            if block is None:
                block = (number + 1, [])
            else:
                yield block
                block = None
        elif block is not None:
            block[1].append(line)


def program(page):
    """(file name, text)"""
    _, lines = next(blocks(page))
    return lines[0].strip("/* "), "\n".join(lines) + "\n"


def expected(text):
    """The page's JSON with a string for each `...` that stands alone."""
    text = re.sub(r"(?<=[,{])\.\.\.(?=})", f'"{LEFT_OUT}":0', text)
    text = re.sub(r"(?<=[,\[])\.\.\.(?=[,\]])", f'"{LEFT_OUT}"', text)
    return json.loads(text)


def differs(want, got, where="message"):
    """Where got is not what want says; None if it is."""
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return where
        for name, value in want.items():
            if name == LEFT_OUT:
                continue
            if name not in got:
                return f"{where}.{name} is missing"
            if name in VARYING and isinstance(value, (int, float)):
                if isinstance(got[name], bool) or not isinstance(
                        got[name], (int, float)):
                    return f"{where}.{name} is no number"
                continue
            if problem := differs(value, got[name], f"{where}.{name}"):
                return problem
        more = set(got) - set(want)
        if more and LEFT_OUT not in want:
            return f"{where} has more: {', '.join(sorted(more))}"
        return None
    if isinstance(want, list):
        if not isinstance(got, list):
            return where
        if want and want[-1] == LEFT_OUT:
            want = want[:-1]
            got = got[:len(want)]
        if len(want) != len(got):
            return f"{where} has {len(got)} items"
        return next(filter(None, (differs(a, b, f"{where}[{i}]")
                                  for i, (a, b) in enumerate(zip(want, got)))),
                    None)
    if isinstance(want, str) and LEFT_OUT in want and isinstance(got, str):
        parts = (re.escape(part) for part in want.split(LEFT_OUT))
        return None if re.fullmatch(".*".join(parts), got, re.S) else where
    return None if want == got and type(want) is type(got) else where


class Connection:
    def __init__(self, path, seconds):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        self.stream = self.socket.makefile("rb")

    def next(self):
        """The next message; None: the connection has ended."""
        size = None
        while (line := self.stream.readline().strip()):
            name, _, value = line.partition(b":")
            if name == b"Content-Length":
                size = int(value)
        return None if size is None else self.stream.read(size).decode()


def play(page, session, problem):
    """Calls problem(text) at the first thing that is not as the page says.
    Returns how many messages came as they should."""
    connection, count = None, 0
    _, *rest = blocks(page)
    for number, lines in rest:
        for number, line in enumerate(lines, number):
            if connection is None:
                connection = Connection(session.socket_path, session.left())
            kind, _, text = line.partition(" ")
            place = f"{page}:{number}"
            if kind == "*":
                session.execute(text)
            elif kind == ">":
                body = text.replace(FOLDER, str(session.folder)).encode()
                connection.socket.sendall(
                    b"Content-Length: %d\r\n\r\n" % len(body) + body)
            elif kind == ">>":
                connection.socket.sendall(text.replace("\\r", "\r").replace(
                    "\\n", "\n").encode())
            elif kind == "<":
                got = connection.next()
                if got is None:
                    return problem(f"{place}: the connection has ended")
                got = got.replace(str(session.folder), FOLDER)
                if where := differs(expected(text), json.loads(got)):
                    return problem(f"{place}: {where}\ncame:   {got}\n"
                                   f"wanted: {text}")
                count += 1
            elif kind == "x":
                if (got := connection.next()) is not None:
                    return problem(f"{place}: instead of the end came {got}")
                connection = None
            elif line:
                return problem(f"{place}: no such line: {line}")
    return count


if __name__ == "__main__":
    print(program(sys.argv[1])[1], end="")

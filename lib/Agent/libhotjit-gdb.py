"""For gdb: `step` goes on from the entry of a replaced body to the new one.

The entry of a function that was replaced is a jump to a stub, and the stub goes
to the body that is live. gdb takes `step` as done at the entry, for it knows that
place as the beginning of the function, with its line. Nothing that debug info or
symbols say leads further, so this script does, each time when a step ends at such
an entry: it reads the way through the stub (lib/Patch/arch/x86_64/Stub.cpp) and
goes to the first line of the body behind it.

gdb loads it by itself with libhotjit.so where that is installed under /usr;
elsewhere: `source .../libhotjit.so-gdb.py`.
"""

import struct

import gdb


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def word(address):
    return struct.unpack("<Q", read(address, 8))[0]


def behind_jumps(pc):
    """Where the jumps at an entry lead; pc if there are none."""
    for _ in range(3):
        code = read(pc, 16)
        at = 4 if code.startswith(b"\xf3\x0f\x1e\xfa") else 0  # endbr64
        if code[at] == 0xe9:
            pc += at + 5 + struct.unpack_from("<i", code, at + 1)[0]
        elif code[at] == 0xeb:
            pc += at + 2 + struct.unpack_from("<b", code, at + 1)[0]
        else:
            break
    return pc


def body_behind(stub):
    """The body that a stub leads to now; None if this is no stub."""
    code = read(stub, 32)
    at = 4 if code.startswith(b"\xf3\x0f\x1e\xfa") else 0
    if code[at:at + 2] == b"\x41\x53":  # push r11
        at += 2
    if code[at:at + 3] != b"\x4c\x8b\x1d":  # mov r11, [rip + root]
        return None
    root = stub + at + 7 + struct.unpack_from("<i", code, at + 3)[0]
    at += 7
    if code[at:at + 3] != b"\x4d\x8b\x1b":  # mov r11, [r11]
        return None
    at += 3
    for index in (b"\x3e\x41\xff\xa3", b"\x4d\x8b\x9b"):
        if code.startswith(index, at):
            slot = struct.unpack_from("<i", code, at + len(index))[0]
            table = word(word(root))  # root holds the address of `current`
            return word(table + slot)
    return None


def first_line(body):
    """Behind the prologue, as a breakpoint at the function would be."""
    symtab = gdb.find_pc_line(body).symtab
    block = gdb.block_for_pc(body)
    if not symtab or not block:
        return None
    lines = [l.pc for l in symtab.linetable()
             if l.line and body < l.pc < block.end]
    return min(lines, default=None)


def go_on(event):
    if isinstance(event, (gdb.BreakpointEvent, gdb.SignalEvent)):
        return
    try:
        pc = gdb.selected_frame().pc()
        entry = behind_jumps(pc)
        body = body_behind(entry) if entry != pc else None
        line = first_line(body) if body else None
    except (gdb.error, gdb.MemoryError):
        return
    if line:
        gdb.post_event(lambda: gdb.execute(f"advance *{line:#x}"))


gdb.events.stop.connect(go_on)

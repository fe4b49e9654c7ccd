"""Random edits of a random C program.

An edit changes a copy of the program and returns what it did, or None if it
finds nothing to do. Of some it is known how their reload must end.
"""

import copy

from c_program import Scope, Var, number_of

EXPRESSIONS = {"num", "name", "un", "cond", "bin", "read", "field", "at",
               "icall", "pcall", "call", "lambda"}
IMPURE = ("icall", "pcall")


def walk(node, visit):
    """Calls visit(list, index) for each expression in a statement."""
    for i, part in enumerate(node):
        if isinstance(part, list):
            if part and isinstance(part[0], str) and part[0] in EXPRESSIONS:
                visit(node, i)
            walk(part, visit)


def names_in(node):
    found = set()

    def collect(part):
        for x in part:
            if isinstance(x, list):
                collect(x)
            elif isinstance(x, str):
                found.add(x.split(".")[0].split("[")[0])
    collect(node)
    return found


def blocks_of(f):
    """All lists of statements of a function."""
    found = [f.body]

    def collect(s):
        subs = {"if": s[2:4], "for": s[3:4], "try": s[1:3]}.get(s[0], [])
        if s[0] == "switch":
            subs = [c[1] for c in s[2]] + [s[3]]
        for block in subs:
            found.append(block)
            for t in block:
                collect(t)
    for s in f.body:
        collect(s)
    return found


class Editor:
    def __init__(self, maker, program, state):
        self.maker, self.rng = maker, maker.rng
        self.p = program
        self.state = state  # names and values that the program showed
        self.anchor = program.units[0].functions[0]

    def pick(self, pure_too=True):
        """A function and its unit; none for an inline of the header."""
        choices = [(u, f) for u in self.p.units for f in u.functions
                   if f is not self.anchor
                   and (pure_too or f.flavour == "fueled")]
        if self.maker.chance(0.12) and pure_too:
            choices = [(None, f) for f in self.p.inlines]
        return self.rng.choice(choices) if choices else (None, None)

    def scope(self, unit, f):
        return self.maker.scope(self.p, unit, f)

    def whole(self, f):
        return [f.body, ["ret", f.result]]

    # -- bodies -----------------------------------------------------------

    def number(self):
        unit, f = self.pick()
        places = []
        holder = [f.body, [f.result]]
        walk(holder[0], lambda l, i: places.append((l, i)))
        walk(holder[1], lambda l, i: places.append((l, i)))
        numbers = [(l, i) for l, i in places if l[i][0] == "num"]
        if not numbers:
            return None
        l, i = self.rng.choice(numbers)
        l[i] = ["num", (l[i][1] + self.rng.randrange(1, 9)) & 0xffffffff]
        f.result = holder[1][0]
        return f"number in {f.name}"

    def operator(self):
        unit, f = self.pick()
        places = []
        walk([f.body, [f.result]],
             lambda l, i: places.append(l[i]) if l[i][0] == "bin" else None)
        if not places:
            return None
        e = self.rng.choice(places)
        e[1] = self.rng.choice(["+", "-", "^", "*", "|", "<"])
        return f"operator in {f.name}"

    def expression(self):
        unit, f = self.pick()
        scope = self.scope(unit, f)
        scope.locals = []
        places = []
        holder = [f.body, [f.result]]
        walk(holder, lambda l, i: places.append((l, i)))
        l, i = self.rng.choice(places)
        l[i] = self.maker.expression(scope)
        f.result = holder[1][0]
        return f"expression in {f.name}"

    def statement(self):
        unit, f = self.pick()
        f.body.append(self.maker.statement(self.scope(unit, f)))
        return f"statement added to {f.name}"

    def statement_first(self):
        unit, f = self.pick()
        scope = self.scope(unit, f)
        scope.locals = []
        f.body.insert(0, self.maker.statement(scope))
        return f"statement put first in {f.name}"

    def no_statement(self):
        unit, f = self.pick()
        block = self.rng.choice(blocks_of(f))
        removable = [s for s in block if s[0] != "local"]
        if not removable:
            return None
        block.remove(self.rng.choice(removable))
        return f"statement removed from {f.name}"

    def swap_statements(self):
        unit, f = self.pick()
        first = max((i + 1 for i, s in enumerate(f.body) if s[0] == "local"),
                    default=0)
        rest = range(first, len(f.body))
        if len(rest) < 2:
            return None
        i, j = self.rng.sample(rest, 2)
        f.body[i], f.body[j] = f.body[j], f.body[i]
        return f"statements swapped in {f.name}"

    def call(self):
        unit, f = self.pick(pure_too=False)
        if not f:
            return None
        scope = self.scope(unit, f)
        callees = scope.callees()
        if not callees:
            return None
        g = self.rng.choice(callees)
        f.body.append(["set", "a", "=", self.maker.call(scope, g)])
        return f"call of {g.name} added to {f.name}"

    def case(self):
        found = [s for u in self.p.units for f in u.functions
                 for b in blocks_of(f) for s in b if s[0] == "switch"]
        if not found:
            return None
        s = self.rng.choice(found)
        free = [n for n in range(8) if n not in [c[0] for c in s[2]]]
        if s[2] and (not free or self.maker.chance(0.4)):
            s[2].pop(self.rng.randrange(len(s[2])))
            return "case removed"
        s[2].append([self.rng.choice(free),
                     [["set", "a", "+=", self.maker.number()]]])
        return "case added"

    def literal(self):
        found = [s for u in self.p.units for f in u.functions
                 for b in blocks_of(f) for s in b
                 if s[0] in ("note", "settext")]
        forms = [f for u in self.p.units for f in u.functions
                 if f.form == "S"]
        if forms and self.maker.chance(0.4):
            f = self.rng.choice(forms)
            f.words[self.rng.randrange(len(f.words))] = self.maker.text()
            return f"literal in {f.name}"
        if not found:
            return None
        s = self.rng.choice(found)
        s[1 if s[0] == "note" else 2] = self.maker.text()
        return "literal"

    def body(self):
        unit, f = self.pick()
        self.maker.fill(self.p, unit, f)
        return f"new body for {f.name}"

    def equal_bodies(self):
        unit = self.rng.choice(self.p.units)
        pairs = [(f, g) for f in unit.functions for g in unit.functions
                 if f is not g and f.form == g.form
                 and f.flavour == g.flavour and not f.statics
                 and number_of(f) < number_of(g) and g is not self.anchor]
        if not pairs:
            return None
        f, g = self.rng.choice(pairs)
        g.body, g.result = copy.deepcopy([f.body, f.result])
        return f"{g.name} becomes equal to {f.name}"

    # -- functions --------------------------------------------------------

    def new_function(self):
        unit = self.rng.choice(self.p.units)
        f = self.maker.function(self.p, unit)
        self.maker.fill(self.p, unit, f)
        unit.functions.insert(
            self.rng.randrange(1, len(unit.functions) + 1), f)
        users = [(u, g) for u in self.p.units for g in u.functions
                 if g.flavour == "fueled" and g is not f
                 and (u is unit or not f.static)]
        self.rng.shuffle(users)
        for u, g in users[:self.rng.randrange(3)]:
            call = self.maker.call(self.scope(u, g), f)
            g.body.append(["set", "b", "=", call])
        return f"new function {f.name}"

    def no_function(self):
        unit = self.rng.choice(self.p.units)
        known = [f for f in unit.functions if f is not self.anchor
                 and "&" + f.name not in self.state.values()]
        if not known:
            return None
        f = self.rng.choice(known)
        used = set()
        for u in self.p.units:
            for v in u.variables + [w for g in u.functions
                                    for w in g.statics]:
                if v.kind in ("function", "functions"):
                    used |= set(v.init)
        for g in self.p.inlines:
            used |= names_in([g.body, g.result])
        if f.name in used:
            return None
        for u in self.p.units:
            for g in u.functions:
                if g is not f:
                    self.forget(u, g, f.name)
        unit.functions.remove(f)
        return f"function {f.name} removed"

    def forget(self, unit, f, name):
        """Takes every use of a name out of a function."""
        for block in blocks_of(f):
            block[:] = [s for s in block if not (
                s[0] in ("do", "setfn", "set", "setat", "settext", "setmode",
                         "setdouble", "setcursor", "note", "raii", "throw")
                and name in names_in(s))]
        places = []
        holder = [f.body, [f.result]]
        walk(holder, lambda l, i: places.append((l, i)))
        for l, i in places:
            if isinstance(l[i], list) and name in names_in([l[i]]):
                l[i] = ["num", 7]
        f.result = holder[1][0]

    def order(self):
        unit = self.rng.choice(self.p.units)
        rest = unit.functions[1:]
        self.rng.shuffle(rest)
        unit.functions[1:] = rest
        return "functions in another order"

    def attribute(self):
        choices = [f for u in self.p.units for f in u.functions
                   if f.static and f.form != "V"]
        if not choices:
            return None
        f = self.rng.choice(choices)
        f.attributes = self.rng.choice(
            ["", "__attribute__((noinline))", "inline",
             "inline __attribute__((always_inline))"])
        return f"{f.name} becomes '{f.attributes}'"

    def linkage(self):
        unit = self.rng.choice(self.p.units)
        f = self.rng.choice(unit.functions)
        if f is self.anchor or f.attributes:
            return None
        if not f.static and any(
                f.name in names_in([[g.body, g.result]])
                for u in self.p.units if u is not unit for g in u.functions):
            return None
        if not f.static and any(f.name in (v.init or ())
                                for u in self.p.units if u is not unit
                                for v in u.variables):
            return None
        f.static = not f.static
        return f"{f.name} {'static' if f.static else 'external'}"

    def listing(self):
        choices = [f for u in self.p.units for f in u.functions
                   if f.form == "A" and f is not self.anchor
                   and "&" + f.name not in self.state.values()]
        if not choices:
            return None
        f = self.rng.choice(choices)
        if f.listed and any(f.name in (v.init or ()) for u in self.p.units
                            for v in u.variables + [
                                w for g in u.functions for w in g.statics]):
            return None
        f.listed = not f.listed
        if not f.listed:
            for u in self.p.units:
                for g in u.functions:
                    for block in blocks_of(g):
                        block[:] = [s for s in block if not (
                            s[0] == "setfn" and s[3] == f.name)]
        return f"address of {f.name} {'' if f.listed else 'not '}taken"

    # -- variables --------------------------------------------------------

    def new_variable(self):
        unit = self.rng.choice(self.p.units)
        fueled = [f for f in unit.functions if f.flavour != "pure"]
        if not fueled:
            return None
        f = self.rng.choice(fueled)
        scope = self.rng.choice(["file", "extern", "local"])
        v = self.maker.variable(self.p, unit, scope,
                                f if scope == "local" else None)
        (f.statics if scope == "local" else unit.variables).append(v)
        s = self.scope(unit, f)
        only = Scope(self.p, unit, f)
        only.variables = lambda writable=False: [v] if not writable or (
            v.is_set and not v.const) else []
        made = self.maker.assignment(only)
        if made:
            f.body.append(made)
        f.body.append(["set", "a", "+=", self.maker.read(only)])
        return f"new variable {v.name} in {f.name} ({v.kind}, {scope})"

    def variables(self):
        return [(u, None, v) for u in self.p.units for v in u.variables] + \
            [(u, f, v) for u in self.p.units for f in u.functions
             for v in f.statics]

    def no_variable(self):
        known = self.variables()
        if not known:
            return None
        unit, f, v = self.rng.choice(known)
        if any(w.kind == "cursor" and w.init[0] == v.name
               for _, _, w in known):
            return None
        for u in self.p.units:
            for g in u.functions:
                self.forget(u, g, v.name)
        (f.statics if f else unit.variables).remove(v)
        return f"variable {v.name} removed"

    def use_variable(self):
        unit, f = self.pick()
        if not unit or f.flavour == "pure":
            return None
        scope = self.scope(unit, f)
        made = self.maker.assignment(scope) if self.maker.chance(0.5) else \
            ["set", "b", "^=", self.maker.read(scope)] \
            if scope.variables() else None
        if not made:
            return None
        f.body.append(made)
        return f"use of a variable added to {f.name}"

    def no_writes(self):
        known = [x for x in self.variables() if not x[2].const]
        if not known:
            return None
        _, _, v = self.rng.choice(known)
        for u in self.p.units:
            for g in u.functions:
                for block in blocks_of(g):
                    block[:] = [s for s in block if not (
                        s[0].startswith("set") and s[0] != "set"
                        and s[1] == v.name
                        or s[0] == "raii" and s[2] == v.name
                        or s[0] == "set" and s[1].split(".")[0] == v.name)]
        return f"no more writes to {v.name}"

    def written(self):
        """A variable that nothing could write gets written."""
        known = [x for x in self.variables()
                 if not x[2].const and not x[2].is_set]
        if not known:
            return None
        unit, f, v = self.rng.choice(known)
        v.is_set = True
        writers = [f] if f else [g for g in unit.functions
                                 if g.flavour != "pure"]
        if not writers:
            return None
        g = self.rng.choice(writers)
        only = Scope(self.p, unit, g)
        only.variables = lambda writable=False: [v]
        made = self.maker.assignment(only)
        if not made:
            return None
        g.body.append(made)
        return f"{v.name} is now written by {g.name}"

    def initializer(self):
        known = [x for x in self.variables() if not x[2].const]
        if not known:
            return None
        unit, f, v = self.rng.choice(known)
        init = self.maker.initial(self.p, unit, v)
        if init is None or v.kind == "cursor":
            return None
        v.init = init
        return f"initializer of {v.name}"

    def constant(self):
        known = [x for x in self.variables() if x[2].const]
        if not known:
            return None
        unit, f, v = self.rng.choice(known)
        if v.kind in ("array", "texts") and self.maker.chance(0.3):
            v.size += 1
            places = []
            for g in unit.functions:
                walk([g.body, [g.result]], lambda l, i: places.append(l[i]))
            for e in places:
                if e[0] == "at" and e[2] == v.name:
                    e[3] = v.size
        init = self.maker.initial(self.p, unit, v)
        if init is None:
            return None
        v.init = init
        return f"constant {v.name}"

    # -- header -----------------------------------------------------------

    def macro(self):
        name = self.rng.choice(sorted(self.p.macros))
        self.p.macros[name] += self.rng.randrange(1, 5)
        return f"macro {name}"

    def enumerator(self):
        if self.maker.chance(0.3):
            self.p.enumerators.append([self.maker.name("ITEM"),
                                       self.rng.randrange(20)])
            return "enumerator added"
        self.rng.choice(self.p.enumerators)[1] += 1
        return "enumerator"

    def new_inline(self):
        self.p.inlines.append(self.maker.inline(self.p))
        f = self.p.inlines[-1]
        unit, g = self.pick(pure_too=False)
        if g:
            g.body.append(["set", "b", "+=",
                           self.maker.call(self.scope(unit, g), f)])
        return f"new inline {f.name}"

    # -- text only --------------------------------------------------------

    def comment(self):
        what = self.rng.randrange(3)
        if what == 0:
            self.p.header_comment = self.maker.text()
        elif what == 1:
            self.rng.choice(self.p.units).comment = self.maker.text()
        else:
            self.pick()[1].comment = self.maker.text()
        if self.maker.chance(0.5):
            self.rng.choice(self.p.units).blank_lines = self.rng.randrange(4)
        return "comment"

    # -- to be refused, or to fail -----------------------------------------

    def layout(self):
        self.p.extra_field = self.rng.choice(
            ["u32 z; ", "u8 z; ", "double z; "])
        return "field added to struct pair"

    def signature(self):
        choices = [f for u in self.p.units for f in u.functions
                   if f.form == "A" and f is not self.anchor]
        f = self.rng.choice(choices or [self.anchor])
        if f is self.anchor or "&" + f.name in self.state.values():
            return None
        self.p.wide.add(f.name)
        return f"parameter added to {f.name}"

    def retype(self):
        choices = [v for _, _, v in self.variables()
                   if v.kind in ("u32", "u64", "u8")]
        if not choices:
            return None
        v = self.rng.choice(choices)
        self.p.retyped.add(v.name)
        return f"another type for {v.name}"

    def typo(self):
        self.p.broken = self.rng.choice(self.p.units).name
        return "syntax error"


# weight, edit, how the reload must end if that is known. Those that a later
# edit must not build on are taken back when they were applied.
EDITS = [
    (10, "number", None), (8, "operator", None), (12, "expression", None),
    (12, "statement", None), (4, "statement_first", None),
    (8, "no_statement", None), (3, "swap_statements", None),
    (8, "call", None), (4, "case", None), (5, "literal", None),
    (6, "body", None), (3, "equal_bodies", None), (10, "new_function", None),
    (5, "no_function", None), (2, "order", None), (2, "attribute", None),
    (1, "linkage", None), (2, "listing", None), (10, "new_variable", None),
    (4, "no_variable", None), (8, "use_variable", None),
    (3, "no_writes", None), (4, "written", None), (4, "initializer", None),
    (5, "constant", None), (4, "macro", None), (2, "enumerator", None),
    (3, "new_inline", None), (4, "comment", ("unchanged",)),
    (1, "layout", None), (1, "retype", None),
    # Its address may be stored somewhere as that of another type.
    (1, "signature", ("reloaded", "refused", "unchanged", "failed")),
    (2, "typo", ("failed",)),
]


def random_edit(maker, program, state, editor=Editor, edits=EDITS):
    """A changed copy of the program, what was done and how it must end."""
    for _ in range(50):
        _, name, expect = maker.rng.choices(edits, [e[0] for e in edits])[0]
        changed = program.copy()
        what = getattr(editor(maker, changed, state), name)()
        if what:
            return changed, name, what, expect
    raise RuntimeError("no edit can be made")

"""A random C program: several files and a header, as data that edits change.

Statements and expressions are lists whose first element is their kind, so that
an edit can put any one in the place of another. Every program is defined: all
arithmetic is unsigned, shifts, divisors and indices are bounded, and functions
that may call anything stop when `fuel` is used up. Pure functions call only
pure ones that were made before them, and only those are called in the midst of
an expression: C does not say in which order its parts are evaluated.

`render` writes one statement per line: what cuts a failing case down takes
lines away.
"""

import copy
import random

INTS = {"u32": "u32", "u8": "u8", "u64": "u64", "i16": "i16",
        "mode": "enum mode"}
WORDS = "alpha beta gamma delta omega north south east west zero".split()
FIELDS = {"pair": ["x", "y"], "big": ["a", "b", "c", "d", "e"],
          "bits": ["p", "q", "r"]}


class Var:
    """kind: see declare(); scope: file, extern or local."""

    def __init__(self, name, kind, scope, init, size=1, const=False,
                 is_set=True):
        self.name, self.kind, self.scope = name, kind, scope
        self.init, self.size, self.const = init, size, const
        self.is_set = is_set  # whether any text may write it


class Function:
    """form: how it is called, see FORMS."""

    def __init__(self, name, form, static, flavour):
        self.name, self.form, self.static = name, form, static
        self.flavour = flavour  # pure, plain or fueled
        self.statics = []
        self.body = []
        self.result = ["num", 0]
        self.attributes = ""
        self.listed = form == "A"  # its address is taken by the driver
        self.comment = ""
        self.words = ["one", "two"]  # of form S


class Unit:
    def __init__(self, name):
        self.name = name
        self.variables, self.functions = [], []
        self.comment = "text"
        self.blank_lines = 0


class Program:
    def __init__(self):
        self.units, self.inlines = [], []
        self.macros = {}
        self.enumerators = []
        self.extra_field = ""   # of struct pair: an edit to refuse
        self.wide = set()       # functions with another parameter: the same
        self.retyped = set()    # variables of another type: the same
        self.header_comment = "text"
        self.broken = None      # a unit that does not compile

    def copy(self):
        return copy.deepcopy(self)

    def more_header(self):
        return []


# form: result, parameters, first lines of the body, value when it ends early,
# how it ends, a call as a u32
FORMS = {
    "A": ("u32", "u32 a, u32 b", "", "a", "{r}", "{f}({0}, {1})"),
    "P": ("struct pair", "struct pair p, u32 k",
          "u32 a = p.x, b = p.y + k;", "p", "(struct pair){{{r}, a}}",
          "pair_sum({f}((struct pair){{{0}, {1}}}, {0}))"),
    "B": ("struct big", "struct big v, u32 b", "u32 a = v.a ^ v.e;", "v",
          "(struct big){{{r}, a, b, v.c, 5}}",
          "big_sum({f}((struct big){{{0}, 2, 3, 4, {1}}}, {0}))"),
    "D": ("double", "double x, u32 b", "u32 a = (u32)(long long)x;", "x",
          "(double)(({r}) & 0xffffu) * 0.25",
          "(u32)(long long){f}((double)(({0}) & 0xffu), {1})"),
    "V": ("u32", "u32 n, ...",
          "u32 a = n, b = 0; va_list l; va_start(l, n); "
          "for (u32 i = 0; i < (n & 7u); ++i) b += va_arg(l, u32); va_end(l);",
          "n", "{r}", "{f}(2u, {0}, {1})"),
    "C": ("u32", "fn_t call, u32 b", "u32 a = call(b, 1u);", "b", "{r}",
          "{f}(&{g}, {0} + {1})"),
    "S": ("const char *", "u32 a", "u32 b = a >> 1;", "\"none\"", None,
          "text_sum({f}({0} ^ {1}))"),
    "O": ("void", "u32 *out, u32 b", "u32 a = *out;", "",
          None, "({{ u32 o_ = {0}; {f}(&o_, {1}); o_; }})"),
    "L": ("u32", "u32 a, u32 b, u32 c, u64 d, double e, u8 f, u32 g, u32 h",
          "a += c + (u32)d + (u32)e + f; b ^= g + h;", "a", "{r}",
          "{f}({0}, {1}, 3u, 4ull, 5.0, 6, {0}, 8u)"),
}


class Scope:
    """What an expression in a function may name."""

    def __init__(self, program, unit, function):
        self.program, self.unit, self.function = program, unit, function
        self.locals = []
        self.loops = 0

    def variables(self, writable=False):
        if self.function.flavour == "pure":
            return [v for v in self.function.statics if v.const] \
                if not writable else []
        found = list(self.function.statics)
        if self.unit:
            found += self.unit.variables
        for unit in self.program.units:
            if unit is not self.unit and self.unit:
                found += [v for v in unit.variables if v.scope == "extern"]
        return [v for v in found
                if not writable or (v.is_set and not v.const)]

    def callees(self):
        p, f = self.program, self.function
        known = list(p.inlines)
        if self.unit:
            known += self.unit.functions
            known += [g for u in p.units if u is not self.unit
                      for g in u.functions if not g.static]
        if f.flavour != "fueled":
            known = [g for g in known if g.flavour == "pure"
                     and number_of(g) < number_of(f)]
        return known

    def pure_callees(self):
        return [g for g in self.callees() if g.flavour == "pure"]

    def targets(self):
        """Functions whose address may be taken."""
        if not self.unit:
            return []
        if self.function.flavour != "fueled":
            return []
        return [g for g in self.callees() if g.form == "A" and g.listed]


def number_of(function):
    return int(function.name[1:])


class Maker:
    """Makes random parts of a program."""

    def __init__(self, rng):
        self.rng = rng
        self.next = 0

    def name(self, stem):
        self.next += 1
        return f"{stem}{self.next}"

    def chance(self, p):
        return self.rng.random() < p

    # -- expressions ------------------------------------------------------

    def number(self):
        r = self.rng
        return ["num", r.choice([r.randrange(10), r.randrange(256),
                                 r.randrange(1 << 32), 0, 1])]

    def leaf(self, scope):
        r = self.rng
        kinds = ["num", "arg", "arg", "macro", "enum"]
        if scope.locals:
            kinds += ["loc", "loc"]
        if scope.loops:
            kinds += ["i"]
        if scope.variables():
            kinds += ["var"] * 5
        kind = r.choice(kinds)
        if kind == "num":
            return self.number()
        if kind == "arg":
            return ["name", r.choice("ab")]
        if kind == "loc":
            return ["name", r.choice(scope.locals)]
        if kind == "i":
            return ["name", f"i{r.randrange(scope.loops)}"]
        if kind == "macro":
            return ["name", r.choice(sorted(scope.program.macros))]
        if kind == "enum":
            return ["name", r.choice(scope.program.enumerators)[0]]
        return self.read(scope)

    def read(self, scope):
        r = self.rng
        v = r.choice(scope.variables())
        if v.kind in ("array", "functions", "texts"):
            index = self.number() if self.chance(0.5) else self.leaf_simple()
            if v.kind == "functions":
                return self.number()
            return ["at", v.kind, v.name, v.size, index]
        if v.kind == "function":
            return self.number()
        if v.kind in FIELDS:
            return ["field", v.name, r.choice(FIELDS[v.kind])]
        return ["read", v.kind, v.name]

    def leaf_simple(self):
        return ["name", self.rng.choice("ab")] if self.chance(0.7) \
            else self.number()

    def expression(self, scope, depth=2):
        r = self.rng
        if depth == 0 or self.chance(0.2):
            return self.leaf(scope)
        kind = r.choice(["bin"] * 5 + ["call"] * 3 + ["cond", "un"])
        callees = scope.pure_callees()
        if kind == "call" and callees:
            return self.call(scope, r.choice(callees), depth)
        if kind == "cond":
            return ["cond", *(self.expression(scope, depth - 1)
                              for _ in range(3))]
        if kind == "un":
            return ["un", r.choice("~-!"), self.expression(scope, depth - 1)]
        op = r.choice(["+", "+", "-", "*", "^", "&", "|", "<<", ">>", "/",
                       "%", "<", "=="])
        return ["bin", op, self.expression(scope, depth - 1),
                self.expression(scope, depth - 1)]

    def value(self, scope):
        """An expression, or one call of anything."""
        r = self.rng
        if scope.function.flavour == "fueled":
            pointers = [v for v in scope.variables()
                        if v.kind in ("function", "functions")]
            if pointers and self.chance(0.25):
                v = r.choice(pointers)
                if v.kind == "function":
                    return ["pcall", v.name, self.leaf(scope),
                            self.leaf(scope)]
                return ["icall", v.name, v.size, self.leaf_simple(),
                        self.leaf(scope), self.leaf(scope)]
        if scope.callees() and self.chance(0.4):
            return self.call(scope, r.choice(scope.callees()))
        return self.expression(scope)

    def call(self, scope, callee, depth=1):
        target = None
        if callee.form == "C":
            targets = scope.targets() or [None]
            target = self.rng.choice(targets)
            if target is None:
                return self.number()
        return ["call", callee.name, self.leaf(scope),
                self.expression(scope, depth - 1),
                target.name if target else None]

    # -- statements -------------------------------------------------------

    def assignment(self, scope):
        r = self.rng
        candidates = scope.variables(writable=True)
        if not candidates:
            return None
        v = r.choice(candidates)
        value = self.expression(scope)
        if v.kind == "array":
            return ["setat", v.name, v.size, self.leaf(scope), value]
        if v.kind == "function":
            t = scope.targets()
            return t and ["setfn", v.name, "", r.choice(t).name]
        if v.kind == "functions":
            t = scope.targets()
            return t and ["setfn", v.name, f"[{r.randrange(v.size)}]",
                          r.choice(t).name]
        if v.kind == "text":
            return ["settext", v.name, self.text()]
        if v.kind == "double":
            return ["setdouble", v.name, value]
        if v.kind == "cursor":
            return ["setcursor", v.name, v.init[0], v.init[1],
                    self.leaf(scope)]
        if v.kind in FIELDS:
            return ["set", f"{v.name}.{r.choice(FIELDS[v.kind])}", "=", value]
        if v.kind == "mode":
            return ["setmode", v.name, ["bin", "%", value, ["num", 2]]]
        return ["set", v.name, r.choice(["=", "+=", "^="]), value]

    def text(self):
        return self.rng.choice(WORDS) + str(self.rng.randrange(100))

    def statement(self, scope, depth=2):
        r = self.rng
        kind = r.choice(["assign"] * 6 + ["local"] * 2 + ["if", "if", "for",
                        "switch", "note", "call", "while"])
        pure = scope.function.flavour == "pure"
        if kind == "assign" or (kind == "note" and pure):
            made = self.assignment(scope)
            if made:
                return made
            kind = "local"
        if kind == "call" and scope.callees():
            return ["do", self.call(scope, r.choice(scope.callees()))]
        if kind == "call":
            return ["set", r.choice(["a", "b", *scope.locals]), "=",
                    self.value(scope)]
        if kind == "note":
            return ["note", self.text(), self.expression(scope)]
        if kind in ("if", "for", "switch", "while") and depth:
            return self.compound(kind, scope, depth)
        if self.chance(0.4):
            return ["set", r.choice(["a", "b", *scope.locals]), "=",
                    self.value(scope)]
        if scope.locals and self.chance(0.6):
            return ["set", r.choice(scope.locals), r.choice(["=", "+=", "-="]),
                    self.expression(scope)]
        return ["set", r.choice("ab"), r.choice(["=", "+=", "^="]),
                self.expression(scope)]

    def compound(self, kind, scope, depth):
        r = self.rng
        if kind == "if":
            return ["if", self.value(scope),
                    self.block(scope, depth - 1), self.block(scope, depth - 1)]
        if kind == "switch":
            cases = [[n, self.block(scope, depth - 1, 1)]
                     for n in r.sample(range(8), r.randrange(2, 5))]
            return ["switch", self.value(scope), cases,
                    self.block(scope, depth - 1, 1)]
        scope.loops += 1
        made = ["for", scope.loops - 1, r.randrange(1, 5),
                self.block(scope, depth - 1), kind]
        scope.loops -= 1
        return made

    def block(self, scope, depth, most=2):
        return [self.statement(scope, depth)
                for _ in range(self.rng.randrange(1, most + 1))]

    def fill(self, program, unit, function):
        """The body: locals first, so that all statements may name them."""
        scope = Scope(program, unit, function)
        function.body = []
        for _ in range(self.rng.randrange(0, 3)):
            name = self.name("t")
            function.body.append(["local", name, self.value(scope)])
            scope.locals.append(name)
        function.body += [self.statement(scope)
                          for _ in range(self.rng.randrange(1, 5))]
        function.result = self.value(scope) if function.form != "S" \
            else self.expression(scope)

    def scope(self, program, unit, function):
        """What a further statement at the end of a body may name."""
        scope = Scope(program, unit, function)
        scope.locals = [s[1] for s in function.body if s[0] == "local"]
        return scope

    # -- declarations -----------------------------------------------------

    def variable(self, program, unit, scope, function=None):
        r = self.rng
        kind = r.choice(["u32"] * 6 + ["u8", "u64", "i16", "mode", "double",
                        "text", "pair", "big", "bits", "array", "array",
                        "function", "functions", "cursor", "array", "texts",
                        "functions"])
        name = self.name({"file": "s", "extern": "g", "local": "n"}[scope])
        pure = function and function.flavour == "pure"
        const = scope != "extern" and (
            pure or (kind in ("array", "texts", "functions", "pair")
                     and self.chance(0.4)))
        if kind == "texts":
            const = True
        if pure:
            kind = r.choice(["array", "texts", "pair"])
        if scope == "extern" and kind in ("texts", "cursor"):
            kind = "u32"
        if kind == "functions" and (not unit or function):
            kind = "array"
        if kind == "function" and not unit:
            kind = "u32"
        size = r.randrange(2, 6) if kind in ("array", "functions",
                                             "texts") else 1
        v = Var(name, kind, scope, None, size, const,
                self.chance(0.8) and not const)
        v.init = self.initial(program, unit, v)
        if v.init is None:
            v.kind, v.size, v.const = "u32", 1, False
            v.init = [r.randrange(100)]
        return v

    def initial(self, program, unit, v):
        r = self.rng
        if v.kind in ("function", "functions"):
            targets = [f for f in unit.functions if f.form == "A" and f.listed]
            return [r.choice(targets).name for _ in range(v.size)] \
                if targets else None
        if v.kind in ("text", "texts"):
            return [self.text() for _ in range(v.size)]
        if v.kind == "cursor":
            arrays = [w for w in unit.variables
                      if w.kind == "array" and not w.const] if unit else []
            return [arrays[0].name, arrays[0].size, 0] if arrays else None
        if v.kind == "mode":
            return [r.randrange(2)]
        if v.kind == "double":
            return [r.randrange(100) * 0.5]
        count = {"pair": 2, "big": 5, "bits": 3}.get(v.kind, v.size)
        limit = 8 if v.kind == "bits" else 200
        zero = self.chance(0.3)
        return [0 if zero else r.randrange(limit) for _ in range(count)]

    def function(self, program, unit, static=None):
        r = self.rng
        if static is None:
            static = self.chance(0.5)
        flavour = r.choice(["pure", "plain", "fueled", "fueled", "fueled"])
        form = r.choice(["A"] * 6 + list("PBDVCSOL"))
        if flavour != "fueled" and form == "C":
            form = "A"
        f = Function(self.name("f"), form, static, flavour)
        f.listed = form == "A" and (not static or self.chance(0.5))
        if static:
            f.attributes = r.choice([""] * 6 + [
                "__attribute__((noinline))", "inline",
                "inline __attribute__((always_inline))"])
            if form == "V":
                f.attributes = ""
        elif self.chance(0.1):
            f.attributes = "__attribute__((cold))"
        f.words = [self.text() for _ in range(r.randrange(1, 4))]
        for _ in range(r.choice([0, 0, 0, 1, 1, 2])):
            f.statics.append(self.variable(program, unit, "local", f))
        return f

    def empty_program(self):
        return Program()

    def inline(self, program):
        f = Function(self.name("h"), self.rng.choice("AAAPD"), True,
                     self.rng.choice(["pure", "pure", "plain"]))
        f.listed = False
        f.attributes = "inline"
        if f.flavour == "plain":
            f.statics.append(Var(self.name("n"), "u32", "local",
                                 [self.rng.randrange(9)]))
        self.fill(program, None, f)
        return f

    def program(self):
        r = self.rng
        p = self.empty_program()
        for _ in range(3):
            p.macros[self.name("LIMIT").upper()] = r.randrange(1, 50)
        p.enumerators = [[self.name("ITEM"), r.randrange(10)]
                         for _ in range(3)]
        for _ in range(r.randrange(1, 4)):
            p.inlines.append(self.inline(p))
        for i in range(r.randrange(2, 4)):
            p.units.append(Unit(f"u{i}"))
        anchor = Function(self.name("f"), "A", False, "pure")
        anchor.result = ["bin", "^", ["name", "a"], ["name", "b"]]
        p.units[0].functions.append(anchor)
        for unit in p.units:
            functions = [self.function(p, unit)
                         for _ in range(r.randrange(3, 9))]
            unit.functions += functions
            for _ in range(r.randrange(2, 7)):
                unit.variables.append(self.variable(
                    p, unit, r.choice(["file", "file", "extern"])))
        for unit in p.units:
            for f in unit.functions:
                if f is not anchor:
                    self.fill(p, unit, f)
        self.twins(p)
        return p

    def twins(self, p):
        """Now and then two functions of equal text: GCC makes one of both."""
        for unit in p.units:
            pairs = [(f, g) for f in unit.functions for g in unit.functions
                     if f is not g and f.form == g.form == "A"
                     and f.flavour == g.flavour and not g.statics
                     and not f.statics and number_of(f) < number_of(g)]
            if pairs and self.chance(0.4):
                f, g = self.rng.choice(pairs)
                if g is not p.units[0].functions[0]:
                    g.body, g.result = copy.deepcopy([f.body, f.result])


# What a language adds: how a kind of expression, statement or function is
# written (see cxx_program.py).
MORE_EXPRESSIONS, MORE_STATEMENTS, MORE_HEADS = {}, {}, {}


# -- text -----------------------------------------------------------------

def text_of(e, p):
    """An expression as a u32."""
    kind = e[0]
    if kind in MORE_EXPRESSIONS:
        return MORE_EXPRESSIONS[kind](e, p)
    if kind == "num":
        return f"{e[1]}u"
    if kind == "name":
        return e[1]
    if kind == "un":
        return f"(u32){e[1]}({text_of(e[2], p)})"
    if kind == "cond":
        c, a, b = (text_of(x, p) for x in e[1:])
        return f"(({c}) & 1u ? ({a}) : ({b}))"
    if kind == "bin":
        op, a, b = e[1], text_of(e[2], p), text_of(e[3], p)
        if op in ("<<", ">>"):
            return f"(({a}) {op} (({b}) & 7u))"
        if op in ("/", "%"):
            return f"(({a}) {op} (({b}) | 1u))"
        return f"(u32)(({a}) {op} ({b}))"
    if kind == "read":
        if e[1] == "text":
            return f"text_sum({e[2]})"
        if e[1] == "cursor":
            return f"(*{e[2]})"
        if e[1] == "double":
            return f"(u32)(long long){e[2]}"
        return f"(u32){e[2]}"
    if kind == "field":
        return f"(u32){e[1]}.{e[2]}"
    if kind == "at":
        element = f"{e[2]}[({text_of(e[4], p)}) % {e[3]}u]"
        return f"text_sum({element})" if e[1] == "texts" else element
    if kind == "icall":
        return f"{e[1]}[({text_of(e[3], p)}) % {e[2]}u]" \
               f"({text_of(e[4], p)}, {text_of(e[5], p)})"
    if kind == "pcall":
        return f"{e[1]}({text_of(e[2], p)}, {text_of(e[3], p)})"
    if kind == "call":
        f = p.find(e[1])
        more = ", 7u" if f.name in p.wide else ""
        call = FORMS[f.form][5].format(text_of(e[2], p), text_of(e[3], p),
                                       f=f.name, g=e[4])
        return call[:-1] + more + ")" if more and f.form == "A" else call
    raise ValueError(kind)


def find(self, name):
    for f in self.inlines:
        if f.name == name:
            return f
    for unit in self.units:
        for f in unit.functions:
            if f.name == name:
                return f
    raise KeyError(name)


Program.find = find


def statement_lines(s, p, indent):
    pad = "  " * indent
    kind = s[0]

    def block(statements):
        return [line for t in statements
                for line in statement_lines(t, p, indent + 1)]
    if kind in MORE_STATEMENTS:
        return MORE_STATEMENTS[kind](s, p, pad, block)
    if kind == "local":
        return [f"{pad}u32 {s[1]} = {text_of(s[2], p)};"]
    if kind == "set":
        return [f"{pad}{s[1]} {s[2]} {text_of(s[3], p)};"]
    if kind == "setat":
        return [f"{pad}{s[1]}[({text_of(s[3], p)}) % {s[2]}u] = "
                f"{text_of(s[4], p)};"]
    if kind == "setfn":
        return [f"{pad}{s[1]}{s[2]} = &{s[3]};"]
    if kind == "settext":
        return [f'{pad}{s[1]} = "{s[2]}";']
    if kind == "setmode":
        return [f"{pad}{s[1]} = (enum mode){text_of(s[2], p)};"]
    if kind == "setdouble":
        return [f"{pad}{s[1]} = {s[1]} * 0.5 + "
                f"(double)(({text_of(s[2], p)}) & 0xffu);"]
    if kind == "setcursor":
        return [f"{pad}{s[1]} = &{s[2]}[({text_of(s[4], p)}) % {s[3]}u];"]
    if kind == "do":
        return [f"{pad}(void)({text_of(s[1], p)});"]
    if kind == "note":
        return [f'{pad}note("{s[1]}", {text_of(s[2], p)});']
    if kind == "if":
        return [f"{pad}if (({text_of(s[1], p)}) & 1u) {{", *block(s[2]),
                f"{pad}}} else {{", *block(s[3]), f"{pad}}}"]
    if kind == "for":
        i = f"i{s[1]}"
        head = f"for (u32 {i} = 0; {i} < {s[2]}u; ++{i})" if s[4] == "for" \
            else f"for (u32 {i} = {s[2]}u; {i}-- > 0u;)"
        return [f"{pad}{head} {{", *block(s[3]), f"{pad}}}"]
    if kind == "switch":
        lines = [f"{pad}switch (({text_of(s[1], p)}) & 7u) {{"]
        for number, body in s[2]:
            lines += [f"{pad}case {number}u:", *block(body), f"{pad}  break;"]
        return [*lines, f"{pad}default:", *block(s[3]), f"{pad}}}"]
    raise ValueError(kind)


def declare(v, p, initialized=True):
    """The declaration of a variable without its storage class."""
    types = {"array": "u32", "double": "double", "text": "const char *",
             "texts": "const char *const", "pair": "struct pair",
             "big": "struct big", "bits": "struct bits", "function": "fn_t",
             "functions": "fn_t", "cursor": "u32 *", **INTS}
    if v.kind == "object":
        value = f"({v.init[0]}u)" if initialized else ""
        return f"Counter {v.name}{value};"
    kind = types[v.kind]
    if v.name in p.retyped:
        kind = "u64" if kind != "u64" else "u32"
    bound = f"[{v.size}]" if v.kind in ("array", "functions", "texts") else ""
    text = f"{'const ' if v.const and v.kind != 'texts' else ''}{kind} " \
           f"{v.name}{bound}"
    if not initialized:
        return text + ";"
    values = v.init
    if v.kind in ("text", "texts"):
        values = [f'"{x}"' for x in values]
    if v.kind in ("function", "functions"):
        values = [f"&{x}" for x in values]
    if v.kind == "cursor":
        values = [f"&{v.init[0]}[{v.init[2]}]"]
    if v.kind == "mode":
        values = [f"(enum mode){v.init[0]}"]
    values = ", ".join(str(x) for x in values)
    if bound or v.kind in FIELDS:
        values = f"{{{values}}}"
    if not v.const and set(values) <= set("{0, }"):
        return text + ";"
    return f"{text} = {values};"


def keep_lines(v, where, p, pad):
    """Shows a variable, and takes it over."""
    if v.const:
        return []
    how = "SET" if v.is_set else "KEEP"

    def one(place, call):
        return f'{pad}{how}({place}, {call}("{where}{place}", {place}));'
    if v.kind in FIELDS:
        return [one(f"{v.name}.{f}", "keep_int") for f in FIELDS[v.kind]]
    if v.kind == "array":
        return [one(f"{v.name}[{i}]", "keep_int") for i in range(v.size)]
    if v.kind in ("function", "functions"):
        places = [v.name] if v.kind == "function" else \
            [f"{v.name}[{i}]" for i in range(v.size)]
        return [f'{pad}SET({x}, keep_function("{where}{x}", {x}));'
                for x in places]
    if v.kind == "cursor":
        array = v.init[0]
        return [f'{pad}{how}({v.name}, &{array}[keep_int("{where}{v.name}", '
                f'{v.name} - {array})]);']
    if v.kind == "mode":
        return [f'{pad}{how}({v.name}, (enum mode)keep_int("{where}{v.name}", '
                f'{v.name}));']
    call = {"text": "keep_text", "double": "keep_double"}.get(v.kind,
                                                              "keep_int")
    return [one(v.name, call)]


def prototype(f, p):
    if f.form in MORE_HEADS:
        return MORE_HEADS[f.form](f)[1]
    result, parameters = FORMS[f.form][:2]
    if f.name in p.wide and f.form == "A":
        parameters += ", u32 more"
    words = ["static" if f.static else "", f.attributes, result,
             f"{f.name}({parameters})"]
    return " ".join(w for w in words if w)


def declaration(f, p):
    if f.form in MORE_HEADS:
        return MORE_HEADS[f.form](f)[0]
    return prototype(f, p) + ";"


def function_lines(f, p):
    first, early, end = FORMS[f.form][2:5]
    lines = [f"// {f.comment}"] if f.comment else []
    lines.append(prototype(f, p) + " {")
    for v in f.statics:
        lines.append(f"  static {declare(v, p)}")
    kept = [line for v in f.statics
            for line in keep_lines(v, f"{f.name}.", p, "    ")]
    if kept:
        lines += ["  if (keeping) {", *kept, f"    return {early};", "  }"]
    if first:
        lines.append(f"  {first}")
    if f.flavour == "fueled":
        lines += [f"  if (fuel == 0) return {early};", "  --fuel;"]
    for s in f.body:
        lines += statement_lines(s, p, 1)
    result = text_of(f.result, p)
    if f.form == "S":
        lines += [f"  switch (({result}) & 3u) {{"]
        for i, word in enumerate(f.words):
            lines += [f'  case {i}u: return "{word}";']
        lines += ['  default: return "other";', "  }"]
    elif f.form in ("O", "R"):  # a pointer, a reference
        lines.append(f"  {'*' if f.form == 'O' else ''}out = {result};")
    else:
        lines.append(f"  return {end.format(r=result)};")
    return [*lines, "}", ""]


def show_call(f, p):
    """A statement that calls f while `keeping` is set."""
    if f.form in MORE_HEADS:
        return MORE_HEADS[f.form](f)[2]
    arguments = {"A": "0, 0", "P": "(struct pair){0, 0}, 0",
                 "B": "(struct big){0, 0, 0, 0, 0}, 0", "D": "0.0, 0",
                 "V": "0", "C": "0, 0", "S": "0", "O": "0, 0",
                 "L": "0, 0, 0, 0, 0.0, 0, 0, 0"}[f.form]
    more = ", 0" if f.name in p.wide and f.form == "A" else ""
    return f"(void){f.name}({arguments}{more});"


def header_text(p):
    lines = [f"// {p.header_comment}", "#ifndef PROGRAM_H",
             "#define PROGRAM_H", '#include "state.h"']
    lines += [f"#define {n} {v}u" for n, v in p.macros.items()]
    lines += ["enum {"] + [f"  {n} = {v}," for n, v in p.enumerators] + ["};"]
    lines += ["enum mode { OFF, ON };",
              f"struct pair {{ u32 x, y; {p.extra_field}}};",
              "struct big { u32 a, b; u64 c; u32 d, e; };",
              "struct bits { u32 p : 3, q : 5, r : 11; };",
              "static inline u32 pair_sum(struct pair p) {",
              "  return p.x * 3u + p.y;", "}",
              "static inline u32 big_sum(struct big v) {",
              "  return v.a + v.b * 3u + (u32)v.c * 5u + v.d + v.e;", "}",
              *p.more_header()]
    for unit in p.units:
        lines += [f"extern {declare(v, p, False)}" for v in unit.variables
                  if v.scope == "extern"]
        lines += [declaration(f, p) for f in unit.functions
                  if not f.static]
    for f in p.inlines:
        lines += function_lines(f, p)
    return "\n".join([*lines, "#endif", ""])


def unit_text(unit, p):
    lines = [f"// {unit.comment}", '#include "program.h"']
    lines += [""] * unit.blank_lines
    lines += [declaration(f, p) for f in unit.functions if f.static]
    for v in unit.variables:
        if v.scope == "extern":
            lines.append(declare(v, p))
        else:
            lines.append("static " + declare(v, p))
    lines.append("")
    for f in unit.functions:
        lines += function_lines(f, p)
    lines.append(f"void keep_{unit.name}(void) {{")
    for v in unit.variables:
        lines += keep_lines(v, "", p, "  ")
    for f in [*p.inlines, *unit.functions]:
        if any(not v.const for v in f.statics):
            lines.append("  " + show_call(f, p))
    lines += ["}", ""]
    lines += [f"const struct entry *entries_{unit.name}(u32 index) {{",
              "  static const struct entry table[] = {"]
    lines += [f'    {{"{f.name}", (fn_t){f.name}}},' for f in unit.functions
              if f.listed and f.form == "A"]
    lines += ["    {0, 0},", "  };", "  return &table[index];", "}", ""]
    if p.broken == unit.name:
        lines.insert(len(lines) // 2, "int broken = ;")
    return "\n".join(lines)


def texts_of(p, inputs, suffix=".c"):
    """All files of the program."""
    texts = {"main" + suffix: inputs["main.c"], "state.h": inputs["state.h"],
             "units.h": "".join(f"UNIT({u.name})\n" for u in p.units),
             "program.h": header_text(p)}
    for unit in p.units:
        texts[unit.name + suffix] = unit_text(unit, p)
    return texts


def random_program(seed):
    maker = Maker(random.Random(seed))
    return maker.program(), maker

"""A random C++ program: what c_program makes, and what C++ adds to it.

Functions may be members, static, virtual or overloaded, take references, be
templates of the header, throw and catch; variables may be objects that code
sets up, before main or at their first use; bodies have objects with destructors
and lambdas without captures.

The header's `Counter` sets its fields from constants: a static object that new
code constructs late has the value that one constructed early has.
"""

import random

import c_program
from c_program import FIELDS, FORMS, Maker, Program, text_of

FIELDS["object"] = ["a", "b"]

FORMS.update({
    "R": ("void", "u32 &out, u32 b", "u32 a = out;", "", None,
          "({{ u32 o_ = {0}; {f}(o_, {1}); o_; }})"),
    "Q": ("u32", "u32 a, u32 b", "", "a", "{r}", "K_{f}::{f}({0}, {1})"),
    "W": ("u32", "u32 a, u32 b", "a += m; b ^= k;", "a", "{r}",
          "W_{f}({0}).{f}({0}, {1})"),
    "Y": ("u32", "u32 a, u32 b", "a ^= m;", "a", "{r}",
          "virtual_call(Y_{f}({1}), {0}, {1})"),
    "U": ("u32", "u32 a, u32 b", "", "a", "{r}",
          "({f}((u32)({0}), (u32)({1})) + "
          "{f}((double)(({0}) & 0xffu), (u32)({1})))"),
    "G": ("u32", "T x, u32 b", "u32 a = (u32)x;", "b", "{r}",
          "({f}((u64)({0}), (u32)({1})) ^ {f}<u8>((u8)({0}), (u32)({1})))"),
})

SIGNATURE = "u32 a, u32 b"


def words(f):
    return " ".join(w for w in ("static" if f.static else "", f.attributes)
                    if w)


def reference(f):
    head = f"{words(f)} void {f.name}(u32 &out, u32 b)"
    return head + ";", head, f"{{ u32 o_ = 0; {f.name}(o_, 0); }}"


def static_method(f):
    return (f"struct K_{f.name} {{ static u32 {f.name}({SIGNATURE}); }};",
            f"u32 K_{f.name}::{f.name}({SIGNATURE})",
            f"(void)K_{f.name}::{f.name}(0, 0);")


def method(f):
    return (f"struct W_{f.name} {{ u32 m, k; "
            f"W_{f.name}(u32 x) : m(x * 3u), k(x ^ 5u) {{}} "
            f"u32 {f.name}({SIGNATURE}); }};",
            f"u32 W_{f.name}::{f.name}({SIGNATURE})",
            f"(void)W_{f.name}(0).{f.name}(0, 0);")


def virtual_method(f):
    return (f"struct Y_{f.name} : Base {{ u32 m; "
            f"Y_{f.name}(u32 x) : m(x + 1u) {{}} "
            f"u32 go({SIGNATURE}) override; }};",
            f"u32 Y_{f.name}::go({SIGNATURE})",
            f"(void)Y_{f.name}(0).go(0, 0);")


def overload(f):
    """The other one stands in front: the lines of f's body come behind."""
    head, other = (f"{words(f)} u32 {f.name}({parameters})"
                   for parameters in (SIGNATURE, "double x, u32 b"))
    return (f"{head}; {other};",
            f"{other} {{\n  return {f.name}((u32)(long long)x, b) + 1u;\n}}\n"
            f"{head}", f"(void){f.name}(0u, 0u);")


def template(f):
    head = f"template <class T> u32 {f.name}(T x, u32 b)"
    return head + ";", head, f"(void){f.name}(0u, 0u);"


c_program.MORE_HEADS.update({
    "R": reference, "Q": static_method, "W": method, "Y": virtual_method,
    "U": overload, "G": template})


def lambda_text(e, p):
    """No expression of the body stands in it: it captures nothing."""
    _, first, second, number, a, b = e
    return f"[](u32 x_, u32 y_) -> u32 {{ return (x_ {first} " \
           f"(y_ {second} {number}u)); }}({text_of(a, p)}, {text_of(b, p)})"


def throw_lines(s, p, pad, block):
    return [f"{pad}if (({text_of(s[1], p)}) % 5u == 1u)",
            f"{pad}  throw Failure{{{text_of(s[2], p)}}};"]


def try_lines(s, p, pad, block):
    return [f"{pad}try {{", *block(s[1]),
            f"{pad}}} catch (const Failure &caught_) {{",
            f'{pad}  note("caught", caught_.code);', *block(s[2]), f"{pad}}}"]


def raii_lines(s, p, pad, block):
    return [f"{pad}Tally {s[1]}({s[2]}, {s[3]}u);"]


c_program.MORE_EXPRESSIONS["lambda"] = lambda_text
c_program.MORE_STATEMENTS.update(
    {"throw": throw_lines, "try": try_lines, "raii": raii_lines})


class CxxProgram(Program):
    def __init__(self):
        super().__init__()
        self.factor = 3  # of Counter's constructor
        self.step = 1    # of Tally's destructor

    def more_header(self):
        return [
            "struct Base { virtual u32 go(u32 a, u32 b) = 0; "
            "virtual ~Base() {} };",
            "inline u32 virtual_call(Base &&object, u32 a, u32 b) {",
            "  Base *volatile pointer = &object;",
            "  return pointer->go(a, b);", "}",
            "struct Counter {", "  u32 a, b;",
            f"  Counter(u32 x) : a(x * {self.factor}u), b(x ^ 7u) {{}}", "};",
            "struct Tally {", "  u32 &target, n;",
            "  Tally(u32 &t, u32 n) : target(t), n(n) {}",
            f"  ~Tally() {{ target += n * {self.step}u; }}", "};"]


class CxxMaker(Maker):
    def empty_program(self):
        return CxxProgram()

    def variable(self, program, unit, scope, function=None):
        v = super().variable(program, unit, scope, function)
        if v.kind == "u32" and not v.const and self.chance(0.3):
            v.kind = "object"
        return v

    def function(self, program, unit, static=None):
        f = super().function(program, unit, static)
        if f.form == "A" and self.chance(0.6):
            f.form, f.listed = self.rng.choice("RQWYU"), False
            if f.form in "QWY":
                f.static, f.attributes = False, ""
        return f

    def inline(self, program):
        f = super().inline(program)
        f.static = self.chance(0.3)
        if f.form == "A" and f.flavour == "pure" and self.chance(0.5):
            f.form, f.static, f.attributes = "G", False, ""
            self.fill(program, None, f)
        return f

    def fill(self, program, unit, function):
        super().fill(program, unit, function)
        scope = self.scope(program, unit, function)
        targets = [v for v in scope.variables(writable=True)
                   if v.kind == "u32" and v.name not in program.retyped]
        if targets and self.chance(0.15):
            function.body.insert(0, [
                "raii", self.name("r"), self.rng.choice(targets).name,
                self.rng.randrange(9)])

    def expression(self, scope, depth=2):
        if depth and self.chance(0.06):
            op = ["+", "^", "*", "-"]
            return ["lambda", self.rng.choice(op), self.rng.choice(op),
                    self.rng.randrange(99), self.leaf(scope),
                    self.leaf(scope)]
        return super().expression(scope, depth)

    def statement(self, scope, depth=2):
        if scope.function.flavour != "pure" and depth and self.chance(0.1):
            if self.chance(0.5):
                return ["throw", self.expression(scope),
                        self.expression(scope)]
            return ["try", self.block(scope, depth - 1),
                    self.block(scope, depth - 1)]
        return super().statement(scope, depth)


def random_program(seed):
    maker = CxxMaker(random.Random(f"c++ {seed}"))
    return maker.program(), maker

// What a unit's functions, variables, types and enums are said to be.

#include "CompileInMemory.h"

#include "fmt/format.h"

#include "llvm/ADT/STLExtras.h"

using namespace hotjit;
using namespace hotjit::test;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

namespace {

using Unit = std::unique_ptr<CompiledUnit>;

const CompiledFunction &function(const Unit &U, const char *Symbol) {
  static const CompiledFunction None;
  const CompiledFunction *F = U ? U->findFunction(Symbol) : nullptr;
  EXPECT_NE(F, nullptr) << Symbol;
  return F ? *F : None;
}

const CompiledVariable &variable(const Unit &U, const char *Symbol) {
  static const CompiledVariable None;
  const CompiledVariable *V = U ? U->findVariable(Symbol) : nullptr;
  EXPECT_NE(V, nullptr) << Symbol;
  return V ? *V : None;
}

const CompiledType &type(const Unit &U, const char *Name) {
  static const CompiledType None;
  for (const CompiledType &T : U->Types)
    if (T.Name == Name)
      return T;
  ADD_FAILURE() << Name;
  return None;
}

std::vector<std::string> fieldsOf(const CompiledType &T) {
  std::vector<std::string> Result;
  for (const TypeField &F : T.Fields)
    Result.push_back(
        fmt::format("{} {} @{}:{}", F.Type, F.Name, F.OffsetBits, F.SizeBits));
  return Result;
}

} // namespace

//===-- Functions ---------------------------------------------------------===//

TEST(Functions, NamesAndPlaces) {
  Unit U = compileCXX("namespace ns {\nstruct Widget { void draw(); };\n"
                      "void Widget::draw() {}\n"
                      "namespace { int hidden() { return 1; } }\n"
                      "template <typename T> T twice(T x) { return x + x; }\n"
                      "int use() { return hidden() + twice(2); }\n}");
  const CompiledFunction &Draw = function(U, "_ZN2ns6Widget4drawEv");
  EXPECT_EQ(Draw.Name, "ns::Widget::draw");
  EXPECT_EQ(Draw.Place.File, "/src/a.cpp");
  EXPECT_EQ(Draw.Place.Line, 3u);
  EXPECT_EQ(function(U, "_ZN2ns12_GLOBAL__N_16hiddenEv").Name,
            "ns::(anonymous namespace)::hidden");
  EXPECT_EQ(function(U, "_ZN2ns5twiceIiEET_S1_").Name, "ns::twice<int>");
  EXPECT_EQ(function(compileC("int f(void) { return 1; }"), "f").Name, "f");
  EXPECT_EQ(function(compileCXX("#include <vector>\n"
                                "template <typename T> void f(T) {}\n"
                                "void g() { f(std::vector<int>()); }"),
                     "_Z1fISt6vectorIiSaIiEEEvT_")
                .Name,
            "f<std::vector<int>>");
}

TEST(Functions, Linkage) {
  Unit U = compileCXX("static int a() { return 1; }\n"
                      "inline int b() { return 2; }\n"
                      "int c() { return a() + b(); }");
  EXPECT_EQ(function(U, "_ZL1av").Linkage, SymbolLinkage::Internal);
  EXPECT_EQ(function(U, "_Z1bv").Linkage, SymbolLinkage::Inline);
  EXPECT_EQ(function(U, "_Z1cv").Linkage, SymbolLinkage::External);
}

TEST(Functions, WhatTheBodyNames) {
  Unit U = compileC("int g(void), h(void), unused(void); extern int n;\n"
                    "static int (*const table[])(void) = {h};\n"
                    "struct P { const char *s; int (*f)(void); };\n"
                    "int f(void) { struct P p = {\"x\", g};\n"
                    "  return p.f() + n + table[0]() + f(); }");
  const CompiledFunction &F = function(U, "f");
  // g through a constant without a name; h is named by the table only.
  EXPECT_THAT(F.Functions, ElementsAre("g"));
  EXPECT_THAT(F.Variables, ElementsAre("n", "table"));
  EXPECT_THAT(variable(U, "table").References, ElementsAre("h"));
}

// Loading from a variable, and from a part of it, is all that is not writing.
TEST(Functions, WhatTheBodyWrites) {
  Unit U = compileC(
      "struct s { int a, b[3], big[9]; }; static struct s r, w1, w2, w3, w4;\n"
      "static int *p, n, *const at = &n; void use(int *); void take(struct "
      "s);\n"
      "int reads(int i) { struct s t = r; take(r);\n"
      "  return r.a + r.b[i] + *p + at[0] + t.a; }\n"
      "int *writes(int i) { w1.b[i] = 1; use(&w2.a); w3 = r; ++n;\n"
      "  return i ? &w4.a : p; }");
  EXPECT_THAT(function(U, "reads").Written, IsEmpty());
  EXPECT_THAT(function(U, "reads").Variables, ElementsAre("n", "p", "r"));
  EXPECT_THAT(function(U, "writes").Written,
              ElementsAre("n", "w1", "w2", "w3", "w4"));
}

TEST(Functions, AddressTaken) {
  Unit U =
      compileC("static int called(void) { return 1; }\n"
               "static int stored(void) { return 1; }\n"
               "static int passed(void) { return 1; }\n"
               "__attribute__((used)) static int kept(void) { return 1; }\n"
               "void take(int (*)(void));\n"
               "int (*p)(void) = stored;\n"
               "int f(void) { take(passed); return called(); }");
  EXPECT_FALSE(function(U, "called").AddressTaken);
  EXPECT_FALSE(function(U, "kept").AddressTaken);
  EXPECT_FALSE(function(U, "f").AddressTaken);
  EXPECT_TRUE(function(U, "stored").AddressTaken);
  EXPECT_TRUE(function(U, "passed").AddressTaken);
}

TEST(Functions, Flags) {
  Unit U = compileCXX(
      "extern \"C\" int variadic(int n, ...) { return n; }\n"
      "extern \"C\" [[noreturn]] void never() { for (;;); }\n"
      "extern \"C\" __attribute__((always_inline)) void always() {}\n"
      "extern \"C\" __attribute__((constructor)) void start() {}\n"
      "struct S { virtual void v(); void o(); };\n"
      "void S::v() {}\nvoid S::o() {}\n");
  EXPECT_TRUE(function(U, "variadic").Variadic);
  EXPECT_TRUE(function(U, "never").NoReturn);
  EXPECT_TRUE(function(U, "always").AlwaysInline);
  EXPECT_TRUE(function(U, "start").Constructor);
  EXPECT_TRUE(function(U, "_ZN1S1vEv").Virtual);
  const CompiledFunction &O = function(U, "_ZN1S1oEv");
  EXPECT_FALSE(O.Variadic || O.NoReturn || O.AlwaysInline || O.Constructor ||
               O.Virtual || O.Unsupported);
}

TEST(Functions, StackArguments) {
  Unit U = compileC(
      "struct Big { long a[4]; }; struct Small { long a, b; };\n"
      "void six(int a, int b, int c, int d, int e, int f) {}\n"
      "void seven(int a, int b, int c, int d, int e, int f, int g) {}\n"
      "void big(struct Big b) {}\nvoid small(struct Small s) {}\n"
      "void mixed(int a, int b, int c, int d, int e, int f, double g) {}\n"
      "void x87(long double x) {}\nstruct Big result(void) "
      "{ struct Big b = {0}; return b; }");
  EXPECT_FALSE(function(U, "six").HasStackArguments);
  EXPECT_TRUE(function(U, "seven").HasStackArguments);
  EXPECT_TRUE(function(U, "big").HasStackArguments);
  EXPECT_FALSE(function(U, "small").HasStackArguments);
  EXPECT_FALSE(function(U, "mixed").HasStackArguments);
  EXPECT_TRUE(function(U, "x87").HasStackArguments);
  EXPECT_FALSE(function(U, "result").HasStackArguments);
}

TEST(Functions, UnsupportedOnesSayWhy) {
  Unit U = compileC("__attribute__((naked)) void naked(void) "
                    "{ __asm__(\"ret\"); }\n"
                    "static void *resolve(void) { return 0; }\n"
                    "void chosen(void) __attribute__((ifunc(\"resolve\")));\n"
                    "void plain(void) {}\n"
                    "void other(void) __attribute__((alias(\"plain\")));\n"
                    "__attribute__((weak)) void weak(void) {}\n"
                    "__attribute__((target_clones(\"avx2\", \"default\")))\n"
                    "void clones(void) {}\n"
                    "__attribute__((regcall)) void registers(void) {}\n");
  EXPECT_EQ(function(U, "naked").Unsupported, "naked");
  EXPECT_EQ(function(U, "chosen").Unsupported, "ifunc");
  EXPECT_EQ(function(U, "other").Unsupported, "alias of plain");
  EXPECT_EQ(function(U, "other").AliasOf, "plain");
  EXPECT_TRUE(function(U, "weak").Weak);
  EXPECT_TRUE(function(U, "clones.avx2.0").Unsupported);
  EXPECT_THAT(*function(U, "__regcall3__registers").Unsupported,
              HasSubstr("calling convention"));
  EXPECT_FALSE(function(U, "plain").Unsupported);
}

TEST(Functions, CompleteConstructorIsAnAliasOfTheBaseOne) {
  Unit U = compileCXX("struct S { S(); int a; }; S::S() : a(1) {}");
  EXPECT_EQ(function(U, "_ZN1SC1Ev").AliasOf, "_ZN1SC2Ev");
  EXPECT_EQ(function(U, "_ZN1SC1Ev").Body, function(U, "_ZN1SC2Ev").Body);
  EXPECT_EQ(function(U, "_ZN1SC1Ev").Name, "S::S");
  EXPECT_EQ(function(U, "_ZN1SC2Ev").AliasOf, "");
}

TEST(Functions, CoroutinesAreMarked) {
  Unit U = compileCXX("#include <coroutine>\n"
                      "struct Task { struct promise_type {\n"
                      "  Task get_return_object() { return {}; }\n"
                      "  std::suspend_never initial_suspend() { return {}; }\n"
                      "  std::suspend_never final_suspend() noexcept "
                      "{ return {}; }\n"
                      "  void return_void() {}\n"
                      "  void unhandled_exception() {} }; };\n"
                      "Task f() { co_return; }",
                      {"-std=c++20"});
  EXPECT_TRUE(function(U, "_Z1fv").Coroutine);
  EXPECT_FALSE(function(U, "_Z1fv").Unsupported);
}

TEST(Functions, FileAssemblyIsKept) {
  EXPECT_THAT(compileC("__asm__(\".globl x\");")->FileAssembly,
              HasSubstr(".globl x"));
}

//===-- Signatures --------------------------------------------------------===//

static std::string signature(const std::string &Text) {
  return function(compileCXX(Text), "f").Signature;
}

TEST(Signatures, TypesCount) {
  EXPECT_NE(signature("extern \"C\" int f() { return 1; }"),
            signature("extern \"C\" long f() { return 1; }"));
  EXPECT_NE(signature("extern \"C\" void f(int) {}"),
            signature("extern \"C\" void f(unsigned) {}"));
  EXPECT_EQ(signature("extern \"C\" void f(int a) {}"),
            signature("typedef int I; extern \"C\" void f(I b) {}"));
}

TEST(Signatures, HowClassesArePassedCounts) {
  const std::string F = " extern \"C\" void f(S) {}";
  EXPECT_NE(signature("struct S { int a; };" + F),
            signature("struct S { int a, b; };" + F));
  EXPECT_NE(signature("struct S { int a; };" + F),
            signature("struct S { int a; ~S(); };" + F));
  // By address before and after: callers copy another number of bytes.
  EXPECT_NE(signature("struct S { int a; ~S(); };" + F),
            signature("struct S { int a[9]; ~S(); };" + F));
  EXPECT_EQ(signature("struct S { int a; };" + F),
            signature("struct S { int b; };" + F));
}

TEST(Signatures, CallingConventionCounts) {
  EXPECT_NE(signature("extern \"C\" void f() {}"),
            signature("extern \"C\" __attribute__((ms_abi)) void f() {}"));
}

//===-- Variables ---------------------------------------------------------===//

TEST(Variables, GlobalOfC) {
  Unit U = compileC("static int counter = 5; int *p = &counter;\n"
                    "const long big = 1; char text[10];");
  const CompiledVariable &V = variable(U, "counter");
  EXPECT_EQ(V.Name, "counter");
  EXPECT_EQ(V.Linkage, SymbolLinkage::Internal);
  EXPECT_EQ(V.Type, "int");
  EXPECT_EQ(V.Size, 4u);
  EXPECT_EQ(V.Place.Line, 1u);
  EXPECT_FALSE(V.Const || V.ThreadLocal || V.Synthesized || V.Unnamed);
  EXPECT_THAT(variable(U, "p").References, ElementsAre("counter"));
  EXPECT_TRUE(variable(U, "big").Const);
  EXPECT_EQ(variable(U, "text").Type, "char[10]");
  EXPECT_EQ(variable(U, "text").Size, 10u);
}

// A23 (the compiler's part)
TEST(Variables, TentativeDefinition) {
  for (const char *Flag : {"-fno-common", "-fcommon"}) {
    Unit U = compileC("int x; int x; int f(void) { return x; }", {Flag});
    const CompiledVariable &X = variable(U, "x");
    EXPECT_EQ(X.Name, "x") << Flag;
    EXPECT_EQ(X.Type, "int") << Flag;
    EXPECT_EQ(X.Linkage, SymbolLinkage::External) << Flag;
    EXPECT_EQ(X.Place.File, "/src/a.c") << Flag;
    EXPECT_FALSE(X.Synthesized) << Flag;
  }
}

TEST(Variables, StaticLocalOfC) {
  Unit U = compileC("int f(int c) {\n  static int n = 1;\n"
                    "  { static long n = 2; c += n; }\n"
                    "  { static char n = 3; c += n; }\n  return n + c;\n}\n"
                    "int g(void) { static int n; return ++n; }");
  const CompiledVariable &N = variable(U, "f.n");
  EXPECT_EQ(N.Name, "n");
  EXPECT_EQ(N.QualifiedName, "f::n");
  EXPECT_EQ(N.Function, "f");
  EXPECT_EQ(N.Type, "int");
  EXPECT_EQ(N.Place.Line, 2u);
  EXPECT_EQ(N.Guard, "");
  EXPECT_EQ(variable(U, "g.n").Function, "g");
  // The numbers are Clang's; the order is the source's.
  std::vector<std::string> Types;
  for (const CompiledVariable &V : U->Variables)
    if (V.Function == "f")
      Types.push_back(fmt::format("{} {}", V.Type, V.Place.Line));
  llvm::sort(Types);
  EXPECT_THAT(Types, ElementsAre("char 4", "int 2", "long 3"));
}

TEST(Variables, NumbersOfStaticLocalsDependOnTheirFunctionOnly) {
  const char *F = "int f(int c) { if (c) { static int n = 1; return ++n; }"
                  "static int n = 2; return ++n; }";
  Unit Old = compileC(F);
  Unit New = compileC(std::string("const char *a(void) { return \"a\"; }"
                                  "const char *b(void) { return \"b\"; }"
                                  "int g(void) { { static int m; m++; }"
                                  "static int m; return ++m; }") +
                      F);
  EXPECT_EQ(function(Old, "f").Body, function(New, "f").Body);
  for (const Unit *Each : {&Old, &New}) {
    const Unit &U = *Each;
    EXPECT_THAT(function(U, "f").Variables, ElementsAre("f.n", "f.n.1"));
    EXPECT_NE(U->Code.Module->getNamedGlobal("f.n.1"), nullptr);
  }
}

TEST(Variables, StaticLocalOfCXXHasAGuard) {
  Unit U = compileCXX("struct S { S(); ~S(); int a; };\n"
                      "S &f() {\n  static S s;\n  return s;\n}\n"
                      "int g() { static int n = 1; return ++n; }");
  const CompiledVariable &S = variable(U, "_ZZ1fvE1s");
  EXPECT_EQ(S.Name, "s");
  EXPECT_EQ(S.QualifiedName, "f::s");
  EXPECT_EQ(S.Function, "_Z1fv");
  EXPECT_EQ(S.Guard, "_ZGVZ1fvE1s");
  EXPECT_EQ(S.Place.Line, 3u);
  EXPECT_TRUE(S.Destructor);
  EXPECT_FALSE(S.DynamicInitializer);
  EXPECT_TRUE(variable(U, "_ZGVZ1fvE1s").Synthesized);
  EXPECT_EQ(variable(U, "_ZZ1gvE1n").Guard, "");
  EXPECT_EQ(variable(U, "_ZZ1gvE1n").Function, "_Z1gv");
}

TEST(Variables, ThreadLocal) {
  EXPECT_TRUE(variable(compileC("_Thread_local int n = 3;"), "n").ThreadLocal);
  Unit U = compileCXX("int g(); static thread_local int n = g();\n"
                      "int f() { return n; }");
  EXPECT_TRUE(variable(U, "_ZL1n").ThreadLocal);
  EXPECT_NE(variable(U, "_ZL1n").InitializerFunction, "");
}

TEST(Variables, DynamicInitializersAreFound) {
  Unit U = compileCXX("int g(int *); extern int b, c;\n"
                      "int a = g(&b);\nint b = g(&c);\nint c = g(0);\n"
                      "int constant = 3;\nstruct S { ~S(); };\nS s;\n"
                      "inline int i = g(&a);");
  auto CodeNames = [&](const char *Symbol) {
    const CompiledVariable &V = variable(U, Symbol);
    EXPECT_TRUE(V.DynamicInitializer) << Symbol;
    return function(U, V.InitializerFunction.c_str()).Variables;
  };
  EXPECT_THAT(CodeNames("a"), ElementsAre("a", "b"));
  EXPECT_THAT(CodeNames("b"), ElementsAre("b", "c"));
  EXPECT_THAT(CodeNames("c"), ElementsAre("c"));
  EXPECT_THAT(CodeNames("s"), Contains("s"));
  EXPECT_THAT(CodeNames("i"), Contains("i"));
  EXPECT_TRUE(variable(U, "s").Destructor);
  EXPECT_FALSE(variable(U, "constant").DynamicInitializer);
  EXPECT_EQ(variable(U, "constant").InitializerFunction, "");
}

TEST(Variables, InitializersInACircleFollowTheSource) {
  Unit U = compileCXX("struct S { S(S *); }; extern S b; S a(&b); S b(&a);");
  EXPECT_EQ(variable(U, "a").InitializerFunction, "__cxx_global_var_init");
  EXPECT_EQ(variable(U, "b").InitializerFunction, "__cxx_global_var_init.1");
}

TEST(Variables, MembersAndInlines) {
  Unit U = compileCXX("namespace ns { struct S { static int n; }; }\n"
                      "int ns::S::n = 4;\ninline int shared = 1;\n"
                      "int f() { return shared; }");
  EXPECT_EQ(variable(U, "_ZN2ns1S1nE").QualifiedName, "ns::S::n");
  EXPECT_EQ(variable(U, "_ZN2ns1S1nE").Name, "n");
  EXPECT_EQ(variable(U, "_ZN2ns1S1nE").Place.Line, 2u);
  EXPECT_EQ(variable(U, "shared").Linkage, SymbolLinkage::Inline);
}

TEST(Variables, ConstantsWithoutNames) {
  Unit U = compileC("const char *s = \"text\"; int *p = (int[]){1, 2};\n"
                    "int f(int i) { int t[] = {1, 2, 3}; return t[i]; }");
  EXPECT_TRUE(variable(U, ".str").Unnamed);
  EXPECT_TRUE(variable(U, ".compoundliteral").Unnamed);
  EXPECT_TRUE(variable(U, "__const.f.t").Unnamed);
  EXPECT_THAT(function(U, "f").Variables, IsEmpty());
  EXPECT_THAT(variable(U, "s").References, IsEmpty());
}

TEST(Variables, VTablesAreSynthesized) {
  Unit U = compileCXX("struct S { virtual void v(); }; void S::v() {}");
  for (const char *Symbol : {"_ZTV1S", "_ZTI1S", "_ZTS1S"})
    EXPECT_TRUE(variable(U, Symbol).Synthesized) << Symbol;
  EXPECT_THAT(variable(U, "_ZTV1S").References,
              ElementsAre("_ZN1S1vEv", "_ZTI1S"));
}

// B36 (the compiler's part): an interpreter's jump table.
TEST(Variables, ComputedGotoTablesHoldLabels) {
  Unit U = compileC("int run(const unsigned char *pc) {\n"
                    "  static const void *const disptab[] = {&&add, &&end};\n"
                    "  int acc = 0;\n  goto *disptab[*pc++];\n"
                    "add: acc++; goto *disptab[*pc++];\nend: return acc;\n}\n"
                    "int local(int i) { const void *t[] = {&&a, &&b};\n"
                    "goto *t[i]; a: return 1; b: return 2; }\n"
                    "static const int plain[] = {1}; const int *q = plain;");
  EXPECT_TRUE(variable(U, "run.disptab").HoldsLabels);
  EXPECT_TRUE(variable(U, "run.disptab").Const);
  EXPECT_FALSE(variable(U, "run.disptab").Unnamed);
  EXPECT_THAT(function(U, "run").Variables, ElementsAre("run.disptab"));
  EXPECT_FALSE(variable(U, "plain").HoldsLabels);
}

//===-- Types -------------------------------------------------------------===//

TEST(Types, LayoutOfAStruct) {
  Unit U = compileC("struct Point { char tag; int x; long y; };\n"
                    "struct Point p;");
  const CompiledType &T = type(U, "Point");
  EXPECT_EQ(T.Size, 16u);
  EXPECT_EQ(T.Align, 8u);
  EXPECT_EQ(T.Place.File, "/src/a.c");
  EXPECT_EQ(T.Place.Line, 1u);
  EXPECT_TRUE(T.TriviallyPassed);
  EXPECT_THAT(fieldsOf(T),
              ElementsAre("char tag @0:8", "int x @32:32", "long y @64:64"));
}

TEST(Types, AnonymousMembersAreFlattened) {
  Unit U = compileC("struct V { int kind; union { int i; struct { short lo, "
                    "hi; }; }; unsigned a : 3, : 2, b : 4; };\nstruct V v;");
  EXPECT_THAT(fieldsOf(type(U, "V")),
              ElementsAre("int kind @0:32", "int i @32:32", "short lo @32:16",
                          "short hi @48:16", "unsigned int a @64:3",
                          "unsigned int  @67:2", "unsigned int b @69:4"));
  EXPECT_TRUE(type(U, "V").Fields.back().BitField);
}

TEST(Types, ClassesBasesAndVirtualSlots) {
  Unit U = compileCXX(
      "struct A { virtual void f(); virtual ~A(); int a; };\n"
      "struct B { int b; };\n"
      "struct D : A, B { void f() override; virtual int g() = 0; int d; };\n"
      "int use(D *p) { return p->d; }");
  const CompiledType &T = type(U, "D");
  EXPECT_TRUE(T.Polymorphic);
  EXPECT_FALSE(T.TriviallyPassed);
  ASSERT_EQ(T.Bases.size(), 2u);
  EXPECT_EQ(T.Bases[1].Name, "B");
  EXPECT_EQ(T.Bases[1].OffsetBits, 96u);
  EXPECT_THAT(T.VirtualSlots, ElementsAre("_ZN1D1fEv", "_ZN1DD1Ev", "_ZN1DD0Ev",
                                          "pure _ZN1D1gEv"));
  EXPECT_FALSE(type(U, "B").Polymorphic);
}

TEST(Types, InstantiationsOfProjectTemplates) {
  Unit U = compileCXX("template <typename T> struct Box { T value; };\n"
                      "Box<long> b;");
  EXPECT_THAT(fieldsOf(type(U, "Box<long>")), ElementsAre("long value @0:64"));
  for (const CompiledType &T : U->Types)
    EXPECT_EQ(T.Name, "Box<long>"); // and no pattern
}

TEST(Types, Closures) {
  Unit U = compileCXX("int f(int a, long b) {\n"
                      "  auto g = [a, &b] { return a + (int)b; };\n"
                      "  return g();\n}");
  ASSERT_EQ(U->Types.size(), 1u);
  const CompiledType &T = U->Types[0];
  EXPECT_TRUE(T.Lambda);
  EXPECT_TRUE(T.Local);
  EXPECT_THAT(fieldsOf(T), ElementsAre("int a @0:32", "long & b @64:64"));
}

TEST(Types, NamesDoNotHoldPlaces) {
  Unit U = compileC("typedef struct { int a; } Named;\n"
                    "struct { int b; } unnamed;\nNamed n;");
  EXPECT_EQ(type(U, "Named").Size, 4u);
  for (const CompiledType &T : U->Types)
    EXPECT_THAT(T.Name, Not(HasSubstr("a.c")));
  EXPECT_THAT(variable(U, "unnamed").Type, Not(HasSubstr("a.c")));
}

TEST(Types, SystemTypesAreLeftOut) {
  Unit U = compileCXX("#include <string>\nstruct Mine { std::string s; };\n"
                      "Mine m;");
  ASSERT_EQ(U->Types.size(), 1u);
  EXPECT_EQ(U->Types[0].Name, "Mine");
  EXPECT_EQ(U->Types[0].Size, 32u);
}

TEST(Types, Enums) {
  Unit U = compileCXX("enum class Color : short { Red, Green = 5 }; Color c;");
  ASSERT_EQ(U->Enums.size(), 1u);
  EXPECT_EQ(U->Enums[0].Name, "Color");
  EXPECT_EQ(U->Enums[0].Underlying, "short");
  EXPECT_THAT(U->Enums[0].Values,
              ElementsAre(std::pair<std::string, std::string>("Red", "0"),
                          std::pair<std::string, std::string>("Green", "5")));
}

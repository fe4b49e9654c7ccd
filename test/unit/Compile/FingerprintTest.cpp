// Which edits change the fingerprint of a function, and which must not. The
// function in question is `f`; in C++ it is extern "C", so that both languages
// call it that.

#include "CompileInMemory.h"

#include "fmt/printf.h"

using namespace hotjit;
using namespace hotjit::test;

namespace {

struct Edit {
  const char *Name;
  const char *File; ///< its ending is the language
  const char *Old;
  const char *New;
  Flags Options = {};
};

void PrintTo(const Edit &E, std::ostream *OS) { *OS << E.Name; }

std::string nameOf(const ::testing::TestParamInfo<Edit> &Info) {
  return Info.param.Name;
}

class FingerprintTest : public ::testing::TestWithParam<Edit> {
protected:
  /// The body of f before and after.
  std::pair<ContentHash, ContentHash> bodies() {
    const Edit &E = GetParam();
    auto BodyIn = [&](const char *Text) -> ContentHash {
      std::unique_ptr<CompiledUnit> U =
          compileFile(E.File, {{E.File, Text}}, E.Options);
      const CompiledFunction *F = U ? U->findFunction("f") : nullptr;
      EXPECT_NE(F, nullptr);
      return F ? F->Body : ContentHash();
    };
    return {BodyIn(E.Old), BodyIn(E.New)};
  }
};

using Changes = FingerprintTest;
using Keeps = FingerprintTest;

const char *const C = "/src/a.c";
const char *const CXX = "/src/a.cpp";

} // namespace

TEST_P(Changes, Body) {
  auto [Old, New] = bodies();
  EXPECT_NE(Old, New);
}

TEST_P(Keeps, Body) {
  auto [Old, New] = bodies();
  EXPECT_EQ(Old, New);
}

static const Edit Changing[] = {
    {"Constant", C, "int f(void) { return 1; }", "int f(void) { return 2; }"},
    {"SwitchCase", C,
     "int f(int x) { switch (x) { case 3: return 1; } return 0; }",
     "int f(int x) { switch (x) { case 7: return 1; } return 0; }"},
    {"Volatile", C, "int f(int *p) { return *p; }",
     "int f(int *p) { return *(volatile int *)p; }"},
    {"AtomicOrdering", C,
     "int f(int *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }",
     "int f(int *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }"},
    {"ParameterType", C, "void f(int x) {}", "void f(long x) {}"},
    {"ParameterSign", C, "void f(short x) {}", "void f(unsigned short x) {}"},
    {"ReturnSign", C, "short f(short *x) { return *x; }",
     "unsigned short f(short *x) { return *x; }"},
    {"FunctionAttribute", C, "void f(void) {}",
     "__attribute__((cold)) void f(void) {}"},
    {"CallAttribute", C, "void g(void); void f(void) { g(); }",
     "void g(void) __attribute__((nothrow)); void f(void) { g(); }"},
    {"Callee", C, "void g(void), h(void); void f(void) { g(); }",
     "void g(void), h(void); void f(void) { h(); }"},
    {"CallingConvention", C, "void f(void) {}",
     "__attribute__((preserve_most)) void f(void) {}"},
    {"Alignment", C, "int f(void) { int x = 1; return x; }",
     "int f(void) { _Alignas(64) int x = 1; return x; }"},
    {"InlineAssembly", C, "void f(void) { __asm__(\"nop\"); }",
     "void f(void) { __asm__(\"pause\"); }"},
    {"InlineAssemblyClobber", C, "void f(void) { __asm__(\"nop\"); }",
     "void f(void) { __asm__(\"nop\" ::: \"rbx\"); }"},
    {"FastMath", C, "float f(float a) { return a + a; }",
     "float f(float a) {\n#pragma clang fp reassociate(on)\nreturn a + a; }"},
    {"SizeofStruct", C,
     "struct S { int a; }; int f(void) { return sizeof(struct S); }",
     "struct S { int a, b; }; int f(void) { return sizeof(struct S); }"},
    {"StructMember", C,
     "struct S { int a; }; void f(struct S *x, struct S *y) { *x = *y; }",
     "struct S { int a, b; }; void f(struct S *x, struct S *y) { *x = *y; }"},
    {"FieldOffset", C,
     "struct S { int a, b; }; int f(struct S *s) "
     "{ return s->a; }",
     "struct S { int b, a; }; int f(struct S *s) { return s->a; }"},
    {"StructOfIndex", C,
     "struct S { char a; long b; }; long f(struct S *s) { return s->b; }",
     "struct S { long a; long b; }; long f(struct S *s) { return s->b; }"},
    {"EnumConstant", C, "enum { A = 1 }; int f(void) { return A; }",
     "enum { A = 2 }; int f(void) { return A; }"},
    {"Macro", C, "#define N 1\nint f(void) { return N; }",
     "#define N 2\nint f(void) { return N; }"},
    {"Line", C, "int f(void) { return __LINE__; }",
     "\nint f(void) { return __LINE__; }"},
    {"StringLiteral", C, "const char *f(void) { return \"a\"; }",
     "const char *f(void) { return \"b\"; }"},
    {"OneOfTwoLiterals", C,
     "const char *f(int x) { return x ? \"a\" : \"b\"; }",
     "const char *f(int x) { return x ? \"b\" : \"a\"; }"},
    {"LocalArray", C, "int f(int i) { int t[] = {1, 2, 3}; return t[i]; }",
     "int f(int i) { int t[] = {1, 2, 4}; return t[i]; }"},
    {"CompoundLiteral", C,
     "struct P { const char *s; }; void g(struct P *);"
     "void f(void) { g(&(struct P){\"x\"}); }",
     "struct P { const char *s; }; void g(struct P *);"
     "void f(void) { g(&(struct P){\"y\"}); }"},
    {"Linkage", C, "int f(void) { return 1; } int (*p)(void) = f;",
     "static int f(void) { return 1; } int (*p)(void) = f;"},
    {"Section", C, "void f(void) {}",
     "__attribute__((section(\".hot\"))) void f(void) {}"},
    {"LoopHint", C,
     "void g(int); void f(int n) { for (int i = 0; i < n; ++i) g(i); }",
     "void g(int); void f(int n) {\n#pragma clang loop unroll(disable)\n"
     "for (int i = 0; i < n; ++i) g(i); }"},
    {"LabelOrder", C,
     "int f(int i) { static void *t[3] = {[0] = &&a, [2] = &&b}; goto *t[i];"
     "a: return 1; b: return 2; }",
     "int f(int i) { static void *t[3] = {[0] = &&a, [1] = &&b}; goto *t[i];"
     "a: return 1; b: return 2; }"},
    {"Overload", CXX, "int g(long); extern \"C\" int f() { return g(1); }",
     "int g(long); int g(int); extern \"C\" int f() { return g(1); }"},
    {"DefaultArgument", CXX,
     "int g(int = 1); extern \"C\" int f() { return g(); }",
     "int g(int = 2); extern \"C\" int f() { return g(); }"},
    {"ConstexprFunction", CXX,
     "constexpr int g() { return 1; }"
     "extern \"C\" int f() { constexpr int x = g(); return x; }",
     "constexpr int g() { return 2; }"
     "extern \"C\" int f() { constexpr int x = g(); return x; }"},
    {"LandingPad", CXX, "void g(); extern \"C\" void f() { g(); }",
     "void g(); extern \"C\" void f() { try { g(); } catch (int) {} }"},
    {"CaughtType", CXX,
     "void g(); extern \"C\" void f() { try { g(); } catch (int) {} }",
     "void g(); extern \"C\" void f() { try { g(); } catch (long) {} }"},
    {"Cleanup", CXX,
     "struct S { S(); }; void g(); extern \"C\" void f() { S s; g(); }",
     "struct S { S(); ~S(); }; void g(); extern \"C\" void f() { S s; g(); }"},
    {"Noexcept", CXX, "void g(); extern \"C\" void f() { g(); }",
     "void g(); extern \"C\" void f() noexcept { g(); }"},
    {"VirtualSlot", CXX,
     "struct S { virtual void a(); virtual void b(); };"
     "extern \"C\" void f(S *s) { s->a(); }",
     "struct S { virtual void b(); virtual void a(); };"
     "extern \"C\" void f(S *s) { s->a(); }"},
    {"AliasSets",
     C,
     "void f(long *p) { *p = 1; }",
     "void f(long long *p) { *p = 1; }",
     {"-O2"}},
};

static const Edit Keeping[] = {
    {"Comment",
     C,
     "int f(void) { return 1; }",
     "int f(void) { /* one */ return 1; } // end",
     {"-g"}},
    {"Whitespace",
     C,
     "int f(void) { return 1; }",
     "int f(void)\n{\n  return 1;\n}\n",
     {"-g"}},
    {"LineShift",
     C,
     "void g(int); void f(int n) { for (int i = 0; i < n; ++i) g(i); }",
     "\n\n\nvoid g(int); void f(int n) { for (int i = 0; i < n; ++i) g(i); }",
     {"-g"}},
    {"LineShiftOptimized",
     C,
     "void g(int); void f(int n) { for (int i = 0; i < n; ++i) g(i); }",
     "\n\n\nvoid g(int); void f(int n) { for (int i = 0; i < n; ++i) g(i); }",
     {"-g", "-O2"}},
    {"LineShiftOfAssembly", C, "void f(void) { __asm__(\"nop\"); }",
     "\n\n\nvoid f(void) { __asm__(\"nop\"); }"},
    {"LocalNames",
     C,
     "int f(int a) { int b = a; return b; }",
     "int f(int x) { int y = x; return y; }",
     {"-g"}},
    {"OtherBody", C, "int g(void) { return 1; } int f(void) { return g(); }",
     "int g(void) { return 2; } int f(void) { return g(); }"},
    {"OtherFunction", C, "int f(void) { return 1; }",
     "int g(void) { return 2; } int f(void) { return 1; }"},
    {"OrderOfFunctions", C,
     "int g(void) { return 2; } int f(void) { return g(); }",
     "int g(void); int f(void) { return g(); } int g(void) { return 2; }"},
    {"LiteralElsewhere", C,
     "const char *g(void) { return 0; }"
     "const char *f(void) { return \"mine\"; }",
     "const char *g(void) { return \"new\"; }"
     "const char *f(void) { return \"mine\"; }"},
    {"AttributesElsewhere", C, "void g(void); void f(void) { g(); }",
     "__attribute__((cold)) void a(void) {} void g(void);"
     "void f(void) { g(); }"},
    {"LoopElsewhere", C, "void g(int); void f(int n) { while (n) g(n--); }",
     "void g(int); void a(int n) { while (n) g(n--); }"
     "void f(int n) { while (n) g(n--); }"},
    {"AnonymousStructElsewhere", C,
     "int f(void) { struct { int a; } x = {1}; return x.a; }",
     "int g(void) { struct { long a; } x = {1}; return x.a; }"
     "int f(void) { struct { int a; } x = {1}; return x.a; }"},
    {"VariableInitializer", C, "int n = 1; int f(void) { return n; }",
     "int n = 2; int f(void) { return n; }"},
    {"UnusedMacro", C, "int f(void) { return 1; }",
     "#define N 1\nint f(void) { return 1; }"},
    {"Prototype", C, "int g(int a); int f(void) { return g(1); }",
     "int g(int b); int f(void) { return g(1); }"},
    {"LabelTableOfOtherFunction", C,
     "int g(int i) { static void *t[] = {&&a, &&b}; goto *t[i];"
     "a: return 1; b: return 2; } int f(void) { return 1; }",
     "int g(int i) { static void *t[] = {&&b, &&a}; goto *t[i];"
     "a: return 1; b: return 2; } int f(void) { return 1; }"},
    {"LineShiftWithExceptions",
     CXX,
     "struct S { S(); ~S(); }; void g();"
     "extern \"C\" void f() { S s; try { g(); } catch (int) { g(); } }",
     "\n\nstruct S { S(); ~S(); }; void g();"
     "extern \"C\" void f() { S s; try { g(); } catch (int) { g(); } }",
     {"-g"}},
    {"TemplateElsewhere", CXX,
     "template <typename T> T h(T x) { return x; }"
     "extern \"C\" int f() { return h(1); }",
     "template <typename T> T h(T x) { return x; }"
     "long g() { return h(1l); } extern \"C\" int f() { return h(1); }"},
    {"GlobalElsewhere", CXX,
     "struct S { S(int); }; S b(2); extern \"C\" int f() { return 1; }",
     "struct S { S(int); }; S a(1); S b(2);"
     "extern \"C\" int f() { return 1; }"},
};

INSTANTIATE_TEST_SUITE_P(Fingerprint, Changes, ::testing::ValuesIn(Changing),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Fingerprint, Keeps, ::testing::ValuesIn(Keeping),
                         nameOf);

//===-- Other properties --------------------------------------------------===//

TEST(Fingerprint, ConstantsFromHeadersCount) {
  const char *Source = "#include \"n.h\"\nint f(void) { return N; }";
  auto Old = compileFile("/src/a.c",
                         {{"/src/a.c", Source}, {"/src/n.h", "#define N 1\n"}});
  auto New = compileFile("/src/a.c",
                         {{"/src/a.c", Source}, {"/src/n.h", "#define N 2\n"}});
  EXPECT_NE(Old->findFunction("f")->Body, New->findFunction("f")->Body);
}

TEST(Fingerprint, NameOfAHeaderDoesNotCount) {
  auto Old = compileFile("/src/a.c",
                         {{"/src/a.c", "#include \"n.h\"\nint f(void) "
                                       "{ return g(); }"},
                          {"/src/n.h", "static int g(void) { return 1; }"}},
                         {"-g"});
  auto New = compileFile("/src/a.c",
                         {{"/src/a.c", "#include \"m.h\"\nint f(void) "
                                       "{ return g(); }"},
                          {"/src/m.h", "static int g(void) { return 1; }"}},
                         {"-g"});
  EXPECT_EQ(Old->findFunction("f")->Body, New->findFunction("f")->Body);
  EXPECT_EQ(Old->findFunction("g")->Body, New->findFunction("g")->Body);
}

TEST(Fingerprint, SameTextGivesSameFacts) {
  const char *Text = "#include <string>\n#include <vector>\n"
                     "std::vector<std::string> all;\n"
                     "void add(const char *s) { all.push_back(s); }\n"
                     "static int n = sizeof(all); int *p() { return &n; }";
  auto A = compileCXX(Text, {"-g"});
  auto B = compileCXX(Text, {"-g"});
  ASSERT_EQ(A->Functions.size(), B->Functions.size());
  for (size_t I = 0; I < A->Functions.size(); ++I) {
    EXPECT_EQ(A->Functions[I].Symbol, B->Functions[I].Symbol);
    EXPECT_EQ(A->Functions[I].Body, B->Functions[I].Body)
        << A->Functions[I].Symbol;
  }
  ASSERT_EQ(A->Variables.size(), B->Variables.size());
  for (size_t I = 0; I < A->Variables.size(); ++I)
    EXPECT_EQ(A->Variables[I].Initializer, B->Variables[I].Initializer)
        << A->Variables[I].Symbol;
}

TEST(Fingerprint, AnEditElsewhereKeepsEveryOtherFunction) {
  const char *Text = "#include <map>\n#include <string>\n"
                     "static std::map<std::string, int> all;\n"
                     "int first() { return %d; }\n"
                     "int get(const char *s) { return all[s]; }\n"
                     "auto fold() { return [](int a) { return a + 1; }; }\n";
  auto Old = compileCXX(fmt::sprintf(Text, 1), {"-g"});
  auto New = compileCXX("\n" + fmt::sprintf(Text, 2), {"-g"});
  ASSERT_EQ(Old->Functions.size(), New->Functions.size());
  std::vector<std::string> Changed;
  for (const CompiledFunction &F : New->Functions)
    if (Old->findFunction(F.Symbol)->Body != F.Body)
      Changed.push_back(F.Symbol);
  EXPECT_EQ(Changed, std::vector<std::string>{"_Z5firstv"});
}

TEST(Fingerprint, TheModuleKeepsItsOrderAndItsDebugInfo) {
  auto U = compileC("int b(void) { return 2; } const char *s = \"x\";"
                    "int a(void) { return 1; } int n;",
                    {"-g"});
  std::vector<std::string> Names;
  for (llvm::Function &F : *U->Code.Module)
    Names.push_back(F.getName().str());
  EXPECT_EQ(Names, (std::vector<std::string>{"b", "a"}));
  EXPECT_NE(U->Code.Module->getFunction("a"), nullptr);
  EXPECT_NE(U->Code.Module->getFunction("a")->getSubprogram(), nullptr);
  EXPECT_TRUE(
      U->Code.Module->getFunction("a")->getEntryBlock().front().getDebugLoc());
}

//===-- Variables ---------------------------------------------------------===//

static ContentHash initializer(const char *Text, const char *Symbol) {
  auto U = compileCXX(Text);
  const CompiledVariable *V = U ? U->findVariable(Symbol) : nullptr;
  EXPECT_NE(V, nullptr) << Symbol;
  return V ? V->Initializer : ContentHash();
}

TEST(VariableFingerprint, StaticValueCounts) {
  EXPECT_NE(initializer("int n = 5;", "n"), initializer("int n = 7;", "n"));
  EXPECT_NE(initializer("char s[] = \"ab\";", "s"),
            initializer("char s[] = \"cd\";", "s"));
}

TEST(VariableFingerprint, ContentOfLiteralsCounts) {
  EXPECT_NE(initializer("const char *s = \"a\";", "s"),
            initializer("const char *s = \"b\";", "s"));
  EXPECT_EQ(initializer("const char *s = \"a\";", "s"),
            initializer("const char *t = \"b\"; const char *s = \"a\";", "s"));
}

TEST(VariableFingerprint, DynamicInitializerCounts) {
  EXPECT_NE(initializer("int g(int); int n = g(1);", "n"),
            initializer("int g(int); int n = g(2);", "n"));
}

TEST(VariableFingerprint, InitializersOfOthersDoNotCount) {
  EXPECT_EQ(initializer("int g(int); int n = g(1);", "n"),
            initializer("int g(int); int m = g(7); int n = g(1);", "n"));
  EXPECT_EQ(initializer("struct S { ~S(); }; S b[2];", "b"),
            initializer("struct S { ~S(); }; S a[3]; S b[2];", "b"));
}

TEST(VariableFingerprint, LabelsDoNotCount) {
  const char *Old = "int f(int i) { static void *t[] = {&&a, &&b};"
                    "goto *t[i]; a: return 1; b: return 2; }";
  const char *New = "int f(int i) { static void *t[] = {&&a, &&b}; if (i > 1)"
                    " i = 1; goto *t[i]; a: return 1; b: return 2; }";
  EXPECT_EQ(compileC(Old)->findVariable("f.t")->Initializer,
            compileC(New)->findVariable("f.t")->Initializer);
}

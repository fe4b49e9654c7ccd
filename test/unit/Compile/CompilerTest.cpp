// What goes into a compile and what comes out besides facts: texts from the
// snapshot and the disk, commands, messages, cancelling.

#include "Compile/Agreement.h"
#include "CompileInMemory.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace hotjit;
using namespace hotjit::test;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

CompileResult compileAny(const SourceFiles &Files, const Flags &Options = {},
                         const CancelFlag *Cancel = nullptr) {
  llvm::Expected<CompileResult> Result = Compiler().compile(
      unitAt(Files.begin()->first, Options), snapshotOf(Files), Cancel);
  if (Result)
    return std::move(*Result);
  ADD_FAILURE() << llvm::toString(Result.takeError());
  return {};
}

std::string refusal(const SourceFiles &Files, const Flags &Options) {
  return messageOf(Compiler().compile(unitAt(Files.begin()->first, Options),
                                      snapshotOf(Files)));
}

/// A folder on the disk that is gone after the test.
class OnDisk : public ::testing::Test {
protected:
  void SetUp() override {
    llvm::SmallString<128> Made;
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("hotjit-compile", Made));
    llvm::SmallString<128> Real;
    ASSERT_FALSE(llvm::sys::fs::real_path(Made, Real));
    Folder = Real.str().str();
  }
  void TearDown() override { llvm::sys::fs::remove_directories(Folder); }

  std::string write(const std::string &Name, const std::string &Text) {
    std::string Path = Folder + "/" + Name;
    std::error_code EC =
        llvm::sys::fs::create_directories(llvm::sys::path::parent_path(Path));
    llvm::raw_fd_ostream OS(Path, EC);
    OS << Text;
    return Path;
  }

  std::string Folder;
};

} // namespace

//===-- Messages ----------------------------------------------------------===//

// E1 (the compiler's part): a typo is a message with its place, not code.
TEST(Diagnostics, TypoHasPlaceAndText) {
  CompileResult R =
      compileAny({{"/src/a.c", "int f(int value) {\n  return vlaue;\n}\n"}});
  EXPECT_EQ(R.Unit, nullptr);
  ASSERT_FALSE(R.Diagnostics.empty());
  const Diagnostic &D = R.Diagnostics.front();
  EXPECT_EQ(D.Level, Severity::Error);
  EXPECT_EQ(D.Place.File, "/src/a.c");
  EXPECT_EQ(D.Place.Line, 2u);
  EXPECT_EQ(D.Column, 10u);
  EXPECT_EQ(D.EndLine, 2u);
  EXPECT_EQ(D.EndColumn, 15u);
  EXPECT_THAT(D.Message, HasSubstr("undeclared identifier 'vlaue'"));
  EXPECT_THAT(R.Rendered,
              AllOf(HasSubstr("/src/a.c:2:10: error: use of undeclared "
                              "identifier 'vlaue'"),
                    HasSubstr("    2 |   return vlaue;\n"),
                    HasSubstr("      |          ^~~~~\n")));
  EXPECT_THAT(R.Rendered, Not(HasSubstr("\033")));
}

TEST(Diagnostics, NotesFollowTheirError) {
  CompileResult R =
      compileAny({{"/src/a.cpp", "void g(int);\nvoid f() { g(\"x\"); }\n"}});
  ASSERT_EQ(R.Diagnostics.size(), 2u);
  EXPECT_EQ(R.Diagnostics[0].Level, Severity::Error);
  EXPECT_EQ(R.Diagnostics[1].Level, Severity::Note);
  EXPECT_EQ(R.Diagnostics[1].Place.Line, 1u);
}

TEST(Diagnostics, ErrorInAHeaderNamesTheHeader) {
  CompileResult R = compileAny(
      {{"/src/a.c", "#include \"b.h\"\n"}, {"/src/b.h", "\nint x = ;\n"}});
  EXPECT_EQ(R.Unit, nullptr);
  ASSERT_FALSE(R.Diagnostics.empty());
  EXPECT_EQ(R.Diagnostics[0].Place.File, "/src/b.h");
  EXPECT_EQ(R.Diagnostics[0].Place.Line, 2u);
  EXPECT_THAT(R.Rendered, HasSubstr("In file included from /src/a.c:1:"));
}

TEST(Diagnostics, WarningsOfTheCommandAreTold) {
  const SourceFiles Files = {{"/src/a.c", "void f(void) { int x; }\n"}};
  EXPECT_TRUE(compileAny(Files).Diagnostics.empty());
  CompileResult R = compileAny(Files, {"-Wall"});
  EXPECT_NE(R.Unit, nullptr);
  ASSERT_EQ(R.Diagnostics.size(), 1u);
  EXPECT_EQ(R.Diagnostics[0].Level, Severity::Warning);
  EXPECT_EQ(R.Diagnostics[0].Flag, "-Wunused-variable");
}

TEST(Diagnostics, WarningsDoNotStopAReload) {
  for (const char *Flag : {"-Werror", "-Werror=unused-variable"}) {
    CompileResult R = compileAny({{"/src/a.c", "void f(void) { int x; }\n"}},
                                 {"-Wall", Flag});
    EXPECT_NE(R.Unit, nullptr) << Flag;
    ASSERT_EQ(R.Diagnostics.size(), 1u) << Flag;
    EXPECT_EQ(R.Diagnostics[0].Level, Severity::Warning);
  }
}

TEST(Diagnostics, WarningFlagsOfGCCAreQuiet) {
  CompileResult R = compileAny(
      {{"/src/a.c", "int f(void) { return 1; }\n"}},
      {"-Wall", "-Wlogical-op", "-Wduplicated-cond", "-Wno-stringop-truncation",
       "-Wmaybe-uninitialized", "-Wsuggest-attribute=const"});
  EXPECT_NE(R.Unit, nullptr);
  EXPECT_EQ(R.Rendered, "");
}

TEST(Diagnostics, SymbolDefinedTwiceIsAnError) {
  CompileResult R =
      compileAny({{"/src/a.c",
                   "int a(void) __asm__(\"x\"); int a(void) { return 1; }\n"
                   "int b(void) __asm__(\"x\"); int b(void) { return 2; }\n"}});
  EXPECT_EQ(R.Unit, nullptr);
  EXPECT_THAT(R.Rendered, HasSubstr("error:"));
}

TEST(Diagnostics, MissingMainFileIsAnError) {
  llvm::Expected<CompileResult> R =
      Compiler().compile(unitAt("/src/gone.c", {}), TextSnapshot());
  ASSERT_TRUE(static_cast<bool>(R));
  EXPECT_EQ(R->Unit, nullptr);
  EXPECT_THAT(R->Rendered, HasSubstr("gone.c"));
}

//===-- Texts -------------------------------------------------------------===//

TEST(Texts, OldAndNewSnapshotsGiveOldAndNewUnits) {
  TextSnapshot Old = snapshotOf({{"/src/a.c", "int f(void) { return 1; }"}});
  TextSnapshot New =
      Old.with("/src/a.c", SourceText::create("int f(void) { return 2; }"));
  Compiler C;
  TranslationUnit Unit = unitAt("/src/a.c", {});
  ASSERT_GET(CompileResult First, C.compile(Unit, Old));
  ASSERT_GET(CompileResult Second, C.compile(Unit, New));
  ASSERT_GET(CompileResult Third, C.compile(Unit, Old));
  EXPECT_NE(First.Unit->findFunction("f")->Body,
            Second.Unit->findFunction("f")->Body);
  EXPECT_EQ(First.Unit->findFunction("f")->Body,
            Third.Unit->findFunction("f")->Body);
}

TEST(Texts, FilesListsWhatWasRead) {
  auto U = compileFile(
      "/src/a.c",
      {{"/src/a.c", "#include <stddef.h>\n#include \"b.h\"\nsize_t n;"},
       {"/src/b.h", "int b;"},
       {"/src/unused.h", "int c;"}});
  EXPECT_THAT(U->Files, Contains("/src/a.c"));
  EXPECT_THAT(U->Files, Contains("/src/b.h"));
  EXPECT_THAT(U->Files, Contains(HasSubstr("stddef.h")));
  EXPECT_THAT(U->Files, Not(Contains("/src/unused.h")));
}

TEST(Texts, RelativePathsStartAtTheUnitsDirectory) {
  TranslationUnit Unit = unitAt("/src/a.c", {"-Iinclude"});
  Unit.Arguments.back() = "a.c";
  ASSERT_GET(CompileResult R,
             Compiler().compile(
                 Unit, snapshotOf({{"/src/a.c", "#include <b.h>\n"
                                                "#include \"../shared/c.h\"\n"
                                                "int f(void) { return B+C; }"},
                                   {"/src/include/b.h", "enum { B };"},
                                   {"/shared/c.h", "enum { C };"}})));
  ASSERT_NE(R.Unit, nullptr) << R.Rendered;
  EXPECT_THAT(R.Unit->Files,
              AllOf(Contains("/src/include/b.h"), Contains("/shared/c.h")));
  EXPECT_EQ(R.Unit->findFunction("f")->Place.File, "/src/a.c");
}

TEST(Texts, PragmaOnceKnowsAFileByItsRealPath) {
  auto U = compileFile("/src/a.c",
                       {{"/src/a.c", "#include \"b.h\"\n"
                                     "#include \"../src/b.h\"\n"},
                        {"/src/b.h", "#pragma once\nstruct S { int a; };"}});
  EXPECT_NE(U, nullptr);
}

TEST(Texts, TimeDoesNotCount) {
  Compiler C;
  TextSnapshot Texts =
      snapshotOf({{"/src/a.c", "const char *f(void) { return __DATE__ __TIME__ "
                               "__TIMESTAMP__; }"}});
  TranslationUnit Unit = unitAt("/src/a.c", {});
  ASSERT_GET(CompileResult A, C.compile(Unit, Texts));
  ASSERT_GET(CompileResult B, C.compile(Unit, Texts));
  EXPECT_EQ(A.Unit->findFunction("f")->Body, B.Unit->findFunction("f")->Body);
}

// -g must not change code: each difference would be a function that nobody
// edited and that is swapped.
TEST(Learning, GivesTheFactsOfACompile) {
  const char *Text = R"(
    struct Counted { int N; Counted(int); Counted(const Counted &); ~Counted(); };
    struct Big { int Values[100]; };
    struct Base { virtual int get(Counted) const; static constexpr int K = 5; };
    int Base::get(Counted C) const { return C.N + K; }
    struct Derived : virtual Base { Derived(Counted C) : First(C.N) {} int First; };
    Derived make() { Derived D(Counted(3)); return D; }
    Counted named(int X) { Counted R(X); R.N++; return R; }
    template <class T> T twice(T X) { T Y = X; return Y; }
    static int loops(const int *P, int N) {
      int Sum = 0, Unused = 4;
      for (int I = 0; I != N; ++I) { if (P[I] == 3) continue; Sum += P[I]; }
      while (Sum > 100) Sum /= 2;
      do ++Sum; while (Sum & 1);
      int Table[] = {1, 2, 3};
      for (int X : Table) Sum += X;
      return Sum;
    }
    int byValue(Counted C, Big B, int __attribute__((vector_size(16))) V) {
      auto Later = [C, N = 3](Counted D) mutable { return C.N + D.N + N++; };
      static Counted Once(7);
      thread_local int Own = C.N;
      int Pair[2] = {1, 2};
      auto &[First, Second] = Pair;
      try { return Later(C) + Once.N + Own + First + Second + twice(C).N + V[0]; }
      catch (Counted &E) { return E.N + loops(B.Values, 100); }
      catch (...) { return 0; }
    }
    int unused(int never) { switch (never) { case 1: { Counted C(1); return C.N; }
                                             default: goto out; } out: return 3; })";
  for (const char *Level : {"-O0", "-O2"}) {
    Compiler C;
    TranslationUnit Unit = unitAt("/src/a.cpp", {"-g", "-Wall", Level});
    TextSnapshot Texts = snapshotOf({{"/src/a.cpp", Text}});
    ASSERT_GET(CompileResult Whole, C.compile(Unit, Texts));
    ASSERT_GET(CompileResult Learned, C.learn(Unit, Texts));
    ASSERT_NE(Whole.Unit, nullptr) << Whole.Rendered;
    ASSERT_NE(Learned.Unit, nullptr) << Learned.Rendered;
    EXPECT_EQ(Agreement().disagreement(*Whole.Unit, *Learned.Unit), "");
    for (const CompiledFunction &F : std::as_const(Whole.Unit->Functions)) {
      const CompiledFunction *Same = Learned.Unit->findFunction(F.Symbol);
      ASSERT_NE(Same, nullptr) << F.Symbol;
      EXPECT_EQ(F.Body, Same->Body) << F.Symbol;
    }
    EXPECT_FALSE(Whole.Diagnostics.empty());
    EXPECT_TRUE(Learned.Diagnostics.empty()) << Learned.Rendered;
  }
}

TEST_F(OnDisk, UnsavedHeaderWinsOverTheDisk) {
  std::string Source = write("a.c", "#include \"n.h\"\nint f(void) "
                                    "{ return N; }");
  std::string Header = write("n.h", "#define N 1\n");
  Compiler C;
  TranslationUnit Unit = unitAt(Source, {});
  ASSERT_GET(CompileResult Disk, C.compile(Unit, TextSnapshot()));
  ASSERT_GET(CompileResult Unsaved,
             C.compile(Unit, snapshotOf({{Header, "#define N 2\n"}})));
  ASSERT_NE(Disk.Unit, nullptr) << Disk.Rendered;
  ASSERT_NE(Unsaved.Unit, nullptr) << Unsaved.Rendered;
  EXPECT_NE(Disk.Unit->findFunction("f")->Body,
            Unsaved.Unit->findFunction("f")->Body);
}

TEST_F(OnDisk, SnapshotFileIsKnownThroughSymbolicLinks) {
  std::string Header = write("real/n.h", "#error of the disk\n");
  std::string Source = write("a.c", "#include \"link/n.h\"\n"
                                    "#include \"alias.h\"\n"
                                    "int f(void) { return N; }");
  ASSERT_FALSE(llvm::sys::fs::create_link(Folder + "/real", Folder + "/link"));
  ASSERT_FALSE(llvm::sys::fs::create_link(Header, Folder + "/alias.h"));
  auto U = compileFile(Source, {{Source, "#include \"link/n.h\"\n"
                                         "#include \"alias.h\"\n"
                                         "int f(void) { return N; }"},
                                {Header, "#pragma once\nenum { N = 3 };\n"}});
  ASSERT_NE(U, nullptr);
  EXPECT_THAT(U->Files, Contains(Header));
}

TEST_F(OnDisk, TimeStampsDoNotCount) {
  std::string Source =
      write("a.c", "const char *f(void) { return __TIMESTAMP__; }");
  Compiler C;
  ASSERT_GET(CompileResult A, C.compile(unitAt(Source, {}), TextSnapshot()));
  int Descriptor = -1;
  ASSERT_FALSE(llvm::sys::fs::openFileForReadWrite(
      Source, Descriptor, llvm::sys::fs::CD_OpenExisting,
      llvm::sys::fs::OF_None));
  ASSERT_FALSE(llvm::sys::fs::setLastAccessAndModificationTime(
      Descriptor, llvm::sys::TimePoint<>(std::chrono::hours(1000))));
  llvm::sys::fs::file_t File = Descriptor;
  llvm::sys::fs::closeFile(File);
  ASSERT_GET(CompileResult B, C.compile(unitAt(Source, {}), TextSnapshot()));
  EXPECT_EQ(A.Unit->findFunction("f")->Body, B.Unit->findFunction("f")->Body);
}

//===-- Commands ----------------------------------------------------------===//

TEST_F(OnDisk, OutputsAreNotWritten) {
  std::string Source = write("a.c", "int f(void) { return 1; }");
  TranslationUnit Unit =
      unitAt(Source, {"-MD", "-MF", "a.d", "-o", "a.o", "-g", "-gsplit-dwarf",
                      "-ftime-trace", "-fstack-usage", "-save-temps=obj",
                      "--serialize-diagnostics", "a.dia",
                      "-fsave-optimization-record"});
  Unit.Directory = Folder;
  ASSERT_GET(CompileResult R, Compiler().compile(Unit, TextSnapshot()));
  EXPECT_NE(R.Unit, nullptr) << R.Rendered;
  std::error_code EC;
  unsigned Files = 0;
  for (llvm::sys::fs::directory_iterator I(Folder, EC), End; I != End && !EC;
       I.increment(EC))
    ++Files;
  EXPECT_EQ(Files, 1u);
}

TEST(Commands, SettingsAreThoseOfTheCommand) {
  auto U =
      compileC("int f(void) { return 1; }", {"-O2", "-march=haswell", "-flto"});
  EXPECT_EQ(U->Settings.OptLevel, 2u);
  EXPECT_EQ(U->Settings.CPU, "haswell");
  EXPECT_THAT(U->Settings.Features, Contains("+avx2"));
  EXPECT_THAT(U->Settings.Triple, HasSubstr("x86_64"));
  EXPECT_TRUE(U->Settings.LTO);
  EXPECT_FALSE(compileC("int f(void) { return 1; }")->Settings.LTO);
}

TEST(Commands, OptimizedUnitsAreNotOptimizedHere) {
  auto U = compileC("static int g(void) { return 1; }"
                    "int f(void) { return g(); }",
                    {"-O2"});
  EXPECT_NE(U->findFunction("g"), nullptr);
  EXPECT_THAT(U->findFunction("f")->Functions, Contains("g"));
}

TEST(Commands, WhatIsNotUnderstoodIsAnError) {
  const SourceFiles File = {{"/src/a.c", "int x;"}};
  EXPECT_THAT(refusal(File, {"-fno-such-flag"}), HasSubstr("-fno-such-flag"));
  EXPECT_THAT(refusal(File, {"-fsanitize=address"}), HasSubstr("-fsanitize"));
  EXPECT_THAT(refusal(File, {"-fprofile-instr-generate"}),
              HasSubstr("profile"));
  EXPECT_THAT(refusal(File, {"-m32"}), HasSubstr("i386"));
  EXPECT_THAT(refusal(File, {"-x", "objective-c"}), HasSubstr("neither C"));
  EXPECT_THAT(refusal(File, {"-include-pch", "/src/a.pch"}),
              HasSubstr("precompiled"));
  TranslationUnit Empty;
  EXPECT_THAT(messageOf(Compiler().compile(Empty, TextSnapshot())),
              HasSubstr("empty"));
}

//===-- Cancelling --------------------------------------------------------===//

TEST(Cancelling, LeavesNoUnit) {
  CancelFlag Cancel = true;
  CompileResult R =
      compileAny({{"/src/a.c", "int f(void) { return 1; }"}}, {}, &Cancel);
  EXPECT_TRUE(R.Cancelled);
  EXPECT_EQ(R.Unit, nullptr);
  Cancel = false;
  EXPECT_NE(
      compileAny({{"/src/a.c", "int f(void) { return 1; }"}}, {}, &Cancel).Unit,
      nullptr);
}

TEST(Timings, AreMeasured) {
  CompileResult R = compileAny({{"/src/a.c", "int f(void) { return 1; }"}});
  EXPECT_GT(R.Parse.count(), 0);
  EXPECT_GT(R.Lower.count(), 0);
}

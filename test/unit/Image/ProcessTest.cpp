// The process that the test runs in: addresses that debug info gives are the
// addresses that code uses.

#include "Fixture.h"
#include "ProcessSubject.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gmock/gmock.h"
#include <cstring>
#include <dlfcn.h>
#include <thread>

extern "C" int *imageCopiedAddress();

namespace hotjit {
namespace {

using testing::HasSubstr;

template <typename T> ProgramAddr addressOf(T *P) {
  return ProgramAddr(reinterpret_cast<uint64_t>(P));
}

std::unique_ptr<Image> thisProcess(const Words &Skip = {}) {
  RealFileSystem FS;
  llvm::Expected<std::unique_ptr<Image>> I = Image::ofThisProcess(FS, Skip);
  if (I)
    return std::move(*I);
  ADD_FAILURE() << llvm::toString(I.takeError());
  return nullptr;
}

const ImageModule *findModule(const Image &I, llvm::StringRef PartOfPath) {
  for (const ImageModule &M : I.modules())
    if (llvm::StringRef(M.Path).contains(PartOfPath))
      return &M;
  return nullptr;
}

const UnitDetails *subjectDetails(const Image &I, llvm::StringRef File) {
  for (const ImageUnit &U : I.units()) {
    if (!llvm::StringRef(U.Path).ends_with(File))
      continue;
    llvm::Expected<const UnitDetails *> D = I.details(U);
    if (D)
      return *D;
    ADD_FAILURE() << llvm::toString(D.takeError());
  }
  return nullptr;
}

TEST(ProcessTest, ExecutableComesFirst) {
  std::unique_ptr<Image> I = thisProcess();
  ASSERT_TRUE(I);
  const ImageModule &M = I->modules().front();
  EXPECT_TRUE(M.Executable);
  EXPECT_TRUE(M.HasDebugInfo);
  EXPECT_GT(M.FileModified, 0);
  EXPECT_TRUE(M.Text.contains(addressOf(&subjectFunction)));
  for (const ImageModule &Other : I->modules()) {
    EXPECT_EQ(Other.Executable, &Other == &M) << Other.Path;
    EXPECT_FALSE(llvm::StringRef(Other.Path).contains("vdso")) << Other.Path;
    EXPECT_EQ(Other.DebugProblem, "") << Other.Path;
  }
  EXPECT_GT(I->functionCount(), 10u);
}

TEST(ProcessTest, AddressesAreThoseOfTheProgram) {
  std::unique_ptr<Image> I = thisProcess();
  ASSERT_TRUE(I);
  const UnitDetails *D = subjectDetails(*I, "/ProcessSubject.cpp");
  ASSERT_TRUE(D);
  const ImageFunction *F = only(D->Functions, "subjectFunction");
  const ImageVariable *Global = only(D->Variables, "SubjectGlobal");
  const ImageVariable *Static = only(D->Variables, "Calls");
  ASSERT_TRUE(F && Global && Static);
  EXPECT_EQ(F->Entry, addressOf(&subjectFunction));
  EXPECT_EQ(Global->Address, addressOf(&SubjectGlobal));
  EXPECT_EQ(Static->Address, addressOf(subjectStatic()));
  EXPECT_EQ(I->functionAt(F->Entry + 1)->Symbol, F->Symbol);
  llvm::ArrayRef<uint8_t> Bytes = I->fileBytes(F->Entry, F->Size);
  ASSERT_EQ(Bytes.size(), F->Size);
  EXPECT_EQ(std::memcmp(Bytes.data(),
                        reinterpret_cast<void *>(&subjectFunction), F->Size),
            0);
}

TEST(ProcessTest, WhereTheCodeOfAUnitLies) {
  std::unique_ptr<Image> I = thisProcess();
  ASSERT_TRUE(I);
  std::string Owners;
  for (const ImageUnit &U : I->units())
    for (AddrRange R : I->codeOf(U))
      if (R.contains(addressOf(&subjectFunction)))
        Owners += llvm::sys::path::filename(U.Path).str() + " ";
  EXPECT_EQ(Owners, "ProcessSubject.cpp ");
}

TEST(ProcessTest, ThreadLocalThroughItsOffset) {
  std::unique_ptr<Image> I = thisProcess();
  ASSERT_TRUE(I);
  const UnitDetails *D = subjectDetails(*I, "/ProcessSubject.cpp");
  ASSERT_TRUE(D);
  const ImageVariable *V = only(D->Variables, "SubjectThreadLocal");
  ASSERT_TRUE(V);
  ASSERT_EQ(V->Storage, StorageKind::ThreadLocal);
  const ImageModule &M = I->modules().front();
  EXPECT_NE(M.TlsModuleId, 0u);
  ASSERT_TRUE(M.TlsBlockOffset);
  int64_t Offset = *M.TlsBlockOffset + static_cast<int64_t>(V->TlsOffset);
  auto ReadHere = [Offset] {
    return *reinterpret_cast<int *>(
        static_cast<char *>(__builtin_thread_pointer()) + Offset);
  };
  SubjectThreadLocal = 100;
  EXPECT_EQ(ReadHere(), 100);
  int InOtherThread = 0, InitiallyThere = 0;
  std::thread Other([&] {
    InitiallyThere = ReadHere();
    SubjectThreadLocal = 200;
    InOtherThread = ReadHere();
  });
  Other.join();
  EXPECT_EQ(InitiallyThere, 41);
  EXPECT_EQ(InOtherThread, 200);
  EXPECT_EQ(ReadHere(), 100);
}

// The linker moved the variable of the shared object into the executable.
TEST(ProcessTest, CopiedVariableIsTheExecutables) {
  ASSERT_EQ(imageCopiedAddress(), copiedAddressFromExecutable());
  std::unique_ptr<Image> I = thisProcess();
  ASSERT_TRUE(I);
  const ImageModule *Shared = findModule(*I, "libImageTestShared");
  ASSERT_TRUE(Shared);
  EXPECT_EQ(I->findSymbol(*Shared, "ImageCopied"),
            addressOf(imageCopiedAddress()));
  EXPECT_TRUE(I->modules().front().Text.End <= addressOf(imageCopiedAddress()));
  const UnitDetails *D = subjectDetails(*I, "/SharedSubject.cpp");
  ASSERT_TRUE(D);
  const ImageVariable *V = only(D->Variables, "ImageCopied");
  ASSERT_TRUE(V);
  EXPECT_EQ(V->Address, addressOf(imageCopiedAddress()));
  EXPECT_EQ(I->findSymbol(*Shared, "imageCopiedAddress"),
            addressOf(&imageCopiedAddress));
}

TEST(ProcessTest, SkippedObjectsAreLeftOut) {
  std::unique_ptr<Image> All = thisProcess();
  ASSERT_TRUE(All);
  const ImageModule *Shared = findModule(*All, "libImageTestShared");
  ASSERT_TRUE(Shared);
  std::unique_ptr<Image> Rest = thisProcess({Shared->Path});
  ASSERT_TRUE(Rest);
  EXPECT_EQ(findModule(*Rest, "libImageTestShared"), nullptr);
  EXPECT_EQ(Rest->modules().size() + 1, All->modules().size());
}

TEST(ProcessTest, SystemLibraryIsReadWhenAsked) {
  std::unique_ptr<Image> I = thisProcess();
  ASSERT_TRUE(I);
  const ImageModule *LibC = findModule(*I, "libc.so.6");
  ASSERT_TRUE(LibC);
  void *GetPid = ::dlsym(RTLD_DEFAULT, "getpid");
  EXPECT_EQ(I->findSymbol(*LibC, "getpid"),
            ProgramAddr(reinterpret_cast<uint64_t>(GetPid)));
  EXPECT_FALSE(I->findSymbol(*LibC, "memcpy")) << "that is its resolver";
  EXPECT_FALSE(I->findSymbol(*LibC, "errno")) << "that is an offset";
}

// A shared object that is rebuilt while it is loaded: what the new file says
// is not what runs.
TEST(ProcessTest, RebuiltSharedObjectIsNotTrusted) {
  TempFolder Folder;
  std::string Source = Folder.write("lib.c", "int plugin_value = 1;\n");
  std::string Library = Folder.path("libplugin.so");
  compile(Compiler::GCC, {Source}, Library,
          {"-g", "-shared", "-fPIC", "-Wl,--build-id"});
  void *Handle = ::dlopen(Library.c_str(), RTLD_NOW);
  ASSERT_TRUE(Handle) << ::dlerror();
  llvm::scope_exit Close([&] { ::dlclose(Handle); });
  {
    std::unique_ptr<Image> I = thisProcess();
    ASSERT_TRUE(I);
    const ImageModule *M = findModule(*I, "libplugin");
    ASSERT_TRUE(M);
    EXPECT_TRUE(M->HasDebugInfo);
    EXPECT_FALSE(M->TlsBlockOffset);
    EXPECT_EQ(I->findSymbol(*M, "plugin_value"),
              ProgramAddr(
                  reinterpret_cast<uint64_t>(::dlsym(Handle, "plugin_value"))));
  }
  ASSERT_FALSE(llvm::sys::fs::remove(Library));
  Folder.write("lib.c", "int plugin_value = 2;\n");
  compile(Compiler::GCC, {Source}, Library,
          {"-g", "-shared", "-fPIC", "-Wl,--build-id"});
  std::unique_ptr<Image> I = thisProcess();
  ASSERT_TRUE(I);
  const ImageModule *M = findModule(*I, "libplugin");
  ASSERT_TRUE(M);
  EXPECT_FALSE(M->HasDebugInfo);
  EXPECT_THAT(M->DebugProblem, HasSubstr("replaced"));
  EXPECT_FALSE(I->findSymbol(*M, "plugin_value"));
}

/// Started by the next test as a copy of this program: takes its own file away
/// and puts another in its place.
TEST(ProcessTest, DISABLED_InsideReplacedExecutable) {
  llvm::SmallString<256> Self;
  ASSERT_FALSE(llvm::sys::fs::real_path("/proc/self/exe", Self));
  ASSERT_TRUE(llvm::StringRef(Self).ends_with("/replace-me"));
  ASSERT_FALSE(llvm::sys::fs::remove(Self));
  ASSERT_FALSE(llvm::sys::fs::copy_file("/bin/true", Self));
  std::unique_ptr<Image> I = thisProcess();
  ASSERT_TRUE(I);
  EXPECT_EQ(I->modules().front().Path, std::string(Self));
  const UnitDetails *D = subjectDetails(*I, "/ProcessSubject.cpp");
  ASSERT_TRUE(D);
  const ImageFunction *F = only(D->Functions, "subjectFunction");
  ASSERT_TRUE(F);
  EXPECT_EQ(F->Entry, addressOf(&subjectFunction));
  std::error_code Code;
  llvm::raw_fd_ostream Proof((Self + ".was-here").str(), Code);
  ASSERT_FALSE(Code);
}

TEST(ProcessTest, ReplacedExecutableIsReadAsItRuns) {
  TempFolder Folder;
  std::string Copy = Folder.path("replace-me");
  ASSERT_FALSE(llvm::sys::fs::copy_file("/proc/self/exe", Copy));
  ASSERT_FALSE(llvm::sys::fs::setPermissions(Copy, llvm::sys::fs::all_all));
  run(Copy, {"--gtest_filter=*InsideReplacedExecutable",
             "--gtest_also_run_disabled_tests", "--gtest_brief=1"});
  EXPECT_TRUE(llvm::sys::fs::exists(Copy + ".was-here"));
}

} // namespace
} // namespace hotjit

#include "LinkTest.h"
#include "Plugin.h"
#include "llvm/ADT/StringRef.h"
#include <link.h>
#include <thread>

using namespace hotjit;

namespace {
/// Units of the shared object that the test program is linked with.
class SharedObjectTest : public LinkTest {
protected:
  static size_t plugin() {
    for (size_t I = 0; I != Program->modules().size(); ++I)
      if (llvm::StringRef(Program->modules()[I].Path)
              .contains("libLinkTestPlugin"))
        return I;
    ADD_FAILURE() << "the plugin is not among the modules";
    return 0;
  }
};
} // namespace

TEST_F(SharedObjectTest, CodeIsNearTheSharedObject) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @Hits = internal global i32 0
    define i32 @f() {
      %v = load i32, ptr @Hits
      ret i32 %v
    })");
  U.Module = plugin();
  replace(U, "f", addressOf(pluginHits));
  place(U, "Hits", Bind, addressOf(pluginHits()));
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<int()>(G, "f")(), 7);
  ProgramAddr Text = Program->modules()[plugin()].Text.Begin;
  EXPECT_LT(std::abs(G.Functions[0].Target - Text), int64_t(1) << 31);
}

static const char CallsShared[] = R"(
  declare i32 @sharedExported()
  declare i32 @sharedHidden()
  define i32 @f() {
    %r = call i32 @sharedExported()
    ret i32 %r
  }
  define i32 @g() {
    %r = call i32 @sharedHidden()
    ret i32 %r
  })";

TEST_F(SharedObjectTest, NamesMeanWhatTheyMeanInTheSharedObject) {
  Plan P;
  PlannedUnit &U = addUnit(P, CallsShared);
  U.Module = plugin();
  replace(U, "f", addressOf(pluginCallsExported));
  replace(U, "g", addressOf(pluginCallsHidden));
  StagedGeneration G = stage(P);
  EXPECT_EQ(pluginCallsExported(), 100) << "the dynamic linker's answer";
  EXPECT_EQ(targetOf<int()>(G, "f")(), 100);
  EXPECT_EQ(pluginCallsHidden(), 201);
  EXPECT_EQ(targetOf<int()>(G, "g")(), 201);
}

TEST_F(SharedObjectTest, NamesMeanWhatTheyMeanInTheProgram) {
  Plan P;
  PlannedUnit &U = addUnit(P, CallsShared);
  replace(U, "f", addressOf(programTwice));
  replace(U, "g", addressOf(programHidden));
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<int()>(G, "f")(), 100);
  EXPECT_EQ(targetOf<int()>(G, "g")(), 101);
}

TEST_F(SharedObjectTest, ThreadLocalOfTheSharedObject) {
  struct Asked {
    llvm::StringRef Path;
    char *Block;
  } A{Program->modules()[plugin()].Path, nullptr};
  int *Mine = pluginThreadLocal();
  dl_iterate_phdr(
      [](dl_phdr_info *Info, size_t, void *Out) {
        auto &A = *static_cast<Asked *>(Out);
        if (llvm::StringRef(Info->dlpi_name).contains("libLinkTestPlugin"))
          A.Block = static_cast<char *>(Info->dlpi_tls_data);
        return 0;
      },
      &A);
  ASSERT_NE(A.Block, nullptr);
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @tl = internal thread_local global i32 999
    define i32 @f(i32 %new) {
      %p = call ptr @llvm.threadlocal.address.p0(ptr @tl)
      %old = load i32, ptr %p
      store i32 %new, ptr %p
      ret i32 %old
    }
    declare ptr @llvm.threadlocal.address.p0(ptr))");
  U.Module = plugin();
  replace(U, "f", addressOf(pluginHits));
  PlannedVariable &V = place(U, "tl", BindThreadLocal);
  V.TlsModuleId = Program->modules()[plugin()].TlsModuleId;
  V.TlsOffset = reinterpret_cast<char *>(Mine) - A.Block;
  StagedGeneration G = stage(P);
  auto *F = targetOf<int(int)>(G, "f");
  EXPECT_EQ(F(60), 50);
  // A thread in which nobody has touched the variable yet.
  int InThread = 0, After = 0;
  std::thread([&] {
    InThread = F(70);
    After = *pluginThreadLocal();
  }).join();
  EXPECT_EQ(InThread, 50);
  EXPECT_EQ(After, 70);
  EXPECT_EQ(*pluginThreadLocal(), 60);
}

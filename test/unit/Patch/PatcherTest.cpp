#include "Patch/Patcher.h"

#include "Child.h"
#include "TestProgram.h"
#include "gmock/gmock.h"

using namespace hotjit;
using testing::HasSubstr;

namespace {

using Target = int (*)(int, int);

// What generations lead to. Sizes do not matter: ranges are only handed back.
int first(int, int) { return 1; }
int second(int, int) { return 2; }
int fifth(int, int) { return 5; }

ProgramAddr address(Target F) {
  return ProgramAddr(reinterpret_cast<uint64_t>(F));
}

class PatcherTest : public testing::Test {
protected:
  /// In a child: what is armed stays armed.
  void create() {
    llvm::Expected<std::unique_ptr<Image>> I = Image::ofThisProcess(FS, {});
    ASSERT_TRUE(bool(I)) << llvm::toString(I.takeError());
    Model = std::move(*I);
    llvm::Expected<std::unique_ptr<Patcher>> P = Patcher::create(*Model, L);
    ASSERT_TRUE(bool(P)) << llvm::toString(P.takeError());
    Patch = std::move(*P);
  }

  EntrySite site(llvm::StringRef Name) {
    const TestProgram::Function *F = Program.find(Name);
    EXPECT_NE(F, nullptr) << Name.str();
    size_t Module = 0;
    while (!Model->modules()[Module].Executable)
      ++Module;
    return {F->Entry.Entry, F->Entry.Size,
            F->Entry.Patchable ? EntryKind::Patchable : EntryKind::Plain,
            Module, /*PreserveR11=*/false};
  }
  void arm(llvm::ArrayRef<EntrySite> Sites) {
    for (const ArmProblem &P : Patch->arm(Sites))
      ADD_FAILURE() << P.Why;
  }
  static int call(ProgramAddr Identity) {
    return reinterpret_cast<Target>(Identity.value())(3, 4);
  }
  static StagedGeneration
  stage(std::vector<std::pair<ProgramAddr, Target>> Functions) {
    StagedGeneration G;
    for (auto [Identity, Body] : Functions) {
      StagedFunction F;
      F.Name = "f";
      F.Identity = Identity;
      F.Target = address(Body);
      F.Code = {F.Target, F.Target + 16};
      G.Functions.push_back(F);
    }
    G.Bytes = 100;
    return G;
  }
  Generation commit(StagedGeneration G) {
    llvm::Expected<Generation> Now = Patch->commit(std::move(G), {"a.c"});
    EXPECT_TRUE(bool(Now)) << llvm::toString(Now.takeError());
    return *Now;
  }

  RealFileSystem FS;
  Log L;
  TestProgram Program;
  std::unique_ptr<Image> Model;
  std::unique_ptr<Patcher> Patch;
};

TEST_F(PatcherTest, CommitsUndoesAndRedoes) { // E14
  inChild([&] {
    create();
    EntrySite A = site("target_gccO2_plain_leaf");
    EntrySite B = site("target_clangO2_patchable_leaf");
    EXPECT_TRUE(Patch->probe({A, B}).empty());
    arm({A, B});
    EXPECT_EQ(call(A.Entry), 13);
    EXPECT_EQ(Patch->current().Number, 0u);
    AddrRange Original = {A.Entry, A.Entry + A.Size};
    EXPECT_EQ(Patch->bodyOf(A.Entry), Original);

    EXPECT_EQ(commit(stage({{A.Entry, first}, {B.Entry, first}})).Number, 1u);
    EXPECT_EQ(call(A.Entry), 1);
    EXPECT_EQ(call(B.Entry), 1);
    EXPECT_EQ(Patch->bodyOf(A.Entry).Begin, address(first));
    commit(stage({{B.Entry, second}}));
    EXPECT_EQ(call(A.Entry), 1);
    EXPECT_EQ(call(B.Entry), 2);
    EXPECT_EQ(Patch->generations().size(), 3u);

    ASSERT_EQ(Patch->undo()->Number, 1u);
    EXPECT_EQ(call(B.Entry), 1);
    ASSERT_EQ(Patch->undo()->Number, 0u);
    EXPECT_EQ(call(A.Entry), 13);
    EXPECT_EQ(Patch->bodyOf(A.Entry), Original);
    EXPECT_THAT(llvm::toString(Patch->undo().takeError()),
                HasSubstr("nothing to undo"));
    ASSERT_EQ(Patch->redo()->Number, 1u);
    EXPECT_EQ(Patch->current().Files, std::vector<std::string>{"a.c"});

    EXPECT_EQ(commit(stage({{A.Entry, fifth}})).Number, 3u);
    EXPECT_EQ(call(A.Entry), 5);
    EXPECT_EQ(call(B.Entry), 1);
    EXPECT_THAT(llvm::toString(Patch->redo().takeError()),
                HasSubstr("nothing to redo"));
    EXPECT_GE(Patch->memoryUsed(), 300u);
    // A leads to the third generation, B still to the first; nothing leads to
    // the second, which cannot even be redone.
    EXPECT_EQ(Patch->memorySuperseded(), 100u);
    ASSERT_EQ(Patch->undo()->Number, 1u);
    EXPECT_EQ(Patch->memorySuperseded(), 200u);
  });
}

TEST_F(PatcherTest, ACommitThatFailsChangesNothing) {
  inChild([&] {
    create();
    EntrySite A = site("target_gccO2_plain_leaf");
    EntrySite B = site("target_clangO2_patchable_leaf");
    arm(A);
    llvm::Expected<Generation> G =
        Patch->commit(stage({{A.Entry, first}, {B.Entry, first}}), {});
    EXPECT_THAT(llvm::toString(G.takeError()), HasSubstr("is not armed"));
    EXPECT_EQ(call(A.Entry), 13);
    EXPECT_EQ(Patch->current().Number, 0u);
    commit(stage({{A.Entry, second}}));
    EXPECT_EQ(call(A.Entry), 2);
  });
}

TEST_F(PatcherTest, InitializersMayCallWhatIsAdded) {
  inChild([&] {
    create();
    llvm::Expected<ProgramAddr> Stub = Patch->addStub(0);
    ASSERT_TRUE(bool(Stub));
    {
      StagedGeneration Failed = stage({{*Stub, fifth}});
      Failed.Functions[0].Added = true;
      ASSERT_FALSE(bool(Patch->openAdded(Failed)));
      EXPECT_EQ(call(*Stub), 5);
      Failed.abandon();
    }
    StagedGeneration G = stage({{*Stub, first}});
    G.Functions[0].Added = true;
    ASSERT_FALSE(bool(Patch->openAdded(G)));
    EXPECT_EQ(call(*Stub), 1);
    commit(std::move(G));
    EXPECT_EQ(call(*Stub), 1);
    // The program may hold its address.
    ASSERT_TRUE(bool(Patch->undo()));
    EXPECT_EQ(call(*Stub), 1);
  });
}

TEST_F(PatcherTest, AThunkNeedsAStubThatKeepsR11) {
  inChild([&] {
    create();
    EntrySite A = site("target_gccO2_plain_leaf");
    arm(A);
    StagedGeneration G = stage({{A.Entry, first}});
    G.Functions[0].AbiThunk = true;
    llvm::Expected<Generation> Now = Patch->commit(std::move(G), {});
    EXPECT_THAT(llvm::toString(Now.takeError()), HasSubstr("r11"));

    EntrySite B = site("target_gccO2_plain_call");
    B.PreserveR11 = true;
    arm(B);
    StagedGeneration H = stage({{B.Entry, first}});
    H.Functions[0].AbiThunk = true;
    commit(std::move(H));
    EXPECT_EQ(call(B.Entry), 1);
  });
}

TEST_F(PatcherTest, KnowsBodiesOfFunctionsThatWereNeverTouched) {
  inChild([&] {
    create();
    EntrySite A = site("target_gccO2_plain_saves");
    AddrRange Whole = {A.Entry, A.Entry + A.Size};
    EXPECT_EQ(Patch->bodyOf(A.Entry), Whole);
    EXPECT_EQ(Patch->bodyOf(A.Entry + 1).size(), 0u);
  });
}

} // namespace

#include "Patch/EntryTable.h"

#include "Child.h"
#include "Patch/arch/x86_64/Decoder.h"
#include "Patch/arch/x86_64/Relocate.h"
#include "TestProgram.h"
#include "llvm/Support/MathExtras.h"
#include "gmock/gmock.h"
#include <atomic>
#include <cstring>
#include <map>
#include <sys/mman.h>
#include <thread>
#include <ucontext.h>
#include <unwind.h>
#include <utility>

using namespace hotjit;
using testing::HasSubstr;

using Target = int (*)(int, int);

static int replacement(int A, int B) { return 1000000 + A - B; }

//===-- Single steps ------------------------------------------------------===//

/// Called before each instruction of the call that is stepped through.
static std::function<void(ucontext_t *)> *OnStep;

static void onTrap(int, siginfo_t *, void *Context) {
  (*OnStep)(static_cast<ucontext_t *>(Context));
}

static uint64_t &rip(ucontext_t *C) {
  return reinterpret_cast<uint64_t &>(C->uc_mcontext.gregs[REG_RIP]);
}

#define CHANGE_TRAP_FLAG(Instruction)                                          \
  asm volatile("lea -128(%%rsp), %%rsp\n\t"                                    \
               "pushfq\n\t" Instruction "\n\t"                                 \
               "popfq\n\t"                                                     \
               "lea 128(%%rsp), %%rsp" ::                                      \
                   : "memory", "cc")

/// Calls F(A, B) one instruction at a time.
extern "C" __attribute__((noinline)) int
stepThrough(Target F, int A, int B, std::function<void(ucontext_t *)> *Step) {
  OnStep = Step;
  CHANGE_TRAP_FLAG("orq $0x100, (%%rsp)");
  int Result = F(A, B);
  CHANGE_TRAP_FLAG("andq $~0x100, (%%rsp)");
  return Result;
}

namespace {

constexpr std::pair<int, int> Arguments[] = {
    {0, 0}, {3, 4}, {501, -7}, {950, 12}, {-5, 1 << 20}};

class EntryTableTest : public testing::Test {
protected:
  /// In a child: everything that a test arms stays armed.
  void create() {
    struct sigaction A = {};
    A.sa_sigaction = onTrap;
    A.sa_flags = SA_SIGINFO;
    ASSERT_EQ(sigaction(SIGTRAP, &A, nullptr), 0);
    llvm::Expected<std::unique_ptr<EntryTable>> Created =
        EntryTable::create(Program.text(), Program.bytes(), L);
    ASSERT_TRUE(bool(Created)) << llvm::toString(Created.takeError());
    Entries = std::move(*Created);
  }

  /// Why F is refused, of the reasons that targets.c gives some builds for.
  static bool isExpected(llvm::StringRef Name, llvm::StringRef Why) {
    if (Name.ends_with("_first") || Name.ends_with("_zero"))
      return Why == "it has 3 bytes and another function follows";
    if (Name.ends_with("_loop") || Name.ends_with("_recursive"))
      return Why == "a loop in it begins at its first instruction" ||
             Why.ends_with("leads into its first 5 bytes");
    return false;
  }

  /// All builds of targets.c but the reference, as far as they can be armed.
  std::vector<TestProgram::Function> targets() {
    std::vector<TestProgram::Function> All = Program.functions("target_gcc");
    std::vector<TestProgram::Function> Clang =
        Program.functions("target_clang");
    All.insert(All.end(), Clang.begin(), Clang.end());
    std::vector<CodeEntry> Sites;
    for (TestProgram::Function &F : All) {
      F.Entry.PreserveR11 = llvm::StringRef(F.Name).starts_with("target_gccO2");
      Sites.push_back(F.Entry);
    }
    std::map<ProgramAddr, std::string> Refused;
    for (const ArmProblem &P : Entries->probe(Sites))
      Refused[P.Entry] = P.Why;
    llvm::erase_if(All, [&](TestProgram::Function &F) {
      auto It = Refused.find(F.Entry.Entry);
      if (It == Refused.end())
        return false;
      EXPECT_TRUE(isExpected(F.Name, It->second))
          << F.Name << ": " << It->second;
      return true;
    });
    return All;
  }

  void armAll(llvm::ArrayRef<TestProgram::Function> Functions) {
    std::vector<CodeEntry> Sites;
    for (const TestProgram::Function &F : Functions)
      Sites.push_back(F.Entry);
    for (const ArmProblem &P : Entries->arm(Sites))
      ADD_FAILURE() << nameOf(P.Entry) << ": " << P.Why;
  }

  std::string nameOf(ProgramAddr Entry) {
    for (const TestProgram::Function &F : Program.functions("target_"))
      if (F.Entry.Entry == Entry)
        return F.Name;
    return "?";
  }

  static Target call(const TestProgram::Function &F) {
    return reinterpret_cast<Target>(F.Entry.Entry.value());
  }
  Target reference(const TestProgram::Function &F) {
    return call(*Program.find(referenceName(F.Name)));
  }
  void expectOriginal(const TestProgram::Function &F) {
    for (auto [A, B] : Arguments)
      EXPECT_EQ(call(F)(A, B), reference(F)(A, B)) << F.Name;
  }
  void lead(const TestProgram::Function &F, ProgramAddr Where) {
    Entries->table().set(*Entries->slotOf(F.Entry.Entry), Where);
  }
  void rewrite(const TestProgram::Function &F, EntryTable::Direction D) {
    llvm::Error E = Entries->rewriteForTest(F.Entry.Entry, D);
    EXPECT_FALSE(bool(E)) << llvm::toString(std::move(E));
  }
  std::string firstProblem(llvm::ArrayRef<CodeEntry> Sites) {
    std::vector<ArmProblem> Problems = Entries->arm(Sites);
    return Problems.empty()
               ? "none"
               : (Problems[0].Retry ? "retry: " : "never: ") + Problems[0].Why;
  }
  const TestProgram::Function &find(llvm::StringRef Name) {
    const TestProgram::Function *F = Program.find(Name);
    EXPECT_NE(F, nullptr) << Name.str();
    return *F;
  }

  TestProgram Program;
  Log L;
  std::unique_ptr<EntryTable> Entries;
};

TEST_F(EntryTableTest, ArmsWhatCompilersWriteAndChangesNothingByIt) {
  inChild([&] {
    create();
    std::vector<TestProgram::Function> All = targets();
    ASSERT_GT(All.size(), 300u);
    armAll(All);
    for (const TestProgram::Function &F : All)
      expectOriginal(F);
    EXPECT_LE(Entries->mappings(), 6u);
  });
}

// G1: for a debugger a statement of the old body begins within what is a jump
// now.
TEST_F(EntryTableTest, SurvivesBreakpointsInItsJumps) {
  inChild([&] {
    create();
    std::vector<TestProgram::Function> All = targets();
    llvm::erase_if(
        All, [](const TestProgram::Function &F) { return F.Entry.Patchable; });
    armAll(All);
    ProgramAddr New(reinterpret_cast<uint64_t>(&replacement));
    for (const TestProgram::Function &F : All)
      lead(F, New);
    ASSERT_FALSE(bool(Entries->table().publish()));
    uint64_t First = llvm::alignDown(Program.text().Begin.value(), 4096);
    ASSERT_EQ(mprotect(reinterpret_cast<void *>(First),
                       Program.text().End.value() - First,
                       PROT_READ | PROT_WRITE | PROT_EXEC),
              0);
    std::unique_ptr<Decoder> Decode = llvm::cantFail(Decoder::create());
    std::map<unsigned, unsigned> Tried;
    for (const TestProgram::Function &F : All) {
      ProgramAddr Entry = F.Entry.Entry;
      // Of a short one the bytes behind it count.
      llvm::Expected<EntryWindow> W = findWindow(
          *Decode,
          Program.fileBytes(Entry,
                            std::max<uint64_t>(F.Entry.Size, CodeBehindShort)),
          Entry, F.Entry.Size);
      ASSERT_TRUE(bool(W)) << llvm::toString(W.takeError());
      auto *Jump = reinterpret_cast<uint8_t *>(Entry.value());
      ASSERT_EQ(Jump[0], 0xe9) << F.Name;
      for (unsigned K = 1; K != JumpSize; ++K) {
        if (!(W->Boundaries >> K & 1))
          continue;
        uint8_t Before = std::exchange(Jump[K], uint8_t(0xcc));
        EXPECT_EQ(call(F)(3, 4), replacement(3, 4)) << F.Name << '+' << K;
        Jump[K] = Before;
        ++Tried[K];
      }
    }
    for (unsigned K : {1, 2, 3, 4})
      EXPECT_GT(Tried[K], 0u) << K;
  });
}

TEST_F(EntryTableTest, LeadsEveryEntryWhereTheTableSays) {
  inChild([&] {
    create();
    std::vector<TestProgram::Function> All = targets();
    armAll(All);
    ProgramAddr New(reinterpret_cast<uint64_t>(&replacement));
    for (const TestProgram::Function &F : All)
      lead(F, New);
    expectOriginal(All[0]); // not published yet
    ASSERT_FALSE(bool(Entries->table().publish()));
    for (const TestProgram::Function &F : All)
      EXPECT_EQ(call(F)(30, 4), 1000026) << F.Name;
    for (const TestProgram::Function &F : All)
      lead(F, Entries->slots()[*Entries->slotOf(F.Entry.Entry)].Original);
    ASSERT_FALSE(bool(Entries->table().publish()));
    for (const TestProgram::Function &F : All)
      expectOriginal(F);
  });
}

TEST_F(EntryTableTest, GivesEveryByteBackInTheTestsOwnDirection) {
  inChild([&] {
    create();
    std::vector<TestProgram::Function> All = targets();
    armAll(All);
    for (const TestProgram::Function &F : All)
      rewrite(F, EntryTable::Direction::Disarm);
    for (const TestProgram::Function &F : All)
      EXPECT_EQ(programBytes(F.Entry.Entry, F.Entry.Size),
                Program.fileBytes(F.Entry.Entry, F.Entry.Size))
          << F.Name;
  });
}

TEST_F(EntryTableTest, RecoversAThreadThatStandsInsideTheBytes) {
  inChild([&] {
    create();
    std::vector<TestProgram::Function> All = targets();
    armAll(All);
    unsigned Stood = 0;
    uint64_t Before = countRecoveries();
    for (const TestProgram::Function &F : All) {
      uint64_t Entry = F.Entry.Entry.value();
      for (uint64_t Inside = 1; Inside != 7; ++Inside) {
        rewrite(F, EntryTable::Direction::Disarm);
        bool Written = false;
        std::function<void(ucontext_t *)> Step = [&](ucontext_t *C) {
          if (Written || rip(C) != Entry + Inside)
            return;
          // The thread is about to execute the instruction at Inside.
          rewrite(F, EntryTable::Direction::Rearm);
          Written = true;
        };
        EXPECT_EQ(stepThrough(call(F), 501, 9, &Step), reference(F)(501, 9))
            << F.Name << " at +" << Inside;
        Stood += Written;
        if (!Written)
          rewrite(F, EntryTable::Direction::Rearm);
      }
    }
    // Enough of them stood in a punned byte.
    EXPECT_GT(Stood, 100u);
    EXPECT_GT(countRecoveries() - Before, 100u);
    std::printf("stood inside %u times, recovered %lu\n", Stood,
                (unsigned long)(countRecoveries() - Before));
  });
}

/// Does a backtrace from here, in a signal handler, come by Range?
bool backtracePasses(AddrRange Range) {
  struct Search {
    AddrRange Range;
    bool Found;
    int Depth;
  } S = {Range, false, 0};
  _Unwind_Backtrace(
      [](_Unwind_Context *C, void *Argument) {
        auto *S = static_cast<Search *>(Argument);
        S->Found |= S->Range.contains(ProgramAddr(_Unwind_GetIP(C)));
        return S->Found || ++S->Depth > 60 ? _URC_NORMAL_STOP : _URC_NO_REASON;
      },
      &S);
  return S.Found;
}

TEST_F(EntryTableTest, UnwindsFromEveryInstructionOfStubsAndTrampolines) {
  inChild([&] {
    create();
    std::vector<TestProgram::Function> All = targets();
    armAll(All);
    const CodeEntry &Stepper = find("stepThrough").Entry;
    AddrRange Caller = {Stepper.Entry, Stepper.Entry + Stepper.Size};
    unsigned Ours = 0;
    for (const TestProgram::Function &F : All) {
      std::string Lost;
      std::function<void(ucontext_t *)> Step = [&](ucontext_t *C) {
        ProgramAddr Here(rip(C));
        if (Caller.contains(Here))
          return;
        Ours += !Program.text().contains(Here);
        if (!backtracePasses(Caller))
          Lost += fmt::format(" {:#x}", Here.value());
      };
      EXPECT_EQ(stepThrough(call(F), 3, 4, &Step), reference(F)(3, 4));
      EXPECT_EQ(Lost, "") << F.Name << " at " << F.Entry.Entry.value();
    }
    // Three instructions of a stub at least, each.
    EXPECT_GE(Ours, 3 * All.size());
  });
}

TEST_F(EntryTableTest, LeavesADebuggersBreakpointAlone) {
  inChild([&] {
    create();
    for (const char *Name :
         {"target_clangO0_plain_leaf", "target_clangO0_patchable_leaf"}) {
      const TestProgram::Function &F = find(Name);
      auto *Byte = reinterpret_cast<uint8_t *>(F.Entry.Entry.value());
      uint8_t Original = *Byte;
      {
        llvm::Expected<WritableText> Text =
            WritableText::open(AddrRange{F.Entry.Entry, F.Entry.Entry + 1});
        ASSERT_TRUE(bool(Text));
        Text->storeByte(F.Entry.Entry, 0xcc);
      }
      EXPECT_THAT(firstProblem(F.Entry), HasSubstr("retry: its code"));
      EXPECT_EQ(*Byte, 0xcc);
      {
        llvm::Expected<WritableText> Text =
            WritableText::open(AddrRange{F.Entry.Entry, F.Entry.Entry + 1});
        ASSERT_TRUE(bool(Text));
        Text->storeByte(F.Entry.Entry, Original);
      }
      EXPECT_EQ(firstProblem(F.Entry), "none");
      expectOriginal(F);
    }
  });
}

TEST_F(EntryTableTest, WritesNothingIfOneOfThemCannotBeArmed) {
  inChild([&] {
    create();
    CodeEntry Good = find("target_clangO0_plain_leaf").Entry;
    CodeEntry Bad = find("target_clangO0_plain_call").Entry;
    Bad.Size = 0;
    std::vector<ArmProblem> Problems = Entries->arm({Good, Bad});
    ASSERT_EQ(Problems.size(), 1u);
    EXPECT_EQ(Problems[0].Entry, Bad.Entry);
    EXPECT_EQ(programBytes(Good.Entry, Good.Size),
              Program.fileBytes(Good.Entry, Good.Size));
    EXPECT_FALSE(Entries->slotOf(Good.Entry));
  });
}

TEST_F(EntryTableTest, ProbingWritesNothing) {
  inChild([&] {
    create();
    std::vector<CodeEntry> Sites;
    for (const TestProgram::Function &F : targets())
      Sites.push_back(F.Entry);
    EXPECT_TRUE(Entries->probe(Sites).empty());
    ProgramAddr Begin = Program.text().Begin;
    for (ProgramAddr At = Begin; At + 4096 <= Program.text().End;
         At = At + 4096) {
      llvm::ArrayRef<uint8_t> File = Program.fileBytes(At, 4096);
      if (!File.empty()) {
        EXPECT_EQ(programBytes(At, 4096), File);
      }
    }
  });
}

TEST_F(EntryTableTest, WaitsWhileARunningThreadHasSigillBlocked) {
  inChild([&] {
    create();
    const CodeEntry &Plain = find("target_clangO0_plain_leaf").Entry;
    const CodeEntry &Patchable = find("target_clangO0_patchable_leaf").Entry;
    std::atomic<int> State{0};
    std::thread Blocker([&] {
      sigset_t Mask;
      sigemptyset(&Mask);
      sigaddset(&Mask, SIGILL);
      pthread_sigmask(SIG_BLOCK, &Mask, nullptr);
      State = 1;
      while (State == 1)
        ;
    });
    while (State != 1)
      ;
    EXPECT_THAT(firstProblem(Plain), HasSubstr("has SIGILL blocked"));
    // Nobody meets SIGILL there.
    EXPECT_EQ(firstProblem(Patchable), "none");
    State = 2;
    Blocker.join();
    EXPECT_EQ(firstProblem(Plain), "none");
  });
}

TEST_F(EntryTableTest, DoesNotWaitForAThreadThatSleepsWithSigillBlocked) {
  inChild([&] {
    create();
    CodeEntry Plain = find("target_clangO0_plain_leaf").Entry;
    int Ends[2];
    ASSERT_EQ(pipe(Ends), 0);
    std::thread Blocker([&] {
      sigset_t Mask;
      sigfillset(&Mask);
      pthread_sigmask(SIG_BLOCK, &Mask, nullptr);
      char Byte;
      EXPECT_EQ(read(Ends[0], &Byte, 1), 1);
    });
    // Until it sleeps, the answer is "retry"; then it is armed.
    std::string Problem;
    do
      Problem = firstProblem(Plain);
    while (llvm::StringRef(Problem).starts_with("retry"));
    EXPECT_EQ(Problem, "none");
    EXPECT_EQ(write(Ends[1], "x", 1), 1);
    Blocker.join();
  });
}

TEST_F(EntryTableTest, RefusesIfTheProgramHasReplacedTheHandler) {
  inChild([&] {
    create();
    signal(SIGILL, SIG_DFL);
    EXPECT_THAT(firstProblem(find("target_clangO0_plain_leaf").Entry),
                HasSubstr("retry: the program has put its own SIGILL handler"));
  });
}

TEST_F(EntryTableTest, AStubKeepsItsForm) {
  inChild([&] {
    create();
    CodeEntry E = find("target_clangO2_plain_call").Entry;
    EXPECT_EQ(firstProblem(E), "none");
    EXPECT_EQ(firstProblem(E), "none"); // armed already
    E.PreserveR11 = true;
    EXPECT_THAT(firstProblem(E), HasSubstr("does not keep r11"));
  });
}

TEST_F(EntryTableTest, AddedFunctionsAreReachedByTheirStub) {
  inChild([&] {
    create();
    llvm::Expected<ProgramAddr> Stub = Entries->addStub(0);
    ASSERT_TRUE(bool(Stub));
    Entries->table().set(*Entries->slotOf(*Stub),
                         ProgramAddr(reinterpret_cast<uint64_t>(&replacement)));
    ASSERT_FALSE(bool(Entries->table().publish()));
    EXPECT_EQ(reinterpret_cast<Target>(Stub->value())(1, 2), 999999);
    EXPECT_THAT(llvm::toString(Entries->addStub(1).takeError()),
                HasSubstr("not known"));
  });
}

} // namespace

#include "Patch/arch/x86_64/Relocate.h"

#include "gmock/gmock.h"

using namespace hotjit;
using testing::ElementsAreArray;
using testing::HasSubstr;

namespace {

using Bytes = std::vector<uint8_t>;
constexpr ProgramAddr Entry(0x10000);
constexpr ProgramAddr At(0x20000);

class RelocateTest : public testing::Test {
protected:
  void SetUp() override {
    llvm::Expected<std::unique_ptr<Decoder>> Created = Decoder::create();
    ASSERT_TRUE(bool(Created));
    D = std::move(*Created);
  }
  /// Size 0: all of Code.
  llvm::Expected<EntryWindow> window(const Bytes &Code, uint64_t Size = 0) {
    return findWindow(*D, Code, Entry, Size ? Size : Code.size());
  }
  std::string refusal(const Bytes &Code, uint64_t Size = 0) {
    llvm::Expected<EntryWindow> W = window(Code, Size);
    return W ? "accepted" : llvm::toString(W.takeError());
  }
  Trampoline move(const Bytes &Code, uint64_t Size = 0) {
    llvm::Expected<EntryWindow> W = window(Code, Size);
    EXPECT_TRUE(bool(W)) << llvm::toString(W.takeError());
    llvm::Expected<Trampoline> T = relocate(*W, Code, Entry, At);
    EXPECT_TRUE(bool(T)) << llvm::toString(T.takeError());
    return std::move(*T);
  }
  std::unique_ptr<Decoder> D;
};

/// push rbp; mov rbp,rsp; sub rsp,0x20; ret
const Bytes FramePointer = {0x55, 0x48, 0x89, 0xe5, 0x48,
                            0x83, 0xec, 0x20, 0xc3};

TEST_F(RelocateTest, FindsBoundariesWithinTheJump) {
  llvm::Expected<EntryWindow> W = window(FramePointer);
  ASSERT_TRUE(bool(W));
  EXPECT_EQ(W->Length, 8u);
  EXPECT_EQ(W->Boundaries, (1u << 1) | (1u << 4));
  // endbr64; push rbx; ret
  W = window({0xf3, 0x0f, 0x1e, 0xfa, 0x53, 0xc3});
  ASSERT_TRUE(bool(W));
  EXPECT_EQ(W->Length, 5u);
  EXPECT_EQ(W->Boundaries, 1u << 4);
}

TEST_F(RelocateTest, CopiesAndJumpsBack) {
  Trampoline T = move(FramePointer);
  EXPECT_THAT(T.Code,
              ElementsAreArray(Bytes{0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec,
                                     0x20, 0xe9, 0xfb, 0xff, 0xfe, 0xff}));
  ASSERT_EQ(T.Moves.size(), 4u);
  EXPECT_EQ(T.Moves[2].From, 4u);
  EXPECT_EQ(T.Moves[2].To, 4u);
  EXPECT_EQ(T.Moves[3].From, 8u);
}

TEST_F(RelocateTest, RebasesRipOperands) {
  // mov eax,[rip+0x100]: 0x10106; ret
  Trampoline T = move({0x8b, 0x05, 0x00, 0x01, 0x00, 0x00, 0xc3});
  // From 0x20006 that is -0xff00.
  EXPECT_THAT(llvm::ArrayRef<uint8_t>(T.Code).take_front(6),
              ElementsAreArray(Bytes{0x8b, 0x05, 0x00, 0x01, 0xff, 0xff}));
}

TEST_F(RelocateTest, WidensShortBranches) {
  // test edi,edi; je +1 (0x10005); nop; ret
  Trampoline T = move({0x85, 0xff, 0x74, 0x02, 0x90, 0x90, 0xc3});
  EXPECT_THAT(llvm::ArrayRef<uint8_t>(T.Code).slice(2, 6),
              // 0x10006 - 0x20008
              ElementsAreArray(Bytes{0x0f, 0x84, 0xfe, 0xff, 0xfe, 0xff}));
}

TEST_F(RelocateTest, PushesTheOriginalReturnAddressOfACall) {
  // sub rsp,8; call 0x10010; add rsp,8; ret
  Bytes Code = {0x48, 0x83, 0xec, 0x08, 0xe8, 0x07, 0x00,
                0x00, 0x00, 0x48, 0x83, 0xc4, 0x08, 0xc3};
  Trampoline T = move(Code);
  EXPECT_THAT(T.Code,
              ElementsAreArray(Bytes{
                  0x48, 0x83, 0xec, 0x08,             // sub rsp,8
                  0xff, 0x35, 0x06, 0x00, 0x00, 0x00, // push [rip+6]
                  0xe9, 0x01, 0x00, 0xff, 0xff,       // jmp 0x10010
                  0xcc,                               // to a multiple of 8
                  0x09, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, // 0x10009
              }));
  EXPECT_EQ(*T.PushedAt, 10u);
}

TEST_F(RelocateTest, MovesACallThroughMemory) {
  // push rax; call [rip+0x100]: 0x10107; ret
  Bytes Code = {0x50, 0xff, 0x15, 0x00, 0x01, 0x00, 0x00, 0x58, 0xc3};
  Trampoline T = move(Code);
  // jmp [rip+x] with x = 0x10107 - 0x2000d
  EXPECT_THAT(llvm::ArrayRef<uint8_t>(T.Code).slice(7, 6),
              ElementsAreArray(Bytes{0xff, 0x25, 0xfa, 0x00, 0xff, 0xff}));
}

TEST_F(RelocateTest, TakesAShortFunctionIfPaddingFollows) {
  // mov eax,edi; ret; then a long NOP.
  Bytes Code = {0x89, 0xf8, 0xc3, 0x66, 0x2e, 0x0f, 0x1f,
                0x84, 0x00, 0x00, 0x00, 0x00, 0x00};
  Trampoline T = move(Code, 3);
  EXPECT_THAT(T.Code, ElementsAreArray(Bytes{0x89, 0xf8, 0xc3}));
  Code[3] = 0x55;
  EXPECT_THAT(refusal(Code, 3), HasSubstr("another function follows"));
  EXPECT_THAT(refusal({0x89, 0xf8, 0xc3}, 3),
              HasSubstr("it has 3 bytes and is the last of its file"));
}

TEST_F(RelocateTest, RefusesWhatLeadsIntoTheJump) {
  // push rbx; mov ebx,edi; nop; nop; jmp 0x10003
  EXPECT_THAT(refusal({0x53, 0x89, 0xfb, 0x90, 0x90, 0x90, 0xeb, 0xfb}),
              HasSubstr("leads into its first 5 bytes"));
  // dec edi; nops; jne 0x10000
  EXPECT_THAT(refusal({0xff, 0xcf, 0x90, 0x90, 0x90, 0x75, 0xf9, 0xc3}),
              HasSubstr("a loop in it begins at its first instruction"));
  // lea rax,[rip-5]: 0x10002; ret
  EXPECT_THAT(refusal({0x48, 0x8d, 0x05, 0xfb, 0xff, 0xff, 0xff, 0xc3}),
              HasSubstr("takes an address"));
}

TEST_F(RelocateTest, AllowsRecursiveCalls) {
  // sub rsp,8; nop; call 0x10000; ret
  EXPECT_EQ(refusal({0x48, 0x83, 0xec, 0x08, 0x90, 0xe8, 0xf6, 0xff, 0xff, 0xff,
                     0xc3}),
            "accepted");
}

TEST_F(RelocateTest, RefusesWhatItCannotMove) {
  // push rax; call rax; ...: returns into the jump
  EXPECT_THAT(refusal({0x50, 0xff, 0xd0, 0x58, 0x90, 0x90, 0xc3}),
              HasSubstr("returns into its first"));
  EXPECT_THAT(refusal({0x55, 0x06, 0x90, 0x90, 0x90, 0x90}),
              HasSubstr("no known instruction at +0x1"));
  EXPECT_THAT(refusal({0x55, 0x90, 0x90, 0x90, 0x90, 0x06}),
              HasSubstr("no known instruction at +0x5"));
  // jrcxz +2; has no long form
  Bytes Loop = {0xe3, 0x04, 0x90, 0x90, 0x90, 0x90, 0xc3};
  llvm::Expected<EntryWindow> W = window(Loop);
  ASSERT_TRUE(bool(W));
  llvm::Expected<Trampoline> T = relocate(*W, Loop, Entry, At);
  EXPECT_THAT(llvm::toString(T.takeError()), HasSubstr("cannot be moved"));
}

TEST_F(RelocateTest, RefusesWhatDoesNotReach) {
  Bytes Code = {0x8b, 0x05, 0x00, 0x01, 0x00, 0x00, 0xc3};
  llvm::Expected<EntryWindow> W = window(Code);
  ASSERT_TRUE(bool(W));
  llvm::Expected<Trampoline> T =
      relocate(*W, Code, Entry, ProgramAddr(1ULL << 40));
  EXPECT_THAT(llvm::toString(T.takeError()), HasSubstr("does not reach"));
}

} // namespace

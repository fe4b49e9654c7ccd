#include "Patch/arch/x86_64/Decoder.h"

#include "gtest/gtest.h"

using namespace hotjit;

namespace {

using Bytes = std::vector<uint8_t>;

class DecoderTest : public testing::Test {
protected:
  void SetUp() override {
    llvm::Expected<std::unique_ptr<Decoder>> Created = Decoder::create();
    ASSERT_TRUE(bool(Created));
    D = std::move(*Created);
  }
  std::optional<Instruction> decode(const Bytes &Code) {
    return D->decode(Code, ProgramAddr(0x1000));
  }
  std::unique_ptr<Decoder> D;
};

TEST_F(DecoderTest, TellsWhereControlGoes) {
  EXPECT_EQ(decode({0x55})->Goes, Flow::Next);
  EXPECT_EQ(decode({0xc3})->Goes, Flow::Return);
  EXPECT_EQ(decode({0xf3, 0xc3})->Goes, Flow::Return);
  EXPECT_EQ(decode({0xff, 0xe0})->Goes, Flow::IndirectJump);
  EXPECT_EQ(decode({0xff, 0xd0})->Goes, Flow::IndirectCall);
  EXPECT_EQ(decode({0x0f, 0x05})->Goes, Flow::Next); // syscall
  EXPECT_EQ(decode({0xf3, 0x0f, 0x1e, 0xfa})->Length, 4u);
}

TEST_F(DecoderTest, TellsTargetsOfDirectBranches) {
  std::optional<Instruction> Short = decode({0x74, 0x10});
  EXPECT_EQ(Short->Goes, Flow::ConditionalJump);
  EXPECT_EQ(*Short->BranchTarget, ProgramAddr(0x1012));
  std::optional<Instruction> Call = decode({0xe8, 0xfb, 0xff, 0xff, 0xff});
  EXPECT_EQ(Call->Goes, Flow::Call);
  EXPECT_EQ(*Call->BranchTarget, ProgramAddr(0x1000));
  EXPECT_EQ(decode({0xeb, 0xfe})->Goes, Flow::Jump);
}

TEST_F(DecoderTest, FindsRipOperandsBeforeImmediatesOfEverySize) {
  struct {
    Bytes Code;
    unsigned Offset;
  } Cases[] = {
      {{0x8b, 0x05, 0x10, 0, 0, 0}, 2},                // mov eax,[rip+0x10]
      {{0x48, 0x8d, 0x3d, 0x10, 0, 0, 0}, 3},          // lea rdi,[rip+0x10]
      {{0x80, 0x3d, 0x10, 0, 0, 0, 0x00}, 2},          // cmp byte [rip],0
      {{0x66, 0x81, 0x3d, 0x10, 0, 0, 0, 1, 0}, 3},    // cmp word [rip],1
      {{0xc7, 0x05, 0x10, 0, 0, 0, 0x10, 0, 0, 0}, 2}, // mov dword,0x10
      {{0xf2, 0x0f, 0x10, 0x05, 0x10, 0, 0, 0}, 4},    // movsd xmm0,[rip+0x10]
      {{0xc5, 0xfb, 0x10, 0x05, 0x10, 0, 0, 0}, 4},    // vmovsd
      {{0xff, 0x15, 0x10, 0, 0, 0}, 2},                // call [rip+0x10]
  };
  for (const auto &C : Cases) {
    std::optional<Instruction> I = decode(C.Code);
    ASSERT_TRUE(I && I->RipTarget);
    EXPECT_EQ(I->Length, C.Code.size());
    EXPECT_EQ(I->RipOffset, C.Offset);
    EXPECT_EQ(*I->RipTarget, ProgramAddr(0x1000 + C.Code.size() + 0x10));
  }
}

TEST_F(DecoderTest, KnowsPadding) {
  EXPECT_TRUE(decode({0x90})->Padding);
  EXPECT_TRUE(decode({0xcc})->Padding);
  EXPECT_TRUE(decode({0x66, 0x90})->Padding);
  EXPECT_TRUE(decode({0x0f, 0x1f, 0x44, 0x00, 0x00})->Padding);
  EXPECT_TRUE(decode({0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0})->Padding);
  EXPECT_FALSE(decode({0x55})->Padding);
}

TEST_F(DecoderTest, GivesNothingForWhatIsNoInstruction) {
  EXPECT_FALSE(decode({0x06}));
  EXPECT_FALSE(decode({0xe9, 0x00})); // cut off
  EXPECT_FALSE(decode({}));
}

} // namespace

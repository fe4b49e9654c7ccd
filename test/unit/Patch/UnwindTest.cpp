#include "Patch/arch/x86_64/Unwind.h"

#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/Support/Endian.h"
#include "gmock/gmock.h"

using namespace hotjit;
using testing::ElementsAreArray;
using testing::HasSubstr;

namespace {

using Bytes = std::vector<uint8_t>;

/// A CIE as compilers write it ("zR", pcrel|sdata4) and an FDE with Program.
class Tables {
public:
  explicit Tables(const Bytes &Program, Bytes Augmentation = {'z', 'R', 0}) {
    begin();
    put32(0);
    add({1});
    add(Augmentation);
    add({1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1});
    end();
    size_t Fde = All.size();
    begin();
    put32(uint32_t(All.size()));
    put32(0); // begin
    put32(100);
    add({0});
    add(Program);
    end();
    Offset = Fde;
  }
  const uint8_t *fde() const { return &All[Offset]; }

private:
  void add(const Bytes &B) { All.insert(All.end(), B.begin(), B.end()); }
  void put32(uint32_t Value) {
    uint8_t Copy[4];
    llvm::support::endian::write32le(Copy, Value);
    All.insert(All.end(), Copy, Copy + 4);
  }
  void begin() {
    Field = All.size();
    put32(0);
  }
  void end() {
    llvm::support::endian::write32le(&All[Field],
                                     uint32_t(All.size() - Field - 4));
  }
  Bytes All;
  size_t Field = 0, Offset = 0;
};

/// push rbp; mov rbp,rsp; ...
const Bytes FramePointer = {0x41,         // advance 1
                            0x0e, 16,     // def_cfa_offset 16
                            0x86, 2,      // offset rbp, 2
                            0x43,         // advance 3
                            0x0d, 6,      // def_cfa_register rbp
                            0x60,         // advance 32
                            0x0c, 7,  8}; // def_cfa rsp, 8

TEST(UnwindTest, ReadsTheRowsOfTheFirstInstructions) {
  Tables T(FramePointer);
  llvm::Expected<EntryRows> Rows = parseEntryRows(T.fde(), 8);
  ASSERT_TRUE(bool(Rows));
  EXPECT_THAT(Rows->Initial, ElementsAreArray(Bytes{0x0c, 7, 8, 0x90, 1}));
  ASSERT_EQ(Rows->Rows.size(), 3u);
  EXPECT_EQ(*Rows->Rows[0].FromRsp, 8);
  EXPECT_EQ(Rows->Rows[1].Offset, 1u);
  EXPECT_EQ(*Rows->Rows[1].FromRsp, 16);
  EXPECT_EQ(Rows->Rows[2].Offset, 4u);
  EXPECT_FALSE(Rows->Rows[2].FromRsp);
}

TEST(UnwindTest, TranslatesLocations) {
  Tables T(FramePointer);
  llvm::Expected<EntryRows> Rows = parseEntryRows(T.fde(), 6);
  ASSERT_TRUE(bool(Rows));
  Trampoline Moved;
  Moved.Code.assign(20, 0x90);
  Moved.Moves = {{0, 0}, {1, 1}, {4, 9}, {6, 15}};
  llvm::Expected<Bytes> Out =
      describeTrampoline(*Rows, Moved, ProgramAddr(0x1000));
  ASSERT_TRUE(bool(Out));
  // Read back: rows at 0, 1 and 9.
  llvm::Expected<EntryRows> Back = parseEntryRows(
      Out->data() + 4 + llvm::support::endian::read32le(Out->data()), 20);
  ASSERT_TRUE(bool(Back));
  ASSERT_EQ(Back->Rows.size(), 3u);
  EXPECT_EQ(Back->Rows[1].Offset, 1u);
  EXPECT_EQ(Back->Rows[2].Offset, 9u);
  EXPECT_EQ(Back->Initial, Rows->Initial);
}

TEST(UnwindTest, AddsARowForTheAddressThatAMovedCallPushes) {
  Tables T({0x44, 0x0e, 16}); // sub rsp,8
  llvm::Expected<EntryRows> Rows = parseEntryRows(T.fde(), 9);
  ASSERT_TRUE(bool(Rows));
  Trampoline Moved;
  Moved.Code.assign(24, 0x90);
  Moved.Moves = {{0, 0}, {4, 4}};
  Moved.PushedAt = 10;
  llvm::Expected<Bytes> Out =
      describeTrampoline(*Rows, Moved, ProgramAddr(0x1000));
  ASSERT_TRUE(bool(Out));
  llvm::Expected<EntryRows> Back = parseEntryRows(
      Out->data() + 4 + llvm::support::endian::read32le(Out->data()), 24);
  ASSERT_TRUE(bool(Back));
  ASSERT_EQ(Back->Rows.size(), 3u);
  EXPECT_EQ(Back->Rows[2].Offset, 10u);
  EXPECT_EQ(*Back->Rows[2].FromRsp, 24);
}

TEST(UnwindTest, RefusesWhatItDoesNotUnderstand) {
  Tables Unknown({0x3f});
  EXPECT_THAT(llvm::toString(parseEntryRows(Unknown.fde(), 8).takeError()),
              HasSubstr("unclear"));
  Tables Signal({}, {'z', 'R', 'S', 0});
  EXPECT_THAT(llvm::toString(parseEntryRows(Signal.fde(), 8).takeError()),
              HasSubstr("augmentation"));
  // A row in the middle of an instruction.
  Tables Odd({0x42, 0x0e, 16});
  llvm::Expected<EntryRows> Rows = parseEntryRows(Odd.fde(), 6);
  ASSERT_TRUE(bool(Rows));
  Trampoline Moved;
  Moved.Moves = {{0, 0}, {5, 5}};
  EXPECT_THAT(llvm::toString(
                  describeTrampoline(*Rows, Moved, ProgramAddr()).takeError()),
              HasSubstr("within an instruction"));
}

} // namespace

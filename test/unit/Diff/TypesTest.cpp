// Types that the program has objects of, told field by field.

#include "FakeProgram.h"

using namespace hotjit;
using namespace hotjit::test;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

static TypeField field(std::string Name, std::string Type, uint64_t Offset,
                       uint64_t Size = 4) {
  return {std::move(Name), std::move(Type), Offset * 8, Size * 8, false};
}

static CompiledType widget(std::vector<TypeField> Fields, uint64_t Size) {
  CompiledType T;
  T.Name = "ui::Widget";
  T.Place = {"/src/widget.h", 12};
  T.Size = Size;
  T.Align = 4;
  T.Fields = std::move(Fields);
  return T;
}

/// Two ints; the program has the type if its debug info does.
static Scene twoInts() {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1")};
  S.New.Functions = {function("f", "2")};
  S.Old.Types =
      S.New.Types = {widget({field("x", "int", 0), field("y", "int", 4)}, 8)};
  S.Program.of(*S.Built).Types = {
      {"Widget", "/src/widget.h", 12, 8, {}, {{"x", 0, 32}, {"y", 32, 32}}}};
  return S;
}

TEST(Types, TheSameLayoutIsNoHindrance) {
  EXPECT_THAT(twoInts().text(), HasSubstr("live f"));
}

// B41.
TEST(Types, AnAddedFieldIsRefusedWithTheDifference) {
  Scene S = twoInts();
  S.New.Types[0] = widget(
      {field("x", "int", 0), field("y", "int", 4), field("z", "int", 8)}, 12);
  EXPECT_EQ(S.text(),
            "refused HJ1402 ui::Widget (widget.h:12): widget.h:12: size of "
            "'ui::Widget' changed 8 -> 12; field 'z' (int) added at offset 8; "
            "objects of it may be alive; restart to apply\n"
            "held f (a.c:1): held back: another part of the change is "
            "refused\n");
}

// B42: the size stays, the meaning does not.
TEST(Types, SizeNeutralChangesAreDetected) {
  Scene S = twoInts();
  S.New.Types[0] = widget({field("y", "int", 0), field("x", "int", 4)}, 8);
  EXPECT_THAT(S.text(),
              HasSubstr("layout of 'ui::Widget' changed; field 'y' moved from "
                        "offset 4 to offset 0; field 'x' moved from offset 0 "
                        "to offset 4"));
  S.New.Types[0] = widget({field("x", "int", 0), field("height", "int", 4)}, 8);
  EXPECT_THAT(S.text(), HasSubstr("field 'y' was renamed 'height'"));
  S.New.Types[0] = widget({field("x", "int", 0), field("y", "float", 4)}, 8);
  EXPECT_THAT(S.text(),
              HasSubstr("type of field 'y' changed 'int' -> 'float'"));
  S.New.Types[0] = widget({field("x", "int", 0)}, 8);
  EXPECT_THAT(S.text(), HasSubstr("field 'y' (int) removed"));
}

// A field in front of others, in one line.
TEST(Types, FieldsThatMoveTogetherAreCounted) {
  Scene S = twoInts();
  S.Old.Types = {widget({field("a", "int", 0), field("b", "int", 4),
                         field("c", "int", 8), field("d", "int", 12)},
                        16)};
  S.New.Types = {
      widget({field("a", "int", 0), field("z", "int", 4), field("b", "int", 8),
              field("c", "int", 12), field("d", "int", 16)},
             20)};
  EXPECT_THAT(S.text(), HasSubstr("changed 16 -> 20; field 'z' (int) added at "
                                  "offset 4; 3 fields, 'b' to 'd', moved by "
                                  "4 bytes; objects"));
}

TEST(Types, AlignmentAndBasesAndPassingArePartOfTheLayout) {
  Scene S = twoInts();
  S.New.Types[0].Align = 8;
  S.New.Types[0].TriviallyPassed = false;
  S.New.Types[0].Bases = {field("", "Base", 0)};
  EXPECT_THAT(S.text(), AllOf(HasSubstr("alignment changed 4 -> 8"),
                              HasSubstr("bases changed: none -> Base"),
                              HasSubstr("is no longer passed in registers")));
}

// A type that no code of the program uses is not in its debug info.
TEST(Types, ATypeThatTheProgramDoesNotUseIsFreeToChange) {
  Scene S = twoInts();
  S.Program.of(*S.Built).Types.clear();
  S.New.Types[0] = widget({field("x", "int", 0)}, 4);
  EXPECT_THAT(S.text(), HasSubstr("live f"));
  // But once a generation of ours was compiled with it, it may be in use.
  S.Earlier.Units.insert("/src/a.c");
  EXPECT_THAT(S.refused(), ElementsAre("HJ1402 ui::Widget"));
}

// The name is looked for in every folder, and not in another file.
TEST(Types, ATypeOfTheSameNameInAnotherFileIsAnother) {
  Scene S = twoInts();
  S.Program.of(*S.Built).Types[0].File = "/src/other.h";
  S.New.Types[0] = widget({field("x", "int", 0)}, 4);
  EXPECT_THAT(S.text(), HasSubstr("live f"));
  S.Program.of(*S.Built).Types[0].File = "widget.h"; // relative
  EXPECT_THAT(S.refused(), ElementsAre("HJ1402 ui::Widget"));
}

// C: `typedef struct { ... } Widget;` may have no name in debug info.
TEST(Types, ATypeWithoutNameIsFoundByItsPlaceOrLayout) {
  Scene S = twoInts();
  S.Program.of(*S.Built).Types[0].Name = "";
  S.New.Types[0] = widget({field("x", "int", 0)}, 4);
  EXPECT_THAT(S.refused(), ElementsAre("HJ1402 ui::Widget"));
  S.Program.of(*S.Built).Types[0].Line = 99; // an edit above shifted it
  EXPECT_THAT(S.refused(), ElementsAre("HJ1402 ui::Widget"));
}

// B9, B10.
TEST(Types, AddedAndReorderedVirtualsAreRefused) {
  Scene S = twoInts();
  S.Old.Types[0].Polymorphic = S.New.Types[0].Polymorphic = true;
  S.Old.Types[0].VirtualSlots = {"draw", "hide"};
  S.New.Types[0].VirtualSlots = {"draw", "hide", "show"};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1305 ui::Widget"));
  EXPECT_THAT(S.text(), HasSubstr("added: show"));
  S.New.Types[0].VirtualSlots = {"hide", "draw"};
  EXPECT_THAT(S.text(), HasSubstr("their order is another"));
}

TEST(Types, AFirstVirtualIsRefused) {
  Scene S = twoInts();
  S.New.Types[0] = widget({field("x", "int", 8), field("y", "int", 12)}, 16);
  S.New.Types[0].Polymorphic = true;
  S.New.Types[0].VirtualSlots = {"draw"};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1306 ui::Widget"));
}

// F11: the program was built from another text.
TEST(Types, AnOldTextThatIsNotThePrograms) {
  Scene S = twoInts();
  S.Program.of(*S.Built).Types[0].Size = 16;
  EXPECT_THAT(S.refused(), ElementsAre("HJ2004 ui::Widget"));
  EXPECT_THAT(S.text(), HasSubstr("8 in the text and 16 in the program"));
  S = twoInts();
  S.Program.of(*S.Built).Types[0].Fields[1].Name = "height";
  EXPECT_THAT(S.text(), HasSubstr("no field 'height'"));
  S = twoInts();
  S.Program.of(*S.Built).Types[0].Fields[1].OffsetBits = 0;
  EXPECT_THAT(S.text(), HasSubstr("'y' is at offset 4 in the text and at "
                                  "offset 0 in the program"));
}

// The compilers' views of the same struct differ in what nobody can touch.
TEST(Types, VtablePointersAndOpenArraysAreNotCompared) {
  Scene S = twoInts();
  auto &Fields = S.Program.of(*S.Built).Types[0].Fields;
  Fields.push_back({"_vptr.Widget", 0, 64});
  Fields.push_back({"tail", 64, 0});
  TypeField Tail = field("tail", "char[]", 8, 0);
  S.Old.Types[0].Fields.push_back(Tail);
  S.New.Types[0].Fields.push_back(Tail);
  EXPECT_THAT(S.text(), HasSubstr("live f"));
}

// Two types of one name, of which the program has one: macros, ODR.
TEST(Types, OneOfSeveralTypesOfTheNameMayMatch) {
  Scene S = twoInts();
  CompiledType Inner = widget({field("only", "int", 0)}, 4);
  Inner.Name = "net::Widget";
  S.Old.Types.push_back(Inner);
  S.New.Types.push_back(Inner);
  EXPECT_THAT(S.text(), HasSubstr("live f"));
}

// A type that was taken away by an edit and comes back different.
TEST(Types, ATypeThatComesBackIsComparedWithTheProgram) {
  Scene S = twoInts();
  S.Old.Types = {};
  EXPECT_THAT(S.text(), HasSubstr("live f"));
  S.New.Types[0] = widget({field("x", "int", 0)}, 4);
  EXPECT_THAT(S.refused(), ElementsAre("HJ1402 ui::Widget"));
}

// A line above was inserted: types without a name are spelled with their line.
TEST(Types, AShiftedTypeWithoutNameIsTheSame) {
  Scene S = twoInts();
  S.Program.of(*S.Built).Types.clear();
  S.Earlier.Units.insert("/src/a.c");
  S.Old.Types[0].Name = "(unnamed struct at /src/a.c:3:5)";
  S.New.Types[0].Name = "(unnamed struct at /src/a.c:4:5)";
  S.Old.Types[0].Fields[0].Type = "struct (unnamed at /src/a.c:3:5)[2]";
  S.New.Types[0].Fields[0].Type = "struct (unnamed at /src/a.c:4:5)[2]";
  EXPECT_THAT(S.text(), HasSubstr("live f"));
  S.New.Types[0].Fields[0].Type = "struct (unnamed at /src/a.c:4:5)[3]";
  EXPECT_EQ(S.refused().size(), 1u);
}

// V-9, B19: closures are matched by layout and order, never by name.
TEST(Types, LambdasThatMoveAreRefused) {
  Scene S = twoInts();
  CompiledType Closure;
  Closure.Name = "(lambda at /src/a.c:5:3)";
  Closure.Place = {"/src/a.c", 5};
  Closure.Lambda = true;
  Closure.Size = 1;
  S.Old.Types.push_back(Closure);
  Closure.Name = "(lambda at /src/a.c:6:3)";
  Closure.Place.Line = 6;
  S.New.Types.push_back(Closure);
  EXPECT_THAT(S.text(), HasSubstr("live f"));
  CompiledType Inserted = Closure;
  Inserted.Place.Line = 2;
  S.New.Types.push_back(Inserted);
  // Behind it the first one has the name that it had, before it not.
  S.Old.Functions.push_back(function("_ZZ1fvENKUlvE_clEv", "1"));
  S.New.Functions.push_back(function("_ZZ1fvENKUlvE_clEv", "1"));
  S.New.Functions.push_back(function("_ZZ1fvENKUlvE0_clEv", "2"));
  EXPECT_THAT(S.text(), HasSubstr("live f"));
  S.New.Functions.eraseIf(
      [](const auto &F) { return F.Symbol == "_ZZ1fvENKUlvE_clEv"; });
  S.New.Functions.push_back(function("_ZZ1fvENKUlvE_clEv", "3"));
  EXPECT_THAT(S.refused(), ElementsAre("HJ1603 a.c"));
  // B18: the same number, with another capture.
  S.New.Types.eraseIf([](const auto &T) { return T.Place.Line == 2; });
  for (CompiledType &T : S.New.Types)
    if (T.Lambda)
      T.Size = 8;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1603 a.c"));
}

// V-9: Clang numbers closures by when it makes code for them.
TEST(Types, LambdasThatTradeNamesAreRefused) {
  Scene S;
  S.Old.Functions = {function("_ZZ1fvENK3$_0clEv", "1"),
                     function("_ZZ1fvENK3$_1clEv", "2")};
  S.New.Functions = S.Old.Functions;
  S.Old.Functions[1].Place.Line = 9;
  S.New.Functions[0].Place.Line = 9;
  // Each has kept its body: they were moved, and are what they were.
  EXPECT_EQ(S.text(), "unchanged 2\n");
  S.New.Functions = {function("_ZZ1fvENK3$_0clEv", "2"),
                     function("_ZZ1fvENK3$_1clEv", "1")};
  S.New.Functions[0].Place.Line = 9;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1603 a.c"));
}

static CompiledEnum colors() {
  CompiledEnum E;
  E.Name = "Color";
  E.Place = {"/src/a.c", 3};
  E.Underlying = "unsigned int";
  E.Values = {{"Red", "0"}, {"Green", "1"}};
  return E;
}

// B44.
TEST(Types, EnumeratorsMayBeAddedAndNotChanged) {
  Scene S = twoInts();
  S.Old.Enums = S.New.Enums = {colors()};
  S.New.Enums[0].Values.push_back({"Blue", "2"});
  EXPECT_THAT(S.text(), HasSubstr("live f"));
  S.New.Enums[0].Values = {{"Red", "0"}, {"Blue", "1"}, {"Green", "2"}};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1000 Color"));
  EXPECT_THAT(S.text(), HasSubstr("'Green' changed 1 -> 2"));
  S.New.Enums[0].Values = {{"Red", "0"}};
  EXPECT_THAT(S.text(), HasSubstr("'Green' was removed"));
}

// B25: `enum { Limit = 10 };` is a constant.
TEST(Types, ConstantsInAnEnumWithoutNameMayChange) {
  Scene S = twoInts();
  S.Old.Enums = S.New.Enums = {colors()};
  S.Old.Enums[0].Name = "(unnamed enum at /src/a.c:3:1)";
  S.New.Enums[0].Name = "(unnamed enum at /src/a.c:4:1)";
  S.New.Enums[0].Values[1].second = "7";
  EXPECT_THAT(S.text(), HasSubstr("live f"));
}

#include "Wire/Checkup.h"

#include "ErrorMatchers.h"

using namespace hotjit::wire;
using namespace hotjit::test;
using namespace llvm;

namespace {

Checkup example() {
  Checkup C;
  C.Program = "/src/app";
  C.Commands = "/src/compile_commands.json";
  CheckedUnit U;
  U.File = "/src/a.c";
  U.Compiler = "gcc";
  U.Optimization = 2;
  U.Directory = "/src";
  U.Command = {"clang", "-x", "c", "a.c"};
  U.Dropped = {"-fno-ipa-cp"};
  C.Units.push_back(U);
  CheckedFunction F;
  F.Name = F.Symbol = "f";
  F.File = F.Unit = "/src/a.c";
  F.Line = 3;
  F.How = "plain";
  C.Functions.push_back(F);
  CheckedSystem S;
  S.Name = "watching";
  S.Message = "saves are seen";
  C.System.push_back(S);
  C.Notes = {"a note"};
  C.Advice = {"do this"};
  return C;
}

TEST(Checkup, ReadsWhatItWrites) {
  Checkup C = example(), Back;
  json::Path::Root Root;
  ASSERT_TRUE(fromJSON(toJSON(C), Back, Root)) << toString(Root.getError());
  EXPECT_EQ(Back, C);
  C.Problem = "no debug information";
  C.Units[0].Code = C.Functions[0].Code = "HJ2004";
  C.Units[0].Module = C.Functions[0].Module = "/src/libapp.so";
  C.Units[0].Problem = C.Functions[0].Message = "newer";
  C.System[0].Advice = "raise it";
  ASSERT_TRUE(fromJSON(toJSON(C), Back, Root)) << toString(Root.getError());
  EXPECT_EQ(Back, C);
}

TEST(Checkup, SkipsWhatItDoesNotKnow) {
  json::Value V = toJSON(example());
  (*V.getAsObject())["later"] = json::Array{1, 2};
  Checkup Back;
  json::Path::Root Root;
  ASSERT_TRUE(fromJSON(V, Back, Root));
  EXPECT_EQ(Back, example());
}

TEST(Checkup, TheResultIsTheWorstOfAll) {
  EXPECT_EQ(example().result(), "good");
  auto With = [](auto Change) {
    Checkup C = example();
    Change(C);
    return C.result();
  };
  EXPECT_EQ(With([](Checkup &C) { C.Problem = "none"; }), "no");
  EXPECT_EQ(With([](Checkup &C) { C.Units[0].Problem = "newer"; }), "partly");
  EXPECT_EQ(With([](Checkup &C) { C.Functions[0].How = "none"; }), "partly");
  EXPECT_EQ(With([](Checkup &C) { C.Functions[0].How = "open"; }), "partly");
  EXPECT_EQ(With([](Checkup &C) { C.System[0].Good = false; }), "partly");
}

} // namespace

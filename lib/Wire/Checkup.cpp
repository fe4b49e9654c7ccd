// The JSON of `hotjit doctor --json`, which man/hotjit-doctor.1.md lists.

#include "Wire/Checkup.h"
#include "Wire/JsonRpc.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace hotjit;
using namespace hotjit::wire;

StringRef Checkup::result() const {
  if (!Problem.empty())
    return "no";
  bool Partly =
      any_of(Units, [](const CheckedUnit &U) { return !U.Problem.empty(); }) ||
      any_of(Functions,
             [](const CheckedFunction &F) {
               return F.How == "none" || F.How == "open";
             }) ||
      any_of(System, [](const CheckedSystem &S) { return !S.Good; });
  return Partly ? "partly" : "good";
}

static void addProblem(json::Object &O, const std::string &Code, StringRef Name,
                       const std::string &Text) {
  if (!Code.empty())
    O["code"] = Code;
  if (!Text.empty())
    O[Name] = asUtf8(Text);
}

namespace hotjit::wire {

static void addModule(json::Object &O, const std::string &Module) {
  if (!Module.empty())
    O["module"] = asUtf8(Module);
}

static json::Value toJSON(const CheckedUnit &U) {
  json::Object O{
      {"file", asUtf8(U.File)},         {"compiler", U.Compiler},
      {"optimization", U.Optimization}, {"directory", asUtf8(U.Directory)},
      {"command", asUtf8(U.Command)},   {"dropped", asUtf8(U.Dropped)}};
  addModule(O, U.Module);
  addProblem(O, U.Code, "problem", U.Problem);
  return O;
}

static bool fromJSON(const json::Value &V, CheckedUnit &U, json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("file", U.File) && M.mapOptional("module", U.Module) &&
         M.mapOptional("compiler", U.Compiler) &&
         M.mapOptional("optimization", U.Optimization) &&
         M.mapOptional("directory", U.Directory) &&
         M.mapOptional("command", U.Command) &&
         M.mapOptional("dropped", U.Dropped) && M.mapOptional("code", U.Code) &&
         M.mapOptional("problem", U.Problem);
}

static json::Value toJSON(const CheckedFunction &F) {
  json::Object O{{"name", asUtf8(F.Name)}, {"symbol", asUtf8(F.Symbol)},
                 {"file", asUtf8(F.File)}, {"line", F.Line},
                 {"unit", asUtf8(F.Unit)}, {"how", F.How}};
  addModule(O, F.Module);
  addProblem(O, F.Code, "message", F.Message);
  return O;
}

static bool fromJSON(const json::Value &V, CheckedFunction &F, json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("name", F.Name) && M.mapOptional("symbol", F.Symbol) &&
         M.mapOptional("file", F.File) && M.mapOptional("line", F.Line) &&
         M.mapOptional("unit", F.Unit) && M.mapOptional("module", F.Module) &&
         M.map("how", F.How) && M.mapOptional("code", F.Code) &&
         M.mapOptional("message", F.Message);
}

static json::Value toJSON(const CheckedSystem &S) {
  json::Object O{
      {"name", S.Name}, {"good", S.Good}, {"message", asUtf8(S.Message)}};
  if (!S.Advice.empty())
    O["advice"] = asUtf8(S.Advice);
  return O;
}

static bool fromJSON(const json::Value &V, CheckedSystem &S, json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("name", S.Name) && M.map("good", S.Good) &&
         M.mapOptional("message", S.Message) &&
         M.mapOptional("advice", S.Advice);
}

} // namespace hotjit::wire

json::Value hotjit::wire::toJSON(const Checkup &C) {
  json::Object O{{"program", asUtf8(C.Program)},
                 {"result", C.result()},
                 {"commands", asUtf8(C.Commands)},
                 {"units", json::Array(C.Units)},
                 {"functions", json::Array(C.Functions)},
                 {"system", json::Array(C.System)},
                 {"notes", asUtf8(C.Notes)},
                 {"advice", asUtf8(C.Advice)}};
  addProblem(O, "", "problem", C.Problem);
  return O;
}

bool hotjit::wire::fromJSON(const json::Value &V, Checkup &C, json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("program", C.Program) &&
         M.mapOptional("problem", C.Problem) &&
         M.mapOptional("commands", C.Commands) &&
         M.mapOptional("units", C.Units) &&
         M.mapOptional("functions", C.Functions) &&
         M.mapOptional("system", C.System) && M.mapOptional("notes", C.Notes) &&
         M.mapOptional("advice", C.Advice);
}

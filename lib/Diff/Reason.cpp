// Codes and words that users see, and how verdicts are made from what they are
// about.

#include "Diff/Judge.h"
#include "fmt/format.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/Support/Path.h"

using namespace hotjit;
using llvm::StringRef;

std::string hotjit::codeOf(Reason R) {
  return fmt::format("HJ{}", static_cast<unsigned>(R));
}

const char *hotjit::spell(VerdictKind K) {
  switch (K) {
  case VerdictKind::Live:
    return "live";
  case VerdictKind::Note:
    return "note";
  case VerdictKind::Pending:
    return "pending";
  case VerdictKind::Partial:
    return "partial";
  case VerdictKind::Refused:
    return "refused";
  case VerdictKind::Held:
    return "held";
  case VerdictKind::Added:
    return "added";
  case VerdictKind::Removed:
    return "removed";
  }
  return "unknown";
}

Verdict hotjit::verdictOn(const CompiledFunction &F, VerdictKind Kind,
                          std::optional<Reason> Code, std::string Message) {
  return {F.Symbol, F.displayName(),    F.Place, Kind,
          Code,     std::move(Message), true};
}

std::string hotjit::nameOf(const CompiledVariable &V) {
  if (!V.QualifiedName.empty())
    return V.QualifiedName;
  // The compiler's own: "vtable for A".
  return V.Name.empty() ? llvm::demangle(V.Symbol) : V.Name;
}

Verdict hotjit::verdictOn(const CompiledVariable &V, VerdictKind Kind,
                          std::optional<Reason> Code, std::string Message) {
  return {V.Symbol, nameOf(V), V.Place, Kind, Code, std::move(Message), true};
}

Verdict hotjit::verdictOn(const CompiledType &T, Reason Code,
                          std::string Message) {
  return {"",   withoutPlaces(T.Name), T.Place, VerdictKind::Refused,
          Code, std::move(Message),    true};
}

std::string hotjit::placeText(const SourcePlace &Place) {
  return fmt::format("{}:{}", llvm::sys::path::filename(Place.File).str(),
                     Place.Line);
}

std::string hotjit::unqualified(StringRef Name) {
  // "a::b<c::d>::e<f>" -> "e"; the name of an operator keeps its "<".
  size_t Depth = 0;
  size_t Begin = 0;
  size_t End = Name.size();
  for (size_t I = 0; I < Name.size(); ++I) {
    if (Name[I] == '<' && Depth++ == 0)
      End = I;
    else if (Name[I] == '>' && Depth > 0)
      --Depth;
    else if (Depth == 0 && Name.substr(I).starts_with("::")) {
      Begin = I + 2;
      End = Name.size();
    }
  }
  return Name.slice(Begin, std::max(Begin, End)).str();
}

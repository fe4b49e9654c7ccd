// Objects of the program were laid out by the old text. If a type's layout
// changes while the program may hold objects of it, new code would read them
// wrong, so that is refused, field by field. Three questions:
//
//   Did it change?        Clang(old text) against Clang(new text).
//   Is it in use?         The program's debug info has it, or a generation of
//                         ours was compiled with it. Compilers leave out types
//                         that no code uses: those are free to change.
//   Is old really old?    Debug info against Clang(old text). If they differ,
//                         the program was not built from this text, and then
//                         no comparison is worth anything.

#include "Diff/Judge.h"
#include "fmt/format.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"
#include <algorithm>

using namespace hotjit;
using llvm::StringRef;

/// Debug info may give a path relative to some folder.
static bool sameFile(StringRef A, StringRef B) {
  if (A.empty() || B.empty() || A == B)
    return true;
  if (llvm::sys::path::is_absolute(A) && llvm::sys::path::is_absolute(B))
    return false;
  StringRef Long = A.size() > B.size() ? A : B;
  StringRef Short = A.size() > B.size() ? B : A;
  Short.consume_front("./");
  return Long.ends_with(Short) && (Long.size() == Short.size() ||
                                   Long[Long.size() - Short.size() - 1] == '/');
}

/// Bytes if it is a whole number of them.
static std::string offsetText(uint64_t Bits) {
  return Bits % 8 ? fmt::format("bit {}", Bits)
                  : fmt::format("offset {}", Bits / 8);
}

static const TypeField *findField(const std::vector<TypeField> &Fields,
                                  const TypeField &Like) {
  for (const TypeField &F : Fields)
    if (!F.Name.empty() && F.Name == Like.Name)
      return &F;
  return nullptr;
}

static std::string fieldText(const TypeField &F) {
  return fmt::format("field '{}' ({})", F.Name, withoutPlaces(F.Type));
}

/// In bits; 0 if there was no such field, or it differs in more than its place.
static int64_t distanceMoved(const std::vector<TypeField> &Old,
                             const TypeField &F) {
  const TypeField *Was = findField(Old, F);
  if (!Was || Was->SizeBits != F.SizeBits ||
      withoutPlaces(Was->Type) != withoutPlaces(F.Type))
    return 0;
  return int64_t(F.OffsetBits - Was->OffsetBits);
}

static std::string distanceText(int64_t Bits) {
  return Bits % 8 ? fmt::format("{} bits", Bits)
                  : fmt::format("{} bytes", Bits / 8);
}

/// How many of New's first fields have moved by one distance.
static size_t countMovedTogether(const std::vector<TypeField> &Old,
                                 llvm::ArrayRef<TypeField> New) {
  const int64_t Distance = distanceMoved(Old, New.front());
  auto Other = llvm::find_if(New, [&](const TypeField &F) {
    return distanceMoved(Old, F) != Distance;
  });
  return Distance == 0 ? 0 : size_t(Other - New.begin());
}

// A field that is put in front moves all others: that is one change.
static constexpr size_t FieldsToName = 2;

static void describeFields(const std::vector<TypeField> &Old,
                           const std::vector<TypeField> &New,
                           std::vector<std::string> &Lines) {
  std::set<std::string> RenamedFrom;
  for (size_t I = 0; I < New.size(); ++I) {
    const TypeField &F = New[I];
    size_t Moved = countMovedTogether(Old, llvm::ArrayRef(New).drop_front(I));
    if (Moved > FieldsToName) {
      Lines.push_back(fmt::format("{} fields, '{}' to '{}', moved by {}", Moved,
                                  F.Name, New[I + Moved - 1].Name,
                                  distanceText(distanceMoved(Old, F))));
      I += Moved - 1;
      continue;
    }
    if (const TypeField *Was = findField(Old, F)) {
      if (withoutPlaces(Was->Type) != withoutPlaces(F.Type))
        Lines.push_back(fmt::format("type of field '{}' changed '{}' -> '{}'",
                                    F.Name, withoutPlaces(Was->Type),
                                    withoutPlaces(F.Type)));
      if (Was->OffsetBits != F.OffsetBits)
        Lines.push_back(fmt::format("field '{}' moved from {} to {}", F.Name,
                                    offsetText(Was->OffsetBits),
                                    offsetText(F.OffsetBits)));
      if (Was->SizeBits != F.SizeBits)
        Lines.push_back(fmt::format("field '{}' changed from {} to {} bits",
                                    F.Name, Was->SizeBits, F.SizeBits));
      continue;
    }
    auto Renamed = llvm::find_if(Old, [&](const TypeField &Was) {
      return !findField(New, Was) && Was.OffsetBits == F.OffsetBits &&
             Was.SizeBits == F.SizeBits && Was.Type == F.Type;
    });
    if (Renamed != Old.end()) {
      RenamedFrom.insert(Renamed->Name);
      Lines.push_back(
          fmt::format("field '{}' was renamed '{}'", Renamed->Name, F.Name));
    } else {
      Lines.push_back(fmt::format("{} added at {}", fieldText(F),
                                  offsetText(F.OffsetBits)));
    }
  }
  for (const TypeField &Was : Old)
    if (!findField(New, Was) && !RenamedFrom.contains(Was.Name))
      Lines.push_back(fmt::format("{} removed", fieldText(Was)));
}

static void describeBases(const CompiledType &Old, const CompiledType &New,
                          std::vector<std::string> &Lines) {
  auto Names = [](const CompiledType &T) {
    std::vector<std::string> Result;
    for (const TypeField &Base : T.Bases)
      Result.push_back(Base.Type.empty() ? Base.Name : Base.Type);
    return Result.empty() ? std::string("none")
                          : fmt::format("{}", fmt::join(Result, ", "));
  };
  if (!llvm::equal(Old.Bases, New.Bases))
    Lines.push_back(
        fmt::format("bases changed: {} -> {}", Names(Old), Names(New)));
}

static std::string describe(const CompiledType &Old, const CompiledType &New) {
  std::vector<std::string> Lines;
  if (Old.Size != New.Size)
    Lines.push_back(fmt::format("size of '{}' changed {} -> {}",
                                withoutPlaces(New.Name), Old.Size, New.Size));
  else
    Lines.push_back(
        fmt::format("layout of '{}' changed", withoutPlaces(New.Name)));
  if (Old.Align != New.Align)
    Lines.push_back(
        fmt::format("alignment changed {} -> {}", Old.Align, New.Align));
  if (Old.Union != New.Union)
    Lines.push_back(New.Union ? "became a union" : "is no longer a union");
  describeBases(Old, New, Lines);
  describeFields(Old.Fields, New.Fields, Lines);
  if (Old.TriviallyPassed != New.TriviallyPassed)
    Lines.push_back(New.TriviallyPassed ? "is now passed in registers"
                                        : "is no longer passed in registers");
  return fmt::format("{}", fmt::join(Lines, "; "));
}

static bool onlySlotsDiffer(const CompiledType &Old, const CompiledType &New) {
  CompiledType Copy = Old;
  Copy.VirtualSlots = New.VirtualSlots;
  return sameLayout(Copy, New);
}

static std::string describeSlots(const CompiledType &Old,
                                 const CompiledType &New) {
  auto Missing = [](const std::vector<std::string> &From,
                    const std::vector<std::string> &In) {
    std::vector<std::string> Result;
    for (const std::string &S : From)
      if (!llvm::is_contained(In, S))
        Result.push_back(S);
    return Result;
  };
  std::vector<std::string> Added = Missing(New.VirtualSlots, Old.VirtualSlots);
  std::vector<std::string> Removed =
      Missing(Old.VirtualSlots, New.VirtualSlots);
  std::string Text = fmt::format("virtual functions of '{}' changed", New.Name);
  if (!Added.empty())
    Text += fmt::format("; added: {}", fmt::join(Added, ", "));
  if (!Removed.empty())
    Text += fmt::format("; removed: {}", fmt::join(Removed, ", "));
  if (Added.empty() && Removed.empty())
    Text += "; their order is another";
  return Text;
}

static Verdict refuseType(const CompiledType &Old, const CompiledType &New) {
  Reason Code = Reason::LayoutChanged;
  std::string What;
  if (!Old.Polymorphic && New.Polymorphic) {
    Code = Reason::BecamePolymorphic;
    What = fmt::format("'{}' got its first virtual function; {}", New.Name,
                       describe(Old, New));
  } else if (onlySlotsDiffer(Old, New)) {
    Code = Reason::VirtualAdded;
    What = describeSlots(Old, New);
  } else {
    What = describe(Old, New);
    if (Old.VirtualSlots != New.VirtualSlots)
      What += "; " + describeSlots(Old, New);
  }
  return verdictOn(New, Code,
                   fmt::format("{}: {}; objects of it may be alive; restart "
                               "to apply",
                               placeText(New.Place), What));
}

/// Members that both sides must agree on. The compiler's own pointer to the
/// vtable and unnamed bit-fields are spelled, or left out, as each likes.
static bool isComparable(StringRef Name) {
  return !Name.empty() && !Name.starts_with("_vptr");
}

/// The first difference between Clang's and debug info's view of one type;
/// empty if they agree.
static std::string mismatch(const CompiledType &T, const ImageType &Built) {
  if (T.Size != Built.Size)
    return fmt::format("its size is {} in the text and {} in the program",
                       T.Size, Built.Size);
  for (const ImageField &B : Built.Fields) {
    if (!isComparable(B.Name))
      continue;
    auto It = llvm::find_if(
        T.Fields, [&](const TypeField &F) { return F.Name == B.Name; });
    if (It == T.Fields.end())
      return fmt::format("the text has no field '{}'", B.Name);
    if (It->OffsetBits != B.OffsetBits)
      return fmt::format("field '{}' is at {} in the text and at {} in the "
                         "program",
                         B.Name, offsetText(It->OffsetBits),
                         offsetText(B.OffsetBits));
    // Sizes of open arrays and of references have no agreed meaning.
    bool HasSize = B.SizeBits && It->SizeBits &&
                   !StringRef(It->Type).rtrim().ends_with("&");
    if (HasSize && It->SizeBits != B.SizeBits)
      return fmt::format("field '{}' has {} bits in the text and {} in the "
                         "program",
                         B.Name, It->SizeBits, B.SizeBits);
  }
  for (const TypeField &F : T.Fields)
    if (isComparable(F.Name) &&
        llvm::none_of(Built.Fields,
                      [&](const ImageField &B) { return B.Name == F.Name; }))
      return fmt::format("the program has no field '{}'", F.Name);
  return "";
}

/// The program's types that T may be. C lets a type go by a typedef only:
/// debug info then has it without a name, and place or layout must tell.
static std::vector<const ImageType *> candidates(const CompiledType &T,
                                                 const BuiltUnit &Built) {
  std::vector<const ImageType *> Result;
  for (const ImageType *I : Built.types(unqualified(T.Name)))
    if (sameFile(I->File, T.Place.File))
      Result.push_back(I);
  // "vector<int>" is spelled differently by every compiler.
  if (StringRef(T.Name).contains('<'))
    for (const ImageType &I : Built.details().Types)
      if (StringRef(I.Name).contains('<') &&
          unqualified(I.Name) == unqualified(T.Name) &&
          sameFile(I.File, T.Place.File))
        Result.push_back(&I);
  if (Result.empty())
    for (const ImageType *I : Built.types(""))
      if (sameFile(I->File, T.Place.File) &&
          (I->Line == T.Place.Line || mismatch(T, *I).empty()))
        Result.push_back(I);
  return Result;
}

static bool isInUse(const CompiledType &T, const UnitCase &Unit) {
  // An enclosing type may be known where the name of this one is not.
  return Unit.Earlier.Units.contains(Unit.New.id()) ||
         !candidates(T, Unit.Built).empty();
}

/// Is the program built from the old text? Types of templates are left out:
/// nothing says which of the program's is which.
static void judgeOldText(const UnitCase &Unit, std::vector<Verdict> &Out) {
  std::map<std::string, std::vector<const CompiledType *>> ByName;
  for (const CompiledType &T : Unit.Old.Types)
    if (!T.Lambda && !StringRef(T.Name).contains('<'))
      ByName[unqualified(T.Name)].push_back(&T);
  for (const ImageType &Built : Unit.Built.details().Types) {
    auto It = ByName.find(Built.Name);
    if (Built.Name.empty() || It == ByName.end())
      continue;
    std::vector<const CompiledType *> Same;
    for (const CompiledType *T : It->second)
      if (sameFile(T->Place.File, Built.File))
        Same.push_back(T);
    if (Same.empty() || llvm::any_of(Same, [&](const CompiledType *T) {
          return mismatch(*T, Built).empty();
        }))
      continue;
    Out.push_back(verdictOn(
        *Same.front(), Reason::StaleSource,
        fmt::format("{}: the program was built from another text: '{}' is not "
                    "laid out as it says: {}; rebuild and restart",
                    placeText(Same.front()->Place), Same.front()->Name,
                    mismatch(*Same.front(), Built))));
  }
}

/// A type that comes back, after an edit that took it away, must be what it
/// was: the program may still hold objects of it.
static void judgeAddedTypes(const UnitCase &Unit, std::vector<Verdict> &Out) {
  for (const CompiledType *T : Unit.Delta.AddedTypes) {
    if (StringRef(T->Name).contains('<'))
      continue;
    std::vector<const ImageType *> Known = candidates(*T, Unit.Built);
    if (Known.empty() || llvm::any_of(Known, [&](const ImageType *I) {
          return mismatch(*T, *I).empty();
        }))
      continue;
    Out.push_back(verdictOn(
        *T, Reason::LayoutChanged,
        fmt::format("{}: the program has another type '{}': {}; objects of it "
                    "may be alive; restart to apply",
                    placeText(T->Place), T->Name,
                    mismatch(*T, *Known.front()))));
  }
}

static void judgeEnums(const UnitCase &Unit, std::vector<Verdict> &Out) {
  for (auto [Old, New] : Unit.Delta.ChangedEnums) {
    std::vector<std::string> Lines;
    if (Old->Underlying != New->Underlying)
      Lines.push_back(fmt::format("its type changed '{}' -> '{}'",
                                  Old->Underlying, New->Underlying));
    for (const auto &[Name, Value] : Old->Values) {
      auto It = llvm::find_if(New->Values,
                              [&](const auto &V) { return V.first == Name; });
      if (It == New->Values.end())
        Lines.push_back(fmt::format("'{}' was removed", Name));
      else if (It->second != Value)
        Lines.push_back(
            fmt::format("'{}' changed {} -> {}", Name, Value, It->second));
    }
    Verdict V;
    V.Name = New->Name;
    V.Place = New->Place;
    V.Kind = VerdictKind::Refused;
    V.Code = Reason::NotSupportedYet;
    V.Message = fmt::format(
        "{}: enum '{}': {}; values that the program stored keep the old "
        "meaning; not supported yet; restart to apply",
        placeText(New->Place), New->Name, fmt::join(Lines, "; "));
    Out.push_back(std::move(V));
  }
}

static Verdict refuseLambdas(const UnitCase &Unit) {
  Verdict V;
  V.Name = llvm::sys::path::filename(Unit.New.Path).str();
  V.Place = {Unit.New.Path, 0};
  std::string Where = V.Name;
  if (const CompiledType *Lambda = Unit.Delta.MovedLambda) {
    V.Place = Lambda->Place;
    Where = placeText(V.Place);
  }
  V.Kind = VerdictKind::Refused;
  V.Code = Reason::LambdaChanged;
  V.Message = fmt::format(
      "{}: a lambda was added, removed, moved or captures something "
      "else: which of the program's is which cannot be told; "
      "restart to apply",
      Where);
  return V;
}

std::vector<Verdict> hotjit::judgeTypes(const UnitCase &Unit) {
  std::vector<Verdict> Out;
  judgeOldText(Unit, Out);
  for (auto [Old, New] : Unit.Delta.ChangedTypes)
    if (isInUse(*Old, Unit))
      Out.push_back(refuseType(*Old, *New));
  judgeAddedTypes(Unit, Out);
  judgeEnums(Unit, Out);
  if (Unit.Delta.LambdasMoved)
    Out.push_back(refuseLambdas(Unit));
  return Out;
}

// Did this function change?
//
// The answer must not miss anything that Clang knew when it lowered the body: a
// change that is missed leaves old code running and tells the user that all is
// live. A hash over selected properties of instructions misses what nobody
// thought of (llvm::StructuralHash: switch cases, volatile, orderings,
// attributes). So the text is hashed that LLVM's own printer writes, the one
// that is made to be read back without loss.
//
// That text names things by numbers that depend on the rest of the unit. Each
// such name is replaced by what it stands for:
//
//   #3, attributes of functions and calls    their text
//   !7, metadata                             its structure
//   @.str.4, constants without a name        their content
//   %struct.anon.2, struct types             their members
//   %12, local values and blocks             stay: numbered per function
//   @global                                  stays: that is its identity
//
// Debug locations, debug records and comments are left out. What __LINE__ or
// assert() wrote into the code is a constant like any other: a function that
// holds it changes when its lines move.
//
// Speed. Printing one function costs a walk over its whole module, as the
// printer collects the module's comdats each time. While it is printed a
// function therefore stands in an empty module.

#include "Compile/Fingerprint.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/Support/raw_ostream.h"
#include <array>

using namespace hotjit;
using llvm::StringRef;

using Text = llvm::SmallVectorImpl<char>;

bool hotjit::isUnnamed(const llvm::GlobalVariable &V) {
  // ".compoundliteral" is internal: an object, but nobody can name it.
  return V.hasPrivateLinkage() ||
         (V.hasLocalLinkage() && V.getName().starts_with("."));
}

bool hotjit::isNumberedFunction(const llvm::Function &F) {
  return F.hasLocalLinkage() && F.getName().starts_with("__cxx_global_");
}

/// The function whose labels (those of the first such function) are in the
/// initial value; null if there are none.
static const llvm::Function *functionOfLabels(const llvm::GlobalVariable &V) {
  if (!V.hasInitializer())
    return nullptr;
  llvm::SmallVector<const llvm::Constant *, 8> Work = {V.getInitializer()};
  llvm::SmallPtrSet<const llvm::Constant *, 8> Seen;
  while (!Work.empty()) {
    const llvm::Constant *C = Work.pop_back_val();
    if (const auto *Label = llvm::dyn_cast<llvm::BlockAddress>(C))
      return Label->getFunction();
    // Leaves are the bulk of a table.
    if (C->getNumOperands() == 0 || !Seen.insert(C).second)
      continue;
    if (const auto *G = llvm::dyn_cast<llvm::GlobalVariable>(C);
        G && !isUnnamed(*G))
      continue;
    if (llvm::isa<llvm::Function>(C))
      continue;
    for (const llvm::Use &U : C->operands())
      Work.push_back(llvm::cast<llvm::Constant>(U.get()));
  }
  return nullptr;
}

bool hotjit::holdsLabels(const llvm::GlobalVariable &V) {
  return functionOfLabels(V) != nullptr;
}

static void append(Text &Out, StringRef S) { Out.append(S.begin(), S.end()); }

/// As letters: its bytes might be taken for what surrounds an attachment.
static void append(Text &Out, const ContentHash &H) {
  for (unsigned char Byte :
       StringRef(reinterpret_cast<const char *>(&H), sizeof(H))) {
    Out.push_back('a' + Byte / 16);
    Out.push_back('a' + Byte % 16);
  }
}

static ContentHash hashText(const Text &T) {
  return hashBytes(StringRef(T.data(), T.size()));
}

//===-- Normalized text ---------------------------------------------------===//

/// Rewrites printed IR as the table at the top of the file says.
class Fingerprinter::Normalizer {
public:
  Normalizer(Fingerprinter &F, const llvm::GlobalValue *Self, Labels L,
             Text &Out)
      : F(F), Self(Self), L(L), Out(Out) {}

  void run(StringRef Printed);
  /// How many references to attribute groups there were.
  unsigned attributeGroups() const { return AttributeGroups; }

private:
  StringRef takeName();
  void global();
  void local();
  void metadata();
  void hash();
  void dropSeparator();

  Fingerprinter &F;
  const llvm::GlobalValue *Self;
  Labels L;
  Text &Out;
  StringRef Rest;
  std::string Unescaped;
  unsigned AttributeGroups = 0;
};

static bool isNameChar(char C) {
  return llvm::isAlnum(C) || C == '$' || C == '.' || C == '_' || C == '-';
}

/// True for the characters that begin something to look at.
static constexpr std::array<bool, 256> makeSpecials() {
  std::array<bool, 256> Table{};
  for (unsigned char C : {'"', ';', '@', '%', '!', '#', 'b'})
    Table[C] = true;
  return Table;
}
static constexpr std::array<bool, 256> Specials = makeSpecials();

void Fingerprinter::Normalizer::run(StringRef Printed) {
  static constexpr StringRef LabelStart = "blockaddress(";
  Rest = Printed;
  while (!Rest.empty()) {
    size_t Plain = 0;
    while (Plain < Rest.size() &&
           !Specials[static_cast<unsigned char>(Rest[Plain])])
      ++Plain;
    append(Out, Rest.take_front(Plain));
    Rest = Rest.drop_front(Plain);
    if (Rest.empty())
      return;
    switch (Rest.front()) {
    case '"': {
      size_t End = Rest.find('"', 1);
      End = End == StringRef::npos ? Rest.size() : End + 1;
      append(Out, Rest.take_front(End));
      Rest = Rest.drop_front(End);
      break;
    }
    case ';':
      Rest = Rest.drop_until([](char C) { return C == '\n'; });
      while (!Out.empty() && Out.back() == ' ')
        Out.pop_back();
      break;
    case '@':
      global();
      break;
    case '%':
      local();
      break;
    case '!':
      metadata();
      break;
    case '#':
      hash();
      break;
    case 'b':
      if (L == Labels::Ignored && Rest.consume_front(LabelStart)) {
        append(Out, LabelStart);
        if (Rest.starts_with("@"))
          global();
        Rest = Rest.drop_until([](char C) { return C == ')'; });
        break;
      }
      Out.push_back('b');
      Rest = Rest.drop_front();
      break;
    }
  }
}

/// The name at the start of Rest, as LLVM's lexer reads it.
StringRef Fingerprinter::Normalizer::takeName() {
  if (!Rest.starts_with("\"")) {
    StringRef Name = Rest.take_while(isNameChar);
    Rest = Rest.drop_front(Name.size());
    return Name;
  }
  size_t End = std::min(Rest.find('"', 1), Rest.size());
  StringRef Name = Rest.slice(1, End);
  Rest = Rest.drop_front(std::min(End + 1, Rest.size()));
  if (!Name.contains('\\'))
    return Name;
  Unescaped.clear();
  while (!Name.empty()) {
    unsigned char Byte = 0;
    if (Name.size() >= 3 && Name[0] == '\\' &&
        !Name.substr(1, 2).getAsInteger(16, Byte)) {
      Unescaped.push_back(static_cast<char>(Byte));
      Name = Name.drop_front(3);
    } else {
      Unescaped.push_back(Name.front());
      Name = Name.drop_front();
    }
  }
  return Unescaped;
}

void Fingerprinter::Normalizer::global() {
  Rest = Rest.drop_front();
  Out.push_back('@');
  StringRef Name = takeName();
  if (Self && Name == Self->getName())
    return;
  if (auto It = F.Unnamed.find(Name); It != F.Unnamed.end()) {
    append(Out, F.contentOf(*It->second, L));
    return;
  }
  append(Out, Name);
  // Which blocks the table leads to is in no other text.
  if (llvm::isa_and_nonnull<llvm::Function>(Self))
    if (auto It = F.LabelTables.find(Name); It != F.LabelTables.end())
      append(Out, F.contentOf(*It->second, Labels::Exact));
}

void Fingerprinter::Normalizer::local() {
  Rest = Rest.drop_front();
  Out.push_back('%');
  if (Rest.empty() || llvm::isDigit(Rest.front()))
    return;
  // Clang's context drops the names of local values: this is a type.
  append(Out, F.typeNamed(takeName()));
}

/// Forgets what stands between the last thing and a dropped attachment.
void Fingerprinter::Normalizer::dropSeparator() {
  while (!Out.empty() && (Out.back() == ' ' || Out.back() == ','))
    Out.pop_back();
}

void Fingerprinter::Normalizer::metadata() {
  // Where something stands in the source, for debuggers and messages.
  static constexpr StringRef Places[] = {"dbg", "srcloc", "DIAssignID",
                                         "heapallocsite"};
  Rest = Rest.drop_front();
  unsigned Slot = 0;
  if (!Rest.consumeInteger(10, Slot)) {
    Out.push_back('!');
    append(Out, F.nodeInSlot(Slot));
    return;
  }
  StringRef Kind = Rest.take_while(isNameChar);
  Rest = Rest.drop_front(Kind.size());
  StringRef Behind = Rest;
  bool HasSlot = Behind.consume_front(" !") && !Behind.consumeInteger(10, Slot);
  if (!llvm::is_contained(Places, Kind) &&
      !(Kind == "llvm.loop" && HasSlot && F.isOnlyPlaces(Slot))) {
    Out.push_back('!');
    append(Out, Kind);
    return;
  }
  dropSeparator();
  Rest = Behind;
}

void Fingerprinter::Normalizer::hash() {
  if (Rest.starts_with("#dbg_")) {
    Rest = Rest.drop_until([](char C) { return C == '\n'; });
    while (!Out.empty() && (Out.back() == ' ' || Out.back() == '\n'))
      Out.pop_back();
    return;
  }
  Rest = Rest.drop_front();
  Out.push_back('#');
  if (Rest.empty() || !llvm::isDigit(Rest.front()))
    return;
  Rest = Rest.drop_while(llvm::isDigit);
  ++AttributeGroups;
}

//===-- What names stand for ----------------------------------------------===//

ContentHash Fingerprinter::typeNamed(StringRef Name) {
  if (auto It = Types.find(Name); It != Types.end())
    return It->second;
  std::string Owned = Name.str();
  llvm::SmallString<256> Printed;
  llvm::raw_svector_ostream OS(Printed);
  auto *S = llvm::StructType::getTypeByName(M.getContext(), Owned);
  if (!S) {
    OS << "named \"" << Owned << '"';
  } else if (S->isOpaque()) {
    OS << "opaque";
  } else {
    OS << (S->isPacked() ? "<{" : "{");
    for (llvm::Type *Element : S->elements()) {
      OS << ' ';
      Element->print(OS, /*IsForDebug=*/false, /*NoDetails=*/true);
    }
  }
  llvm::SmallString<256> Out;
  Normalizer(*this, nullptr, Labels::Exact, Out).run(Printed);
  return Types[Owned] = hashText(Out);
}

/// The loops' own nodes hold places in the source.
static bool isDebugInfo(const llvm::MDOperand &Operand) {
  return llvm::isa_and_nonnull<llvm::MDNode>(Operand.get()) &&
         !llvm::isa<llvm::MDTuple>(Operand.get());
}

/// A loop about which there is nothing to say, but in debug info where it is.
bool Fingerprinter::isOnlyPlaces(unsigned Slot) const {
  const llvm::MDNode *N = Nodes.lookup(Slot);
  return N && llvm::all_of(N->operands(), [&](const llvm::MDOperand &Operand) {
           return Operand.get() == N || isDebugInfo(Operand);
         });
}

void Fingerprinter::appendNode(
    const llvm::MDNode *N, std::string &Out,
    llvm::SmallVectorImpl<const llvm::MDNode *> &Path) {
  // A loop's node leads to itself: that is how it is told from other loops.
  if (auto It = llvm::find(Path, N); It != Path.end()) {
    Out += '^';
    Out += std::to_string(Path.end() - It);
    return;
  }
  Path.push_back(N);
  Out += '{';
  for (const llvm::MDOperand &Operand : N->operands()) {
    if (isDebugInfo(Operand))
      continue;
    Out += ',';
    if (const auto *Node =
            llvm::dyn_cast_or_null<llvm::MDNode>(Operand.get())) {
      appendNode(Node, Out, Path);
    } else if (const auto *S =
                   llvm::dyn_cast_or_null<llvm::MDString>(Operand.get())) {
      Out += std::to_string(S->getLength()) + ':' + S->getString().str();
    } else if (const auto *V = llvm::dyn_cast_or_null<llvm::ValueAsMetadata>(
                   Operand.get())) {
      llvm::SmallString<64> Printed;
      llvm::raw_svector_ostream OS(Printed);
      V->getValue()->printAsOperand(OS, /*PrintType=*/true, Slots);
      llvm::SmallString<64> Normal;
      Normalizer(*this, nullptr, Labels::Exact, Normal).run(Printed);
      Out += Normal.str();
    }
  }
  Out += '}';
  Path.pop_back();
}

ContentHash Fingerprinter::nodeInSlot(unsigned Slot) {
  if (auto It = NodeHashes.find(Slot); It != NodeHashes.end())
    return It->second;
  std::string Out;
  llvm::SmallVector<const llvm::MDNode *, 8> Path;
  if (const llvm::MDNode *N = Nodes.lookup(Slot))
    appendNode(N, Out, Path);
  return NodeHashes[Slot] = hashBytes(Out);
}

ContentHash Fingerprinter::attributesOf(llvm::AttributeSet Set) {
  auto [It, IsNew] = AttributeHashes.try_emplace(Set);
  if (IsNew)
    It->second = hashBytes(Set.getAsString(/*InAttrGrp=*/true));
  return It->second;
}

//===-- Functions and variables -------------------------------------------===//

Fingerprinter::Fingerprinter(llvm::Module &M)
    : M(M), Alone("", M.getContext()), Slots(&M) {
  Alone.setDataLayout(M.getDataLayout());
  NoFunction = llvm::Function::Create(
      llvm::FunctionType::get(llvm::Type::getVoidTy(M.getContext()), false),
      llvm::GlobalValue::ExternalLinkage, "", Alone);
  for (llvm::GlobalVariable &V : M.globals()) {
    if (!V.hasName())
      V.setName(".unnamed");
    if (isUnnamed(V))
      Unnamed[V.getName()] = &V;
    else if (holdsLabels(V))
      LabelTables[V.getName()] = &V;
  }
  for (llvm::Function &F : M)
    if (isNumberedFunction(F))
      Unnamed[F.getName()] = &F;
  // The first question numbers everything, while the module is complete.
  llvm::raw_null_ostream Nowhere;
  llvm::MDTuple::get(M.getContext(), {})->printAsOperand(Nowhere, Slots);
  llvm::ModuleSlotTracker::MachineMDNodeListType All;
  Slots.collectMDNodes(All, 0, ~0U);
  for (const auto &[Slot, Node] : All)
    if (llvm::isa<llvm::MDTuple>(Node))
      Nodes[Slot] = Node;
}

void Fingerprinter::printAlone(llvm::GlobalValue &V, Text &Printed) {
  llvm::raw_svector_ostream OS(Printed);
  if (auto *F = llvm::dyn_cast<llvm::Function>(&V)) {
    llvm::Module::FunctionListType &Home = M.getFunctionList();
    llvm::Module::FunctionListType &Away = Alone.getFunctionList();
    auto Next = std::next(F->getIterator());
    Away.splice(Away.end(), Home, F->getIterator());
    static_cast<llvm::Value *>(F)->print(OS, Slots);
    Home.splice(Next, Away, F->getIterator());
    return;
  }
  auto *G = llvm::cast<llvm::GlobalVariable>(&V);
  if (const llvm::Function *F = functionOfLabels(*G)) {
    // The printer would number the blocks anew for each label. What it last
    // knew it may have forgotten while it printed functions.
    Slots.incorporateFunction(*NoFunction);
    Slots.incorporateFunction(*F);
  }
  auto Next = std::next(G->getIterator());
  M.removeGlobalVariable(G);
  Alone.insertGlobalVariable(G);
  static_cast<llvm::Value *>(G)->print(OS, Slots);
  Alone.removeGlobalVariable(G);
  M.insertGlobalVariable(Next, G);
}

ContentHash Fingerprinter::contentOf(llvm::GlobalValue &V, Labels L) {
  std::pair<const llvm::GlobalValue *, int> Key(&V, static_cast<int>(L));
  if (auto It = Contents.find(Key); It != Contents.end())
    return It->second;
  // Constants without a name that lead to each other: a place in the circle
  // must do.
  if (auto It = llvm::find(InProgress, &V); It != InProgress.end())
    return {static_cast<uint64_t>(InProgress.end() - It), 0};
  InProgress.push_back(&V);

  llvm::SmallString<4096> Printed;
  printAlone(V, Printed);
  llvm::SmallString<4096> Out;
  Normalizer N(*this, &V, L, Out);
  N.run(Printed);

  // What was printed as #N, in no matter which order.
  unsigned Groups = 0;
  auto AddGroup = [&](llvm::AttributeSet Set) {
    if (!Set.hasAttributes())
      return;
    append(Out, attributesOf(Set));
    ++Groups;
  };
  if (const auto *F = llvm::dyn_cast<llvm::Function>(&V)) {
    AddGroup(F->getAttributes().getFnAttrs());
    for (const llvm::Instruction &I : llvm::instructions(*F))
      if (const auto *Call = llvm::dyn_cast<llvm::CallBase>(&I))
        AddGroup(Call->getAttributes().getFnAttrs());
  } else if (const auto *G = llvm::dyn_cast<llvm::GlobalVariable>(&V)) {
    AddGroup(G->getAttributes());
  }
  // A printer that refers to groups elsewhere too: rather too much than too
  // little.
  if (Groups != N.attributeGroups())
    append(Out, Printed);

  InProgress.pop_back();
  return Contents[Key] = hashText(Out);
}

ContentHash Fingerprinter::function(llvm::Function &F) {
  return contentOf(F, Labels::Exact);
}

ContentHash Fingerprinter::variable(llvm::GlobalVariable &V) {
  return contentOf(V, Labels::Ignored);
}

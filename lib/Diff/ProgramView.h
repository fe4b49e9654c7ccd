#ifndef HOTJIT_DIFF_PROGRAMVIEW_H
#define HOTJIT_DIFF_PROGRAMVIEW_H

#include "Diff/Diff.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hotjit {

/// What Diff asks of the running program: Image answers, or tables that a unit
/// test wrote by hand. Answers never change while a diff runs.
class ProgramView {
public:
  virtual ~ProgramView() = default;
  virtual const std::deque<ImageModule> &modules() const = 0;
  virtual const std::deque<ImageUnit> &units() const = 0;
  virtual llvm::Expected<const UnitDetails *>
  details(const ImageUnit &Unit) const = 0;
  /// As the members of Image; Module is an index.
  virtual std::optional<ProgramAddr>
  findSymbol(size_t Module, llvm::StringRef Symbol) const = 0;
  virtual std::vector<const ImageFunction *>
  findFunctions(size_t Module, llvm::StringRef Symbol) const = 0;
  virtual std::vector<ImageSymbol> findData(size_t Module,
                                            llvm::StringRef Symbol) const = 0;
  virtual std::vector<ImageThreadLocal>
  findThreadLocals(size_t Module, llvm::StringRef Symbol) const = 0;
  virtual bool hasLocalSymbols(size_t Module) const = 0;
  virtual llvm::ArrayRef<uint8_t> fileBytes(ProgramAddr A,
                                            uint64_t Size) const = 0;
};

/// diff() on any view of a program.
llvm::Expected<PlanOrRefusal> diff(llvm::ArrayRef<UnitChange> Changes,
                                   const ProgramView &Program,
                                   const Adopted &Earlier);

/// Symbol without the tags of the C++11 string ABI: GCC leaves them out of
/// names that are local to a file, Clang does not.
std::string withoutTags(llvm::StringRef Symbol);
/// Compilers give a constructor or destructor several symbols (C1, C2, C4 in
/// debug info; D0, D1, D2): the text that they share. Other symbols: as they
/// are, without tags.
std::string sharedName(llvm::StringRef Symbol);
/// Whether both are constructors, or both destructors, of one class.
bool areVariants(llvm::StringRef A, llvm::StringRef B);

/// The names by which debug info may mean a function where it lists inlined
/// copies. Units have tens of thousands of those.
class CopiedName {
public:
  explicit CopiedName(const CompiledFunction &F);
  bool isMeantBy(llvm::StringRef Name) const;

private:
  llvm::StringRef Symbol;
  std::string Shared, Unqualified;
  bool IsConstructor;
};

/// One unit of the program, indexed by the names that compiled units use.
class BuiltUnit {
public:
  static llvm::Expected<BuiltUnit> create(const ProgramView &Program,
                                          const ImageUnit &Unit);

  const ProgramView &program() const { return *Program; }
  const ImageUnit &unit() const { return *Unit; }
  const ImageModule &module() const { return Program->modules()[Unit->Module]; }
  const UnitDetails &details() const { return *Details; }

  /// Functions with code of their own in this unit under this symbol, tags
  /// aside if they are local to the file.
  llvm::ArrayRef<const ImageFunction *> functions(llvm::StringRef Symbol) const;
  /// The compiler that built the unit gives this name to a function that Clang
  /// calls Symbol: what a closure's conversion to a function pointer leads to.
  std::string spelling(llvm::StringRef Symbol) const;
  /// The places that debug info gives for V: several if it cannot tell them
  /// apart, none if it knows no such variable.
  std::vector<const ImageVariable *> variables(const CompiledVariable &V) const;
  /// Places of data of this unit that debug info does not know and only the
  /// symbol table has: several if it cannot be told which is this unit's.
  std::vector<ProgramAddr> localData(llvm::StringRef Symbol) const;
  /// The same of thread-local data, by offset.
  std::vector<ImageThreadLocal> localThreadLocals(llvm::StringRef Symbol) const;
  /// The same for functions local to their file: GCC gives a function that it
  /// folded into another a body without debug info if its address is taken.
  std::vector<const ImageFunction *>
  localFunctions(llvm::StringRef Symbol) const;
  /// Types with this unqualified name; "" for those without a name.
  llvm::ArrayRef<const ImageType *> types(llvm::StringRef Name) const;

  /// The module has another unit of this one's name (a file in another folder,
  /// or the same one), and it cannot be told whose a local symbol is.
  bool isMistakable() const;

private:
  BuiltUnit() = default;
  template <class Symbol> bool isOwn(const Symbol &S) const;
  unsigned object() const;

  const ProgramView *Program = nullptr;
  const ImageUnit *Unit = nullptr;
  const UnitDetails *Details = nullptr;
  /// Keys are symbols without tags, unless external functions share one.
  llvm::StringMap<std::vector<const ImageFunction *>> BySymbol;

  struct VariableIndex {
    llvm::StringMap<std::vector<const ImageVariable *>> BySymbol;
    /// Enclosing function (shared name, "" for none) and variable.
    std::map<std::pair<std::string, std::string>,
             std::vector<const ImageVariable *>>
        ByName;
  };
  const VariableIndex &variableIndex() const;
  // Made when somebody asks: most edits touch neither.
  mutable std::optional<unsigned> Object;
  mutable std::optional<VariableIndex> Variables;
  mutable std::optional<llvm::StringMap<std::vector<const ImageType *>>>
      TypesByName;
};

} // namespace hotjit

#endif

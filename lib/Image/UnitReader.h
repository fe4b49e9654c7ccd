#ifndef HOTJIT_IMAGE_UNITREADER_H
#define HOTJIT_IMAGE_UNITREADER_H

#include "Image/ElfFile.h"
#include "Image/Image.h"
#include "Image/Location.h"
#include "Image/SymbolTable.h"
#include "Image/Units.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSet.h"

namespace hotjit {

/// Reads all that Image tells about one unit. Make one per unit, call read()
/// once.
class UnitReader {
public:
  UnitReader(llvm::DWARFUnit &Unit, DwarfUnits &All, const ElfFile &File,
             const SymbolTable &Symbols, uint64_t LoadBias)
      : Unit(Unit), All(All), File(File), Symbols(Symbols), LoadBias(LoadBias),
        OwnFiles(All.fileNames(Unit)) {}

  /// Error: the debug info is damaged, or shared with other units in a way that
  /// cannot be followed (LTO).
  llvm::Expected<UnitDetails> read();

private:
  void readEntry(const llvm::DWARFDie &Die);
  std::string symbolOf(const llvm::DWARFDie &Function) const;
  void readFunction(const llvm::DWARFDie &Die);
  void noteSharedEntries();
  void readVariable(const llvm::DWARFDie &Die);
  void placeVariable(ImageVariable &V, VariableLocation Location) const;
  void readInlinedCopy(const llvm::DWARFDie &Die);
  void readType(const llvm::DWARFDie &Die);
  void nameUnnamedTypes();
  template <typename Declared>
  void readPlace(const llvm::DWARFDie &Die, Declared &Thing) const;
  std::optional<uint64_t> entryOf(const llvm::DWARFDie &Function,
                                  llvm::StringRef Wanted, uint64_t &Size) const;

  llvm::DWARFUnit &Unit;
  DwarfUnits &All;
  const ElfFile &File;
  const SymbolTable &Symbols;
  uint64_t LoadBias;
  llvm::ArrayRef<llvm::StringRef> OwnFiles;

  UnitDetails Details;
  /// Offset of a function's abstract entry -> its symbol, if it has code.
  llvm::DenseMap<uint64_t, std::string> FunctionSymbols;
  /// Offset of a variable's abstract entry -> index in Details.Variables.
  llvm::DenseMap<uint64_t, size_t> VariableOf;
  llvm::DenseMap<uint64_t, size_t> UnnamedTypes; ///< the same for types
  std::vector<std::pair<uint64_t, std::string>> Typedefs;
  llvm::StringSet<> SeenCopies;
};

} // namespace hotjit

#endif

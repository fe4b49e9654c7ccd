#ifndef HOTJIT_IMAGE_UNITS_H
#define HOTJIT_IMAGE_UNITS_H

#include "Image/ElfFile.h"
#include "Image/Image.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/DebugInfo/DWARF/DWARFContext.h"
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

/// Each path once, at an address that stays.
using PathPool = llvm::StringMap<char>;

/// Turns the paths that debug info names into real paths. The strings live as
/// long as the pool.
class SourcePaths {
public:
  SourcePaths(const FileSystem &FS, PathPool &Pool) : FS(FS), Pool(Pool) {}
  /// Absolute with symbolic links resolved if Path exists, else only without
  /// "." and "..". The same string at the same address for the same path.
  llvm::StringRef resolve(llvm::StringRef Path);

private:
  const FileSystem &FS;
  PathPool &Pool;
  llvm::StringMap<llvm::StringRef> Known; ///< as written -> in Pool
};

/// The debug info of one ELF file: a short description of each unit, and what
/// is needed to read one in full.
class DwarfUnits {
public:
  /// Reads the heads of all units. Units come in the order of the file.
  static std::unique_ptr<DwarfUnits> read(const ElfFile &File,
                                          SourcePaths &Paths);

  struct Unit {
    ImageUnit Head;
    llvm::DWARFUnit *Dwarf = nullptr;
  };
  std::vector<Unit> &units() { return Units; }
  /// Why debug info that is there is not used; empty if there is no reason.
  const std::string &problem() const { return Problem; }
  /// The first complaint of LLVM's reader since the last call; empty if none.
  std::string takeComplaint() { return std::exchange(Complaint, {}); }

  /// As Image::lineAt, of a file address.
  std::optional<Image::Line> lineAt(llvm::DWARFUnit &Unit,
                                    uint64_t FileAddress) const;
  /// The paths that the values of DW_AT_decl_file in Unit mean, by value.
  llvm::ArrayRef<llvm::StringRef> fileNames(llvm::DWARFUnit &Unit) const;

private:
  DwarfUnits() = default;
  /// False if the unit is not one that hotjit can use.
  bool readUnit(llvm::DWARFUnit &U, SourcePaths &Paths);
  llvm::Error readSources(llvm::DWARFUnit &U, ImageUnit &Head,
                          SourcePaths &Paths);
  void note(const llvm::Twine &Text);

  std::unique_ptr<llvm::LoadedObjectInfo> Addresses;
  std::unique_ptr<llvm::DWARFContext> Context;
  std::vector<Unit> Units;
  /// Offset of a line table -> its files, by the number that DWARF gives them.
  llvm::DenseMap<uint64_t, std::vector<llvm::StringRef>> FileNames;
  std::string Problem;
  std::string Complaint;
};

} // namespace hotjit

#endif

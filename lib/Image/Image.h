#ifndef HOTJIT_IMAGE_IMAGE_H
#define HOTJIT_IMAGE_IMAGE_H

#include "Support/FileSystem.h"
#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

/// How the entry of a function can be redirected, told from its bytes.
enum class EntryKind {
  Patchable, ///< five NOP bytes before the entry, two at it
  Plain,     ///< ordinary code: the entry's instructions must be relocated
};

/// As found in UnitDetails it has everything; as found by Image::findFunctions
/// and Image::functionAt only what the symbol table says.
struct ImageFunction {
  std::string Symbol; ///< from the symbol table; empty if it has none
  std::string Name;   ///< from DWARF; the symbol if there is no DWARF
  ProgramAddr Entry;
  uint64_t Size = 0; ///< bytes, from the symbol table; without one, from DWARF
  EntryKind Kind = EntryKind::Plain;
  bool HasEndbr = false;
  bool Local = false;           ///< STB_LOCAL
  bool NonStandardCall = false; ///< DW_AT_calling_convention DW_CC_nocall
  /// Other functions that start at this address (folded identical code,
  /// aliases): symbols, or the name of one that has no symbol left.
  std::vector<std::string> Aliases;
  /// Of the declaration. Symbol table: of a local one, its unit's without
  /// folders.
  std::string File;
  unsigned Line = 0;
  unsigned Object = 0; ///< as ImageSymbol's
};

enum class StorageKind {
  Address,     ///< a plain address
  ThreadLocal, ///< an offset in its module's TLS block, and nothing more
  Composed,    ///< pieces or an expression: the optimizer took it apart
  Constant,    ///< DW_AT_const_value: it has no storage
  None,        ///< no location at all: optimized out
};

/// A variable with static or thread storage. A static local variable is listed
/// only if DWARF says where it is: without a place it looks like an automatic
/// variable.
struct ImageVariable {
  std::string Symbol; ///< of the symbol table entry at its address, or empty
  std::string Name;   ///< unqualified, from DWARF
  /// DW_AT_linkage_name. GCC has none for static variables, C has none at all.
  std::string LinkageName;
  /// Linkage name (C: name) of the enclosing function; GCC may give a
  /// constructor its unified name (C4).
  std::string Function;
  std::string File; ///< of the declaration
  unsigned Line = 0;
  StorageKind Storage = StorageKind::None;
  ProgramAddr Address;    ///< for StorageKind::Address
  uint64_t TlsOffset = 0; ///< for StorageKind::ThreadLocal
  uint64_t Size = 0;      ///< of the symbol; 0 if it has none
  uint64_t TypeSize = 0;  ///< of the DWARF type; 0 if unknown
  bool Writable = false;  ///< the section it lies in
};

struct ImageField {
  std::string Name; ///< of a base class: the name of its type
  uint64_t OffsetBits = 0;
  uint64_t SizeBits = 0; ///< 0 if unknown (flexible array member)
  /// A virtual base class: the vtable says where it is, OffsetBits does not.
  bool VirtualBase = false;
};

/// A class, struct or union as the program was built with it: members of
/// anonymous members flattened, declarations, static members, unnamed
/// bit-fields and pointers to vtables skipped.
struct ImageType {
  /// Unqualified, as DWARF has it. An unnamed type has the name of the typedef
  /// that was declared with it, else none.
  std::string Name;
  std::string File;
  unsigned Line = 0;
  uint64_t Size = 0; ///< bytes
  std::vector<ImageField> Bases;
  std::vector<ImageField> Fields;
};

struct ImageSource {
  std::string Path; ///< absolute, symbolic links resolved where it exists
  std::optional<std::array<uint8_t, 16>> MD5; ///< DWARF 5 from Clang
};

/// What DWARF says about one translation unit of the program, read on demand.
struct UnitDetails {
  std::vector<ImageFunction> Functions; ///< with code of their own
  std::vector<ImageVariable> Variables;
  std::vector<ImageType> Types;
  /// Functions (linkage name, C: name) of which an inlined copy stands in this
  /// unit, with the function that it stands in. GCC names an inlined
  /// constructor or destructor by its unified name (C4, D4): such a copy is
  /// listed under the names of all its variants (C1, C2; D0, D1, D2) too. Of a
  /// static C++ function that has no code of its own GCC gives the unqualified
  /// name only: its place tells which one it is.
  struct Inlined {
    std::string Function;
    std::string Into;
    std::string File; ///< where Function is declared
    unsigned Line = 0;
  };
  std::vector<Inlined> InlinedCopies;
};

/// An entry of a symbol table that is not a function.
struct ImageSymbol {
  ProgramAddr Address;
  uint64_t Size = 0;
  bool Local = false; ///< STB_LOCAL
  std::string File;   ///< if local: name of its source file without folders
  /// If local: a number that it has in common with what was linked from the
  /// same object, and with nothing else of the module. 0: not known.
  unsigned Object = 0;
};

/// A thread-local variable of a symbol table.
struct ImageThreadLocal {
  uint64_t Offset = 0; ///< in its module's TLS block
  uint64_t Size = 0;
  bool Local = false;    ///< STB_LOCAL
  bool External = false; ///< other units may name it, hidden or not
  std::string File;      ///< if local: name of its source file without folders
  unsigned Object = 0;   ///< as ImageSymbol's
};

enum class Producer { GCC, Clang, Other };
/// "gcc", "clang", "other".
const char *spell(Producer P);

struct ImageUnit {
  std::string Path;      ///< absolute, symbolic links resolved where it exists
  std::string Directory; ///< DW_AT_comp_dir
  Producer By = Producer::Other;
  std::string ProducerText;
  unsigned OptLevel = 0; ///< from the producer text; 0 if it does not say
                         ///< (Clang without -grecord-command-line)
  bool LTO = false;  ///< GCC only: debug info does not show that Clang did LTO
  size_t Module = 0; ///< index into Image::modules()
  size_t Index = 0;  ///< of itself, into Image::units()
  std::vector<ImageSource> Sources; ///< the line table's files
};

/// A loaded object: the executable or a shared object.
struct ImageModule {
  std::string Path; ///< of the file it was loaded from
  std::string Name; ///< as the dynamic linker knows it
  size_t Index = 0; ///< of itself, into Image::modules()
  /// False: the program has closed it. It has no names and no code any more,
  /// and what was asked of it before does not hold.
  bool Loaded = true;
  uint64_t LoadBias = 0;
  AddrRange Text;          ///< hull of its executable segments
  bool Executable = false; ///< the program itself, not a shared object
  bool PIE = false;
  bool HasDebugInfo = false; ///< it has units
  /// Why debug info that the file has is not used ("split DWARF ..."). Empty if
  /// there is nothing to say.
  std::string DebugProblem;
  size_t TlsModuleId = 0; ///< 0: it has no thread-local variables
  /// For modules in static TLS: address of the module's block minus the thread
  /// pointer, the same in every thread.
  std::optional<int64_t> TlsBlockOffset;
  int64_t FileModified = 0; ///< seconds since the epoch
};

/// Read-only model of the running program. The members may be called from one
/// thread at a time (details are read on demand and kept). Knows nothing of new
/// code, threads and patching.
class Image {
public:
  /// The process that this code runs in, by dl_iterate_phdr(3). The vdso and
  /// objects named in Skip (real paths) are left out. An object whose file is
  /// not the one that was loaded (rebuilt since) has neither symbols nor units.
  static llvm::Expected<std::unique_ptr<Image>>
  ofThisProcess(const FileSystem &FS, llvm::ArrayRef<std::string> Skip);
  /// A file that is not running, with load bias 0, and shared objects that it
  /// would have loaded, each at some address of its own. Error: Path cannot be
  /// read; of a library its DebugProblem says so.
  static llvm::Expected<std::unique_ptr<Image>>
  ofFile(const FileSystem &FS, llvm::StringRef Path,
         llvm::ArrayRef<std::string> Libraries = {});
  /// As ofFile, of a relocatable object in memory (DWARF relocated). Sections
  /// get made-up addresses, distinct ones; Bytes are copied.
  static llvm::Expected<std::unique_ptr<Image>> ofObject(llvm::StringRef Bytes,
                                                         llvm::StringRef Name);
  ~Image();

  /// Whether the program has loaded or closed nothing since this was made or
  /// updated. Reads /proc/self/maps; waits for no lock of the dynamic linker.
  bool isCurrent() const;
  /// Indices of modules.
  struct Changes {
    std::vector<size_t> Loaded, Closed;
  };
  /// Of this process: takes up what the program has loaded and closed since.
  /// What was known stays where it is.
  Changes update(const FileSystem &FS, llvm::ArrayRef<std::string> Skip);

  /// A file that the program was not built from and that Like's module is to
  /// have code of: a unit of which the program has nothing. Path: real.
  const ImageUnit &addUnit(llvm::StringRef Path, const ImageUnit &Like);

  const std::deque<ImageModule> &modules() const;
  const std::deque<ImageUnit> &units() const;
  /// Every unit of a loaded module that was compiled from Path: two if it was
  /// built into two objects.
  std::vector<const ImageUnit *> findUnits(llvm::StringRef Path) const;
  /// Error: the debug info is damaged, or the unit went through link time
  /// optimization.
  llvm::Expected<const UnitDetails *> details(const ImageUnit &Unit) const;

  /// A function or variable by its external name, from Module's own symbol
  /// table (hidden ones too). What a shared object has and the executable
  /// exports too (its own, or by a copy relocation) is the executable's. None
  /// for thread-local variables (see findThreadLocals), for what Module only
  /// imports, and for an ifunc, whose symbol is its resolver's: use dlsym(3).
  std::optional<ProgramAddr> findSymbol(const ImageModule &Module,
                                        llvm::StringRef Symbol) const;
  /// Every function of Module's symbol table that has this name (several for
  /// file-local names).
  std::vector<const ImageFunction *>
  findFunctions(const ImageModule &Module, llvm::StringRef Symbol) const;
  /// Everything in Module's symbol table under this name that is neither a
  /// function nor thread-local (several for file-local names): for what has no
  /// entry in DWARF, as vtables and guards.
  std::vector<ImageSymbol> findData(const ImageModule &Module,
                                    llvm::StringRef Symbol) const;
  /// The same of the thread-local ones.
  std::vector<ImageThreadLocal> findThreadLocals(const ImageModule &Module,
                                                 llvm::StringRef Symbol) const;
  /// Module's symbol table names what is local to a file too: it was not
  /// stripped.
  bool hasLocalSymbols(const ImageModule &Module) const;
  /// Source files of Module's code, with and without debug info, as its symbol
  /// table names them (without folders): once for each object in it. Empty if
  /// it is stripped.
  std::vector<std::string> sourceNames(const ImageModule &Module) const;
  /// The function whose code holds A; null if none.
  const ImageFunction *functionAt(ProgramAddr A) const;
  /// The line, of the function that the code at A in Unit belongs to, that the
  /// code was made from: of an inlined call, the line of the call. Nullopt if
  /// debug info does not say.
  struct Line {
    std::string File; ///< absolute
    unsigned Number = 0;
  };
  std::optional<Line> lineAt(const ImageUnit &Unit, ProgramAddr A) const;
  /// Where the code of Unit lies, as its debug info says; functions
  /// in sections of their own are ranges of their own.
  std::vector<AddrRange> codeOf(const ImageUnit &Unit) const;
  /// As lineAt, by an ELF object that was linked in memory: its headers have
  /// the sections' addresses, its debug information is relocated. Nullopt too
  /// if it has no code at A.
  static std::optional<Line> lineInObject(llvm::StringRef Elf, ProgramAddr A);
  /// How many functions the modules with debug info have, for `ready`.
  size_t functionCount() const;
  /// Bytes of [A, A+Size) as the file has them, relocations not applied; empty
  /// if the file does not hold them.
  llvm::ArrayRef<uint8_t> fileBytes(ProgramAddr A, uint64_t Size) const;

private:
  Image();
  struct State;
  std::unique_ptr<State> S;
};

} // namespace hotjit

#endif

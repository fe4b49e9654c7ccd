// Sizes and layouts of types, as the program was built with them.
//
// DWARF has several spellings for one fact: a bit-field counts its offset from
// the most significant bit of its storage unit (GCC, DWARF 4) or from the start
// of the struct (DW_AT_data_bit_offset); a static member is a DW_TAG_member
// with DW_AT_declaration or a DW_TAG_variable; an array of no elements has an
// upper bound of -1, and one of unknown size has none. Here they become one.

#include "Image/TypeReader.h"

#include "llvm/DebugInfo/DWARF/DWARFFormValue.h"
#include "llvm/DebugInfo/DWARF/DWARFUnit.h"
#include "llvm/DebugInfo/DWARF/LowLevel/DWARFExpression.h"

namespace hotjit {

using llvm::DWARFDie;
using llvm::DWARFFormValue;
using llvm::StringRef;
namespace dwarf = llvm::dwarf;

// Malformed debug info may have types that contain themselves. Typedefs of
// arrays of typedefs ... and anonymous members do not nest deeper than this.
static constexpr unsigned DepthLimit = 64;

static constexpr uint64_t PointerSize = 8;

static std::optional<uint64_t> sizeOf(DWARFDie Type, unsigned Depth);

static DWARFDie typeOf(const DWARFDie &Die) {
  if (DWARFDie Own = Die.resolveReferencedType(dwarf::DW_AT_type))
    return Own;
  if (std::optional<DWARFFormValue> V =
          Die.findRecursively({dwarf::DW_AT_type}))
    return Die.resolveReferencedType(*V);
  return {};
}

/// Nullopt: not known, or only when the program runs.
static std::optional<uint64_t> elementCount(const DWARFDie &Subrange) {
  if (std::optional<DWARFFormValue> Count = Subrange.find(dwarf::DW_AT_count)) {
    std::optional<int64_t> N = Count->getAsSignedConstant();
    if (N && *N >= 0)
      return static_cast<uint64_t>(*N);
    return std::nullopt; // Clang: -1 for int x[].
  }
  std::optional<DWARFFormValue> Upper = Subrange.find(dwarf::DW_AT_upper_bound);
  if (!Upper)
    return std::nullopt;
  std::optional<uint64_t> Last = Upper->getAsUnsignedConstant();
  if (!Last)
    if (std::optional<int64_t> Signed = Upper->getAsSignedConstant())
      Last = static_cast<uint64_t>(*Signed);
  if (!Last)
    return std::nullopt;
  uint64_t First =
      dwarf::toUnsigned(Subrange.find(dwarf::DW_AT_lower_bound), 0);
  // -1, in as many bytes as the form has: no elements.
  bool Empty = *Last == ~0ULL || (*Last == 0xffffffffULL);
  return Empty ? 0 : *Last - First + 1;
}

static std::optional<uint64_t> sizeOfArray(const DWARFDie &Array,
                                           unsigned Depth) {
  std::optional<uint64_t> Size = sizeOf(typeOf(Array), Depth + 1);
  bool HasRange = false;
  for (const DWARFDie &Child : Array.children()) {
    if (Child.getTag() != dwarf::DW_TAG_subrange_type)
      continue;
    HasRange = true;
    std::optional<uint64_t> Count = elementCount(Child);
    if (!Size || !Count)
      return std::nullopt;
    Size = *Size * *Count;
  }
  return HasRange ? Size : std::nullopt;
}

static std::optional<uint64_t> sizeOf(DWARFDie Type, unsigned Depth) {
  if (!Type || Depth > DepthLimit)
    return std::nullopt;
  if (std::optional<DWARFFormValue> V = Type.find(dwarf::DW_AT_byte_size))
    return V->getAsUnsignedConstant();
  switch (Type.getTag()) {
  case dwarf::DW_TAG_typedef:
  case dwarf::DW_TAG_const_type:
  case dwarf::DW_TAG_volatile_type:
  case dwarf::DW_TAG_restrict_type:
  case dwarf::DW_TAG_atomic_type:
  case dwarf::DW_TAG_immutable_type:
  case dwarf::DW_TAG_enumeration_type:
    return sizeOf(typeOf(Type), Depth + 1);
  case dwarf::DW_TAG_pointer_type:
  case dwarf::DW_TAG_reference_type:
  case dwarf::DW_TAG_rvalue_reference_type:
    return PointerSize;
  case dwarf::DW_TAG_ptr_to_member_type: {
    // A pointer to a member function has an adjustment of `this` too.
    DWARFDie Member = typeOf(Type);
    bool Function = Member && Member.getTag() == dwarf::DW_TAG_subroutine_type;
    return Function ? 2 * PointerSize : PointerSize;
  }
  case dwarf::DW_TAG_unspecified_type:
    if (dwarf::toStringRef(Type.find(dwarf::DW_AT_name)) == "decltype(nullptr)")
      return PointerSize;
    return std::nullopt;
  case dwarf::DW_TAG_array_type:
    return sizeOfArray(Type, Depth);
  default:
    return std::nullopt;
  }
}

std::optional<uint64_t> sizeOfTypeOf(const DWARFDie &Die) {
  return sizeOf(typeOf(Die), 0);
}

static bool isRecord(const DWARFDie &Die) {
  dwarf::Tag Tag = Die.getTag();
  return Tag == dwarf::DW_TAG_structure_type ||
         Tag == dwarf::DW_TAG_class_type || Tag == dwarf::DW_TAG_union_type;
}

static bool isDeclaration(const DWARFDie &Die) {
  return dwarf::toUnsigned(Die.find(dwarf::DW_AT_declaration), 0) != 0;
}

bool isRecordDefinition(const DWARFDie &Die) {
  return isRecord(Die) && !isDeclaration(Die) &&
         Die.find(dwarf::DW_AT_byte_size);
}

/// Bytes from the start of the record; 0 for the members of a union.
static uint64_t memberOffset(const DWARFDie &Member) {
  std::optional<DWARFFormValue> V =
      Member.find(dwarf::DW_AT_data_member_location);
  if (!V)
    return 0;
  if (std::optional<uint64_t> Constant = V->getAsUnsignedConstant())
    return *Constant;
  // DWARF 2 and 3: DW_OP_plus_uconst N.
  std::optional<llvm::ArrayRef<uint8_t>> Block = V->getAsBlock();
  if (!Block)
    return 0;
  llvm::DWARFExpression Expression(
      llvm::DataExtractor(*Block, /*IsLittleEndian=*/true, 8), 8);
  for (const llvm::DWARFExpression::Operation &Op : Expression) {
    bool Plain = !Op.isError() && Op.getCode() == dwarf::DW_OP_plus_uconst;
    return Plain ? Op.getRawOperand(0) : 0;
  }
  return 0;
}

static ImageField readPlace(const DWARFDie &Member) {
  ImageField F;
  F.Name = dwarf::toStringRef(Member.find(dwarf::DW_AT_name)).str();
  uint64_t TypeBits = sizeOfTypeOf(Member).value_or(0) * 8;
  F.SizeBits = dwarf::toUnsigned(Member.find(dwarf::DW_AT_bit_size), TypeBits);
  F.OffsetBits = memberOffset(Member) * 8;
  if (std::optional<DWARFFormValue> V =
          Member.find(dwarf::DW_AT_data_bit_offset))
    F.OffsetBits += V->getAsUnsignedConstant().value_or(0);
  if (std::optional<DWARFFormValue> V = Member.find(dwarf::DW_AT_bit_offset)) {
    // Counted from the top of the storage unit, down to the field's top bit.
    uint64_t Unit =
        dwarf::toUnsigned(Member.find(dwarf::DW_AT_byte_size), TypeBits / 8) *
        8;
    int64_t FromTop = V->getAsSignedConstant().value_or(0);
    F.OffsetBits += Unit - FromTop - F.SizeBits;
  }
  return F;
}

static bool isStaticMember(const DWARFDie &Member) {
  return isDeclaration(Member) || Member.find(dwarf::DW_AT_external);
}

static DWARFDie withoutQualifiers(DWARFDie Type) {
  for (unsigned I = 0; Type && I != DepthLimit; ++I) {
    dwarf::Tag Tag = Type.getTag();
    if (Tag != dwarf::DW_TAG_const_type && Tag != dwarf::DW_TAG_volatile_type)
      return Type;
    Type = typeOf(Type);
  }
  return {};
}

static void readMembers(const DWARFDie &Record, uint64_t BaseBits,
                        unsigned Depth, ImageType &Layout) {
  if (Depth > DepthLimit)
    return;
  for (const DWARFDie &Child : Record.children()) {
    if (Child.getTag() != dwarf::DW_TAG_member || isStaticMember(Child) ||
        Child.find(dwarf::DW_AT_artificial))
      continue; // Artificial: the pointer to the vtable.
    ImageField F = readPlace(Child);
    F.OffsetBits += BaseBits;
    if (!F.Name.empty()) {
      Layout.Fields.push_back(std::move(F));
      continue;
    }
    DWARFDie Type = withoutQualifiers(typeOf(Child));
    if (Type && isRecord(Type))
      readMembers(Type, F.OffsetBits, Depth + 1, Layout);
  }
}

static ImageField readBase(const DWARFDie &Inheritance) {
  ImageField Base = readPlace(Inheritance);
  if (DWARFDie Type = typeOf(Inheritance))
    if (const char *Name = Type.getShortName())
      Base.Name = Name;
  Base.VirtualBase =
      dwarf::toUnsigned(Inheritance.find(dwarf::DW_AT_virtuality), 0) != 0;
  if (Base.VirtualBase)
    Base.OffsetBits = 0;
  return Base;
}

ImageType readLayout(const DWARFDie &Record) {
  ImageType Layout;
  Layout.Size = dwarf::toUnsigned(Record.find(dwarf::DW_AT_byte_size), 0);
  for (const DWARFDie &Child : Record.children())
    if (Child.getTag() == dwarf::DW_TAG_inheritance)
      Layout.Bases.push_back(readBase(Child));
  readMembers(Record, 0, 0, Layout);
  return Layout;
}

} // namespace hotjit

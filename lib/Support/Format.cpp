// Debian gives fmt as a shared library only. The engine lives inside programs
// that may carry an fmt of their own, under the same names, so it must need
// none from outside; and fmt's header-only form costs every file of hotjit two
// seconds to compile. This file is fmt's library, compiled into ours: the
// explicit instantiations that its headers leave to it.

#include "fmt/format-inl.h"

static_assert(FMT_VERSION >= 90000 && FMT_VERSION < 100000,
              "compare this list with src/format.cc of this version of fmt");

FMT_BEGIN_NAMESPACE
namespace detail {

template FMT_API auto dragonbox::to_decimal(float X) noexcept
    -> dragonbox::decimal_fp<float>;
template FMT_API auto dragonbox::to_decimal(double X) noexcept
    -> dragonbox::decimal_fp<double>;

template FMT_API locale_ref::locale_ref(const std::locale &);
template FMT_API auto locale_ref::get<std::locale>() const -> std::locale;

template FMT_API auto thousands_sep_impl(locale_ref)
    -> thousands_sep_result<char>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;
template FMT_API void buffer<char>::append(const char *, const char *);
template FMT_API void vformat_to(buffer<char> &, string_view,
                                 basic_format_args<FMT_BUFFER_CONTEXT(char)>,
                                 locale_ref);

} // namespace detail
FMT_END_NAMESPACE
